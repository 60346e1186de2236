"""The theme of leeway: what the documentation leaves open, and what tasks ask of their own executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from harness.generation.machines import OFTEN_FALSE, WHICH, ProgramMachine, has_futures, pick
from harness.values.program import Raise, Return

if TYPE_CHECKING:
    from harness.values import operation as op
    from harness.values.program import Ending, Errand

DEEDS: Final[tuple[op.Deed, ...]] = (
    "close", "record", "exit", "close", "submit", "record", "raise",
)  # fmt: skip
ERRANDS: Final[tuple[Errand, ...]] = ("submit", "submit", "shutdown", "close")
MAPPED: Final[tuple[Ending, ...]] = (Return(), Return(), Return(size=40), Raise())
ROOMY: Final = 5  # tasks beside which a `map`, or a task that hands in another, still fits


def within(machine: ProgramMachine) -> bool:
    """Whether tasks run where their executor is, and not in the client's own thread."""
    return machine.shape.kind == "thread" and not machine.shape.inline


class Leeway(ProgramMachine):
    """Callbacks that raise or close, tasks with errands, iterators that are dropped, chunks that fail."""

    openings = (Return(), Return(), Raise())

    @precondition(lambda self: self.room())
    @rule(gated=st.booleans(), deed=WHICH, again=st.booleans(), other=WHICH)
    def submit_watched(self, gated: bool, deed: int, again: bool, other: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task whose future calls back, perhaps more than once."""
        future = self.composer.submit("e0", self.composer.task(gated=gated, ending=Return()))
        self._watch(future, deed)
        if again:
            self._watch(future, other)

    @precondition(lambda self: has_futures(self) and self.room())
    @rule(which=WHICH, deed=WHICH)
    def watch(self, which: int, deed: int) -> None:
        """Add a callback to a future that may be done."""
        self._watch(self.future(which), deed)

    def _watch(self, future: str, deed: int) -> None:
        if self.room():
            self.composer.add_callback(future, pick(DEEDS, deed))

    @precondition(lambda self: within(self) and len(self.composer.scripts) < ROOMY)
    @rule(errand=WHICH, gated=OFTEN_FALSE)
    def send(self, errand: int, gated: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task with an errand at its own executor."""
        self.composer.send("e0", pick(ERRANDS, errand), gated=gated)

    @precondition(lambda self: len(self.composer.scripts) < ROOMY)
    @rule(
        count=st.sampled_from((3, 4, 2)),
        endings=st.sampled_from(range(256)),
        drawn=st.sampled_from(range(3)),
    )
    def map(self, count: int, endings: int, drawn: int) -> None:
        """Map over new tasks; perhaps draw from the iterator, perhaps drop it."""
        composer = self.composer
        tasks = tuple(
            composer.task(gated=False, ending=pick(MAPPED, endings >> 2 * place)) for place in range(count)
        )
        composer.map("e0", tasks)
        if drawn == 0:
            composer.drop(composer.iterators[-1])
        else:
            composer.draw(composer.iterators[-1], all_of_it=False)

    @precondition(
        lambda self: len(self.composer.scripts) < ROOMY and "map_chunksize" in self.shape.capabilities
    )
    @rule(count=st.sampled_from((3, 4, 2)), chunksize=st.sampled_from((2, 3, 4)), raising=WHICH)
    def map_in_chunks(self, count: int, chunksize: int, raising: int) -> None:
        """Map in chunks over new tasks of which perhaps one raises, and read what comes."""
        composer = self.composer
        place = raising % (count + 1)
        tasks = tuple(
            composer.task(gated=False, ending=Raise() if each == place else Return()) for each in range(count)
        )
        composer.map("e0", tasks, chunksize=chunksize)
        composer.draw(composer.iterators[-1], all_of_it=True)

    @precondition(lambda self: self.composer.iterators)
    @rule(which=WHICH, closes=OFTEN_FALSE)
    def drop(self, which: int, closes: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Drop an iterator, or close it."""
        iterator = pick(self.composer.iterators, which)
        if iterator not in self.composer.ended:
            (self.composer.close if closes else self.composer.drop)(iterator)

    @precondition(lambda self: self.composer.iterators)
    @rule(which=WHICH, all_of_it=st.booleans())
    def draw(self, which: int, all_of_it: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Draw from an iterator."""
        self.composer.draw(pick(self.composer.iterators, which), all_of_it=all_of_it)

    @precondition(has_futures)
    @rule(which=WHICH, error=OFTEN_FALSE, patience=st.sampled_from(range(5)))
    def read(self, which: int, error: bool, patience: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Read an outcome."""
        self.composer.read(self.future(which), error=error, patience=patience)

    @precondition(has_futures)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        """Cancel."""
        self.composer.cancel(self.future(which))
