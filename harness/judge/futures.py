"""FUT and RES rules that need no state machine: executions, outcomes, what reading gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case, Track, timed_out
from harness.judge.deaths import error_of, tells_of_a_break
from harness.values import operation as op
from harness.values.outcome import Outcome, Raised, Returned, States, Submitted
from harness.values.program import FALSY, Raise, Return

if TYPE_CHECKING:
    from harness.judge.tally import Tally

_SECOND = 1_000_000_000
_OWN_STATES = {"TimeoutError", "CancelledError"}
_LEAVING = {"SystemExit", "KeyboardInterrupt", "GeneratorExit"}
_ERROR_NAMES = {
    "Chained": "ValueError",
    **{
        fault: f"{fault}Error"
        for fault in (*FALSY, "Undecided", "Unequal", "Unprintable", "Unpicklable", "Unloadable")
    },
}


def judge_executions(case: Case, tally: Tally) -> None:
    """FUT-08, FUT-09, FUT-17, FUT-19, SUB-01: which tasks ran, how often, with what arguments."""
    for call in case.of(op.Submit):
        if isinstance(call.outcome, Submitted):
            tally.check(
                "FUT-17", call.outcome.is_future, "submit returned something else than a Future", call
            )
    for name, task in case.tasks.items():
        text = f"{name} was called with other arguments than were submitted"
        for start in task.starts:
            tally.check("SUB-01", start.intact, text, task=name)
    for track in case.tracks.values():
        _judge_once(case, tally, track)
        if not track.task.starts and case.complete():
            _hold_cancelled(case, tally, track)


def _judge_once(case: Case, tally: Tally, track: Track) -> None:
    """FUT-09: a task that was accepted is executed, and once only."""
    name, starts = track.task.script.task, track.task.starts
    if len(starts) > 1 and case.subject.death != "retries":
        pids = ", ".join(str(start.pid) for start in starts)
        tally.blame("FUT-09", f"{name} was executed {len(starts)} times (in processes {pids})", task=name)
    elif starts:
        tally.hold("FUT-09")
    elif case.done_since[track.name] < FOREVER and _outcome(track) == "value" and case.complete():
        text = f"{track.name} has an outcome, but {name} was never executed"
        tally.blame("FUT-09", text, *track.calls[-2:])


def _hold_cancelled(case: Case, tally: Tally, track: Track) -> None:
    """FUT-08, FUT-19: a cancelled task was never executed."""
    if case.cancelled_since[track.name] < FOREVER:
        tally.hold("FUT-08")
    elif case.cancelling_since(track.executor) < FOREVER:
        tally.hold("FUT-19")


def _outcome(track: Track) -> str:
    reads = [call for call in track.calls if isinstance(call.step, op.Result) and call.answered]
    return "value" if reads and isinstance(reads[-1].outcome, Returned) else ""


def judge_exclusion(case: Case, tally: Tally) -> None:
    """FUT-03 and FUT-16: what a future says of itself in one breath."""
    for call in case.of(op.Observe):
        if isinstance(call.outcome, States):
            for bits in call.outcome.seen:
                clash = bits[:2] == "11" or bits[1:] == "10"
                tally.check("FUT-03", not clash, "states that exclude each other were seen together", call)
    for call in case.of(op.Repr):
        name = getattr(call.step, "future", "")
        told = isinstance(call.outcome, Returned)
        if told and case.done_since.get(name, FOREVER) < call.begin:
            told = "finished" in call.value or "cancelled" in call.value
            told = told and not _misreports(case, name, call.value)
        tally.check("FUT-16", told, "repr() does not tell the state, or raises", call, future=name)


def _misreports(case: Case, name: str, text: str) -> bool:
    """Whether a text says that a task raised which certainly returned, or the other way round."""
    track = case.tracks.get(name)
    if track is None or "finished" not in text or case.deaths[track.executor] < FOREVER:
        return False
    if case.may_fail_unstarted(track) or track.task.script.obstacle or track.task.left == FOREVER:
        return False
    match track.task.script.ending:
        case Return():
            return " raised " in text
        case Raise(error=error):
            return " returned " in text and error not in (*FALSY, "Undecided")
        case _:
            return False


def judge_outcomes(case: Case, tally: Tally) -> None:
    """RES rules on every read of every future."""
    for track in case.tracks.values():
        for call in track.calls:
            if isinstance(call.step, op.Result | op.Error) and call.answered:
                _judge_timeout(case, tally, track, call)
                _judge_read(case, tally, track, call)
        _judge_again(case, tally, track)
        _judge_kept(case, tally, track)


def _judge_timeout(case: Case, tally: Tally, track: Track, call: Call) -> None:
    """RES-05 and RES-07: with a timeout, on a future that surely is unfinished or surely is done."""
    timeout = getattr(call.step, "timeout", None)
    if timeout is None:
        return
    expired = timed_out(call.outcome, track.task.script.task)
    undisturbed = min(case.deaths[track.executor], case.cancelled_since[track.name]) > call.end
    unfinished = undisturbed and track.task.inside(call.begin, call.end)
    done = case.done_since[track.name] < call.begin
    rule = "RES-05" if timeout > 0 else "RES-07"
    if unfinished:
        kind = "the task is inside its body, and yet there is no TimeoutError"
        tally.check(rule, expired, kind, call, future=track.name)
    elif done:
        tally.check(
            "RES-07", not expired, "the future is done, and yet reading it times out", call, future=track.name
        )
    if expired and timeout > 0 and call.end - call.begin < timeout * _SECOND:
        took = (call.end - call.begin) / _SECOND
        tally.blame(
            "RES-05", f"TimeoutError after {took:.6f} s of {timeout:g} s", call, timed=True, future=track.name
        )


def _may_be_the_signal(case: Case, track: Track, outcome: Outcome) -> bool:
    """Whether a read gives what a signal raises that struck a worker of the pool, perhaps as it ran this."""
    error = error_of(outcome)
    interrupted = error is not None and "KeyboardInterrupt" in error.bases
    return interrupted and case.interrupted[track.executor] < FOREVER


def _judge_read(case: Case, tally: Tally, track: Track, call: Call) -> None:
    """What a read gave, against what the task did."""
    outcome = call.outcome
    if timed_out(outcome, track.task.script.task) or outcome is None:
        return
    if case.cancelled_since[track.name] < call.begin:
        cancelled = isinstance(outcome, Raised) and "CancelledError" in outcome.bases
        tally.check("RES-04", cancelled, "a cancelled future gives something else than CancelledError", call)
        return
    if track.task.left == FOREVER or _is_lost(case, track, outcome):
        return
    if track.task.script.task in case.interrupted_tasks or _may_be_the_signal(case, track, outcome):
        return
    if track.task.script.argument < 0 or (track.task.script.obstacle and case.subject.kind != "thread"):
        return
    own = getattr(track.task.script.ending, "error", "") == "CancelledError"
    if isinstance(outcome, Raised) and "CancelledError" in outcome.bases and outcome.task is None and not own:
        return  # cancelled by somebody: the state machine judges it
    match track.task.script.ending:
        case Return():
            _judge_value(case, tally, track, call)
        case Raise(error=error):
            _judge_error(case, tally, track, call, _ERROR_NAMES.get(error, error))
        case _:
            pass


def _is_lost(case: Case, track: Track, outcome: Outcome) -> bool:
    """Whether an outcome may have been lost with a worker, or with the whole pool."""
    return tells_of_a_break(outcome) or case.may_be_lost(track.executor, error_of(outcome))


def _judge_value(case: Case, tally: Tally, track: Track, call: Call) -> None:
    """RES-01, RES-03, RES-15, RES-16, INV-03: the task returned something."""
    ending, outcome, name = track.task.script.ending, call.outcome, track.task.script.task
    if not isinstance(ending, Return):
        return
    if isinstance(call.step, op.Error):
        clean = isinstance(outcome, Returned) and outcome.value == "None"
        tally.check(
            "RES-03", clean, f"{name} returned, and yet exception() is not None", call, future=track.name
        )
        return
    rule = {"exception": "RES-15", "future": "RES-16", "generator": "RES-16"}.get(ending.gift, "RES-01")
    expected = _expected(ending, name)
    right = isinstance(outcome, Returned) and outcome.value == expected and outcome.same is not False
    given = outcome.value if isinstance(outcome, Returned) else ""
    if given.startswith("parcel ") and not given.startswith(f"parcel {name} "):
        tally.blame("INV-03", f"the outcome of another task arrived for {name}", call, future=track.name)
        return
    if right and case.tasks_left > 1:
        tally.hold("INV-03")
    if ending.size >= 1 << 16 and case.subject.kind != "thread":
        tally.check("PKL-06", right, f"{name} returned {ending.size} bytes, which did not arrive", call)
    tally.check(
        rule, right, f"{name} returned {expected}, and result() gives another thing", call, future=track.name
    )


def _expected(ending: Return, task: str) -> str:
    return {
        "parcel": f"parcel {task} whole {ending.size}",
        "none": "None",
        "exception": "exception ValueError",
        "future": f"Future of {task}",
        "generator": f"generator of {task}",
        "unpicklable": f"Unpicklable of {task}",
        "unloadable": f"Unloadable of {task}",
    }[ending.gift]


def _judge_error(case: Case, tally: Tally, track: Track, call: Call, name: str) -> None:
    """RES-02, RES-03, RES-11 to RES-14: the task raised something."""
    outcome, task = call.outcome, track.task.script.task
    is_result = isinstance(call.step, op.Result)
    error = outcome if is_result else (outcome.error if isinstance(outcome, Returned) else None)
    right = (
        isinstance(error, Raised) and error.error == name and error.task == task and error.same is not False
    )
    if name.removesuffix("Error") in FALSY:
        rule = "RES-11"
    elif name in _OWN_STATES:
        rule = "RES-12"
    elif name in _LEAVING:
        rule = "RES-13"
    else:
        rule = "RES-02"
    how = "result() does not raise it" if is_result else "exception() does not return it"
    if isinstance(error, Raised) and error.error == name and error.task != task:
        how += " as it was: its arguments are others"
    if rule == "RES-02" and not is_result and isinstance(outcome, Returned) and outcome.value == "None":
        tally.blame("RES-03", f"{task} raised {name}, and yet exception() is None", call, future=track.name)
        return
    tally.check(rule, right, f"{task} raised {name}, and {how}", call, future=track.name)
    if right and rule == "RES-02":
        if not is_result:
            tally.hold("RES-03")
        if case.subject.kind == "process" and isinstance(error, Raised):
            told = error.remote and (
                error.chained or getattr(track.task.script.ending, "error", "") != "Chained"
            )
            tally.check(
                "RES-14", told, f"the cause of {task}'s exception does not tell where it came from", call
            )


def _judge_again(case: Case, tally: Tally, track: Track) -> None:
    """RES-08 and RES-10: reading changes nothing."""
    reads = [call for call in track.calls if isinstance(call.step, op.Result | op.Error) and call.answered]
    expired = [call for call in reads if timed_out(call.outcome, track.task.script.task)]
    settled = [call for call in reads if call not in expired]
    if expired and settled and case.deaths[track.executor] == FOREVER:
        ruined = [call for call in settled if call.begin > expired[0].end and _lost(case, track, call)]
        tally.check(
            "RES-08", not ruined, "after a read timed out, the outcome is lost", expired[0], *ruined[:1]
        )
    for kind in (op.Result, op.Error):
        same = [call for call in settled if isinstance(call.step, kind)]
        if len(same) > 1:
            differs = [call for call in same[1:] if _gist(call.outcome) != _gist(same[0].outcome)]
            tally.check(
                "RES-10",
                not differs,
                "two reads give different outcomes",
                same[0],
                *differs[:1],
                future=track.name,
            )


def _gist(outcome: Outcome | None) -> tuple[object, ...]:
    """What two reads must agree on; each read of a cancelled future may raise a new exception."""
    if isinstance(outcome, Raised):
        return (outcome.error, outcome.task)
    if isinstance(outcome, Returned):
        return (outcome.value, outcome.same)
    return ()


def _lost(case: Case, track: Track, call: Call) -> bool:
    """Whether a task ran to its end, nobody cancelled its future, and yet a read loses its outcome."""
    if track.task.left == FOREVER or case.cancelled_since[track.name] < FOREVER:
        return False
    outcome = call.outcome
    return isinstance(outcome, Raised) and outcome.task is None and "CancelledError" in outcome.bases


def _judge_kept(case: Case, tally: Tally, track: Track) -> None:
    """FUT-05, FUT-06: a refused cancel changes nothing: the outcome still arrives."""
    refused = [call for call in track.calls if isinstance(call.step, op.Cancel) and call.value == "False"]
    for call in refused[:1]:
        after = [each for each in track.calls if isinstance(each.step, op.Result) and each.begin > call.end]
        ruined = [each for each in after if each.answered and _lost(case, track, each)]
        rule = "FUT-06" if case.done_since[track.name] < call.begin else "FUT-05"
        if ruined:
            tally.blame(rule, "a cancel() that was refused still took the outcome away", call, ruined[0])
