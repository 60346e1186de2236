"""Executors that get a simulated world into trouble, each in its way."""

from __future__ import annotations

import faulthandler
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadlocks(ThreadPoolExecutor):
    """Takes two locks in one order here, and in the other there."""

    def __init__(self, max_workers: int = 2) -> None:
        """Make the locks."""
        super().__init__(max_workers)
        self._first, self._second = threading.Lock(), threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        """First the one."""

        def work() -> Any:  # noqa: ANN401 - whatever the task returns
            with self._second, self._first:
                return fn(*args, **kwargs)

        future = super().submit(work)
        with self._first, self._second:
            return future


class OpensSocket(ThreadPoolExecutor):
    """Wants the network."""

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        """Not without."""
        socket.socket()
        return super().submit(fn, *args, **kwargs)


class OpensSocketWhenMade(ThreadPoolExecutor):
    """Wants the network at once."""

    def __init__(self, max_workers: int = 2) -> None:
        """Not without."""
        super().__init__(max_workers)
        socket.socket().close()


class CannotBeBuilt(ThreadPoolExecutor):
    """Fails as it is made."""

    def __init__(self, max_workers: int = 2) -> None:
        """Fail."""
        super().__init__(max_workers // 0)


class Crashes(ThreadPoolExecutor):
    """Brings the interpreter down."""

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        """Read where nothing is."""
        faulthandler._sigsegv()  # type: ignore[attr-defined]  # noqa: SLF001 - it is there for such tests
        return super().submit(fn, *args, **kwargs)


class Spins(ThreadPoolExecutor):
    """Never comes to a point of the schedule."""

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        """Go round and round until there are no arguments, but there is a ticket always."""
        while args:
            pass
        return super().submit(fn, *args, **kwargs)
