"""The theme of small handoffs: some clients wait for bare futures in all the ways there are, others end them.

What a waiter may miss happens between its look at the futures and the moment at which it can be told, and
there is no such moment in a program that ends its futures first. So here every future is ended, or left, by
one client and waited for by another, and nothing else goes on: as in `pairs`, the smaller, the sooner found.
"""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from harness.generation.choices import CORES, Choices
from harness.generation.composer import SHORT
from harness.generation.machines import OFTEN_FALSE, WHICH, ProgramMachine, pick
from harness.values import operation as op
from harness.values.program import Pool, Return

_MOST: Final = 9  # operations in a program
_LANES: Final = ((1, 1), (2, 1), (1, 2), (1, 2), (2, 1))  # who ends futures, and who waits
_COUNTS: Final = (2, 1, 2, 3, 2)  # of futures
# How a future is ended: see `Handoffs.end`.
_FAILURES: Final = 2  # so many ways with an exception
_UNNOTICED: Final = 4  # by a cancel that no claim comes across
_NOT_AT_ALL: Final = 5
# How it is waited for: by `wait`, until one of these; by `as_completed`; by a read of result or error.
_WHENS: Final[tuple[op.ReturnWhen, ...]] = ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")
_ALL_COMPLETED: Final = 0
_FIRST_COMPLETED: Final = 1
_FIRST_EXCEPTION: Final = 2
_ITERATE: Final = 3
_READ: Final = 4
_WAYS: Final = 6
_DRAWN: Final = {  # by who ends and who waits: the ways in which most can go wrong there come more often
    (1, 1): (*range(_WAYS), _FIRST_COMPLETED, _FIRST_EXCEPTION),
    (2, 1): (*range(_WAYS), _ALL_COMPLETED, _ALL_COMPLETED, _ITERATE),
    (1, 2): (*range(_WAYS), *[_READ, _READ + 1] * 3),
}
_HOWS: Final = 20  # evenly folded onto the ways to end a future


class Handoffs(ProgramMachine):
    """Bare futures: who ends them, and who waits for them."""

    @initialize(core=CORES, plain=st.sampled_from([True, True, True, False]), more=WHICH)
    def begin(self, core: int, plain: bool, more: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Make the futures; end in one lane or two what others wait for, and no more.

        Two lanes may end futures of their own, or both the same one.
        All of that follows from one number: where each choice is drawn by itself, Hypothesis draws many
        variations of what it drew before. A `plain` program stays as it begins, one in four grows.
        """
        choose = Choices(core)
        contested = choose.one_of((False, False, False, True))
        enders, waiters = (2, 1) if contested else choose.one_of(_LANES)
        composer = self.composer
        composer.pools = [Pool(workers=1)]
        composer.lanes = [[] for _ in range(min(enders + waiters, self.shape.lanes))]
        composer.submit("e0", composer.task(gated=False, ending=Return()))
        self.marks = 0
        self.plain = plain
        self.bare = [f"b{number}" for number in range(1 if contested else choose.one_of(_COUNTS))]
        way, decisive = choose.one_of(_DRAWN[enders, waiters]), choose.one_of((0, 0, 1))
        enders = min(enders, len(composer.lanes) - 1)
        # Whoever makes them is there first: mostly those who wait.
        composer.lane = choose.one_of((-1, -1, 0)) % len(composer.lanes)
        for name in self.bare:
            composer.add(op.Fresh(future=name, like="f0"))
            if choose.one_of((True, *[False] * (1 if contested else 4))):
                composer.add_callback(name, "record")
        for place in range(enders if contested else len(self.bare)):
            composer.lane = place % enders
            how = choose.one_of(range(_HOWS))
            is_decisive = contested or place == decisive % len(self.bare)
            self.end(
                self.bare[place % len(self.bare)], _decided(way, how) if is_decisive else _other(way, how)
            )
        for lane in range(enders, len(composer.lanes)):
            composer.lane = lane
            self.wait_for(tuple(self.bare), way, hurried=False)
            way = choose.one_of((way, way, choose.one_of(range(_WAYS))))
        if not plain:
            self.wait_for(tuple(self.bare), more, hurried=False)

    def room(self) -> bool:
        """Whether a task fits in: none, this is not about the executor."""
        return False

    def end(self, name: str, how: int) -> None:
        """End a future with an exception, a value or a cancel, noticed or not; or leave it."""
        self.marks += 1
        mark = f"v{self.marks}"
        calls: tuple[tuple[op.Operation, ...], ...] = (
            (op.SetException(future=name, mark=mark),),
            (op.Claim(future=name), op.SetException(future=name, mark=mark)),
            (op.SetResult(future=name, mark=mark),),
            (op.Cancel(future=name), op.Claim(future=name)),
            (op.Cancel(future=name),),
            (),
        )
        for step in calls[how]:
            self.composer.add(step)

    def wait_for(self, names: tuple[str, ...], way: int, *, hurried: bool) -> None:
        """Wait for several, or read the first; for as long as it takes, if that is sure to end for some."""
        timeout = SHORT if hurried else None
        if way % _WAYS == _ITERATE:
            self.iterate(names, timeout)
        elif not self.composer.add(_waiting(names, way % _WAYS, timeout)):
            self.composer.add(_waiting(names[:1], way % _WAYS, timeout))

    def iterate(self, names: tuple[str, ...], timeout: float | None) -> None:
        """Make an iterator over some as they complete, and draw from it what is sure to come."""
        composer = self.composer
        name = f"i{len(composer.iterators)}"
        composer.iterators.append(name)
        composer.add(op.AsCompleted(iterator=name, futures=names, timeout=timeout))
        if not composer.add(op.Drain(iterator=name)):
            composer.add(op.Next(iterator=name))

    def small(self) -> bool:
        """Whether another operation fits in, and is wanted."""
        return not self.plain and sum(map(len, self.composer.lanes)) < _MOST

    def is_complete(self) -> bool:
        """Whether somebody waits while somebody else goes on."""
        return len(self.composer.lanes) > 1 and bool(self.composer.lanes[-1])

    @precondition(small)
    @rule(lane=WHICH, first=WHICH, how=WHICH, hurried=OFTEN_FALSE)
    def await_more(self, lane: int, first: int, how: int, hurried: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Wait once more, in any lane."""
        self.composer.lane = lane % len(self.composer.lanes)
        self.wait_for(tuple(self.bare[first % len(self.bare) :]), how, hurried=hurried)

    @precondition(small)
    @rule(lane=WHICH, which=WHICH, how=WHICH)
    def end_again(self, lane: int, which: int, how: int) -> None:
        """End one in another way, perhaps at the same time."""
        self.composer.lane = lane % len(self.composer.lanes)
        self.end(pick(self.bare, which), how % _NOT_AT_ALL)

    @precondition(small)
    @rule(lane=WHICH, which=WHICH)
    def add_callback(self, lane: int, which: int) -> None:
        """Add a done callback."""
        self.composer.lane = lane % len(self.composer.lanes)
        self.composer.add_callback(pick(self.bare, which), "record")


def _decided(way: int, how: int) -> int:
    """How to end the future for which a waiter waits: if it wants an exception, with one."""
    if way == _FIRST_EXCEPTION:
        return how % _FAILURES
    told = way < _READ  # a reader hears of a cancel at once, others when it is noticed (gh-92001)
    return how % (_UNNOTICED if told else _NOT_AT_ALL)


def _other(way: int, how: int) -> int:
    """How to end one of the others: who waits for the first does so without them."""
    if way in (_FIRST_COMPLETED, _FIRST_EXCEPTION) and how % 2:
        return _NOT_AT_ALL
    return how % _UNNOTICED


def _waiting(names: tuple[str, ...], way: int, timeout: float | None) -> op.Operation:
    """One call that waits for these, or reads the first of them."""
    if way == _READ:
        return op.Result(future=names[0], timeout=timeout)
    if way == _READ + 1:
        return op.Error(future=names[0], timeout=timeout)
    return op.Wait(futures=names, return_when=_WHENS[way], timeout=timeout)
