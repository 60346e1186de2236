"""Partial order sampling.

Yuan, Yang, Gu: Partial Order Aware Concurrency Sampling (CAV 2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated.strategies.chance import EARLY
from harness.arenas.simulated.strategies.priorities import Priorities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A


class Pos(Priorities):
    """A priority for each pending operation, drawn again when one that races with it goes first.

    Operations race if they are about the same object. So the order of those that matter to each other is
    drawn more evenly than by a walk, which spends its choices on those that do not.
    """

    def __init__(self, *, early: float = EARLY) -> None:
        """Let the clock go first with the probability `early` at each choice point."""
        super().__init__(early)
        self.name = "pos"
        self._last = -1

    def begin(self, seed: int) -> None:
        """Draw from this seed on."""
        super().begin(seed)
        self._last = -1

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """The highest; what it is about to do next, and what it races with, gets another priority."""
        priority = self._priority
        if current is not None and current.index != self._last and current.index < len(priority):
            priority[current.index] = self._draw()  # it went on alone since, and is about to do another thing
        chosen = self.highest(ready, current)
        self._last = chosen.index
        if chosen.index < 0:
            return chosen
        self.went(chosen)
        target = chosen.target
        priority[chosen.index] = self._draw()
        if target:
            for actor in ready:
                if actor.target == target and actor is not chosen:
                    priority[actor.index] = self._draw()
        return chosen

    def end(self, steps: int, choices: int) -> None:
        """Learn nothing."""
