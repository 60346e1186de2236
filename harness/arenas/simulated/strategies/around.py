"""Search near a schedule: follow it by its labels, a little wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness.arenas.simulated.strategies.chance import EARLY, Length, dice, pick
from harness.arenas.simulated.strategies.replay import Guided

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from harness.arenas.simulated.actor import A
    from harness.values.schedule import Decision, Schedule

DROPPED: Final = 0.1
"""How likely a decision is left out."""

MOVED: Final = 0.5
"""How likely all decisions that preempt the same operation of a role move together, as after an edit."""

SHAKEN: Final = 0.2
"""How likely a decision moves for itself."""

ADDED: Final = 0.3
"""How likely there is a switch more, and after each another one."""

_REACH: Final = 0.7
"""How likely what moves goes one further, again and again."""


class Around:
    """Guided runs with random differences.

    The first run has none. After that decisions are left out, come a few occurrences earlier or later (alone,
    or all of one role and operation together: that is what inserting lines into a program does), and switches
    are added anywhere.
    """

    def __init__(self, schedule: Schedule, *, early: float = EARLY) -> None:
        """Stay near this schedule."""
        self.name = "around"
        self._decisions = schedule.decisions
        self._guided = Guided(schedule.decisions)
        self._random = dice()
        self._early = early
        self._length = Length()
        self._extra: frozenset[int] = frozenset()  # choice points with a switch more
        self._count = 0
        self._runs = 0

    def begin(self, seed: int) -> None:
        """Draw the differences of this run."""
        self._count = 0
        self._extra = frozenset()
        if self._runs:
            self._random.seed(seed)
            self._guided.follow(_perturbed(self._decisions, self._random))
            self._extra = self._switches()
        self._runs += 1
        self._guided.begin(seed)

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """Like the schedule, or anybody."""
        chosen = self._guided.choose(ready, current)
        if self._count in self._extra:
            chosen = pick(ready, current, self._random.random, self._early)
        self._count += 1
        return chosen

    def end(self, steps: int, choices: int) -> None:
        """Learn how many choice points there are for additional switches."""
        self._length.learn(choices)
        self._guided.end(steps, choices)

    def _switches(self) -> frozenset[int]:
        draw = self._random.random
        length = self._length.expected
        return frozenset(int(draw() * length) for _ in range(_geometric(draw, ADDED)))


def _perturbed(decisions: Sequence[Decision], random: Random) -> list[Decision]:
    """The decisions that are not left out, each in its place or nearby."""
    draw = random.random
    shifts: dict[tuple[str, str], int] = {}
    kept = []
    for each in decisions:
        key = (each.instead, each.op)
        if key not in shifts:
            shifts[key] = _shift(draw, MOVED)
        shift = shifts[key] + _shift(draw, SHAKEN)
        if draw() >= DROPPED:
            kept.append(_moved(each, shift))
    return kept


def _moved(decision: Decision, shift: int) -> Decision:
    if decision.labelled:
        return replace(decision, nth=max(1, decision.nth + shift))
    return replace(decision, at=max(0, decision.at + shift))


def _shift(draw: Callable[[], float], likely: float) -> int:
    """A distance, mostly small, in either direction; 0 unless something `likely` happens."""
    if draw() >= likely:
        return 0
    distance = 1 + _geometric(draw, _REACH)
    return distance if draw() < 0.5 else -distance  # noqa: PLR2004 - heads or tails


def _geometric(draw: Callable[[], float], likely: float) -> int:
    """How often something `likely` happens in a row."""
    number = 0
    while draw() < likely:
        number += 1
    return number
