"""PKL rules: what cannot cross the boundary of a process fails its own future, and harms nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.judge.case import FOREVER, Call, Case, Track
from harness.judge.deaths import tells_of_a_break
from harness.values import operation as op
from harness.values.outcome import Raised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.judge.tally import Tally
    from harness.values.program import Obstacle

_LARGE = 1 << 16  # bytes; more than a pipe takes at once

RULES: Final[dict[Obstacle, tuple[str, str]]] = {
    "argument": ("PKL-01", "the argument of {} cannot be pickled"),
    "result": ("PKL-02", "the result of {} cannot be pickled"),
    "exception": ("PKL-03", "the exception of {} cannot be handed over"),
    "unloadable argument": ("PKL-04", "the argument of {} cannot be unpickled"),
    "unloadable result": ("PKL-05", "the result of {} cannot be unpickled"),
}
"""The rule about each obstacle, and how its witness begins."""


def judge_pickling(case: Case, tally: Tally) -> None:
    """PKL-01 to PKL-06, PKL-08, PKL-09; tasks in threads hand over the objects themselves."""
    if case.subject.kind == "thread":
        return
    for track in case.tracks.values():
        script = track.task.script
        if script.argument >= _LARGE and track.task.starts:
            intact = all(start.intact for start in track.task.starts)
            tally.check("PKL-06", intact, f"{script.task} got a damaged argument of {script.argument} bytes")
        if script.obstacle and _came_to_it(track) and not _disturbed(case, track):
            for call in _reads(track):
                _judge_own(case, tally, track, call)
    for executor in case.pools:
        _judge_innocent(case, tally, executor)


def _came_to_it(track: Track) -> bool:
    """Whether the pool has surely met what cannot be handed over."""
    return track.task.script.argument < 0 or track.task.left < FOREVER


def _disturbed(case: Case, track: Track) -> bool:
    """Whether the future of a task may have ended in another way."""
    executor = track.executor
    struck = min(case.killed[executor], case.interrupted[executor])
    return min(struck, case.cancelling_since(executor), case.cancelled_since[track.name]) < FOREVER


def _reads(track: Track) -> Iterator[Call]:
    """The last `result()`, if it came back."""
    return (call for call in track.calls if isinstance(call.step, op.Result) and call.ours and call.answered)


def _judge_own(case: Case, tally: Tally, track: Track, call: Call) -> None:
    """PKL-01 to PKL-05, PKL-09: the future of what cannot be handed over fails, and not because of others."""
    script = track.task.script
    rule, text = RULES[script.obstacle]
    broken = tells_of_a_break(call.outcome)
    others = {each.task.script.obstacle for each in case.tracks.values() if each.executor == track.executor}
    if broken and others - {"", "argument", "result", script.obstacle}:
        return  # it was perhaps another that broke the pool
    # An argument that cannot be unpickled may be the end of its worker (PKL-04).
    failed = isinstance(call.outcome, Raised) and (not broken or rule == "PKL-04")
    shape = "broken" if broken else ""
    tally.check(rule, failed, text.format(script.task), call, shape=shape, future=track.name)
    if failed and rule in ("PKL-01", "PKL-02") and isinstance(call.outcome, Raised):
        right = "refuses to be pickled" in call.outcome.message
        tally.check("PKL-09", right, "another error than that of the pickling", call, future=track.name)


def _judge_innocent(case: Case, tally: Tally, executor: str) -> None:
    """PKL-08: the pool serves on, and the tasks beside the one that failed have their own outcomes."""
    mine = [track for track in case.tracks.values() if track.executor == executor]
    guilty = [track for track in mine if track.task.script.obstacle and _came_to_it(track)]
    others = (case.killed[executor], case.interrupted[executor], case.cancelling_since(executor))
    if not guilty or min(others) < FOREVER:
        return
    names = ", ".join(track.task.script.task for track in guilty)
    since = min(track.submitted for track in guilty)
    for track in mine:
        if track.task.script.obstacle or case.cancelled_since[track.name] < FOREVER:
            continue
        for call in _reads(track):
            untouched = not tells_of_a_break(call.outcome)
            if not untouched or since < track.task.left < FOREVER:
                text = f"{names} failed in pickling, and {track.task.script.task} with it"
                tally.check("PKL-08", untouched, text, call, shape="broken", future=track.name)
    for call in case.of(op.Submit):
        refused = isinstance(call.outcome, Raised) and call.outcome.breaks
        if refused and getattr(call.step, "executor", "") == executor:
            tally.blame("PKL-08", f"{names} failed in pickling, and the pool is broken", call, shape="broken")
