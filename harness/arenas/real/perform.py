"""From an operation to the call it stands for, and from what came back to a plain outcome."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import signal
import threading
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from harness.arenas.real import drive, puppet
from harness.arenas.real.litter import littered
from harness.arenas.real.recorder import now
from harness.arenas.real.stage import NOTHING
from harness.values import operation as op
from harness.values.history import CalledBack, Entered, Finalised
from harness.values.outcome import (
    Drained,
    Facts,
    Mapped,
    Outcome,
    Raised,
    Returned,
    Skipped,
    Split,
    States,
    Struck,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.arenas.real.stage import Stage

_LONGEST_DRAIN = 1000  # items; an iterator that gives more never ends


_AT_EASE = contextlib.nullcontext()


def perform(stage: Stage, step: op.Operation) -> Outcome:
    """Make the call; whatever it raises is its outcome."""
    act: Callable[[Stage, Any], Outcome] = _ACTS[type(step)]
    missing = _missing(stage, step)
    if missing:
        return Skipped(missing=missing)
    try:
        with littered(*_litter_for(stage, step)), _hunger_for(stage, step):
            return act(stage, step)
    except BaseException as error:  # noqa: BLE001 - the subject may raise anything: it is an observation
        raised = stage.describe_error(error)
        if raised.breaks:
            _loosen(stage, step)
        return raised


def _hunger_for(stage: Stage, step: op.Operation) -> contextlib.AbstractContextManager[None]:
    """The limit at which a call is made, if it is made at one."""
    if stage.hunger is None or isinstance(step, op.Starve):
        return _AT_EASE
    what, stage.hunger = stage.hunger, None
    return stage.starved_of(what)


def _litter_for(stage: Stage, step: op.Operation) -> tuple[list[Callable[[], None]], int]:
    """The deeds of what is to be collected in a call, and after how many allocations."""
    if not stage.litter or isinstance(step, op.Litter):
        return [], 0
    pieces, stage.litter = stage.litter, []
    return [functools.partial(_finalise, stage, piece) for piece in pieces], pieces[-1].after


def _finalise(stage: Stage, step: op.Litter) -> None:
    """What a finaliser does, in whichever thread and call the collector came."""
    since = now()
    stage.recorder.write(Entered(at=since, callback=step.litter, future=f"f.{step.litter}"))
    trouble = ""
    try:
        ticket = stage.ticket(step.task, step.executor, "plain")
        stage.hand_in(stage.executors[step.executor], f"f.{step.litter}", ticket)
    except Exception as error:  # noqa: BLE001 - a deed that fails is an observation
        trouble = f"{type(error).__name__}: {error}"
    stage.recorder.write(Finalised(at=now(), litter=step.litter, since=since, trouble=trouble))


def _leave_litter(stage: Stage, step: op.Litter) -> Outcome:
    stage.litter.append(step)
    return NOTHING


def _missing(stage: Stage, step: op.Operation) -> str:
    """A symbol that stands for nothing, because the call that should have made it raised."""
    kind: type = type(step)
    future, futures, iterator, executor = _needs(kind)
    if isinstance(step, op.Fresh):
        return "" if step.like in stage.futures else step.like
    if future and step.future not in stage.futures:  # type: ignore[union-attr]  # it has one
        return step.future  # type: ignore[union-attr]  # as above
    if iterator and step.iterator not in stage.iterators:  # type: ignore[union-attr]  # as above
        return step.iterator  # type: ignore[union-attr]  # as above
    if executor and step.executor not in (None, *stage.executors):  # type: ignore[union-attr]  # as above
        return str(step.executor)  # type: ignore[union-attr]  # as above
    if futures:
        return next((name for name in step.futures if name not in stage.futures), "")  # type: ignore[union-attr]
    return ""


@functools.cache
def _needs(kind: type) -> tuple[bool, bool, bool, bool]:
    """Whether operations of a kind need a future, several, an iterator, or an executor to be there."""
    names = {each.name for each in fields(kind)}
    makes_iterator = kind in (op.Map, op.AsCompleted)
    return (
        "future" in names and kind is not op.Submit,
        "futures" in names,
        "iterator" in names and not makes_iterator,
        "executor" in names,
    )


def _loosen(stage: Stage, step: op.Operation) -> None:
    """A broken pool: nothing more is expected of it."""
    name = getattr(step, "executor", None)
    if name is None:
        task = stage.task_of.get(getattr(step, "future", ""), "")
        name = stage.owner.get(task, stage.program.pools[0].executor)
    stage.ledgers[name].lose_workers()


def _submit(stage: Stage, step: op.Submit) -> Outcome:
    ticket = stage.ticket(step.task, step.executor, "keywords" if step.keywords else "plain")
    return stage.hand_in(stage.executors[step.executor], step.future, ticket)


def _cancel(stage: Stage, step: op.Cancel) -> Outcome:
    future = stage.futures[step.future]
    answer = False
    try:
        answer = future.cancel()
    except SystemExit:  # of a callback: it is cancelled all the same
        answer = future.cancelled()
        raise
    finally:
        if answer and step.future in stage.task_of:
            stage.mark("cancelled", stage.task_of[step.future], 0)
    return stage.describe(answer)


def _observe(stage: Stage, step: op.Observe) -> Outcome:
    future = stage.futures[step.future]
    return States(seen=tuple(_state(future) for _ in range(step.times)))


def _state(future: Any) -> str:  # noqa: ANN401 - a future of whatever class
    return "".join("1" if answer else "0" for answer in (future.running(), future.cancelled(), future.done()))


def _add_callback(stage: Stage, step: op.AddCallback) -> Outcome:
    future = stage.futures[step.future]
    executor = stage.executors.get(step.executor or "")
    stage.describe(future.add_done_callback(_callback(stage, step, future, executor)))
    return NOTHING


def _callback(
    stage: Stage,
    step: op.AddCallback,
    expected: Any,  # noqa: ANN401 - a future of whatever class
    executor: Any = None,  # noqa: ANN401 - a live one
) -> Callable[..., None]:
    """What is called; it may be after the client has dropped everything, so it keeps what it needs."""

    def called(*arguments: Any) -> None:  # noqa: ANN401 - whatever the subject hands over is recorded
        at = now()
        own = len(arguments) == 1 and arguments[0] is expected
        trouble = ""
        failure: Exception | None = None
        if step.deed != "record":
            stage.recorder.write(Entered(at=at, callback=step.callback, future=step.future))
        state, ready = _state(expected), _ready(expected)
        try:
            _do_deed(stage, step, expected, executor)
        except Exception as error:  # noqa: BLE001 - a deed that fails is an observation
            trouble, failure = f"{type(error).__name__}: {error}", error
        stage.recorder.write(
            CalledBack(
                at=at,
                callback=step.callback,
                future=step.future,
                pid=os.getpid(),
                thread=threading.get_ident(),
                state=state,
                ready=ready,
                own=own,
                trouble="" if step.deed == "raise" else trouble,
                until=now(),
            )
        )
        if step.deed == "raise" and failure is not None:
            raise failure
        if step.deed == "exit":
            raise SystemExit(step.callback)

    return called


def _ready(future: Any) -> bool:  # noqa: ANN401 - a future of whatever class
    futures = importlib.import_module("concurrent.futures")
    try:
        future.exception(timeout=0)
    except futures.CancelledError:
        return True
    except TimeoutError:
        return False
    return True


def _do_deed(stage: Stage, step: op.AddCallback, future: Any, executor: Any) -> None:  # noqa: ANN401 - live objects
    match step.deed:
        case "raise":
            raise ValueError(step.callback)
        case "query":
            future.running(), future.cancelled(), future.done(), repr(future), future.cancel()
        case "add":
            added = op.AddCallback(future=step.future, callback=f"{step.callback}.added")
            future.add_done_callback(_callback(stage, added, future))
        case "submit" if step.executor is not None and step.task is not None:
            ticket = stage.ticket(step.task, step.executor, "plain")
            stage.hand_in(executor, f"f.{step.callback}", ticket)
        case "shutdown" | "close":
            executor.shutdown(wait=step.deed == "close")
        case _:
            pass


def _handed(stage: Stage, names: tuple[str, ...], form: op.Form) -> Iterable[Any]:
    futures = [stage.futures[name] for name in names]
    match form:
        case "set":
            return set(futures)
        case "generator":
            return iter(futures)
        case "doubled":
            return futures + futures
        case "list":
            return futures


def _wait(stage: Stage, step: op.Wait) -> Outcome:
    answer = stage.blueprint.wait(
        _handed(stage, step.futures, step.form), timeout=step.timeout, return_when=step.return_when
    )
    sets = isinstance(answer, tuple) and all(
        isinstance(getattr(answer, part, None), set) for part in ("done", "not_done")
    )
    done, not_done = answer
    return Split(
        done=tuple(sorted(map(stage.name_of, done))),
        not_done=tuple(sorted(map(stage.name_of, not_done))),
        sets=sets,
    )


def _as_completed(stage: Stage, step: op.AsCompleted) -> Outcome:
    handed = _handed(stage, step.futures, step.form)
    stage.iterators[step.iterator] = _named(
        stage, iter(stage.blueprint.as_completed(handed, timeout=step.timeout))
    )
    return Mapped(pulled=len(step.futures))


class _named:  # noqa: N801 - reads as the adjective it is
    """An iterator of futures, given as their names; closing goes through."""

    def __init__(self, stage: Stage, inner: Iterator[Any]) -> None:
        self._stage = stage
        self._inner = inner

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return self._stage.name_of(next(self._inner))

    def close(self) -> None:
        self._inner.close()  # type: ignore[attr-defined]  # a generator, unless the subject has another idea


def _map(stage: Stage, step: op.Map) -> Outcome:
    pulled = 0
    pairs = step.shorter is not None
    tickets = [
        stage.ticket(task, step.executor, f"item {index}" if pairs else "item")
        for index, task in enumerate(step.tasks)
    ]

    def source() -> Iterator[puppet.Ticket]:
        nonlocal pulled
        for index, ticket in enumerate(tickets):
            if index == step.fails_at:
                raise LookupError("the iterable failed")
            pulled += 1
            yield ticket

    ledger = stage.ledgers[step.executor]
    iterables: list[Iterable[Any]] = [source()]
    if step.shorter is not None:
        iterables.append(range(len(tickets) - step.shorter))
    used = tickets if step.shorter is None else tickets[: len(tickets) - step.shorter]
    if step.fails_at is not None or step.chunksize > 1:
        ledger.loose = True
    stage.iterators[step.iterator] = iter(
        stage.executors[step.executor].map(
            stage.play, *iterables, timeout=step.timeout, chunksize=step.chunksize
        )
    )
    for ticket in used:
        stage.mark("accepted", ticket.task, 0)
    return Mapped(pulled=pulled)


def _next(stage: Stage, step: op.Next) -> Outcome:
    try:
        value = next(stage.iterators[step.iterator])
    except StopIteration:
        return Returned(value="the end")
    except BaseException:
        _expect_no_more(stage)
        raise
    return (
        Returned(value=value) if isinstance(value, str) else stage.describe(value)
    )  # a future comes as its name


def _expect_no_more(stage: Stage) -> None:
    """An iterator ended early: what it leaves pending may be cancelled, or may run."""
    for ledger in stage.ledgers.values():
        ledger.loose = True


def _drain(stage: Stage, step: op.Drain) -> Outcome:
    items: list[str] = []
    stamps: list[int] = []
    end: Raised | None = None
    stopped = False
    iterator = stage.iterators[step.iterator]
    while len(items) < _LONGEST_DRAIN:
        try:
            value = next(iterator)
        except StopIteration:
            stopped = True
            break
        except BaseException as error:  # noqa: BLE001 - how an iterator ends is an observation
            end, stopped = stage.describe_error(error), True
            _expect_no_more(stage)
            break
        items.append(value if isinstance(value, str) else stage.describe(value).value)
        stamps.append(now())
    return Drained(items=tuple(items), end=end, stopped=stopped, at=tuple(stamps))


def _close(stage: Stage, step: op.Close) -> Outcome:
    iterator: Any = stage.iterators[step.iterator]
    if not hasattr(iterator, "close"):
        return Returned(value="no such method")
    iterator.close()
    _expect_no_more(stage)
    return NOTHING


def _drop(stage: Stage, step: op.Drop) -> Outcome:
    stage.drop_iterator(step.iterator)
    _expect_no_more(stage)
    return NOTHING


def _shutdown(stage: Stage, step: op.Shutdown) -> Outcome:
    if step.cancel_futures:
        stage.ledgers[step.executor].loose = True
        return stage.describe(stage.executors[step.executor].shutdown(wait=step.wait, cancel_futures=True))
    return stage.describe(stage.executors[step.executor].shutdown(wait=step.wait))


def _enter(stage: Stage, step: op.Enter) -> Outcome:
    executor = stage.executors[step.executor]
    return Returned(value="itself" if executor.__enter__() is executor else "something else")


def _leave(stage: Stage, step: op.Leave) -> Outcome:
    executor = stage.executors[step.executor]
    if not step.raising:
        return stage.describe(executor.__exit__(None, None, None))
    with contextlib.suppress(LookupError):
        try:
            raise LookupError("the block raised")  # noqa: TRY301 - a with block that raises, spelled out
        except LookupError as error:
            swallowed = executor.__exit__(type(error), error, error.__traceback__)
            return Returned(value="swallowed" if swallowed else "None")
    return NOTHING


def _open(stage: Stage, step: op.Open) -> Outcome:
    stage.open_gate(step.gate)
    return NOTHING


def _starve(stage: Stage, step: op.Starve) -> Outcome:
    stage.hunger = step.of
    return NOTHING


def _forget(stage: Stage, step: op.Forget) -> Outcome:
    stage.forget(step.executor)
    return NOTHING


def _release(stage: Stage, _step: op.Release) -> Outcome:
    for executor in stage.ledgers:
        _resume(stage, op.Resume(executor=executor))
    stage.open_all_gates()
    return NOTHING


def _kill(stage: Stage, step: op.Kill) -> Outcome:
    ledger = stage.ledgers[step.executor]
    stage.take_notice()
    if step.task is None:
        known = getattr(stage.executors[step.executor], "_processes", None)
        candidates = set(known) if isinstance(known, dict) else ledger.pids
        pids = sorted(set(candidates) - set(ledger.inside.values()))
    else:
        pids = [ledger.inside[step.task]] if step.task in ledger.inside else []
    pids = [pid for pid in pids if pid != os.getpid() and stage.is_worker(pid)]
    if not pids:
        return Struck(pid=None)
    ledger.lose_workers()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pids[0], signal.SIGKILL if step.signal == "KILL" else signal.SIGTERM)
        return Struck(pid=pids[0])
    return Struck(pid=None)


def _served(stage: Stage, step: op.Interrupt | op.Suspend) -> int | None:
    """The worker that runs a task, or one that has served a task and is idle; None if there is no such."""
    ledger = stage.ledgers[step.executor]
    stage.take_notice()
    if step.task is None:
        pids = sorted(ledger.pids - set(ledger.bodies.values()) - ledger.suspended)
    else:
        pids = [ledger.bodies[step.task]] if step.task in ledger.bodies else []
    return next((pid for pid in pids if pid != os.getpid() and stage.is_worker(pid)), None)


def _interrupt(stage: Stage, step: op.Interrupt) -> Outcome:
    pid = _served(stage, step)
    if pid is not None:
        stage.ledgers[step.executor].lose_workers()  # it may leave, and others with it
        pid = _signal(pid, signal.SIGINT)
    return Struck(pid=pid)


def _suspend(stage: Stage, step: op.Suspend) -> Outcome:
    pid = _served(stage, step)
    if pid is not None:
        pid = _signal(pid, signal.SIGSTOP)
    if pid is not None:
        stage.ledgers[step.executor].suspended.add(pid)
    return Struck(pid=pid)


def _resume(stage: Stage, step: op.Resume) -> Outcome:
    suspended = stage.ledgers[step.executor].suspended
    for pid in suspended:
        _signal(pid, signal.SIGCONT)
    suspended.clear()
    return NOTHING


def _signal(pid: int, number: signal.Signals) -> int | None:
    """Send a signal; None if nobody is there to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return None
    return pid


_UNUSUAL: dict[op.Arguments, dict[str, object]] = {
    "zero workers": {"max_workers": 0},
    "negative workers": {"max_workers": -1},
    "default workers": {"max_workers": None},
    "bad initializer": {"max_workers": 1, "initializer": 3},
}


def _construct(stage: Stage, step: op.Construct) -> Outcome:
    executor = stage.blueprint.factory(**_UNUSUAL[step.arguments])
    workers = getattr(executor, "_max_workers", None)
    if step.arguments in ("zero workers", "negative workers"):
        with contextlib.suppress(Exception):  # it may refuse; what it accepts it has to do, whoever does it
            executor.submit(int, 1).result()
    executor.shutdown(wait=True)
    return Facts(lines=("built", f"workers={workers}", f"cpus={_usable_cpus()}"))


def _usable_cpus() -> int:
    """The number on which the documented default of `max_workers` rests, in this Python."""
    return (getattr(os, "process_cpu_count", None) or os.cpu_count)() or 1


def _bare(signature: inspect.Signature) -> inspect.Signature:
    """A signature without its annotations, which nobody promises."""
    parameters = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=signature.empty)


def _inspect(stage: Stage, step: op.Inspect) -> Outcome:
    executor = stage.executors[step.executor]
    futures = importlib.import_module("concurrent.futures")
    lines = [f"executor={isinstance(executor, futures.Executor)}"]
    for method in ("submit", "map", "shutdown"):
        try:
            lines.append(f"{method}={_bare(inspect.signature(getattr(executor, method)))}")
        except (AttributeError, TypeError, ValueError):
            lines.append(f"{method}=none")
    return Facts(lines=tuple(lines))


def _read(method: str) -> Callable[[Stage, Any], Outcome]:
    """The act of a reading method without arguments."""
    return lambda stage, step: stage.describe(getattr(stage.futures[step.future], method)())


def _read_outcome(method: str) -> Callable[[Stage, Any], Outcome]:
    """The act of `result` or `exception`."""

    def act(stage: Stage, step: op.Result | op.Error) -> Outcome:
        answer = getattr(stage.futures[step.future], method)(timeout=step.timeout)
        described = stage.describe(answer)
        if described.error is not None and described.error.breaks:
            _loosen(stage, step)
        return described

    return act


_ACTS: dict[type, Callable[[Stage, Any], Outcome]] = {
    op.Submit: _submit,
    op.Cancel: _cancel,
    op.Running: _read("running"),
    op.Cancelled: _read("cancelled"),
    op.Done: _read("done"),
    op.Observe: _observe,
    op.Repr: lambda stage, step: Returned(value=repr(stage.futures[step.future])[:200]),
    op.Result: _read_outcome("result"),
    op.Error: _read_outcome("exception"),
    op.AddCallback: _add_callback,
    op.Wait: _wait,
    op.AsCompleted: _as_completed,
    op.Map: _map,
    op.Next: _next,
    op.Drain: _drain,
    op.Close: _close,
    op.Drop: _drop,
    op.Shutdown: _shutdown,
    op.Enter: _enter,
    op.Leave: _leave,
    op.Open: _open,
    op.Forget: _forget,
    op.Starve: _starve,
    op.Release: _release,
    op.Kill: _kill,
    op.Interrupt: _interrupt,
    op.Suspend: _suspend,
    op.Resume: _resume,
    op.Construct: _construct,
    op.Inspect: _inspect,
    op.Fresh: drive.make,
    op.Claim: drive.claim,
    op.SetResult: drive.set_result,
    op.SetException: drive.set_exception,
    op.Litter: _leave_litter,
    op.Turn: lambda _stage, _step: NOTHING,  # whoever plays the program turns elsewhere after it
}
