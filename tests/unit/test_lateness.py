"""Who comes back late: only an exact history tells, and a look at the clock now and then is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.history import Answered, Called, History
from harness.values.outcome import Drained, Mapped, Returned, Split, Submitted
from harness.values.program import Lane, Program, Script
from tests.unit.story import NONE, an_executor, raised

if TYPE_CHECKING:
    from harness.values.outcome import Outcome

_SECOND: Final = 1_000_000_000
_LATE: Final = raised(TimeoutError)
_MADE: Final = Returned(value="an iterator")
_SUBMITTED: Final = (op.Submit(executor="e0", future="f0", task="t0"), 0.0, 0.0, Submitted(is_future=True))
_MAP: Final = op.Map(executor="e0", iterator="i0", tasks=("t1",), timeout=2.0)
_ITERATE: Final = op.AsCompleted(iterator="i0", futures=("f0",), timeout=2.0)


def _blamed(*lines: tuple[op.Operation, float, float, Outcome], exact: bool = True) -> set[str]:
    """The rules that calls break which begin and end at these seconds."""
    steps = tuple(line[0] for line in (_SUBMITTED, *lines))
    program = Program(
        tasks=(Script(task="t0", gates=("g0",)), Script(task="t1", gates=("g1",))),
        lanes=(Lane(operations=steps),),
    )
    events: list[Called | Answered] = []
    for call, (_, begin, end, outcome) in enumerate((_SUBMITTED, *lines)):
        events.append(Called(at=int(begin * _SECOND) + 2 * call, call=call))
        events.append(Answered(at=int(end * _SECOND) + 2 * call + 1, call=call, outcome=outcome))
    last = events[-1].at + 1
    events += [
        Called(at=last, call=len(steps)), Answered(at=last + 1, call=len(steps), outcome=NONE),
    ]  # fmt: skip
    history = History(program=program, events=tuple(events), exact=exact)
    subject = replace(an_executor(), capabilities=("map_timeout",))
    judgement = judge(history, subject, load_rules())
    assert not judgement.inconclusive
    return {witness.rule for witness in judgement.witnesses if witness.shape == "late"}


@pytest.mark.parametrize(
    ("rule", "step", "outcome"),
    [
        ("RES-06", op.Result(future="f0", timeout=2.0), _LATE),
        ("RES-06", op.Error(future="f0", timeout=2.0), _LATE),
        ("RES-07", op.Result(future="f0", timeout=0.0), _LATE),
        ("WAIT-02", op.Wait(futures=("f0",), timeout=2.0), Split(done=(), not_done=("f0",))),
        (
            "WAIT-03", op.Wait(futures=("f0",), timeout=2.0, return_when="FIRST_COMPLETED"),
            Split(done=(), not_done=("f0",)),
        ),
        (
            "WAIT-04", op.Wait(futures=("f0",), timeout=2.0, return_when="FIRST_EXCEPTION"),
            Split(done=(), not_done=("f0",)),
        ),
    ],
)  # fmt: skip
def test_a_call_that_overruns_its_timeout_is_late(rule: str, step: op.Operation, outcome: Outcome) -> None:
    """Two seconds and a half are no matter, twice the time is; on a real clock nobody can tell."""
    due = float(getattr(step, "timeout", 0.0))
    assert _blamed((step, 1.0, 1.0 + due + 0.5, outcome)) == set()
    assert _blamed((step, 1.0, 1.0 + due + 2.0, outcome)) == {rule}
    assert _blamed((step, 1.0, 1.0 + due + 2.0, outcome), exact=False) == set()


@pytest.mark.parametrize(
    ("rule", "made", "what"), [("MAP-05", _MAP, Mapped(pulled=1)), ("ASC-04", _ITERATE, _MADE)]
)
def test_an_iterator_counts_from_its_call(rule: str, made: op.Operation, what: Outcome) -> None:
    """The time before the first step is part of it; a step that begins too late has none left."""
    drain, empty = op.Drain(iterator="i0"), Drained(items=(), end=_LATE)
    assert _blamed((made, 0.0, 0.0, what), (drain, 1.5, 2.0, empty)) == set()
    assert _blamed((made, 0.0, 0.0, what), (drain, 1.5, 3.5, empty)) == {rule}
    assert _blamed((made, 0.0, 0.0, what), (drain, 5.0, 5.0, empty)) == set()
    assert _blamed((made, 0.0, 0.0, what), (drain, 5.0, 7.0, empty)) == {rule}
