"""Modules of the standard library as the world shows them: time and processes are not real."""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import signal
import time
import types
from typing import TYPE_CHECKING, Any, NoReturn

from harness.arenas.simulated import kernel
from harness.arenas.simulated.kernel import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = 1_700_000_000 * SECOND
"""What the wall clock of the world says at the beginning of a run."""


def _like(real: types.ModuleType, **changes: object) -> types.ModuleType:
    """A module with the names of a real one, some of them changed."""
    module = types.ModuleType(real.__name__, real.__doc__)
    vars(module).update({name: thing for name, thing in vars(real).items() if not _is_own(name)})
    vars(module).update(changes)
    return module


def _is_own(name: str) -> bool:
    return name in {"__builtins__", "__loader__", "__spec__", "__file__", "__cached__"}


def refuse(text: str) -> NoReturn:
    """Say that something cannot be used in the world: that ends the run, whatever the subject catches."""
    if kernel.running is not None:
        kernel.running.stop("uncontrolled", text)
    raise Uncontrolled(text)


def refuse_use(name: str) -> NoReturn:
    """Refuse the use of something."""
    refuse(f"{name} cannot be controlled by the simulated world")


def _refusing(name: str) -> Callable[..., NoReturn]:
    return lambda *_args, **_kwargs: refuse_use(name)


class Uncontrolled(BaseException):
    """The subject uses something that the simulated world cannot control; the message is one sentence."""


# Time.


def _now() -> int:
    k = kernel.running
    return 0 if k is None else k.now


def sleep(seconds: float, /) -> None:
    """`time.sleep`, in virtual time."""
    k = kernel.running
    if k is None:
        return
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    k.point("sleep", 0)
    if seconds > 0:
        k.block("sleep", None, None, k.deadline(seconds))


def make_time() -> types.ModuleType:
    """`time`, by the virtual clock."""
    clocks: dict[str, Callable[[], Any]] = {}
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        clocks[name] = lambda: _now() / SECOND
        clocks[f"{name}_ns"] = _now
    clocks["time"] = lambda: (EPOCH + _now()) / SECOND
    clocks["time_ns"] = lambda: EPOCH + _now()
    return _like(time, sleep=sleep, **clocks)


# The system.


def _getpid() -> int:
    k = kernel.running
    return os.getpid() if k is None else k.current.process.pid


def _getppid() -> int:
    k = kernel.running
    return os.getppid() if k is None else k.client.pid


def _exit(status: int) -> NoReturn:
    k = kernel.running
    if k is None:
        raise Uncontrolled("os._exit outside of a run")
    k.point("exit", 0)
    k.end_process(k.current.process, status)
    k.leave()
    raise AssertionError("a process that has ended goes on")


def _kill(pid: int, number: int, /) -> None:
    k = kernel.running
    victims = [] if k is None else [process for process in k.processes if process.pid == pid]
    if k is None or not victims:
        raise ProcessLookupError(3, "No such process")
    k.point("signal", 0)
    if victims[0].exitcode is None and number:
        k.assassinate(victims[0], number)


_FORKING = (
    "fork",
    "forkpty",
    "posix_spawn",
    "posix_spawnp",
    "popen",
    "system",
    "spawnv",
    "wait",
    "waitpid",
    "abort",
)


def make_os() -> types.ModuleType:
    """`os`, with simulated processes."""
    refused = {name: _refusing(f"os.{name}") for name in _FORKING if hasattr(os, name)}
    return _like(
        os, getpid=_getpid, getppid=_getppid, _exit=_exit, kill=_kill, register_at_fork=_nothing, **refused
    )


def _nothing(*_args: object, **_kwargs: object) -> None:
    """For what has no effect in the world."""


def make_signal() -> types.ModuleType:
    """`signal`, without signals: a kill is a decision, not a signal that is handled."""
    return _like(
        signal,
        signal=lambda *_: signal.SIG_DFL,
        getsignal=lambda *_: signal.SIG_DFL,
        pthread_sigmask=lambda *_: set(),
        set_wakeup_fd=lambda *_, **__: -1,
        alarm=_refusing("signal.alarm"),
        setitimer=_refusing("signal.setitimer"),
    )


def make_gc() -> types.ModuleType:
    """`gc`, which does nothing: collections happen between runs."""
    return _like(gc, collect=lambda *_: 0, enable=_nothing, disable=_nothing, set_threshold=_nothing)


def make_atexit() -> types.ModuleType:
    """`atexit`: a world does not end."""
    return _like(atexit, register=lambda function, *_args, **_kwargs: function, unregister=_nothing)


# Counting.


class Count:
    """`itertools.count`, which begins anew in each run if it was made when a module was imported."""

    made: list[Count] = []  # noqa: RUF012 - those of modules, for the world to wind back

    def __init__(self, start: Any = 0, step: Any = 1) -> None:  # noqa: ANN401 - any number
        """Begin to count."""
        self._start = self._next = start
        self._step = step
        if kernel.running is None:
            self.made.append(self)

    def __iter__(self) -> Count:
        """Return itself."""
        return self

    def __next__(self) -> Any:  # noqa: ANN401 - any number
        """The next number."""
        number = self._next
        self._next = number + self._step
        return number

    def wind_back(self) -> None:
        """Begin anew."""
        self._next = self._start


def make_itertools() -> types.ModuleType:
    """`itertools`, whose `count` can be wound back."""
    return _like(itertools, count=Count)
