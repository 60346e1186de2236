"""EXIT rules: how a process ends, what a forked child can do, and a program in the body of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case, Track
from harness.values import operation as op
from harness.values.outcome import Raised
from harness.values.program import fresh_pools, place_of

if TYPE_CHECKING:
    from harness.judge.tally import Tally


def turn_of(case: Case) -> Call | None:
    """The call at which the program went on elsewhere, if it came so far."""
    return next(iter(case.of(op.Turn)), None)


def hang_rule(case: Case, stuck: Call) -> str:
    """The rule that a call breaks by not returning where the program went on; empty if that is no reason."""
    turn = turn_of(case)
    rule = ""
    if isinstance(stuck.step, op.Turn):  # it never came there
        rule = {"a module body": "EXIT-07", "a forked child": "EXIT-04"}.get(stuck.step.to, "EXIT-02")
    elif turn is not None:
        match place_of(case.program), stuck.step:
            case "a module body", _:
                rule = "" if any(map(case.worn_out, case.pools)) else "EXIT-07"
            case "a forked child", op.End():
                rule = "EXIT-04"
            case "a forked child", step:
                rule = "EXIT-04" if _executor(case, step) in fresh_pools(case.program) else "EXIT-08"
            case _, op.End():
                rule = "EXIT-02"
            case _, op.Result(future=name) | op.Error(future=name) if name in case.tracks:
                rule = "EXIT-03" if case.tracks[name].submitted > turn.begin else "EXIT-01"
            case _:
                pass
    return rule


def _executor(case: Case, step: op.Operation) -> str:
    """The executor that an operation is about."""
    track = case.tracks.get(getattr(step, "future", ""))
    return track.executor if track is not None else getattr(step, "executor", "")


def judge_endings(case: Case, tally: Tally) -> None:
    """EXIT-01 to EXIT-04, EXIT-07, EXIT-08."""
    turn = turn_of(case)
    if turn is None:
        return
    match place_of(case.program):
        case "a module body":
            _judge_body(case, tally, turn)
        case "a forked child":
            _judge_fork(case, tally, turn)
        case _:
            _judge_exit(case, tally, turn)


def _judge_body(case: Case, tally: Tally, turn: Call) -> None:
    """EXIT-07: what was waited for in the body of a module has come."""
    for quiet in case.quiet:
        late = [track for track in case.tracks.values() if track.submitted > turn.end]
        idle = [track.task.script.task for track in late if track.task.script.task in quiet.queued]
        if idle and not any(map(case.worn_out, case.pools)):
            text = f"nothing moves while the module is being imported, and {', '.join(idle)} does not start"
            tally.blame("EXIT-07", text, shape="idle")
    waits = (op.Result, op.Error, op.Wait, op.Drain, op.Next, op.Shutdown)
    tally.hold("EXIT-07", sum(call.begin > turn.end for call in case.of(*waits)))


def _judge_fork(case: Case, tally: Tally, turn: Call) -> None:
    """EXIT-04, EXIT-08: the child can exit; its own pools serve it, and an inherited one does not fool it."""
    own = fresh_pools(case.program)
    if case.exited:
        _judge_leaving(case, tally, "EXIT-04")
    for call in case.of(op.Submit):
        step = call.step
        if not isinstance(step, op.Submit) or call.begin < turn.end:
            continue
        refused = isinstance(call.outcome, Raised)
        if step.executor in own:
            if step.executor not in _shut(case):
                tally.check("EXIT-04", not refused, "a pool of the child's own refuses work", call)
        elif refused or _answered(case.tracks[step.future]):
            tally.hold("EXIT-08")


def _shut(case: Case) -> set[str]:
    """The executors that are shut down at some time."""
    return {executor for executor in case.pools if case.shut_since(executor) < FOREVER}


def _answered(track: Track) -> bool:
    """Whether somebody waited for a future, and was answered."""
    reads = [call for call in track.calls if isinstance(call.step, op.Result) and call.answered]
    return any(getattr(call.step, "timeout", None) is None for call in reads)


def _judge_exit(case: Case, tally: Tally, turn: Call) -> None:
    """EXIT-01 to EXIT-03: everything is done, then the process ends in silence, and takes on nothing more."""
    if not case.exited:
        return
    _judge_leaving(case, tally, "EXIT-02")
    for track in case.tracks.values():
        if track.accepted < turn.begin and _must_run(case, track) and track.task.left > turn.begin:
            _judge_done(case, tally, track)
    for call in case.of(op.Submit):
        if call.begin > turn.end and isinstance(call.step, op.Submit):
            _judge_late(case, tally, call, call.step)


def _judge_late(case: Case, tally: Tally, call: Call, step: op.Submit) -> None:
    """EXIT-03 for one submit: either it is refused, or its task is done."""
    task = case.tasks[step.task]
    if isinstance(call.outcome, Raised):
        text = f"{step.task} is refused while the interpreter exits, and is done all the same"
        right = "RuntimeError" in call.outcome.bases and not task.starts
        tally.check("EXIT-03", right, text, call, shape="refused", task=step.task)
    elif _must_run(case, case.tracks[step.future]):
        text = f"{step.task} is accepted while the interpreter exits, and never done"
        tally.check("EXIT-03", task.left < FOREVER, text, call, task=step.task)


def _must_run(case: Case, track: Track) -> bool:
    """Whether nothing but its turn is in the way of a task that was accepted."""
    lost = min(
        case.cancelled_since[track.name], case.cancelling_since(track.executor), case.deaths[track.executor]
    )
    return lost == FOREVER and track.task.script.argument >= 0 and not _may_be_cancelled(track)


def _may_be_cancelled(track: Track) -> bool:
    """Whether somebody tried to cancel a future, be it that the answer is not known."""
    cancels = any(isinstance(call.step, op.Cancel) and call.value != "False" for call in track.calls)
    return cancels or any(
        isinstance(call.step, op.AddCallback) and call.step.deed == "query" for call in track.calls
    )


def _judge_done(case: Case, tally: Tally, track: Track) -> None:
    """EXIT-01 for one future: its task has run, and whoever wanted to know has been told."""
    name = track.task.script.task
    if track.task.left == FOREVER:
        state = "never starts" if track.task.began == FOREVER else "is cut off"
        text = f"the process exits, and {name}, which was accepted before, {state}"
        tally.blame("EXIT-01", text, future=track.name, task=name)
        return
    called = {event.callback for event in case.callbacks}
    for call in track.calls:
        if isinstance(call.step, op.AddCallback) and call.step.deed == "record" and call.answered:
            text = f"the process exits, and {track.name} was never done"
            tally.check("EXIT-01", call.step.callback in called, text, call, future=track.name)
    tally.hold("EXIT-01")


def _judge_leaving(case: Case, tally: Tally, rule: str) -> None:
    """The process ended with status 0, and nothing on stderr."""
    status = case.gone.status if case.gone is not None else 0
    output = case.gone.output if case.gone is not None else ""
    output = "" if rule == "EXIT-04" and _is_the_trackers(output) else output
    for event in case.uncaught[:1]:
        output = output or f"{event.error}({event.message}) in {event.where}"
    if status == 0 and not output:
        tally.hold(rule)
        return
    said = output.strip().splitlines()
    text = f"the process ends with status {status}" + (f", and says: {said[-1][:200]}" if said else "")
    tally.blame(rule, text, shape="status" if status else "output")


def _is_the_trackers(output: str) -> bool:
    """Whether `multiprocessing` complains, alone, that a forked child cannot reap the tracker of its parent.

    In some patch releases (3.13.5 is one) every forked child does so if the tracker runs, and we start it.
    """
    said = output.strip().splitlines()
    return (
        output.startswith("Exception ignored in: <function ResourceTracker.__del__")
        and output.count("Traceback (") == 1
        and said[-1] == "ChildProcessError: [Errno 10] No child processes"
    )
