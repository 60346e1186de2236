"""Bare futures, driven by the client as an executor would, rightly and wrongly, in one lane or several."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from harness.generation.composer import SHORT
from harness.generation.machines import (
    FORMS,
    MASKS,
    OFTEN_FALSE,
    WHENS,
    WHICH,
    ProgramMachine,
    pick,
)
from harness.values import operation as op
from harness.values.program import Pool, Return

_DEEDS: Final[tuple[op.Deed, ...]] = ("record", "record", "raise", "query", "add")
_VALUES: Final[tuple[op.Value, ...]] = ("parcel", "parcel", "parcel", "none", "exception")
_ERRORS: Final[tuple[op.Failure, ...]] = ("ValueError", "ValueError", "TimeoutError", "CancelledError")
_LOOKS: Final = (op.Observe, op.Observe, op.Running, op.Cancelled, op.Done, op.Repr)
_MOST = 4  # bare futures in one program
_TASKS = 2  # in one program
_PATIENCE: Final = (None, None, None, 0.0, SHORT, -1.0)


class Futures(ProgramMachine):
    """Bare futures of the class that the executor's own futures have."""

    @initialize(workers=st.just(1), bare=st.sampled_from([1, 1, 2, 3]), lanes=st.sampled_from([0, 1, 1, 2]))
    def begin(self, workers: int, bare: int, lanes: int) -> None:
        """One task, to see what its future is; some futures like that; one lane, or perhaps two or three."""
        composer = self.composer
        composer.pools = [Pool(workers=workers)]
        composer.lanes += [[] for _ in range(min(lanes, self.shape.lanes - 1))]
        composer.submit("e0", composer.task(gated=False, ending=Return()))
        self.bare = [f"b{number}" for number in range(bare)]
        self.marks = 0
        self.home: dict[str, int] = {}  # which lane an iterator belongs to
        for name in self.bare:
            composer.add(op.Fresh(future=name, like="f0"))

    def turn_to(self, lane: int) -> None:
        """The next operation is of another lane, that many further on; the next for 0."""
        self.composer.lane = (self.composer.lane + 1 + lane) % len(self.composer.lanes)

    def one(self, which: int) -> str:
        """One of the bare futures; the first is the favourite, so that much happens to it."""
        return self.bare[0] if which % 2 else pick(self.bare, which // 2)

    def some(self, mask: int) -> tuple[str, ...]:
        """A subset of the bare futures, perhaps with those of tasks."""
        names = [*self.bare, *self.composer.futures]
        return tuple(name for place, name in enumerate(names) if mask >> place & 1)

    def mark(self) -> str:
        """A name for what a future is given, never the same twice."""
        self.marks += 1
        return f"v{self.marks}"

    @precondition(lambda self: len(self.composer.scripts) < _TASKS)
    @rule(gated=OFTEN_FALSE, which=WHICH)
    def submit(self, gated: bool, which: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """One more task, to be waited for beside bare futures; the executor is not what this is about."""
        self.composer.submit(
            self.executor(which),
            self.composer.task(gated=gated and not self.composer.closed, ending=Return()),
        )

    @precondition(lambda self: len(self.bare) < _MOST and len(self.composer.lanes) == 1)
    @rule()
    def make(self) -> None:
        """Make another."""
        name = f"b{len(self.bare)}"
        self.bare.append(name)
        self.composer.add(op.Fresh(future=name, like="f0"))

    @rule(lane=WHICH, which=WHICH)
    def claim(self, lane: int, which: int) -> None:
        """Claim one."""
        self.turn_to(lane)
        self.composer.add(op.Claim(future=self.one(which)))

    @rule(lane=WHICH, which=WHICH, value=WHICH, claimed=OFTEN_FALSE)
    def set_result(self, lane: int, which: int, value: int, claimed: bool) -> None:  # noqa: FBT001 - drawn
        """End one with a value, perhaps after claiming it."""
        self.turn_to(lane)
        name = self.one(which)
        if claimed:
            self.composer.add(op.Claim(future=name))
        self.composer.add(op.SetResult(future=name, mark=self.mark(), value=pick(_VALUES, value)))

    @rule(lane=WHICH, which=WHICH, error=WHICH, claimed=OFTEN_FALSE)
    def set_exception(self, lane: int, which: int, error: int, claimed: bool) -> None:  # noqa: FBT001 - drawn
        """End one with an exception, perhaps after claiming it."""
        self.turn_to(lane)
        name = self.one(which)
        if claimed:
            self.composer.add(op.Claim(future=name))
        self.composer.add(op.SetException(future=name, mark=self.mark(), error=pick(_ERRORS, error)))

    @rule(lane=WHICH, which=WHICH, noticed=st.booleans())
    def cancel(self, lane: int, which: int, noticed: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Cancel one, perhaps to be noticed by a claim."""
        self.turn_to(lane)
        name = self.one(which)
        self.composer.add(op.Cancel(future=name))
        if noticed:
            self.composer.add(op.Claim(future=name))

    @rule(lane=WHICH, which=WHICH, how=st.sampled_from(range(6)))
    def look(self, lane: int, which: int, how: int) -> None:
        """Ask one for its state."""
        self.turn_to(lane)
        self.composer.add(_LOOKS[how](future=self.one(which)))

    @rule(lane=WHICH, which=WHICH, error=st.booleans(), patience=WHICH)
    def read(self, lane: int, which: int, error: bool, patience: int) -> None:  # noqa: FBT001 - drawn
        """Read an outcome: for as long as it takes if it is sure to come."""
        self.turn_to(lane)
        kind = op.Error if error else op.Result
        name = self.one(which)
        if not self.composer.add(kind(future=name, timeout=pick(_PATIENCE, patience))):
            self.composer.add(kind(future=name, timeout=0.0))

    @rule(lane=WHICH, which=WHICH, deed=WHICH)
    def add_callback(self, lane: int, which: int, deed: int) -> None:
        """Add a done callback that does something."""
        self.turn_to(lane)
        self.composer.add_callback(self.one(which), pick(_DEEDS, deed))

    @rule(lane=WHICH, mask=MASKS, when=WHICH, form=WHICH, hurried=OFTEN_FALSE)
    def wait(self, lane: int, mask: int, when: int, form: int, hurried: bool) -> None:  # noqa: FBT001 - drawn
        """Wait for some."""
        self.turn_to(lane)
        step = op.Wait(futures=self.some(mask), return_when=pick(WHENS, when), form=pick(FORMS, form))
        if hurried or not self.composer.add(step):
            self.composer.add(
                op.Wait(futures=step.futures, return_when=step.return_when, form=step.form, timeout=SHORT)
            )

    @rule(lane=WHICH, mask=MASKS, form=WHICH, hurried=OFTEN_FALSE, drawn=st.booleans())
    def as_completed(self, lane: int, mask: int, form: int, hurried: bool, drawn: bool) -> None:  # noqa: FBT001 - drawn
        """Make an iterator over some, and perhaps take its first."""
        self.turn_to(lane)
        name = f"i{len(self.composer.iterators)}"
        self.composer.iterators.append(name)
        self.home[name] = self.composer.lane
        self.composer.add(
            op.AsCompleted(
                iterator=name,
                futures=self.some(mask),
                form=pick(FORMS, form),
                timeout=SHORT if hurried else None,
            )
        )
        if drawn:
            self.composer.add(op.Next(iterator=name))

    @precondition(lambda self: self.composer.iterators)
    @rule(which=WHICH, all_of_it=st.booleans())
    def draw(self, which: int, all_of_it: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Draw from an iterator, if that is sure to return."""
        name = pick(self.composer.iterators, which)
        self.composer.lane = self.home[name]
        self.composer.draw(name, all_of_it=all_of_it)
