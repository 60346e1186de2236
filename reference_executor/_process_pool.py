"""The process pool as clients hold it; `_management` is the engine."""

from __future__ import annotations

import concurrent.futures
import itertools
import multiprocessing
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from reference_executor._executor import (
    Executor,
    available_cpus,
    check_buffersize,
    check_initializer,
    check_max_workers,
)
from reference_executor._future import Future
from reference_executor._management import Pool
from reference_executor._work import WorkItem
from reference_executor._worker import Chunk
from reference_executor._worker_process import WorkerPlan, main_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.context import BaseContext

P = ParamSpec("P")
T = TypeVar("T")

#: Windows cannot wait for more than 63 objects at once, and two of them are not workers.
_MAX_WINDOWS_WORKERS: Final = 61
#: What POSIX promises; fewer means that `multiprocessing` cannot be relied on.
_ENOUGH_SEMAPHORES: Final = 256


class ProcessPoolExecutor(Executor, concurrent.futures.ProcessPoolExecutor):
    """Makes calls in a pool of at most `max_workers` processes. Calls and outcomes must be picklable.

    The standard library's class is a base only for those who ask for it with `isinstance`; nothing of it is
    used.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: BaseContext | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
    ) -> None:
        """Make a pool; its processes start when they are needed (with "fork", all with the first call).

        Args:
            max_workers: How many processes at most; None for the number of processors.
            mp_context: How to start them, from `multiprocessing.get_context`.
            initializer: Called in each process before its first task. If it raises, the pool is broken.
            initargs: The arguments of the initializer.
            max_tasks_per_child: After how many tasks a process is replaced; not with "fork".

        Raises:
            NotImplementedError: The system has too few semaphores for `multiprocessing`.
            TypeError: The initializer cannot be called, or `max_tasks_per_child` is no integer.
            ValueError: A number is too small (or, on Windows, too large), or "fork" was combined with
                `max_tasks_per_child`.
        """
        check_semaphores()
        self._max_workers = _checked_size(max_workers)
        check_initializer(initializer)
        _check_max_tasks(max_tasks_per_child)
        context = _checked_context(mp_context, max_tasks_per_child)
        self._mp_context = context
        plan = WorkerPlan(context, initializer, initargs, max_tasks_per_child, main_file())
        self._pool = Pool(self._max_workers, plan)
        self._owner = weakref.finalize(self, self._pool.owner_is_gone, None)
        self._owner.atexit = False
        # Where the standard library has them, since tests and tools look there.
        self._processes = self._pool.processes  # type: ignore[assignment]

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have `fn(*args, **kwargs)` called in a process; see `Executor.submit`."""
        future: Future[T] = Future()
        self._pool.accept(WorkItem(future, (fn, args, kwargs)))
        return future

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call `fn` with the items of the iterables; see `Executor.map`.

        Raises:
            ValueError: `chunksize` is less than one.
        """
        check_buffersize(buffersize)
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout, buffersize=buffersize)
        chunks = super().map(
            Chunk(fn),
            _in_chunks(zip(*iterables, strict=False), chunksize),
            timeout=timeout,
            buffersize=buffersize,
        )
        return _flatten(chunks)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as PEP 3148
        """See `Executor.shutdown`."""
        self._pool.close(cancel_futures=cancel_futures)
        if wait:
            self._pool.join()

    def terminate_workers(self) -> None:
        """Shut down without waiting, cancel what has not begun, and send SIGTERM to every worker."""
        self._pool.terminate()

    def kill_workers(self) -> None:
        """Shut down, cancel what has not begun, and kill every worker; return when they are dead."""
        self._pool.kill()

    @property
    def _executor_manager_thread(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - tools look here
        return self._pool.manager

    @property
    def _broken(self) -> bool:  # type: ignore[override]
        return self._pool.cause is not None


def check_semaphores() -> None:
    """Raise NotImplementedError where semaphores are too few.

    This pool uses none. But whoever makes a process pool shares locks and queues with its tasks, and relies
    on hearing of it here — to fall back on threads — rather than from the first lock.
    """
    try:
        import multiprocessing.synchronize  # noqa: F401, PLC0415 - the import fails where there are none
    except ImportError as error:
        raise NotImplementedError(
            "this Python was built without the semaphores that multiprocessing needs"
        ) from error
    try:
        available = os.sysconf("SC_SEM_NSEMS_MAX")
    except (AttributeError, ValueError):
        return  # The system does not say.
    if available != -1 and available < _ENOUGH_SEMAPHORES:
        raise NotImplementedError(
            f"system provides too few semaphores ({available} available, {_ENOUGH_SEMAPHORES} necessary)"
        )


def _checked_size(max_workers: int | None) -> int:
    on_windows = sys.platform == "win32"
    if max_workers is None:
        return min(_MAX_WINDOWS_WORKERS, available_cpus()) if on_windows else available_cpus()
    check_max_workers(max_workers)
    if on_windows and max_workers > _MAX_WINDOWS_WORKERS:
        raise ValueError(f"max_workers must be <= {_MAX_WINDOWS_WORKERS}")
    return max_workers


def _check_max_tasks(max_tasks: int | None) -> None:
    if max_tasks is None:
        return
    if not isinstance(max_tasks, int):
        raise TypeError("max_tasks_per_child must be an integer")
    if max_tasks <= 0:
        raise ValueError("max_tasks_per_child must be >= 1")


def _checked_context(context: BaseContext | None, max_tasks: int | None) -> BaseContext:
    """Return the context to use. Limited workers are replaced beside threads, so they must not be forked."""
    if context is None:
        return multiprocessing.get_context("spawn" if max_tasks is not None else None)
    if max_tasks is not None and context.get_start_method(allow_none=False) == "fork":
        raise ValueError(
            "max_tasks_per_child is incompatible with the 'fork' multiprocessing start method; "
            "supply a different mp_context."
        )
    return context


def _in_chunks(calls: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := list(itertools.islice(calls, size)):
        yield chunk


def _flatten(chunks: Iterator[list[T]]) -> Iterator[T]:
    """Yield the results one by one, keeping none of them; closed, close the chunks too."""
    try:
        for chunk in chunks:
            chunk.reverse()
            while chunk:
                yield chunk.pop()
    finally:
        close: Callable[[], None] = chunks.close  # type: ignore[attr-defined]
        close()
