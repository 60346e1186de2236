"""Writes down the labels of decisions: what each of them preempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated.actor import Strategy, default
from harness.values.schedule import Decision, Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A


class Labelled:
    """Chooses like another strategy, and keeps the schedule of the run with all its labels.

    The kernel notes number and role of each decision, which costs next to nothing. Labels need counting, so
    they are added when a schedule has turned out to be worth keeping, by following it once more.
    """

    def __init__(self, inner: Strategy) -> None:
        """Choose like this strategy."""
        self.name = inner.name
        self._inner = inner
        self._counts: dict[tuple[str, str], int] = {}
        self._count = 0
        self._decisions: list[Decision] = []

    @property
    def schedule(self) -> Schedule:
        """The schedule of the run so far."""
        return Schedule(decisions=tuple(self._decisions))

    def begin(self, seed: int) -> None:
        """Start an empty schedule."""
        self._counts.clear()
        self._count = 0
        self._decisions.clear()
        self._inner.begin(seed)

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """Whoever the other strategy chooses."""
        usual = default(ready, current)
        chosen = self._inner.choose(ready, current)
        if chosen is not usual:
            nth = self._counts.get((usual.role, usual.op), 0) + 1
            decision = Decision(at=self._count, role=chosen.role, instead=usual.role, op=usual.op, nth=nth)
            self._decisions.append(decision)
        done = (chosen.role, chosen.op)
        self._counts[done] = self._counts.get(done, 0) + 1
        self._count += 1
        return chosen

    def end(self, steps: int, choices: int) -> None:
        """The run is over."""
        self._inner.end(steps, choices)
