"""Calls that come back long after their timeout, where nothing but themselves can have held them up.

On real clocks only "too early" and "never" can be judged. In an exact history time passes for nothing but a
wait, and only when nobody else could go on: whoever is late has waited for something else than its deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from harness.values import operation as op

if TYPE_CHECKING:
    from harness.judge.case import Call, Case
    from harness.judge.tally import Tally

_SECOND: Final = 1_000_000_000
TOLERANCE: Final = _SECOND
"""So late, in nanoseconds, may come whoever looks at the clock only now and then."""


class Promise(NamedTuple):
    """The rule that limits how long a call takes, from when on, and the seconds that it grants."""

    rule: str
    since: int
    timeout: float


def judge_lateness(case: Case, tally: Tally) -> None:
    """RES-06, RES-07, WAIT-02 to WAIT-04, ASC-04, MAP-05: at its timeout a call comes back."""
    if not case.history.exact:
        return
    makers = _makers(case)
    for call in case.calls:
        promise = _promise(call, makers) if call.answered else None
        if promise is None:
            continue
        due = max(call.begin, promise.since + int(promise.timeout * _SECOND))
        if call.end < due:
            continue
        late = (call.end - due) / _SECOND
        text = f"it comes back {late:.1f} s after its timeout of {promise.timeout:g} s, and only waited"
        made = makers.get(getattr(call.step, "iterator", ""))
        calls = (call,) if made is None else (made, call)
        if call.end - due < TOLERANCE:
            tally.hold(promise.rule)
        else:
            tally.blame(promise.rule, text, *calls, shape="late", timed=True)


def settled(case: Case, since: int, until: int) -> bool:
    """Whether everybody surely had come to a stop between two stamps, who polls now and then included."""
    return case.history.exact and until - since > TOLERANCE


def promise_of(case: Case, call: Call) -> Promise | None:
    """How long a call may take, if it has a timeout, or draws from what has one."""
    return _promise(call, _makers(case))


def _makers(case: Case) -> dict[str, Call]:
    """The iterators, with the calls that made them."""
    return {getattr(call.step, "iterator", ""): call for call in case.of(op.Map, op.AsCompleted)}


def _promise(call: Call, makers: dict[str, Call]) -> Promise | None:
    match call.step:
        case op.Result(timeout=float(timeout)) | op.Error(timeout=float(timeout)):
            return Promise("RES-06" if timeout > 0 else "RES-07", call.begin, timeout)
        case op.Wait(timeout=float(timeout), return_when=when) if when in _WAITS:
            return Promise(_WAITS[when], call.begin, timeout)
        case op.Next(iterator=iterator) | op.Drain(iterator=iterator) if iterator in makers:
            made = makers[iterator]
            granted = getattr(made.step, "timeout", None)
            rule = "MAP-05" if isinstance(made.step, op.Map) else "ASC-04"
            return None if granted is None else Promise(rule, made.end, granted)
        case _:
            return None


_WAITS: Final = {"ALL_COMPLETED": "WAIT-02", "FIRST_COMPLETED": "WAIT-03", "FIRST_EXCEPTION": "WAIT-04"}
