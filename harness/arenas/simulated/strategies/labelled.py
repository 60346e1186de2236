"""Writes down the labels of decisions: what each of them preempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated.actor import Strategy, default
from harness.values.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A


class Labelled:
    """Chooses like another strategy, and keeps the schedule of the run with all its labels."""

    def __init__(self, inner: Strategy) -> None:
        """Choose like this strategy."""
        self.name = inner.name
        self._inner = inner
        self._went: list[tuple[str, str]] = []
        self._preempted: dict[int, tuple[str, str]] = {}

    @property
    def schedule(self) -> Schedule:
        """The schedule of the run so far."""
        return Schedule.of_run(self._went, self._preempted)

    def begin(self, seed: int) -> None:
        """Start an empty schedule."""
        self._went.clear()
        self._preempted.clear()
        self._inner.begin(seed)

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """Whoever the other strategy chooses."""
        usual = default(ready, current)
        chosen = self._inner.choose(ready, current)
        if chosen is not usual:
            self._preempted[len(self._went)] = (usual.role, usual.op)
        self._went.append((chosen.role, chosen.op))
        return chosen

    def end(self, steps: int, choices: int) -> None:
        """The run is over."""
        self._inner.end(steps, choices)
