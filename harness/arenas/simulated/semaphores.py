"""The simulated `_multiprocessing`: semaphores, for the private copy of `multiprocessing.synchronize`."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.simulated import kernel
from harness.arenas.simulated.facades import refusing
from harness.arenas.simulated.thread_layer import Primitive

if TYPE_CHECKING:
    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Process, Task

SEM_VALUE_MAX: Final = 2**31 - 1
_RECURSIVE_MUTEX: Final = 0


class SemLock(Primitive):
    """`_multiprocessing.SemLock`: a semaphore that processes share, and what each of them knows of it.

    A process that dies takes what it had to its grave.
    """

    __slots__ = ("_shares", "_value", "kind", "maxvalue", "name")

    SEM_VALUE_MAX = SEM_VALUE_MAX
    c_name = "_multiprocessing.SemLock"

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:  # noqa: FBT001 - as in C
        """Start with a value, and a bound on it."""
        super().__init__()
        del name, unlink
        self.kind = kind
        self.maxvalue = maxvalue
        self.name: str | None = None  # nothing that would have to be cleaned up
        self._value = value
        self._shares: dict[Process, tuple[int, Task]] = {}  # how often a process has it, and who was the last

    @property
    def handle(self) -> int:
        """A number to find it by in a process that is being started."""
        k = kernel.running
        return 0 if k is None else k.leave_luggage(self)

    @staticmethod
    def _rebuild(handle: int, _kind: int, _maxvalue: int, _name: str | None) -> SemLock:
        k = kernel.running
        assert k is not None  # noqa: S101 - for mypy: processes start in a run only
        found: SemLock = k.luggage[handle]
        return found

    # Counting down and up.

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:  # noqa: FBT001, FBT002 - as in C
        """Count down, waiting while the value is nought."""
        k = kernel.running
        if k is None or (self._epoch is not k and not self._lives_in(k)):
            return True
        if self.kind == _RECURSIVE_MUTEX and self._is_mine():
            self._note(k, 1)
            return True
        deadline = None if timeout is None else k.deadline(max(0.0, _as_float(timeout)))
        k.point("acquire" if block else "try", self.serial)
        me = k.current
        while not self._value:
            if not block or (timeout is not None and timeout <= 0):
                me.spins += 1
                return False
            in_time = k.block("acquire", self, self._waiters, deadline)
            self._waiters.remove(me)
            if not in_time:
                return False
        self._take(k)
        return True

    def _take(self, k: Kernel) -> None:
        self._value -= 1
        self.holder = k.current
        self._note(k, 1)
        if not self._value:
            for task in self._waiters:
                if task.state == "ready" and not task.timed_out:
                    k.rest(task)

    def release(self) -> None:
        """Count up.

        The choice point comes first: a process may be killed when all that it had the lock for is done.
        """
        k = kernel.running
        if k is None or k.over or (self._epoch is not k and not self._lives_in(k)):
            return
        if self.kind == _RECURSIVE_MUTEX:
            if not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self._count() > 1:
                self._note(k, -1)
                return
        k.point("release", self.serial)
        if self._value >= self.maxvalue:
            raise ValueError("semaphore or lock released too many times")
        self._value += 1
        self._note(k, -1)
        for task in self._waiters:
            k.wake(task)

    def __enter__(self) -> bool:
        """Count down."""
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        """Count up."""
        self.release()

    # What `multiprocessing.synchronize` asks.

    def _note(self, k: Kernel, change: int) -> None:
        me = k.current
        count, last = self._shares.get(me.process, (0, me))
        self._shares[me.process] = (count + change, me if change > 0 else last)

    def _count(self) -> int:
        k = kernel.running
        return 0 if k is None else self._shares.get(k.current.process, (0, None))[0]

    def _is_mine(self) -> bool:
        k = kernel.running
        count, last = (0, None) if k is None else self._shares.get(k.current.process, (0, None))
        return count > 0 and k is not None and last is k.current

    def _get_value(self) -> int:
        return self._value

    def _is_zero(self) -> bool:
        return not self._value

    def _after_fork(self) -> None:
        """Every process has a share of its own."""


def _as_float(timeout: Any) -> float:  # noqa: ANN401 - whatever was given
    if not hasattr(timeout, "__float__") and not hasattr(timeout, "__index__"):
        raise TypeError(f"must be real number, not {type(timeout).__name__}")
    return float(timeout)


def make_module() -> types.ModuleType:
    """A module to be imported as `_multiprocessing`."""
    module = types.ModuleType("_multiprocessing")
    vars(module).update(SemLock=SemLock, sem_unlink=refusing("_multiprocessing.sem_unlink"), flags={})
    return module
