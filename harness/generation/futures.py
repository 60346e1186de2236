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
_MOST = 10  # bare futures in one program
_TASKS = 2  # in one program
_PATIENCE: Final = (None, None, None, 0.0, SHORT, -1.0)


class Futures(ProgramMachine):
    """Bare futures of the class that the executor's own futures have."""

    @initialize(
        workers=st.just(1),
        bare=st.sampled_from([1, 1, 2, 3]),
        lanes=st.sampled_from([1, 1, 2]),
        duels=st.lists(
            st.tuples(st.sampled_from(range(3)), WHICH, WHICH, WHICH, MASKS), min_size=1, max_size=3
        ),
    )
    def begin(self, workers: int, bare: int, lanes: int, duels: list[tuple[int, int, int, int, int]]) -> None:
        """One task, to see what its future is; some futures like that; with several lanes, a few duels."""
        composer = self.composer
        composer.pools = [Pool(workers=workers)]
        composer.lanes += [[] for _ in range(min(lanes, self.shape.lanes - 1))]
        composer.submit("e0", composer.task(gated=False, ending=Return()))
        self.bare = [f"b{number}" for number in range(bare)]
        self.marks = 0
        self.home: dict[str, int] = {}  # which lane an iterator belongs to
        for name in self.bare:
            composer.add(op.Fresh(future=name, like="f0"))
        for kind, lane, first, second, mask in duels if len(composer.lanes) > 1 else ():
            if kind:
                self.meet_at_the_end(lane, first, second, mask)
            else:
                self.meet_at_once(lane, first, second, claimed=mask % 2 > 0)

    def turn_to(self, lane: int) -> None:
        """The next operation is of another lane, that many further on; the next for 0."""
        self.composer.lane = (self.composer.lane + 1 + lane) % len(self.composer.lanes)

    def one(self, which: int) -> str:
        """One of the bare futures; mostly the latest, which is least likely to be done."""
        return self.bare[-1] if which % 2 else pick(self.bare, which // 2)

    def another(self) -> str:
        """A new bare future, made in the lane whose turn it is; or the latest if there are enough.

        Other lanes wait until it is made, and so are where this one is: they meet at it.
        """
        name = f"b{len(self.bare)}"
        if len(self.bare) < _MOST and self.composer.add(op.Fresh(future=name, like="f0")):
            self.bare.append(name)
        return self.bare[-1]

    def end(self, name: str, how: int) -> None:
        """End a future in such a way that everybody has to be told."""
        add = self.composer.add
        if how % 3 != 1:
            add(op.Cancel(future=name) if how % 3 else op.Claim(future=name))
        if how % 3 == 2:  # noqa: PLR2004 - a third of the time
            add(op.Claim(future=name))
        elif how % 2:
            add(op.SetException(future=name, mark=self.mark(), error=pick(_ERRORS, how)))
        else:
            add(op.SetResult(future=name, mark=self.mark(), value=pick(_VALUES, how)))

    def over(self, names: tuple[str, ...], form: int, *, hurried: bool) -> str:
        """An iterator over some, in the lane whose turn it is."""
        name = f"i{len(self.composer.iterators)}"
        self.composer.iterators.append(name)
        self.home[name] = self.composer.lane
        timeout = SHORT if hurried else None
        self.composer.add(
            op.AsCompleted(iterator=name, futures=names, form=pick(FORMS, form), timeout=timeout)
        )
        return name

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

    @precondition(lambda self: len(self.bare) < _MOST)
    @rule(lane=WHICH, how=st.sampled_from(range(6)))
    def make(self, lane: int, how: int) -> None:
        """Make another, and perhaps look at it."""
        self.turn_to(lane)
        name = self.another()
        if how < len(_LOOKS) // 2:
            self.composer.add(_LOOKS[how](future=name))

    @precondition(lambda self: len(self.bare) < _MOST - 1)
    @rule(lane=WHICH, first=WHICH, second=WHICH, between=WHICH, form=WHICH)
    def pursue(self, lane: int, first: int, second: int, between: int, form: int) -> None:
        """Iterate over two as they complete: one that is done, and one that is ended after it was given.

        So the iterator knows that it has to be told, and another lane may end the second meanwhile.
        """
        self.turn_to(lane)
        one, other = self.another(), self.another()
        self.end(one, first)
        iterator = self.over((one, other), form, hurried=False)
        self.composer.add(op.Next(iterator=iterator))
        self.turn_to(between)
        self.end(other, second)
        self.composer.lane = self.home[iterator]
        self.composer.draw(iterator, all_of_it=True)

    @precondition(lambda self: len(self.composer.lanes) > 1)
    @rule(lane=WHICH, first=WHICH, second=WHICH, claimed=st.booleans())
    def race(self, lane: int, first: int, second: int, claimed: bool) -> None:  # noqa: FBT001 - drawn
        """Two lanes do something to a new future at the same time."""
        self.meet_at_once(lane, first, second, claimed=claimed)

    def meet_at_once(self, lane: int, first: int, second: int, *, claimed: bool) -> None:
        """The same, for a beginning too; if the future is claimed, they meet after that."""
        self.turn_to(lane)
        name = meeting = self.another()
        if claimed:
            self.composer.add(op.Claim(future=name))
            meeting = self.another()
        self.do(name, first)
        self.turn_to(0)
        if claimed:
            self.composer.add(op.Done(future=meeting))
        self.do(name, second)

    def do(self, name: str, what: int) -> None:
        """Something that changes a future, or has to do with its change."""
        deeds: tuple[op.Operation, ...] = (
            op.Cancel(future=name),
            op.SetResult(future=name, mark=self.mark()),
            op.Cancel(future=name),
            op.SetResult(future=name, mark=self.mark()),
            op.Claim(future=name),
            op.SetException(future=name, mark=self.mark()),
            op.Observe(future=name, times=1),
        )
        place = what % (len(deeds) + 1)
        if place == len(deeds):
            self.composer.add_callback(name, "record")
        else:
            self.composer.add(deeds[place])

    @precondition(lambda self: len(self.composer.lanes) > 1)
    @rule(lane=WHICH, how=WHICH, wait=WHICH, mask=MASKS)
    def await_end(self, lane: int, how: int, wait: int, mask: int) -> None:
        """One lane ends a new future, and another waits for it, perhaps among others."""
        self.meet_at_the_end(lane, how, wait, mask)

    def meet_at_the_end(self, lane: int, how: int, wait: int, mask: int) -> None:
        """The same, for a beginning too."""
        self.turn_to(lane)
        name = self.another()
        self.end(name, how)
        self.turn_to(0)
        self.await_one(name, self.some(mask), wait, pick(WHENS, mask))

    def await_one(self, name: str, others: tuple[str, ...], how: int, when: op.ReturnWhen) -> None:
        """Wait for one for as long as it takes, if that can be done among others, or else alone."""
        add = self.composer.add
        names = (name, *(each for each in others if each != name))
        match how % 4:
            case 0:
                add(op.Result(future=name))
            case 1:
                add(op.Error(future=name))
            case 2:
                add(op.Wait(futures=names, return_when=when)) or add(
                    op.Wait(futures=(name,), return_when=when)
                )
            case _:
                self.composer.draw(self.over(names[:2], how, hurried=False), all_of_it=True)

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
        name = self.over(self.some(mask), form, hurried=hurried)
        if drawn:
            self.composer.add(op.Next(iterator=name))

    @precondition(lambda self: self.composer.iterators)
    @rule(which=WHICH, all_of_it=st.booleans())
    def draw(self, which: int, all_of_it: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Draw from an iterator, if that is sure to return."""
        name = pick(self.composer.iterators, which)
        self.composer.lane = self.home[name]
        self.composer.draw(name, all_of_it=all_of_it)
