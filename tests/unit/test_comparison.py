"""Two runs are compared by what is determined in both; what may differ from run to run is no difference."""

from __future__ import annotations

from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.judge.case import Case
from harness.judge.comparison import Difference, comparable, compare, nameless
from harness.values import operation as op
from harness.values.history import CalledBack, Stuck
from harness.values.outcome import Drained, Facts, Mapped, Raised, Returned, Split, States, Struck
from harness.values.program import Lane
from tests.unit.story import NO, NONE, YES, Line, an_executor, ends, raised, starts, story, submit

if TYPE_CHECKING:
    from harness.values.history import Event
    from harness.values.outcome import Outcome
    from harness.values.subject import Kind

F1, F2 = "f1", "f2"
BUSY = (submit(1), starts(1))  # the only worker is in the body of t1
OVER = (*BUSY, (op.Open(gate="g0"), NONE), ends(1))


def differences(
    common: tuple[Line, ...], ours: tuple[Line, ...], theirs: tuple[Line, ...], kind: Kind = "thread"
) -> list[tuple[str, str]]:
    """The words in which two runs differ that begin alike."""
    subject = an_executor(kind)
    found = compare(Case(story(*common, *ours), subject), Case(story(*common, *theirs), subject))
    return [(each.ours, each.theirs) for each in found]


def test_equal_runs_do_not_differ() -> None:
    """A run does not differ from itself."""
    lines: tuple[Line, ...] = (*BUSY, submit(2), (op.Cancel(future=F2), YES), (op.Done(future=F2), YES))
    assert differences(lines, (), ()) == []


def test_an_answer_that_the_model_foretells_is_compared() -> None:
    """With the only worker taken, the second future is pending: no luck decides what cancel() says."""
    found = differences((*BUSY, submit(2)), ((op.Cancel(future=F2), YES),), ((op.Cancel(future=F2), NO),))
    assert found == [("returns True", "returns False")]


@pytest.mark.parametrize(
    "ours",
    [
        pytest.param((op.Cancel(future=F2), YES), id="cancel"),
        pytest.param((op.Running(future=F2), YES), id="running"),
        pytest.param((op.Observe(future=F2, times=1), States(seen=("000",))), id="observe"),
        pytest.param((op.Repr(future=F2), Returned(value="<Future state=pending>")), id="repr"),
    ],
)
def test_what_a_pool_may_have_claimed_ahead_is_not_compared(ours: Line) -> None:
    """A process pool claims some work in advance, when it pleases: pending and running are both right."""
    answers: dict[str, Outcome] = {
        "Observe": States(seen=("100",)),
        "Repr": Returned(value="<Future state=running>"),
    }
    assert isinstance(ours, tuple)
    theirs = (ours[0], answers.get(type(ours[0]).__name__, NO))
    assert differences((*BUSY, submit(2)), (ours,), (theirs,), "process") == []


def test_done_is_not_compared_right_after_the_task_left_its_body() -> None:
    """The future of a task that has just ended becomes done soon, nobody knows when."""
    assert differences(OVER, ((op.Done(future=F1), YES),), ((op.Done(future=F1), NO),)) == []


def test_outcomes_are_compared_by_class_and_not_by_message() -> None:
    """What the exception says is nobody's promise; its class, and whether there is one, is."""
    read = op.Result(future=F1)
    here = (read, raised(ValueError, task="t1", message="one text"))
    assert differences(OVER, (here,), ((read, raised(ValueError, task="t1", message="another")),)) == []
    found = differences(OVER, (here,), ((read, raised(TypeError, task="t1")),))
    assert found == [("raises ValueError", "raises TypeError")]


def test_addresses_are_not_compared() -> None:
    """Two objects have two addresses."""
    ours, theirs = (
        ((op.Result(future=F1), NONE), (op.Repr(future=F1), Returned(value=f"<Future at {at} finished>")))
        for at in ("0x7f01", "0x7f02")
    )
    assert differences(OVER, ours, theirs) == []


def test_a_broken_pool_is_a_broken_pool() -> None:
    """Each kind of pool has an exception of its own to say that it is broken."""
    ours = ((op.Construct(arguments="zero workers"), raised(BrokenProcessPool)),)
    bases = ("SomeoneElsesBrokenPool", "BrokenExecutor", "RuntimeError", "Exception", "BaseException")
    other = Raised(error="SomeoneElsesBrokenPool", bases=bases)
    assert differences((), ours, ((op.Construct(arguments="zero workers"), other),)) == []


def test_nothing_is_compared_after_the_pasts_parted() -> None:
    """When cancel() went one way here and the other way there, what follows follows from that."""
    ours = (
        (op.Cancel(future=F2), YES),
        (op.Cancelled(future=F2), YES),
        (op.Construct(arguments="zero workers"), NONE),
    )
    theirs = (
        (op.Cancel(future=F2), NO),
        (op.Cancelled(future=F2), NO),
        (op.Construct(arguments="zero workers"), raised(ValueError)),
    )
    assert differences((*BUSY, submit(2)), ours, theirs, "process") == []
    assert len(differences((*BUSY, submit(2)), ours, theirs)) == 1


def test_a_future_that_was_heard_to_be_elsewhere_is_not_compared_again() -> None:
    """A shutdown that cancels may find a future claimed or not; what reading it then gives is no news."""
    shut = (op.Shutdown(executor="e0", wait=False, cancel_futures=True), NONE)
    ours = ((op.Cancelled(future=F2), YES), (op.Result(future=F2), raised(CancelledError)))
    theirs = ((op.Cancelled(future=F2), NO), starts(2), (op.Open(gate="g0"), NONE), ends(2))
    rest = ((op.Result(future=F2), Returned(value="parcel t2 whole 0")),)
    assert differences((*BUSY, submit(2), shut), ours, (*theirs, *rest), "process") == []


def test_a_wait_is_compared_if_every_future_is_decided() -> None:
    """Which of several futures is done first is luck; that a cancelled one is done is not."""
    wait = op.Wait(futures=(F1, F2), return_when="FIRST_COMPLETED")
    decided = (*BUSY, submit(2), (op.Cancel(future=F2), YES))
    ours = ((wait, Split(done=(F2,), not_done=(F1,))),)
    theirs = ((wait, Split(done=(), not_done=(F1, F2))),)
    assert differences(decided, ours, theirs) == [("done {f2}, not done {f1}", "done {}, not done {f1, f2}")]
    open_end = (*BUSY, submit(2), (op.Open(gate="g0"), NONE), ends(1), starts(2))
    assert differences(open_end, ours, theirs) == []


def test_a_wait_for_all_is_always_compared() -> None:
    """Without a timeout `wait` for all has one right answer, whatever the futures are up to."""
    wait = op.Wait(futures=(F1,), return_when="ALL_COMPLETED")
    found = differences(
        OVER, ((wait, Split(done=(F1,), not_done=())),), ((wait, Split(done=(), not_done=(F1,))),)
    )
    assert found == [("done {f1}, not done {}", "done {}, not done {f1}")]


def test_the_order_of_as_completed_is_not_compared_but_its_futures_are() -> None:
    """Two futures may come in either order; one that does not come at all is a difference."""
    made: Line = (op.AsCompleted(iterator="i0", futures=(F1, F2)), NONE)
    drain = op.Drain(iterator="i0")
    ours = ((drain, Drained(items=(F1, F2))),)
    assert differences((*OVER, submit(2), made), ours, ((drain, Drained(items=(F2, F1))),)) == []
    found = differences((*OVER, submit(2), made), ours, ((drain, Drained(items=(F2,))),))
    assert found == [("f1 f2, stops", "f2, stops")]


def test_what_map_yields_is_compared_unless_a_clock_had_a_say() -> None:
    """A map without a timeout yields what it yields; with one, it depends on how fast things go."""
    for timeout, expected in ((None, [("a, stops", "raises TimeoutError")]), (0.1, [])):
        made: Line = (op.Map(executor="e0", iterator="i0", tasks=(), timeout=timeout), Mapped(pulled=1))
        drain = op.Drain(iterator="i0")
        theirs = Drained(items=(), end=raised(TimeoutError))
        found = differences((made,), ((drain, Drained(items=("a",))),), ((drain, theirs),))
        assert [ours for ours, _ in found] == [ours for ours, _ in expected]


def test_nothing_is_expected_of_a_pool_whose_worker_died() -> None:
    """Whether submit() is refused right after a kill depends on how soon the death is noticed."""
    kill = (op.Kill(executor="e0", task="t1"), Struck(pid=1))
    ours = (submit(2),)
    theirs = ((op.Submit(executor="e0", future=F2, task="t2"), raised(BrokenProcessPool)),)
    assert differences((*BUSY, kill), ours, theirs, "process") == []
    assert len(differences(BUSY, ours, theirs, "process")) == 1


def test_of_several_facts_those_that_differ_are_told() -> None:
    """An inspection finds many facts; a difference names the ones that are not the same."""
    look = op.Inspect(executor="e0")
    found = differences((), ((look, Facts(lines=("a=1", "b=2"))),), ((look, Facts(lines=("a=1", "b=3"))),))
    assert found == [("b=2", "b=3")]


def test_a_call_that_never_returns_is_a_difference_and_the_last() -> None:
    """A shutdown that hangs on one side differs from one that returns."""
    shut = op.Shutdown(executor="e0")
    found = differences(OVER, ((shut, NONE), (op.Repr(future=F1), NONE)), ((shut, None),))
    assert found == [("returns None", "never returns")]


def test_a_callback_that_is_called_twice_differs_from_one_called_once() -> None:
    """Callbacks are counted when both runs are whole."""
    add: Line = (op.AddCallback(future=F1, callback="c0"), NONE)

    def called(at: int) -> Event:
        return CalledBack(at=at, callback="c0", future=F1, pid=1, thread=1, state="001")

    assert differences((*OVER, add), (called, called), (called,)) == [("called 2 times", "called 1 times")]
    assert differences((*OVER, add), (called,), (called,)) == []


def test_what_several_clients_did_is_not_comparable() -> None:
    """Nor is a run that stopped in the middle: only one client's calls, up to the end, are."""
    whole = story(*OVER)
    assert comparable(Case(whole, an_executor()))
    lanes = replace(whole, program=replace(whole.program, lanes=(*whole.program.lanes, Lane())))
    assert not comparable(Case(lanes, an_executor()))
    stuck = replace(whole, events=(*whole.events, Stuck(at=1 << 40, stacks="")))
    assert not comparable(Case(stuck, an_executor()))


def test_the_kind_of_a_difference_has_no_symbols() -> None:
    """What is seen of f1 in one program and of f2 in another is one kind of difference."""
    one, other = (
        Difference(call=call, step=op.Cancel(future=name), ours=f"done {{{name}}}", theirs="returns False")
        for call, name in ((3, F1), (5, F2))
    )
    assert one.kind == other.kind
    assert nameless("f12 at e0") == "f at e"
