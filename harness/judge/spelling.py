"""Operations and outcomes as one would write them: the words of every witness and every picture."""

from __future__ import annotations

from harness.values import operation as op
from harness.values.outcome import Drained, Outcome, Raised, Returned, Skipped, Split, States, Struck

_SIGNALS: dict[type[op.Operation], str] = {op.Interrupt: "INT", op.Suspend: "STOP"}


def spell(step: op.Operation) -> str:  # noqa: C901, PLR0911, PLR0912 - one table, a row for each operation
    """An operation as one would write it."""
    match step:
        case op.Submit(executor=executor, future=future, task=task, keywords=keywords):
            return f"{future} = {executor}.submit({task}{', fn=..., self=..., key=...' if keywords else ''})"
        case op.Observe(future=future):
            return f"{future}.running(), .cancelled(), .done()"
        case op.Repr(future=future):
            return f"repr({future})"
        case op.Result(future=future, timeout=timeout):
            return f"{future}.result({'' if timeout is None else f'timeout={timeout:g}'})"
        case op.Error(future=future, timeout=timeout):
            return f"{future}.exception({'' if timeout is None else f'timeout={timeout:g}'})"
        case op.AddCallback(future=future, callback=callback, deed=deed):
            return f"{future}.add_done_callback({callback}: {deed})"
        case op.Wait(futures=futures, return_when=when, timeout=timeout, form=form):
            tail = "" if timeout is None else f", timeout={timeout:g}"
            return f"wait({form} of {', '.join(futures) or 'nothing'}, {when}{tail})"
        case op.AsCompleted(iterator=iterator, futures=futures, timeout=timeout, form=form):
            tail = "" if timeout is None else f", timeout={timeout:g}"
            return f"{iterator} = as_completed({form} of {', '.join(futures) or 'nothing'}{tail})"
        case op.Map():
            return _spell_map(step)
        case op.Next(iterator=iterator):
            return f"next({iterator})"
        case op.Drain(iterator=iterator):
            return f"list({iterator})"
        case op.Close(iterator=iterator):
            return f"{iterator}.close()"
        case op.Drop(iterator=iterator):
            return f"del {iterator}"
        case op.Shutdown(executor=executor, wait=wait, cancel_futures=cancel):
            return f"{executor}.shutdown(wait={wait}{', cancel_futures=True' if cancel else ''})"
        case op.Enter(executor=executor):
            return f"with {executor}:"
        case op.Leave(executor=executor, raising=raising):
            return f"end of with {executor}{' by an exception' if raising else ''}"
        case op.Open(gate=gate):
            return f"open {gate}"
        case op.Kill(executor=executor, task=task, signal=signal):
            which = "is idle" if task is None else f"runs {task}"
            return f"kill -{signal} the worker of {executor} that {which}"
        case op.Interrupt(executor=executor, task=task) | op.Suspend(executor=executor, task=task):
            which = "is idle" if task is None else f"runs {task}"
            return f"kill -{_SIGNALS[type(step)]} the worker of {executor} that {which}"
        case op.Resume(executor=executor):
            return f"kill -CONT the workers of {executor} that are suspended"
        case op.Construct(arguments=arguments):
            return f"build one with {arguments}"
        case op.Inspect(executor=executor):
            return f"inspect {executor}"
        case op.Litter(executor=executor, litter=litter, task=task, after=after):
            return f"drop {litter}, a cycle that submits {task} to {executor} when it is collected ({after})"
        case op.Turn(to="the end"):
            return "the main program ends"
        case op.Turn(to=place):
            return f"goes on in {place}"
        case op.End():
            return "the interpreter exits"
        case op.Fresh(future=future, like=like):
            return f"{future} = type({like})()"
        case op.Claim(future=future):
            return f"{future}.set_running_or_notify_cancel()"
        case op.SetResult(future=future, mark=mark, value=value):
            return f"{future}.set_result({mark if value == 'parcel' else f'{value} {mark}'})"
        case op.SetException(future=future, mark=mark, error=error):
            return f"{future}.set_exception({error}({mark}))"
        case op.Forget(executor=executor):
            return f"del {executor}"
        case op.Starve(of=what):
            return f"no more {what} can be started in the next call"
        case op.Release():
            return "open all gates"
        case op.Census():
            return "drop everything and count what is left"
        case _:
            return f"{getattr(step, 'future', '?')}.{type(step).__name__.lower()}()"


def _spell_map(step: op.Map) -> str:
    parts = [", ".join(step.tasks) or "nothing"]
    if step.fails_at is not None:
        parts[0] += f" (the iterable raises at {step.fails_at})"
    if step.shorter is not None:
        parts.append(f"range({len(step.tasks) - step.shorter})")
    if step.timeout is not None:
        parts.append(f"timeout={step.timeout:g}")
    if step.chunksize != 1:
        parts.append(f"chunksize={step.chunksize}")
    return f"{step.iterator} = {step.executor}.map([{parts[0]}]{''.join(', ' + part for part in parts[1:])})"


def answer(outcome: Outcome | None) -> str:  # noqa: PLR0911 - one table, a row for each outcome
    """An outcome, in short."""
    match outcome:
        case None:
            return "never returns"
        case Returned(value=value):
            return f"-> {value}"
        case Raised(error=error, message=message):
            return f"raises {error}{f'({message[:80]})' if message else ''}"
        case Skipped(missing=missing):
            return f"(not called: there is no {missing})"
        case States(seen=seen):
            return "-> " + ", ".join(_spell_state(each) for each in seen)
        case Split(done=done, not_done=not_done):
            return f"-> done {{{', '.join(done)}}}, not done {{{', '.join(not_done)}}}"
        case Drained(items=items, end=end):
            tail = "" if end is None else f", then raises {end.error}"
            return f"-> [{', '.join(items)}]{tail}"
        case Struck(pid=pid):
            return "-> no such worker" if pid is None else f"-> pid {pid}"
        case _:
            return ""


def _spell_state(bits: str) -> str:
    names = [name for name, bit in zip(("running", "cancelled", "done"), bits, strict=True) if bit == "1"]
    return " ".join(names) or "pending"
