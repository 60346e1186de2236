"""Executors whose shutdown takes long: some go round in circles, some get somewhere in the end.

They sleep because that is how such executors poll; in the world, in virtual time. No test waits by it.
"""

from __future__ import annotations

import itertools
import multiprocessing
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

_LONG = 1 << 40
_QUITE_LONG = 1_200


class _Thoughtful(ThreadPoolExecutor):
    """Does something of its own first when it is shut down."""

    def __init__(self, max_workers: int = 2) -> None:
        super().__init__(max_workers)
        self._lock = threading.Lock()
        self._forever = False
        self._count = 0

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Think, if anything was ever submitted, then shut down."""
        if self._threads:
            self._think()
        super().shutdown(wait=wait, cancel_futures=cancel_futures)

    def _think(self) -> None:
        """Each has its own way."""
        raise NotImplementedError


class Polls(_Thoughtful):
    """Waits for a flag that nobody sets, looking at it a hundred times a second."""

    def _think(self) -> None:
        while not self._forever:
            time.sleep(0.01)


class PollsWithTimeout(_Thoughtful):
    """Waits for a message that nobody sends, with a timeout."""

    def _think(self) -> None:
        letters: queue.Queue[str] = queue.Queue()
        while True:
            try:
                letters.get(timeout=0.1)
            except queue.Empty:
                continue
            return


class PollsAndNotesWhen(_Thoughtful):
    """Waits for a flag that nobody sets, and knows when it began."""

    def _think(self) -> None:
        begun, waited = time.time(), 0.0
        while not self._forever or waited < 0:
            time.sleep(0.01)
            waited = max(begun, time.time()) - time.time()


class Spins(_Thoughtful):
    """Tries to take a lock that it has."""

    def _think(self) -> None:
        with self._lock:
            while not self._lock.acquire(blocking=False):
                pass


class LooksOnceMore(_Thoughtful):
    """Each of two threads gives the other precedence, for ever."""

    def _think(self) -> None:
        other = threading.Thread(target=self._give_way)
        other.start()
        self._give_way()
        other.join()

    def _give_way(self) -> None:
        while True:
            with self._lock:
                if self._forever:
                    return


class LeavesOneBehind(_Thoughtful):
    """A thread of it never rests."""

    def _think(self) -> None:
        threading.Thread(target=self._go_on, daemon=True).start()

    def _go_on(self) -> None:
        while not self._forever:
            with self._lock:
                pass


class Restless(ProcessPoolExecutor):
    """A thread of it never rests, from its first task on."""

    def __init__(self, max_workers: int = 2) -> None:
        """Fork workers."""
        super().__init__(max_workers, multiprocessing.get_context("fork"))
        self._mutex = threading.Lock()
        self._resting = False

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - handed on
        """As the base class, which does the work."""
        threading.Thread(target=self._go_on, daemon=True).start()
        return super().submit(*args, **kwargs)

    def _go_on(self) -> None:
        while not self._resting:
            with self._mutex:
                pass


class Counts(_Thoughtful):
    """Counts far, in a variable."""

    def _think(self) -> None:
        count = 0
        while count < _LONG:
            with self._lock:
                count += 1


class CountsInAnAttribute(_Thoughtful):
    """Counts far, in an attribute."""

    _limit = _LONG

    def _think(self) -> None:
        while self._count < self._limit:
            with self._lock:
                self._count += 1


class Loops(_Thoughtful):
    """Does the same very often, with nothing to tell how often it was."""

    def _think(self) -> None:
        for _ in itertools.repeat(None, _LONG):
            with self._lock:
                pass


class WorksOff(_Thoughtful):
    """Has a long list of equal things to do."""

    def _think(self) -> None:
        todo = deque([None] * 100_000)
        while todo:
            with self._lock:
                todo.pop()


class WaitsUntil(_Thoughtful):
    """Sleeps in small pieces until a year has passed."""

    def _think(self) -> None:
        end = time.monotonic() + 365 * 86_400
        while time.monotonic() < end:
            time.sleep(0.01)


class GetsTiredOfWaiting(_Thoughtful):
    """Notes when it began, and sleeps in small pieces until that is a year ago."""

    def _think(self) -> None:
        begun = time.monotonic_ns()
        while time.monotonic_ns() - begun < 365 * 86_400 * 10**9:
            time.sleep(0.01)


class AddsUp(_Thoughtful):
    """Adds up how long it has slept."""

    def _think(self) -> None:
        slept = 0.0
        while slept < 365 * 86_400:
            time.sleep(0.01)
            slept += 0.01


class TakesItsTime(CountsInAnAttribute):
    """Comes to an end after some thousand steps."""

    _limit = _QUITE_LONG


class Backs(_Thoughtful):
    """Two threads take two locks each, and put the first back if the second is taken: only luck ends that."""

    def _think(self) -> None:
        locks = threading.Lock(), threading.Lock()
        other = threading.Thread(target=self._take, args=locks[::-1])
        other.start()
        self._take(*locks)
        other.join()

    def _take(self, one: Any, another: Any) -> None:  # noqa: ANN401 - locks
        while True:
            with one:
                if another.acquire(blocking=False):
                    another.release()
                    return


class _Overlooking(Future[Any]):
    """Reads the clock again and again, and does nothing about it."""

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - as in the base class
        """Wait for as long as it takes."""
        end = time.monotonic() + (timeout or 0)
        self.left = 0.0
        while not self.done():
            self.left = end - time.monotonic()
        return super().result()


class _Glancing(Future[Any]):
    """Looks four times a second whether there is anything new."""

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - as in the base class
        """Wait, but not for much longer than that."""
        end = time.monotonic() + (timeout or 0)
        while not self.done() and time.monotonic() < end:
            time.sleep(0.25)  # nobody waits for this: an executor that polls is the subject, in virtual time
        return super().result(timeout=0)


class OverlooksTimeouts(ThreadPoolExecutor):
    """Its futures do not come back at a timeout."""

    kind: type[Future[Any]] = _Overlooking

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - handed on
        """As the base class, with another kind of future."""
        future: Future[Any] = super().submit(*args, **kwargs)
        future.__class__ = self.kind
        return future


class LooksNowAndThen(OverlooksTimeouts):
    """Its futures come back a little later than they should."""

    kind = _Glancing
