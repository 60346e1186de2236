"""The simulated `_queue`: `SimpleQueue` as the C primitive that it is, whose `put` may come from anywhere."""

from __future__ import annotations

import _queue
import sys
import types
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.simulated import kernel
from harness.arenas.simulated.thread_layer import Primitive, put_off

if TYPE_CHECKING:
    from harness.arenas.simulated.kernel import Kernel


class _Queue(Primitive):
    """`queue.SimpleQueue`: unbounded, first in, first out."""

    __slots__ = ("_items",)
    c_name = "_queue.SimpleQueue"

    def __init__(self) -> None:
        """Be empty."""
        super().__init__()
        self._items: deque[Any] = deque()

    def _renew(self) -> None:
        self._items.clear()

    def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 - as in C
        """Add an item; never waits."""
        del block, timeout
        k = kernel.running
        if k is None:
            self._items.append(item)
        elif not k.over and (self._epoch is k or self._lives_in(k)):
            k.point("put", self.serial)
            self._add(k, item)

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
        if not self._items and not block:
            k.current.spins += 1
            raise _queue.Empty
        return self._take(k, None if timeout is None else k.deadline(timeout))

    def get_nowait(self) -> Any:  # noqa: ANN401 - whatever was put
        """Take the oldest item, or raise `queue.Empty`."""
        return self.get(block=False)

    def _add(self, k: Kernel, item: object) -> None:
        raise NotImplementedError

    def _take(self, k: Kernel, deadline: int | None) -> Any:  # noqa: ANN401 - whatever was put
        raise NotImplementedError

    def empty(self) -> bool:
        """Whether nothing is in it at this moment."""
        return not self.qsize()

    def qsize(self) -> int:
        """How many items are in it at this moment."""
        k = kernel.running
        if k is not None and not k.over and (self._epoch is k or self._lives_in(k)):
            k.point("try", self.serial)
            k.current.spins += not self._items
        return len(self._items)

    def __class_getitem__(cls, item: object) -> types.GenericAlias:
        """Allow ``SimpleQueue[int]``."""
        return types.GenericAlias(cls, item)


class HandingQueue(_Queue):
    """As since 3.13: an item goes to the getter that has waited longest."""

    __slots__ = ("_handed",)

    def __init__(self) -> None:
        """Be empty."""
        super().__init__()
        self._handed: dict[int, Any] = {}  # items on their way to a getter, by its index

    def _add(self, k: Kernel, item: object) -> None:
        for task in self._waiters:
            if task.index not in self._handed and k.wake(task):
                self._handed[task.index] = item
                return
        self._items.append(item)

    def _take(self, k: Kernel, deadline: int | None) -> Any:  # noqa: ANN401 - whatever was put
        if self._items:
            return self._items.popleft()
        me = k.current
        in_time = k.block("get", self, self._waiters, deadline)
        self._waiters.remove(me)
        if not in_time:
            raise _queue.Empty
        return self._handed.pop(me.index)


class LockedQueue(_Queue):
    """As before 3.13: whoever comes first takes an item; the others wait for a lock.

    The lock is free at first. A getter that finds nothing takes it, and then waits for itself to be released,
    which a put does. One that is released, finds that others were quicker, and whose time is over by then,
    waits without a timeout: the remaining time is negative, and that means for ever.
    """

    __slots__ = ("_claimed", "_held")

    def __init__(self) -> None:
        """Be empty."""
        super().__init__()
        self._held = False
        self._claimed = False  # somebody may be waiting for the lock

    def _renew(self) -> None:
        super()._renew()
        self._held = self._claimed = False

    def _add(self, k: Kernel, item: object) -> None:
        self._items.append(item)
        self._release(k)

    def _release(self, k: Kernel) -> None:
        if self._claimed:
            self._claimed = self._held = False
            for task in self._waiters:
                if k.wake(task) and task.deadline is not None:
                    k.watch(task)

    def _take(self, k: Kernel, deadline: int | None) -> Any:  # noqa: ANN401 - whatever was put
        while not self._items:
            if not self._acquire(k, deadline):
                raise _queue.Empty
            self._claimed = True
            if deadline is not None and k.now > deadline:
                deadline = None
        item = self._items.popleft()
        self._release(k)
        return item

    def _acquire(self, k: Kernel, deadline: int | None) -> bool:
        me = k.current
        while self._held:
            in_time = k.block("get", self, self._waiters, deadline)
            self._waiters.remove(me)
            k.unwatch(me)
            if not in_time:
                return False
        self._held = True
        put_off(k, self._waiters)
        return True


SimpleQueue: Final = HandingQueue if sys.version_info >= (3, 13) else LockedQueue
SimpleQueue.__name__ = SimpleQueue.__qualname__ = "SimpleQueue"


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
