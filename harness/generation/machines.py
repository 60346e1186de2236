"""The state machines: one per theme, each rule appends operations to a program.

A choice is an integer that is folded onto what there is to choose from: it shrinks well, and no strategy
depends on what happened before.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from harness.generation.composer import Composer, Shape
from harness.values import operation as op
from harness.values.program import Exit, Pool, Raise, Return

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.values.program import Ending, Program

T = TypeVar("T")

WHICH = st.sampled_from(range(13))  # evenly, where `integers` favours the ends
MASKS = st.sampled_from((*range(512), *[511] * 256))  # which of nine futures; a third of the time all
OFTEN_FALSE = st.sampled_from([False, False, False, True])
DEEDS: tuple[op.Deed, ...] = ("record", "record", "raise", "query", "add", "submit", "shutdown")
SWEEPS = ("one by one", "one by one", "by a shutdown", "by a shutdown of two", "by a shutdown of two")
RETRYING: tuple[op.Deed, ...] = ("record", "submit")
SELDOM_CALLING: tuple[op.Deed, ...] = (
    "record", "record", "raise", "raise", "query", "query", "add", "add", "submit", "shutdown",
)  # fmt: skip
FORMS: tuple[op.Form, ...] = ("list", "list", "set", "generator", "doubled")
WHENS: tuple[op.ReturnWhen, ...] = (  # FIRST_EXCEPTION most often: its condition has most sides
    "ALL_COMPLETED", "ALL_COMPLETED", "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION", "FIRST_EXCEPTION", "FIRST_EXCEPTION", "FIRST_EXCEPTION", "FIRST_EXCEPTION",
    "NONSENSE", "NONSENSE",
)  # fmt: skip
ENDINGS: tuple[Ending, ...] = (
    Return(), Return(), Return(size=300), Return(gift="none"), Return(gift="exception"), Raise(), Raise(),
    Raise(error="Chained"), Raise(error="Falsy"), Raise(error="TimeoutError"), Raise(error="CancelledError"),
    Raise(error="SystemExit"), Raise(error="KeyboardInterrupt"),
)  # fmt: skip
IN_PROCESS: tuple[Ending, ...] = (Return(gift="future"), Return(gift="generator"))
ACROSS: tuple[Ending, ...] = (Return(gift="unpicklable"), Return(size=1 << 18), Raise())
MAPPED: tuple[Ending, ...] = (
    Return(), Return(size=40), Return(), Return(gift="none"), Return(), Return(),
    Raise(), Raise(error="StopIteration"),
)  # fmt: skip
UNUSUAL: tuple[op.Arguments, ...] = ("zero workers", "negative workers", "default workers", "bad initializer")
FEW = 9  # tasks in one program
MOST_WORKERS = 3  # of a pool
SMALLEST_MEETING = 2
SHORTER = 2  # items that a second iterable of `map` may lack, at most
LARGE = 1 << 18  # bytes: more than any pipe takes at once


def pick(options: Sequence[T], which: int) -> T:
    """Fold a choice onto what there is."""
    return options[which % len(options)]


class ProgramMachine(RuleBasedStateMachine):
    """What all themes share: pools, tasks, gates, and handing the finished program over."""

    openings: ClassVar[tuple[Ending, ...]] = (Return(),)  # how the first tasks of a program may end
    shape: ClassVar[Shape] = Shape()
    sink: ClassVar[Callable[[Program], None]] = lambda _program: None

    def __init__(self) -> None:
        """Begin an empty program."""
        super().__init__()
        self.composer = Composer(self.shape)

    @initialize(
        workers=st.sampled_from([2, 1, 1, 2, 3]),
        limit=st.sampled_from([0] * 10 + [1, 2]),
        named=OFTEN_FALSE,
        start=WHICH,
        scene=st.sampled_from(["crowded"] * 5 + ["meeting"] * 3 + ["empty"] * 4),
        opening=st.lists(st.tuples(OFTEN_FALSE, WHICH), max_size=4),
        outside=st.sampled_from(range(24)),
    )
    def begin(  # noqa: PLR0913, PLR0917 - the dimensions of a beginning
        self,
        workers: int,
        limit: int,
        named: bool,  # noqa: FBT001 - drawn by Hypothesis
        start: int,
        scene: str,
        opening: list[tuple[bool, int]],
        outside: int,
    ) -> None:
        """Choose the pool and how its workers start; submit the first tasks.

        Perhaps hold all workers before; or have tasks that need each other then, in a pool of some size.
        """
        named = named and "thread_name_prefix" in self.shape.capabilities
        method: Any = pick(self.shape.starts, start)
        if scene == "meeting" and self.shape.kind == "thread":  # processes take their time
            workers = MOST_WORKERS
        workers = 1 if self.shape.single else workers
        first = self.limited(Pool(workers=workers, named=named, start=method), limit)
        self.composer.pools = [first, *self.more_pools(workers, method)]
        self.look_from_outside(outside)
        if scene == "crowded" and not self.shape.inline:
            for pool in self.composer.pools:
                for _ in range(pool.workers):
                    self.composer.submit(pool.executor, self.composer.task(gated=True, ending=Return()))
        for gated, which in opening:
            task = self.composer.task(gated=gated, ending=pick(self.openings, which))
            self.composer.submit(self.executor(which), task)
        if scene == "meeting" and self.can_meet():
            self.meet(fewer=False, which=0)

    def look_from_outside(self, which: int) -> None:
        """Inspect the executor, or build one with unusual arguments, now and then."""
        if which < len(UNUSUAL):
            self.composer.add(op.Construct(arguments=UNUSUAL[which]))
        elif which == len(UNUSUAL):
            self.composer.add(op.Inspect(executor="e0"))

    def limited(self, pool: Pool, limit: int) -> Pool:
        """The pool with workers that serve so many tasks each, if there is such a limit: they never fork."""
        if not limit or "max_tasks_per_child" not in self.shape.capabilities:
            return pool
        method: Any = next((start for start in self.shape.starts if start not in (None, "fork")), None)
        return replace(pool, tasks_per_worker=limit, start=method)

    def more_pools(self, _workers: int, _method: Any) -> list[Pool]:  # noqa: ANN401 - one of a Literal
        """The pools beside the first: none, in most themes."""
        return []

    def can_meet(self) -> bool:
        """Whether there are workers for tasks that need each other."""
        open_for_more = self.room() and "e0" not in self.composer.progress.closing
        parallel = not self.shape.inline and len(self.composer.lanes) == 1
        return open_for_more and parallel and self.composer.progress.free_workers("e0") >= SMALLEST_MEETING

    def meet(self, *, fewer: bool, which: int) -> None:
        """Submit tasks that need each other, as many as there are workers for, and wait for one of them."""
        size = self.composer.progress.free_workers("e0")
        size -= fewer and size > SMALLEST_MEETING
        self.composer.meet("e0", size)
        self.composer.read(self.future(which % size), error=False, patience=2)

    def executor(self, which: int) -> str:
        """One of the program's executors."""
        return pick(self.composer.pools, which).executor

    def future(self, which: int) -> str:
        """One of the futures so far, the latest for 0."""
        return self.composer.futures[-1 - which % len(self.composer.futures)]

    def some_futures(self, mask: int) -> tuple[str, ...]:
        """A subset of the futures."""
        return tuple(name for place, name in enumerate(self.composer.futures) if mask >> place & 1)

    def room(self) -> bool:
        """Whether another task fits in."""
        return len(self.composer.scripts) < FEW

    @precondition(lambda self: self.room())
    @rule(gated=st.booleans(), which=WHICH)
    def submit(self, gated: bool, which: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a plain task."""
        task = self.composer.task(gated=gated, ending=Return())
        self.composer.submit(self.executor(which), task)

    @precondition(lambda self: self.composer.closed)
    @rule(which=WHICH)
    def open_gate(self, which: int) -> None:
        """Let a task go on."""
        self.composer.open(pick(self.composer.closed, which))

    @precondition(lambda self: not self.room())
    @rule()
    def rest(self) -> None:
        """Do nothing: Hypothesis needs a step that is always possible."""

    def is_complete(self) -> bool:
        """Whether there is anything to run."""
        return bool(self.composer.steps)

    def teardown(self) -> None:
        """Hand the program over, unless Hypothesis is giving it up."""
        if sys.exc_info()[0] is None and self.is_complete():
            type(self).sink(self.composer.program())


def has_futures(machine: ProgramMachine) -> bool:
    """Whether there is a future to do something with."""
    return bool(machine.composer.futures)


class Lifecycle(ProgramMachine):
    """Submit, cancel, states, outcomes, callbacks, shutdown, with."""

    openings = ENDINGS

    @precondition(ProgramMachine.room)
    @rule(gated=st.booleans(), ending=WHICH, keywords=OFTEN_FALSE, special=OFTEN_FALSE)
    def submit_something(self, gated: bool, ending: int, keywords: bool, special: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task that ends in one of many ways, perhaps with awkward keyword arguments."""
        own = IN_PROCESS if self.shape.kind == "thread" else ACROSS
        task = self.composer.task(gated=gated, ending=pick(own if special else ENDINGS, ending))
        self.composer.submit(self.composer.pools[0].executor, task, keywords=keywords)

    @precondition(lambda self: self.room() and self.shape.kind != "thread")
    @rule(large=st.booleans())
    def submit_argument(self, large: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task with an argument that is large, or cannot be pickled."""
        task = self.composer.task(
            gated=False, ending=Return(size=LARGE if large else 0), argument=LARGE if large else -1
        )
        self.composer.submit(self.composer.pools[0].executor, task)

    @precondition(lambda self: len(self.composer.futures) < FEW // 2 and not self.shape.inline)
    @rule(extra=st.integers(2, 4), how=st.sampled_from(SWEEPS), open_one=st.booleans())
    def flood(self, extra: int, how: str, open_one: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit more than can be taken on; then cancel all, one by one or by a shutdown, perhaps repeated.

        One by one, that is most likely in vain for the first.
        """
        composer = self.composer
        free = composer.progress.free_workers("e0")
        for number in range(free + self.shape.prefetch + extra):
            composer.submit("e0", composer.task(gated=number < free, ending=Return()))
        if how == "one by one" or "cancel_futures" not in self.shape.capabilities:
            for future in list(composer.futures):
                composer.cancel(future)
        else:
            composer.shut_down("e0", wait=False, cancel=True)
        if how == "by a shutdown of two":
            composer.shut_down("e0", wait=False, cancel=False)
        if open_one and composer.closed:
            composer.open(composer.closed[0])

    @precondition(ProgramMachine.can_meet)
    @rule(fewer=OFTEN_FALSE, which=WHICH)
    def meet_later(self, fewer: bool, which: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Have tasks that need each other."""
        self.meet(fewer=fewer, which=which)

    @precondition(has_futures)
    @rule(which=WHICH, again=OFTEN_FALSE, watched=st.booleans())
    def cancel(self, which: int, again: bool, watched: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Cancel, perhaps twice, perhaps watched by a callback."""
        future = self.future(which)
        if watched:
            self.composer.add_callback(future, "record")
        self.composer.cancel(future)
        if again:
            self.composer.cancel(future)

    @precondition(has_futures)
    @rule(which=WHICH, how=st.sampled_from(range(6)))
    def look(self, which: int, how: int) -> None:
        """Ask a future for its state."""
        kinds = (op.Observe, op.Observe, op.Running, op.Cancelled, op.Done, op.Repr)
        self.composer.add(kinds[how](future=self.future(which)))

    @precondition(has_futures)
    @rule(which=WHICH, error=st.booleans(), patience=st.sampled_from(range(5)), again=OFTEN_FALSE)
    def read(self, which: int, error: bool, patience: int, again: bool) -> None:  # noqa: FBT001 - drawn
        """Read an outcome, perhaps once more without waiting."""
        future = self.future(which)
        self.composer.read(future, error=error, patience=patience)
        if again:
            self.composer.add(op.Result(future=future, timeout=0.0))

    @precondition(has_futures)
    @rule(which=WHICH, deed=WHICH)
    def add_callback(self, which: int, deed: int) -> None:
        """Add a done callback that does something."""
        self.composer.add_callback(self.future(which), pick(DEEDS, deed))

    @rule(wait=st.booleans(), cancel=st.booleans(), watched=OFTEN_FALSE, deed=WHICH, last=OFTEN_FALSE)
    def shut_down(self, wait: bool, cancel: bool, watched: bool, deed: int, last: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down, perhaps again, perhaps watched by a callback of what was submitted last.

        What cannot be pickled fails while the pool shuts down, if it was the last.
        """
        if last and self.room() and self.shape.kind != "thread":
            self.composer.submit("e0", self.composer.task(gated=False, ending=Return(), argument=-1))
        if watched and cancel and self.composer.futures:
            self.composer.add_callback(self.future(0), pick(DEEDS, deed))
        self.composer.shut_down("e0", wait=wait, cancel=cancel)

    @rule(raising=st.booleans(), more=st.booleans())
    def enter_or_leave(self, raising: bool, more: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Enter a with block, or leave it, perhaps to find that it takes no more tasks."""
        self.composer.enter_or_leave("e0", raising=raising)
        if more and self.room() and "e0" not in self.composer.entered:
            self.composer.submit("e0", self.composer.task(gated=False, ending=Return()))


class Waiting(ProgramMachine):
    """`wait` and `as_completed` over futures of one executor or two."""

    openings = (Return(), Return(), Raise())

    def more_pools(self, workers: int, method: Any) -> list[Pool]:  # noqa: ANN401 - one of a Literal
        """A second executor, for programs with one worker each."""
        return [Pool(executor="e1", workers=1, start=method)] if workers == 1 else []

    @precondition(ProgramMachine.room)
    @rule(which=WHICH, gated=st.booleans())
    def submit_raising(self, which: int, gated: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task that raises."""
        self.composer.submit(self.executor(which), self.composer.task(gated=gated, ending=Raise()))

    @precondition(has_futures)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        """Cancel."""
        self.composer.cancel(self.future(which))

    @precondition(has_futures)
    @rule(which=WHICH)
    def read(self, which: int) -> None:
        """Read an outcome, so that the future is known to be done."""
        self.composer.read(self.future(which), error=True, patience=1)

    @rule(mask=MASKS, when=WHICH, form=WHICH, hurried=OFTEN_FALSE, mixed=st.booleans())
    def wait(self, mask: int, when: int, form: int, hurried: bool, mixed: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Wait for some, perhaps for one that is held and one that raises beside it."""
        names = self.some_futures(mask)
        if mixed and self.room() and self.composer.progress.spare_workers("e0") > 1:
            held = self.composer.submit("e0", self.composer.task(gated=True, ending=Return()))
            names += held, self.composer.submit("e0", self.composer.task(gated=False, ending=Raise()))
        chosen = pick(WHENS, when)
        self.composer.wait(names, chosen, pick(FORMS, form), hurried=hurried)

    @rule(mask=MASKS, form=WHICH, hurried=OFTEN_FALSE, then=st.sampled_from(range(4)))
    def as_completed(self, mask: int, form: int, hurried: bool, then: int) -> None:  # noqa: FBT001 - drawn
        """Iterate over some as they complete: at once, or after a gate was opened or a future cancelled."""
        names = self.some_futures(mask)
        self.composer.as_completed(names, pick(FORMS, form), hurried=hurried)
        if then == 1 and self.composer.closed:
            self.composer.open(self.composer.closed[0])
        if then == 2 and names:  # noqa: PLR2004 - one of four ways to go on
            self.composer.cancel(names[-1])
        if then:
            self.composer.draw(self.composer.iterators[-1], all_of_it=True)

    @precondition(lambda self: self.composer.iterators)
    @rule(which=WHICH, all_of_it=st.booleans())
    def draw(self, which: int, all_of_it: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Draw from an iterator."""
        self.composer.draw(pick(self.composer.iterators, which), all_of_it=all_of_it)

    @precondition(lambda self: self.composer.futures and "cancel_futures" in self.shape.capabilities)
    @rule(which=WHICH, cancel=OFTEN_FALSE)
    def shut_down(self, which: int, cancel: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut an executor down without waiting."""
        self.composer.shut_down(self.executor(which), wait=False, cancel=cancel)


class Mapping(ProgramMachine):
    """`Executor.map` and the life of its iterators."""

    @precondition(ProgramMachine.room)
    @rule(
        count=st.sampled_from(range(5)),
        endings=st.sampled_from(range(256)),
        gates=st.sampled_from((*[0] * 12, *range(16))),
        shorter=st.sampled_from(range(9)),
        fails_at=st.sampled_from(range(16)),
        hurried=OFTEN_FALSE,
        chunksize=st.sampled_from([1, 1, 1, 2, 3, 0]),
    )
    def map(  # noqa: PLR0913, PLR0917 - the dimensions of one call
        self,
        count: int,
        endings: int,
        gates: int,
        shorter: int,
        fails_at: int,
        hurried: bool,  # noqa: FBT001 - drawn by Hypothesis
        chunksize: int,
    ) -> None:
        """Map over new tasks."""
        composer = self.composer
        tasks = tuple(
            composer.task(gated=bool(gates >> place & 1), ending=pick(MAPPED, endings >> 2 * place))
            for place in range(count)
        )
        options: dict[str, object] = {}
        if shorter <= min(count, SHORTER):
            options["shorter"] = shorter
        if fails_at < count:
            options["fails_at"] = fails_at
        if chunksize != 1 and "map_chunksize" in self.shape.capabilities:
            options["chunksize"] = chunksize
        held = any(composer.progress.held(task) for task in tasks)
        if (hurried or held) and "map_timeout" in self.shape.capabilities:
            options["timeout"] = 0.01 if endings % 3 else 0.0
        composer.map("e0", tasks, **options)

    @precondition(lambda self: self.composer.iterators)
    @rule(which=WHICH, all_of_it=st.booleans())
    def draw(self, which: int, all_of_it: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Draw from an iterator."""
        self.composer.draw(
            self.composer.iterators[-1 - which % len(self.composer.iterators)], all_of_it=all_of_it
        )

    @precondition(lambda self: self.composer.iterators)
    @rule(which=WHICH)
    def close(self, which: int) -> None:
        """Close an iterator."""
        self.composer.close(pick(self.composer.iterators, which))

    @precondition(lambda self: self.composer.iterators)
    @rule(wait=st.booleans())
    def shut_down(self, wait: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down; what was mapped before must still be delivered."""
        self.composer.shut_down("e0", wait=wait, cancel=False)


class Reader(ProgramMachine):
    """What clients do with a future in several themes: they cancel it, read it, look at it."""

    @precondition(has_futures)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        """Cancel."""
        self.composer.cancel(self.future(which))

    @precondition(has_futures)
    @rule(which=WHICH, error=st.booleans(), patience=st.sampled_from(range(5)))
    def read(self, which: int, error: bool, patience: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Read an outcome."""
        self.composer.read(self.future(which), error=error, patience=patience)

    @precondition(has_futures)
    @rule(which=WHICH)
    def look(self, which: int) -> None:
        """Ask a future for its state."""
        self.composer.add(op.Observe(future=self.future(which)))


class Death(Reader):
    """Workers that are killed or leave, idle or running, before and during a shutdown."""

    @precondition(ProgramMachine.room)
    @rule(gated=st.booleans(), ending=WHICH)
    def submit_something(self, gated: bool, ending: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task that returns, raises, or leaves its process."""
        endings: tuple[Ending, ...] = (Return(), Return(size=LARGE), Raise(), Exit(status=0), Exit(status=1))
        chosen = pick(endings, ending)
        if isinstance(chosen, Exit):
            self.composer.exit_task("e0", chosen.status)
        else:
            self.composer.submit("e0", self.composer.task(gated=gated, ending=chosen))

    @precondition(has_futures)
    @rule(idle=OFTEN_FALSE, terminate=OFTEN_FALSE, watched=OFTEN_FALSE, deed=st.sampled_from(RETRYING))
    def kill(self, idle: bool, terminate: bool, watched: bool, deed: op.Deed) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Kill a worker, perhaps watched by a callback of what was submitted last; it may try again."""
        if watched:
            self.composer.add_callback(self.future(0), deed)
        self.composer.kill("e0", idle=idle, signal="TERM" if terminate else "KILL")

    @precondition(has_futures)
    @rule(which=WHICH, deed=st.sampled_from(SELDOM_CALLING))
    def add_callback(self, which: int, deed: op.Deed) -> None:
        """Add a done callback; seldom one that calls the pool: in a CPython pool that breaks, that hangs."""
        self.composer.add_callback(self.future(which), deed)

    @precondition(has_futures)
    @rule(wait=st.booleans(), cancel=OFTEN_FALSE)
    def shut_down(self, wait: bool, cancel: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down, before or after the kill."""
        self.composer.shut_down("e0", wait=wait, cancel=cancel)


class Lanes(ProgramMachine):
    """Two or three clients, each in a thread of its own, at the same futures and executors."""

    openings: ClassVar[tuple[Ending, ...]] = (
        Return(),
        Return(),
        Return(size=300),
        Raise(),
        Return(gift="none"),
    )

    @initialize(another=OFTEN_FALSE)
    def more_lanes(self, another: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Have two lanes, or three."""
        self.composer.lanes += [[] for _ in range(min(2 if another else 1, self.shape.lanes - 1))]

    def turn_to(self, lane: int) -> None:
        """The next operation is of another lane, that many further on; the next for 0."""
        self.composer.lane = (self.composer.lane + 1 + lane) % len(self.composer.lanes)

    def is_complete(self) -> bool:
        """Whether there is a second lane with something to do."""
        return sum(map(bool, self.composer.lanes)) > 1

    @precondition(ProgramMachine.room)
    @rule(lane=WHICH, gated=OFTEN_FALSE, which=WHICH)
    def submit_from(self, lane: int, gated: bool, which: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task."""
        self.turn_to(lane)
        task = self.composer.task(gated=gated, ending=pick(self.openings, which))
        self.composer.submit("e0", task)

    @precondition(has_futures)
    @rule(lane=WHICH, which=WHICH)
    def cancel(self, lane: int, which: int) -> None:
        """Cancel."""
        self.turn_to(lane)
        self.composer.cancel(self.future(which))

    @precondition(has_futures)
    @rule(lane=WHICH, which=WHICH, how=st.sampled_from(range(6)))
    def look(self, lane: int, which: int, how: int) -> None:
        """Ask a future for its state."""
        self.turn_to(lane)
        kinds = (op.Observe, op.Observe, op.Running, op.Cancelled, op.Done, op.Repr)
        self.composer.add(kinds[how](future=self.future(which)))

    @precondition(has_futures)
    @rule(lane=WHICH, which=WHICH, error=st.booleans(), patience=st.sampled_from(range(5)))
    def read(self, lane: int, which: int, error: bool, patience: int) -> None:  # noqa: FBT001 - drawn
        """Read an outcome."""
        self.turn_to(lane)
        self.composer.read(self.future(which), error=error, patience=patience)

    @precondition(has_futures)
    @rule(lane=WHICH, which=WHICH, deed=WHICH)
    def add_callback(self, lane: int, which: int, deed: int) -> None:
        """Add a done callback that does something."""
        self.turn_to(lane)
        self.composer.add_callback(self.future(which), pick(DEEDS, deed))

    @precondition(has_futures)
    @rule(lane=WHICH, mask=MASKS, when=WHICH, hurried=OFTEN_FALSE)
    def wait(self, lane: int, mask: int, when: int, hurried: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Wait for some."""
        self.turn_to(lane)
        self.composer.wait(self.some_futures(mask), pick(WHENS, when), "list", hurried=hurried)

    @precondition(has_futures)
    @rule(lane=WHICH, mask=MASKS, hurried=OFTEN_FALSE)
    def as_completed(self, lane: int, mask: int, hurried: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Iterate over some as they complete."""
        self.turn_to(lane)
        self.composer.as_completed(self.some_futures(mask), "list", hurried=hurried)
        self.composer.draw(self.composer.iterators[-1], all_of_it=True)

    @rule(lane=WHICH, wait=st.booleans(), cancel=st.booleans())
    def shut_down(self, lane: int, wait: bool, cancel: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down."""
        self.turn_to(lane)
        self.composer.shut_down("e0", wait=wait, cancel=cancel)
