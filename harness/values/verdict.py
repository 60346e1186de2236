"""What the judge says about one rule and one history."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Not a boolean: only `HOLDS` is good news, and half of the others are no news at all."""

    HOLDS = "holds"
    VIOLATED = "violated"
    DEVIATION = "deviation"
    NOT_EXERCISED = "not exercised"
    NOT_APPLICABLE = "not applicable"
    INCONCLUSIVE = "inconclusive"
    UNTESTED = "untested"

    def __bool__(self) -> bool:
        """Refuse to be a truth value: "not violated" is not "holds"."""
        raise TypeError("a verdict is no boolean: compare it with a member of Verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """The evidence of one violation: what was seen, why no order explains it, and which names it is about.

    `calls` are the operation numbers involved; `futures` and `tasks` the symbols; `shape` a short word from
    a closed list per rule that tells variants of the violation apart (deviations match on it); `timed` says
    that a clock was part of the argument, so that it must be seen again before it is shown.
    """

    rule: str
    text: str
    calls: tuple[int, ...] = ()
    futures: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    shape: str = ""
    timed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One history judged: how often each rule's premise was met, and every violation found."""

    met: dict[str, int]
    witnesses: tuple[Witness, ...] = ()
    inconclusive: str = ""
