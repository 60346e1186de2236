"""The real C layer of processes, hooked: pipes, semaphores, processes and kills, for workers that are forked.

The functions that are put into `multiprocessing` announce what they do under the names that the simulated
world uses, and then call those that were there before.
"""

from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]  # typeshed has none
import functools
import os
import select
from multiprocessing import connection, popen_fork, process
from typing import TYPE_CHECKING, Any, Final, NoReturn

from harness.arenas.simulated import identity
from harness.arenas.steered import steering
from harness.arenas.steered.steering import point

if TYPE_CHECKING:
    from collections.abc import Sequence

_kill: Final = os.kill
_exit: Final = os._exit
_wait: Final = connection.wait
_Connection: Final[Any] = connection.Connection
_close: Final = _Connection.close
_send: Final = _Connection._send  # noqa: SLF001 - a message is sent in pieces, each with a point of its own
_recv: Final = _Connection._recv  # noqa: SLF001 - the same
_Process: Final[Any] = process.BaseProcess
_start: Final = _Process.start
_run: Final = _Process.run
_join: Final = _Process.join
_poll: Final[Any] = popen_fork.Popen.poll
_send_signal: Final[Any] = vars(popen_fork.Popen)["_send_signal"]
_clean_up: Final[Any] = vars(process)["_cleanup"]
_RealSemLock: Final[Any] = vars(_multiprocessing)["SemLock"]
_RECURSIVE_MUTEX: Final = 0
_ROLE: Final = "_steered_role"


# Pipes.


def send(self: Any, buf: Any) -> None:  # noqa: ANN401 - a connection, and any buffer
    """Write one piece."""
    _send(self, buf, _write_some)


def _write_some(descriptor: int, data: Any) -> int:  # noqa: ANN401 - any buffer
    """Write what there is room for, as if a pipe were not blocking: nobody is blocked with the word."""
    point("write")
    if not _is_ready(select.POLLOUT, descriptor, 0):
        steering.contend(functools.partial(_is_ready, select.POLLOUT, descriptor), None)
    left = memoryview(data)
    while left and _is_ready(select.POLLOUT, descriptor, 0):
        left = left[os.write(descriptor, left[: select.PIPE_BUF]) :]
    return len(data) - len(left)


def recv(self: Any, size: int) -> Any:  # noqa: ANN401 - a connection; what it gives
    """Read one piece."""
    return _recv(self, size, _read_some)


def _read_some(descriptor: int, most: int) -> bytes:
    """Read what there is."""
    point("read")
    if not _is_ready(select.POLLIN, descriptor, 0):
        steering.contend(functools.partial(_is_ready, select.POLLIN, descriptor), None)
    return os.read(descriptor, most)


def _is_ready(event: int, descriptor: int, seconds: float) -> bool:
    """Whether something can be read, or something small be written, or either will fail at once."""
    waiting = select.poll()
    waiting.register(descriptor, event)
    return bool(waiting.poll(None if seconds < 0 else seconds * 1000))


def close(self: Any) -> None:  # noqa: ANN401 - a connection
    """Close this end."""
    if not self.closed:
        point("close")
    _close(self)


def wait(object_list: Sequence[Any], timeout: float | None = None) -> list[Any]:
    """`multiprocessing.connection.wait`."""
    point("try" if timeout is not None and timeout <= 0 else "wait")
    return _await(list(object_list), timeout)


def _await(things: list[Any], timeout: float | None) -> list[Any]:
    """Those of several things that are ready, as soon as there is one."""
    found: list[Any] = _wait(things, 0)
    if found or (timeout is not None and timeout <= 0):
        return found

    def attempt(seconds: float) -> bool:
        found[:] = _wait(things, None if seconds < 0 else seconds)
        return bool(found)

    steering.contend(attempt, timeout)
    return found


# Semaphores.


class SemLock(_RealSemLock):  # type: ignore[misc]  # the C type has no annotations
    """`_multiprocessing.SemLock`."""

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:  # noqa: FBT001, FBT002 - as in C
        """Count down, waiting while the value is nought."""
        if self.kind == _RECURSIVE_MUTEX and self._is_mine():
            return bool(super().acquire(block, timeout))
        point("acquire" if block else "try")
        if super().acquire(False):  # noqa: FBT003 - as in C
            return True
        if not block or (timeout is not None and timeout <= 0):
            return False
        return steering.contend(self._attempt, timeout)

    def _attempt(self, seconds: float) -> bool:
        return bool(super().acquire(True, None if seconds < 0 else seconds))  # noqa: FBT003 - as in C

    def release(self) -> None:
        """Count up."""
        if self.kind != _RECURSIVE_MUTEX or self._count() == 1:
            point("release")
        super().release()

    def __enter__(self) -> bool:
        """Count down."""
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        """Count up."""
        self.release()


# Processes.


def start(self: Any) -> None:  # noqa: ANN401 - a process
    """`Process.start`."""
    role = steering.next_process()
    if not role:
        _start(self)
        return
    setattr(self, _ROLE, role)
    with steering.unannounced():
        _start(self)
    steering.know_process(self.pid, role)


def run(self: Any) -> None:  # noqa: ANN401 - a process
    """`Process.run`, in the new process, which is steered until it exits."""
    role = getattr(self, _ROLE, "")
    if role:
        steering.enter(role)
    _run(self)


def join(self: Any, timeout: float | None = None) -> None:  # noqa: ANN401 - a process
    """`Process.join`."""
    point("join")

    def attempt(seconds: float) -> bool:
        with steering.unannounced():
            _join(self, None if seconds < 0 else seconds)
            return self.exitcode is not None

    if not attempt(0) and timeout != 0:
        steering.contend(attempt, timeout)


def poll(self: Any, flag: int = os.WNOHANG) -> int | None:  # noqa: ANN401 - a process that was forked
    """`Popen.poll`, by which `is_alive` and `exitcode` ask."""
    if self.returncode is None and not _has_ended(self.pid):
        point("try")
    found: int | None = _poll(self, flag)
    return found


def _has_ended(pid: int) -> bool:
    """Whether a child's exit code can be seen; it stays to be seen."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def send_signal(self: Any, number: int) -> None:  # noqa: ANN401 - a process that was forked
    """`Popen._send_signal`: `terminate` and `kill`, also of one that is known to have ended."""
    if self.returncode is not None:
        point("signal")
    _send_signal(self, number)


def clean_up() -> None:
    """`multiprocessing.process._cleanup`: joins who has ended, which is no step of anybody's."""
    with steering.unannounced():
        _clean_up()


def leave(status: int) -> NoReturn:
    """`os._exit`."""
    point("exit")
    _exit(status)


def kill(pid: int, number: int, /) -> None:
    """`os.kill`."""
    steering.strike(pid, number, _kill)


def install() -> None:
    """Hook `multiprocessing` and `os.kill`."""
    for name, hook in {"_send": send, "_recv": recv, "close": close}.items():
        setattr(_Connection, name, hook)
    for name, hook in {"start": start, "run": run, "join": join}.items():
        setattr(_Process, name, hook)
    identity.give_stable_hash(_Process)
    for name, hook in {"poll": poll, "_send_signal": send_signal}.items():
        setattr(popen_fork.Popen, name, hook)
    vars(process)["_cleanup"] = clean_up
    vars(_multiprocessing)["SemLock"] = SemLock
    vars(connection)["wait"] = wait
    vars(os).update(kill=kill, _exit=leave)
