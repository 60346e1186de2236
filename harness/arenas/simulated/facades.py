"""Modules of the standard library as the world shows them: time and processes are not real."""

from __future__ import annotations

import atexit
import errno
import gc
import itertools
import os
import signal
import time
import types
from typing import TYPE_CHECKING, Any, Final, NoReturn

from harness.arenas.simulated import kernel
from harness.arenas.simulated.virtual_time import EPOCH, SECOND, UPTIME

if TYPE_CHECKING:
    from collections.abc import Callable


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


def refusing(name: str) -> Callable[..., NoReturn]:
    """A function whose use is refused."""
    return lambda *_args, **_kwargs: refuse_use(name)


class Uncontrolled(BaseException):
    """The subject uses something that the simulated world cannot control; the message is one sentence."""


# Time.


def _now() -> int:
    k = kernel.running
    return 0 if k is None else k.glance()


def sleep(seconds: float, /) -> None:
    """`time.sleep`, in virtual time."""
    k = kernel.running
    if k is None:
        return
    if not isinstance(seconds, int | float) or not seconds >= 0:
        time.sleep(seconds)  # which raises what it raises
        seconds = float(seconds)
    k.point("sleep", 0)
    if seconds > 0:
        k.block("sleep", None, None, k.deadline(seconds))


def make_time() -> types.ModuleType:
    """`time`, by the virtual clock."""
    clocks: dict[str, Callable[..., Any]] = {}
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        clocks[name] = lambda: (UPTIME + _now()) / SECOND
        clocks[f"{name}_ns"] = lambda: UPTIME + _now()
    clocks["time"] = lambda: (EPOCH + _now()) / SECOND
    clocks["time_ns"] = lambda: EPOCH + _now()
    clocks["clock_gettime"] = lambda _clock: (UPTIME + _now()) / SECOND
    clocks["clock_gettime_ns"] = lambda _clock: UPTIME + _now()
    for name in ("gmtime", "localtime", "ctime"):
        clocks[name] = _of_now(getattr(time, name))
    return _like(time, sleep=sleep, **clocks)


def _of_now(function: Callable[[float], Any]) -> Callable[..., Any]:
    """A function of a time that is the present one unless it is given."""
    return lambda seconds=None: function((EPOCH + _now()) / SECOND if seconds is None else seconds)


# The system.


def _getpid() -> int:
    k = kernel.running
    return os.getpid() if k is None else k.current.process.pid


def _getppid() -> int:
    k = kernel.running
    if k is None:
        return os.getppid()
    parent = k.current.process.parent
    return k.client.pid - 1 if parent is None else 1 if parent.ended else parent.pid


def _exit(status: int) -> NoReturn:
    k = kernel.running
    if k is None:
        refuse("os._exit outside of a run")
    k.point("exit", 0)
    k.end_process(k.current.process, status & 0xFF)
    k.leave()
    raise AssertionError("a process that has ended goes on")


_IGNORED: Final = (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT)
_UNSIMULATED: Final = (signal.SIGINT, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


def _kill(pid: int, number: int, /) -> None:
    k = kernel.running
    victim = None if k is None else next((each for each in k.processes if each.pid == pid), None)
    # Somebody who has ended is there until their parent has been told.
    if k is None or victim is None or victim.exitcode is not None:
        raise ProcessLookupError(errno.ESRCH, "No such process")
    if number in _UNSIMULATED:
        refuse_use(signal.Signals(number).name)
    k.point("signal", 0)
    if victim.ended or not number or number in _IGNORED:
        return
    if victim is k.current.process:  # nothing comes after it
        k.end_process(victim, -number)
        k.leave()
    k.assassinate(victim, number)


_UNCONTROLLED: Final = (
    "abort", "eventfd", "execv", "execve", "execvp", "execvpe", "fork", "forkpty", "killpg",
    "mkfifo", "openpty", "pidfd_open", "pipe", "pipe2", "popen", "posix_spawn", "posix_spawnp",
    "spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe",
    "system", "wait", "wait3", "wait4", "waitid", "waitpid",
)  # fmt: skip
"""What starts processes, replaces them, waits for them, or can block where the world does not see it."""

PROCESSORS: Final = 2
"""How many the world has, on every machine."""


def make_os() -> types.ModuleType:
    """`os`, with simulated processes."""
    refused = {name: refusing(f"os.{name}") for name in _UNCONTROLLED if hasattr(os, name)}
    counting = [name for name in ("cpu_count", "process_cpu_count") if hasattr(os, name)]
    counts = {name: lambda: PROCESSORS for name in counting}
    return _like(
        os, getpid=_getpid, getppid=_getppid, _exit=_exit, kill=_kill, register_at_fork=_nothing,
        sched_getaffinity=lambda _pid: set(range(PROCESSORS)), **counts, **refused,
    )  # fmt: skip


def _nothing(*_args: object, **_kwargs: object) -> None:
    """For what has no effect in the world."""


_SIGNALLING: Final = (
    "alarm", "pause", "pidfd_send_signal", "pthread_kill", "raise_signal", "setitimer", "sigtimedwait",
    "sigwait", "sigwaitinfo",
)  # fmt: skip


def _handle(number: int, handler: Any, /) -> signal.Handlers:  # noqa: ANN401 - as `signal.signal`
    if number == signal.SIGTERM and handler != signal.SIG_DFL:
        refuse("a handler of SIGTERM cannot be simulated: who is terminated ends at once in this world")
    return signal.SIG_DFL  # the handlers of all others are never called, since nobody can send these


def make_signal() -> types.ModuleType:
    """`signal`, without signals: a kill is a decision, not a signal that is handled."""
    return _like(
        signal,
        signal=_handle,
        getsignal=lambda *_: signal.SIG_DFL,
        pthread_sigmask=lambda *_: set(),
        set_wakeup_fd=lambda *_, **__: -1,
        **{name: refusing(f"signal.{name}") for name in _SIGNALLING if hasattr(signal, name)},
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
