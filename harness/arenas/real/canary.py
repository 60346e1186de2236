"""An executor that is broken on purpose, to see before a run whether a fault would be noticed at all.

It starts a thread for each task. Its `submit` forgets keyword arguments, always; its futures look at their
state in `cancel` and change it a moment later, without a lock, which shows only if the task begins meanwhile.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class HastyFuture(Future[Any]):
    """A future that may be cancelled although its task has begun."""

    def cancel(self) -> bool:
        """Look, and then leap."""
        if self.running() or self.done():
            return self.cancelled()
        with self._condition:
            self._state = "CANCELLED"
            self._condition.notify_all()
        self._invoke_callbacks()  # type: ignore[attr-defined]  # not in typeshed
        return True


class Canary(Executor):
    """A thread per task; see the module for what is wrong with it."""

    def __init__(self, max_workers: int | None = None) -> None:  # noqa: ARG002 - pools are made with it
        """As many threads as there are tasks, whatever is asked for."""
        self._threads: list[threading.Thread] = []
        self._shut = False

    def submit(self, fn: Callable[..., Any], /, *args: object, **_: object) -> HastyFuture:
        """Run `fn` in a thread of its own, without its keyword arguments."""
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = HastyFuture()
        thread = threading.Thread(target=_run, args=(future, fn, args))
        thread.start()
        self._threads.append(thread)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as in PEP 3148
        """Nothing is ever queued, so there is nothing to be cancelled."""
        self._shut = True
        if wait:
            for thread in self._threads:
                thread.join()


def _run(future: HastyFuture, fn: Callable[..., Any], args: tuple[object, ...]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args)
    except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the future
        future.set_exception(error)
    else:
        future.set_result(result)
