"""The theme of endings: how a process ends, forks, imports a module, and is interrupted by its collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from harness.generation.machines import MOST_WORKERS, OFTEN_FALSE, WHICH, ProgramMachine, has_futures, pick
from harness.values import operation as op
from harness.values.program import Pool, Raise, Return

if TYPE_CHECKING:
    from harness.values.program import Ending

PLACES: tuple[op.Place | None, ...] = (
    None, None, "the end", "the end", "exit functions", "a late thread", "a late thread", "a forked child",
    "a forked child", "a module body",
)  # fmt: skip
DEEDS: tuple[op.Deed, ...] = ("record", "record", "record", "submit", "add")
ALLOCATIONS = st.sampled_from(range(1, 60))  # some more than a submit makes


class Endings(ProgramMachine):
    """A program that goes on elsewhere, once; or that litters."""

    openings: ClassVar[tuple[Ending, ...]] = (Return(), Return(), Return(size=300), Raise())
    place: op.Place | None = None
    due = 0
    workers = 1
    busy = False
    first: tuple[int, ...] = ()
    turned = False

    @initialize(
        place=st.sampled_from(PLACES),
        due=st.sampled_from(range(1, 9)),
        workers=st.sampled_from([1, 2]),
        busy=st.sampled_from([True, True, False]),
        which=st.lists(WHICH, min_size=1, max_size=3),
    )
    def choose(self, place: op.Place | None, due: int, workers: int, busy: bool, which: list[int]) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Choose where the program goes on, after how many operations, and who is given work first there.

        Most of the time a worker is busy then, and not all of them.
        """
        if place == "a forked child" and self.shape.kind == "interpreter":
            place = "a late thread"  # CPython 3.14 crashes when it forks beside other interpreters
        self.place, self.due, self.workers, self.busy, self.first = place, due, workers, busy, tuple(which)

    @invariant()
    def turn(self) -> None:
        """Go on elsewhere when it is time."""
        if self.place not in (None, "the end") and not self.turned and len(self.composer.steps) >= self.due:
            if self.place == "a late thread" and not self.shape.inline and not self.shape.single:
                # Most pools are crowded by now: beside them one whose next worker is yet to be started.
                start = self.composer.pools[0].start
                self.composer.add_pool(Pool(executor="e1", workers=MOST_WORKERS, start=start))
            if self.busy and self.room():
                task = self.composer.task(gated=True, ending=Return())
                self.composer.submit(self.composer.pools[-1].executor, task)
            self._turn()
            for which in self.first:
                if self.room():
                    task = self.composer.task(gated=False, ending=Return())
                    self.composer.submit(self.executor(which), task)

    def _turn(self) -> None:
        if self.place is None or self.turned:
            return
        self.turned = True
        self.composer.turn(self.place)
        if self.place == "a forked child":  # and there is an executor of the child's own
            # A fork server is its parent's child: `multiprocessing` is lost without one of its own.
            start = self.composer.pools[0].start
            start = "spawn" if start != "fork" and "spawn" in self.shape.starts else start
            self.composer.add_pool(Pool(executor="e1", workers=self.workers, start=start))

    @precondition(ProgramMachine.room)
    @rule(gated=st.booleans(), which=WHICH, ending=WHICH, after=ALLOCATIONS)
    def submit_something(self, gated: bool, which: int, ending: int, after: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task; in some programs a finaliser strikes in the middle of that."""
        task = self.composer.task(gated=gated, ending=pick(self.openings, ending))
        if self.place is None and self.room():
            self.composer.litter("e0", after)
        self.composer.submit(self.executor(which), task)

    @precondition(lambda self: self.place is None and self.room() and has_futures(self))
    @rule(after=ALLOCATIONS, cancels=st.booleans(), which=WHICH)
    def litter(self, after: int, cancels: bool, which: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Have a finaliser submit a task in the middle of another call."""
        future = self.future(which)
        self.composer.litter("e0", after)
        if cancels:
            self.composer.cancel(future)
        else:
            self.composer.add_callback(future, "record")

    @precondition(has_futures)
    @rule(which=WHICH, deed=WHICH)
    def add_callback(self, which: int, deed: int) -> None:
        """Add a done callback."""
        self.composer.add_callback(self.future(which), pick(DEEDS, deed))

    @precondition(has_futures)
    @rule(which=WHICH, again=OFTEN_FALSE)
    def cancel(self, which: int, again: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Cancel, or only look."""
        if again:
            self.composer.cancel(self.future(which))
        else:
            self.composer.add(op.Observe(future=self.future(which)))

    @precondition(has_futures)
    @rule(which=WHICH, error=OFTEN_FALSE, patience=st.sampled_from(range(5)))
    def read(self, which: int, error: bool, patience: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Read an outcome."""
        self.composer.read(self.future(which), error=error, patience=patience)

    @rule(wait=st.booleans(), seldom=st.sampled_from(range(3)), which=WHICH)
    def shut_down(self, wait: bool, seldom: int, which: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Enter a with block; or shut down, now and then."""
        if seldom:
            if "e0" not in self.composer.entered:
                self.composer.enter_or_leave("e0", raising=False)
        else:
            self.composer.shut_down(self.executor(which), wait=wait, cancel=False)

    def teardown(self) -> None:
        """Turn at the last moment, if that has not been done."""
        self._turn()
        super().teardown()
