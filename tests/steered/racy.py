"""Small executors with planted races, each beside its mended twin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, TypeAlias

Work: TypeAlias = tuple[Future[Any], Callable[..., Any], tuple[object, ...], dict[str, object]]


class LateSubmit(Executor):
    """`submit` looks whether the pool is closed and then queues the work: `shutdown` may come in between."""

    def __init__(self, max_workers: int = 1) -> None:
        """Start the one worker there is, whatever is asked for."""
        del max_workers
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        """Look, then act."""
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[Any] = Future()
        self._queue.put((future, fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as `Executor`
        """Close the pool."""
        del cancel_futures
        self._closed = True
        self._queue.put(None)
        if wait:
            self._thread.join()

    def _serve(self) -> None:
        while (work := self._queue.get()) is not None:
            future, fn, args, kwargs = work
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it is the task's
                future.set_exception(error)


class MendedSubmit(LateSubmit):
    """The same, with a lock around both."""

    def __init__(self, max_workers: int = 1) -> None:
        """Have a lock."""
        self._lock = threading.Lock()
        super().__init__(max_workers)

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        """Look and act at once."""
        with self._lock:
            return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as `Executor`
        """Close the pool at once, then wait."""
        with self._lock:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
        if wait:
            self._thread.join()


class LostCount(LateSubmit):
    """`submit` counts, reading and writing in two statements, and drops a call that counts like another.

    A race that only statements can show: there is no operation of the C layer between the read and the write.
    """

    def __init__(self, max_workers: int = 1) -> None:
        """Count from nought."""
        self._count = 0
        self._queued: set[int] = set()
        super().__init__(max_workers)

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        """Two calls that read the same number are taken for one."""
        number = self._next_number()
        if number in self._queued:
            return Future()
        self._queued.add(number)
        return super().submit(fn, *args, **kwargs)

    def _next_number(self) -> int:
        number = self._count
        self._count = number + 1
        return number


class MendedCount(LostCount):
    """The same, with a lock around the counting."""

    def __init__(self, max_workers: int = 1) -> None:
        """Have a lock."""
        self._counting = threading.Lock()
        super().__init__(max_workers)

    def _next_number(self) -> int:
        with self._counting:
            return super()._next_number()
