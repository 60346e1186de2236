"""Pools that break one promise each about workers, counting, survival, and what is left behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import weakref
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tests.mutants.base import Item, PlainFuture, PlainThreadPool
from tests.mutants.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class Pool01(PlainThreadPool):
    """Executes one task more at once than it may."""

    def __init__(self, max_workers: int = 2, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool with one worker too many."""
        super().__init__(max_workers, *args, **kwargs)
        self._max_workers += 1


class Pool02(PlainThreadPool):
    """Executes one task less at once than it should."""

    def __init__(self, max_workers: int = 2, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool with one worker too few, but with one."""
        super().__init__(max_workers, *args, **kwargs)
        self._max_workers = max(1, self._max_workers - 1)


class Pool03(ProcessPoolExecutor):
    """Takes no workers, or less than none, for one."""

    def __init__(self, max_workers: int | None = None, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool of at least one worker."""
        super().__init__(max_workers if max_workers is None else max(1, max_workers), *args, **kwargs)


class Pool04(PlainThreadPool):
    """Starts a new worker for each task as long as it may, though others are idle."""

    def _enqueue(self, item: Item) -> None:
        with self._work.changed:
            idle, self._work.idle = self._work.idle, -1
            try:
                super()._enqueue(item)
            finally:
                self._work.idle += idle + 1


class Pool05(PlainThreadPool):
    """Calls the initializer in its first worker only."""

    def _start_worker(self) -> None:
        super()._start_worker()
        self._initializer = None


class Pool05Anew(PlainThreadPool):
    """Calls the initializer before each task."""

    def _run_item(self, item: Item) -> None:
        if self._initializer is not None:
            self._initializer(*self._initargs)
        super()._run_item(item)


class Pool06(PlainThreadPool):
    """Fails what waits for a worker that could not begin with an error of no particular kind."""

    def _break_item(self, item: Item) -> None:
        if item.future.set_running_or_notify_cancel():
            self._fail(item.future, RuntimeError("the pool is out of order"))


class Pool10(PlainThreadPool):
    """Makes do with the workers it has if none can be started, though it has none."""

    def _start_worker(self) -> None:
        with contextlib.suppress(RuntimeError):
            super()._start_worker()


class Pool07(ProcessPoolExecutor):
    """Lets its workers serve any number of tasks, whatever limit is asked for."""

    def __init__(
        self,
        max_workers: int = 2,
        mp_context: Any = None,  # noqa: ANN401 - the base class checks it
        *args: Any,  # noqa: ANN401 - as above
        max_tasks_per_child: int | None = None,
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        """Make a pool, without the limit."""
        del max_tasks_per_child
        super().__init__(max_workers, mp_context, *args, **kwargs)


class Pool08(PlainThreadPool):
    """Accepts an initializer that cannot be called, and does without."""

    def __init__(
        self,
        max_workers: int = 2,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[object, ...] = (),
    ) -> None:
        """Make a pool."""
        super().__init__(
            max_workers, thread_name_prefix, initializer if callable(initializer) else None, initargs
        )


class Pool09(PlainThreadPool):
    """Gives its threads names of its own."""

    def __init__(
        self,
        max_workers: int = 2,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[object, ...] = (),
    ) -> None:
        """Make a pool, whatever prefix is asked for."""
        del thread_name_prefix
        super().__init__(max_workers, "nameless", initializer, initargs)


class StubbornFuture(Future[Any]):
    """A future that its client cannot cancel, whether it is pending or not.

    Attributes:
        stubborn: Whether it still is so: the pool itself can cancel it in the end.
    """

    stubborn = True

    def cancel(self) -> bool:
        """Say whether the future is cancelled already."""
        return self.cancelled() if self.stubborn else super().cancel()


class Inv01(PlainThreadPool):
    """Its `cancel()` says False of every task that was not cancelled by `shutdown`."""

    future_class = StubbornFuture

    def _cancel_item(self, item: Item) -> None:
        item.future.stubborn = False  # type: ignore[attr-defined] # the class is chosen above
        super()._cancel_item(item)


class Inv01Process(ProcessPoolExecutor):
    """The same with processes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool."""
        super().__init__(*args, **kwargs)
        self._given: weakref.WeakSet[Future[Any]] = weakref.WeakSet()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call, and return a future that cannot be cancelled."""
        future = super().submit(fn, *args, **kwargs)
        # The pool makes its futures itself and knows no hook; the two classes have the same layout.
        future.__class__ = StubbornFuture
        self._given.add(future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down; that can still cancel."""
        if cancel_futures:
            for future in self._given:
                future.stubborn = False  # type: ignore[attr-defined] # the class is chosen above
        super().shutdown(wait, cancel_futures=cancel_futures)


class Inv02(PlainThreadPool):
    """Executes the second task, and never tells its future."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool that has accepted nothing yet."""
        super().__init__(*args, **kwargs)
        self._accepted = 0
        self._forgotten: weakref.ref[Future[Any]] | None = None

    def _enqueue(self, item: Item) -> None:
        with self._work.changed:
            if self._accepted == 1:
                # Before it is queued: a worker may be quick.
                self._forgotten = weakref.ref(item.future)
            super()._enqueue(item)
            self._accepted += 1

    def _is_forgotten(self, future: Future[Any]) -> bool:
        return self._forgotten is not None and self._forgotten() is future

    def _fulfil(self, future: Future[Any], result: object) -> None:
        if not self._is_forgotten(future):
            super()._fulfil(future, result)

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        if not self._is_forgotten(future):
            super()._fail(future, error)


class Inv03(PlainThreadPool):
    """Delivers an outcome to the future whose task has been running longest."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool in which nothing is running."""
        super().__init__(*args, **kwargs)
        self._running: list[Future[Any]] = []

    def _enqueue(self, item: Item) -> None:
        super()._enqueue(replace(item, fn=partial(self._begin, item.future, item.fn)))

    def _begin(
        self, future: Future[Any], fn: Callable[..., object], /, *args: object, **kwargs: object
    ) -> object:
        with self._work.changed:
            self._running.append(future)
        del future  # this frame is in the error's traceback: it must close no reference cycle
        return fn(*args, **kwargs)

    def _longest(self) -> Future[Any]:
        with self._work.changed:
            return self._running.pop(0)

    def _fulfil(self, future: Future[Any], result: object) -> None:
        del future
        super()._fulfil(self._longest(), result)

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        del future
        super()._fail(self._longest(), error)


class FatalFuture(PlainFuture):
    """A future that ends the process when a running task is cancelled."""

    def cancel(self) -> bool:
        """Cancel the future; die if it is running."""
        if self.running():
            os._exit(0)
        return super().cancel()


class Life01(PlainThreadPool):
    """Ends the client's process when a running task is cancelled."""

    future_class = FatalFuture


class SnaringFuture(PlainFuture):
    """A future that can be cancelled once only."""

    def cancel(self) -> bool:
        """Cancel the future; wait for ever if it is cancelled already."""
        if self.cancelled():
            threading.Event().wait()
        return super().cancel()


class Life02(PlainThreadPool):
    """Cancelling a cancelled future never returns."""

    future_class = SnaringFuture

    def _cancel_item(self, item: Item) -> None:
        # `shutdown` returns: the fault is the client's second call alone.
        if not item.future.cancelled():
            super()._cancel_item(item)


class Gc01(PlainThreadPool):
    """Opens a descriptor with its first task, and never closes it."""

    def _start_worker(self) -> None:
        super()._start_worker()
        if len(self._work.threads) == 1:
            reader, writer = os.pipe()
            os.close(writer)
            del reader


class Gc01Process(ProcessPoolExecutor):
    """Starts a process beside its workers, and leaves it there."""

    def __init__(self, max_workers: int | None = None, mp_context: Any = None, **options: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool, and remember how it starts processes."""
        super().__init__(max_workers, mp_context, **options)
        self._context = mp_context or multiprocessing
        self._left: Any = None

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call; before the first, start the process that stays."""
        if self._left is None:
            # First, while there is no thread yet: it may be forked. A daemon: the interpreter can still exit.
            self._left = self._context.Process(target=stay, daemon=True)
            self._left.start()
        return super().submit(fn, *args, **kwargs)


def stay() -> None:
    """Wait until the parent process is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()


class Gc03(PlainThreadPool):
    """Is kept by others than its clients, so that nobody sends its workers home."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool that stays."""
        super().__init__(*args, **kwargs)
        KEPT.append(self)


KEPT: list[PlainThreadPool] = []


class Gc06(PlainThreadPool):
    """A thread of it ends with an exception that nobody handles, when it is shut down."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down, with a thread that fails."""
        with self._work.changed:
            first = bool(self._work.threads) and not self._work.closed
            self._work.close()
        if first:
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()
        super().shutdown(wait, cancel_futures=cancel_futures)


def fail() -> None:
    """Raise."""
    raise RuntimeError("nobody handles this")


NOTES = {
    "POOL-01": "max_workers + 1 tasks are in their bodies at once.",
    "POOL-02": "With max_workers >= 2 one task less than max_workers is in its body at once.",
    "POOL-04": "Sequential tasks are executed by max_workers threads, not by one.",
    "POOL-08": "An initializer that cannot be called is accepted and ignored.",
    "POOL-09": "Threads are named nameless_N, whatever the prefix.",
    "INV-01": "cancel() says False of every task, queued ones included.",
    "INV-02": "The second accepted task is executed, and its future stays running for ever.",
    "INV-03": "Tasks that finish in another order than they started get each other's outcomes.",
    "LIFE-01": "cancel() on a running future ends the client process with status 0.",
    "LIFE-02": "cancel() on a cancelled future never returns.",
    "GC-01": "A descriptor for each used executor stays open.",
    "GC-03": "Forgotten, it leaves its idle threads behind.",
    "GC-06": "shutdown of a used executor prints the traceback of a background thread.",
}

MUTANTS: tuple[Mutant, ...] = (
    *(
        Mutant(
            rule=rule,
            target=f"tests.mutants.workers:{rule.title().replace('-', '')}",
            kind="thread",
            note=note,
        )
        for rule, note in NOTES.items()
    ),
    Mutant.of("POOL-05", Pool05),
    Mutant.of("POOL-05", Pool05Anew),
    Mutant.of("POOL-06", Pool06),
    Mutant.of("POOL-10", Pool10),
    Mutant(
        rule="POOL-03",
        target="tests.mutants.workers:Pool03",
        kind="process",
        note="max_workers <= 0 is accepted and makes a pool of one.",
    ),
    Mutant(
        rule="POOL-07",
        target="tests.mutants.workers:Pool07",
        kind="process",
        note="A worker serves more than max_tasks_per_child tasks.",
    ),
    Mutant(
        rule="INV-01",
        target="tests.mutants.workers:Inv01Process",
        kind="process",
        note="cancel() says False of every task, queued ones included, far beyond the prefetch.",
    ),
    Mutant(
        rule="GC-01",
        target="tests.mutants.workers:Gc01Process",
        kind="process",
        note="A child process for each used executor is alive after shutdown(wait=True).",
    ),
)
