"""`wait` and `as_completed`: to wait for several futures at once, from any executor, ours or not.

Both hang a *waiter* on each future, which the future tells, under its own lock, that it is done; and both
take it off again, however they end. A future that is done before its waiter hangs is noticed while hanging
it, under the same lock: there is no moment at which a future can slip through.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import threading
import time
import weakref
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar, cast

from reference_executor._future import Future

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

T = TypeVar("T")
AnyFuture = concurrent.futures.Future[Any]


class DoneAndNotDoneFutures(NamedTuple, Generic[T]):
    """What `wait` returns: the futures that were done, and the others."""

    done: set[concurrent.futures.Future[T]]
    not_done: set[concurrent.futures.Future[T]]


class _Waiter(Protocol):
    """What hangs on a future. It is called under the future's lock, so it may only take note."""

    def add_result(self, future: AnyFuture) -> None: ...
    def add_exception(self, future: AnyFuture) -> None: ...
    def add_cancelled(self, future: AnyFuture) -> None: ...


class _Hall:
    """Counts the futures that are done, for `wait`, and rings once when they are enough."""

    def __init__(self, needed: int, *, exception_is_enough: bool) -> None:
        self.done: set[AnyFuture] = set()
        self._needed = needed
        self._exception_is_enough = exception_is_enough
        # A finaliser may settle a future in the middle of `_add`, in the same thread: both must bear
        # re-entry.
        self._lock = threading.RLock()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()

    def add_result(self, future: AnyFuture) -> None:
        self._add(future, enough=False)

    def add_exception(self, future: AnyFuture) -> None:
        self._add(future, enough=self._exception_is_enough)

    def add_cancelled(self, future: AnyFuture) -> None:
        self._add(future, enough=False)

    def _add(self, future: AnyFuture, *, enough: bool) -> None:
        with self._lock:
            self.done.add(future)
            if enough or len(self.done) >= self._needed:
                self._bell.put(None)

    def wait(self, timeout: float | None) -> set[AnyFuture]:
        """Wait for the bell or the timeout; return the futures that are done by then."""
        with contextlib.suppress(queue.Empty):  # That the time is up is no error for `wait`.
            _get(self._bell, timeout)
        with self._lock:
            return set(self.done)


class _Arrivals:
    """Queues the futures that are done, for `as_completed`, in the order in which they came."""

    def __init__(self) -> None:
        self.arrived: queue.SimpleQueue[AnyFuture] = queue.SimpleQueue()

    def add_result(self, future: AnyFuture) -> None:
        self.arrived.put(future)

    add_exception = add_result
    add_cancelled = add_result


def wait(
    fs: Iterable[concurrent.futures.Future[T]], timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDoneFutures[T]:
    """Wait until the first, the first that raised, or all of some futures are done.

    Args:
        fs: The futures, of one executor or of several; one that is given twice counts once.
        timeout: How many seconds to wait at most; None waits for as long as it takes.
        return_when: `FIRST_COMPLETED`, `FIRST_EXCEPTION` or `ALL_COMPLETED`.

    Returns:
        The futures in two sets, done and not done. Cancelled futures are done.

    Raises:
        ValueError: `return_when` is none of the three.
    """
    futures = set(fs)
    if return_when not in {FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED}:
        raise ValueError(f"Invalid return condition: {return_when!r}")
    needed = min(1, len(futures)) if return_when == FIRST_COMPLETED else len(futures)
    hall = _Hall(needed, exception_is_enough=return_when == FIRST_EXCEPTION)
    try:
        _hang_all(hall, futures)
        done = cast("set[concurrent.futures.Future[T]]", hall.wait(timeout if futures else 0))
    finally:
        for future in futures:
            _take_off(hall, future)
    return DoneAndNotDoneFutures(done, futures - done)


def as_completed(
    fs: Iterable[concurrent.futures.Future[T]], timeout: float | None = None
) -> Iterator[concurrent.futures.Future[T]]:
    """Iterate over futures in the order in which they become done; those done already come first.

    Args:
        fs: The futures, of one executor or of several; one that is given twice is yielded once.
        timeout: How many seconds from this call (not from the first `next`) the iteration may take.

    Returns:
        The iterator. It keeps no reference to what it has yielded. It raises `TimeoutError` if a future is
        not done in time.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    return _completions(set(fs), deadline)


def _completions(
    pending: set[concurrent.futures.Future[T]], deadline: float | None
) -> Generator[concurrent.futures.Future[T], None, None]:
    total = len(pending)
    waiter = _Arrivals()
    try:
        _hang_all(waiter, pending)
        # While the waiters were hung, futures arrived in the order of the hanging. Their numbers tell the
        # true order.
        batch = sorted(_drain(waiter.arrived), key=_settled_number, reverse=True)
        while pending:
            if not batch:
                batch = [_next_arrival(waiter, deadline, len(pending), total)]
            if batch[-1] in pending:
                pending.remove(batch[-1])
                _take_off(waiter, batch[-1])
                yield batch.pop()
            else:
                batch.pop()
    finally:
        for future in pending:
            _take_off(waiter, future)


def _next_arrival(waiter: _Arrivals, deadline: float | None, unfinished: int, total: int) -> AnyFuture:
    try:
        return _get(waiter.arrived, None if deadline is None else deadline - time.monotonic())
    except queue.Empty:
        raise TimeoutError(f"{unfinished} (of {total}) futures unfinished") from None


def _settled_number(future: AnyFuture) -> int:
    """Tell when a future was settled, compared with others; of those that are not ours, nothing."""
    return future._settled_number if isinstance(future, Future) else 0  # noqa: SLF001 - ours


def _get(source: queue.SimpleQueue[T], timeout: float | None) -> T:
    """Take an item; `queue.Empty` after the timeout, which may be any number, also infinity."""
    if timeout is None or timeout > threading.TIMEOUT_MAX:
        return source.get()
    return source.get(timeout=timeout) if timeout > 0 else source.get_nowait()


def _drain(source: queue.SimpleQueue[T]) -> list[T]:
    items = []
    while not source.empty():
        items.append(source.get_nowait())
    return items


def _hang_all(waiter: _Waiter, futures: Iterable[AnyFuture]) -> None:
    for future in futures:
        _hang(waiter, future)


def _hang(waiter: _Waiter, future: AnyFuture) -> None:
    """Hang a waiter on a future, and tell it at once if the future is done."""
    with future._condition:  # noqa: SLF001 - as in `_hang`
        future._waiters.append(cast("Any", waiter))  # noqa: SLF001 - the same
        if future.cancelled():
            waiter.add_cancelled(future)
        elif not future.done():
            if not isinstance(future, Future):
                future.add_done_callback(_Whisper(waiter))
        elif future.exception() is None:
            waiter.add_result(future)
        else:
            waiter.add_exception(future)


def _take_off(waiter: _Waiter, future: AnyFuture) -> None:
    """Take a waiter off a future, if it hangs there."""
    with future._condition:  # noqa: SLF001 - as in `_hang`
        if waiter in future._waiters:  # noqa: SLF001 - the same
            future._waiters.remove(waiter)  # noqa: SLF001 - the same
        # A future that is done may be going through its callbacks at the moment, without its lock: leave
        # them alone.
        if not isinstance(future, Future) and not future.done():
            callbacks: list[Callable[..., object]] = future._done_callbacks  # type: ignore[attr-defined]  # noqa: SLF001
            callbacks[:] = [
                each for each in callbacks if not (isinstance(each, _Whisper) and each.is_for(waiter))
            ]


class _Whisper:
    """A callback for futures not ours: the standard library's `cancel` tells callbacks, but no waiters.

    It holds its waiter weakly, since a callback cannot always be taken off again.
    """

    def __init__(self, waiter: _Waiter) -> None:
        self._waiter = weakref.ref(waiter)

    def is_for(self, waiter: _Waiter) -> bool:
        return self._waiter() is waiter

    def __call__(self, future: AnyFuture) -> None:
        waiter = self._waiter()
        if waiter is not None and future.cancelled():
            waiter.add_cancelled(future)
