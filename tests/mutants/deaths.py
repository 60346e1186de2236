"""Process pools that break one promise each about dying workers, or about what crosses the process boundary.

The standard library's pool does the work. Its futures are made deep inside, but each is put into one
dictionary before anybody else sees it: there it gets the class that a mutant wants it to have.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from concurrent.futures import Future, InvalidStateError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tests.mutants.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, MutableMapping
    from multiprocessing.context import Process
    from multiprocessing.process import BaseProcess

P = ParamSpec("P")
T = TypeVar("T")

# More than a pipe takes without a reader.
PIPE_BUFFER = 65536


class WorkerFuture(Future[Any]):
    """A future whose pool may break after it was cancelled (CF-06: on 3.11 that kills the pool's manager)."""

    processes: Collection[BaseProcess] = ()

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with an exception, unless the future is done."""
        with contextlib.suppress(InvalidStateError):
            super().set_exception(exception)


class WorkItems(dict[int, Any]):
    """The pool's pending work, which gives each future its class."""

    def __init__(self, future_class: type[WorkerFuture], processes: MutableMapping[int, Process]) -> None:
        """Begin empty.

        Args:
            future_class: What the futures become.
            processes: The pool's workers, by pid.
        """
        super().__init__()
        self._class = future_class
        self._processes = processes.values()
        self.futures: weakref.WeakSet[WorkerFuture] = weakref.WeakSet()

    def __setitem__(self, number: int, item: Any) -> None:  # noqa: ANN401 - the standard library's private class
        """Add one item."""
        item.future.__class__ = self._class
        item.future.processes = self._processes
        self.futures.add(item.future)
        super().__setitem__(number, item)


class WorkerPool(ProcessPoolExecutor):
    """The standard library's process pool, with futures of another class."""

    future_class: type[WorkerFuture] = WorkerFuture

    # What the standard library's pool has, and the type stubs do not mention.
    _call_queue: Any

    def __init__(self, max_workers: int | None = None, mp_context: Any = None, **options: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool."""
        super().__init__(max_workers, mp_context, **options)
        self._items = WorkItems(self.future_class, self._processes)
        self._pending_work_items = self._items
        self._call_queue.pending_work_items = self._items


def is_break(exception: BaseException | None) -> bool:
    """Whether an exception tells that the pool is broken."""
    return type(exception) is BrokenProcessPool


class LastingFuture(WorkerFuture):
    """A future that is not told when its pool breaks."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with any other exception."""
        if not is_break(exception):
            super().set_exception(exception)


class Brk01(WorkerPool):
    """When it breaks, what is unfinished stays so."""

    future_class = LastingFuture


class MisledFuture(WorkerFuture):
    """A future that is told of a break by another type of error."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with an exception."""
        super().set_exception(OSError("a worker died") if is_break(exception) else exception)


class Brk02(WorkerPool):
    """When it breaks, its futures fail with something that is no `BrokenExecutor`."""

    future_class = MisledFuture


class FickleFuture(WorkerFuture):
    """A future whose outcome, or cancellation, can be taken back."""

    def become_broken(self, *states: str) -> None:
        """Fail, if in one of these states."""
        with self._condition:
            if self._state in states:
                self._state = "FINISHED"
                self._result = None
                self._exception = BrokenProcessPool("a worker died")


class FicklePool(WorkerPool):
    """A pool that when it breaks takes back what its futures were before."""

    future_class = FickleFuture
    taken_back: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        """Notice the break: the manager says so here before it fails the first future."""
        if name == "_broken" and value:
            for future in self._items.futures:
                assert isinstance(future, FickleFuture)  # the class is chosen above
                future.become_broken(*self.taken_back)
        super().__setattr__(name, value)


class Brk03(FicklePool):
    """When it breaks, finished futures lose their outcomes."""

    taken_back = ("FINISHED",)


class Brk04(WorkerPool):
    """When it is broken it goes on with new workers."""

    def __init__(self, max_workers: int | None = None, mp_context: Any = None, **options: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool, and remember how to make another."""
        super().__init__(max_workers, mp_context, **options)
        self._make_next = partial(Brk04, max_workers, mp_context, **options)
        self._next: Brk04 | None = None
        self._next_lock = threading.Lock()
        self._closed = False  # a break sets the pool's own flag too

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call here, or if this pool is broken in the next one."""
        try:
            return super().submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            with self._next_lock:
                if self._next is None and self._closed:
                    raise
                self._next = self._next or self._make_next()
            return self._next.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut both pools down."""
        with self._next_lock:
            self._closed = True
            following = self._next
        super().shutdown(wait, cancel_futures=cancel_futures)
        if following is not None:
            following.shutdown(wait, cancel_futures=cancel_futures)


class Brk05(WorkerPool):
    """When it is broken, `shutdown(wait=True)` never returns."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down; wait for ever if the pool is broken."""
        broken = bool(self._broken)
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait and broken:
            threading.Event().wait()


class CredulousFuture(WorkerFuture):
    """A future that is not told of a break if the worker that died said that all was well."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with an exception, unless a worker has ended with status 0."""
        if not (is_break(exception) and any(ended_well(process) for process in tuple(self.processes))):
            super().set_exception(exception)


def ended_well(process: BaseProcess) -> bool:
    """Whether a worker has ended with status 0."""
    if not connection.wait([process.sentinel], 0):
        return False
    # The sentinel may tell of the end a moment before the status can be had.
    process.join()
    return process.exitcode == 0


class Brk07(WorkerPool):
    """It takes a worker that dies by `os._exit(0)` for one that is finished."""

    future_class = CredulousFuture


class Brk11(FicklePool):
    """When it breaks, cancelled futures become failed ones."""

    taken_back = ("CANCELLED", "CANCELLED_AND_NOTIFIED")


class CarelessFuture(WorkerFuture):
    """A future for which an error means that there is no result."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with None, or fail if the pool is broken."""
        if is_break(exception):
            super().set_exception(exception)
        else:
            self.set_result(None)


def on_feeder_error(
    tell: Callable[[Exception, object], None], items: WorkItems, error: Exception, call: object
) -> None:
    """Have the future of a call that could not be pickled finish with None."""
    item = items.get(getattr(call, "work_id", -1))
    if item is not None:
        item.future.__class__ = CarelessFuture
    tell(error, call)


class Pkl01(WorkerPool):
    """An argument that cannot be pickled gives None instead of an error."""

    def __init__(self, max_workers: int | None = None, mp_context: Any = None, **options: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool whose queue tells of errors in its own way."""
        super().__init__(max_workers, mp_context, **options)
        tell = self._call_queue._on_queue_feeder_error  # noqa: SLF001 - there is no other way in
        self._call_queue._on_queue_feeder_error = partial(on_feeder_error, tell, self._items)  # noqa: SLF001 - the same


class UnsentFuture(WorkerFuture):
    """A future for which a result that was not sent back is None."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with an exception, unless it tells that the task's result could not be sent back."""
        remote = str(exception.__cause__) if exception is not None else ""
        # A task's own exception that cannot be sent back (PKL-03) shows as the context of that failure.
        if "_sendback_result" in remote and "During handling" not in remote:
            self.set_result(None)
        else:
            super().set_exception(exception)


class Pkl02(WorkerPool):
    """A result that cannot be pickled gives None instead of an error."""

    future_class = UnsentFuture


def torn(thing: T) -> T:
    """Return a result with zeros for all bytes beyond the pipe's buffer, its attributes included."""
    if isinstance(thing, bytes) and len(thing) > PIPE_BUFFER:
        return type(thing)(thing[:PIPE_BUFFER] + bytes(len(thing) - PIPE_BUFFER))
    for name in (*getattr(type(thing), "__slots__", ()), *getattr(thing, "__dict__", ())):
        part = getattr(thing, name, None)
        if type(part) is bytes and len(part) > PIPE_BUFFER:
            setattr(thing, name, torn(part))
    return thing


class TornFuture(WorkerFuture):
    """A future that receives only as much of a result as a pipe takes at once."""

    def set_result(self, result: object) -> None:
        """Finish with a result."""
        super().set_result(torn(result))


class Pkl06(WorkerPool):
    """Large results do not arrive whole."""

    future_class = TornFuture


NOTES = {
    "BRK-01": "After a death unfinished futures stay pending or running for ever; shutdown returns.",
    "BRK-02": "After a death unfinished futures fail with OSError.",
    "BRK-03": "After a death finished futures raise BrokenProcessPool.",
    "BRK-04": "After a death submit goes on, in a new pool.",
    "BRK-05": "After a death shutdown(wait=True) never returns.",
    "BRK-07": "After os._exit(0) in a task unfinished futures stay so for ever; other deaths are noticed.",
    "BRK-11": "After a death cancelled futures raise BrokenProcessPool instead of CancelledError.",
    "PKL-01": "An argument that cannot be pickled: the future's result is None.",
    "PKL-02": "A result that cannot be pickled: the future's result is None.",
    "PKL-06": "Of a result with more than 64 KiB of bytes, the bytes beyond are zeros.",
}

MUTANTS: tuple[Mutant, ...] = tuple(
    Mutant(
        rule=rule, target=f"tests.mutants.deaths:{rule.title().replace('-', '')}", kind="process", note=note
    )
    for rule, note in NOTES.items()
)
