"""The closed vocabulary: one call a client can make, or one fault it can inject.

Operations name executors (``e0``), tasks (``t0``), futures (``f0``), iterators (``i0``), callbacks (``c0``)
and gates (``g0``) by symbols; there is never a live object in one. All times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["list", "set", "generator", "doubled"]
"""How several futures are handed over: ``doubled`` is a list that names each of them twice."""

ReturnWhen: TypeAlias = Literal["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "NONSENSE"]
Deed: TypeAlias = Literal["record", "raise", "query", "add", "submit", "shutdown", "close", "exit"]
Resource: TypeAlias = Literal["threads", "processes"]
Signal: TypeAlias = Literal["KILL", "TERM"]
Place: TypeAlias = Literal["the end", "exit functions", "a late thread", "a forked child", "a module body"]
Value: TypeAlias = Literal["parcel", "none", "exception"]
Failure: TypeAlias = Literal["ValueError", "TimeoutError", "CancelledError"]
Arguments: TypeAlias = Literal["zero workers", "negative workers", "default workers", "bad initializer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """``future = executor.submit(play, ticket of task, ...)``; with `keywords`, awkward keywords too."""

    executor: str
    future: str
    task: str
    keywords: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """``future.cancel()``."""

    future: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """``future.running()``."""

    future: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """``future.cancelled()``."""

    future: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """``future.done()``."""

    future: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observe:
    """Poll ``running()``, ``cancelled()`` and ``done()`` one after the other, `times` over."""

    future: str
    times: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Repr:
    """``repr(future)``."""

    future: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``future.result(timeout)``."""

    future: str
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """``future.exception(timeout)``."""

    future: str
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCallback:
    """``future.add_done_callback(...)`` with a callback that reports itself and then does its `deed`.

    ``add`` adds a recording callback named after this one; ``submit`` submits the task `task`; ``shutdown``
    calls ``shutdown(wait=False)`` on the executor, ``close`` ``shutdown(wait=True)``; ``query`` calls every
    reading method of the future; ``exit`` raises `SystemExit`.
    """

    future: str
    callback: str
    deed: Deed = "record"
    executor: str | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """``wait(futures, timeout, return_when)``."""

    futures: tuple[str, ...]
    return_when: ReturnWhen = "ALL_COMPLETED"
    timeout: float | None = None
    form: Form = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class AsCompleted:
    """``iterator = as_completed(futures, timeout)``; nothing is drawn from it yet."""

    iterator: str
    futures: tuple[str, ...]
    timeout: float | None = None
    form: Form = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """``iterator = executor.map(play, tickets of tasks[, numbers], timeout=..., chunksize=...)``.

    With `shorter`, a second iterable that many items shorter is zipped in; with `fails_at`, the iterable of
    tickets raises when that index is asked for.
    """

    executor: str
    iterator: str
    tasks: tuple[str, ...]
    shorter: int | None = None
    timeout: float | None = None
    chunksize: int = 1
    fails_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """``next(iterator)``."""

    iterator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Call ``next(iterator)`` until it stops or raises."""

    iterator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """``iterator.close()``, where there is such a method."""

    iterator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """``del iterator``: nobody has a reference to it any more."""

    iterator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """``executor.shutdown(wait=..., cancel_futures=...)``."""

    executor: str
    wait: bool = True
    cancel_futures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """``executor.__enter__()``: the beginning of a ``with`` block."""

    executor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """The end of the ``with`` block; `raising` is one that a ``LookupError`` leaves."""

    executor: str
    raising: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open a gate: the tasks that wait there, now or later, go on."""

    gate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Send a signal to the worker that runs `task`, or (None) to a worker that is idle."""

    executor: str
    task: str | None = None
    signal: Signal = "KILL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """Send SIGINT to the worker that runs `task`, or (None) to one that has served a task and is idle."""

    executor: str
    task: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend:
    """Send SIGSTOP to the worker that runs `task`, or (None) to one that has served a task and is idle.

    The end of the program resumes who is still suspended, as it opens the gates.
    """

    executor: str
    task: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Send SIGCONT to all workers of the executor that are suspended."""

    executor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Construct:
    """Build an executor with unusual arguments, and shut it down if that succeeds.

    One that accepts to have no workers is given a call first, and its result is waited for.
    """

    arguments: Arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspect:
    """Look at the executor without using it: its base class, the signatures of its methods."""

    executor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Litter:
    """Drop an object in a reference cycle whose finaliser submits `task`, just before the next operation.

    In that the collector strikes after so many allocations (`after`), wherever this may be.
    """

    executor: str
    litter: str
    task: str
    after: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """From here on the lane is played elsewhere.

    With ``the end`` nothing follows: the main program ends as it is, nothing is shut down, and gates open
    when the interpreter begins to exit. What comes after the others is done by a function that `atexit`
    calls; by a thread that goes on when the main program has ended, and before executors hear of that; by the
    child of an ``os.fork()``; or by the body of a module that is imported for the purpose, with tasks that
    are functions of that module.
    """

    to: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Let the interpreter exit, with what is still to be done (epilogue)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """``future = type(like)()``: a bare future, which no executor knows and the client drives itself."""

    future: str
    like: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """``future.set_running_or_notify_cancel()``."""

    future: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResult:
    """``future.set_result(...)`` with a value that knows its `mark`, None or an exception."""

    future: str
    mark: str
    value: Value = "parcel"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetException:
    """``future.set_exception(...)`` with an exception that knows its `mark`."""

    future: str
    mark: str
    error: Failure = "ValueError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """``del executor``: nobody uses it any more, and it is not shut down in the end."""

    executor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Starve:
    """The next operation, a submit, is made at a limit of the system: it can start no more `of` these."""

    of: Resource = "threads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Open every gate of the program (epilogue)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Drop every reference and list what is left behind (epilogue)."""


Operation: TypeAlias = (
    Submit
    | Cancel
    | Running
    | Cancelled
    | Done
    | Observe
    | Repr
    | Result
    | Error
    | AddCallback
    | Wait
    | AsCompleted
    | Map
    | Next
    | Drain
    | Close
    | Drop
    | Shutdown
    | Enter
    | Leave
    | Open
    | Kill
    | Interrupt
    | Suspend
    | Resume
    | Construct
    | Inspect
    | Litter
    | Turn
    | End
    | Fresh
    | Claim
    | SetResult
    | SetException
    | Forget
    | Starve
    | Release
    | Census
)
