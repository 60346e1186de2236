"""Which rule a call breaks that never returns: the one that says most about why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.history import Answered, Called, Entered, Finished, History, Started, Stuck
from harness.values.outcome import Mapped, Submitted
from harness.values.program import Lane, Pool, Program, Return, Script
from tests.unit.story import NONE, an_executor

RULES = load_rules()


@pytest.mark.parametrize(("limit", "rule"), [(None, "PKL-02"), (1, "POOL-07")])
def test_the_result_of_a_worn_out_worker_is_lost_with_its_pool(limit: int | None, rule: str) -> None:
    """What cannot be pickled may hang for that; where a worker was to be replaced, that is more likely."""
    submit = op.Submit(executor="e0", future="f0", task="t0")
    steps = (submit, op.Shutdown(executor="e0", wait=False), op.Result(future="f0"))
    program = Program(
        pools=(Pool(workers=1, start="spawn", tasks_per_worker=limit),),
        tasks=(Script(task="t0", ending=Return(gift="unpicklable")),),
        lanes=(Lane(operations=steps),),
    )
    events = (
        Called(at=1, call=0), Answered(at=2, call=0, outcome=Submitted(is_future=True)),
        Started(at=3, task="t0", pid=2, thread=1), Called(at=4, call=1),
        Answered(at=5, call=1, outcome=NONE), Finished(at=6, task="t0", pid=2),
        Called(at=7, call=2), Stuck(at=8, stacks=""),
    )  # fmt: skip
    history = History(program=program, client=1, events=events)
    subject = replace(an_executor("process", prefetch=2), capabilities=("max_tasks_per_child",))
    witnesses = judge(history, subject, RULES).witnesses
    assert {witness.rule for witness in witnesses} == {rule}


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (op.Map(executor="e0", iterator="i0", tasks=("t1",), timeout=0.5), "MAP-05"),
        (op.Map(executor="e0", iterator="i0", tasks=("t1",)), "POOL-07"),
        (op.AsCompleted(iterator="i0", futures=("f0",), timeout=0.5), "ASC-04"),
    ],
)
def test_an_iterator_with_a_timeout_has_no_excuse(made: op.Operation, rule: str) -> None:
    """A worker is missing, and so is the result; with a timeout the client has to be told that."""
    submit = op.Submit(executor="e0", future="f0", task="t0")
    program = Program(
        pools=(Pool(workers=1, start="spawn", tasks_per_worker=1),),
        tasks=(Script(task="t0"), Script(task="t1")),
        lanes=(Lane(operations=(submit, made, op.Next(iterator="i0"))),),
    )
    outcome = Mapped(pulled=1) if isinstance(made, op.Map) else NONE
    events = (
        Called(at=1, call=0), Answered(at=2, call=0, outcome=Submitted(is_future=True)),
        Started(at=3, task="t0", pid=2, thread=1), Finished(at=4, task="t0", pid=2),
        Called(at=5, call=1), Answered(at=6, call=1, outcome=outcome),
        Called(at=7, call=2), Stuck(at=8, stacks=""),
    )  # fmt: skip
    history = History(program=program, client=1, events=events)
    subject = replace(an_executor("process", prefetch=2), capabilities=("map_timeout", "max_tasks_per_child"))
    assert {witness.rule for witness in judge(history, subject, RULES).witnesses} == {rule}


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize(
    "step",
    [
        op.Submit(executor="e0", future="f1", task="t1"),
        op.Map(executor="e0", iterator="i0", tasks=("t1",)),
        op.Result(future="f0"),
    ],
    ids=["the client submits", "the client maps", "a callback submits"],
)
def test_where_submit_may_wait_for_room_nobody_knows_for_how_long(step: op.Operation, bounded: bool) -> None:  # noqa: FBT001 - a parameter
    """Who waits for room in a queue, in the client or in a callback, accuses no pool that may let it."""
    submit = op.Submit(executor="e0", future="f0", task="t0")
    callback = op.AddCallback(future="f0", callback="c0", deed="submit", executor="e0", task="t2")
    program = Program(
        tasks=(Script(task="t0"), Script(task="t1"), Script(task="t2")),
        lanes=(Lane(operations=(submit, callback, step)),),
    )
    inside = (Entered(at=6, callback="c0", future="f0"),) if isinstance(step, op.Result) else ()
    events = (
        Called(at=1, call=0), Answered(at=2, call=0, outcome=Submitted(is_future=True)),
        Called(at=3, call=1), Answered(at=4, call=1, outcome=NONE),
        Started(at=5, task="t0", pid=1, thread=1), *inside, Called(at=7, call=2), Stuck(at=8, stacks=""),
    )  # fmt: skip
    history = History(program=program, client=1, events=events)
    subject = replace(an_executor(), capabilities=("submit_may_block",) if bounded else ())
    judgement = judge(history, subject, RULES)
    assert bool(judgement.inconclusive) == bounded
    assert bool(judgement.witnesses) != bounded
