"""Follow a schedule: exactly, or as nearly as a program allows that has changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from harness.arenas.simulated.actor import Actor, Diverged, default

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.arenas.simulated.actor import A
    from harness.values.schedule import Decision, Schedule

_NEVER: Final = sys.maxsize


class Replay:
    """The same decisions at the same choice points, and the default elsewhere.

    That the run is the same in all else is for its digest to tell.
    """

    def __init__(self, schedule: Schedule) -> None:
        """Follow this schedule, in each run."""
        self.name = "replay"
        self._decisions = schedule.decisions
        self._taken = 0
        self._count = 0
        self._next = _NEVER

    def begin(self, seed: int) -> None:  # noqa: ARG002 - nothing is drawn
        """Start from the first decision."""
        self._count = 0
        self._taken = -1
        self._advance()

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """The actor decided on.

        Raises:
            Diverged: it is not ready.
        """
        at = self._count
        self._count = at + 1
        if at != self._next:
            return default(ready, current)
        role = self._decisions[self._taken].role
        self._advance()
        for actor in ready:
            if actor.role == role:
                return actor
        self._next = _NEVER
        raise Diverged(at, role, _roles(ready))

    def end(self, steps: int, choices: int) -> None:  # noqa: ARG002 - the schedule knows better
        """All decisions should have been taken.

        Raises:
            Diverged: the run was over before the next of them.
        """
        if self._next != _NEVER:
            role = self._decisions[self._taken].role
            raise Diverged(self._next, role, f"nobody: the run was over after {self._count} choice points")

    def _advance(self) -> None:
        self._taken += 1
        more = self._taken < len(self._decisions)
        self._next = self._decisions[self._taken].at if more else _NEVER


def _roles(ready: Iterable[Actor]) -> str:
    return "only " + ", ".join(f"{actor.role} (about to {actor.op})" for actor in ready)


class Guided:
    """The same decisions at the moments that their labels describe, else the default; never diverges.

    A decision whose moment did not come before that of a later one is missed. If the role decided on is not
    ready, it goes as soon as it is, unless another decision comes first. A decision without a label has its
    moment at the choice point of its number.
    """

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        """Follow these decisions, in each run."""
        self.name = "guided"
        self._counts: dict[tuple[str, str], int] = {}
        self._count = 0
        self._place = 0  # decisions before this one have been taken, or missed
        self._owed = ""  # the role that goes as soon as it is ready
        self.follow(decisions)

    def follow(self, decisions: Iterable[Decision]) -> None:
        """Follow these decisions from the next run on."""
        self._roles: list[str] = []
        self._moments: dict[tuple[str, str, int], list[int]] = {}  # where decisions with a label stand
        self._points: dict[int, list[int]] = {}  # where those stand that have a number only
        self.taken: list[bool] = []  # by decision, in the last run
        for place, each in enumerate(decisions):
            self._roles.append(each.role)
            if each.labelled:
                self._moments.setdefault((each.instead, each.op, each.nth), []).append(place)
            else:
                self._points.setdefault(each.at, []).append(place)

    def begin(self, seed: int) -> None:  # noqa: ARG002 - nothing is drawn
        """Start from the first decision."""
        self._counts.clear()
        self._count = self._place = 0
        self._owed = ""
        self.taken = [False] * len(self._roles)

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """The actor decided on, or the default."""
        usual = default(ready, current)
        self._look_up(usual)
        chosen = self._owed_among(ready) or usual
        done = (chosen.role, chosen.op)
        self._counts[done] = self._counts.get(done, 0) + 1
        self._count += 1
        return chosen

    def end(self, steps: int, choices: int) -> None:
        """Learn nothing."""

    def _look_up(self, usual: Actor) -> None:
        """See whether the moment of a decision has come."""
        nth = self._counts.get((usual.role, usual.op), 0) + 1
        places = self._moments.get((usual.role, usual.op, nth)) or self._points.get(self._count) or ()
        for place in places:
            if place >= self._place:
                self._place = place + 1
                self._owed = self._roles[place]
                return

    def _owed_among(self, ready: Sequence[A]) -> A | None:
        """The actor decided on, if it is ready."""
        if self._owed:
            for actor in ready:
                if actor.role == self._owed:
                    self.taken[self._place - 1] = True
                    self._owed = ""
                    return actor
        return None
