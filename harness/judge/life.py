"""LIFE and GC rules: the client survives, every call returns, nothing is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case
from harness.judge.deaths import manner_of_death
from harness.judge.endings import hang_rule
from harness.judge.lateness import promise_of
from harness.judge.leeway import WITHIN
from harness.judge.pickling import RULES
from harness.values import operation as op
from harness.values.program import UNPICKLABLE

if TYPE_CHECKING:
    from harness.judge.tally import Tally

# The rule that a call breaks by not returning, where the operation alone decides.
_HANGS: dict[type[op.Operation], str] = {
    op.Submit: "SUB-02",
    op.AddCallback: "CB-04",
    op.Close: "MAP-06",
    op.Map: "MAP-03",
    op.Census: "GC-01",  # whoever goes round in circles after the end
}

_WITHIN: dict[str, str] = {"submit": "SUB-02", "shutdown": "SHD-02"}
"""The rule that a deed breaks by not returning, in a callback that is called as soon as it is added."""

_METHODS = (
    op.Cancel, op.Running, op.Cancelled, op.Done, op.Observe, op.Repr, op.Claim, op.SetResult,
    op.SetException,
)  # fmt: skip
"""The methods of a future that wait for nothing."""


def judge_survival(case: Case, tally: Tally) -> None:
    """LIFE-01, LIFE-02 and the rules that forbid a particular call to hang."""
    if case.gone is not None and not case.exited:
        status = case.gone.status
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        calls = [case.calls[-1]] if case.calls else []
        tally.blame("LIFE-01", f"the client process {how}", *calls)
    else:
        tally.hold("LIFE-01")
    tally.hold("LIFE-02", sum(call.answered for call in case.calls))
    for stuck in case.open_calls() if case.stuck is not None else ():
        _blame_hang(case, tally, stuck)


def _blame_hang(case: Case, tally: Tally, stuck: Call) -> None:
    """A call that had to return never does: the rule that says so for it."""
    deed = case.stalled_callback()
    where = "GC-07" if case.stalled_finaliser() else hang_rule(case, stuck)
    if where:
        rule, shape = where, ""
    elif deed:
        rule, shape = WITHIN.get(deed, "FUT-18" if deed == "query" else "CB-08"), deed
    else:
        rule, shape = _hang_rule(case, stuck)
    text = f"{_manner(case)}, and this call does not return"
    future: str = getattr(stuck.step, "future", "")
    names = {"future": future} if future else {}
    tally.blame(rule, text, stuck, shape=shape, timed=False, **names)
    if rule != "LIFE-02":
        tally.met["LIFE-02"] += 1
    elif isinstance(stuck.step, _METHODS):
        tally.blame("FUT-18", text, stuck, future=future)


def _manner(case: Case) -> str:
    """How it is known that a call will not return."""
    if case.stuck is not None and case.stuck.livelock:
        return "livelock: whoever in the client or its workers still moves goes round in circles"
    return "nothing in the client or its workers moves any more"


def _hang_rule(case: Case, stuck: Call) -> tuple[str, str]:  # noqa: PLR0911 - one table, a row for each kind of call
    """The most particular rule that a hang breaks, and the circumstances that tell its variants apart."""
    match stuck.step:
        case op.Shutdown(executor=executor) | op.Leave(executor=executor):
            return _hanging_shutdown(case, stuck, executor)
        case op.Result(future=name) | op.Error(future=name) if name in case.tracks:
            return _hanging_read(case, stuck, name)
        case op.Result(future=name) | op.Error(future=name) if name in case.bare:
            return _hanging_reader(case, stuck, name)
        case op.Wait() | op.Drain() | op.Next() if promise := promise_of(case, stuck):
            return promise.rule, "late"
        case op.Wait() | op.Drain() | op.Next() if rule := _short_of_workers(case):
            return rule, ""
        case op.Wait() as step:
            return _hanging_wait(case, stuck, step)
        case op.Drain(iterator=iterator) | op.Next(iterator=iterator):
            return _hanging_iterator(case, iterator)
        case step:
            return _hanging_call(case, step)


def _hanging_call(case: Case, step: op.Operation) -> tuple[str, str]:
    """A call that should wait for nothing; one that adds a callback may be inside it."""
    if isinstance(step, op.Construct) and step.arguments in ("zero workers", "negative workers"):
        return "SUB-09", "no workers"
    deed = getattr(step, "deed", "")
    inside = any(event.callback == getattr(step, "callback", "") for event in case.entered)
    if inside and deed in _WITHIN:
        return _WITHIN[deed], deed
    return _HANGS.get(type(step), "LIFE-02"), ""


def _lost_owner(case: Case) -> str:
    """The rule that a pool breaks which was forgotten, and left work undone; empty for none."""
    forgotten = [name for name in case.pools if case.forgotten_since(name) < FOREVER]
    idle = [name for name in forgotten if case.left_queued(name)]
    return rule_for_forgotten(case, idle[0]) if idle else ""


def rule_for_forgotten(case: Case, executor: str) -> str:
    """The rule that work is done although nobody keeps the executor: it was shut down before, or was not."""
    return "SHD-09" if case.shut_since(executor) < case.forgotten_since(executor) else "GC-03"


def _short_of_workers(case: Case) -> str:
    """The rule that a pool with too few workers breaks: failed, worn out, sent away or never started."""
    if any(map(case.raises_at_first, case.pools)):
        return "POOL-06"
    if any(map(case.worn_out, case.pools)):
        return "POOL-07"
    if case.starved_since < FOREVER:
        return "POOL-10"
    if rule := _lost_owner(case):
        return rule
    return "POOL-02" if any(map(case.short_of_workers, case.pools)) else ""


def _hanging_wait(case: Case, stuck: Call, step: op.Wait) -> tuple[str, str]:
    if not step.futures:
        return "WAIT-09", ""
    rule = {"FIRST_COMPLETED": "WAIT-03", "FIRST_EXCEPTION": "WAIT-04"}.get(step.return_when, "WAIT-02")
    every = all(case.done_since.get(name, FOREVER) < stuck.begin for name in step.futures)
    unnoticed = any(name in case.tracks and _unnoticed(case, name) for name in step.futures)
    rule = "WAIT-06" if every and rule == "WAIT-02" else rule
    return rule, "cancelled" if unnoticed else ""


def _hanging_shutdown(case: Case, stuck: Call, executor: str) -> tuple[str, str]:
    if case.raises_at_first(executor):
        return "POOL-06", ""
    earlier = [call for call in case.shutdowns(executor) if call.end < stuck.begin and call.answered]
    shut = case.shut_since(executor)
    if case.killed[executor] < FOREVER:
        late = shut <= case.killed[executor]
        shape = "killed after shutdown" if late else _cancelled_shape(case, executor)
        return _death_rule(case, executor, "BRK-05"), shape
    if rule := _after_a_signal(case, executor):
        return rule, ""
    unsendable = _something_unsendable(case, executor)
    explanations = (
        ("POOL-07", case.worn_out(executor) and not unsendable),
        ("PKL-08", _strained(case, executor)),
        ("POOL-10", case.starved_since < stuck.begin),
        ("SHD-04", bool(earlier)),
        ("SHD-10", bool(getattr(stuck.step, "cancel_futures", False))),
        ("SHD-02", not getattr(stuck.step, "wait", True)),
        ("POOL-02", case.needs_workers(executor) and not unsendable),
        ("RES-13", _lost_its_thread(case, executor)),
        ("POOL-02", case.short_of_workers(executor) and not unsendable),
    )
    rule = next((rule for rule, holds in explanations if holds), "SHD-01")
    return rule, "unpicklable" if rule == "SHD-01" and unsendable else ""


def _lost_its_thread(case: Case, executor: str) -> bool:
    """Whether a worker may have left because of its task, and nothing else is more likely to blame."""
    return bool(case.left_by_exception(executor)) and not _something_unsendable(case, executor)


def _something_unsendable(case: Case, executor: str) -> bool:
    """Whether this executor was given something that cannot be pickled, which may harm the rest."""
    return case.subject.kind != "thread" and any(
        track.task.script.argument == UNPICKLABLE
        for track in case.tracks.values()
        if track.executor == executor
    )


def _after_a_signal(case: Case, executor: str) -> str:
    """The rule about signals that kill nobody, if a worker got one; empty otherwise."""
    if case.worn_out(executor):
        return ""
    if case.interrupted[executor] < FOREVER:
        return "BRK-13"
    return (
        "BRK-09"
        if any(getattr(call.step, "executor", "") == executor for call in case.of(op.Suspend))
        else ""
    )


def _strained(case: Case, executor: str) -> bool:
    """Whether this executor met something that fails at a step of pickling at which pools may break."""
    return case.subject.kind != "thread" and any(
        track.task.script.strains and (track.task.script.argument < 0 or track.task.left < FOREVER)
        for track in case.tracks.values()
        if track.executor == executor
    )


def _death_rule(case: Case, executor: str, rule: str) -> str:
    """BRK-07 says that the other rules hold for every manner of death; it is named if only that differs."""
    return rule if manner_of_death(case, executor) == "SIGKILL" else "BRK-07"


def _cancelled_shape(case: Case, executor: str) -> str:
    """Whether a queued future had been cancelled before the worker died."""
    cancelled = any(
        case.cancelled_since[track.name] < FOREVER and not track.task.starts
        for track in case.tracks.values()
        if track.executor == executor
    )
    return "cancelled" if cancelled else ""


def _hanging_reader(case: Case, stuck: Call, name: str) -> tuple[str, str]:
    """A read of a bare future, which somebody has ended."""
    timeout = getattr(stuck.step, "timeout", None)
    if timeout is not None:
        return ("RES-05" if timeout > 0 else "RES-07"), ""
    return ("RES-04" if case.cancelled_since[name] < FOREVER else "FUT-22"), ""


def _hanging_read(case: Case, stuck: Call, name: str) -> tuple[str, str]:
    track = case.tracks[name]
    timeout = getattr(stuck.step, "timeout", None)
    if timeout is not None:
        return ("RES-05" if timeout > 0 else "RES-07"), ""
    if case.cancelled_since[name] < FOREVER:
        return "RES-04", ""
    if case.raises_at_first(track.executor):
        return "POOL-06", ""
    if case.killed[track.executor] < FOREVER:
        shut = case.shut_since(track.executor) <= case.killed[track.executor]
        shape = "killed after shutdown" if shut else _cancelled_shape(case, track.executor)
        return _death_rule(case, track.executor, "BRK-01"), shape
    if rule := _after_a_signal(case, track.executor):
        return rule, ""
    obstacle = track.task.script.obstacle if case.subject.kind != "thread" else ""
    came_to_it = track.task.script.argument < 0 or track.task.left < FOREVER
    worn_out = case.worn_out(track.executor)
    explanations = (
        ("PKL-01", track.task.script.argument == UNPICKLABLE),
        ("PKL-02", obstacle == "result" and not worn_out),
        (RULES[obstacle][0] if obstacle else "", bool(obstacle) and came_to_it and not worn_out),
        ("PKL-08", _strained(case, track.executor) and not worn_out),
        ("POOL-07", worn_out),
        ("POOL-10", case.starved_since < stuck.begin),
        (rule_for_forgotten(case, track.executor), case.forgotten_since(track.executor) < FOREVER),
        ("POOL-02", case.needs_workers(track.executor)),
        ("RES-13", _lost_its_thread(case, track.executor)),
        ("INV-02", track.task.left < FOREVER),
        ("SHD-10", case.cancelling_since(track.executor) < FOREVER),
        ("SHD-02", case.shut_since(track.executor) < stuck.begin),
        ("POOL-02", case.short_of_workers(track.executor)),
    )
    return next((rule for rule, holds in explanations if holds), "SUB-09"), ""


def _hanging_iterator(case: Case, iterator: str) -> tuple[str, str]:
    for call in case.calls:
        match call.step:
            case op.AsCompleted(iterator=name, futures=futures) if name == iterator:
                unnoticed = [each for each in futures if each in case.tracks and _unnoticed(case, each)]
                return ("ASC-05", "cancelled") if unnoticed else ("ASC-01", "")
            case op.Map(iterator=name, executor=executor) if name == iterator:
                return ("BRK-01" if case.deaths[executor] < FOREVER else "MAP-09"), ""
            case _:
                pass
    return "LIFE-02", ""


def _unnoticed(case: Case, name: str) -> bool:
    """Whether a future was cancelled while it was queued, so that a worker may not have noticed."""
    track = case.tracks[name]
    cancelled = case.cancelled_since[name] < FOREVER or case.cancelling_since(track.executor) < FOREVER
    return cancelled and not track.task.starts


def judge_remains(case: Case, tally: Tally) -> None:
    """GC-01, GC-06, GC-07: after everything was shut down and dropped."""
    if not case.complete():
        return
    forgotten = any(case.forgotten_since(executor) < FOREVER for executor in case.pools)
    if not case.leftovers:
        tally.hold("GC-03" if forgotten else "GC-01")
    for left in case.leftovers:
        parts = [f"thread {name}" for name in left.threads] + [f"process {name}" for name in left.processes]
        parts += [f"{left.descriptors} descriptors"] if left.descriptors else []
        parts += [f"{left.semaphores} semaphores"] if left.semaphores else []
        rule = "GC-03" if forgotten else "GC-01"
        tally.blame(rule, f"left behind: {', '.join(parts)}", shape=_remains_shape(case))
    tally.hold("GC-07", len(case.finalised))
    if not case.uncaught:
        tally.hold("GC-06")
    for event in case.uncaught[:1]:
        tally.blame(
            "GC-06",
            f"{event.error}({event.message}) in {event.where} was handled by nobody",
            shape=event.error,
        )


def _remains_shape(case: Case) -> str:
    killed_late = any(
        case.shut_since(executor) <= since for executor, since in case.killed.items() if since < FOREVER
    )
    return "killed after shutdown" if killed_late else ""
