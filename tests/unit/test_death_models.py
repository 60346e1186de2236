"""What is declared of an executor changes what it is held to: deaths that heal, running tasks that stop."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values.history import Answered, Called, Finished, History, Started
from harness.values.operation import Cancel, Kill, Operation, Result, Shutdown, Submit
from harness.values.outcome import Outcome, Returned, Struck, Submitted
from harness.values.program import Lane, Pool, Program, Script, epilogue
from tests.unit.story import NONE, YES, an_executor, ends, raised, starts, story, submit

if TYPE_CHECKING:
    from harness.values.history import Event
    from harness.values.subject import DeathModel, Subject
    from harness.values.verdict import Judgement

VICTIM, NEIGHBOUR = 11, 12  # pids
ACCEPTED = Submitted(is_future=True)
LOST = raised(OSError, message="the worker is gone")
WHOLE = {name: Returned(value=f"parcel {name} whole 0") for name in ("t0", "t1")}


def a_pool_that(death: DeathModel) -> Subject:
    """A process pool with this model of death."""
    return replace(an_executor("process"), death=death)


def after_a_kill(victim: Outcome, neighbour: Outcome, late: Outcome = ACCEPTED) -> History:
    """Two tasks run in two workers, one of which is killed; then a third is submitted, and all are read."""
    names = ("t0", "t1", "t2")
    steps: tuple[Operation, ...] = (
        *(Submit(executor="e0", future=f"f{name[1]}", task=name) for name in names[:2]),
        Kill(executor="e0", task="t0"),
        Submit(executor="e0", future="f2", task="t2"),
    )
    program = Program(
        pools=(Pool(workers=2),), tasks=tuple(Script(task=name, gates=("g0",)) for name in names),
        lanes=(Lane(operations=steps),),
    )  # fmt: skip
    events: list[Event] = []

    def call(number: int, outcome: Outcome) -> None:
        at = 10 * len(events) + 10
        events.extend((Called(at=at, call=number), Answered(at=at + 5, call=number, outcome=outcome)))

    call(0, ACCEPTED)
    call(1, ACCEPTED)
    for name, pid in (("t0", VICTIM), ("t1", NEIGHBOUR)):
        events.append(Started(at=10 * len(events) + 10, task=name, pid=pid, thread=1))
    call(2, Struck(pid=VICTIM))
    call(3, late)
    events.append(Finished(at=10 * len(events) + 10, task="t1", pid=NEIGHBOUR))
    for place, step in enumerate(epilogue(program), start=len(steps)):
        if isinstance(step, Result) and step.future in ("f0", "f1"):
            call(place, victim if step.future == "f0" else neighbour)
    return History(program=program, events=tuple(events))


def broken(judgement: Judgement) -> set[str]:
    """The rules that a history breaks."""
    assert not judgement.inconclusive
    return {witness.rule for witness in judgement.witnesses}


def test_a_pool_that_heals_fails_the_victim_with_whatever_it_likes() -> None:
    """Only a pool that breaks says so by `BrokenExecutor`; the others' tasks have their own outcomes."""
    history = after_a_kill(LOST, WHOLE["t1"])
    judgement = judge(history, a_pool_that("heals"), load_rules())
    assert broken(judgement) == set()
    assert judgement.met["BRK-02"] == judgement.met["BRK-04"] + 1 == 2  # noqa: PLR2004 - victim and neighbour
    assert "BRK-02" in broken(judge(history, a_pool_that("breaks"), load_rules()))


@pytest.mark.parametrize(
    ("victim", "neighbour"), [(WHOLE["t0"], WHOLE["t1"]), (LOST, LOST)], ids=["victim", "neighbour"]
)
def test_a_pool_that_heals_harms_the_victim_only(victim: Outcome, neighbour: Outcome) -> None:
    """It is an error to give a lost task an outcome, and to fail one whose worker lives."""
    judgement = judge(after_a_kill(victim, neighbour), a_pool_that("heals"), load_rules())
    assert "BRK-02" in broken(judgement)


@pytest.mark.parametrize("death", ["heals", "retries"])
def test_a_pool_that_survives_a_death_accepts_work(death: DeathModel) -> None:
    """A pool that is said to heal and then refuses has not healed."""
    refused = after_a_kill(LOST, WHOLE["t1"], raised(RuntimeError, message="the pool has failed"))
    assert "BRK-04" in broken(judge(refused, a_pool_that(death), load_rules()))


def test_an_outcome_may_be_lost_where_nothing_is_known_of_deaths() -> None:
    """Undefined is undefined: neither victim nor neighbour accuses anybody."""
    judgement = judge(after_a_kill(LOST, LOST), a_pool_that("undefined"), load_rules())
    assert broken(judgement) == set()


@pytest.mark.parametrize("stops", [True, False])
def test_a_running_task_may_be_cancelled_where_that_is_declared(stops: bool) -> None:  # noqa: FBT001 - a parameter
    """Its body may still come to its end; who declares nothing is told by FUT-05."""
    history = story(submit(0), starts(0), (Cancel(future="f0"), YES), ends(0))
    subject = replace(an_executor(), capabilities=("cancels_running",) if stops else ())
    assert broken(judge(history, subject, load_rules())) == (set() if stops else {"FUT-05"})


@pytest.mark.parametrize("by", ["client", "shutdown"])
def test_a_running_task_that_its_client_cancels_was_not_cancelled_by_a_shutdown(by: str) -> None:
    """Where running tasks can be cancelled, a shutdown answers only for those that nobody else cancelled."""
    cancel = [(Cancel(future="f0"), YES)] if by == "client" else []
    history = story(
        submit(0), starts(0), (Shutdown(executor="e0", wait=False, cancel_futures=True), NONE), *cancel,
        (Result(future="f0"), raised(CancelledError)), ends(0),
    )  # fmt: skip
    subject = replace(an_executor(), capabilities=("cancel_futures", "cancels_running"))
    assert ("SHD-03" in broken(judge(history, subject, load_rules()))) == (by == "shutdown")


@pytest.mark.parametrize("death", ["heals", "retries"])
def test_a_task_is_executed_again_where_deaths_are_survived_by_trying_again(death: DeathModel) -> None:
    """Its second execution has the outcome; to a pool that does not say so it is one too many."""
    history = after_a_kill(WHOLE["t0"], WHOLE["t1"])
    again = (
        Started(at=10_000, task="t0", pid=VICTIM + 2, thread=1),
        Finished(at=10_010, task="t0", pid=VICTIM + 2),
    )
    end = next(
        place
        for place, event in enumerate(history.events)
        if isinstance(event, Finished) and event.task == "t1"
    )
    events = [*history.events[:end], *again, *history.events[end:]]
    told = replace(
        history, events=tuple(replace(event, at=10 * at) for at, event in enumerate(events, start=1))
    )
    assert ("FUT-09" in broken(judge(told, a_pool_that(death), load_rules()))) == (death == "heals")
