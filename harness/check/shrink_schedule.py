"""Fewer decisions with the same failure: delta debugging of a schedule.

Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input (IEEE TSE 2002). What is left out are
decisions; the run then takes the default, and the numbers of all later choice points move. So a candidate is
tried by its labels first and by its numbers alone after that, and what counts is never the candidate but the
schedule that its run took.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from harness.values.schedule import Decision, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Fails: TypeAlias = "Callable[[Schedule], Schedule | None]"
"""Runs a schedule as nearly as possible; the schedule that was taken if it still fails, else None."""

_DISTANCES: Final = (1, -1, 2, -2, 4, -4, 8, -8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """What became of a schedule, and how many runs that took, those for certainty not included.

    `steady`: run again several times, it failed every time and was the same; if not, the failure does not
    depend on the schedule alone. `minimal`: no decision can be left out; if not, there were too few
    `tries`, or something smaller failed only now and then.
    """

    schedule: Schedule
    tries: int
    steady: bool
    minimal: bool


def shrink_schedule(schedule: Schedule, fails: Fails, *, tries: int = 1000, repeats: int = 3) -> Shrunk:
    """Find a schedule with fewer decisions that still `fails`, in at most so many `tries`.

    Of those found on the way, the last is taken that fails each time in `repeats` runs; if none does, it is
    the schedule itself, and the answer is not steady.
    """
    search = _Search(schedule, fails, tries)
    while search.leave_out() or search.rearrange():
        pass
    for found in reversed(search.trail):
        if all(fails(found) == found for _ in range(repeats)):
            minimal = search.left > 0 and found is search.trail[-1]
            return Shrunk(schedule=found, tries=search.tries, steady=True, minimal=minimal)
    return Shrunk(schedule=schedule, tries=search.tries, steady=False, minimal=False)


class _Search:
    """The smallest failing schedule so far, and the ways to a smaller one."""

    def __init__(self, schedule: Schedule, fails: Fails, tries: int) -> None:
        """Start from what the run of a schedule took, if that fails."""
        self._fails = fails
        self._limit = tries
        self._seen = {schedule}
        self.tries = 1
        taken = fails(schedule)
        self.trail = [taken] if taken is not None else []

    @property
    def left(self) -> int:
        """How many tries are left."""
        return self._limit - self.tries

    @property
    def _best(self) -> tuple[Decision, ...]:
        return self.trail[-1].decisions if self.trail else ()

    def leave_out(self) -> bool:
        """Leave out halves, quarters, ..., single decisions; whether that helped."""
        before = len(self.trail)
        width = len(self._best)
        while width:
            start = 0
            while start < len(self._best):
                best = self._best
                if not self._try((*best[:start], *best[start + width :])):
                    start += width
            width //= 2
        return len(self.trail) > before

    def rearrange(self) -> bool:
        """Go straight to who comes after next, or move a decision; whether something helped."""
        return any(self._try(candidate) for candidate in _arrangements(self._best))

    def _try(self, decisions: tuple[Decision, ...]) -> bool:
        """Whether a run like these decisions fails with a smaller schedule than the best."""
        candidate = Schedule(decisions=decisions)
        return self._try_one(candidate) or self._try_one(candidate.bare)

    def _try_one(self, candidate: Schedule) -> bool:
        if candidate in self._seen or not self.left:
            return False
        self._seen.add(candidate)
        self.tries += 1
        taken = self._fails(candidate)
        if taken is None or weight(taken) >= weight(self.trail[-1]):
            return False
        self._seen.add(taken)
        self.trail.append(taken)
        return True


def weight(schedule: Schedule) -> tuple[int, int]:
    """What "smaller" means: fewer decisions, then a shorter text."""
    return len(schedule), len(schedule.to_text())


def _arrangements(best: tuple[Decision, ...]) -> Iterator[tuple[Decision, ...]]:
    """Other schedules of the same kind, which may turn out to be smaller when they are run."""
    for place in range(len(best) - 1):
        straight = replace(best[place], role=best[place + 1].role)
        yield (*best[:place], straight, *best[place + 2 :])
    for place, each in enumerate(best):
        for distance in _DISTANCES:
            if _has_room(best, place, each.at + distance):
                moved = Decision(at=each.at + distance, role=each.role)
                yield (*best[:place], moved, *best[place + 1 :])


def _has_room(best: tuple[Decision, ...], place: int, at: int) -> bool:
    """Whether the decision at this place can be at that choice point, between its neighbours."""
    earliest = best[place - 1].at + 1 if place else 0
    return at >= earliest and (place + 1 == len(best) or at < best[place + 1].at)
