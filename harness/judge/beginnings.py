"""POOL-05, POOL-06: what workers do before their first task, and what becomes of a pool in which it fails."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Case, Task, Track
from harness.values import operation as op
from harness.values.outcome import Raised

if TYPE_CHECKING:
    from harness.judge.tally import Tally
    from harness.values.history import Started


def judge_beginnings(case: Case, tally: Tally) -> None:
    """Judge the executors that have an initializer."""
    for executor, beginning in case.beginnings.items():
        for start in beginning.starts:
            text = "the initializer was called with other arguments than its initargs"
            tally.check("POOL-05", start.intact, text)
        _judge_first(case, tally, executor, beginning)
        _judge_once(case, tally, beginning)
        if case.raises_at_first(executor) and beginning.finishes:
            _judge_failed(case, tally, executor)


def _judge_first(case: Case, tally: Tally, executor: str, beginning: Task) -> None:
    """POOL-05: no task begins in a worker that has not called the initializer before."""
    for name, owner in case.owners.items():
        if owner == executor:
            for start in case.tasks[name].starts:
                worker = _worker(case, start)
                ready = any(_worker(case, each) == worker and each.at < start.at for each in beginning.starts)
                text = f"{name} starts in a worker that has not called the initializer"
                tally.check("POOL-05", ready, text, task=name)


def _judge_once(case: Case, tally: Tally, beginning: Task) -> None:
    """POOL-05: a worker calls its initializer once."""
    if case.subject.kind == "process":
        times = Counter(start.pid for start in beginning.starts)
        again = [pid for pid, count in times.items() if count > 1]
    else:
        again = [start.thread for start in beginning.starts if start.again]
    if again:
        tally.blame("POOL-05", f"worker {again[0]} has called its initializer more than once")


def _worker(case: Case, start: Started) -> int:
    """Who began something: a thread of the client, or a process."""
    return start.pid if case.subject.kind == "process" else start.thread


def _judge_failed(case: Case, tally: Tally, executor: str) -> None:
    """POOL-06: it failed in every worker that began, so all futures fail, or are cancelled."""
    for track in case.tracks.values():
        if track.executor != executor:
            continue
        if track.task.starts:
            text = f"{track.task.script.task} was executed, although every initializer fails"
            tally.blame("POOL-06", text, task=track.task.script.task)
        for call in track.calls:
            if isinstance(call.step, op.Result) and call.ours and call.answered:
                right = _failed_rightly(case, track, call.outcome)
                text = f"the initializer failed, and {track.name} does not fail with BrokenExecutor"
                tally.check("POOL-06", right, text, call, future=track.name)


def _failed_rightly(case: Case, track: Track, outcome: object) -> bool:
    """Whether a future ended as it may: broken, cancelled by somebody, or by what could not be pickled."""
    if not isinstance(outcome, Raised):
        return False
    if "CancelledError" in outcome.bases:
        return case.cancelled_since[track.name] < FOREVER or case.cancelling_since(track.executor) < FOREVER
    unsendable = case.may_fail_unstarted(track)
    return case.cancelled_since[track.name] == FOREVER and ("BrokenExecutor" in outcome.bases or unsendable)
