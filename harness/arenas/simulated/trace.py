"""What a run did, step by step: the log, the choices, and the names by which runs are told apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.arenas.simulated.actor import CLOCK
from harness.values.course import Statement, Step
from harness.values.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from harness.arenas.simulated.instrument import Point
    from harness.values.schedule import Decision


@dataclass(slots=True)
class Trace:
    """The steps and choices of one run.

    `log` has every step: the index of the actor, the operation, and the number of its object (0 for none).
    `went` has, by choice point, the role that went next and what it was about to do; `preempted`, by the
    number of the choice point, the role and operation that were the default there and had to wait; `cuts`
    has the places in the log where that was so. `stood` has, by the place in the log, the number of the
    statement that a task was about to begin. `roles` and `processes` say who the numbers are.
    """

    log: list[tuple[int, str, int]] = field(default_factory=list)
    went: list[tuple[str, str]] = field(default_factory=list)
    preempted: dict[int, tuple[str, str]] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    stood: dict[int, int] = field(default_factory=dict)
    roles: dict[int, str] = field(default_factory=lambda: {CLOCK: "clock"})
    processes: dict[int, str] = field(default_factory=dict)

    def schedule(self) -> Schedule:
        """The decisions that differ from the default, with their labels."""
        return Schedule.of_run(self.went, self.preempted)

    def steps(self, beyond_gil: Container[Decision] = (), points: Sequence[Point] = ()) -> tuple[Step, ...]:
        """What was done, by whom; that a process is gone is its own step. These decisions are marked.

        `points` are those of the world: they say what the numbers of statements stand for.
        """
        cuts = dict(zip(self.cuts, self.schedule().decisions, strict=True))
        at = {place: points[number] for place, number in self.stood.items()} if points else {}
        return tuple(
            Step(
                role=self.processes[target] if op == "gone" else self.roles[who],
                op=op, target=target, chosen=place in cuts, beyond_gil=cuts.get(place) in beyond_gil,
                statement=_statement(at[place]) if place in at else None,
            )
            for place, (who, op, target) in enumerate(self.log)
        )  # fmt: skip

    def digest(self) -> str:
        """Names this run in every process: every step, in order."""
        return hashlib.sha256(repr(self.log).encode()).hexdigest()[:16]

    def fingerprint(self) -> int:
        """Like `digest`, fast, and only within this process."""
        return hash(tuple(self.log))

    def class_fingerprint(self) -> int:
        """Names the happens-before class: the order of steps on each object."""
        orders: dict[int, list[tuple[int, str]]] = {}
        for who, op, target in self.log:
            if target:
                orders.setdefault(target, []).append((who, op))
        return hash(tuple((target, tuple(order)) for target, order in sorted(orders.items())))


def _statement(point: Point) -> Statement:
    return Statement(file=point.file, line=point.line, text=point.text, moment=point.moment)
