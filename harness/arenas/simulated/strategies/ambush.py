"""Strikes at a moment drawn evenly from the whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated.actor import CLOCK, Strategy
from harness.arenas.simulated.strategies.chance import Length, derive, dice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A


class Ambush:
    """Chooses like another strategy, which sees no kills; they come at moments of their own.

    As one actor among others a kill comes early: after k choice points a walk has left it waiting with a
    probability of (1 - 1/n) ** k. Here a kill is as likely late, say during a shutdown, as early.
    """

    def __init__(self, inner: Strategy) -> None:
        """Choose like this strategy, kills apart."""
        self.name = f"ambush {inner.name}"
        self._inner = inner
        self._random = dice()
        self._length = Length()
        self._moment = 0
        self._count = 0

    def begin(self, seed: int) -> None:
        """Draw the moment of the first kill."""
        self._random.seed(derive(seed, "ambush"))
        self._count = 0
        self._moment = self._later(0)
        self._inner.begin(seed)

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """The kill whose moment has come, or whoever the other strategy chooses among the others."""
        count = self._count
        self._count = count + 1
        others = [actor for actor in ready if not actor.passive or actor.index == CLOCK]
        if len(others) == len(ready):
            return self._inner.choose(ready, current)
        if count >= self._moment or not others:
            kills = [actor for actor in ready if actor.passive and actor.index != CLOCK]
            self._moment = self._later(count + 1)
            return kills[int(self._random.random() * len(kills))]
        return others[0] if len(others) == 1 else self._inner.choose(others, current)

    def end(self, steps: int, choices: int) -> None:
        """Learn how long a run is."""
        self._length.learn(choices)
        self._inner.end(steps, choices)

    def _later(self, count: int) -> int:
        """A choice point from `count` to the expected end, or beyond if that is reached."""
        return count + int(self._random.random() * max(1, self._length.expected - count))
