"""The thread pool: an executor, and the crew of threads that does its work.

The executor is what clients hold; the crew is everything its threads share. The crew does not know the
executor, so dropping the executor is noticed (by a weak reference) and sends the threads home once the
accepted work is done.

How many threads are needed is counted exactly: `demand` is the number of calls that wait or are being made,
plus the callbacks that keep a thread busy. It falls *before* an outcome can be seen, so a client that
submits one call after the other is served by one thread; and it rises again while callbacks run, so a
stalled callback costs its own thread only.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import queue
import threading
import weakref
from collections import deque
from concurrent.futures.thread import BrokenThreadPool
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from reference_executor import _residents
from reference_executor._executor import Executor, available_cpus, check_initializer, check_max_workers
from reference_executor._future import LOGGER, Future
from reference_executor._work import (
    Settled,
    WorkItem,
    call_back_all,
    call_back_in_worker,
    cancel_all,
    fail_all,
)

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_INITIALIZER_FAILED: Final = "A thread initializer failed, the thread pool is not usable anymore"


class ThreadPoolExecutor(Executor, concurrent.futures.ThreadPoolExecutor):
    """Makes calls in a pool of at most `max_workers` threads.

    The standard library's class is a base only because asyncio's `set_default_executor` and others ask for
    it with `isinstance`; nothing of it is used.
    """

    _counter = itertools.count().__next__
    #: Where the threads make their calls, if not simply where they are; and what a broken pool raises.
    _open_place: Callable[[], Place] | None = None
    _broken_error: type[BrokenThreadPool] = BrokenThreadPool

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        """Make a pool; its threads start when they are needed.

        Args:
            max_workers: How many threads at most; None for the processors and four more, at most 32.
            thread_name_prefix: How the names of the threads begin.
            initializer: Called in each thread before its first task. If it raises, the pool is broken.
            initargs: The arguments of the initializer.

        Raises:
            TypeError: The initializer cannot be called.
            ValueError: `max_workers` is less than one.
        """
        if max_workers is None:
            max_workers = min(32, available_cpus() + 4)
        check_max_workers(max_workers)
        check_initializer(initializer)
        self._max_workers = max_workers
        self._thread_name_prefix = thread_name_prefix or f"{type(self).__name__}-{self._counter()}"
        outfit = Outfit(initializer, initargs, self._open_place, self._broken_error)
        crew = Crew(max_workers, self._thread_name_prefix, outfit)
        crew.owner = weakref.ref(self, crew.owner_is_gone)
        self._crew = crew
        # Where the standard library has them, since tests and tools look there.
        self._threads = crew.threads
        self._work_queue = crew.queue  # type: ignore[assignment]

    @property
    def _broken(self) -> bool:  # type: ignore[override]  # tools look here
        return self._crew.broken

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have `fn(*args, **kwargs)` called in a thread; see `Executor.submit`."""
        future: Future[T] = Future()
        self._crew.accept(WorkItem(future, (fn, args, kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as PEP 3148
        """See `Executor.shutdown`."""
        self._crew.close(cancel_futures=cancel_futures)
        if wait:
            self._crew.join()


class Place(Protocol):
    """Where a thread makes its calls: an interpreter of its own, say."""

    def call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        """Make a call there."""

    def close(self) -> None:
        """Leave it."""


class Outfit(NamedTuple):
    """What a thread gets before its first task, and what its pool raises if that fails."""

    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    open_place: Callable[[], Place] | None
    broken_error: type[BrokenThreadPool]


class Crew:
    """The threads of a pool and what they share: the work, how many are needed, why work is refused."""

    def __init__(self, size: int, prefix: str, outfit: Outfit) -> None:
        """Make a crew without threads."""
        self.owner: weakref.ref[ThreadPoolExecutor] | None = None
        # Both bear re-entry: a finaliser that submits may run anywhere, also in the middle of `submit`.
        self.lock = threading.RLock()
        # Until 3.12, two threads that join a third at once can trip over each other, in `Thread._stop`.
        self._joining = threading.RLock()
        self.queue: queue.SimpleQueue[WorkItem[Any] | None] = queue.SimpleQueue()
        self.threads: set[threading.Thread] = set()
        self._size = size
        self._prefix = prefix
        self._outfit = outfit
        self._staff = 0  # Threads that serve, or are being started.
        self._demand = 0
        # One entry for every call that ended since `_demand` was brought up to date: so that a thread that
        # ends a call need not wait for the lock, which a client may hold for as long as it takes to start a
        # thread.
        self._ended: deque[None] = deque()
        self._closed = False
        self._refusal: tuple[type[RuntimeError], str] | None = None

    # What the executor asks for.

    @property
    def broken(self) -> bool:
        """Whether an initializer has failed."""
        return self._refusal is not None and self._refusal[0] is self._outfit.broken_error

    def accept(self, item: WorkItem[Any]) -> None:
        """Queue a piece of work, or raise and leave nothing behind."""
        with self.lock:
            if self._refusal is not None:
                error, text = self._refusal
                raise error(text)
            self._demand += 1
            self.queue.put(item)
            try:
                self._grow()
            except Exception:
                self._withdraw(item)
                raise

    def close(self, *, cancel_futures: bool = False) -> None:
        """Accept no more work; the threads leave when the rest is done, or cancelled."""
        with self.lock:
            self._refuse(RuntimeError, _residents.refusal_of_closed())
            cancelled = cancel_all(self._take_all()) if cancel_futures else []
            if not self._closed:
                self._closed = True
                self.queue.put(None)
        call_back_all(cancelled)

    def join(self) -> None:
        """Wait until the threads are gone; in one of them, do not."""
        if threading.current_thread() in self.threads:
            return
        joined: set[threading.Thread] = set()
        with self._joining:
            while (
                unjoined := self._snapshot() - joined
            ):  # A thread whose callback stalls may still start another.
                for thread in unjoined:
                    if thread.is_alive():
                        thread.join()
                joined |= unjoined

    def owner_is_gone(self, _: weakref.ref[ThreadPoolExecutor]) -> None:
        """Send the threads home after the last piece of work; nobody is left to submit more.

        Called by the garbage collector, anywhere: it must not wait for a lock.
        """
        self.queue.put(None)

    def abandon(self) -> None:
        """In a forked child: the threads are not here, and some other thread may have held the locks."""
        self.lock = threading.RLock()
        self._joining = threading.RLock()
        self.threads.clear()
        self._refusal = (
            RuntimeError,
            "cannot schedule new futures in a forked child: the threads are the parent's",
        )

    # What goes on inside; with the lock held.

    def _snapshot(self) -> set[threading.Thread]:
        with self.lock:
            return set(self.threads)

    def _refuse(self, error: type[RuntimeError], text: str) -> None:
        if self._refusal is None:
            self._refusal = (error, text)

    def _take_all(self) -> list[WorkItem[Any]]:
        """Empty the queue of work. `None`, which sends threads home, stays in it."""
        items = []
        farewell = False
        # Not "while it is not empty": the threads take from it as well, without the lock.
        with contextlib.suppress(queue.Empty):
            while True:
                item = self.queue.get_nowait()
                if item is None:
                    farewell = True
                else:
                    items.append(item)
        self._demand -= len(items)
        if farewell:
            self.queue.put(None)
        return items

    def _withdraw(self, item: WorkItem[Any]) -> None:
        """Take back a piece of work for which no thread could be started; so none has taken it."""
        for other in self._take_all():
            if other is not item:
                self._demand += 1
                self.queue.put(other)

    def _grow(self) -> None:
        """Start a thread if one more is needed and allowed.

        If it cannot be started, work waits for the other threads; without any, the error goes to the caller.
        """
        while self._ended:
            self._ended.pop()
            self._demand -= 1
        if self._demand <= self._staff or self._staff >= self._size:
            return
        if self._staff == 0:
            _residents.check_not_ending()
        self._staff += 1  # First of all: a finaliser may come here again while the thread is being made.
        thread = threading.Thread(target=self._serve, name=f"{self._prefix}_{self._staff - 1}", daemon=False)
        self.threads.add(thread)
        _residents.residents.add(self)
        try:
            thread.start()
        except Exception:  # Not what may come after the start, such as Ctrl-C: then the thread is there.
            self._staff -= 1
            self.threads.discard(thread)
            if self._staff == 0:
                _residents.residents.discard(self)
                raise
            LOGGER.debug("no thread could be started: the work waits for another", exc_info=True)

    # What the threads do.

    def _serve(self) -> None:
        """Work until told to go home; then tell the next one."""
        ready, place = self._initialize()
        try:
            if ready:
                while (item := self.queue.get()) is not None:
                    self._perform(item, place)
                    del item
                self.queue.put(None)
        finally:
            if place is not None:
                place.close()
            self._resign()

    def _initialize(self) -> tuple[bool, Place | None]:
        """Open the place of a thread and call the initializer there; if that fails, break the pool."""
        place: Place | None = None
        initializer, initargs, open_place, _ = self._outfit
        try:
            if open_place is not None:
                place = open_place()
            if initializer is not None and place is not None:
                place.call(initializer, initargs, {})
            elif initializer is not None:
                initializer(*initargs)
        except BaseException:  # noqa: BLE001 - whatever it is, the pool is broken, and the error is logged
            LOGGER.critical("Exception in initializer:", exc_info=True)
            self._break()
            return False, place
        return True, place

    def _break(self) -> None:
        """Fail everything that waits. What other threads are doing goes on."""
        with self.lock:
            self._refusal = (self._outfit.broken_error, _INITIALIZER_FAILED)
            failed = fail_all(self._take_all(), lambda: self._outfit.broken_error(_INITIALIZER_FAILED))
        self._call_back(failed)

    def _perform(self, item: WorkItem[Any], place: Place | None) -> None:
        """Make the call and settle its future, unless that is done already."""
        future = item.future
        if not future._start():  # noqa: SLF001 - ours
            self._ended.append(None)
            return
        result, exception = _make_call(item, place)
        self._ended.append(None)
        callbacks = future._settle("finish", result, exception)  # noqa: SLF001 - ours
        if callbacks:
            self._call_back([(future, callbacks)])
        # A traceback keeps the frames above its own, too: without these names future and exception form no
        # cycle.
        del item, future, result, exception

    def _call_back(self, settled: Settled) -> None:
        """Call callbacks; meanwhile this thread counts as busy, so that others are started for the work."""
        with self.lock:
            self._demand += 1
            self._grow()
        for future, callbacks in settled:
            call_back_in_worker(future, callbacks)
        self._ended.append(None)

    def _resign(self) -> None:
        """Leave the crew; the last one moves the pool out."""
        with self.lock:
            self._staff -= 1
            if self._staff == 0:
                _residents.residents.discard(self)


def _make_call(item: WorkItem[T], place: Place | None) -> tuple[T | None, BaseException | None]:
    """Make a call; return what it returned or raised, having let go of the arguments."""
    fn, args, kwargs = item.take_call()
    try:
        if place is not None:
            return place.call(fn, args, kwargs), None
        return fn(*args, **kwargs), None
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the outcome
        return None, error
    finally:
        # The traceback keeps this frame, and through it would keep the arguments.
        del item, fn, args, kwargs
