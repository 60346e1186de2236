"""A worker process as the pool sees it: two pipes, a sentinel, and how it ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reference_executor import _residents
from reference_executor._messages import LEAVE, failure_in, unpack
from reference_executor._worker import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess


#: How many seconds a worker whose initializer failed has for its way out: it may have logged to a queue.
_WAY_OUT: Final = 5.0


class WorkerLostError(Exception):
    """The worker's pipes have ended, and it did not say that it leaves."""


class WorkerPlan(NamedTuple):
    """How to start a worker."""

    context: BaseContext
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    max_tasks: int | None
    main_file: str | None


class WorkerProcess:
    """One worker process, from its start until it is gone.

    One thread, its carrier, talks with it, in turns: a call, an answer. So both pipes are empty whenever
    the worker is idle, and a worker that dies in the middle of a message harms nobody but that one
    conversation.
    """

    def __init__(self, plan: WorkerPlan) -> None:
        """Start it. If that fails, nothing is left behind."""
        #: Held during a conversation. Whoever wants to judge a dead worker takes it first: by then its last
        #: words have been heard. It cannot take long, since a dead worker's pipe ends.
        self.talking = threading.Lock()
        #: Whether it has announced that it leaves. Guarded by `talking`.
        self.left = False
        self._failure: str | None = None  # Why the initializer failed.
        self._tasks_left = plan.max_tasks
        calls, self._calls = plan.context.Pipe(duplex=False)
        self._results, results = plan.context.Pipe(duplex=False)
        _residents.pipe_ends.update((calls, self._calls, self._results, results))
        _restore_main(plan.main_file)
        try:
            with _sigint_blocked(plan.context) as blocked:
                arguments = (calls, results, plan.initializer, plan.initargs, plan.max_tasks, blocked)
                self.process: BaseProcess = plan.context.Process(target=serve, args=arguments)  # type: ignore[attr-defined]
                _residents.fork_keeping((calls, results), self.process.start)
        except BaseException:
            self.close()
            raise
        finally:
            # The worker has these now. Our copies would hide its death from us.
            _close(calls)
            _close(results)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.process.pid or 0

    def wait_until_ready(self) -> None:
        """Wait for the first message: until then, calls are better off with workers that are there.

        Raises:
            WorkerLostError: Starting or initializing failed.
        """
        with self.talking:
            try:
                self._failure = failure_in(self._results.recv_bytes())
            except Exception as error:
                raise WorkerLostError from error
            if self._failure is not None:
                raise WorkerLostError

    def ask(self, call: bytes) -> bytes:
        """Send a call, return the packed answer.

        Raises:
            WorkerLostError: The worker died before its answer was complete.
        """
        with self.talking:
            try:
                self._calls.send_bytes(call)
                answer = self._results.recv_bytes()
            except Exception as error:
                # Mostly the end of a pipe. But after anything else, too (want of memory, say), nobody knows
                # how far the conversation came.
                raise WorkerLostError from error
            if self._tasks_left is not None:
                self._tasks_left -= 1
                if self._tasks_left == 0:
                    self._hear_farewell()
            return answer

    def dismiss(self) -> None:
        """Send the worker home and hear its farewell; see `left` for whether it came."""
        with self.talking:
            try:
                self._calls.send_bytes(LEAVE)
            except OSError:
                return
            self._hear_farewell()

    def _hear_farewell(self) -> None:
        try:
            self.left = unpack(self._results.recv_bytes()) == self.pid
        except (EOFError, OSError):
            return

    def last_words(self) -> str:
        """Tell how it came to its end without a farewell, to be called with `talking` held."""
        try:
            while self._failure is None and self._results.poll():
                self._failure = failure_in(self._results.recv_bytes())
        except (EOFError, OSError):
            pass  # There was nothing, or a torn message.
        self.end()
        return self._describe_exit() if self._failure is None else f"its initializer failed:{self._failure}"

    def _describe_exit(self) -> str:
        code = self.process.exitcode
        if code is None:
            return "it ended for an unknown reason"
        if code >= 0:
            return f"it ended with exit code {code}"
        try:
            return f"it was killed by {signal.Signals(-code).name} (signal {-code})"
        except ValueError:
            return f"it was killed by signal {-code}"

    def kill(self) -> None:
        """Send SIGKILL: a task may ignore SIGTERM, and a stopped process would never see it."""
        self.process.kill()

    def end(self) -> None:
        """Make sure that the process has ended, and wait for it."""
        if self._failure is not None:
            self.process.join(_WAY_OUT)
        if self.process.exitcode is None:
            self.kill()
        self.process.join()

    def close(self) -> None:
        """Close our ends of the pipes. Join the process before that: on macOS the reverse may deadlock."""
        _close(self._calls)
        _close(self._results)


def forget_fork_server() -> None:
    """In a forked child: let `multiprocessing` start a server of its own; the parent's is not its child."""
    module = sys.modules.get("multiprocessing.forkserver")
    if module is None:
        return
    server = module._forkserver  # noqa: SLF001 - there is no public way
    if server._forkserver_alive_fd is not None:  # noqa: SLF001 - the same
        os.close(server._forkserver_alive_fd)  # noqa: SLF001 - or the parent's server would outlive its parent
    preload = server._preload_modules  # noqa: SLF001 - the same
    server.__init__()
    server.set_forkserver_preload(preload)


def main_file() -> str | None:
    """Return where the main program is, from which workers that are not forked import its functions."""
    return getattr(sys.modules.get("__main__"), "__file__", None)


def _restore_main(file: str | None) -> None:
    """Say again where the main program is. Python forgets it at the end, and workers are still replaced."""
    if file is not None and main_file() is None:
        sys.modules["__main__"].__file__ = file


@contextmanager
def _sigint_blocked(context: BaseContext) -> Iterator[bool]:
    """Hold SIGINT off while a worker starts, which inherits that until it has a handler of its own.

    Not with "forkserver": the server might start here, and hand it on to children that are not ours.
    """
    if context.get_start_method(allow_none=False) == "forkserver" or not hasattr(signal, "pthread_sigmask"):
        yield False
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield signal.SIGINT not in before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _close(end: Connection[Any, Any]) -> None:
    _residents.pipe_ends.discard(end)
    end.close()
