"""Priorities of actors, and the fairness that polling needs: what PCT and POS have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.arenas.simulated.actor import A, Actor, default
from harness.arenas.simulated.strategies.chance import EARLY, dice, tick_share

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOTHING: Final = float("-inf")


class Priorities:
    """The ready actor of highest priority goes next, but a failed try makes way.

    Priorities are drawn from [0, 1) when an actor is first seen, so their order is any, all as likely. An
    actor whose last try failed is *tired* until another than a tired one went; otherwise a poll of high
    priority would keep everybody from what it waits for.
    """

    def __init__(self, early: float = EARLY) -> None:
        """Let the clock go first with the probability `early` at each choice point."""
        self._random = dice()
        self._draw = self._random.random
        self._early = early
        self._priority: list[float] = []  # by index
        self._tried: list[int] = []  # by index: the `progress` when it last went
        self._progress = 0  # how often somebody went who was not polling

    def begin(self, seed: int) -> None:
        """Draw from this seed on, all priorities anew."""
        self._random.seed(seed)
        self._priority.clear()
        self._tried.clear()
        self._progress = 0

    def highest(self, ready: Sequence[A], current: A | None) -> A:
        """Who should go next. Ask once more, and the answer is the same, unless the clock is ready."""
        if ready[0].index < 0:
            return self._beside_clock(ready, current)
        if ready[-1].index >= len(self._priority):
            self._meet(ready[-1].index)
        priority = self._priority
        best, top = None, _NOTHING
        for actor in ready:
            value = priority[actor.index]
            if value > top and (not actor.spins or self._tried[actor.index] < self._progress):
                best, top = actor, value
        if best is None or best.passive:
            return self._when_tired(ready, current, best)
        return best

    def went(self, actor: A) -> None:
        """An actor goes next, so others are no longer tired if it is not."""
        if actor.index < 0:
            return
        if not actor.spins:
            self._progress += 1
        self._tried[actor.index] = self._progress

    def _meet(self, index: int) -> None:
        """Draw the priorities of actors not seen before."""
        for _ in range(len(self._priority), index + 1):
            self._priority.append(self._draw())
            self._tried.append(0)

    def _beside_clock(self, ready: Sequence[A], current: A | None) -> A:
        """The clock has no priority: it goes next with a probability of its own."""
        if self._draw() < tick_share(ready, self._early):
            return ready[0]
        return self.highest(ready[1:], current)

    def _when_tired(self, ready: Sequence[A], current: A | None, kill: A | None) -> A:
        """A kill goes next if it would anyway, and not because everybody polls."""
        if kill is not None:
            top = max(ready, key=lambda actor: self._priority[actor.index])
            if top is kill or not all(actor.passive or self._tired(actor) for actor in ready):
                return kill
        return default(ready, current)

    def _tired(self, actor: Actor) -> bool:
        return actor.spins > 0 and self._tried[actor.index] >= self._progress
