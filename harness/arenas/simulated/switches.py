"""Which decisions of a schedule a build with a global lock (GIL) could not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated.source_text import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.arenas.simulated.instrument import Point
    from harness.values.schedule import Decision, Schedule


def beyond_a_gil(schedule: Schedule, points: Iterable[Point]) -> tuple[Decision, ...]:
    """The decisions that preempt a thread where a GIL build surely keeps it running, or may do so.

    `points` are those of the world that the schedule is of. A failure whose smallest schedule has such a
    decision is for free-threaded builds only: the hooks of the steered rung could show it on any build, since
    they give up the GIL where the code as it was written does not.
    """
    possible: dict[str, bool] = {}
    for point in points:
        name = name_of(point)
        possible[name] = possible.get(name, False) or point.gil
    return tuple(each for each in schedule.decisions if not possible.get(each.op, True))
