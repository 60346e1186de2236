"""MAP rules: what an iterator of `Executor.map` gives, and what becomes of its items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case
from harness.judge.lateness import settled
from harness.values import operation as op
from harness.values.outcome import Drained, Mapped, Raised, Returned
from harness.values.program import Raise, Return

if TYPE_CHECKING:
    from harness.judge.tally import Tally

_SECOND = 1_000_000_000


def judge_maps(case: Case, tally: Tally) -> None:
    """Every `map` of the case."""
    for call in case.calls:
        if isinstance(call.step, op.Map) and call.answered:
            _judge_call(case, tally, call, call.step)


def _judge_call(case: Case, tally: Tally, call: Call, step: op.Map) -> None:
    outcome = call.outcome
    used = step.tasks[: len(step.tasks) - (step.shorter or 0)]
    shut = min((each.end for each in case.shutdowns(step.executor)), default=FOREVER) < call.begin
    if step.chunksize < 1:
        right = isinstance(outcome, Raised) and "ValueError" in outcome.bases
        has_effect = case.subject.kind == "process" and "map_in_chunks" in case.subject.capabilities
        if right or has_effect:  # elsewhere any answer will do
            tally.check("MAP-14", right, "a chunksize below 1 is accepted", call)
            return
    if shut and used and step.fails_at is None:
        refused = isinstance(outcome, Raised) and "RuntimeError" in outcome.bases
        tally.check("MAP-13", refused, "map after shutdown is accepted", call)
        return
    if isinstance(outcome, Raised):
        _judge_refusal(case, tally, call, step, outcome)
        return
    if isinstance(outcome, Mapped) and step.fails_at is None:
        tally.check(
            "MAP-03", outcome.pulled >= len(used), "map returned before it had collected its inputs", call
        )
    reading = _Reading(case, call, step)
    _judge_items(case, tally, reading, used)
    _judge_end(case, tally, reading, used)
    _judge_leftover_items(case, tally, reading, used)


def _judge_refusal(case: Case, tally: Tally, call: Call, step: op.Map, outcome: Raised) -> None:
    """The call itself raised: it may if its iterable did, or if the pool is broken or shut."""
    if step.fails_at is not None and "LookupError" in outcome.bases:
        tally.hold("MAP-11")
    elif case.deaths[step.executor] == FOREVER and case.shut_since(step.executor) > call.end:
        tally.blame("MAP-01" if step.chunksize == 1 else "MAP-07", "map raises", call)


class _Reading:
    """All that was read from one iterator: the items in order, and how it ended."""

    def __init__(self, case: Case, made: Call, step: op.Map) -> None:
        self.made = made
        self.step = step
        self.items: list[str] = []
        self.end: Raised | None = None
        self.last: Call | None = None
        self.whole = False  # it was read to a clean end
        self.closed: Call | None = None
        self.advanced = False
        self.dropped: Call | None = None
        for call in case.steps_of(step.iterator):
            if call.answered:
                self._take(call)

    def _take(self, call: Call) -> None:
        if self.end is not None or self.whole or self.closed is not None or self.dropped is not None:
            return
        if isinstance(call.step, op.Drop):
            self.dropped = call
            return
        self.last = call
        self.advanced = self.advanced or isinstance(call.step, op.Next | op.Drain)
        match call.outcome:
            case Drained(items=items, end=end, stopped=stopped):
                self.items += items
                self.end, self.whole = end, stopped and end is None
            case Raised() as raised:
                self.end = raised
            case Returned(value="the end"):
                self.whole = True
            case Returned(value=value) if isinstance(call.step, op.Next):
                self.items.append(value)
            case Returned(value="None") if isinstance(call.step, op.Close):
                self.closed = call
            case _:
                pass

    @property
    def calls(self) -> list[Call]:
        return [self.made, *([self.last] if self.last is not None else [])]


def _judge_items(case: Case, tally: Tally, reading: _Reading, used: tuple[str, ...]) -> None:
    """MAP-01, MAP-07: the results come in the order of the inputs."""
    if not reading.items:
        return
    expected = [_value(case, task) for task in used][: len(reading.items)]
    rule = "MAP-07" if reading.step.chunksize > 1 else "MAP-01"
    if reading.step.shorter and len(reading.items) > len(used):
        rule = "MAP-02"
    right = reading.items == expected
    tally.check(rule, right, f"expected [{', '.join(expected)}]", *reading.calls)


def _value(case: Case, task: str) -> str:
    """What a task returns, as described."""
    ending = case.tasks[task].script.ending
    if isinstance(ending, Return) and ending.gift == "parcel":
        return f"parcel {task} whole {ending.size}"
    if isinstance(ending, Return) and ending.gift == "none":
        return "None"
    return "?"


def _raisers(case: Case, used: tuple[str, ...]) -> list[int]:
    return [place for place, task in enumerate(used) if isinstance(case.tasks[task].script.ending, Raise)]


def _judge_end(case: Case, tally: Tally, reading: _Reading, used: tuple[str, ...]) -> None:
    """MAP-02, MAP-04, MAP-05, MAP-09, MAP-12: how the iterator ends."""
    executor = reading.step.executor
    disturbed = case.deaths[executor] < FOREVER or case.cancelling_since(executor) < FOREVER
    raisers = _raisers(case, used)
    if reading.whole:
        if raisers:
            stopper = getattr(case.tasks[used[raisers[0]]].script.ending, "error", "") == "StopIteration"
            rule = "MAP-12" if stopper else "MAP-04"
            tally.blame(
                rule, f"{used[raisers[0]]} raised, and the iterator ends as if all was well", *reading.calls
            )
            return
        fails_at = reading.step.fails_at
        if fails_at is not None and fails_at < len(used):  # beyond the shorter iterable nobody asks
            text = "the iterable raised, and the iterator ends as if all was well"
            tally.blame("MAP-11", text, *reading.calls)
            return
        complete = len(reading.items) == len(used)
        rule = "MAP-09" if reading.step.chunksize == 1 else "MAP-07"
        rule = "MAP-02" if reading.step.shorter else rule
        tally.check(rule, complete, f"{len(reading.items)} of {len(used)} results", *reading.calls)
        ran = [task for task in used if len(case.tasks[task].starts) != 1]
        if complete:
            tally.check("MAP-09", not ran, f"{', '.join(ran)} did not run exactly once", *reading.calls)
    elif reading.end is not None and not disturbed:
        _judge_error(case, tally, reading, used, raisers)


def _judge_error(
    case: Case, tally: Tally, reading: _Reading, used: tuple[str, ...], raisers: list[int]
) -> None:
    """The iterator raised: the item's own exception at the item's place, or a timeout that is not early."""
    end, step, calls = reading.end, reading.step, reading.calls
    assert end is not None  # noqa: S101 - the caller looked
    if "TimeoutError" in end.bases and end.task is None and step.timeout is not None:
        last = calls[-1]
        took = (last.end - reading.made.begin) / _SECOND
        if took < step.timeout:
            tally.blame(
                "MAP-05", f"TimeoutError after {took:.6f} s of {step.timeout:g} s", *calls, timed=True
            )
        elif len(reading.items) < len(used):
            waited = case.tasks[used[len(reading.items)]]
            ready = waited.left < reading.made.begin or settled(case, waited.left, last.begin)
            tally.check("MAP-05", not ready, "TimeoutError for a result that was available", *calls)
        return
    if step.fails_at is not None and "LookupError" in end.bases:
        tally.hold("MAP-11")
        return
    first = raisers[0] if raisers else None
    if first is not None:
        place = first - first % max(1, step.chunksize)
        error = getattr(case.tasks[used[first]].script.ending, "error", "")
        stopper = error == "StopIteration"
        if stopper:
            tally.hold("MAP-12")
            return
        in_place = place <= len(reading.items) <= first
        own = end.task == used[first]
        tally.check(
            "MAP-04", in_place and own, f"{used[first]} raised {error}, and this comes instead", *calls
        )
        if in_place and own and step.chunksize > 1 and first > place:
            text = f"{first} items come before the one that raised, and {len(reading.items)} are delivered"
            whole = "whole chunk" if len(reading.items) == place else ""
            tally.check("MAP-16", len(reading.items) == first, text, *calls, shape=whole)
    elif end.task is None:
        tally.blame("MAP-01", f"no item raised, and the iterator raises {end.error}", *calls)


def _judge_leftover_items(case: Case, tally: Tally, reading: _Reading, used: tuple[str, ...]) -> None:
    """MAP-06, MAP-15: what was pending when an iterator ended early is cancelled."""
    last = reading.closed or (reading.last if reading.end is not None else None) or reading.dropped
    executor = reading.step.executor
    if last is None or reading.step.chunksize > 1 or case.deaths[executor] < FOREVER:
        return
    rule = "MAP-15" if last is reading.dropped else "MAP-06"
    if rule == "MAP-06" and not reading.advanced:
        return
    moment = last.end
    if case.subject.kind != "thread" or not case.all_held(executor, last.begin, moment):
        return
    for task in used:
        if case.tasks[task].began > moment and task in used[len(reading.items) :]:
            ran = bool(case.tasks[task].starts)
            calls = [reading.made, last] if last is reading.dropped else reading.calls
            shape = "" if reading.advanced else "never advanced"
            tally.check(
                rule, not ran, f"{task} was pending when the iterator ended, and ran", *calls, shape=shape
            )
