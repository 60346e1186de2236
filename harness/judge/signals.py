"""BRK-09 and BRK-13: signals to workers that kill nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case, Track
from harness.judge.deaths import tells_of_a_break
from harness.values import operation as op
from harness.values.outcome import Raised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.judge.tally import Tally


def judge_signals(case: Case, tally: Tally) -> None:
    """BRK-09, BRK-13."""
    for call in case.of(op.Interrupt):
        executor = getattr(call.step, "executor", "")
        if case.struck(call) is not None and case.killed[executor] == FOREVER:
            _judge_interrupted(case, tally, executor, call)
    for call in case.of(op.Suspend):
        executor = getattr(call.step, "executor", "")
        unhurt = min(case.killed[executor], case.interrupted[executor]) == FOREVER
        if case.struck(call) is not None and unhurt:
            _judge_suspended(case, tally, executor, call)


def _judge_interrupted(case: Case, tally: Tally, executor: str, call: Call) -> None:
    """BRK-13: the signal to a worker that was idle does not fail a task that ran in another."""
    if case.interrupted_tasks or _strained(case, executor):
        return
    for track, read in _outcomes(case, executor):
        elsewhere = all(start.pid != case.struck(call) for start in track.task.starts)
        if track.task.inside(call.begin, call.end) and elsewhere:
            text = f"{track.task.script.task} ran in another worker than the one that got SIGINT, and failed"
            tally.check("BRK-13", not tells_of_a_break(read.outcome), text, call, read, future=track.name)


def _judge_suspended(case: Case, tally: Tally, executor: str, call: Call) -> None:
    """BRK-09: the task of a worker that was stopped and continued has its own outcome."""
    if _strained(case, executor):
        return
    for track, read in _outcomes(case, executor):
        there = any(start.pid == case.struck(call) for start in track.task.starts)
        if there and track.task.began < call.begin and call.end < track.task.left:
            name = track.task.script.task
            text = f"the worker of {name} was stopped and continued, and its outcome is lost"
            lost = tells_of_a_break(read.outcome) or (
                isinstance(read.outcome, Raised)
                and "CancelledError" in read.outcome.bases
                and read.outcome.task is None
            )
            tally.check("BRK-09", not lost, text, call, read, future=track.name)


def _strained(case: Case, executor: str) -> bool:
    """Whether something that does not get across the boundary may have broken the pool as well."""
    return any(track.task.script.strains for track in case.tracks.values() if track.executor == executor)


def _outcomes(case: Case, executor: str) -> Iterator[tuple[Track, Call]]:
    """The futures of an executor that nobody cancelled, with their last `result()`."""
    if case.cancelling_since(executor) < FOREVER:
        return
    for track in case.tracks.values():
        if track.executor == executor and case.cancelled_since[track.name] == FOREVER:
            for read in track.calls:
                if isinstance(read.step, op.Result) and read.ours and read.answered:
                    yield track, read
