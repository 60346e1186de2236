"""A future: one outcome, settled once, seen by any number of threads.

The whole life of a future is the table `STEPS`. Every method that changes a future takes the future's lock,
looks its step up in that table, makes it, tells the waiters — and only then, with no lock held, calls the
callbacks. A callback may therefore call anything, stall or raise without harm to anybody but its own thread.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, InvalidStateError
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

PENDING: Final = "PENDING"
RUNNING: Final = "RUNNING"
CANCELLED: Final = "CANCELLED"
CANCELLED_AND_NOTIFIED: Final = "CANCELLED_AND_NOTIFIED"
FINISHED: Final = "FINISHED"

#: Where each step leads from each state; a step that is missing here is refused and changes nothing.
#:
#: The specification has a state CANCELLED between PENDING and CANCELLED_AND_NOTIFIED, in which a future
#: waits for a worker to notice. Nothing here ever enters it: `cancel` notifies on the spot, so a waiter
#: never sleeps through a cancellation until a worker comes free. It stays in the table for futures that
#: somebody put into it by hand.
STEPS: Final[dict[str, dict[str, str]]] = {
    #            from        to
    "cancel": {PENDING: CANCELLED_AND_NOTIFIED},
    "start": {PENDING: RUNNING, CANCELLED: CANCELLED_AND_NOTIFIED},
    "finish": {PENDING: FINISHED, RUNNING: FINISHED},
}

#: To a client the two cancelled states are one.
CANCELLED_STATES: Final = frozenset({CANCELLED, CANCELLED_AND_NOTIFIED})
DONE_STATES: Final = CANCELLED_STATES | {FINISHED}

LOGGER: Final = logging.getLogger("concurrent.futures")

#: Numbers futures in the order in which they were settled (see `as_completed`).
_settled_numbers = itertools.count(1)

#: What `add_done_callback` takes: a callable of one future.
DoneCallback = Callable[[Any], object]


class Future(concurrent.futures.Future[T]):
    """The outcome of a call that may not have been made yet.

    It is an instance of the standard library's `Future` and keeps its state under the same names, so that the
    standard library's own `wait`, `as_completed` and `asyncio.wrap_future` work on it.
    """

    def __init__(self) -> None:
        """Make a pending future. Executors do this; others only in tests."""
        super().__init__()
        self._settled_number = 0
        self._done_callbacks: list[DoneCallback] = []

    def __repr__(self) -> str:
        """Tell the state and, once finished, the type of the outcome; look at nothing inside the outcome."""
        with self._condition:
            where = f"{type(self).__name__} at {id(self):#x} state="
            if self._state != FINISHED:
                return f"<{where}{'cancelled' if self._state in CANCELLED_STATES else self._state.lower()}>"
            # `is not None`: an exception may be falsy, or have a `__bool__` that raises.
            if self._exception is not None:
                return f"<{where}finished raised {type(self._exception).__name__}>"
            return f"<{where}finished returned {type(self._result).__name__}>"

    # What a client may ask.

    def cancelled(self) -> bool:
        """Whether the future was cancelled."""
        with self._condition:
            return self._state in CANCELLED_STATES

    def running(self) -> bool:
        """Whether the call is being made at the moment."""
        with self._condition:
            return self._state == RUNNING

    def done(self) -> bool:
        """Whether the future was cancelled or has finished; once true, always true."""
        with self._condition:
            return self._state in DONE_STATES

    def result(self, timeout: float | None = None) -> T:
        """Return what the call returned, or raise what it raised.

        Args:
            timeout: How many seconds to wait for it; None waits for as long as it takes.

        Raises:
            CancelledError: The future was cancelled.
            TimeoutError: The future was not done in time; it is left as it was.
        """
        try:
            self._wait_until_done(timeout)
            if self._exception is not None:
                raise self._exception
            return cast("T", self._result)
        finally:
            # The exception's traceback keeps this frame; without its `self` the two form no cycle.
            del self

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None if it returned. Arguments and errors as for `result`."""
        self._wait_until_done(timeout)
        return self._exception

    def _wait_until_done(self, timeout: float | None) -> None:
        with self._condition:
            if self._state not in DONE_STATES:
                patience = None if timeout is None else min(timeout, threading.TIMEOUT_MAX)
                if not self._condition.wait_for(self.done, patience):
                    raise TimeoutError
            if self._state in CANCELLED_STATES:
                raise CancelledError

    def add_done_callback(self, fn: DoneCallback) -> None:
        """Have `fn(self)` called once the future is done; at once, in this thread, if it already is.

        Callbacks are called in the order in which they were added. One that raises an `Exception` is logged.
        """
        with self._condition:
            if self._state not in DONE_STATES:
                self._done_callbacks.append(fn)
                return
        self._call_back([fn])

    # What changes the state.

    def cancel(self) -> bool:
        """Cancel the call if it has not begun.

        Returns:
            Whether the future is cancelled now, by this call or by an earlier one.
        """
        with self._condition:
            callbacks = self._settle("cancel")
            cancelled = self._state in CANCELLED_STATES
        self._call_back(callbacks or [])
        return cancelled

    def set_running_or_notify_cancel(self) -> bool:
        """Begin the call, unless it was cancelled. For executors, and for tests.

        Returns:
            True if the call is to be made, False if the future was cancelled.

        Raises:
            InvalidStateError: The call has begun before, or is over.
        """
        with self._condition:
            if self._start():
                return True
            if self._state in CANCELLED_STATES:
                return False
            LOGGER.critical("Future in unexpected state: %s", self._state)
            raise InvalidStateError(f"{self._state}: {self!r}")

    def set_result(self, result: T) -> None:
        """End the call with what it returned. For executors, and for tests.

        Raises:
            InvalidStateError: The future is done; it is left as it was.
        """
        self._finish(result, None)

    def set_exception(self, exception: BaseException | None) -> None:
        """End the call with what it raised. For executors, and for tests.

        Raises:
            InvalidStateError: The future is done; it is left as it was.
        """
        self._finish(None, exception)

    def _finish(self, result: T | None, exception: BaseException | None) -> None:
        with self._condition:
            callbacks = self._settle("finish", result, exception)
            if callbacks is None:
                raise InvalidStateError(f"{self._state}: {self!r}")
        self._call_back(callbacks)

    # The same in two halves, for our executors: they settle with their own locks held, and call back without.

    def _start(self) -> bool:
        """Make the step "start"; say whether the call is to be made."""
        with self._condition:
            if self._state == CANCELLED:
                self._settle("start")
                return False
            if self._state not in STEPS["start"]:
                return False
            self._state = STEPS["start"][self._state]
            return True

    def _settle(
        self, step: str, result: T | None = None, exception: BaseException | None = None
    ) -> list[DoneCallback] | None:
        """Make a step into a final state and wake whoever waits.

        Returns:
            The callbacks, which the caller must hand to `_call_back` once it holds no lock; None if the
            step was refused because the future is further on already.
        """
        with self._condition:
            if self._state not in STEPS[step]:
                return None
            self._state = STEPS[step][self._state]
            self._result, self._exception = result, exception
            self._settled_number = next(_settled_numbers)
            for waiter in self._waiters:
                self._tell(waiter)
            self._condition.notify_all()
            callbacks, self._done_callbacks = self._done_callbacks, []
            return callbacks

    def _tell(self, waiter: concurrent.futures._base._Waiter) -> None:
        if self._state != FINISHED:
            waiter.add_cancelled(self)
        elif self._exception is not None:
            waiter.add_exception(self)
        else:
            waiter.add_result(self)

    def _call_back(self, callbacks: list[DoneCallback]) -> None:
        """Call every callback, whatever the others raise; hold no lock while calling this.

        What is no `Exception` — Ctrl-C during a callback, say — goes on to the caller after the last
        callback. The pools' own threads end it there.
        """
        raised: BaseException | None = None
        for callback in callbacks:
            try:
                callback(self)
            except Exception:
                LOGGER.exception("exception calling callback for %r", self)
            except BaseException as error:  # noqa: BLE001 - kept until the other callbacks were called, then raised
                raised = raised or error
        if raised is not None:
            try:
                raise raised
            finally:
                del self, raised, callbacks
