"""What the strategies that draw have in common: the clock is mostly left alone, and runs have a length."""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING, Final

from harness.arenas.simulated.actor import CLOCK, PATIENCE, A

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EARLY: Final = 0.002
"""How likely the clock goes next at a choice point where others could: a timer fires "early" in some runs."""

_FIRST_LENGTH: Final = 100
"""Choice points expected of the first run."""


class Length:
    """How many choice points a run has, learned from the runs that were.

    The longest so far; but one run at most doubles it, since a livelock is as long as the kernel lets it be.
    """

    __slots__ = ("_longest",)

    def __init__(self) -> None:
        """Know nothing yet."""
        self._longest = 0

    @property
    def expected(self) -> int:
        """So many choice points the next run may have; at least 1."""
        return self._longest or _FIRST_LENGTH

    def learn(self, choices: int) -> None:
        """A run had so many choice points."""
        limit = 2 * self._longest or choices
        self._longest = max(self._longest, min(choices, limit), 1)


def dice() -> Random:
    """A source of draws, to be seeded at the beginning of each run."""
    return Random()  # noqa: S311 - a game, not a secret


def derive(seed: int, label: str) -> int:
    """A seed of 64 bits that depends on both, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{label}".encode(), digest_size=8).digest(), "big")


def tick_share(ready: Sequence[A], early: float) -> float:
    """How likely the clock, which is ready, should go next.

    It is early only as long as somebody else has something to do; whoever only polls has not.
    """
    for actor in ready:
        if not actor.passive and actor.spins < PATIENCE:
            return early
    return 1 / len(ready)


def pick(ready: Sequence[A], avoid: A | None, draw: Callable[[], float], early: float) -> A:
    """One of the ready actors, all as likely, except for the clock and for the one to avoid."""
    first = 0
    if ready[0].index == CLOCK:
        if draw() < tick_share(ready, early):
            return ready[0]
        first = 1
    others = len(ready) - first
    if avoid is None:
        return ready[first + int(draw() * others)]
    if others == 1:
        return avoid
    chosen = ready[first + int(draw() * (others - 1))]
    return ready[-1] if chosen is avoid else chosen
