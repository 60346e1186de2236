"""The real C layer of processes, hooked: pipes, semaphores, processes and kills, for workers that are forked.

The functions that are put into `multiprocessing` announce what they do under the names that the simulated
world uses, and then call those that were there before.
"""

from __future__ import annotations

import functools
import os
from multiprocessing import connection, process, synchronize
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.steered import steering
from harness.arenas.steered.steering import point

if TYPE_CHECKING:
    from collections.abc import Sequence

_kill: Final = os.kill
_wait: Final = connection.wait
_Connection: Final[Any] = connection.Connection
_close: Final = _Connection.close
_send: Final = _Connection._send  # noqa: SLF001 - a message is sent in pieces, each with a point of its own
_recv: Final = _Connection._recv  # noqa: SLF001 - the same
_Process: Final[Any] = process.BaseProcess
_start: Final = _Process.start
_run: Final = _Process.run
_join: Final = _Process.join
_is_alive: Final = _Process.is_alive
_ROLE: Final = "_steered_role"


# Pipes.


def send(self: Any, buf: Any, *rest: Any) -> None:  # noqa: ANN401 - a connection, and any buffer
    """Write one piece."""
    point("write")
    _send(self, buf, *rest)


def recv(self: Any, size: int, *rest: Any) -> Any:  # noqa: ANN401 - a connection; what it gives
    """Read one piece; one of no bytes need not come."""
    if size:
        point("read")
        _await_one(self, None)
    return _recv(self, size, *rest)


def poll(self: Any, timeout: float | None = 0.0) -> bool:  # noqa: ANN401 - a connection
    """Whether there is something to read."""
    point("poll" if timeout != 0 else "try")
    self._check_closed()
    self._check_readable()
    return _await_one(self, timeout)


def close(self: Any) -> None:  # noqa: ANN401 - a connection
    """Close this end."""
    if not self.closed:
        point("close")
    _close(self)


def wait(object_list: Sequence[Any], timeout: float | None = None) -> list[Any]:
    """`multiprocessing.connection.wait`."""
    point("wait")
    things = list(object_list)
    return _await(things, timeout)


def _await_one(end: Any, timeout: float | None) -> bool:  # noqa: ANN401 - a connection
    return bool(_await([end], timeout))


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


def acquire(inner: Any, block: bool = True, timeout: float | None = None) -> bool:  # noqa: ANN401, FBT001, FBT002 - as in C
    """Count down, waiting while the value is nought."""
    point("acquire" if block else "try")
    if inner.acquire(False):  # noqa: FBT003 - as in C
        return True
    if not block or (timeout is not None and timeout <= 0):
        return False
    return steering.contend(
        lambda seconds: bool(inner.acquire(True, None if seconds < 0 else seconds)),  # noqa: FBT003 - as in C
        timeout,
    )


def release(inner: Any) -> None:  # noqa: ANN401 - a real semaphore
    """Count up."""
    inner.release()
    point("released")


def make_methods(self: Any) -> None:  # noqa: ANN401 - a `multiprocessing` semaphore
    """`SemLock._make_methods`."""
    self.acquire = functools.partial(acquire, self._semlock)
    self.release = functools.partial(release, self._semlock)


def enter_semaphore(self: Any) -> bool:  # noqa: ANN401 - as above
    """`SemLock.__enter__`."""
    return bool(self.acquire())


def leave_semaphore(self: Any, *_: object) -> None:  # noqa: ANN401 - as above
    """`SemLock.__exit__`."""
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
    """`Process.run`, in the new process."""
    role = getattr(self, _ROLE, "")
    if not role:
        _run(self)
        return
    steering.enter(role)
    try:
        _run(self)
    finally:
        steering.leave()


def join(self: Any, timeout: float | None = None) -> None:  # noqa: ANN401 - a process
    """`Process.join`."""
    point("join")

    def attempt(seconds: float) -> bool:
        with steering.unannounced():
            _join(self, None if seconds < 0 else seconds)
            return self.exitcode is not None

    if not attempt(0) and timeout != 0:
        steering.contend(attempt, timeout)


def is_alive(self: Any) -> bool:  # noqa: ANN401 - a process
    """`Process.is_alive`."""
    point("try")
    with steering.unannounced():
        return bool(_is_alive(self))


def kill(pid: int, number: int, /) -> None:
    """`os.kill`."""
    steering.strike(pid, number, _kill)


def install() -> None:
    """Hook `multiprocessing` and `os.kill`."""
    for name, hook in {"_send": send, "_recv": recv, "poll": poll, "close": close}.items():
        setattr(_Connection, name, hook)
    for name, hook in {"start": start, "run": run, "join": join, "is_alive": is_alive}.items():
        setattr(_Process, name, hook)
    semaphore: Any = synchronize.SemLock
    semaphore._make_methods = make_methods  # noqa: SLF001 - where a semaphore gets its methods
    semaphore.__enter__ = enter_semaphore
    semaphore.__exit__ = leave_semaphore
    connection.wait = wait  # type: ignore[assignment]  # the annotation of the real one is wider
    os.kill = kill
