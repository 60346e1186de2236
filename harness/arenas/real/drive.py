"""What drives a bare future as an executor would: the calls and what they hand over."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from harness.arenas.real import puppet
from harness.values.outcome import Outcome, Returned, Submitted

if TYPE_CHECKING:
    from harness.arenas.real.stage import Stage
    from harness.values import operation as op


def make(stage: Stage, step: op.Fresh) -> Outcome:
    """Make a future of the class of another."""
    future = type(stage.futures[step.like])()
    stage.futures[step.future] = future
    return Submitted(is_future=isinstance(future, stage.blueprint.future))


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
