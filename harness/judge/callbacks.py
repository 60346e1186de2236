"""CB rules: callbacks are called once, in time, in order, in the right place."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case
from harness.values import operation as op
from harness.values.outcome import Raised

if TYPE_CHECKING:
    from harness.judge.tally import Tally
    from harness.values.history import CalledBack


def judge_callbacks(case: Case, tally: Tally) -> None:
    """CB-01 to CB-08 and CB-10."""
    added = [call for call in case.of(op.AddCallback) if isinstance(call.step, op.AddCallback)]
    seen: dict[str, list[CalledBack]] = {}
    for event in case.callbacks:
        seen.setdefault(event.callback, []).append(event)
    inside = {event.callback: event.future for event in case.inside}
    for call in added:
        step = call.step
        assert isinstance(step, op.AddCallback)  # noqa: S101 - `of` gave only these
        events = seen.get(step.callback, [])
        if not events and step.future in inside.values():  # it, or one before it, was called and stays inside
            if step.callback in inside and case.complete():
                text = f"callback {step.callback} is called, and never returns"
                tally.blame("CB-08", text, call, shape=step.deed)
            continue
        _judge_count(case, tally, call, step, events)
        _judge_place(case, tally, call, step, events)
        _judge_deed(case, tally, call, step, seen)
    _judge_order(case, tally, added, seen)


def _judge_count(
    case: Case, tally: Tally, call: Call, step: op.AddCallback, events: list[CalledBack]
) -> None:
    """CB-01, CB-07, CB-10: once and only once; which rule misses a call depends on how the future ended."""
    name, future = step.callback, step.future
    if isinstance(call.outcome, Raised):
        return  # judged by CB-05
    if len(events) > 1:
        cancels = [
            each
            for each in case.of(op.Cancel)
            if each.step == op.Cancel(future=future) and each.value == "True"
        ]
        text = f"callback {name} was called {len(events)} times"
        tally.blame("CB-01", text, call, future=future)
        if len(cancels) > 1 and events[1].at > cancels[0].end:
            tally.blame("FUT-07", text, *cancels, future=future)
        return
    if events:
        tally.check(
            "CB-01", events[0].own, f"callback {name} did not get its future as the only argument", call
        )
    if case.complete() and case.done_since.get(future, FOREVER) < FOREVER:
        _judge_missing(case, tally, call, step, events)


def _judge_missing(
    case: Case, tally: Tally, call: Call, step: op.AddCallback, events: list[CalledBack]
) -> None:
    """CB-01, CB-07, CB-10, CB-13: whose fault is it if the callback of a future that is done is missed?"""
    name, future = step.callback, step.future
    cancelled = case.cancelled_since[future]
    if future in case.bare:
        rule = "CB-07" if call.end < cancelled < FOREVER else "CB-01"
        tally.check(rule, bool(events), f"{future} is done, and callback {name} is never called", call)
        return
    executor = case.tracks[future].executor
    if events and cancelled < FOREVER:
        _judge_home(case, tally, call, future, events[0])
    if cancelled < FOREVER and call.end < cancelled:
        tally.check(
            "CB-07", bool(events), f"{future} was cancelled, and callback {name} is never called", call
        )
    elif case.cancelling_since(executor) < FOREVER or case.deaths[executor] < FOREVER:
        tally.check(
            "CB-10", bool(events), f"{future} was ended by its executor, and {name} is never called", call
        )
    elif not events:
        tally.blame("CB-01", f"callback {name} is never called", call, future=future)


def _judge_home(case: Case, tally: Tally, call: Call, future: str, event: CalledBack) -> None:
    """CB-13: a callback of a cancelled future is called before `cancel()` returns, in its thread."""
    track = case.tracks[future]
    cancels = [each for each in track.calls if isinstance(each.step, op.Cancel)]
    cancel = next(each for each in cancels if each.end == case.cancelled_since[future])
    shutting = case.cancelling_since(track.executor) <= cancel.end
    rivals = [each for each in cancels if each is not cancel and each.begin < cancel.end]
    # Else somebody else may have ended it.
    if call.end < cancel.begin <= event.at and not shutting and not rivals:
        home = cancel.begin <= event.at and event.until <= cancel.end and event.thread == cancel.thread
        tally.check(
            "CB-13",
            home,
            f"{event.callback} is not called before cancel() returns, in its thread",
            call,
            cancel,
        )


def _judge_place(
    case: Case, tally: Tally, call: Call, step: op.AddCallback, events: list[CalledBack]
) -> None:
    """CB-02, CB-04, CB-06: when it is called, and where."""
    for event in events:
        ready = event.state[2] == "1" and event.ready
        tally.check(
            "CB-02",
            ready,
            f"when {step.callback} is called, its future is not done",
            call,
            future=step.future,
        )
        here = event.pid == case.history.client
        tally.check(
            "CB-06", here, f"{step.callback} is called in process {event.pid}, not in the client", call
        )
    if case.done_since.get(step.future, FOREVER) < call.begin and not isinstance(call.outcome, Raised):
        in_time = any(call.begin <= event.at and event.until <= call.end for event in events)
        at_home = any(event.thread == call.thread for event in events)
        if events or case.complete():
            text = f"{step.future} was done, and {step.callback} is not called at once in the calling thread"
            tally.check("CB-04", in_time and at_home, text, call)


def was_refused(trouble: str) -> bool:
    """Whether what a submit raised is the answer of a pool that takes no more."""
    return trouble.startswith(("RuntimeError", "BrokenProcessPool", "BrokenThreadPool"))


def _judge_deed(
    case: Case,
    tally: Tally,
    call: Call,
    step: op.AddCallback,
    seen: dict[str, list[CalledBack]],
) -> None:
    """CB-05, CB-08, FUT-18: what a callback does harms nobody, and it may do much."""
    events = seen.get(step.callback, [])
    if step.deed == "raise":
        if isinstance(call.outcome, Raised):
            tally.blame(
                "CB-05",
                f"what {step.callback} raised comes out of add_done_callback",
                call,
                future=step.future,
            )
        elif events and case.complete():
            tally.check("CB-05", bool(case.logged), f"{step.callback} raised, and nothing was logged", call)
            _judge_survivors(case, tally, step, events[0], seen)
    for event in events:
        refused = was_refused(event.trouble)
        if step.deed in ("add", "submit", "shutdown"):
            fine = not event.trouble or (step.deed == "submit" and refused)
            tally.check("CB-08", fine, f"in {step.callback}, {step.deed} fails with {event.trouble}", call)
            if step.deed == "shutdown" and fine:
                tally.hold("SHD-08")
        if step.deed == "query":
            tally.check(
                "FUT-18", not event.trouble, f"in {step.callback}, a method of its future fails", call
            )
    if step.deed == "add" and events and case.complete():
        added = seen.get(f"{step.callback}.added", [])
        tally.check(
            "CB-08",
            len(added) == 1,
            f"a callback that {step.callback} added is called {len(added)} times",
            call,
        )


def _judge_survivors(
    case: Case, tally: Tally, step: op.AddCallback, raised: CalledBack, seen: dict[str, list[CalledBack]]
) -> None:
    """CB-05: the callbacks added after the one that raised are called all the same.

    Not if the thread that calls them is inside one of them for good.
    """
    if any(event.future == step.future for event in case.inside):
        return
    for other in case.of(op.AddCallback):
        later = other.step
        if (
            isinstance(later, op.AddCallback)
            and later.future == step.future
            and later.callback > step.callback
        ):
            tally.check(
                "CB-05",
                bool(seen.get(later.callback)),
                f"after {raised.callback} raised, {later.callback} is not called",
                other,
            )


def _judge_order(case: Case, tally: Tally, added: list[Call], seen: dict[str, list[CalledBack]]) -> None:
    """CB-03: those added before the future was done come in the order added, one after the other."""
    early: dict[str, list[tuple[Call, CalledBack]]] = {}
    for call in added:
        step = call.step
        if isinstance(step, op.AddCallback) and step.future in case.tracks and seen.get(step.callback):
            event = seen[step.callback][0]
            track = case.tracks[step.future]
            undone = call.end < min(case.done_since[step.future], event.at, track.task.left)
            cancelling = min(
                (each.begin for each in track.calls if isinstance(each.step, op.Cancel)),
                default=FOREVER,
            )
            if undone and call.end < cancelling:
                early.setdefault(step.future, []).append((call, event))
    for future, pairs in early.items():
        for (first, one), (second, other) in pairwise(pairs):
            if second.begin < first.end:
                continue  # added by two lanes at once: in no order
            tally.check(
                "CB-03", one.until <= other.at, f"callbacks of {future} are not called in the order added",
                first, second, future=future,
            )  # fmt: skip
