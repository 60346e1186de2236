"""Thread and process pools that break one promise each about `submit`, the signatures, and fitting in."""

from __future__ import annotations

import threading
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from tests.mutants.base import Item, PlainFuture, PlainThreadPool
from tests.mutants.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

P = ParamSpec("P")
T = TypeVar("T")


class Sub01(PlainThreadPool):
    """Keeps a keyword named `fn` for itself."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue the call without its keyword `fn`."""
        kept: dict[str, Any] = {name: value for name, value in kwargs.items() if name != "fn"}
        return super().submit(partial(fn, *args, **kept))


class Sub02(PlainThreadPool):
    """Waits in `submit` until the task is over."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue the call and wait for its outcome."""
        future = super().submit(fn, *args, **kwargs)
        future.exception()
        return future


class Sub03(PlainThreadPool):
    """Starts what was submitted last first."""

    def _enqueue(self, item: Item) -> None:
        # Nobody takes anything while the lock is held: the new item is at the end, and comes to the front.
        with self._work.changed:
            super()._enqueue(item)
            self._work.items.rotate(1)


class Sub04(PlainThreadPool):
    """Accepts a call after `shutdown`, and returns a cancelled future."""

    def _enqueue(self, item: Item) -> None:
        if self._work.closed:
            self._cancel_item(item)
        else:
            super()._enqueue(item)


class Sub05(ProcessPoolExecutor):
    """Accepts a call when it is broken and not shut down, and returns a future that has failed."""

    _closed = False  # a break sets the pool's own flag too

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue the call, or put the pool's own error into the future."""
        try:
            return super().submit(fn, *args, **kwargs)
        except BrokenExecutor as error:
            if self._closed:
                raise
            future: Future[T] = Future()
            future.set_exception(error)
            return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down."""
        self._closed = True
        super().shutdown(wait, cancel_futures=cancel_futures)


class Sub07(PlainThreadPool):
    """Refuses what its own tasks submit."""

    def _enqueue(self, item: Item) -> None:
        """Queue a call, unless it comes from a worker."""
        if threading.current_thread() in self._work.threads:
            raise ValueError("a task cannot submit")
        super()._enqueue(item)


class Sub09(PlainThreadPool):
    """Keeps every call back until the next one is submitted, or until `shutdown`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool that keeps nothing back yet."""
        super().__init__(*args, **kwargs)
        self._kept: list[Item] = []

    def _enqueue(self, item: Item) -> None:
        with self._work.changed:
            if self._work.closed:
                super()._enqueue(item)
            self._pass_on()
            self._kept.append(item)

    def _pass_on(self) -> None:
        while self._kept:
            super()._enqueue(self._kept.pop())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Queue what was kept back, and shut down."""
        with self._work.changed:
            if not self._work.closed:
                self._pass_on()
        super().shutdown(wait, cancel_futures=cancel_futures)


class Api01(PlainThreadPool):
    """Its `submit` takes the callable by the keyword `fn` too, where none is given by position."""

    def submit(self, *call: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - the fault
        """Queue a call."""
        fn, *args = call or (kwargs.pop("fn"),)
        return super().submit(fn, *args, **kwargs)


class Xop02:
    """Has all the methods of an executor, and is none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the pool checks them
        """Make the pool that does the work."""
        self._pool = PlainThreadPool(*args, **kwargs)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call."""
        return self._pool.submit(fn, *args, **kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Queue a call for each item and yield the results."""
        return self._pool.map(fn, *iterables, timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut the pool down."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def __enter__(self) -> Self:
        """Begin a block at whose end the pool is shut down."""
        return self

    def __exit__(self, *_: object) -> None:
        """Shut the pool down."""
        self.shutdown()


class ForeignFuture(PlainFuture):
    """A future that the standard library's `wait` and `as_completed` cannot ask to tell them of its end."""

    def __init__(self) -> None:
        """Begin pending, with a fixed list of nobody."""
        super().__init__()
        self._waiters = ()  # type: ignore[assignment] # the fault: there is no way to be added


class Xop04(PlainThreadPool):
    """The standard library's `wait` and `as_completed` raise on its unfinished futures."""

    future_class = ForeignFuture


class Sub10(PlainThreadPool):
    """Queues a call before it makes sure of a worker: what fails to start one is done by another."""

    def _enqueue(self, item: Item) -> None:
        with self._work.changed:
            before = len(self._work.items)
            try:
                super()._enqueue(item)
            except RuntimeError as error:
                if "new thread" in str(error) and len(self._work.items) == before:
                    self._work.items.append(item)
                raise


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        rule="SUB-01",
        target="tests.mutants.submitting:Sub01",
        kind="thread",
        note="A keyword argument named fn does not reach the task.",
    ),
    Mutant(
        rule="SUB-02",
        target="tests.mutants.submitting:Sub02",
        kind="thread",
        note="submit returns only when the task is over, and never if the client is to open its gate.",
    ),
    Mutant(
        rule="SUB-03",
        target="tests.mutants.submitting:Sub03",
        kind="thread",
        note="Of the queued tasks the one submitted last is started first.",
    ),
    Mutant(
        rule="SUB-04",
        target="tests.mutants.submitting:Sub04",
        kind="thread",
        note="submit after shutdown returns a cancelled future.",
    ),
    Mutant(
        rule="SUB-05",
        target="tests.mutants.submitting:Sub05",
        kind="process",
        note="submit on a broken pool returns a future that has failed with BrokenProcessPool.",
    ),
    Mutant(
        rule="SUB-09",
        target="tests.mutants.submitting:Sub09",
        kind="thread",
        note="A submitted task stays queued until the next one is submitted, or until shutdown.",
    ),
    Mutant.of("SUB-07", Sub07),
    Mutant.of("SUB-10", Sub10),
    Mutant(
        rule="API-01",
        target="tests.mutants.submitting:Api01",
        kind="thread",
        note="submit(fn=callable) is accepted; the signature has no positional-only fn.",
    ),
    Mutant(
        rule="XOP-02",
        target="tests.mutants.submitting:Xop02",
        kind="thread",
        note="Not an instance of concurrent.futures.Executor.",
    ),
    Mutant(
        rule="XOP-04",
        target="tests.mutants.submitting:Xop04",
        kind="thread",
        note="wait and as_completed raise AttributeError on a future that is not done.",
    ),
)
