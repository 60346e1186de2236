"""Programs that go on elsewhere: what may be waited for there, what they end with, and who is to blame."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.check.reduce import candidates
from harness.judge.judge import judge
from harness.model.progress import objection
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.history import (
    Answered,
    Called,
    CalledBack,
    Event,
    Finished,
    Gone,
    History,
    Started,
    Stuck,
)
from harness.values.outcome import Outcome, Raised, Returned, Submitted
from harness.values.program import (
    Lane,
    Pool,
    Program,
    Script,
    epilogue,
    exits,
    fresh_pools,
    place_of,
    since_turn,
)
from harness.values.subject import Subject

SUBMIT = op.Submit(executor="e0", future="f0", task="t0")
LATE = op.Submit(executor="e0", future="f1", task="t1")
OWN = op.Submit(executor="e1", future="f1", task="t1")
READ, READ_LATE = op.Result(future="f0"), op.Result(future="f1")
END, EXIT, FORK, BODY = (
    op.Turn(to=place) for place in ("the end", "exit functions", "a forked child", "a module body")
)
SUBJECT = Subject(name="any", target="any:Pool", kind="thread")
GATED = Script(task="t0", gates=("g0",))


def _program(*steps: op.Operation, first: Script = GATED) -> Program:
    pools = (Pool(workers=1), Pool(executor="e1", workers=1))
    return Program(pools=pools, tasks=(first, Script(task="t1")), lanes=(Lane(operations=steps),))


def test_who_goes_on_elsewhere_is_known() -> None:
    """The place, what is done there, and whether the process ends with the program."""
    program = _program(SUBMIT, FORK, OWN)
    assert (place_of(program), since_turn(program), exits(program)) == ("a forked child", (OWN,), True)
    assert place_of(_program(SUBMIT)) is None
    assert not exits(_program(BODY, SUBMIT))
    assert not exits(_program(SUBMIT))


def test_a_forked_child_has_executors_of_its_own() -> None:
    """Those that nobody used before the fork; elsewhere there is no such thing."""
    assert fresh_pools(_program(SUBMIT, FORK, OWN)) == {"e1"}
    assert fresh_pools(_program(SUBMIT, EXIT, OWN)) == frozenset()


def test_what_ends_its_process_has_a_short_epilogue() -> None:
    """Nothing is shut down or read after the end; a forked child reads what it has submitted."""
    assert epilogue(_program(SUBMIT, END)) == (op.Release(), op.End())
    assert epilogue(_program(SUBMIT, FORK, OWN)) == (op.Release(), READ_LATE, op.End())
    assert isinstance(epilogue(_program(BODY, SUBMIT))[-1], op.Census)


@pytest.mark.parametrize(
    ("steps", "objected"),
    [
        ((SUBMIT, EXIT, READ), False),  # the gates have opened
        ((SUBMIT, BODY, READ), True),
        ((SUBMIT, FORK, OWN, READ_LATE), False),  # who holds a worker of the parent holds none of the child
        ((SUBMIT, FORK, READ), True),  # nobody in the child ends it
        ((SUBMIT, EXIT, FORK), True),
        ((SUBMIT, END, LATE), True),
        ((SUBMIT, op.End()), True),
    ],
)
def test_what_may_be_waited_for_elsewhere(steps: tuple[op.Operation, ...], objected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A call is fair if it returns there on every executor that keeps its promises."""
    assert bool(objection(_program(*steps))) is objected


def test_several_lanes_stay_where_they_are() -> None:
    """A program of several lanes does not go on elsewhere."""
    lanes = (Lane(operations=(SUBMIT, END)), Lane(operations=(LATE,)))
    program = Program(tasks=(Script(task="t0"), Script(task="t1")), lanes=lanes)
    assert "several lanes" in objection(program, lanes=2)


def test_a_program_is_reduced_without_its_turn_and_with_it() -> None:
    """The turn is an operation like any other."""
    found = {each.lanes[0].operations for each in candidates(_program(SUBMIT, EXIT, LATE))}
    assert {(SUBMIT, LATE), (SUBMIT, EXIT)} <= found


def _history(program: Program, *answers: Outcome, rest: tuple[Event, ...]) -> History:
    """A run whose calls were answered like this, one after the other; then comes the rest, from 100 on."""
    events: list[Event] = []
    for call, outcome in enumerate(answers):
        events += [Called(at=10 * call, call=call), Answered(at=10 * call + 5, call=call, outcome=outcome)]
    return History(program=program, events=(*events, *rest))


def _blamed(history: History) -> list[str]:
    return [each.rule for each in judge(history, SUBJECT, load_rules()).witnesses]


NONE, ACCEPTED = Returned(value="None"), Submitted(is_future=True)
REFUSED = Raised(error="RuntimeError", bases=("RuntimeError", "Exception", "BaseException"), message="late")
DONE = (Started(at=101, task="t0", pid=1, thread=1), Finished(at=102, task="t0", pid=1))
SILENT, LOUD, FAILED = Gone(at=200, status=0), Gone(at=200, status=0, output="oh\n"), Gone(at=200, status=1)
ENDING = Called(at=110, call=3)


@pytest.mark.parametrize(
    ("rest", "blamed"),
    [
        ((*DONE, ENDING, SILENT), []),
        ((*DONE, ENDING, LOUD), ["EXIT-02"]),
        ((*DONE, ENDING, FAILED), ["EXIT-02"]),
        ((*DONE, ENDING, Stuck(at=200, stacks="")), ["EXIT-02"]),
        ((ENDING, SILENT), ["EXIT-01"]),
        ((DONE[0], ENDING, SILENT), ["EXIT-01"]),
        ((*DONE, SILENT), ["LIFE-01"]),  # it left before its end
    ],
)
def test_how_a_process_ends_is_judged(rest: tuple[Event, ...], blamed: list[str]) -> None:
    """All is done, then the process leaves, with status 0 and without a word."""
    program = _program(SUBMIT, END)
    assert _blamed(_history(program, ACCEPTED, NONE, NONE, rest=rest)) == blamed


def test_whoever_waits_for_a_future_is_told_before_the_end() -> None:
    """A task that ran is not enough: its callback is called."""
    program = _program(SUBMIT, op.AddCallback(future="f0", callback="c0"), END)
    told = CalledBack(at=103, callback="c0", future="f0", pid=1, thread=1, state="001")
    ending = Called(at=110, call=4)
    answers = (ACCEPTED, NONE, NONE, NONE)
    assert _blamed(_history(program, *answers, rest=(*DONE, ending, SILENT))) == ["EXIT-01"]
    assert _blamed(_history(program, *answers, rest=(*DONE, told, ending, SILENT))) == []


@pytest.mark.parametrize(
    ("answer", "ran", "blamed"),
    [(REFUSED, False, []), (ACCEPTED, True, []), (ACCEPTED, False, ["EXIT-03"])],
)
def test_what_is_accepted_at_the_exit_is_done(answer: Outcome, ran: bool, blamed: list[str]) -> None:  # noqa: FBT001 - a column of the table
    """Or it is refused."""
    started, finished = (replace(each, task="t1") for each in DONE)
    rest = (*((started, finished) if ran else ()), ENDING, SILENT)
    assert _blamed(_history(_program(EXIT, LATE), NONE, answer, NONE, rest=rest)) == blamed


@pytest.mark.parametrize(("submit", "blamed"), [(LATE, ["EXIT-08"]), (OWN, ["EXIT-04"])])
def test_a_forked_child_that_hangs_blames_whose_pool_it_is(submit: op.Submit, blamed: list[str]) -> None:
    """An inherited pool must not fool it; one of its own must serve it."""
    program = _program(SUBMIT, FORK, submit)
    rest = (Called(at=110, call=4), Stuck(at=200, stacks=""))
    assert _blamed(_history(program, ACCEPTED, NONE, ACCEPTED, NONE, rest=rest)) == blamed


TRACKERS = """Exception ignored in: <function ResourceTracker.__del__ at 0x283a05ff780>
Traceback (most recent call last):
  File "resource_tracker.py", line 116, in _stop_locked
ChildProcessError: [Errno 10] No child processes
"""


@pytest.mark.parametrize(
    ("place", "output", "blamed"),
    [(FORK, TRACKERS, []), (FORK, TRACKERS + "oh\n", ["EXIT-04"]), (END, TRACKERS, ["EXIT-02"])],
)
def test_a_forked_child_is_not_blamed_for_the_tracker_of_its_parent(
    place: op.Turn, output: str, blamed: list[str]
) -> None:
    """Some releases complain at the exit of every fork: that is no executor's fault, anything else is."""
    gone = Gone(at=200, status=0, output=output)
    history = _history(_program(SUBMIT, place), ACCEPTED, NONE, NONE, rest=(*DONE, ENDING, gone))
    assert _blamed(history) == blamed
