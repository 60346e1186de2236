"""WAIT and ASC rules.

Calls on several futures are not atomic: they are judged by intervals, never as one point.
Done before the call, subset of `done`, subset of done before the return.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case, Track
from harness.values import operation as op
from harness.values.outcome import Drained, Raised, Returned, Split
from harness.values.program import Raise

if TYPE_CHECKING:
    from harness.judge.tally import Tally

_SECOND = 1_000_000_000


def judge_waiting(case: Case, tally: Tally) -> None:
    """Every `wait` and every `as_completed` of the case."""
    for call in case.of(op.Wait):
        if isinstance(call.step, op.Wait):
            _judge_wait(case, tally, call, call.step)
    for call in case.of(op.AsCompleted):
        if isinstance(call.step, op.AsCompleted) and not isinstance(call.outcome, Raised):
            _judge_iteration(case, tally, call, call.step)


def _judge_wait(case: Case, tally: Tally, call: Call, step: op.Wait) -> None:
    outcome = call.outcome
    if step.return_when == "NONSENSE":
        right = isinstance(outcome, Raised) and "ValueError" in outcome.bases
        shape = "satisfied" if isinstance(outcome, Split) and not outcome.not_done else ""
        tally.check("WAIT-10", right, "an invalid return_when is accepted", call, shape=shape)
        return
    if isinstance(outcome, Raised):
        mixed = len({case.tracks[name].executor for name in step.futures if name in case.tracks}) > 1
        rule = "WAIT-08" if mixed else "WAIT-01" if step.futures else "WAIT-09"
        rule = "WAIT-07" if "TimeoutError" in outcome.bases else rule
        rule = (
            {"doubled": "WAIT-05", "generator": "WAIT-13"}.get(step.form, rule) if rule == "WAIT-01" else rule
        )
        tally.blame(rule, "wait raises", call)
        return
    if not isinstance(outcome, Split):
        tally.blame("WAIT-01", "wait does not return a pair", call)
        return
    if not step.futures:
        tally.check(
            "WAIT-09", outcome.done == outcome.not_done == (), "wait on nothing returns something", call
        )
        return
    _judge_partition(case, tally, call, step, outcome)
    _judge_members(case, tally, call, outcome)
    _judge_condition(case, tally, call, step, outcome)


def _judge_partition(case: Case, tally: Tally, call: Call, step: op.Wait, split: Split) -> None:
    """WAIT-01, WAIT-05, WAIT-08: every given future is in exactly one of two sets."""
    exact = sorted((*split.done, *split.not_done)) == sorted(set(step.futures))
    rule = {"doubled": "WAIT-05", "generator": "WAIT-13"}.get(step.form, "WAIT-01")
    tally.check(rule, exact and split.sets, "the two sets do not partition the given futures", call)
    if len({case.tracks[name].executor for name in step.futures if name in case.tracks}) > 1:
        tally.check("WAIT-08", exact, "futures of two executors are not told apart", call)


def _judge_members(case: Case, tally: Tally, call: Call, split: Split) -> None:
    """WAIT-06: who was done before is in `done`; who cannot be done is not."""
    for name in split.done:
        track = case.tracks.get(name)
        if track is None or case.deaths[track.executor] <= call.end:
            continue
        undone = track.task.inside(call.begin, call.end)
        tally.check(
            "WAIT-06", not undone, f"{name} is in done, and its task is inside its body", call, future=name
        )
    for name in split.not_done:
        if name in case.tracks and _done_before(case, name, call):
            tally.blame(
                "WAIT-06", f"{name} was done before the call and is in not_done", *_proof(case, name), call,
                shape=_missing_shape(case, name), future=name,
            )  # fmt: skip
    for name in split.done:
        if name in case.tracks and _done_before(case, name, call):
            tally.hold("WAIT-06")


def _judge_condition(case: Case, tally: Tally, call: Call, step: op.Wait, split: Split) -> None:
    """WAIT-02, WAIT-03, WAIT-04, WAIT-07: it returns when it should."""
    satisfied = {
        "ALL_COMPLETED": not split.not_done,
        "FIRST_COMPLETED": bool(split.done),
        "FIRST_EXCEPTION": not split.not_done or any(_raised(case, name) for name in split.done),
    }[step.return_when]
    rule = {"ALL_COMPLETED": "WAIT-02", "FIRST_COMPLETED": "WAIT-03", "FIRST_EXCEPTION": "WAIT-04"}[
        step.return_when
    ]
    if satisfied:
        tally.hold(rule)
        return
    if step.timeout is None:
        tally.blame(rule, "wait returned before its condition was met", call)
        return
    early = call.end - call.begin < step.timeout * _SECOND
    if early:
        took = (call.end - call.begin) / _SECOND
        text = f"wait returned after {took:.6f} s, before its timeout and before its condition was met"
        tally.blame("WAIT-07", text, call, timed=True)
        tally.blame(rule, text, call, timed=True)
    else:
        tally.hold("WAIT-07")


def _raised(case: Case, name: str) -> bool:
    """Whether a future may have finished by raising."""
    track = case.tracks.get(name)
    if track is None:
        return True
    broken = case.deaths[track.executor] < FOREVER or case.may_fail_unstarted(track)
    return broken or not _returns(case, name)


def _returns(case: Case, name: str) -> bool:
    """Whether a future that is done certainly did not raise: its task returned, or it was cancelled."""
    track = case.tracks[name]
    if case.cancelled_since[name] < FOREVER:
        return True
    script = track.task.script
    return not isinstance(script.ending, Raise) and not script.obstacle


def _done_before(case: Case, name: str, call: Call) -> bool:
    return case.done_since.get(name, FOREVER) < call.begin


def _proof(case: Case, name: str) -> list[Call]:
    """The call that proves the future done."""
    return [call for call in case.calls if call.end == case.done_since[name]][:1]


def _missing_shape(case: Case, name: str) -> str:
    """A done future that was missed: one that was cancelled while queued, or another?"""
    track = case.tracks[name]
    if not track.task.starts and case.cancelled_since[name] < FOREVER:
        return "cancelled"
    if not track.task.starts and case.cancelling_since(track.executor) < FOREVER:
        return "cancelled by shutdown"
    return "finished"


def _judge_iteration(case: Case, tally: Tally, made: Call, step: op.AsCompleted) -> None:
    """ASC-01, ASC-02, ASC-04, ASC-05 on all that was drawn from one iterator."""
    given: list[str] = []
    end: Raised | None = None
    finished: Call | None = None
    for call in case.calls:
        if getattr(call.step, "iterator", None) != step.iterator or not call.answered or finished is not None:
            continue
        match call.outcome:
            case Drained(items=items, end=stopped):
                given += items
                end, finished = stopped, call
            case Returned(value="the end") if isinstance(call.step, op.Next):
                finished = call
            case Returned(value=value) if isinstance(call.step, op.Next):
                given.append(value)
            case Raised() as raised if isinstance(call.step, op.Next):
                end, finished = raised, call
            case _:
                if isinstance(call.step, op.Close):
                    return
    if finished is None:
        return
    wanted = set(step.futures)
    once = len(given) == len(set(given)) and set(given) <= wanted
    tally.check("ASC-01", once, "a future is yielded twice, or one that was not given", made, finished)
    if end is None:
        missing = wanted - set(given)
        late = step.timeout is not None and finished.end - made.begin >= step.timeout * _SECOND
        text = f"{', '.join(sorted(missing))} is never yielded, and the iterator just ends"
        tally.check("ASC-04" if late and missing else "ASC-01", not missing, text, made, finished)
    _judge_ending(case, tally, made, finished, step, given, end)
    _judge_first(case, tally, made, finished, given)


def _judge_ending(  # noqa: PLR0913, PLR0917 - the parts of one observation
    case: Case,
    tally: Tally,
    made: Call,
    finished: Call,
    step: op.AsCompleted,
    given: list[str],
    end: Raised | None,
) -> None:
    """ASC-04, ASC-05: how it ends, and whom it missed."""
    if end is None:
        return
    if step.timeout is None or "TimeoutError" not in end.bases:
        tally.blame("ASC-04", f"as_completed raises {end.error}", made, finished)
        return
    took = (finished.end - made.begin) / _SECOND
    if took < step.timeout:
        tally.blame("ASC-04", f"TimeoutError after {took:.6f} s", made, finished, timed=True)
    else:
        tally.hold("ASC-04")
    for name in sorted(set(step.futures) - set(given)):
        cancelled = name in case.tracks and case.cancelled_since[name] < finished.begin
        if name in case.tracks and (cancelled or _done_before(case, name, made)):
            shape = _missing_shape(case, name)
            if shape == "finished" and not _done_before(case, name, made):
                continue
            rule = "ASC-02" if shape == "finished" else "ASC-05"
            text = f"{name} is done and is not yielded"
            tally.blame(rule, text, *_proof(case, name), made, finished, shape=shape, future=name)


def _judge_first(case: Case, tally: Tally, made: Call, finished: Call, given: list[str]) -> None:
    """ASC-02, ASC-05: those done before the call come before those that are done later."""
    early = [name for name in given if name in case.tracks and _done_before(case, name, made)]
    late = [name for name in given if name in case.tracks and _surely_undone(case, case.tracks[name], made)]
    for name in early:
        behind = [other for other in late if given.index(other) < given.index(name)]
        cancelled = case.cancelled_since[name] < made.begin
        rule = "ASC-05" if cancelled else "ASC-02"
        shape = "cancelled" if cancelled else "finished"
        text = f"{name} was done before the call and comes after {', '.join(behind)}"
        tally.check(rule, not behind, text, *_proof(case, name), made, finished, shape=shape, future=name)


def _surely_undone(case: Case, track: Track, call: Call) -> bool:
    """Whether a future cannot have been done when a call ended, by its task or by whoever ends it."""
    if track.task.left <= call.end or case.deaths[track.executor] < FOREVER:
        return False
    cancels = [each.begin for each in track.calls if isinstance(each.step, op.Cancel)]
    others = min([case.cancelling_since(track.executor), *cancels])
    return bool(track.task.starts) or (others > call.end and not case.may_fail_unstarted(track))
