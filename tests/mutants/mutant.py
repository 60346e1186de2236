"""The entry that ties a broken executor to the rule that it breaks."""

from dataclasses import dataclass
from typing import Literal, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One broken executor.

    Attributes:
        rule: The id of the rule that it breaks, every time the rule's premise occurs.
        target: The import path of the executor class, ``package.module:Qualified.Name``.
        kind: Where its tasks run.
        note: What it does wrong, in one sentence.
        arena: Where it shows: a race between two clients does so in the simulated arena only.
    """

    rule: str
    target: str
    kind: Literal["thread", "process"]
    note: str
    arena: Literal["real", "simulated"] = "real"

    @classmethod
    def of(
        cls,
        rule: str,
        broken: type[object],
        *,
        member: str | None = None,
        kind: Literal["thread", "process"] = "thread",
        arena: Literal["real", "simulated"] = "real",
    ) -> Self:
        """Make the entry of a class, whose docstring says what it does wrong.

        Args:
            rule: The id of the rule that it breaks.
            broken: The executor, or a namespace that holds it beside a broken `wait` or `as_completed`.
            member: The executor's name in that namespace.
            kind: Where its tasks run.
            arena: Where it shows.
        """
        module = broken.__module__.rpartition(".")[2]
        name = broken.__qualname__ if member is None else f"{broken.__qualname__}.{member}"
        note = (broken.__doc__ or "").partition("\n")[0]
        return cls(rule=rule, target=f"tests.mutants.{module}:{name}", kind=kind, note=note, arena=arena)
