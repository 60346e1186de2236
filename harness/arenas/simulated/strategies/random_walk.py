"""At each choice point any of the ready actors, all as likely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated.strategies.chance import EARLY, dice, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A


class RandomWalk:
    """Finds what needs many switches anywhere; blind to what needs long stretches without one."""

    def __init__(self, *, early: float = EARLY) -> None:
        """Let the clock go first with the probability `early`."""
        self.name = "random"
        self._random = dice()
        self._draw = self._random.random
        self._early = early

    def begin(self, seed: int) -> None:
        """Draw from this seed on."""
        self._random.seed(seed)

    def choose(self, ready: Sequence[A], current: A | None) -> A:  # noqa: ARG002 - all are alike
        """Any."""
        if ready[0].index < 0:
            return pick(ready, None, self._draw, self._early)
        return ready[int(self._draw() * len(ready))]

    def end(self, steps: int, choices: int) -> None:
        """Learn nothing."""
