"""What all executors share: `map`, and the `with` statement."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import TracebackType

    from reference_executor._future import Future

P = ParamSpec("P")
T = TypeVar("T")


class Executor(concurrent.futures.Executor):
    """Makes calls at some other place: in a thread, in a process. Subclasses say where."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have `fn(*args, **kwargs)` called; return the future of its outcome.

        Raises:
            RuntimeError: The executor was shut down, or (`BrokenExecutor`) is broken; no call will be made.
        """
        raise NotImplementedError

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,  # noqa: ARG002 - has an effect in process pools only
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call `fn` with items of the iterables, zipped to the shortest; iterate over what it returns.

        Args:
            fn: What to call.
            iterables: Where the arguments come from, read before `map` returns unless `buffersize` is given.
            timeout: How many seconds from now the iteration may wait; None for as long as it takes.
            chunksize: How many calls a worker process gets at a time; without effect in other pools.
            buffersize: How many calls may be submitted at most whose results were not yet yielded.

        Returns:
            The results, in the order of the inputs. The iterator raises what a call raised when it comes to
            it, and `TimeoutError` when it has to wait for too long. When it ends early, what has not begun
            is cancelled.

        Raises:
            TypeError: `buffersize` is no integer.
            ValueError: `buffersize` is less than one.
            RuntimeError: The executor was shut down.
        """
        check_buffersize(buffersize)
        deadline = None if timeout is None else time.monotonic() + timeout
        calls = (self.submit(fn, *args) for args in zip(*iterables, strict=False))
        # Without a limit the generator must not keep the executor: dropping it lets the workers end.
        futures = _submit_first(calls, buffersize)
        return _results(futures, deadline, calls if buffersize is not None else iter(()))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as PEP 3148
        """Accept no more calls; free what the executor holds when those accepted are done.

        It may be called any number of times, from any thread.

        Args:
            wait: Return only when every future is done and the workers are gone. A worker cannot wait for
            its own
                end: called from a task or a callback of this executor, this is not waited for.
            cancel_futures: Cancel the calls that have not begun.
        """

    def __enter__(self) -> Self:
        """Return the executor; leaving the `with` block shuts it down and waits."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> Literal[False]:
        """Shut down and wait; an exception of the block goes on."""
        self.shutdown(wait=True)
        return False


def available_cpus() -> int:
    """How many processors the defaults of `max_workers` count: those of this process, from Python 3.13 on."""
    count: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
    return count() or 1


def check_max_workers(max_workers: int) -> None:
    """Raise ValueError unless there is a worker at all."""
    if max_workers <= 0:
        raise ValueError("max_workers must be greater than 0")


def check_initializer(initializer: object) -> None:
    """Raise TypeError unless the initializer can be called."""
    if initializer is not None and not callable(initializer):
        raise TypeError("initializer must be a callable")


def check_buffersize(buffersize: int | None) -> None:
    """Raise TypeError or ValueError unless the argument of `map` makes sense."""
    if buffersize is not None and not isinstance(buffersize, int):
        raise TypeError("buffersize must be an integer or None")
    if buffersize is not None and buffersize < 1:
        raise ValueError("buffersize must be None or > 0")


def _submit_first(calls: Iterator[Future[T]], limit: int | None) -> deque[Future[T]]:
    """Submit as many calls as allowed; if that fails in the middle, cancel those before it."""
    futures: deque[Future[T]] = deque()
    try:
        futures.extend(itertools.islice(calls, limit))
    except BaseException:
        _cancel(futures)
        raise
    return futures


def _results(
    futures: deque[Future[T]], deadline: float | None, more: Iterator[Future[T]]
) -> Generator[T, None, None]:
    """Yield the results. The one that is being waited for stays in `futures` until it is there."""
    try:
        while futures:
            futures[0].exception(None if deadline is None else deadline - time.monotonic())
            yield futures.popleft().result()
            # Only now, since what was just yielded counts against the limit until the caller came back for
            # more.
            futures.extend(itertools.islice(more, 1))
    finally:
        _cancel(futures)


def _cancel(futures: Iterable[Future[Any]]) -> None:
    for future in futures:
        future.cancel()
