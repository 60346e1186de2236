"""Process pools that break one promise each about workers that get a signal and do not die of it."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from typing import Any

from tests.mutants.deaths import WorkerPool
from tests.mutants.mutant import Mutant


def kill_when_stopped(pid: int) -> None:
    """Wait until a worker stops or ends, and kill it if it has stopped."""
    try:
        told = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if told is not None and told.si_code == os.CLD_STOPPED:
            os.kill(pid, signal.SIGKILL)
    except (ChildProcessError, ProcessLookupError):  # somebody else has heard of its end
        return


class Brk09(WorkerPool):
    """A worker that is stopped is taken for dead."""

    def _spawn_process(self) -> None:
        """Start a worker, and watch it."""
        known = set(self._processes)
        super()._spawn_process()  # type: ignore[misc]  # the stubs do not mention it
        for pid in set(self._processes) - known:
            threading.Thread(target=kill_when_stopped, args=(pid,), daemon=True).start()


class Brk13(WorkerPool):
    """A worker that gets SIGINT dies of it, whatever it does."""

    def __init__(self, max_workers: int | None = None, mp_context: Any = None, **options: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool whose workers do not handle the signal."""
        options.setdefault("initializer", partial(signal.signal, signal.SIGINT, signal.SIG_DFL))
        super().__init__(max_workers, mp_context, **options)


MUTANTS: tuple[Mutant, ...] = tuple(
    Mutant.of(rule, broken, kind="process") for rule, broken in (("BRK-09", Brk09), ("BRK-13", Brk13))
)
