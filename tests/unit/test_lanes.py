"""Several clients at once: which programs are fair, and what may be said of calls that overlap."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import pytest

from harness.judge.case import Case
from harness.judge.judge import judge
from harness.model.form import MOST_LANES
from harness.model.progress import objection
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.history import Answered, Called, CalledBack, Event, Finished, History, Started, Stuck
from harness.values.outcome import Outcome, Submitted
from harness.values.program import Lane, Pool, Program, Script, epilogue, first_number
from tests.unit.story import NO, NONE, YES, an_executor

Lanes: TypeAlias = "tuple[tuple[op.Operation, ...], ...]"

FREE, HELD, ALSO = Script(task="free"), Script(task="held", gates=("g0",)), Script(task="also", gates=("g1",))
ACCEPTED = Submitted(is_future=True)


def _submit(task: str) -> op.Submit:
    return op.Submit(executor="e0", future=f"f.{task}", task=task)


def _program(lanes: Lanes, workers: int = 2) -> Program:
    return Program(
        pools=(Pool(workers=workers),),
        tasks=(FREE, HELD, ALSO),
        lanes=tuple(Lane(operations=steps) for steps in lanes),
    )


STUCK = "operation 1 of lane 1 may rightly wait for ever"
UNKNOWN = "operation 0 of lane 1 names f9, which does not exist"
READ_HELD, READ_ALSO = op.Result(future="f.held"), op.Result(future="f.also")
OPEN, OPEN_ALSO = op.Open(gate="g0"), op.Open(gate="g1")


@pytest.mark.parametrize(
    ("lanes", "workers", "sentence"),
    [
        (((_submit("held"), READ_HELD), (OPEN,)), 1, ""),
        (((_submit("held"), READ_HELD), (READ_HELD, OPEN)), 1, STUCK),
        (
            ((_submit("held"), READ_HELD, OPEN_ALSO), (_submit("also"), READ_ALSO, OPEN)),
            2,
            STUCK,
        ),
        (((_submit("held"), OPEN_ALSO, READ_HELD), (_submit("also"), READ_ALSO, OPEN)), 2, ""),
        (
            ((_submit("free"), op.Result(future="f.free")), (_submit("held"),)),
            1,
            STUCK,
        ),
        (((_submit("free"), op.Result(future="f.free")), (_submit("held"),)), 2, ""),
        (((op.Result(future="f.free"),), (_submit("free"),)), 1, ""),
        (((op.Done(future="f9"),), (_submit("free"),)), 1, UNKNOWN),
        (
            ((op.AsCompleted(iterator="i0", futures=()),), (op.Next(iterator="i0"),)),
            1,
            "i0 is used by two lanes, which no iterator bears",
        ),
    ],
)  # fmt: skip
def test_lanes_wait_for_each_other_only_where_that_is_sure_to_end(
    lanes: Lanes, workers: int, sentence: str
) -> None:
    """Another lane may open a gate or take up a worker; in a circle, nobody does."""
    assert objection(_program(lanes, workers), lanes=MOST_LANES) == sentence


def test_an_arena_with_one_lane_runs_no_more() -> None:
    """How many lanes there may be depends on who is to run them."""
    program = _program(((_submit("free"),), (op.Done(future="f.free"),)))
    assert objection(program) == "it has 2 client lanes; this arena runs one"
    assert objection(program, lanes=2) == ""


def test_operations_are_numbered_lane_by_lane() -> None:
    """The epilogue belongs to the first lane, so that the others come after it."""
    program = _program(((_submit("free"), _submit("held")), (op.Done(future="f.free"),), (OPEN,)))
    assert first_number(program, 0) == 0
    assert first_number(program, 2) == first_number(program, 1) + 1
    assert first_number(program, 1) == len(program.lanes[0].operations) + len(epilogue(program))


Line: TypeAlias = "tuple[int, Outcome | None] | Event"
"""The next call of a lane begins (None) or ends with an outcome, or something else happens."""


def _seen(lanes: Lanes, *lines: Line) -> History:
    """What was seen of lanes, in this order, until the epilogue begins or a call hangs."""
    program = _program(lanes)
    events: list[Event] = []
    calls = [0] * len(lanes)
    for at, line in enumerate(lines, start=1):
        if not isinstance(line, tuple):
            events.append(line)
            continue
        lane, outcome = line
        if outcome is None:
            events.append(Called(at=at, call=calls[lane], lane=lane))
        else:
            events.append(Answered(at=at, call=calls[lane], outcome=outcome, lane=lane, thread=lane + 1))
            calls[lane] += 1
    if not any(isinstance(event, Stuck) for event in events):
        events += [Called(at=90, call=calls[0]), Answered(at=91, call=calls[0], outcome=NONE)]
    return History(program=program, client=1, events=tuple(events))


def _broken(history: History) -> set[str]:
    """The rules that a history breaks."""
    judgement = judge(history, an_executor(), load_rules())
    assert judgement.inconclusive == ""
    return {witness.rule for witness in judgement.witnesses}


CANCEL, CANCELLED = op.Cancel(future="f.free"), op.Cancelled(future="f.free")
MADE: tuple[Line, Line] = ((0, None), (0, ACCEPTED))


def test_of_calls_that_overlap_either_may_have_been_first() -> None:
    """cancelled() may say False while another lane cancels; not once that lane has been told True."""
    lanes = ((_submit("free"), CANCEL), (CANCELLED,))
    assert _broken(_seen(lanes, *MADE, (0, None), (1, None), (1, NO), (0, YES))) == set()
    assert _broken(_seen(lanes, *MADE, (0, None), (1, None), (0, YES), (1, NO))) == set()
    assert _broken(_seen(lanes, *MADE, (0, None), (0, YES), (1, None), (1, NO))) == {"FUT-04"}


def test_a_future_may_be_used_before_submit_has_returned() -> None:
    """Another lane gets hold of it from the executor's side; what it does there counts."""
    lanes = ((_submit("free"), CANCELLED), (CANCEL,))
    early: tuple[Line, ...] = ((0, None), (1, None), (1, YES), (0, ACCEPTED), (0, None))
    assert _broken(_seen(lanes, *early, (0, YES))) == set()
    assert _broken(_seen(lanes, *early, (0, NO))) == {"FUT-04"}


START, END = Started(at=5, task="free", pid=1, thread=3), Finished(at=6, task="free", pid=1)
CANCELS: Lanes = ((_submit("free"), CANCEL), (CANCEL,))


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        (((0, None), START, (0, NO)), set()),
        (((0, None), START, (0, YES)), {"FUT-08"}),
        (((0, None), START, END, (0, NO)), set()),
        (((0, None), START, END, (0, YES)), {"FUT-08"}),
        (((0, None), (0, YES)), set()),
        (((0, None), (0, YES), START), {"FUT-08"}),
        ((START, (0, None), (0, YES)), {"FUT-05"}),
        (((0, None), (1, None), START, (0, NO), (1, NO)), set()),
        (((0, None), (1, None), START, (0, NO), (1, YES)), {"FUT-08"}),
        (((0, None), (1, None), (1, YES), START, (0, YES)), {"FUT-08"}),
        (((0, None), (1, None), (1, YES), (0, YES)), set()),
    ],
)
def test_a_task_that_starts_during_a_cancel_runs_only_if_the_answer_is_no(
    lines: tuple[Line, ...], broken: set[str]
) -> None:
    """Whichever of start and cancel() came first: True and a start exclude each other."""
    moved = [replace(line, at=3 + place) if isinstance(line, Started | Finished) else line
             for place, line in enumerate(lines)]  # fmt: skip
    assert _broken(_seen(CANCELS, *MADE, *moved)) == broken


def test_the_witness_of_a_start_during_a_cancel_says_why_no_order_explains_both() -> None:
    """It names the task, the call with its answer, and what cancel() would have said instead."""
    history = _seen(CANCELS, *MADE, (0, None), replace(START, at=4), (0, YES))
    (witness,) = judge(history, an_executor(), load_rules()).witnesses
    assert (witness.rule, witness.tasks, witness.futures) == ("FUT-08", ("free",), ("f.free",))
    assert witness.text == (
        "free was executed, and yet cancel() said True; a cancel() before its start would have kept it from "
        "starting, a later one would have said False (possible: running (ahead of its body), "
        "running (inside of its body)): #2 f.free.cancel() -> True"
    )


def _called_back(name: str, at: int, thread: int = 1) -> CalledBack:
    return CalledBack(
        at=at, callback=name, future="f.free", pid=1, thread=thread, state="001", until=at
    )  # fmt: skip


@pytest.mark.parametrize(("overlap", "broken"), [(True, set()), (False, {"CB-03"})])
def test_callbacks_added_at_once_are_called_in_either_order(overlap: bool, broken: set[str]) -> None:  # noqa: FBT001 - a parameter
    """The order added is known only of calls that did not overlap."""
    add = tuple(op.AddCallback(future="f.free", callback=name) for name in ("c0", "c1"))
    lanes = ((_submit("free"), add[0]), (add[1],))
    adding: tuple[Line, ...] = (
        ((0, None), (1, None), (0, NONE), (1, NONE))
        if overlap
        else ((0, None), (0, NONE), (1, None), (1, NONE))
    )
    runs = (
        Started(at=10, task="free", pid=1, thread=3), Finished(at=11, task="free", pid=1),
        _called_back("c1", 12), _called_back("c0", 13),
    )  # fmt: skip
    assert _broken(_seen(lanes, *MADE, *adding, *runs)) == broken


def test_a_rival_may_call_the_callbacks_of_a_cancelled_future() -> None:
    """Of two lanes that cancel at once, one finds it done already, and does not call them."""
    lanes = ((_submit("free"), op.AddCallback(future="f.free", callback="c0"), CANCEL), (CANCEL,))
    before: tuple[Line, ...] = (*MADE, (0, None), (0, NONE))
    event = _called_back("c0", 7, thread=2)
    assert _broken(_seen(lanes, *before, (1, None), (0, None), event, (0, YES), (1, YES))) == set()
    assert _broken(_seen(lanes, *before, (0, None), (0, YES), event, (1, None), (1, YES))) == {"CB-13"}


def test_a_reader_that_another_lane_cancels_must_wake_up() -> None:
    """A result() that was waiting when its future was cancelled hangs: RES-04, whoever came first."""
    lanes = ((_submit("free"), op.Result(future="f.free")), (CANCEL,))
    hanging = _seen(lanes, *MADE, (0, None), (1, None), (1, YES), Stuck(at=80, stacks=""))
    assert _broken(hanging) == {"RES-04"}


def test_every_call_that_hangs_is_judged() -> None:
    """A cancel() that waits for a reader, who waits for a gate that is opened after it."""
    lanes = ((_submit("held"), READ_HELD), (op.Cancel(future="f.held"), OPEN))
    inside = Started(at=3, task="held", pid=1, thread=3)
    history = _seen(lanes, *MADE, inside, (0, None), (1, None), Stuck(at=80, stacks=""))
    judgement = judge(history, an_executor(), load_rules())
    assert judgement.inconclusive == "operation 2 may rightly wait for ever"
    idle = _seen(
        ((_submit("free"), op.Result(future="f.free")), (CANCEL,)),
        *MADE, (0, None), (1, None), Stuck(at=80, stacks=""),
    )  # fmt: skip
    assert {"LIFE-02", "FUT-18"} < _broken(idle)


def test_calls_of_other_lanes_are_named_by_their_lane() -> None:
    """The first lane counts 1, 2, 3, the second b1, b2, b3."""
    history = _seen(((_submit("free"),), (CANCELLED,)), *MADE, (1, None), (1, NO))
    case = Case(history, an_executor())
    assert [case.say(call).split()[0] for call in case.calls] == ["#1", "#b1", "#2"]
