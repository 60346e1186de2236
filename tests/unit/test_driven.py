"""Bare futures: what their machine allows, which rule an answer breaks, which calls are sure to come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.check.reduce import reduce
from harness.judge.judge import judge
from harness.model.progress import objection
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.history import Answered, Called, History
from harness.values.outcome import Raised, Returned, Split, States, Submitted
from harness.values.program import Lane, Program, Script
from tests.unit.story import NO, NONE, YES, Line, an_executor, ends, raised, starts, story, submit

if TYPE_CHECKING:
    from harness.values.outcome import Outcome

REFUSED = Raised(error="InvalidStateError", bases=("InvalidStateError", "Error", "Exception"))
CANCELLED = Raised(error="CancelledError", bases=("CancelledError", "Error", "Exception"))
TWICE = raised(RuntimeError)
LATE = raised(TimeoutError)

MADE: tuple[Line, ...] = (
    submit(0), starts(0), ends(0), (op.Fresh(future="b", like="f0"), Submitted(is_future=True)),
)  # fmt: skip
CLAIM, CANCEL, DONE = op.Claim(future="b"), op.Cancel(future="b"), op.Done(future="b")
READ, GLANCE = op.Result(future="b"), op.Result(future="b", timeout=0.0)
ONE, TWO = (op.SetResult(future="b", mark=mark) for mark in ("v1", "v2"))
FAIL = op.SetException(future="b", mark="v3")
EITHER = op.Wait(futures=("b", "c"), return_when="FIRST_EXCEPTION")


def parcel(mark: str, *, same: bool = True) -> Returned:
    """What a read of a future gives that was ended with such a value."""
    return Returned(value=f"parcel {mark} whole 0", same=same)


def looks(*seen: str) -> tuple[op.Operation, Outcome]:
    """Polls of running(), cancelled(), done()."""
    return op.Observe(future="b", times=len(seen)), States(seen=seen)


def error(mark: str, serial: int = 0) -> Raised:
    """The exception of that mark."""
    return Raised(error="ValueError", bases=("ValueError", "Exception"), message=mark, serial=serial)


def broken(*lines: Line) -> set[str]:
    """The rules that these calls break, on a bare future made before."""
    judgement = judge(story(*MADE, *lines), an_executor(), load_rules())
    assert not judgement.inconclusive
    return {witness.rule for witness in judgement.witnesses}


@pytest.mark.parametrize(
    "lines",
    [
        [looks("000"), (CLAIM, YES), looks("100", "100"), (ONE, NONE), looks("001"), (READ, parcel("v1"))],
        [(ONE, NONE), (TWO, REFUSED), (FAIL, REFUSED), (READ, parcel("v1")), (CLAIM, TWICE), (CANCEL, NO)],
        [
            (FAIL, Returned(value="None", error=error("v3", 1))),
            (READ, error("v3", 1)),
            (GLANCE, error("v3", 1)),
        ],
        [
            (CANCEL, YES),
            (CANCEL, YES),
            looks("011"),
            (CLAIM, NO),
            (CLAIM, NO),
            (CLAIM, TWICE),
            (READ, CANCELLED),
        ],
        [(CANCEL, YES), (ONE, REFUSED), (READ, CANCELLED), looks("011"), (CLAIM, NO), (ONE, REFUSED)],
        [(CLAIM, YES), (CLAIM, TWICE), (CANCEL, NO), looks("100"), (GLANCE, LATE), (ONE, NONE)],
        [(op.Repr(future="b"), Returned(value="<Future state=pending>"))],
    ],
)
def test_what_a_future_should_do_breaks_nothing(lines: list[Line]) -> None:
    """Each answer is the one that the calls before foretell."""
    assert broken(*lines) == set()


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ("FUT-04", [(CANCEL, NO)]),
        ("FUT-04", [(CANCEL, YES), (DONE, NO)]),
        ("FUT-06", [(ONE, NONE), (CANCEL, YES)]),
        ("FUT-07", [(CANCEL, YES), (CANCEL, NO)]),
        ("FUT-11", [(CLAIM, NO)]),
        ("FUT-11", [(CLAIM, YES), looks("000")]),
        ("FUT-11", [(CLAIM, YES), (CLAIM, YES)]),
        ("FUT-11", [(CANCEL, YES), (CLAIM, YES)]),
        ("FUT-11", [(CANCEL, YES), (CLAIM, TWICE)]),
        ("FUT-11", [(ONE, NONE), (CLAIM, NO)]),
        ("FUT-12", [(ONE, NONE), (TWO, NONE)]),
        ("FUT-12", [(ONE, NONE), (TWO, REFUSED), (READ, parcel("v2"))]),
        ("FUT-12", [(CANCEL, YES), (ONE, NONE)]),
        ("FUT-12", [(CANCEL, YES), (ONE, REFUSED), (READ, parcel("v1"))]),
        ("FUT-13", [(ONE, REFUSED)]),
        ("FUT-16", [(CLAIM, YES), (op.Repr(future="b"), Returned(value="<Future state=pending>"))]),
        ("FUT-21", [(CLAIM, YES), (CANCEL, YES)]),
        ("FUT-22", [(CLAIM, YES), (ONE, TWICE)]),
        ("FUT-22", [(CLAIM, YES), (ONE, NONE), (DONE, NO)]),
        ("FUT-22", [(ONE, NONE), (READ, parcel("v1", same=False))]),
        ("FUT-22", [(ONE, NONE), (READ, CANCELLED)]),
        ("FUT-22", [(FAIL, Returned(value="None", error=error("v3", 1))), (READ, error("v3", 2))]),
        ("FUT-23", [looks("100")]),
        ("FUT-23", [(DONE, YES)]),
        ("RES-04", [(CANCEL, YES), (READ, error("v3"))]),
        ("RES-07", [(GLANCE, NONE)]),
        ("WAIT-06", [(ONE, NONE), (op.Wait(futures=("b",), timeout=1e-9), Split(done=(), not_done=("b",)))]),
        ("WAIT-06", [(CLAIM, YES), (op.Wait(futures=("b",)), Split(done=("b",), not_done=()))]),
    ],
)  # fmt: skip
def test_a_wrong_answer_breaks_its_rule(rule: str, lines: list[Line]) -> None:
    """The rule is named that speaks of this question in this phase."""
    assert rule in broken(*lines)


def raced(first: op.Operation, second: op.Operation, *answers: Outcome, claimed: bool = False) -> set[str]:
    """The rules that two calls break which two lanes make at once."""
    early = (op.Submit(executor="e0", future="f0", task="t0"), op.Fresh(future="b", like="f0"), CLAIM)
    steps: tuple[op.Operation, ...] = early if claimed else early[:2]
    program = Program(
        tasks=(Script(task="t0"),), lanes=(Lane(operations=(*steps, first)), Lane(operations=(second,)))
    )
    before: list[Outcome] = [Submitted(is_future=True), Submitted(is_future=True), YES]
    last = len(steps)
    events = [
        event
        for call in range(last)
        for event in (
            Called(at=2 * call, call=call), Answered(at=2 * call + 1, call=call, outcome=before[call])
        )
    ] + [
        Called(at=20, call=last), Called(at=21, call=0, lane=1),
        Answered(at=22, call=last, outcome=answers[0]), Answered(at=23, call=0, outcome=answers[1], lane=1),
        Called(at=24, call=last + 1), Answered(at=25, call=last + 1, outcome=NONE),
    ]  # fmt: skip
    judgement = judge(History(program=program, events=tuple(events)), an_executor(), load_rules())
    assert not judgement.inconclusive
    return {witness.rule for witness in judgement.witnesses}


@pytest.mark.parametrize(
    ("answers", "rules"),
    [((YES, NO), set()), ((NO, YES), set()), ((YES, YES), {"FUT-14"}), ((NO, NO), {"FUT-14"})],
)
def test_of_a_cancel_and_a_claim_one_wins(answers: tuple[Outcome, ...], rules: set[str]) -> None:
    """Both orders are fine, and nothing else."""
    assert raced(CANCEL, CLAIM, *answers) == rules


@pytest.mark.parametrize(
    ("claimed", "answers", "rules"),
    [
        (True, (NO, NONE), set()),
        (True, (YES, REFUSED), {"FUT-15"}),
        (True, (YES, NONE), {"FUT-15"}),
        (False, (YES, REFUSED), set()),
        (False, (NO, NONE), set()),
    ],
)
def test_the_result_of_a_running_future_stands(
    claimed: bool,  # noqa: FBT001 - pytest passes parameters by name
    answers: tuple[Outcome, ...],
    rules: set[str],
) -> None:
    """A cancel that comes while it is being set is too late; on a pending future either may win."""
    assert raced(CANCEL, ONE, *answers, claimed=claimed) == rules


@pytest.mark.parametrize(
    ("fair", "steps"),
    [
        (True, [ONE, READ]),
        (True, [CANCEL, READ]),
        (False, [READ]),
        (False, [CLAIM, READ]),
        (False, [CLAIM, CANCEL, READ]),
        (True, [CLAIM, CANCEL, ONE, READ]),
        (True, [ONE, op.Wait(futures=("b",))]),
        (False, [CANCEL, op.Wait(futures=("b",))]),
        (True, [CANCEL, CLAIM, op.Wait(futures=("b",))]),
        (True, [FAIL, op.Fresh(future="c", like="f0"), EITHER]),
        (False, [ONE, op.Fresh(future="c", like="f0"), EITHER]),
        (True, [ONE, op.AsCompleted(iterator="i", futures=("b",)), op.Next(iterator="i")]),
        (False, [op.AsCompleted(iterator="i", futures=("b",)), op.Next(iterator="i")]),
    ],
)  # fmt: skip
def test_a_call_is_fair_if_the_future_is_surely_ended(fair: bool, steps: list[op.Operation]) -> None:  # noqa: FBT001 - pytest passes parameters by name
    """Whoever waits for a future that nobody ends, or for a cancel that nobody tells, may wait for ever."""
    made = op.Submit(executor="e0", future="f0", task="t0"), op.Fresh(future="b", like="f0")
    program = Program(tasks=(Script(task="t0"),), lanes=(Lane(operations=(*made, *steps)),))
    assert (objection(program) == "") is fair


def test_a_claim_of_another_lane_may_come_first() -> None:
    """With a rival that may claim it, a cancel proves nothing."""
    made = op.Submit(executor="e0", future="f0", task="t0"), op.Fresh(future="b", like="f0")
    lanes = Lane(operations=(*made, CANCEL, READ)), Lane(operations=(CLAIM,))
    program = Program(tasks=(Script(task="t0"),), lanes=lanes)
    assert "wait for ever" in objection(program, lanes=2)


def test_a_claim_behind_a_cancel_does_not_come_first() -> None:
    """Whoever waits in another lane is told: the claim can only come across what was cancelled before."""
    made = op.Submit(executor="e0", future="f0", task="t0"), op.Fresh(future="b", like="f0")
    lanes = Lane(operations=(*made, CANCEL, CLAIM)), Lane(operations=(op.Wait(futures=("b",)),))
    program = Program(tasks=(Script(task="t0"),), lanes=lanes)
    assert objection(program, lanes=2) == ""


def test_a_read_that_was_to_wait_is_told_of_the_cancel() -> None:
    """Without a timeout there is no TimeoutError, whether the cancel came before or meanwhile."""
    assert raced(CANCEL, READ, YES, LATE) == {"RES-04"}
    assert raced(CANCEL, READ, YES, CANCELLED) == set()


def test_a_race_is_reduced_in_all_its_lanes() -> None:
    """What a lane does to the future of another is kept, as long as that one makes it."""
    made = op.Submit(executor="e0", future="f0", task="t0"), op.Fresh(future="b", like="f0")
    lanes = Lane(operations=(*made, DONE, CLAIM, DONE)), Lane(operations=(DONE, CANCEL, DONE))
    program = Program(tasks=(Script(task="t0"),), lanes=lanes)

    def races(candidate: Program) -> bool:
        return [CLAIM in lane.operations or CANCEL in lane.operations for lane in candidate.lanes] == [
            True
        ] * 2

    least = Lane(operations=(*made, CLAIM)), Lane(operations=(CANCEL,))
    assert reduce(program, races).lanes == least
