"""What a process does before it ends: `multiprocessing.util`'s finalizers, its threads and its children."""

from __future__ import annotations

import contextlib
import itertools
import sys
import weakref
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.simulated import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Process, Task

THREADS_FIRST: Final = sys.version_info >= (3, 13)
"""Since 3.13 a process joins its threads before it runs its finalizers; before, afterwards."""

_numbers = itertools.count()  # only compared with each other


class Finalize:
    """`multiprocessing.util.Finalize`: calls back once: when told to, when its object goes, or at the end."""

    def __init__(
        self,
        obj: object,
        callback: Callable[..., object],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        exitpriority: int | None = None,
    ) -> None:
        """Wait for it.

        Raises:
            TypeError: the priority is no integer.
            ValueError: there is neither an object nor a priority.
        """
        if exitpriority is not None and not isinstance(exitpriority, int):
            raise TypeError(
                f"Exitpriority ({exitpriority!r}) must be None or int, not {type(exitpriority)!s}"
            )
        if obj is None and exitpriority is None:
            raise ValueError("Without object, exitpriority cannot be None")
        self._callback: Callable[..., object] | None = callback
        self._args = tuple(args)
        self._kwargs = dict(kwargs or {})
        self.priority = exitpriority
        self.number = next(_numbers)
        self._reference = None if obj is None else weakref.ref(obj, self)
        k = kernel.running
        self._registry: dict[Any, None] = {} if k is None else k.current.process.finalizers
        self._registry[self] = None

    def __call__(self, _reference: object = None) -> object:
        """Call back, the first time; returns what the callback does."""
        callback, args, kwargs = self._callback, self._args, self._kwargs
        self.cancel()
        return None if callback is None else callback(*args, **kwargs)

    def cancel(self) -> None:
        """Never call back."""
        self._callback, self._reference, self._args, self._kwargs = None, None, (), {}
        self._registry.pop(self, None)

    def still_active(self) -> bool:
        """Whether it has neither called back nor been cancelled."""
        return self._callback is not None

    def __hash__(self) -> int:
        """Its number, since addresses differ from run to run."""
        return self.number

    def __eq__(self, other: object) -> bool:
        """Be equal to itself."""
        return self is other


def finish(k: Kernel) -> None:
    """Finalizers of high priority, the end of the children, the other finalizers: `util._exit_function`."""
    process = k.current.process
    if process.is_exiting:
        return
    process.is_exiting = True
    _finalize(process, 0)
    for child in _children(process):
        if child.daemon:
            child.terminate()
    for child in _children(process):
        child.join()
    _finalize(process, None)


def _children(process: Process) -> list[Any]:
    return [child for child in process.children if child._popen.exitcode is None]  # noqa: SLF001 - without a step


def _finalize(process: Process, least: int | None) -> None:
    """Run what has a priority, and at least this one; the highest first, then the youngest."""
    due = [
        each for each in process.finalizers
        if each.priority is not None and (least is None or each.priority >= least)
    ]  # fmt: skip
    for each in sorted(due, key=lambda each: (each.priority, each.number), reverse=True):
        if each.still_active():
            with contextlib.suppress(Exception):  # which the real one prints
                each()


def join_threads(k: Kernel) -> None:
    """Wait for the threads of the current process that are not daemons: `threading._shutdown`."""
    me = k.current
    while True:
        others = [task for task in me.process.tasks if task is not me and not task.daemon]
        alive = next((task for task in others if task.state != "ended"), None)
        if alive is None:
            return
        _await_end(k, alive)


def _await_end(k: Kernel, task: Task) -> None:
    waiters: list[Task] = []
    task.at_end.append(lambda: [k.wake(each) for each in waiters])
    k.block("join", None, waiters, None)


def is_exiting() -> bool:
    """`multiprocessing.util.is_exiting`."""
    k = kernel.running
    return k is not None and k.current.process.is_exiting
