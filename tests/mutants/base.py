"""A small, correct thread pool, with its future, ``wait`` and ``as_completed``: what mutants are made from.

Everything here keeps the rules, also where the standard library does not (a falsy exception is raised, a
cancelled future is seen at once, the timeout of ``as_completed`` counts from its call). The
sacrificial child imports this module: standard library only.
"""

import concurrent.futures
import contextlib
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Future, InvalidStateError
from concurrent.futures.thread import BrokenThreadPool
from dataclasses import dataclass, field
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LOGGER = logging.getLogger("concurrent.futures")

# What `concurrent.futures.Future` keeps in `_state`; the standard library's own `wait` reads it.
PENDING = "PENDING"
RUNNING = "RUNNING"
CANCELLED = "CANCELLED"
CANCELLED_AND_NOTIFIED = "CANCELLED_AND_NOTIFIED"
FINISHED = "FINISHED"
DONE_STATES = frozenset({CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED})


class PlainFuture(Future[object]):
    """A future without the standard one's faults: cancelling is seen at once, a falsy exception counts."""

    _done_callbacks: list[Callable[[Future[object]], object]]

    def cancel(self) -> bool:
        """Cancel a pending future, and tell everybody who waits for it at once."""
        with self._condition:
            if self._state in (RUNNING, FINISHED):
                return False
            if self._state != PENDING:
                return True
            self._become_cancelled()
        self._invoke_callbacks()
        return True

    def set_running_or_notify_cancel(self) -> bool:
        """Make a pending future running; say False of a cancelled one, whose waiters know already."""
        with self._condition:
            if self._state == CANCELLED_AND_NOTIFIED:
                return False
            return super().set_running_or_notify_cancel()

    def result(self, timeout: float | None = None) -> object:
        """Wait for the outcome; return the task's value or raise its exception, be it falsy or not."""
        error = self._wait_for_error(timeout)
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del self, error  # this frame is in the traceback: it must close no reference cycle

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the outcome; return the task's exception, or None if it returned."""
        return self._wait_for_error(timeout)

    def add_done_callback(self, fn: Callable[[Future[object]], object]) -> None:
        """Have the callback called at the end, or now if the future is done."""
        with self._condition:
            if self._state not in DONE_STATES:
                self._done_callbacks.append(fn)
                return
        self._invoke(fn)

    def __repr__(self) -> str:
        """Tell the state, and the type of the outcome, without asking the outcome itself anything."""
        with self._condition:
            state = self._state.removesuffix("_AND_NOTIFIED").lower()
            if self._state != FINISHED:
                outcome = ""
            elif self._exception is not None:
                outcome = f" raised {type(self._exception).__name__}"
            else:
                outcome = f" returned {type(self._result).__name__}"
        return f"<{type(self).__name__} at {id(self):#x} state={state}{outcome}>"

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Wait for the outcome on behalf of `result` and `exception`."""
        return super().exception(timeout)

    def _become_cancelled(self) -> None:
        """Enter the cancelled state; the caller holds the condition, and calls the callbacks afterwards."""
        self._state = CANCELLED_AND_NOTIFIED
        for waiter in self._waiters:
            waiter.add_cancelled(self)
        self._condition.notify_all()

    def _invoke_callbacks(self) -> None:
        """Call the callbacks in the order in which they were added."""
        for callback in self._done_callbacks:
            self._invoke(callback)

    def _invoke(self, callback: Callable[[Future[object]], object]) -> None:
        """Call one callback; what it raises is logged and stops nobody."""
        try:
            callback(self)
        except Exception:
            LOGGER.exception("exception calling callback for %r", self)


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One call that waits for a worker. It keeps its pool alive: work that was accepted is done."""

    pool: "PlainThreadPool"
    future: Future[Any]
    fn: Callable[..., object]
    args: tuple[object, ...]
    kwargs: Mapping[str, object]


@dataclass(slots=True, weakref_slot=True, eq=False)
class Work:
    """What the workers of one pool share; an idle worker knows this and not the pool, which can be dropped.

    Attributes:
        changed: Guards all the rest. Its lock is reentrant: the pool may be collected while the lock is held.
        items: The calls that no worker has taken.
        idle: How many workers are not busy with an item; those that are just starting are among them.
        closed: No further item is accepted; the workers end when there is none left.
        broken: An initializer has failed: nothing is accepted or executed any more.
        foreign: This process was forked from the one that has the workers.
        threads: Every worker that was started.
        cancellers: The threads (by identifier) that are just cancelling what `shutdown` took from the queue.
    """

    changed: threading.Condition = field(default_factory=threading.Condition)
    items: deque[Item] = field(default_factory=deque)
    idle: int = 0
    closed: bool = False
    broken: bool = False
    foreign: bool = False
    threads: list[threading.Thread] = field(default_factory=list)
    cancellers: list[int] = field(default_factory=list)

    def take(self) -> Item | None:
        """Wait for an item; None tells the worker to end."""
        with self.changed:
            self.changed.wait_for(lambda: self.items or self.closed or self.broken)
            if not self.items:
                return None
            self.idle -= 1
            return self.items.popleft()

    def rejoin(self) -> None:
        """Count the calling worker among the idle ones again."""
        with self.changed:
            self.idle += 1

    def drain(self) -> list[Item]:
        """Take every item away from the workers; the caller holds the lock."""
        items = list(self.items)
        self.items.clear()
        return items

    def close(self) -> None:
        """Let the workers end once the queue is empty."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def abandon(self) -> None:
        """Forget workers that are another process's."""
        self.changed = threading.Condition()
        self.closed = self.foreign = True
        self.items.clear()
        self.threads.clear()
        self.cancellers.clear()

    def fail(self) -> None:
        """Break the pool after a failed initializer: fail what is queued, accept nothing more."""
        with self.changed:
            self.broken = True
            items = self.drain()
            self.changed.notify_all()
        for item in items:
            item.pool._break_item(item)  # noqa: SLF001 - the pool's own hook, called from its worker


works: weakref.WeakSet[Work] = weakref.WeakSet()


def _close_all() -> None:
    """Let all workers end, so that the interpreter, which joins them, can exit once everything is done."""
    for work in list(works):
        work.close()


def _abandon_all() -> None:
    """In a forked child no pool has workers any more, and locks may stay locked."""
    for work in list(works):
        work.abandon()


os.register_at_fork(after_in_child=_abandon_all)


# `atexit` would be too late: the interpreter joins the threads before it calls those functions.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public hook


def serve(work: Work, initializer: Callable[..., object] | None, initargs: tuple[object, ...]) -> None:
    """Be a worker: execute items until there is none left and none to come."""
    if initializer is not None:
        try:
            initializer(*initargs)
        except BaseException:
            LOGGER.critical("Exception in initializer:", exc_info=True)
            work.fail()
            return
    while (item := work.take()) is not None:
        try:
            item.pool._run_item(item)  # noqa: SLF001 - the pool's own hook, called from its worker
        except BaseException:
            LOGGER.critical("Exception in worker", exc_info=True)
        del item  # an idle worker keeps neither the pool nor the future alive
        work.rejoin()


class PlainThreadPool(concurrent.futures.Executor):
    """A thread pool that keeps the rules; methods with a leading underscore are there to be overridden."""

    future_class: type[Future[Any]] = Future

    def __init__(
        self,
        max_workers: int | None = 2,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[object, ...] = (),
    ) -> None:
        """Make a pool of at most `max_workers` threads, none of which is started yet."""
        if max_workers is None:
            max_workers = min(32, (os.cpu_count() or 1) + 4)
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._max_workers = max_workers
        self._thread_name_prefix = thread_name_prefix or type(self).__name__
        self._initializer = initializer
        self._initargs = initargs
        self._work = Work()
        works.add(self._work)
        weakref.finalize(self, self._work.close).atexit = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call, with a worker to serve it, and return its future."""
        future = self._make_future()
        self._enqueue(Item(self, future, fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Accept nothing more; cancel what is queued, and wait until all is done, if asked to."""
        work = self._work
        me = threading.get_ident()
        with work.changed:
            work.close()
            items = work.drain() if cancel_futures else []
            work.cancellers.append(me)
        try:
            for item in items:  # without the lock: the callbacks may use the pool
                self._cancel_item(item)
        finally:
            with work.changed:
                work.cancellers.remove(me)
                work.changed.notify_all()
        if wait:
            for thread in work.threads:  # complete: a closed pool starts no thread
                if thread is not threading.current_thread():
                    thread.join()
            with work.changed:
                work.changed.wait_for(lambda: all(other == me for other in work.cancellers))

    def _make_future(self) -> Future[Any]:
        """Make the future of a new call."""
        return self.future_class()

    def _enqueue(self, item: Item) -> None:
        """Hand an item to the workers, or refuse it."""
        work = self._work
        with work.changed:
            if work.broken:
                raise BrokenThreadPool("A thread initializer failed, the thread pool is not usable anymore")
            if work.foreign:
                raise RuntimeError("cannot schedule new futures in a forked child")
            if work.closed or not threading.main_thread().is_alive():
                raise RuntimeError("cannot schedule new futures after shutdown")
            if work.idle <= len(work.items) and len(work.threads) < self._max_workers:
                self._start_worker()
            work.items.append(item)
            work.changed.notify()

    def _start_worker(self) -> None:
        """Start one more worker; the caller holds the lock. If it cannot be started nothing has changed."""
        work = self._work
        thread = threading.Thread(
            name=f"{self._thread_name_prefix}_{len(work.threads)}",
            target=serve,
            args=(work, self._initializer, self._initargs),
        )
        thread.start()
        work.threads.append(thread)
        work.idle += 1

    def _run_item(self, item: Item) -> None:
        """Execute an item unless its future was cancelled."""
        if not item.future.set_running_or_notify_cancel():
            return
        try:
            result = item.fn(*item.args, **item.kwargs)
        except BaseException as error:  # noqa: BLE001 - it is the future's outcome
            self._fail(item.future, error)
            del self, item  # this frame is in the traceback: it must keep neither the pool nor the future
        else:
            self._fulfil(item.future, result)

    def _fulfil(self, future: Future[Any], result: object) -> None:
        """Finish a running future with its task's value."""
        future.set_result(result)

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        """Finish a running future with its task's exception."""
        future.set_exception(error)

    def _cancel_item(self, item: Item) -> None:
        """Cancel an item that was taken from the queue, and tell everybody who waits for its future."""
        item.future.cancel()
        item.future.set_running_or_notify_cancel()

    def _break_item(self, item: Item) -> None:
        """Fail an item that was taken from the queue of a broken pool; a cancelled one stays cancelled."""
        if item.future.set_running_or_notify_cancel():
            self._fail(item.future, BrokenThreadPool("A thread initializer failed"))


class EndableFuture(PlainFuture):
    """A future that can be cancelled while its task runs: no rule allows that, but some mutants do it."""

    def give_up(self) -> None:
        """Cancel the future unless it is done, be it running or not."""
        with self._condition:
            if self._state in DONE_STATES:
                return
            self._become_cancelled()
        self._invoke_callbacks()


class EndablePool(PlainThreadPool):
    """A pool that puts up with futures which are ended while their task runs, by dropping the outcome."""

    future_class: type[Future[Any]] = EndableFuture

    def _fulfil(self, future: Future[Any], result: object) -> None:
        """Finish a future unless it has been ended."""
        with contextlib.suppress(InvalidStateError):
            super()._fulfil(future, result)

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        """Finish a future unless it has been ended."""
        with contextlib.suppress(InvalidStateError):
            super()._fail(future, error)


class DoneAndNotDone(NamedTuple):
    """What `wait` returns."""

    done: set[Future[Any]]
    not_done: set[Future[Any]]


class Ending(NamedTuple):
    """What a watch hears: a future has become done, by raising or not."""

    future: Future[Any]
    raised: bool


def waiters_of(future: Future[Any]) -> list[Any]:
    """Return the list of those whom the future will tell of its end."""
    return future._waiters  # noqa: SLF001 - the protocol between futures and `wait`


class Watch:
    """Hears from futures in the order in which they become done; a context that leaves no trace in them.

    Attributes:
        given: How many futures are watched.
        early: How many of them were done when the watch began.
        endings: What has been heard and not taken, the early ones first.
    """

    def __init__(self, futures: Iterable[Future[Any]]) -> None:
        """Prepare to watch the futures."""
        self._futures = set(futures)
        # No lock of a future is ever asked for while this one is held: futures call `hear` under their own.
        self._changed = threading.Condition()
        self.given = len(self._futures)
        self.early = 0
        self.endings: list[Ending] = []

    def __enter__(self) -> Self:
        """Begin, with all futures held at once, so that their endings are heard in the true order."""
        with contextlib.ExitStack() as held:
            for future in sorted(self._futures, key=id):
                held.enter_context(future._condition)  # noqa: SLF001 - the protocol between futures and `wait`
            for future in self._futures:
                if future._state in DONE_STATES:  # noqa: SLF001 - the same
                    self.hear(future, raised=future._exception is not None)  # noqa: SLF001 - the same
                else:
                    waiters_of(future).append(self)
            self.early = len(self.endings)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the futures as they were."""
        while self._futures:
            self._release(self._futures.pop())

    def wait_for(self, enough: Callable[[], bool], deadline: float | None) -> bool:
        """Wait until what was heard is enough, or until the deadline; say whether it is enough."""
        with self._changed:
            return self._changed.wait_for(enough, None if deadline is None else deadline - time.monotonic())

    def hear(self, future: Future[Any], *, raised: bool) -> None:
        """Be told that a future has become done."""
        with self._changed:
            self.endings.append(Ending(future, raised))
            self._changed.notify_all()

    # The names by which `concurrent.futures.Future` tells its waiters.
    def add_result(self, future: Future[Any]) -> None:
        """Be told that a future has finished with a value."""
        self.hear(future, raised=False)

    def add_exception(self, future: Future[Any]) -> None:
        """Be told that a future has finished with an exception."""
        self.hear(future, raised=True)

    def add_cancelled(self, future: Future[Any]) -> None:
        """Be told that a future was cancelled."""
        self.hear(future, raised=False)

    def take(self) -> Future[Any]:
        """Give away the next future that was heard of, and forget it."""
        future = self.endings.pop(self._next()).future
        self._futures.discard(future)
        self._release(future)
        return future

    def _next(self) -> int:
        """Where in `endings` the next future to give away is."""
        return 0

    def _release(self, future: Future[Any]) -> None:
        """Stop listening to a future."""
        with future._condition:  # noqa: SLF001 - the protocol between futures and `wait`
            if self in waiters_of(future):
                waiters_of(future).remove(self)


# Says whether what was heard is enough, when so many futures were given.
Enough = Callable[[Sequence[Ending], int], bool]


def all_completed(endings: Sequence[Ending], given: int) -> bool:
    """Whether all are done."""
    return len(endings) == given


def first_completed(endings: Sequence[Ending], given: int) -> bool:
    """Whether one is done, if there is any at all."""
    return not given or bool(endings)


def first_exception(endings: Sequence[Ending], given: int) -> bool:
    """Whether one has finished by raising, or all are done."""
    return len(endings) == given or any(ending.raised for ending in endings)


CONDITIONS: Mapping[str, Enough] = {
    ALL_COMPLETED: all_completed,
    FIRST_COMPLETED: first_completed,
    FIRST_EXCEPTION: first_exception,
}


def condition_of(return_when: str) -> Enough:
    """Look up a `return_when`; one that does not exist is the caller's mistake."""
    if return_when not in CONDITIONS:
        raise ValueError(f"Invalid return condition: {return_when!r}")
    return CONDITIONS[return_when]


def deadline_in(timeout: float | None) -> float | None:
    """When a timeout that starts now will have passed."""
    return None if timeout is None else time.monotonic() + timeout


def watch_until(futures: set[Future[Any]], timeout: float | None, enough: Enough) -> DoneAndNotDone:
    """Wait until enough of the futures are done, or for the timeout, and part them."""
    deadline = deadline_in(timeout)
    with Watch(futures) as watch:
        watch.wait_for(lambda: enough(watch.endings, watch.given), deadline)
    done = {ending.future for ending in watch.endings}
    return DoneAndNotDone(done, futures - done)


def plain_wait(
    fs: Iterable[Future[Any]], timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Wait for futures as `concurrent.futures.wait` is documented to."""
    return watch_until(set(fs), timeout, condition_of(return_when))


def plain_as_completed(fs: Iterable[Future[Any]], timeout: float | None = None) -> Iterator[Future[Any]]:
    """Yield futures as they become done, as `concurrent.futures.as_completed` is documented to."""
    deadline = deadline_in(timeout)
    return completed(Watch(fs), lambda: deadline)


def completed(watch: Watch, deadline: Callable[[], float | None]) -> Iterator[Future[Any]]:
    """Begin the watch now; the iterator asks for the deadline each time it is advanced."""
    iterator = _completed(watch, deadline)
    next(iterator)
    return iterator


def _completed(watch: Watch, deadline: Callable[[], float | None]) -> Iterator[Future[Any]]:
    """Yield a placeholder once the watch has begun, then the futures."""
    with watch:
        # Suspended here an iterator that is closed or dropped ends its watch, though nobody has advanced it.
        yield Future()
        for count in range(watch.given):
            if not watch.wait_for(lambda: bool(watch.endings), deadline()):
                raise TimeoutError(f"{watch.given - count} (of {watch.given}) futures unfinished")
            yield watch.take()
