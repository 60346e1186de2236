"""Stay with the running actor, and now and then switch to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.arenas.simulated.strategies.chance import EARLY, dice, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A

SWITCH: Final = 0.05


class Sticky:
    """Finds what needs few switches, at points that are close to each other or far apart."""

    def __init__(self, *, switch: float = SWITCH, early: float = EARLY) -> None:
        """Switch with this probability; let the clock go first with the probability `early`, in all."""
        self.name = "sticky"
        self._random = dice()
        self._draw = self._random.random
        self._switch = switch
        self._early = early
        self._early_switch = min(1.0, early / switch)

    def begin(self, seed: int) -> None:
        """Draw from this seed on."""
        self._random.seed(seed)

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """The current actor, unless it spins or is left; then any other."""
        if current is None or current.spins:
            return pick(ready, current, self._draw, self._early)
        if self._draw() >= self._switch:
            return current
        return pick(ready, current, self._draw, self._early_switch)

    def end(self, steps: int, choices: int) -> None:
        """Learn nothing."""
