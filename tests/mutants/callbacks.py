"""Mutants of the done callbacks: CB-01 to CB-10."""

import contextlib
import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar, cast

from tests.mutants.base import DONE_STATES, LOGGER, PENDING, Item, PlainFuture, PlainThreadPool, Work
from tests.mutants.mutant import Mutant

P = ParamSpec("P")
T = TypeVar("T")
Callback = Callable[[Future[object]], object]


class CallsTwice(PlainFuture):
    """A future that calls each callback twice."""

    def _invoke(self, callback: Callback) -> None:
        """Call it, and call it."""
        super()._invoke(callback)
        super()._invoke(callback)


class Cb01(PlainThreadPool):
    """Each callback is called twice."""

    future_class = CallsTwice


class CallsLast(PlainFuture):
    """A future that has room for one callback only."""

    def _invoke_callbacks(self) -> None:
        """Call the one that was added last."""
        for callback in self._done_callbacks[-1:]:
            self._invoke(callback)


class Cb01Loses(PlainThreadPool):
    """Of several callbacks that were added before the end only the last one is called."""

    future_class = CallsLast


class PassesDouble(PlainFuture):
    """A future that shows another future to its callbacks."""

    def _invoke(self, callback: Callback) -> None:
        """Pass a future that shares everything with this one but its identity."""
        double = PlainFuture()
        vars(double).update(vars(self))
        super()._invoke(lambda _: callback(double))


class Cb01Argument(PlainThreadPool):
    """A callback is called with another future object than the one it was added to."""

    future_class = PassesDouble


class CallsTooEarly(PlainFuture):
    """A future that calls its callbacks before it is finished."""

    def set_result(self, result: object) -> None:
        """Call, then finish."""
        self._call_early()
        super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        """Call, then finish."""
        self._call_early()
        super().set_exception(exception)

    def _call_early(self) -> None:
        """Call what has been added, and leave what is added from now on for the end."""
        with self._condition:
            callbacks, self._done_callbacks = self._done_callbacks, []
        for callback in callbacks:
            self._invoke(callback)


class Cb02(PlainThreadPool):
    """Callbacks are called before the future is finished: done() is False, and reading it would block."""

    future_class = CallsTooEarly


class CallsBackwards(PlainFuture):
    """A future that calls the newest callback first."""

    def _invoke_callbacks(self) -> None:
        """Go through the callbacks from the end."""
        for callback in reversed(self._done_callbacks):
            self._invoke(callback)


class Cb03(PlainThreadPool):
    """Callbacks are called in the reverse of the order in which they were added."""

    future_class = CallsBackwards


class CallsElsewhere(PlainFuture):
    """A future that has a thread for every callback that is added after the end."""

    def add_done_callback(self, fn: Callback) -> None:
        """Call it in another thread, and wait for that."""
        if self._state not in DONE_STATES:
            super().add_done_callback(fn)
            return
        thread = threading.Thread(target=self._invoke, args=(fn,))
        thread.start()
        thread.join()


class Cb04(PlainThreadPool):
    """A callback that is added to a done future is called in another thread."""

    future_class = CallsElsewhere


class CallsOnRead(PlainFuture):
    """A future that puts callbacks off until somebody asks for its outcome."""

    def __init__(self) -> None:
        """Put off none."""
        super().__init__()
        self._put_off: list[Callback] = []

    def add_done_callback(self, fn: Callback) -> None:
        """Put the callback off if the future is done."""
        if self._state in DONE_STATES:
            self._put_off.append(fn)
        else:
            super().add_done_callback(fn)

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Call what was put off before the outcome is told."""
        while self._put_off and self._state in DONE_STATES:
            self._invoke(self._put_off.pop(0))
        return super()._wait_for_error(timeout)


class Cb04Later(PlainThreadPool):
    """A callback that is added to a done future is called when its outcome is next read."""

    future_class = CallsOnRead


class StopsAtFailure(PlainFuture):
    """A future whose callbacks depend on each other."""

    def _invoke_callbacks(self) -> None:
        """Call until one raises, and log that."""
        try:
            for callback in self._done_callbacks:
                callback(self)
        except Exception:  # noqa: BLE001 - logged as documented, which is not what is broken
            LOGGER.exception("exception calling callback for %r", self)


class Cb05(PlainThreadPool):
    """A callback that raises keeps those after it from being called."""

    future_class = StopsAtFailure


class SwallowsFailure(PlainFuture):
    """A future that does not log."""

    def _invoke(self, callback: Callback) -> None:
        """Call, and keep quiet about what it raises."""
        with contextlib.suppress(Exception):
            callback(self)


class Cb05Silent(PlainThreadPool):
    """What a callback raises is not logged."""

    future_class = SwallowsFailure


class RaisesFailure(PlainFuture):
    """A future that lets a callback raise into the caller of add_done_callback()."""

    def add_done_callback(self, fn: Callback) -> None:
        """Call the callback unprotected if the future is done."""
        if self._state in DONE_STATES:
            fn(self)
        else:
            super().add_done_callback(fn)


class Cb05Caller(PlainThreadPool):
    """What a callback raises that is added to a done future comes out of add_done_callback()."""

    future_class = RaisesFailure


class CallsInChild(PlainFuture):
    """A future that has a process for every callback."""

    def _invoke(self, callback: Callback) -> None:
        """Call it in a forked process, and wait for that."""
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        try:
            super()._invoke(callback)
        finally:
            os._exit(0)


class Cb06(PlainThreadPool):
    """Callbacks are called in a child process, forked for each."""

    future_class = CallsInChild

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on as they are
        """Keep the interpreter from warning of a fork among threads."""
        super().__init__(*args, **kwargs)
        warnings.filterwarnings("ignore", message=".*use of fork", category=DeprecationWarning)


class CancelsSilently(PlainFuture):
    """A future whose callbacks are for finished futures only."""

    def cancel(self) -> bool:
        """Cancel a pending future, and leave the callbacks alone."""
        with self._condition:
            if self._state == PENDING:
                self._become_cancelled()
        return super().cancel()


class Cb07(PlainThreadPool):
    """A cancel() calls no callbacks, neither then nor later."""

    future_class = CancelsSilently

    def _cancel_item(self, item: Item) -> None:
        """Cancel as it should be: `shutdown(cancel_futures=True)` is not what is broken."""
        PlainFuture.cancel(cast("PlainFuture", item.future))


class CancelsWithNotice(PlainFuture):
    """A future whose callbacks have to wait for a worker after a cancel()."""

    _owes_callbacks = False

    def cancel(self) -> bool:
        """Cancel a pending future, and leave the callbacks to the worker."""
        with self._condition:
            if self._state == PENDING:
                self._become_cancelled()
                self._owes_callbacks = True
        return super().cancel()

    def set_running_or_notify_cancel(self) -> bool:
        """Call the callbacks that are owed."""
        with self._condition:
            owed, self._owes_callbacks = self._owes_callbacks, False
        if owed:
            self._invoke_callbacks()
        return super().set_running_or_notify_cancel()


class Cb07Late(PlainThreadPool):
    """A cancel() returns before the callbacks are called: a worker calls them when it comes to the task."""

    future_class = CancelsWithNotice


class GuardedPool(PlainThreadPool):
    """A pool with one lock, not reentrant, around whatever it does."""

    future_class = PlainFuture

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on as they are
        """Make the lock."""
        super().__init__(*args, **kwargs)
        self._guard = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit under the lock."""
        with self._guard:
            return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Pass the lock, then shut down."""
        with self._guard:
            pass
        super().shutdown(wait, cancel_futures=cancel_futures)


class Cb08(GuardedPool):
    """A callback that a worker calls deadlocks if it submits or shuts down: the pool's lock is held."""

    def _fulfil(self, future: Future[Any], result: object) -> None:
        """Finish the future under the lock."""
        with self._guard:
            super()._fulfil(future, result)

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        """Finish the future under the lock."""
        with self._guard:
            super()._fail(future, error)


class Cb08Shutdown(GuardedPool):
    """A callback that shutdown(cancel_futures=True) calls deadlocks if it submits or shuts down."""

    def _cancel_item(self, item: Item) -> None:
        """Cancel under the lock."""
        with self._guard:
            super()._cancel_item(item)


class DropsCallbacks(PlainFuture):
    """A future that can be made to forget its callbacks."""

    def forget_callbacks(self) -> None:
        """Call nobody who has been added so far."""
        with self._condition:
            if self._state == PENDING:
                self._done_callbacks = []


class Cb10(PlainThreadPool):
    """A shutdown(cancel_futures=True) does not call the callbacks of the futures that it cancels."""

    future_class = DropsCallbacks

    def _cancel_item(self, item: Item) -> None:
        """Cancel without the callbacks."""
        cast("DropsCallbacks", item.future).forget_callbacks()
        super()._cancel_item(item)


class Cb10Break(PlainThreadPool):
    """When an initializer fails the callbacks of the failed futures are not called."""

    future_class = DropsCallbacks

    def _break_item(self, item: Item) -> None:
        """Fail without the callbacks."""
        cast("DropsCallbacks", item.future).forget_callbacks()
        super()._break_item(item)


def serve_until_exit(
    work: Work, initializer: Callable[..., object] | None, initargs: tuple[object, ...]
) -> None:
    """Be a worker that leaves for good when a callback raises `SystemExit`."""
    if initializer is not None:
        initializer(*initargs)
    while (item := work.take()) is not None:
        try:
            item.pool._run_item(item)  # noqa: SLF001 - the pool's own hook, called from its worker
        except SystemExit:
            return
        del item
        work.rejoin()


class Cb11(PlainThreadPool):
    """A callback that raises `SystemExit` costs the pool the worker that called it."""

    def _start_worker(self) -> None:
        """Start a worker that is not replaced when it leaves."""
        work = self._work
        arguments = (work, self._initializer, self._initargs)
        thread = threading.Thread(target=serve_until_exit, args=arguments)
        thread.start()
        work.threads.append(thread)
        work.idle += 1


MUTANTS: tuple[Mutant, ...] = (
    Mutant.of("CB-01", Cb01),
    Mutant.of("CB-01", Cb01Loses),
    Mutant.of("CB-01", Cb01Argument),
    Mutant.of("CB-02", Cb02),
    Mutant.of("CB-03", Cb03),
    Mutant.of("CB-04", Cb04),
    Mutant.of("CB-04", Cb04Later),
    Mutant.of("CB-05", Cb05),
    Mutant.of("CB-05", Cb05Silent),
    Mutant.of("CB-05", Cb05Caller),
    Mutant.of("CB-06", Cb06),
    Mutant.of("CB-07", Cb07),
    Mutant.of("CB-13", Cb07Late),
    Mutant.of("CB-08", Cb08),
    Mutant.of("CB-08", Cb08Shutdown),
    Mutant.of("CB-10", Cb10),
    Mutant.of("CB-10", Cb10Break),
    Mutant.of("CB-11", Cb11),
)
