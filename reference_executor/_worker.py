"""What runs in a worker process: initialize, then take a call, make it, answer; until told to leave.

A worker talks over two pipes of its own and shares no lock with anybody. Wherever it is killed, what dies
with it is its own two pipes.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from reference_executor import _residents
from reference_executor._future import LOGGER
from reference_executor._messages import (
    READY,
    Call,
    Returned,
    pack,
    pack_failure,
    pack_raised,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from types import FrameType


class Interrupts:
    """Lets SIGINT through to tasks and initializers only.

    Ctrl-C reaches every process of the terminal. An idle worker has nothing to interrupt: if it raised
    KeyboardInterrupt and ended, the pool would break, and with it the tasks of the others.
    """

    def __init__(self) -> None:
        """Begin with holding interrupts off."""
        self._let_through = False
        self._handler: Callable[[int, FrameType | None], Any] | None = None

    def install(self, *, blocked: bool) -> None:
        """Stand before the present handler; leave a SIGINT that is ignored, or that kills, as it is.

        Args:
            blocked: SIGINT was blocked for the start and is to be unblocked now.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        # A program that runs an event loop has its signals written to a pipe; a forked worker must not
        # write there.
        signal.set_wakeup_fd(-1)
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            self._handler = handler
            signal.signal(signal.SIGINT, self._handle)
        if blocked:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        """Make a call that may be interrupted."""
        try:
            self._let_through = True
            return fn(*args, **kwargs)
        finally:
            self._let_through = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._let_through and self._handler is not None:
            self._handler(number, frame)


def serve(  # noqa: PLR0913, PLR0917 - `Process` hands arguments over by position
    calls: Connection[Any, Any],
    results: Connection[Any, Any],
    initializer: Callable[..., object] | None,
    initargs: tuple[Any, ...],
    max_tasks: int | None,
    sigint_is_blocked: bool = False,  # noqa: FBT001, FBT002 - `Process` hands arguments over by position
) -> None:
    """Be a worker. Leaving is announced with the pid; a worker that ends without that has died.

    Args:
        calls: Where calls come from.
        results: Where answers go to.
        initializer: Called first.
        initargs: Its arguments.
        max_tasks: How many calls to make before leaving of one's own accord; None for no limit.
        sigint_is_blocked: Whether SIGINT was blocked for the start.
    """
    # What a task forks must not keep this worker's pipes open.
    ends = {calls, results}
    _residents.pipe_ends.update(ends)
    interrupts = Interrupts()
    interrupts.install(
        blocked=sigint_is_blocked
    )  # For good: an interrupt must not disturb the way out either.
    try:
        if _initialize(results, interrupts, initializer, initargs):
            results.send_bytes(READY)
            _answer_calls(calls, results, interrupts, max_tasks)
            results.send_bytes(pack(os.getpid()))
    except (EOFError, OSError):
        pass  # The parent is gone, or kills us: nobody is left to tell.
    finally:
        _residents.pipe_ends.difference_update(ends)


def _initialize(
    results: Connection[Any, Any],
    interrupts: Interrupts,
    initializer: Callable[..., object] | None,
    initargs: tuple[Any, ...],
) -> bool:
    if initializer is None:
        return True
    try:
        interrupts.call(initializer, initargs, {})
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the outcome
        LOGGER.critical("Exception in initializer:", exc_info=True)
        results.send_bytes(pack_failure(error))
        return False
    return True


def _answer_calls(
    calls: Connection[Any, Any], results: Connection[Any, Any], interrupts: Interrupts, max_tasks: int | None
) -> None:
    for _ in itertools.count() if max_tasks is None else range(max_tasks):
        answer = _answer(calls.recv_bytes(), interrupts)
        if answer is None:
            return
        results.send_bytes(answer)
        del answer  # It may be large, and the next call may be long in coming.


def _answer(packed: bytes, interrupts: Interrupts) -> bytes | None:
    """Make the call in a message and pack its outcome; None if the message says to leave.

    Every step runs foreign code: unpickling the call, the call, pickling what it returned.
    """
    try:
        call: Call | None = unpack(packed)
        if call is None:
            return None
        return pack(Returned(interrupts.call(*call)))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the outcome
        return pack_raised(error)


class Chunk:
    """Calls a function for every item of a chunk. It lives here since workers have this module anyway."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        """Keep the function."""
        self._fn = fn

    def __call__(self, chunk: list[tuple[Any, ...]]) -> list[Any]:
        """Return the results."""
        return [self._fn(*args) for args in chunk]
