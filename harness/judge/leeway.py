"""What the documentation leaves open, and what tasks and callbacks ask of the executor that runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.callbacks import was_refused
from harness.judge.case import FOREVER, Call, Case
from harness.values import operation as op
from harness.values.outcome import Raised

if TYPE_CHECKING:
    from harness.judge.tally import Tally
    from harness.values.program import Script


def left_a_callback(case: Case) -> bool:
    """Whether a callback raised a `BaseException`: then only CB-11 is judged, for the rest is undefined."""
    return bool(exits(case))


def exits(case: Case) -> list[op.AddCallback]:
    """The callbacks that raised a `BaseException`."""
    called = {event.callback for event in case.entered}
    steps = (call.step for call in case.calls)
    return [
        step
        for step in steps
        if isinstance(step, op.AddCallback) and step.deed == "exit" and step.callback in called
    ]


def judge_undefined(case: Case, tally: Tally) -> None:
    """CB-11: a callback that raises a `BaseException` costs the pool no worker, and others nothing."""
    for call in case.open_calls() if case.stuck is not None else ():
        tally.blame(
            "CB-11", "a callback raised SystemExit, and this call does not return", call, shape="hang"
        )
    for quiet in case.quiet:
        if quiet.queued:
            names = ", ".join(quiet.queued)
            text = f"a callback raised SystemExit, nothing moves, and yet {names} does not start"
            tally.blame("CB-11", text, shape="idle")
    if case.gone is not None:
        tally.blame("CB-11", "a callback raised SystemExit, and the client ended", shape="gone")
    if not case.complete():
        return
    for left in case.leftovers:
        names = ", ".join((*left.threads, *left.processes)) or "something"
        tally.blame("CB-11", f"a callback raised SystemExit, and {names} is left behind", shape="left")
    called = {event.callback for event in case.callbacks}
    for step in exits(case):
        _judge_others(case, tally, step, called)


def _judge_others(case: Case, tally: Tally, step: op.AddCallback, called: set[str]) -> None:
    """CB-11: the other callbacks of the same future are called."""
    for call in case.of(op.AddCallback):
        other = call.step
        if isinstance(other, op.AddCallback) and other.future == step.future and not _raised(call):
            text = f"{step.callback} raised SystemExit, and {other.callback} is not called"
            tally.check("CB-11", other.callback in called, text, call, shape="skipped", future=other.future)


def _raised(call: Call) -> bool:
    return isinstance(call.outcome, Raised)


def judge_from_within(case: Case, tally: Tally) -> None:
    """SUB-07, SHD-08, SHD-12: what a task, or a callback that closes, asks of its own executor."""
    for script in case.program.tasks:
        done = case.acted.get(script.task)
        if done is not None:
            _judge_errand(case, tally, script, done.trouble)
    for call in case.of(op.AddCallback):
        step = call.step
        if isinstance(step, op.AddCallback) and step.deed == "close":
            for event in case.callbacks:
                if event.callback == step.callback:
                    text = f"in {step.callback}, shutdown(wait=True) fails with {event.trouble}"
                    tally.check(
                        "SHD-12", not event.trouble, text, call, shape=event.trouble, future=step.future
                    )


def _judge_errand(case: Case, tally: Tally, script: Script, trouble: str) -> None:
    """What one task asked for."""
    name, owner = script.task, case.owners.get(script.task, "")
    if script.errand == "submit":
        closing = case.shut_since(owner) < case.acted[name].at or case.deaths[owner] < FOREVER
        fine = not trouble or (closing and was_refused(trouble))
        tally.check("SUB-07", fine, f"in {name}, submit fails with {trouble}", task=name)
    elif script.errand == "shutdown":
        text = f"in {name}, shutdown(wait=False) fails with {trouble}"
        tally.check("SHD-08", not trouble, text, task=name)
    elif script.errand == "close":
        text = f"in {name}, shutdown(wait=True) fails with {trouble}"
        tally.check("SHD-12", not trouble, text, shape=trouble, task=name)


WITHIN = {"task: submit": "SUB-07", "task: shutdown": "SHD-08", "task: close": "SHD-12", "close": "SHD-12"}
"""The rule that a hang inside a callback, or inside the errand of a task, breaks."""


def closes_itself(case: Case, executor: str, before: int) -> bool:
    """Whether a task or callback of an executor had begun to shut it down and wait, by then."""
    deeds = {
        step.callback
        for step in (call.step for call in case.calls)
        if isinstance(step, op.AddCallback) and step.deed == "close" and step.executor == executor
    }
    deeds |= {
        script.task
        for script in case.program.tasks
        if script.errand == "close" and case.owners.get(script.task) == executor
    }
    return any(event.callback in deeds and event.at < before for event in case.entered)
