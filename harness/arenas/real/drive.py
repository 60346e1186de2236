"""What drives a bare future as an executor would: the calls and what they hand over."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from harness.arenas.real import puppet
from harness.values.outcome import Outcome, Returned, Submitted

if TYPE_CHECKING:
    from harness.arenas.real.stage import Stage
    from harness.values import operation as op


class NotOnItsOwn(Exception):  # noqa: N818 - says what the class is like, not that it is wrong
    """A class of futures that do not work without the executor that makes them, as they rightly may."""


def make(stage: Stage, step: op.Fresh) -> Outcome:
    """Make a future of the class of another, if that class is one for bare futures."""
    kind = type(stage.futures[step.like])
    if _is_derived(kind) and kind not in stage.rehearsed:
        _rehearse(kind)
        stage.rehearsed.add(kind)
    future = kind()
    stage.futures[step.future] = future
    return Submitted(is_future=isinstance(future, stage.blueprint.future))


def _is_derived(kind: type) -> bool:
    """Whether a class adds to another class of futures what may need its executor."""
    return any(hasattr(base, "set_result") for base in kind.__bases__)


def _rehearse(kind: type[Any]) -> None:
    """End and cancel spare futures, whose callbacks are to be called then.

    Futures are made by executors: only a class that is the whole of a future promises to work by itself.
    """
    called: list[bool] = []
    ended, cancelled = kind(), kind()
    try:
        for future in (ended, cancelled):
            future.add_done_callback(lambda _: called.append(True))
        ended.set_running_or_notify_cancel()
        ended.set_result(None)
        cancelled.cancel()
    except Exception as error:
        raise NotOnItsOwn(kind.__name__) from error
    if len(called) < len((ended, cancelled)):
        raise NotOnItsOwn(kind.__name__)


def claim(stage: Stage, step: op.Claim) -> Outcome:
    """Claim it, as a worker does before it executes the task."""
    return stage.describe(stage.futures[step.future].set_running_or_notify_cancel())


def set_result(stage: Stage, step: op.SetResult) -> Outcome:
    """End it with a value."""
    value = _value(step)
    stage.made(step.mark, value)
    return stage.describe(stage.futures[step.future].set_result(value))


def _value(step: op.SetResult) -> object:
    match step.value:
        case "parcel":
            return puppet.Parcel(step.mark, 0)
        case "exception":
            return ValueError(step.mark)
        case "none":
            return None


def set_exception(stage: Stage, step: op.SetException) -> Outcome:
    """End it with an exception; the outcome tells which object it was."""
    error = _error(step)
    known = stage.describe_error(error)
    answer = stage.describe(stage.futures[step.future].set_exception(error))
    return Returned(value=answer.value, error=known)


def _error(step: op.SetException) -> BaseException:
    match step.error:
        case "ValueError":
            return ValueError(step.mark)
        case "TimeoutError":
            return TimeoutError(step.mark)
        case "CancelledError":
            cancelled: type[BaseException] = importlib.import_module("concurrent.futures").CancelledError
            return cancelled(step.mark)
