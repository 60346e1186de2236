"""The real C layer of threads, hooked: the same points, with the same names, as the simulated one has.

What is put into `threading` and `queue` here keeps a real lock or queue inside. A wait is first tried without
blocking; what cannot be done at once is done in turn, see `steering.contend`.
"""

from __future__ import annotations

import _queue
import _thread
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.steered import steering
from harness.arenas.steered.steering import point

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

_allocate: Final = _thread.allocate_lock
_allocate_reentrant: Final = _thread.RLock
_sleep: Final = time.sleep
_shutdown: Final[Any] = vars(threading)["_shutdown"]
_start_new_thread: Final = _thread.start_new_thread
_start_joinable: Final[Any] = getattr(_thread, "start_joinable_thread", None)
_handle: Final[Any] = getattr(_thread, "_ThreadHandle", None)
_set_sentinel: Final[Any] = getattr(_thread, "_set_sentinel", None)

_HANDS_OVER: Final = sys.version_info >= (3, 13)
"""Since 3.13 an item goes to the getter that has waited longest; before, to whichever comes first."""


def _birth() -> tuple[steering.Rider, int] | None:
    """Who makes something, and where on its way."""
    me = steering.rider()
    return None if me is None else (me, me.steps)


def _is_new(birth: tuple[steering.Rider, int] | None) -> bool:
    """Whether the current thread has done nothing since: what it made then is not known to anybody else."""
    return birth is not None and birth[0] is steering.rider() and birth[0].steps == birth[1]


class _Hooked:
    """A lock that keeps a real one inside."""

    __slots__ = ("__weakref__", "_born", "_inner", "_triers")

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - a real lock
        """Stand for a real lock."""
        self._inner = inner
        self._born = _birth()
        self._triers = 0  # how many are about to look at it without waiting for it, or not for long

    def _announce(self, blocking: bool, timeout: float) -> None:  # noqa: FBT001 - as in C
        """The point of whoever wants to take it."""
        if not _is_new(self._born):
            if blocking and timeout == -1:
                point("acquire")
            else:
                self._glance("acquire" if blocking else "try")

    def _glance(self, op: str = "try") -> None:
        """The point of whoever can see whether somebody has it, and before whom a release has a point."""
        self._triers += 1
        point(op)
        self._triers -= 1

    def _attempt(self, seconds: float) -> bool:
        return bool(self._inner.acquire(True, seconds))  # noqa: FBT003 - as in C

    def _at_fork_reinit(self) -> None:
        self._inner._at_fork_reinit()  # noqa: SLF001 - it stands for this one

    def __repr__(self) -> str:
        """As the real one."""
        return repr(self._inner)


class Lock(_Hooked):
    """`_thread.lock`."""

    __slots__ = ()

    def __init__(self, inner: Any = None) -> None:  # noqa: ANN401 - a real lock
        """Be free, or stand for a real lock."""
        super().__init__(_allocate() if inner is None else inner)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as in C
        """Take it; see `threading.Lock.acquire`."""
        self._announce(blocking, timeout)
        if not blocking or (timeout <= 0 and timeout != -1):
            return bool(self._inner.acquire(blocking, timeout))
        return bool(self._inner.acquire(False)) or steering.contend(  # noqa: FBT003 - as in C
            self._attempt, None if timeout == -1 else timeout
        )

    def _attempt(self, seconds: float) -> bool:
        return bool(self._inner.acquire(True, seconds))  # noqa: FBT003 - the same

    def release(self) -> None:
        """Let go of it; see `threading.Lock.release`."""
        if self._triers:
            point("release")
        self._inner.release()
        point("released")

    def locked(self) -> bool:
        """Whether somebody has it."""
        self._glance()
        return bool(self._inner.locked())

    __enter__ = acquire
    acquire_lock = acquire
    release_lock = release
    locked_lock = locked

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self.release()


class RLock(_Hooked):
    """`_thread.RLock`."""

    __slots__ = ()

    def __init__(self, inner: Any = None) -> None:  # noqa: ANN401 - a real lock
        """Be free, or stand for a real lock."""
        super().__init__(_allocate_reentrant() if inner is None else inner)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as in C
        """Take it; see `threading.RLock.acquire`."""
        if self._inner._is_owned():  # noqa: SLF001 - it stands for this one
            return bool(self._inner.acquire(blocking, timeout))
        self._announce(blocking, timeout)
        if not blocking or (timeout <= 0 and timeout != -1):
            return bool(self._inner.acquire(blocking, timeout))
        return bool(self._inner.acquire(False)) or steering.contend(  # noqa: FBT003 - as in C
            self._attempt, None if timeout == -1 else timeout
        )

    def release(self) -> None:
        """Let go of it once; see `threading.RLock.release`."""
        if self._triers and self._inner._is_owned():  # noqa: SLF001 - it stands for this one
            point("release")
        self._inner.release()
        if not self._inner._is_owned():  # noqa: SLF001 - it stands for this one
            point("released")

    def locked(self) -> bool:
        """Whether somebody has it (3.14)."""
        self._glance()
        return bool(self._inner.locked())

    # What `threading.Condition` uses.

    def _is_owned(self) -> bool:
        return bool(self._inner._is_owned())  # noqa: SLF001 - it stands for this one

    def _recursion_count(self) -> int:
        return int(self._inner._recursion_count())  # noqa: SLF001 - the same

    def _release_save(self) -> Any:  # noqa: ANN401 - what the real one gives
        state = self._inner._release_save()  # noqa: SLF001 - the same
        point("released")
        return state

    def _acquire_restore(self, state: tuple[int, int]) -> None:
        point("acquire")
        if not self._inner.acquire(False):  # noqa: FBT003 - as in C
            steering.contend(self._attempt, None)
        for _ in range(state[0] - 1):
            self._inner.acquire()

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self.release()


class SimpleQueue(_queue.SimpleQueue):  # type: ignore[type-arg]  # of whatever is put
    """`queue.SimpleQueue`."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ANN401, FBT001, FBT002 - as in C
        """Add an item; never waits."""
        point("put")
        super().put(item, block, timeout)

    def put_nowait(self, item: Any) -> None:  # noqa: ANN401 - as in C
        """Add an item."""
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ANN401, FBT001, FBT002 - as in C
        """Take the oldest item, waiting for one."""
        if block and timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        point("get" if block else "try")
        try:
            return super().get(False)
        except _queue.Empty:
            if not block or timeout == 0:
                raise
        if not _HANDS_OVER:
            return self._contend(timeout)
        with steering.blocked():
            return super().get(True, timeout)

    def _contend(self, timeout: float | None) -> Any:  # noqa: ANN401 - as in C
        found: list[Any] = []

        def attempt(seconds: float) -> bool:
            try:
                found.append(super(SimpleQueue, self).get(True, None if seconds < 0 else seconds))
            except _queue.Empty:
                return False
            return True

        if not steering.contend(attempt, timeout):
            raise _queue.Empty
        return found[0]

    def get_nowait(self) -> Any:  # noqa: ANN401 - as in C
        """Take the oldest item, or raise `queue.Empty`."""
        return self.get(block=False)

    def qsize(self) -> int:
        """How many items are in it at this moment."""
        point("try")
        return super().qsize()

    def empty(self) -> bool:
        """Whether nothing is in it at this moment."""
        return not self.qsize()


class ThreadHandle:
    """`_thread._ThreadHandle` (3.13)."""

    def __init__(self) -> None:
        """Stand for a thread that has not started."""
        self.inner = _handle()

    def is_done(self) -> bool:
        """Whether the thread has ended."""
        point("try")
        return bool(self.inner.is_done())

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end."""
        point("join")
        if not self.inner.is_done():
            steering.contend(self._attempt, None if timeout is None or timeout < 0 else timeout)
        if self.inner.is_done():
            self.inner.join()

    def _attempt(self, seconds: float) -> bool:
        self.inner.join(seconds)
        return bool(self.inner.is_done())

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the real one has it
        """Everything else is as it is."""
        return getattr(self.inner, name)


def start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
) -> int:
    """`_thread.start_new_thread`."""
    return _start_new_thread(steering.riding(function), args, kwargs or {})


def start_joinable_thread(
    function: Callable[[], object],
    handle: ThreadHandle | None = None,
    daemon: bool = True,  # noqa: FBT001, FBT002 - as in C
) -> ThreadHandle:
    """`_thread.start_joinable_thread` (3.13)."""
    handle = ThreadHandle() if handle is None else handle
    _start_joinable(steering.riding(function), handle=handle.inner, daemon=daemon)
    return handle


def set_sentinel() -> Lock:
    """`_thread._set_sentinel` (to 3.12): a lock that is released when the current thread ends."""
    return Lock(_set_sentinel())


def sleep(seconds: float, /) -> None:
    """`time.sleep`."""
    point("sleep")
    _sleep(seconds)


_REAL: Final = (type(_allocate()), _allocate_reentrant)


def shutdown() -> None:
    """`threading._shutdown`, with which a worker process waits for its threads."""
    with steering.blocked():
        _shutdown()


def install() -> None:
    """Hook `threading`, and what asks it for locks from now on; those it has made for itself, too."""
    changes: dict[str, Any] = {
        "Lock": Lock, "_LockType": Lock, "_allocate_lock": Lock, "_CRLock": RLock,
        "_ThreadHandle": ThreadHandle, "_set_sentinel": set_sentinel, "_shutdown": shutdown,
        "_start_joinable_thread": start_joinable_thread, "_start_new_thread": start_new_thread,
    }  # fmt: skip
    for name, thing in changes.items():
        if hasattr(threading, name):
            setattr(threading, name, thing)
    for name, thing in vars(threading).items():
        if isinstance(thing, _REAL):
            setattr(threading, name, (Lock if isinstance(thing, _REAL[0]) else RLock)(thing))
    vars(time)["sleep"] = sleep


def hook_queue(module: types.ModuleType) -> None:
    """Hook `queue`, once it is loaded."""
    module.SimpleQueue = SimpleQueue  # type: ignore[attr-defined]  # a module is an open namespace
