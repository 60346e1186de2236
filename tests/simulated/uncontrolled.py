"""Executors that load, but need something that the simulated world cannot control, or need it late."""

from __future__ import annotations

import contextlib
import importlib
import signal
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


_TASKS = 3  # of the program that is run


class Listens(ThreadPoolExecutor):
    """Opens a socket when it is given work."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as the base
        """Open a socket, whatever happens: catching everything must not hide a refusal."""
        with contextlib.suppress(BaseException):
            socket.socket()
        return super().submit(fn, *args, **kwargs)


class HandlesSIGTERM(ThreadPoolExecutor):
    """Has something to do before it is terminated."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as the base
        """Nobody is interrupted by Ctrl-C here, so that may be ignored; SIGTERM may not."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: None)
        return super().submit(fn, *args, **kwargs)


class FallsBack(ThreadPoolExecutor):
    """Would like to have a module in C, and goes without."""

    def __init__(self, max_workers: int = 2) -> None:
        """Look for it."""
        super().__init__(max_workers)
        self.has_it = True
        try:
            importlib.import_module("psutil")
        except ImportError:
            self.has_it = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as the base
        """Work only without it."""
        if self.has_it:
            raise AssertionError("a module in C is in the world")
        return super().submit(fn, *args, **kwargs)


class ImportsLate(ThreadPoolExecutor):
    """Imports what it needs when it is made, which happens in a run."""

    def __init__(self, max_workers: int = 2) -> None:
        """Take a number from the module, for the names of the threads."""
        self._late: Any = importlib.import_module("tests.simulated.late")
        super().__init__(max_workers, thread_name_prefix=f"late-{next(self._late.NUMBERS)}")

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as the base
        """Insist on the module's lock being one."""
        with self._late.LOCK:
            if self._late.LOCK.acquire(blocking=False):
                raise AssertionError("it can be taken twice")
            self._late.later.SEEN.append(fn)
            if len(self._late.later.SEEN) > _TASKS:
                raise AssertionError("what an earlier run has left behind is still there")
            return super().submit(fn, *args, **kwargs)
