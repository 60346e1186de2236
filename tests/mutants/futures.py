"""Mutants of one future seen as a state machine: FUT-01 to FUT-19."""

import contextlib
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, ParamSpec, TypeVar, cast

from tests.mutants.base import (
    CANCELLED_AND_NOTIFIED,
    FINISHED,
    PENDING,
    RUNNING,
    EndableFuture,
    EndablePool,
    Item,
    PlainFuture,
    PlainThreadPool,
)
from tests.mutants.mutant import Mutant

P = ParamSpec("P")
T = TypeVar("T")


class DoneBeforeStarted(PlainFuture):
    """A future that says it is done as long as nobody has started it."""

    def done(self) -> bool:
        """Tell pending from running, and nothing else."""
        return not self.running()


class Fut01(PlainThreadPool):
    """A new future says done() while it waits for a worker."""

    future_class = DoneBeforeStarted


class Fut01Refuses(PlainThreadPool):
    """A call that finds all workers busy is not queued: its future is failed at once."""

    future_class = PlainFuture

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on as they are
        """Remember which futures are not done."""
        super().__init__(*args, **kwargs)
        self._unfinished: list[Future[Any]] = []

    def _enqueue(self, item: Item) -> None:
        """Hand the item to the workers only if one of them is free."""
        work = self._work
        with work.changed:
            self._unfinished = [future for future in self._unfinished if not future.done()]
            if len(self._unfinished) < self._max_workers or work.closed or work.broken:
                super()._enqueue(item)
                self._unfinished.append(item.future)
                return
        item.future.set_exception(RuntimeError("all workers are busy"))


class DoneForgetfully(PlainFuture):
    """A future that denies being done the second time it is asked."""

    _told = 0

    def done(self) -> bool:
        """Say True, then False, then True for good."""
        if not super().done():
            return False
        self._told += 1
        return self._told != 2  # noqa: PLR2004 - the second answer is the lie


class Fut02(PlainThreadPool):
    """A future that is done says so once, and then once more that it is not."""

    future_class = DoneForgetfully


class RunningForever(PlainFuture):
    """A future that goes on saying running() after it has finished."""

    def running(self) -> bool:
        """Take finished for running."""
        return self._state in (RUNNING, FINISHED)


class Fut03(PlainThreadPool):
    """A finished future says both done() and running()."""

    future_class = RunningForever


class CancelledLate(PlainFuture):
    """A future that says cancelled() only once a worker has come across it."""

    _noticed = False

    def cancelled(self) -> bool:
        """Wait for the worker's notice."""
        return self._noticed and super().cancelled()

    def set_running_or_notify_cancel(self) -> bool:
        """Take the notice."""
        started = super().set_running_or_notify_cancel()
        self._noticed = not started
        return started


class Fut04(PlainThreadPool):
    """After a cancel() that returned True, cancelled() is False until a worker has noticed."""

    future_class = CancelledLate


class Uncancellable(PlainFuture):
    """A future that nobody but the pool can cancel."""

    def cancel(self) -> bool:
        """Refuse."""
        return self.cancelled()

    def cancel_by_pool(self) -> bool:
        """Cancel for `shutdown(cancel_futures=True)`."""
        return super().cancel()


class Fut04Refuses(PlainThreadPool):
    """A cancel() on a pending future returns False, and the task is executed."""

    future_class = Uncancellable

    def _cancel_item(self, item: Item) -> None:
        """Cancel by the pool's own way."""
        cast("Uncancellable", item.future).cancel_by_pool()


class CancelsRunningSecretly(EndableFuture):
    """A future that a refused cancel() ends all the same."""

    def cancel(self) -> bool:
        """Cancel a running future, but say False."""
        if self.running():
            self.give_up()
            return False
        return super().cancel()


class Fut05(EndablePool):
    """A cancel() on a running future returns False and cancels it, so that its outcome is lost."""

    future_class = CancelsRunningSecretly


class CancelsRunning(EndableFuture):
    """A future that can be cancelled while its task runs."""

    def cancel(self) -> bool:
        """Cancel a running future, and say True."""
        if self.running():
            self.give_up()
        return super().cancel()


class Fut05True(EndablePool):
    """A cancel() on a running future returns True and cancels it, though its task is executing."""

    future_class = CancelsRunning


class CancelsFinishedInWord(PlainFuture):
    """A future that says True to every cancel() after its end."""

    def cancel(self) -> bool:
        """Say True of a finished future, which stays as it is."""
        return super().cancel() or self._state == FINISHED


class Fut06(PlainThreadPool):
    """A cancel() on a finished future returns True."""

    future_class = CancelsFinishedInWord


class CancelsFinishedSecretly(PlainFuture):
    """A future that loses its outcome by a refused cancel()."""

    def cancel(self) -> bool:
        """Say False of a finished future, which becomes cancelled."""
        with self._condition:
            if self._state == FINISHED:
                self._state = CANCELLED_AND_NOTIFIED
                return False
        return super().cancel()


class Fut06Erases(PlainThreadPool):
    """A cancel() on a finished future returns False, and its outcome is gone."""

    future_class = CancelsFinishedSecretly


class CancelsOnce(PlainFuture):
    """A future whose second cancel() fails."""

    def cancel(self) -> bool:
        """Say True only if this call did it."""
        return not self.cancelled() and super().cancel()


class Fut07(PlainThreadPool):
    """A cancel() on a cancelled future returns False."""

    future_class = CancelsOnce


class CancelsAgain(PlainFuture):
    """A future that repeats its callbacks with each cancel()."""

    def cancel(self) -> bool:
        """Do the whole of it again."""
        again = self.cancelled()
        if again:
            self._invoke_callbacks()
        return super().cancel()


class Fut07Again(PlainThreadPool):
    """A second cancel() calls the callbacks a second time."""

    future_class = CancelsAgain


class Fut08(PlainThreadPool):
    """A task whose future was cancelled by cancel() is executed when its turn comes."""

    def _run_item(self, item: Item) -> None:
        """Execute a cancelled item for nothing."""
        if item.future.cancelled():
            with contextlib.suppress(BaseException):
                item.fn(*item.args, **item.kwargs)
        super()._run_item(item)


def call_twice(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function twice, and keep the second outcome."""
    with contextlib.suppress(BaseException):
        fn(*args, **kwargs)
    return fn(*args, **kwargs)


class Fut09(PlainThreadPool):
    """Every task is executed twice."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit the call, doubled."""
        return super().submit(call_twice, fn, *args, **kwargs)


def do_nothing(*_args: object, **_kwargs: object) -> None:
    """Take the place of a task."""


class Fut09Skips(PlainThreadPool):
    """Every second task is not executed: its future finishes with None."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on as they are
        """Count the calls."""
        super().__init__(*args, **kwargs)
        self._count = itertools.count(1)

    def _enqueue(self, item: Item) -> None:
        """Replace every second item's task."""
        if next(self._count) % 2 == 0:
            item = Item(self, item.future, do_nothing, (), {})
        super()._enqueue(item)


class NeverRunning(PlainFuture):
    """A future that never says running()."""

    def running(self) -> bool:
        """Say no."""
        return False


class Fut10(PlainThreadPool):
    """A future whose task is in its body says False to running()."""

    future_class = NeverRunning


class ClaimedTwice(PlainFuture):
    """A future that can be claimed any number of times."""

    def set_running_or_notify_cancel(self) -> bool:
        """Say True again to whoever comes second."""
        return self.running() or super().set_running_or_notify_cancel()


class Fut11(PlainThreadPool):
    """A second claim on a running future is granted."""

    future_class = ClaimedTwice


class ClaimedByNobody(PlainFuture):
    """A future that stays pending when it is claimed."""

    def set_running_or_notify_cancel(self) -> bool:
        """Tell of a cancel, and do nothing else."""
        return not self.cancelled()


class Fut11Pending(PlainThreadPool):
    """A claim is granted, and the future stays pending."""

    future_class = ClaimedByNobody


class Overwritten(PlainFuture):
    """A future that takes another outcome when it is done."""

    def set_result(self, result: object) -> None:
        """Finish, or keep the newer result."""
        with self._condition:
            if self._state != FINISHED:
                super().set_result(result)
            self._result, self._exception = result, None


class Fut12(PlainThreadPool):
    """A second set_result() replaces the outcome."""

    future_class = Overwritten


class RefusesInWord(PlainFuture):
    """A future that raises for a second outcome, and keeps it all the same."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish, or keep the newer exception and refuse it."""
        with self._condition:
            if self._state == FINISHED:
                self._exception = exception
        super().set_exception(exception)


class Fut12Changes(PlainThreadPool):
    """A set_exception() on a finished future is refused, and the outcome is another one all the same."""

    future_class = RefusesInWord


class FinishedByClaimantsOnly(PlainFuture):
    """A future that must be claimed before it can be finished."""

    def set_result(self, result: object) -> None:
        """Refuse if nobody has claimed it."""
        if self._state == PENDING:
            raise InvalidStateError("nobody has claimed this future")
        super().set_result(result)


class Fut13(PlainThreadPool):
    """A set_result() on a pending future is refused."""

    future_class = FinishedByClaimantsOnly


class CancelledAfterALook(PlainFuture):
    """A future that is cancelled by two steps: a look at its state, and then the deed."""

    def cancel(self) -> bool:
        """Cancel what was pending a moment ago."""
        if self.running() or (self.done() and not self.cancelled()):
            return False
        with self._condition:
            already = self._state == CANCELLED_AND_NOTIFIED
            if not already:
                self._become_cancelled()
        if not already:
            self._invoke_callbacks()
        return True


class Fut14(PlainThreadPool):
    """A cancel() and a claim at the same time may both succeed."""

    future_class = CancelledAfterALook


class FreedBeforeItsEnd(PlainFuture):
    """A future that gives its claim back before it takes its outcome."""

    def set_result(self, result: object) -> None:
        """Finish in two steps."""
        with self._condition:
            if self._state == RUNNING:
                self._state = PENDING
        super().set_result(result)


class Fut15(PlainThreadPool):
    """A cancel() of a running future succeeds if it comes while its result is being set."""

    future_class = FreedBeforeItsEnd


class CancelledAtWork(PlainFuture):
    """A future that can be cancelled after it was claimed."""

    def cancel(self) -> bool:
        """Cancel a running future, too."""
        with self._condition:
            if self._state == RUNNING:
                self._state = PENDING
        return super().cancel()

    def set_result(self, result: object) -> None:
        """Finish, unless it was cancelled."""
        with contextlib.suppress(InvalidStateError):
            super().set_result(result)


class Fut21(PlainThreadPool):
    """A cancel() on a future that was claimed returns True and cancels it."""

    future_class = CancelledAtWork


class FinishedWithACopy(PlainFuture):
    """A future whose exception is not the one that was set."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Set a copy."""
        if isinstance(exception, Exception):
            exception = type(exception)(*exception.args)
        super().set_exception(exception)


class Fut22(PlainThreadPool):
    """What set_exception() is given is replaced by a copy."""

    future_class = FinishedWithACopy


class BornRunning(PlainFuture):
    """A future that is running from the beginning."""

    def running(self) -> bool:
        """Say yes of a future that nobody has claimed."""
        return self._state == PENDING or super().running()


class Fut23(PlainThreadPool):
    """A new future says running()."""

    future_class = BornRunning


class AlwaysPending(PlainFuture):
    """A future whose repr() is that of its first moment."""

    def __repr__(self) -> str:
        """Tell the first state."""
        return f"<{type(self).__name__} at {id(self):#x} state={PENDING.lower()}>"


class Fut16(PlainThreadPool):
    """The repr() of a future says pending in every state."""

    future_class = AlwaysPending


class ReprReadsResult(PlainFuture):
    """A future whose repr() reads the result."""

    def __repr__(self) -> str:
        """Describe a finished future by the result, which is raised if it is an exception."""
        if self._state != FINISHED:
            return super().__repr__()
        return (
            f"<{type(self).__name__} at {id(self):#x} state=finished returned {type(self.result()).__name__}>"
        )


class Fut16Raises(PlainThreadPool):
    """The repr() of a future whose task raised raises the task's exception."""

    future_class = ReprReadsResult


# All of `Future` but the inheritance: the standard library's `wait` and `as_completed` can work with it.
Ticket = type(
    "Ticket",
    (),
    {name: value for name, value in vars(Future).items() if name not in ("__dict__", "__weakref__")},
)


class Fut17(PlainThreadPool):
    """What submit() returns behaves as a future but is no instance of Future."""

    future_class = cast("type[Future[Any]]", Ticket)


class ReadUnderLock(PlainFuture):
    """A future whose cancel() must wait for its readers."""

    def __init__(self) -> None:
        """Make the lock that is held while somebody waits for the result."""
        super().__init__()
        self._reading = threading.Lock()

    def result(self, timeout: float | None = None) -> object:
        """Hold the lock for as long as it takes."""
        with self._reading:
            return super().result(timeout)

    def cancel(self) -> bool:
        """Pass the lock, then cancel."""
        with self._reading:
            pass
        return super().cancel()


class Fut18(PlainThreadPool):
    """A cancel() on a future blocks for as long as another thread waits in its result()."""

    future_class = ReadUnderLock


class CallsUnderLock(PlainFuture):
    """A future that calls its callbacks with a lock held that cancel() and add_done_callback() need."""

    def __init__(self) -> None:
        """Make the lock, which is not reentrant."""
        super().__init__()
        self._calling = threading.Lock()

    def cancel(self) -> bool:
        """Pass the lock, then cancel."""
        with self._calling:
            pass
        return super().cancel()

    def add_done_callback(self, fn: Callable[[Future[object]], object]) -> None:
        """Pass the lock, then add."""
        with self._calling:
            pass
        super().add_done_callback(fn)

    def _invoke_callbacks(self) -> None:
        """Hold the lock."""
        with self._calling:
            super()._invoke_callbacks()


class Fut18Callback(PlainThreadPool):
    """A callback that calls cancel() or add_done_callback() of its own future deadlocks."""

    future_class = CallsUnderLock


class Fut19(PlainThreadPool):
    """A task whose future was cancelled by shutdown(cancel_futures=True) is started when its turn comes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on as they are
        """Remember which futures the shutdown cancels."""
        super().__init__(*args, **kwargs)
        self._swept: set[Future[Any]] = set()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Cancel the futures but leave the items in the queue."""
        super().shutdown(wait=False)
        if cancel_futures:
            with self._work.changed:
                items = list(self._work.items)
            for item in items:
                if not item.future.cancelled():
                    self._swept.add(item.future)
                    self._cancel_item(item)
        super().shutdown(wait=wait)

    def _cancel_item(self, item: Item) -> None:
        """Cancel, and leave the rest to the worker that will find the item."""
        item.future.cancel()

    def _run_item(self, item: Item) -> None:
        """Execute an item that the shutdown cancelled for nothing."""
        if item.future in self._swept and item.future.cancelled():
            with contextlib.suppress(BaseException):
                item.fn(*item.args, **item.kwargs)
        super()._run_item(item)


MUTANTS: tuple[Mutant, ...] = (
    Mutant.of("FUT-01", Fut01),
    Mutant.of("FUT-01", Fut01Refuses),
    Mutant.of("FUT-02", Fut02),
    Mutant.of("FUT-03", Fut03),
    Mutant.of("FUT-04", Fut04),
    Mutant.of("FUT-04", Fut04Refuses),
    Mutant.of("FUT-05", Fut05),
    Mutant.of("FUT-05", Fut05True),
    Mutant.of("FUT-06", Fut06),
    Mutant.of("FUT-06", Fut06Erases),
    Mutant.of("FUT-07", Fut07),
    Mutant.of("FUT-07", Fut07Again),
    Mutant.of("FUT-08", Fut08),
    Mutant.of("FUT-09", Fut09),
    Mutant.of("FUT-09", Fut09Skips),
    Mutant.of("FUT-10", Fut10),
    Mutant.of("FUT-11", Fut11),
    Mutant.of("FUT-11", Fut11Pending),
    Mutant.of("FUT-12", Fut12),
    Mutant.of("FUT-12", Fut12Changes),
    Mutant.of("FUT-13", Fut13),
    Mutant.of("FUT-14", Fut14, arena="simulated"),
    Mutant.of("FUT-15", Fut15, arena="simulated"),
    Mutant.of("FUT-16", Fut16),
    Mutant.of("FUT-16", Fut16Raises),
    Mutant.of("FUT-17", Fut17),
    Mutant.of("FUT-18", Fut18, arena="simulated"),
    Mutant.of("FUT-18", Fut18Callback),
    Mutant.of("FUT-19", Fut19),
    Mutant.of("FUT-21", Fut21),
    Mutant.of("FUT-22", Fut22),
    Mutant.of("FUT-23", Fut23),
)
