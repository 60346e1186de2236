"""The theme of endings: how a process ends, forks, imports a module, and is interrupted by its collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from harness.generation.machines import OFTEN_FALSE, WHICH, ProgramMachine, has_futures, pick
from harness.values import operation as op
from harness.values.program import Pool, Raise, Return

if TYPE_CHECKING:
    from harness.values.program import Ending

PLACES: tuple[op.Place | None, ...] = (
    None, "the end", "the end", "exit functions", "a late thread", "a forked child", "a module body",
)  # fmt: skip
DEEDS: tuple[op.Deed, ...] = ("record", "record", "record", "submit", "add")
ALLOCATIONS = st.sampled_from(range(1, 60))  # some more than a submit makes


class Endings(ProgramMachine):
    """A program that goes on elsewhere, once; or that litters."""

    openings: ClassVar[tuple[Ending, ...]] = (Return(), Return(), Return(size=300), Raise())
    place: op.Place | None = None
    turned = False

    @initialize(place=st.sampled_from(PLACES))
    def choose(self, place: op.Place | None) -> None:
        """Choose where the program will go on."""
        self.place = place

    def is_ahead(self) -> bool:
        """Whether the turn is still to come."""
        return self.place is not None and self.place != "the end" and not self.turned

    @precondition(is_ahead)
    @rule(workers=st.sampled_from([1, 2]), submits=st.sampled_from([0, 1, 1, 2]), which=WHICH)
    def turn(self, workers: int, submits: int, which: int) -> None:
        """Go on elsewhere, mostly with a submit; after a fork there is an executor of the child's own."""
        self._turn(workers)
        for number in range(submits if self.room() else 0):
            task = self.composer.task(gated=False, ending=Return())
            self.composer.submit(self.executor(which + number), task)

    def _turn(self, workers: int) -> None:
        if self.place is None:
            return
        self.turned = True
        self.composer.turn(self.place)
        if self.place == "a forked child":
            start = self.composer.pools[0].start
            self.composer.add_pool(Pool(executor="e1", workers=workers, start=start))

    @precondition(lambda self: self.place is None and self.room())
    @rule(after=ALLOCATIONS, how=st.sampled_from(range(4)), which=WHICH)
    def litter(self, after: int, how: int, which: int) -> None:
        """Have a finaliser submit a task in the middle of some call."""
        composer = self.composer
        composer.litter("e0", after)
        if how < 2 and self.room():  # noqa: PLR2004 - half of the time
            composer.submit("e0", composer.task(gated=False, ending=Return()))
        elif how == 2:  # noqa: PLR2004 - and so on
            composer.cancel(self.future(which))
        else:
            composer.add_callback(self.future(which), "record")

    @precondition(ProgramMachine.room)
    @rule(gated=st.booleans(), which=WHICH, ending=WHICH)
    def submit_something(self, gated: bool, which: int, ending: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task."""
        task = self.composer.task(gated=gated, ending=pick(self.openings, ending))
        self.composer.submit(self.executor(which), task)

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
        if not self.turned:
            self._turn(1)
        super().teardown()
