"""Strategies by the names that a plan knows them by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.arenas.simulated.strategies.around import Around
from harness.arenas.simulated.strategies.exhaustive import Bounds, Exhaustive
from harness.arenas.simulated.strategies.pct import Pct
from harness.arenas.simulated.strategies.portfolio import Portfolio, standard_portfolio
from harness.arenas.simulated.strategies.pos import Pos
from harness.arenas.simulated.strategies.random_walk import RandomWalk
from harness.arenas.simulated.strategies.replay import Guided, Replay
from harness.arenas.simulated.strategies.sticky import Sticky

if TYPE_CHECKING:
    from harness.arenas.simulated.actor import Strategy
    from harness.arenas.simulated.plan import Following, Searching
    from harness.values.schedule import Schedule

_BOUNDS: Final = Bounds(preemptions=2, kills=1)
_DEPTHS: Final = (1, 2, 3, 4)


def searching(name: Searching) -> Strategy:
    """A new strategy that searches."""
    match name:
        case "portfolio":
            return standard_portfolio()
        case "random":
            return RandomWalk()
        case "sticky":
            return Sticky()
        case "pct":
            return Portfolio([Pct(depth) for depth in _DEPTHS])
        case "pos":
            return Pos()
        case "exhaustive":
            return Exhaustive(_BOUNDS)


def following(how: Following, schedule: Schedule) -> Strategy:
    """A new strategy that follows a schedule."""
    match how:
        case "replay":
            return Replay(schedule)
        case "guided":
            return Guided(schedule.decisions)
        case "around":
            return Around(schedule)
