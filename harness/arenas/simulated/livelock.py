"""Does a run that shows nothing for so long get anywhere? Decided by evidence, not by its length.

After a thousand steps without an event a run goes into overtime: the strategy is not asked, everybody who can
go on gets turns at random (in the same way each time), pending kills strike at once, and time passes as often
as anybody acts. An unlucky order does not last under such a schedule. Meanwhile the state of each task is
noted at each of its steps: where it stands in the subject's code, and what its variables hold, some levels
deep. Times are left out of that; instead, a minute passes now and then, and then years, so that nobody waits
for a time in vain. Whoever takes hundreds of steps in a call whose timeout was over half a minute ago, with
no loop to come to its end, does not get anywhere either.
When for CALM steps no task was in a state that it had not been in before, and nobody came or left, the run
goes round in circles: a livelock. Whoever counts or works off a list is in ever new states, and whoever makes
his way along a `for` loop may be. Then, or as soon as there is an event, the strategy takes over again.
"""

from __future__ import annotations

import dis
import functools
import inspect
import operator
import random
import sys
import types
from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.simulated.actor import CLOCK
from harness.arenas.simulated.identity import PRIVATE
from harness.arenas.simulated.tasks import Process, Task
from harness.arenas.simulated.virtual_time import SECOND, UPTIME

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from harness.arenas.simulated.actor import A

CALM: Final = 1_500  # steps without anything new
MOST: Final = 4_500  # steps of overtime in all
LEAP: Final = 10 * 365 * 86_400 * SECOND
"""Nanoseconds of virtual time that pass at once, in the end."""

_LEAPS: Final = ((CALM // 3, 60 * SECOND), (2 * CALM // 3, LEAP))
"""So many steps without anything new, and so much time passes."""

_GRACE: Final = 30 * SECOND  # after its timeout, for a call that does not look at the clock all the time
_OVERDUE: Final = 400  # steps of its own in which it should have come back then
_DEPTH: Final = 3
_BREADTH: Final = 20
_PUPPETS: Final = ".harness.arenas.real."
_LAYER: Final = "harness.arenas.simulated."


class Overtime:
    """A stretch of a run in which everybody gets turns and is watched."""

    def __init__(self, step: int) -> None:
        """Begin at this step of the run."""
        self._random = random.Random(0)  # noqa: S311 - not a secret
        self._begun = self._news = step
        self._actors = self._leaps = 0
        self._known: dict[Task, set[int]] = {}
        self._loops: dict[Task, frozenset[int]] = {}
        self._overdue: Counter[Task] = Counter()

    @property
    def circling(self) -> Container[Task]:
        """Who has acted since there was anything new."""
        return self._loops.keys()

    def choose(self, ready: Sequence[A], current: A | None) -> A:  # noqa: ARG002 - everybody is equal
        """Who goes next: a kill that is pending, or anybody."""
        for actor in ready:
            if actor.passive and actor.index != CLOCK:
                return actor
        return ready[self._random.randrange(len(ready))]

    def leap(self, step: int) -> int:
        """How much time passes at once before this step."""
        due = sum(step - self._news >= steps for steps, _ in _LEAPS)
        passing, self._leaps = _LEAPS[self._leaps : due], due
        return sum(time for _, time in passing)

    def watch(self, task: Task, step: int, actors: int, now: int) -> bool:
        """Note the state of a task before its step; `actors` have been there so far. Is it time to stop?"""
        frames = _frames()
        state = _Portrait().of_all(frames)
        known = self._known.setdefault(task, set())
        if state not in known or actors != self._actors:
            known.add(state)
            self._actors = actors
            self._news = step
            self._loops.clear()
        inside = frozenset(id(frame) for frame in frames if _in_for_loop(frame))
        self._loops[task] = inside & self._loops.get(task, inside)  # the loops that it was in all the time
        self._overdue[task] += task.due is not None and now > task.due + _GRACE
        return step - self._begun > MOST or self.in_circles(step)

    def in_circles(self, step: int) -> bool:
        """Whether enough was seen for that."""
        return bool(self.overdue) or self._calm(step)

    @property
    def overdue(self) -> tuple[Task, ...]:
        """Who goes on and on although the timeout of its call was over long ago."""
        return tuple(
            task for task, steps in self._overdue.items() if steps > _OVERDUE and not self._loops.get(task)
        )

    def _calm(self, step: int) -> bool:
        return step - self._news > CALM and not any(self._loops.values())


def _frames() -> tuple[types.FrameType, ...]:
    """The frames of the current task that belong to the world's modules, the innermost first."""
    found = []
    frame: types.FrameType | None = sys._getframe()  # noqa: SLF001 - the documented way to one's own stack
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(PRIVATE):
            found.append(frame)
        frame = frame.f_back
    return tuple(found)


def _in_for_loop(frame: types.FrameType) -> bool:
    """Whether a frame stands in a `for` loop, which may come to its end without anything else to be seen."""
    return not _is_ours(frame) and any(
        begin <= frame.f_lasti < end for begin, end in _for_loops(frame.f_code)
    )


def _is_ours(frame: types.FrameType) -> bool:
    """Whether it is a function that plays the program: none goes on for long without an event."""
    return _PUPPETS in frame.f_globals["__name__"]


@functools.cache
def _for_loops(code: types.CodeType) -> tuple[tuple[int, int], ...]:
    return tuple(
        (each.offset, each.argval) for each in dis.get_instructions(code) if each.opname == "FOR_ITER"
    )


class _Portrait:
    """What can be seen of values, without calling any code of theirs; times aside."""

    def __init__(self) -> None:
        self._deepest: dict[int, int] = {}  # by address: how deep was looked into what was met before

    def of_all(self, frames: Iterable[types.FrameType]) -> int:
        """A number for what can be seen in these frames."""
        return hash(tuple(map(self._of_frame, frames)))

    def _of_frame(self, frame: types.FrameType) -> object:
        """Where it stands, its variables, and the numbers that its module holds."""
        found = frame.f_locals
        variables = self._of_pairs(found.items(), 1 if _is_ours(frame) else _DEPTH)
        if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            found.clear()  # a copy that the frame would keep, and with it what its function lets go of
        numbers = tuple(value for value in frame.f_globals.values() if type(value) in (int, float))
        return frame.f_code, frame.f_lasti, variables, numbers

    def _of_pairs(self, pairs: Iterable[tuple[Any, Any]], depth: int) -> object:
        return tuple(
            (key if type(key) in _PLAIN else type(key), self._of(value, depth))
            for key, value in islice(pairs, _BREADTH)
        )

    def _of(self, value: object, depth: int) -> object:
        cls = type(value)
        if cls is float or cls is int:
            return self._of_number(value)  # type: ignore[arg-type]  # it is one
        if cls in _PLAIN or isinstance(value, Task | Process):
            return value
        if self._deepest.get(id(value), 0) >= depth:
            return cls
        self._deepest[id(value)] = depth
        return cls, tuple(self._within(value, depth - 1))

    def _of_number(self, value: float) -> object:
        """A number, unless it is so large that it may come from a clock, in seconds or nanoseconds."""
        if isinstance(value, int):
            return value if abs(value) < UPTIME // 2 else int
        return round(value, 2) if abs(value) < UPTIME / SECOND / 2 else float

    def _within(self, value: object, depth: int) -> Iterator[object]:
        """What a value consists of."""
        if isinstance(value, dict):
            yield dict.__len__(value)
            yield self._of_pairs(dict.items(value), depth)
        for kind in _SEQUENCES:
            if isinstance(value, kind):
                yield kind.__len__(value)
                yield from (self._of(each, depth) for each in islice(kind.__iter__(value), _BREADTH))
        module = type(value).__module__
        if module.startswith((PRIVATE, _LAYER)) and module != f"{_LAYER}kernel":
            yield self._of_pairs(_attributes(value), depth)
        elif isinstance(value, types.GeneratorType) and value.gi_frame is not None:
            yield self._of_frame(value.gi_frame)
        elif module == "builtins" and hasattr(value, "__length_hint__"):
            yield operator.length_hint(value)


_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_SEQUENCES: Final[tuple[Any, ...]] = (list, tuple, set, frozenset, deque)
_UNSEEN: Final = frozenset({"serial", "_hash", "_epoch", "_born", "_home", "__dict__", "__weakref__"})


def _attributes(value: object) -> Iterator[tuple[str, Any]]:
    """What an object holds, by name, but for what only tells it from others of its kind."""
    yield from getattr(value, "__dict__", {}).items()
    for cls in type(value).__mro__:
        for name in getattr(cls, "__slots__", ()):
            if name not in _UNSEEN and hasattr(value, name):
                yield name, getattr(value, name)
