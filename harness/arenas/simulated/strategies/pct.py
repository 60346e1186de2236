"""Probabilistic concurrency testing, fair to polling.

Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with Probabilistic Guarantees of Finding
Bugs (ASPLOS 2010).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from harness.arenas.simulated.strategies.chance import EARLY, Length
from harness.arenas.simulated.strategies.priorities import Priorities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A

_NEVER: Final = sys.maxsize


class Pct(Priorities):
    """Strict priorities, with `depth` - 1 points at which whoever would go next gets a very low one.

    A fault that shows whenever `depth` pairs of events come in a certain order is found by a run with a
    probability of at least 1 / (n * k ** (depth - 1)), for n actors and k choice points, as long as k was not
    underestimated. Two things are taken from the guarantee: the share of runs in which the clock is early,
    and programs that poll. Choice points stand for the steps of the paper: a step without an alternative
    cannot be put off.
    """

    def __init__(self, depth: int, *, early: float = EARLY) -> None:
        """Look for faults of this depth, 1 or more."""
        if depth < 1:
            raise ValueError(f"the depth of a fault is 1 or more, not {depth}")
        super().__init__(early)
        self.name = f"pct{depth}"
        self._depth = depth
        self._length = Length()
        self._changes: list[tuple[int, float]] = []  # choice point and priority, the next one last
        self._next = _NEVER
        self._count = 0

    def begin(self, seed: int) -> None:
        """Draw the change points; the priorities follow as actors are seen."""
        super().begin(seed)
        self._count = 0
        length = self._length.expected
        points = self._random.sample(range(length), min(self._depth - 1, length))
        # As in the paper, any of the changes may give the lowest priority, not just the last.
        self._changes = sorted(((at, -1.0 - rank) for rank, at in enumerate(points)), reverse=True)
        self._next = self._changes[-1][0] if self._changes else _NEVER

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """The highest, after the change that is due."""
        chosen = self.highest(ready, current)
        if self._count >= self._next and chosen.index >= 0:
            chosen = self._change(chosen, ready, current)
        self._count += 1
        self.went(chosen)
        return chosen

    def end(self, steps: int, choices: int) -> None:  # noqa: ARG002 - only at choice points there is a choice
        """Learn the number of choice points."""
        self._length.learn(choices)

    def _change(self, chosen: A, ready: Sequence[A], current: A | None) -> A:
        """Who would have gone next may not, from now on, while another can."""
        _, self._priority[chosen.index] = self._changes.pop()
        self._next = self._changes[-1][0] if self._changes else _NEVER
        return self.highest(ready, current)
