"""The simulated `_queue`: `SimpleQueue` as the C primitive that it is, whose `put` may come from anywhere."""

from __future__ import annotations

import _queue
import sys
import types
from collections import deque
from typing import Any, Final

from harness.arenas.simulated import kernel
from harness.arenas.simulated.thread_layer import Primitive

_HANDS_OVER: Final = sys.version_info >= (3, 13)
"""Since 3.13 an item goes to the getter that has waited longest; before, to whichever comes first."""


class SimpleQueue(Primitive):
    """`queue.SimpleQueue`: unbounded, first in, first out."""

    __slots__ = ("_handed", "_items")
    c_name = "_queue.SimpleQueue"

    def __init__(self) -> None:
        """Be empty."""
        super().__init__()
        self._items: deque[Any] = deque()
        self._handed: dict[int, Any] = {}  # items on their way to a getter, by its index

    def _renew(self) -> None:
        self._items.clear()
        self._handed.clear()

    def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 - as in C
        """Add an item; never waits."""
        del block, timeout
        k = kernel.running
        if k is None:
            self._items.append(item)
            return
        if k.over or (self._epoch is not k and not self._lives_in(k)):
            return
        k.point("put", self.serial)
        if _HANDS_OVER:
            for task in self._waiters:
                if task.index not in self._handed and k.wake(task):
                    self._handed[task.index] = item
                    return
            self._items.append(item)
            return
        self._items.append(item)
        for task in self._waiters:
            k.wake(task)

    def put_nowait(self, item: object) -> None:
        """Add an item."""
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ANN401, FBT001, FBT002 - as in C
        """Take the oldest item, waiting for one."""
        k = kernel.running
        if k is None or (self._epoch is not k and not self._lives_in(k)):
            if self._items:
                return self._items.popleft()
            raise _queue.Empty
        if block and timeout is not None:
            _check(timeout)
        k.point("get" if block else "try", self.serial)
        if self._items:
            return self._take(k)
        if not block:
            k.current.spins += 1
            raise _queue.Empty
        return self._wait(k, None if timeout is None else k.deadline(timeout))

    def _wait(self, k: kernel.Kernel, deadline: int | None) -> Any:  # noqa: ANN401 - whatever was put
        me = k.current
        while True:
            in_time = k.block("get", self, self._waiters, deadline)
            self._waiters.remove(me)
            if me.index in self._handed:
                return self._handed.pop(me.index)
            if not in_time:
                raise _queue.Empty
            if self._items:
                return self._take(k)

    def _take(self, k: kernel.Kernel) -> Any:  # noqa: ANN401 - whatever was put
        item = self._items.popleft()
        if not self._items and not _HANDS_OVER:
            for task in self._waiters:
                if task.state == "ready" and not task.timed_out:
                    k.rest(task)
        return item

    def get_nowait(self) -> Any:  # noqa: ANN401 - whatever was put
        """Take the oldest item, or raise `queue.Empty`."""
        return self.get(block=False)

    def empty(self) -> bool:
        """Whether nothing is in it at this moment."""
        return not self.qsize()

    def qsize(self) -> int:
        """How many items are in it at this moment."""
        k = kernel.running
        if k is not None and not k.over:
            k.point("try", self.serial)
            k.current.spins += not self._items
        return len(self._items)

    def __class_getitem__(cls, item: object) -> types.GenericAlias:
        """Allow ``SimpleQueue[int]``."""
        return types.GenericAlias(cls, item)


def _check(timeout: float) -> None:
    """Let a real queue judge a timeout: there is something in it, so it raises what it raises, or nothing."""
    queue: _queue.SimpleQueue[None] = _queue.SimpleQueue()
    queue.put(None)
    queue.get(timeout=timeout)


def make_module() -> types.ModuleType:
    """A module to be imported as `_queue`."""
    module = types.ModuleType("_queue")
    module.Empty = _queue.Empty  # type: ignore[attr-defined]  # a module is an open namespace
    module.SimpleQueue = SimpleQueue  # type: ignore[attr-defined]  # the same
    return module


def unknown_names() -> set[str]:
    """Names in this Python's `_queue` that nobody has thought about yet."""
    return {name for name in vars(_queue) if not name.startswith("__")} - {"Empty", "SimpleQueue"}
