"""BRK rules: workers that die."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case, Track
from harness.values import operation as op
from harness.values.outcome import Outcome, Raised, Returned, Struck
from harness.values.program import Exit

if TYPE_CHECKING:
    from harness.judge.tally import Tally


def judge_deaths(case: Case, tally: Tally) -> None:
    """BRK-01 to BRK-03, BRK-05, BRK-07, BRK-11, BRK-14."""
    for executor, since in case.killed.items():
        if since == FOREVER or case.raises_at_first(executor):
            continue
        tracks = [track for track in case.tracks.values() if track.executor == executor]
        victims = _victims(case, executor)
        manner = manner_of_death(case, executor)
        for track in tracks:
            _judge_kept(case, tally, track, since)
            _judge_broken(case, tally, track, victims, manner)
        _judge_spared(case, tally, tracks, victims)
        if case.complete():
            for track in tracks:
                if track.calls and any(
                    call.ours and isinstance(call.step, op.Result) for call in track.calls
                ):
                    tally.hold("BRK-01")
                    if manner != "SIGKILL":
                        tally.hold("BRK-07")
            if case.forgotten_since(executor) == FOREVER:  # else it was not shut down
                processes = [name for left in case.leftovers for name in left.processes]
                text = f"workers outlive a pool that broke: {', '.join(processes)}"
                tally.check("BRK-05", not processes, text)
        _judge_instances(tally, tracks)


def manner_of_death(case: Case, executor: str) -> str:
    """How a worker of this executor died."""
    for call in case.of(op.Kill):
        if isinstance(call.step, op.Kill) and call.step.executor == executor:
            return f"SIG{call.step.signal}"
    return "os._exit"


def _victims(case: Case, executor: str) -> dict[str, Call | None]:
    """The tasks that surely were on a worker when it died, with the call that killed it (None: they left)."""
    found: dict[str, Call | None] = {}
    for call in case.of(op.Kill):
        struck = call.outcome
        if (
            isinstance(struck, Struck)
            and struck.pid is not None
            and call.step
            == op.Kill(
                executor=executor,
                task=getattr(call.step, "task", None),
                signal=getattr(call.step, "signal", "KILL"),
            )
        ):
            for name, task in case.tasks.items():
                there = any(start.pid == struck.pid for start in task.starts)
                mine = there and case.owners.get(name) == executor
                if mine and task.began < call.begin and task.left == FOREVER:
                    found[name] = call
    for name, task in case.tasks.items():
        if isinstance(task.script.ending, Exit) and task.finishes and case.owners.get(name) == executor:
            found[name] = None
    return found


def _judge_kept(case: Case, tally: Tally, track: Track, since: int) -> None:
    """BRK-03, BRK-11: what was finished or cancelled before stays so."""
    if case.done_since[track.name] >= since:
        return
    cancelled = case.cancelled_since[track.name] < since
    for call in track.calls:
        if isinstance(call.step, op.Result) and call.ours and call.answered:
            rule = "BRK-11" if cancelled else "BRK-03"
            tally.check(
                rule,
                not tells_of_a_break(call.outcome),
                f"{track.name} was done before the worker died",
                call,
            )


def _judge_broken(
    case: Case, tally: Tally, track: Track, victims: dict[str, Call | None], manner: str
) -> None:
    """BRK-02, BRK-07: the future of a task whose worker died under it fails; if that breaks the pool, so."""
    name = track.task.script.task
    if name not in victims or case.subject.death not in ("breaks", "heals"):
        return
    killer = victims[name]
    heals = case.subject.death == "heals"
    for call in track.calls:
        if isinstance(call.step, op.Result) and call.ours and call.answered:
            right = isinstance(call.outcome, Raised) if heals else tells_of_a_break(call.outcome)
            how = "" if heals else " with BrokenExecutor"
            text = f"the worker of {name} died ({manner}), and its future does not fail{how}"
            evidence = [call] if killer is None else [killer, call]
            tally.check("BRK-02", right, text, *evidence, future=track.name)
            if manner != "SIGKILL":
                tally.check("BRK-07", right, text, *evidence, future=track.name)


def _judge_spared(case: Case, tally: Tally, tracks: list[Track], victims: dict[str, Call | None]) -> None:
    """BRK-02 for pools that heal: a task that ran to its end, and whose worker did not die, is not harmed."""
    if case.subject.death != "heals":
        return
    dead = {case.struck(call) for call in case.of(op.Kill)}
    dead |= {start.pid for name in victims for start in case.tasks[name].starts}
    for track in tracks:
        script, starts = track.task.script, track.task.starts
        ran = bool(starts) and len(starts) == len(track.task.finishes)
        if not ran or script.obstacle or dead.intersection(start.pid for start in starts):
            continue
        for call in track.calls:
            if isinstance(call.step, op.Result) and call.ours and call.answered:
                harmed = case.may_be_lost(track.executor, call.outcome)
                text = f"the worker of {script.task} did not die, and its future fails as if it had"
                tally.check("BRK-02", not harmed, text, call, future=track.name)


def tells_of_a_break(outcome: Outcome | None) -> bool:
    """Whether a call was told, by what it raised or by what it returned, that the pool is broken."""
    error = error_of(outcome)
    return error is not None and error.breaks


def error_of(outcome: Outcome | None) -> Raised | None:
    """The exception that a call raised or returned."""
    error = outcome.error if isinstance(outcome, Returned) else outcome
    return error if isinstance(error, Raised) else None


def _judge_instances(tally: Tally, tracks: list[Track]) -> None:
    """BRK-14: each broken future has an exception object of its own."""
    owners: dict[int, Call] = {}
    for track in tracks:
        for call in track.calls:
            error = call.outcome.error if isinstance(call.outcome, Returned) else None
            if isinstance(call.step, op.Error) and call.ours and error is not None and error.breaks:
                other = owners.setdefault(error.serial, call)
                if other is not call:
                    tally.blame(
                        "BRK-14", "two futures fail with one and the same exception object", other, call
                    )
                    return
    if len(owners) > 1:
        tally.hold("BRK-14")
