"""All schedules of a small program with few preemptions.

Musuvathi, Qadeer: Iterative Context Bounding for Systematic Testing of Multithreaded Programs (PLDI 2007).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.arenas.simulated.actor import CLOCK, Actor, Diverged, Pruned, default

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.arenas.simulated.actor import A
    from harness.arenas.simulated.past import Past


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many of each a schedule may have.

    A preemption is a switch away from an actor that could go on and does not poll. A kill costs one of
    `kills`, wherever it comes; the clock costs one of `ticks` if it goes while somebody else could. A detour
    is another successor than the default one of an actor that blocked or ended. They are free unless bounded;
    but where many actors block often, schedules without preemptions are already too many to be run.
    """

    preemptions: int = 2
    kills: int = 0
    ticks: int = 0
    detours: int = sys.maxsize

    def less(
        self, *, preemptions: int = 0, kills: int = 0, ticks: int = 0, detours: int = 0
    ) -> Bounds | None:
        """What is left after these; None if that is less than nothing."""
        left = Bounds(
            preemptions=self.preemptions - preemptions,
            kills=self.kills - kills,
            ticks=self.ticks - ticks,
            detours=self.detours - detours,
        )
        return None if min(left.preemptions, left.kills, left.ticks, left.detours) < 0 else left

    def covers(self, other: Bounds) -> bool:
        """Whether all that may be done with the other may be done with these."""
        return (
            self.preemptions >= other.preemptions
            and self.kills >= other.kills
            and self.ticks >= other.ticks
            and self.detours >= other.detours
        )


@dataclass(slots=True)
class _Fork:
    """A choice point on the present path: who can go next at it, and what may be spent afterwards."""

    ready: int
    ways: list[tuple[int, Bounds]] = field(default_factory=list)
    taken: int = 0


class Exhaustive:
    """Depth first through all schedules within bounds, the default one first.

    One run is one schedule, and no two are the same. After the last one `exhausted` is true, and `schedules`
    is the number of all. Polling is explored fairly: an actor that spins goes on only when nobody who spun
    less is ready; otherwise the schedules of a program that polls would be without number.

    With a `past`, a run is given up at the first choice point at which it is in a state that was there before
    with as much to be spent: what comes after it is known (Musuvathi, Qadeer: Partial-Order Reduction for
    Context-Bounded State Exploration, 2007). `pruned` counts these. That is as sound as `Past`.
    """

    def __init__(
        self,
        bounds: Bounds | None = None,
        past: Past | None = None,
    ) -> None:
        """Explore within these bounds."""
        self.name = "exhaustive"
        self.schedules = 0
        self.pruned = 0
        self._past = past
        self._known: defaultdict[int, list[Bounds]] = defaultdict(list)
        self._bounds = bounds or Bounds()
        self._path: list[_Fork] = []
        self._depth = 0
        self._exhausted = False

    @property
    def exhausted(self) -> bool:
        """Whether all schedules have been run."""
        return self._exhausted

    def begin(self, seed: int) -> None:  # noqa: ARG002 - nothing is drawn
        """Start the next schedule.

        Raises:
            RuntimeError: there is none.
        """
        if self._exhausted:
            raise RuntimeError("all schedules have been run; ask for `exhausted` before the next")
        self._depth = 0

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """As on the present path, then the default.

        Raises:
            Diverged: the same choices led elsewhere than before, so something is not under control.
            Pruned: all that may come now was run before.
        """
        if self._past is not None and not self._depth:
            self._past.begin()
        if self._depth == len(self._path):
            if self._was_here(ready, current):
                self.pruned += 1
                raise Pruned
            self._path.append(self._fork(ready, current))
        fork = self._path[self._depth]
        self._depth += 1
        index = fork.ways[fork.taken][0]
        if fork.ready == len(ready):
            for actor in ready:
                if actor.index == index:
                    return actor
        at, self._depth = self._depth - 1, len(self._path)
        names = ", ".join(f"{actor.role} ({actor.index})" for actor in ready)
        raise Diverged(at, f"actor {index} of {fork.ready}", f"only {names}")

    def end(self, steps: int, choices: int) -> None:  # noqa: ARG002 - the path knows them
        """Turn at the last fork that has another way.

        Raises:
            Diverged: this fork was not reached.
        """
        path = self._path
        if self._depth < len(path):
            fork = path[self._depth]
            raise Diverged(self._depth, f"actor {fork.ways[fork.taken][0]}", "nobody, since the run was over")
        self.schedules += 1
        while path and path[-1].taken + 1 == len(path[-1].ways):
            path.pop()
        if path:
            path[-1].taken += 1
        else:
            self._exhausted = True

    @property
    def _left(self) -> Bounds:
        """What may still be spent at the end of the path."""
        before = self._path[-1] if self._path else None
        return before.ways[before.taken][1] if before is not None else self._bounds

    def _was_here(self, ready: Sequence[A], current: A | None) -> bool:
        """Whether everything from here on is known; if not, it will be."""
        if self._past is None:
            return False
        left = self._left
        known = self._known[self._past.number(ready, current)]
        if any(each.covers(left) for each in known):
            return True
        known.append(left)
        return False

    def _fork(self, ready: Sequence[A], current: A | None) -> _Fork:
        return _Fork(ready=len(ready), ways=list(_ways(ready, current, self._left)))


def _ways(ready: Sequence[A], current: A | None, left: Bounds) -> Iterator[tuple[int, Bounds]]:
    """Who can go next within the bounds, the default first, and what is left of the bounds then."""
    usual = default(ready, current)
    preempts = current is not None and not current.spins
    yield usual.index, left
    for actor in ready:
        if actor is usual:
            continue
        after = _after(actor, usual, left, preempts=preempts)
        if after is not None:
            yield actor.index, after


def _after(actor: Actor, usual: Actor, left: Bounds, *, preempts: bool) -> Bounds | None:
    """What is left of the bounds if an actor goes instead of the default one; None if it cannot."""
    if actor.index == CLOCK:
        return left.less(ticks=1)
    if actor.passive:
        return left.less(kills=1)
    if preempts:
        return left.less(preemptions=1)
    return left.less(detours=1) if actor.spins <= usual.spins else None
