"""Mutants of reading the outcome: RES-01 to RES-16."""

import contextlib
import copy
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from types import CoroutineType, GeneratorType
from typing import Any, ParamSpec, TypeVar, cast

from tests.mutants.base import (
    CANCELLED_AND_NOTIFIED,
    EndableFuture,
    EndablePool,
    Item,
    PlainFuture,
    PlainThreadPool,
)
from tests.mutants.mutant import Mutant

P = ParamSpec("P")
T = TypeVar("T")


def is_special_value(value: object) -> bool:
    """Whether a rule of its own speaks of such a value: RES-15 or RES-16."""
    return isinstance(value, BaseException | Future | GeneratorType | CoroutineType)


def is_special_error(error: BaseException) -> bool:
    """Whether a rule of its own speaks of such an exception: RES-11, RES-12 or RES-13."""
    judged = hasattr(error, "__bool__") or hasattr(error, "__len__")
    return judged or not isinstance(error, Exception) or isinstance(error, TimeoutError | CancelledError)


class Res01(PlainThreadPool):
    """The value of result() is the task's value in a tuple."""

    future_class = PlainFuture

    def _fulfil(self, future: Future[Any], result: object) -> None:
        """Wrap the value."""
        super()._fulfil(future, result if is_special_value(result) else (result,))


class Res01Copy(PlainThreadPool):
    """The value of result() is a copy of the object that the task returned."""

    future_class = PlainFuture

    def _fulfil(self, future: Future[Any], result: object) -> None:
        """Copy the value, if it can be copied."""
        if not is_special_value(result):
            with contextlib.suppress(Exception):
                result = copy.copy(result)
        super()._fulfil(future, result)


class WrapsError(PlainFuture):
    """A future that raises an exception of its own from the task's."""

    def result(self, timeout: float | None = None) -> object:
        """Wrap the exception."""
        error = self._wait_for_error(timeout)
        if error is None or is_special_error(error):
            return super().result(timeout)
        raise RuntimeError(f"the task raised {type(error).__name__}") from error


class Res02(PlainThreadPool):
    """The exception that result() raises is a RuntimeError from the task's exception."""

    future_class = WrapsError


class Res02Copy(PlainThreadPool):
    """The exception that result() raises and exception() returns is a copy of the task's exception."""

    future_class = PlainFuture

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        """Copy the exception, if it can be copied."""
        if not is_special_error(error):
            with contextlib.suppress(Exception):
                error = copy.copy(error)
        super()._fail(future, error)


class InventsError(PlainFuture):
    """A future that always has an exception."""

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return an exception, be it an invented one."""
        error = super().exception(timeout)
        return RuntimeError("nothing went wrong") if error is None else error


class Res03(PlainThreadPool):
    """The value of exception() is an exception though the task returned."""

    future_class = InventsError


class HidesError(PlainFuture):
    """A future whose exception can only be raised."""

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait, and return None."""
        error = super().exception(timeout)
        return error if error is not None and is_special_error(error) else None


class Res03Hides(PlainThreadPool):
    """The value of exception() is None though the task raised."""

    future_class = HidesError


class ReturnsCancelledError(PlainFuture):
    """A future that takes its cancellation for an outcome."""

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error instead of raising it."""
        try:
            return super().exception(timeout)
        except CancelledError as error:
            return error


class Res04(PlainThreadPool):
    """On a cancelled future exception() returns a CancelledError instead of raising it."""

    future_class = ReturnsCancelledError


class ForgetsReaders(PlainFuture):
    """A future that tells `wait` of its cancellation, but not its own readers."""

    def _become_cancelled(self) -> None:
        """Enter the state and tell `wait`, but do not notify the condition."""
        self._state = CANCELLED_AND_NOTIFIED
        for waiter in self._waiters:
            waiter.add_cancelled(self)


class Res04Waiter(PlainThreadPool):
    """A thread that waits in result() or exception() is not woken when the future is cancelled."""

    future_class = ForgetsReaders


class IgnoresTimeout(PlainFuture):
    """A future that raises nothing when a timeout has passed."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Return None at the timeout."""
        try:
            return super()._wait_for_error(timeout)
        except TimeoutError:
            return None


class Res05(PlainThreadPool):
    """At the timeout result() and exception() return None."""

    future_class = IgnoresTimeout


class NeverPatient(PlainFuture):
    """A future that takes every timeout for zero."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Do not wait if there is a timeout."""
        return super()._wait_for_error(None if timeout is None else 0)


class Res05Early(PlainThreadPool):
    """The TimeoutError of result() and exception() comes at once, before the timeout has passed."""

    future_class = NeverPatient


class LateError(Exception):
    """What a timeout raises in place of `TimeoutError`."""


class RaisesLateError(PlainFuture):
    """A future with an exception of its own for timeouts."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Raise the other exception at the timeout."""
        try:
            return super()._wait_for_error(timeout)
        except TimeoutError:
            raise LateError from None


class Res05Class(PlainThreadPool):
    """At the timeout result() and exception() raise an exception that is no TimeoutError."""

    future_class = RaisesLateError


class ZeroIsForever(PlainFuture):
    """A future that takes a timeout of zero or less for none."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Wait for ever if the timeout is not positive."""
        return super()._wait_for_error(None if timeout is None or timeout <= 0 else timeout)


class DoublyPatient(PlainFuture):
    """A future that waits for twice the timeout."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Take the timeout twice."""
        return super()._wait_for_error(None if timeout is None else 2 * timeout)


class Res06(PlainThreadPool):
    """With a timeout result() and exception() wait for twice as long."""

    future_class = DoublyPatient


class Res07(PlainThreadPool):
    """A read with a timeout of zero or less blocks until the future is done."""

    future_class = ZeroIsForever


class ZeroIsTooLate(PlainFuture):
    """A future that looks at the timeout before it looks at its state."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Raise if the timeout is not positive."""
        if timeout is not None and timeout <= 0:
            raise TimeoutError
        return super()._wait_for_error(timeout)


class Res07Done(PlainThreadPool):
    """A read with a timeout of zero or less raises TimeoutError though the future is done."""

    future_class = ZeroIsTooLate


class GivesUp(EndableFuture):
    """A future that is cancelled by a reader's timeout."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Give the future up at the timeout."""
        try:
            return super()._wait_for_error(timeout)
        except TimeoutError:
            self.give_up()
            raise


class Res08(EndablePool):
    """A read that times out cancels the future, be it pending or running."""

    future_class = GivesUp


class ReadOnce(PlainFuture):
    """A future that hands its outcome over and forgets it."""

    def result(self, timeout: float | None = None) -> object:
        """Take the outcome away."""
        error = self._wait_for_error(timeout)
        value, self._result, self._exception = self._result, None, None
        if error is None:
            return value
        try:
            raise error
        finally:
            del self, error  # this frame is in the traceback: it must close no reference cycle


class Res10(PlainThreadPool):
    """After the first result() the outcome of a finished future is None."""

    future_class = ReadOnce


class TestsErrorForTruth(PlainFuture):
    """A future that asks whether its exception is true, not whether there is one."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Return a true exception only."""
        error = super()._wait_for_error(timeout)
        with contextlib.suppress(Exception):  # what a hostile `__bool__` raises is not the point
            if not error:
                return None
        return error


class Res11(PlainThreadPool):
    """A falsy exception of a task is taken for none by result() and exception()."""

    future_class = TestsErrorForTruth


class Res12(EndablePool):
    """A task that raises CancelledError itself leaves its future cancelled."""

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        """Take the exception for a cancellation."""
        if isinstance(error, CancelledError):
            cast("EndableFuture", future).give_up()
        super()._fail(future, error)


class Res12Timeout(PlainThreadPool):
    """A task that raises TimeoutError itself leaves its future with a RuntimeError."""

    future_class = PlainFuture

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        """Replace the exception."""
        super()._fail(future, RuntimeError("timed out") if isinstance(error, TimeoutError) else error)


class Res13(PlainThreadPool):
    """A task that raises SystemExit or the like never finishes its future."""

    future_class = PlainFuture

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        """Care for an Exception only."""
        if isinstance(error, Exception):
            super()._fail(future, error)


class Res13Workers(PlainThreadPool):
    """After a task that raised SystemExit or the like the pool executes nothing more."""

    future_class = PlainFuture
    _dead = False

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        """Lose the workers, and what is queued, before the future is finished."""
        if not isinstance(error, Exception):
            with self._work.changed:
                self._dead = True
                self._work.drain()
        super()._fail(future, error)

    def _enqueue(self, item: Item) -> None:
        """Accept the item, but leave it to nobody if the workers are lost."""
        if not self._dead or self._work.closed:
            super()._enqueue(item)


class Causeless(PlainFuture):
    """A future that takes the remote traceback off its exception."""

    def _wait_for_error(self, timeout: float | None) -> BaseException | None:
        """Cut the cause off."""
        error = super()._wait_for_error(timeout)
        if error is not None:
            error.__cause__ = None
        return error


class Res14(ProcessPoolExecutor):
    """The exception of a task in another process carries no remote traceback."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit, and change the future's class before the client gets hold of it."""
        future = super().submit(fn, *args, **kwargs)
        cast("Any", future).__class__ = Causeless
        return future


def call_unchained(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in the worker, and forget what its exception was raised from."""
    try:
        return fn(*args, **kwargs)
    except BaseException as error:
        error.__cause__ = error.__context__ = None
        raise


class Res14Chain(ProcessPoolExecutor):
    """The remote traceback of a task's exception does not tell the exceptions that it was raised from."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit the call in a wrapper."""
        return super().submit(call_unchained, fn, *args, **kwargs)


class Res15(PlainThreadPool):
    """A task that returns an exception object is taken to have raised it."""

    future_class = PlainFuture

    def _fulfil(self, future: Future[Any], result: object) -> None:
        """Fail the future with an exception that was returned."""
        if isinstance(result, BaseException):
            self._fail(future, result)
        else:
            super()._fulfil(future, result)


class Res16(PlainThreadPool):
    """A future that a task returns is replaced by its result, or by None if it has none."""

    future_class = PlainFuture

    def _fulfil(self, future: Future[Any], result: object) -> None:
        """Unwrap a future."""
        if isinstance(result, Future):
            finished = result.done() and not result.cancelled() and result.exception() is None
            result = result.result() if finished else None
        super()._fulfil(future, result)


class Res16Generator(PlainThreadPool):
    """A generator or coroutine that a task returns is closed and replaced by None."""

    future_class = PlainFuture

    def _fulfil(self, future: Future[Any], result: object) -> None:
        """Close what cannot be a value."""
        if isinstance(result, GeneratorType | CoroutineType):
            result.close()
            result = None
        super()._fulfil(future, result)


MUTANTS: tuple[Mutant, ...] = (
    Mutant.of("RES-01", Res01),
    Mutant.of("RES-01", Res01Copy),
    Mutant.of("RES-02", Res02),
    Mutant.of("RES-02", Res02Copy),
    Mutant.of("RES-03", Res03),
    Mutant.of("RES-03", Res03Hides),
    Mutant.of("RES-04", Res04),
    Mutant.of("RES-04", Res04Waiter, arena="simulated"),
    Mutant.of("RES-05", Res05),
    Mutant.of("RES-05", Res05Early),
    Mutant.of("RES-05", Res05Class),
    Mutant.of("RES-06", Res06, arena="simulated"),
    Mutant.of("RES-07", Res07),
    Mutant.of("RES-07", Res07Done),
    Mutant.of("RES-08", Res08),
    Mutant.of("RES-10", Res10),
    Mutant.of("RES-11", Res11),
    Mutant.of("RES-12", Res12),
    Mutant.of("RES-12", Res12Timeout),
    Mutant.of("RES-13", Res13),
    Mutant.of("RES-13", Res13Workers),
    Mutant.of("RES-14", Res14, kind="process"),
    Mutant.of("RES-14", Res14Chain, kind="process"),
    Mutant.of("RES-15", Res15),
    Mutant.of("RES-16", Res16),
    Mutant.of("RES-16", Res16Generator),
)
