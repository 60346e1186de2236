"""Executors that do to their process what the arena has to notice, or tell what it is like in there."""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

FIFO = "EXECUTOR_HARNESS_TEST_FIFO"
"""The environment variable with the path at which `TellsAndHangs` tells that it was called."""

SLEEP = [sys.executable, "-c", "import threading; print('here', flush=True); threading.Event().wait()"]


class TellsModules(Executor):
    """Raises in `submit`, naming what was imported in its process that has no business there."""

    def __init__(self, max_workers: int = 2) -> None:
        """Make an executor."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> NoReturn:  # noqa: ARG002 - it comes to nothing
        """Tell."""
        foreign = sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names)
        raise LookupError(", ".join(name for name in foreign if not name.startswith("__editable__")))


class TellsThreads(Executor):
    """Raises in `submit`, saying how many threads its process has."""

    def __init__(self, max_workers: int = 2) -> None:
        """Make an executor."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> NoReturn:  # noqa: ARG002 - it comes to nothing
        """Tell, by the system's count."""
        raise LookupError(len(os.listdir("/proc/self/task")))  # noqa: PTH208 - names are enough


class TellsAndHangs(Executor):
    """Says through a named pipe that it was called, and never returns from `submit`."""

    def __init__(self, max_workers: int = 2) -> None:
        """Make an executor."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> NoReturn:  # noqa: ARG002 - it comes to nothing
        """Tell whoever reads, start a helper, and wait for ever."""
        helper = subprocess.Popen(SLEEP, stdout=subprocess.PIPE)  # noqa: S603 - our own interpreter
        assert helper.stdout is not None
        helper.stdout.readline()  # its environment can be read now
        pipe = os.open(os.environ[FIFO], os.O_WRONLY)
        os.write(pipe, f"{os.getpid()} {helper.pid}".encode())
        os.close(pipe)
        threading.Event().wait()
        raise AssertionError("nobody sets this event")


class LeavesThread(ThreadPoolExecutor):
    """Leaves a thread behind that never ends."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start the thread and queue the call."""
        threading.Thread(target=threading.Event().wait, daemon=True, name="left-behind").start()
        return super().submit(fn, *args, **kwargs)


class LeavesStranger(ThreadPoolExecutor):
    """Leaves a process behind that has a session of its own and inherited no environment."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start the process and queue the call."""
        HELPERS.append(subprocess.Popen(SLEEP, env={}, start_new_session=True))  # noqa: S603 - our own interpreter
        return super().submit(fn, *args, **kwargs)


class LeavesOrphan(ThreadPoolExecutor):
    """Leaves a process behind whose parent is gone."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start the process by way of another, and queue the call."""
        child = os.fork()
        if not child:
            os.execv(sys.executable, [sys.executable, "-c", _START_AND_LEAVE])  # noqa: S606 - no shell wanted
        os.waitpid(child, 0)
        return super().submit(fn, *args, **kwargs)


_START_AND_LEAVE = f"import subprocess; subprocess.Popen({SLEEP!r}, start_new_session=True)"
HELPERS: list[subprocess.Popen[bytes]] = []  # a collected one would warn that its process still runs


class ForksAndStays(ThreadPoolExecutor):
    """Forks the client's process in `submit`; the copy never ends, and holds all that the client holds."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Fork, and queue the call."""
        if not os.fork():
            threading.Event().wait()
        return super().submit(fn, *args, **kwargs)


class Loud(ThreadPoolExecutor):
    """Says when it is built, and that it was built, when the interpreter exits."""

    def __init__(self, max_workers: int | None = None) -> None:
        """Say so."""
        super().__init__(max_workers)
        os.write(2, b"built\n")
        atexit.register(os.write, 2, b"closed\n")


class ClaimsStrangers(ThreadPoolExecutor):
    """Says that its workers are its parent process and a whole process group."""

    def __init__(self, max_workers: int | None = None) -> None:
        """Take the numbers of strangers."""
        super().__init__(max_workers)
        self._processes = {os.getppid(): None, 0: None}


class HasItsOwnLogger(ThreadPoolExecutor):
    """Logs each call, to a logger that is not that of `concurrent.futures`."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Say so, and queue the call."""
        logging.getLogger("elsewhere").error("submitted")
        return super().submit(fn, *args, **kwargs)


class LockedFuture(Future[T]):
    """Cancels under a lock of its own, and counts who asks; the outcome is handed out by CPython's code."""

    def __init__(self) -> None:
        """Make a future that nobody has asked."""
        super().__init__()
        self._mine = threading.RLock()
        self.asked = 0

    def cancel(self) -> bool:
        """Cancel it, one thread at a time."""
        with self._mine:
            return super().cancel()

    def result(self, timeout: float | None = None) -> T:
        """Count, and wait for the outcome."""
        self.asked += 1
        return super().result(timeout)


class DeafFuture(LockedFuture[T]):
    """Answers for itself: the outcome is not CPython's affair."""

    def result(self, timeout: float | None = None) -> T:
        """Wait for the outcome, and trust it."""
        error = self.exception(timeout)
        if error is not None:
            raise error
        return cast("T", self._result)


class TiedFuture(LockedFuture[T]):
    """Counts itself out at the executor that made it, when its callbacks are to be called."""

    _done_callbacks: list[Callable[[Future[T]], object]]
    owner: MakesFutures | None = None

    def _invoke_callbacks(self) -> None:
        """Go through the owner."""
        assert self.owner is not None
        self.owner.ended += 1
        for callback in self._done_callbacks:
            callback(self)


class MakesFutures(Executor):
    """Executes tasks at once, in futures of its own class."""

    future: type[LockedFuture[Any]] = LockedFuture

    def __init__(self, max_workers: int = 2) -> None:  # noqa: ARG002 - there are none
        """Make an executor."""
        self.ended = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Execute the task."""
        future: LockedFuture[T] = self.future()
        if isinstance(future, TiedFuture):
            future.owner = self
        future.set_running_or_notify_cancel()
        future.set_result(fn(*args, **kwargs))
        return future


class MakesDeafFutures(MakesFutures):
    """The same, with futures that answer for themselves."""

    future = DeafFuture


class MakesTiedFutures(MakesFutures):
    """The same, with futures that need it."""

    future = TiedFuture
