"""The theme of awkward payloads: what fails at each step of pickling, and exceptions that bear nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from harness.generation.machines import FORMS, OFTEN_FALSE, WHENS, WHICH, ProgramMachine, has_futures, pick
from harness.values import operation as op
from harness.values.program import UNLOADABLE, UNPICKLABLE, Raise, Return

if TYPE_CHECKING:
    from harness.values.program import Ending

RAISED: Final[tuple[Ending, ...]] = (
    Raise(error="Empty"), Raise(error="Falsy"), Raise(error="Unequal"),
    Raise(error="Unprintable"), Raise(error="StopIteration"), Raise(error="GeneratorExit"),
    Raise(error="BrokenExecutor"), Raise(error="CancelledError"), Raise(error="TimeoutError"),
    Raise(error="SystemExit"), Raise(error="KeyboardInterrupt"), Raise(error="Chained"),
)  # fmt: skip
UNSENT: Final[tuple[Ending, ...]] = (
    Raise(error="Unloadable"), Raise(error="Unpicklable"),
    Return(gift="unloadable"), Return(gift="unpicklable"),
)  # fmt: skip
RETURNED: Final[tuple[Ending, ...]] = (Return(), Return(gift="exception"), Return(gift="none"))
IN_PROCESS: Final[tuple[Ending, ...]] = (
    Return(gift="future"), Return(gift="generator"), Raise(error="Undecided"), *UNSENT,
)  # fmt: skip
DEEDS: Final[tuple[op.Deed, ...]] = ("record", "record", "raise", "query")
ARGUMENTS: Final = (UNPICKLABLE, UNLOADABLE)
NEIGHBOURS: Final = 2  # workers that an innocent task and its neighbour need


class Payloads(ProgramMachine):
    """What fails at dumping or at loading, here or there, be it argument or outcome; and rude exceptions.

    What fails comes beside tasks that have nothing to do with it, and again after it has failed.
    """

    openings = (*RETURNED, *RAISED)

    def awkward(self, which: int, *, argument: bool) -> str:
        """Write a task with something that cannot be handed over, or (in a thread) that looks like it."""
        if self.shape.kind == "thread":
            return self.composer.task(gated=False, ending=pick(IN_PROCESS, which))
        if argument:
            return self.composer.task(gated=False, ending=Return(), argument=pick(ARGUMENTS, which))
        return self.composer.task(gated=False, ending=pick(UNSENT, which))

    @precondition(ProgramMachine.room)
    @rule(gated=OFTEN_FALSE, which=WHICH)
    def submit_rude(self, gated: bool, which: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task that raises something rude."""
        self.composer.submit("e0", self.composer.task(gated=gated, ending=pick(RAISED, which)))

    @precondition(ProgramMachine.room)
    @rule(which=WHICH, argument=OFTEN_FALSE)
    def submit_awkward(self, which: int, argument: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task of which something cannot be handed over."""
        self.composer.submit("e0", self.awkward(which, argument=argument))

    @precondition(lambda self: self.room() and self.composer.progress.free_workers("e0") >= NEIGHBOURS)
    @rule(which=WHICH, argument=OFTEN_FALSE, patient=st.booleans())
    def submit_beside(self, which: int, argument: bool, patient: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task that stays in its body, then one that fails beside it; perhaps see it fail."""
        self.composer.submit("e0", self.composer.task(gated=True, ending=Return()))
        self.composer.submit("e0", self.awkward(which, argument=argument))
        if patient:
            self.composer.read(self.future(0), error=False, patience=2)

    @precondition(has_futures)
    @rule(which=WHICH, error=st.booleans(), patience=st.sampled_from(range(5)))
    def read(self, which: int, error: bool, patience: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Read an outcome."""
        self.composer.read(self.future(which), error=error, patience=patience)

    @precondition(has_futures)
    @rule(which=WHICH, how=st.sampled_from(range(4)))
    def look(self, which: int, how: int) -> None:
        """Ask a future for its state."""
        kinds = (op.Observe, op.Done, op.Running, op.Repr)
        self.composer.add(kinds[how](future=self.future(which)))

    @precondition(has_futures)
    @rule(which=WHICH, deed=WHICH)
    def add_callback(self, which: int, deed: int) -> None:
        """Add a done callback."""
        self.composer.add_callback(self.future(which), pick(DEEDS, deed))

    @precondition(has_futures)
    @rule(when=WHICH, form=WHICH, hurried=OFTEN_FALSE)
    def wait(self, when: int, form: int, hurried: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Wait for all that there are."""
        self.composer.wait(
            tuple(self.composer.futures), pick(WHENS, when), pick(FORMS, form), hurried=hurried
        )

    @precondition(has_futures)
    @rule(wait=st.booleans())
    def shut_down(self, wait: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down while there may be something that fails."""
        self.composer.shut_down("e0", wait=wait, cancel=False)
