"""The theme of small parallel programs: two clients, one future, a few operations each.

Most races need two operations, on the same object, by two threads; what else a program does only adds steps
among which the moment has to be hit. So here the programs are as small as they can be, and there are many.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from harness.generation.machines import (
    DEEDS,
    OFTEN_FALSE,
    WHENS,
    WHICH,
    ProgramMachine,
    has_futures,
    pick,
)
from harness.values import operation as op
from harness.values.program import Ending, Pool, Raise, Return, Script

_MOST: Final = 9  # operations in a program
_TASKS: Final = 4
_AT: Final = st.sampled_from([0, 0, 0, 1])  # which future: mostly the latest
_EITHER: Final = st.booleans()  # which client
_VALID: Final = tuple(when for when in WHENS if when != "NONSENSE")


class Pairs(ProgramMachine):
    """Two clients, each in a thread of its own, at one future and its executor."""

    openings: ClassVar[tuple[Ending, ...]] = (Return(), Return(), Raise())

    @initialize(
        workers=st.sampled_from([1, 2]),
        ahead=st.sampled_from([0, 1, 1, 2]),
        which=WHICH,
        start=WHICH,
        first=st.sampled_from([None] * 7 + [Raise()]),
    )
    def begin(self, workers: int, ahead: int, which: int, start: int, first: Ending | None) -> None:
        """Submit a task, perhaps behind others; perhaps workers fail before their first one."""
        workers = 1 if self.shape.single else workers
        method: Any = pick(self.shape.starts, start)
        prepared = first is not None and "initializer" in self.shape.capabilities
        script = Script(task="b0", ending=first) if prepared and first is not None else None
        self.composer.pools = [Pool(workers=workers, start=method, initializer=script)]
        self.composer.lanes = [[], []]
        for place in range(ahead + 1):
            ending = pick(self.openings, which + place)
            self.composer.submit("e0", self.composer.task(gated=False, ending=ending))

    def room(self) -> bool:
        """Whether another task fits in."""
        return len(self.composer.scripts) < _TASKS and self.small()

    def small(self) -> bool:
        """Whether another operation fits in."""
        return sum(map(len, self.composer.lanes)) < _MOST

    def is_complete(self) -> bool:
        """Whether both clients have something to do."""
        return all(self.composer.lanes)

    def turn(self, *, other: bool) -> None:
        """The next operation is of one client or the other."""
        self.composer.lane = int(other)

    @precondition(lambda self: has_futures(self) and self.small())
    @rule(other=_EITHER, at=_AT)
    def cancel(self, other: bool, at: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Cancel."""
        self.turn(other=other)
        self.composer.cancel(self.future(at))

    @precondition(lambda self: has_futures(self) and self.small())
    @rule(other=_EITHER, at=_AT, error=_EITHER)
    def read(self, other: bool, at: int, error: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Read an outcome, for as long as it takes."""
        self.turn(other=other)
        self.composer.read(self.future(at), error=error, patience=2)

    @precondition(lambda self: has_futures(self) and self.small())
    @rule(other=_EITHER, at=_AT, how=st.sampled_from([op.Observe, op.Done, op.Running, op.Cancelled]))
    def look(
        self,
        other: bool,  # noqa: FBT001 - drawn by Hypothesis
        at: int,
        how: type[op.Observe | op.Done | op.Running | op.Cancelled],
    ) -> None:
        """Ask a future for its state."""
        self.turn(other=other)
        self.composer.add(how(future=self.future(at)))

    @precondition(lambda self: has_futures(self) and self.small())
    @rule(other=_EITHER, at=_AT, deed=WHICH)
    def add_callback(self, other: bool, at: int, deed: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Add a done callback that does something."""
        self.turn(other=other)
        self.composer.add_callback(self.future(at), pick(DEEDS, deed))

    @precondition(lambda self: has_futures(self) and self.small())
    @rule(other=_EITHER, alone=OFTEN_FALSE, when=WHICH)
    def wait(self, other: bool, alone: bool, when: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Wait for the latest, or for all."""
        self.turn(other=other)
        names = (self.future(0),) if alone else tuple(self.composer.futures)
        unhurried = op.Wait(futures=names, return_when=pick(_VALID, when))
        # A cancelled future is seen when a worker takes it up: here they do, unless a shutdown cancels.
        if self.composer.shut or not self.composer.add(unhurried):
            self.composer.wait(names, pick(_VALID, when), "list", hurried=True)

    @precondition(lambda self: has_futures(self) and self.small())
    @rule(other=_EITHER)
    def as_completed(self, other: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Iterate over all as they complete."""
        self.turn(other=other)
        self.composer.as_completed(tuple(self.composer.futures), "list", hurried=False)
        self.composer.draw(self.composer.iterators[-1], all_of_it=True)

    @precondition(lambda self: self.room())
    @rule(other=_EITHER, which=WHICH)
    def submit_from(self, other: bool, which: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit one more."""
        self.turn(other=other)
        self.composer.submit("e0", self.composer.task(gated=False, ending=pick(self.openings, which)))

    @precondition(lambda self: self.small())
    @rule(other=_EITHER, wait=_EITHER, cancel=_EITHER)
    def shut_down(self, other: bool, wait: bool, cancel: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down."""
        self.turn(other=other)
        self.composer.shut_down("e0", wait=wait, cancel=cancel)

    @precondition(lambda self: self.small())
    @rule(other=_EITHER, raising=_EITHER, more=OFTEN_FALSE)
    def leave(self, other: bool, raising: bool, more: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Leave a with block, perhaps to find that no more tasks are taken."""
        self.turn(other=other)
        self.composer.enter_or_leave("e0", raising=raising)
        if "e0" in self.composer.entered:
            self.composer.enter_or_leave("e0", raising=raising)
        if more and self.room():
            self.composer.submit("e0", self.composer.task(gated=False, ending=Return()))
