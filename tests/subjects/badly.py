"""Executors that behave badly towards their client, and towards whoever tests them.

A harness that runs these must survive each of them and say what it did.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class RunsCancelled(ThreadPoolExecutor):
    """Executes a task though its future was cancelled in time."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call that is made in any case."""
        future: Future[T] = Future()
        inner = super().submit(run_anyway, future, partial(fn, *args, **kwargs))
        # `shutdown(cancel_futures=True)` cancels the inner one.
        inner.add_done_callback(lambda done: done.cancelled() and future.cancel())
        return future


def run_anyway(future: Future[T], call: Callable[[], T]) -> None:
    """Make a call, and tell the future of its outcome if that wants to know."""
    wanted = future.set_running_or_notify_cancel()
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - whatever the task raises is its outcome
        if wanted:
            future.set_exception(error)
        del future
    else:
        if wanted:
            future.set_result(result)


class DropsQueued(ThreadPoolExecutor):
    """Forgets what is queued at `shutdown(wait=False)`: those futures stay pending for ever."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down; without waiting, forget the queue first."""
        while not wait and not cancel_futures:
            try:
                self._work_queue.get_nowait()
            except queue.Empty:
                break
        super().shutdown(wait, cancel_futures=cancel_futures)


class TwiceFuture(Future[Any]):
    """A future that calls each callback twice."""

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Add a callback, and add it again."""
        super().add_done_callback(fn)
        super().add_done_callback(fn)


class CallsBackTwice(ThreadPoolExecutor):
    """Calls each done callback twice."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call."""
        future = super().submit(fn, *args, **kwargs)
        # The pool makes its futures itself and knows no hook; the two classes have the same layout.
        future.__class__ = TwiceFuture
        return future


class HangsInSecondShutdown(ThreadPoolExecutor):
    """Never returns from the second call of `shutdown`."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down; wait for ever if that was done before."""
        again = self._shutdown
        super().shutdown(wait, cancel_futures=cancel_futures)
        if again:
            threading.Event().wait()


class ExitsInSubmit(Executor):
    """Ends the client's process in `submit`, with status 0."""

    def __init__(self, max_workers: int = 2) -> None:
        """Make an executor."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> NoReturn:  # noqa: ARG002 - it comes to nothing
        """End the process."""
        os._exit(0)


class LosesKeywords(ThreadPoolExecutor):
    """Calls tasks without their keyword arguments."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # noqa: ANN401 - it mends no call
        """Queue a call, less its keywords."""
        kwargs.clear()
        return super().submit(fn, *args)


class LeavesHelper(ThreadPoolExecutor):
    """Leaves a helper process alive after `shutdown`; it ends with the client's process."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call; start the helper with the first."""
        if not self._threads:
            helper = subprocess.Popen([sys.executable, "-c", READ_TO_END], stdin=subprocess.PIPE)  # noqa: S603 - it is our own
            # Kept for good: a collected one would warn that its process is still running.
            HELPERS.append(helper)
        return super().submit(fn, *args, **kwargs)


READ_TO_END = "import sys; sys.stdin.read()"
HELPERS: list[subprocess.Popen[bytes]] = []


class RaisesInConstructor(ThreadPoolExecutor):
    """Cannot be made."""

    def __init__(self, max_workers: int = 2) -> None:
        """Refuse."""
        raise LookupError(f"no {max_workers} workers to be had")


class NotAnExecutor:
    """Has no `submit`."""

    def __init__(self, max_workers: int = 2) -> None:
        """Make something."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Do nothing."""


class FloodsStdout(ThreadPoolExecutor):
    """Writes more to standard output with each call than any pipe takes without a reader."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Write a mebibyte and queue the call."""
        sys.stdout.write("water " * (2**20 // 6) + "\n")
        sys.stdout.flush()
        return super().submit(fn, *args, **kwargs)


class Crashes(Executor):
    """Crashes the client's process in `submit`."""

    def __init__(self, max_workers: int = 2) -> None:
        """Make an executor."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> NoReturn:  # noqa: ARG002 - it comes to nothing
        """Die of a segmentation fault."""
        # A real fault would be the same to whoever looks on from outside.
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError("the signal was ignored")


class HangsInSubmit(Executor):
    """Never returns from `submit`."""

    def __init__(self, max_workers: int = 2) -> None:
        """Make an executor."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> NoReturn:  # noqa: ARG002 - it comes to nothing
        """Wait for ever."""
        threading.Event().wait()
        raise AssertionError("nobody sets this event")


class Forks(ThreadPoolExecutor):
    """Forks the client's process in `submit`; the child exits at once."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Fork, and queue the call."""
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        return super().submit(fn, *args, **kwargs)


class LeaksDescriptors(ThreadPoolExecutor):
    """Opens a descriptor for each call, and closes none."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Open a descriptor and queue the call."""
        os.open(os.devnull, os.O_RDONLY)
        return super().submit(fn, *args, **kwargs)


class DeclaresFlying(ThreadPoolExecutor):
    """Declares what is no capability."""

    executor_harness: ClassVar = {"flying": True}


class DeclaresAnyDeath(ThreadPoolExecutor):
    """Declares a model of death that nobody knows."""

    executor_harness: ClassVar = {"death": "sweet"}


class DeclaresAnObject(ThreadPoolExecutor):
    """Declares something that cannot be told to the harness."""

    executor_harness: ClassVar = {"death": object()}
