"""The simulated `_thread`: locks, threads and thread-local data, for the private copy of `threading`."""

from __future__ import annotations

import _thread
import itertools
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self, SupportsIndex

from harness.arenas.real.starvation import error_of
from harness.arenas.simulated import kernel
from harness.arenas.simulated.backends import Over
from harness.arenas.simulated.facades import refusing

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Process, Task

MAIN_IDENT: Final = 1


class Primitive:
    """An object of the C layer that operations name by its number.

    One that was made in a run lives in that run only: a finaliser that comes late, in a later run, finds it
    dead. One that was made outside of a run, when a module was imported, is *eternal*: it is as new at the
    beginning of each run.
    """

    __slots__ = (
        "__weakref__", "_born", "_epoch", "_eternal", "_hash", "_home", "_triers", "_waiters",
        "holder", "serial",
    )  # fmt: skip

    c_name: ClassVar[str] = ""  # what error messages call its type

    def __init__(self) -> None:
        """Belong to the run in progress, if there is one."""
        k = kernel.running
        self._waiters: list[Task] = []
        self.holder: Task | None = None  # who has it, or was the last to take it: for reports
        self._epoch = k
        self._eternal = k is None
        self._home = None if k is None else k.current.process  # the process that it was made in
        self.serial = 0 if k is None else k.serial()
        self._born = -1 if k is None else len(k.log)
        self._triers = 0  # tasks that are about to look at it without waiting for it, or not for long
        self._hash = self.serial  # the same for all eternal ones: sets of them keep the order of insertion

    def __hash__(self) -> int:
        """A number, since addresses differ from run to run."""
        return self._hash

    def _lives_in(self, k: Kernel) -> bool:
        """Whether it takes part in this run; an eternal one does, as it was after the import."""
        if self._epoch is k:
            return True
        if not self._eternal:
            return False
        self._epoch = k
        self.serial = k.serial()
        self._home = k.client
        self._waiters = []
        self._renew()
        return True

    def _renew(self) -> None:
        """Be as after the import."""

    def _borrow(self, process: Process) -> None:
        """It was taken by another process than that which made it.

        Processes of the world share modules and other objects, and with them locks of which in truth each
        has a copy. What a process took of them comes back when it ends: nobody else could have missed it.
        """
        process.borrowed.append(self)

    def give_back(self, k: Kernel, process: Process) -> None:
        """Be as free as if that process had never had it."""

    def _glance(self, k: Kernel, op: str = "try") -> None:
        """The choice point of a task that looks at it without waiting for it, or not for long.

        A choice point before each release would cost much and show nothing but that somebody has it. It is
        there for those who can see that: as long as one stands here.
        """
        self._triers += 1
        k.point(op, self.serial)
        self._triers -= 1

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Refuse to be pickled or copied, as the C type does."""
        raise TypeError(f"cannot pickle {self.c_name or type(self).__name__!r} object")


def put_off(k: Kernel, waiters: list[Task]) -> None:
    """Something was taken: whoever was woken for it waits on, unless its time is over."""
    for task in waiters:
        if task.state == "ready" and not task.timed_out:
            k.rest(task)


def deadline_of(k: Kernel, timeout: float) -> int | None:
    """The deadline of a C-level timeout, of which -1 means none."""
    return None if timeout < 0 else k.deadline(timeout)


class Lock(Primitive):
    """`_thread.lock`. Any task may take it when it is free; there is no queue."""

    __slots__ = ("_held", "_initially")
    c_name = "_thread.lock"

    def __init__(self) -> None:
        """Be free."""
        super().__init__()
        self._held = self._initially = False

    def _renew(self) -> None:
        self._held = self._initially

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as in C
        """Take it; see `threading.Lock.acquire`."""
        k = kernel.running
        if k is None:
            return self._acquire_outside(blocking)
        if self._epoch is not k and not self._lives_in(k):
            return True
        if timeout != -1:
            _check(blocking, timeout)
        if k.over:
            k.unwind()
        # A lock that its maker takes at once is not known to anybody else yet.
        elif self._born != len(k.log):
            if blocking and timeout == -1:
                k.point("acquire", self.serial)
            else:
                self._glance(k, "acquire" if blocking else "try")
        if not self._held:
            self._held = True
            me = self.holder = k.current
            if self._waiters:
                put_off(k, self._waiters)
            if me.process is not self._home:
                self._borrow(me.process)
            return True
        return (bool(blocking and timeout) and self._wait(k, deadline_of(k, timeout))) or _failed(k)

    def _wait(self, k: Kernel, deadline: int | None) -> bool:
        me = k.current
        while self._held:
            in_time = k.block("acquire", self, self._waiters, deadline)
            self._waiters.remove(me)
            if not in_time:
                return False
        self._held = True
        self.holder = me
        put_off(k, self._waiters)
        if me.process is not self._home:
            self._borrow(me.process)
        return True

    def _acquire_outside(self, blocking: bool) -> bool:  # noqa: FBT001 - as above
        if self._held and not blocking:
            return False
        if self._held:
            raise RuntimeError("a lock that is held is waited for outside of a run")
        self._held = self._initially = True
        return True

    def __exit__(self, *_: object) -> None:
        """Let go of it. Nearly every release comes this way: so it has no other function to call."""
        k = kernel.running
        if k is None:
            self._held = self._initially = False
            return
        if self._epoch is not k and not self._lives_in(k):
            return
        if self._triers and not k.over:
            k.point("release", self.serial)
        if not self._held:
            raise RuntimeError("release unlocked lock")
        if self._waiters or k.touched is not None:
            self.let_go(k)
        else:
            self._held = False
        if not k.over:
            k.point("released", 0)

    def let_go(self, k: Kernel) -> None:
        """Be free, and let whoever waits try again."""
        self._held = False
        k.touch(self.serial)
        for task in self._waiters:
            k.wake(task)

    def give_back(self, k: Kernel, process: Process) -> None:
        """Be as free as if that process had never had it."""
        if self._held and self.holder is not None and self.holder.process is process:
            self.let_go(k)

    def locked(self) -> bool:
        """Whether somebody has it."""
        k = kernel.running
        if k is not None and not k.over and (self._epoch is k or self._lives_in(k)):
            self._glance(k)
            k.current.spins += self._held
        return self._held

    def _at_fork_reinit(self) -> None:
        self._held = False

    def release(self) -> None:
        """Let go of it; see `threading.Lock.release`."""
        self.__exit__()

    __enter__ = acquire
    acquire_lock = acquire
    release_lock = release
    locked_lock = locked

    def __repr__(self) -> str:
        """Say whether it is held; without an address, since those differ from run to run."""
        return f"<{'locked' if self._held else 'unlocked'} _thread.lock object>"


Lock.__name__ = Lock.__qualname__ = "lock"


class RLock(Primitive):
    """`_thread.RLock`: its owner may take it again."""

    __slots__ = ("_count", "_owner")
    c_name = "_thread.RLock"

    def __init__(self) -> None:
        """Be free."""
        super().__init__()
        self._owner: Task | None = None
        self._count = 0

    def _renew(self) -> None:
        self._owner, self._count = None, 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as in C
        """Take it; see `threading.RLock.acquire`."""
        k = kernel.running
        if k is None or (self._epoch is not k and not self._lives_in(k)):
            return True
        if timeout != -1:
            _check(blocking, timeout)
        me = k.current
        if self._owner is me:
            if k.over:
                raise Over
            self._count += 1
            return True
        if self._born == len(k.log):
            if k.over:
                raise Over
        elif blocking and timeout == -1:
            k.point("acquire", self.serial)
        else:
            self._glance(k, "acquire" if blocking else "try")
        if self._owner is None:
            self._take(k, me, 1)
            return True
        return (bool(blocking and timeout) and self._wait(k, me, 1, deadline_of(k, timeout))) or _failed(k)

    def _wait(self, k: Kernel, me: Task, count: int, deadline: int | None) -> bool:
        while self._owner is not None:
            in_time = k.block("acquire", self, self._waiters, deadline)
            self._waiters.remove(me)
            if not in_time:
                return False
        self._take(k, me, count)
        return True

    def _take(self, k: Kernel, me: Task, count: int) -> None:
        self._owner = self.holder = me
        self._count = count
        if self._waiters:
            put_off(k, self._waiters)
        if me.process is not self._home:
            self._borrow(me.process)

    def __exit__(self, *_: object) -> None:
        """Let go of it once; as for a lock, nearly every release comes this way."""
        k = kernel.running
        if k is None or (self._epoch is not k and not self._lives_in(k)):
            return
        if self._owner is not k.current:
            if k.over:
                return
            raise RuntimeError("cannot release un-acquired lock")
        if self._triers and self._count == 1 and not k.over:
            k.point("release", self.serial)
        self._count -= 1
        if not self._count:
            if self._waiters or k.touched is not None:
                self._let_go(k)
            else:
                self._owner = None
            if not k.over:
                k.point("released", 0)

    def release(self) -> None:
        """Let go of it once; see `threading.RLock.release`."""
        self.__exit__()

    def _let_go(self, k: Kernel) -> None:
        self._owner = None
        k.touch(self.serial)
        for task in self._waiters:
            k.wake(task)

    def give_back(self, k: Kernel, process: Process) -> None:
        """Be as free as if that process had never had it."""
        if self._owner is not None and self._owner.process is process:
            self._count = 0
            self._let_go(k)

    if hasattr(_thread.RLock, "locked"):

        def locked(self) -> bool:
            """Whether somebody has it (3.14)."""
            k = kernel.running
            if k is not None and not k.over and (self._epoch is k or self._lives_in(k)):
                self._glance(k)
                k.current.spins += self._owner is not None
            return self._owner is not None

    # What `threading.Condition` uses.

    def _is_owned(self) -> bool:
        k = kernel.running
        return k is None or self._owner is k.current

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> tuple[int, int]:
        k = kernel.running
        if k is None or k.over:
            return (1, 0)
        if self._owner is not k.current:
            raise RuntimeError("cannot release un-acquired lock")
        count = self._count
        self._let_go(k)
        k.point("released", 0)
        return (count, 0)

    def _acquire_restore(self, state: tuple[int, int]) -> None:
        k = kernel.running
        if k is None or k.over:
            return
        k.point("acquire", self.serial)
        if self._owner is None:
            self._take(k, k.current, state[0])
        else:
            self._wait(k, k.current, state[0], None)

    def _at_fork_reinit(self) -> None:
        self._owner, self._count = None, 0

    __enter__ = acquire

    def __repr__(self) -> str:
        """Say whether it is held; without an address, since those differ from run to run."""
        return f"<{'unlocked' if self._owner is None else 'locked'} _thread.RLock object count={self._count}>"


def _check(blocking: bool, timeout: float) -> None:  # noqa: FBT001 - as the caller has it
    """Let a real lock judge the arguments: it is free, so it raises what this Python raises, or nothing."""
    _thread.allocate_lock().acquire(blocking, timeout)


def _failed(k: Kernel) -> bool:
    k.current.spins += 1
    return False


@dataclass(frozen=True, slots=True)
class _Making:
    """How a `Local` was made: whoever touches it for the first time makes it again."""

    number: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outside: dict[str, Any] | None  # its attributes outside of a run, if it was made there


_numbers = itertools.count()  # only told apart by: an address may be used again


class Local:
    """`_thread._local`: every task sees attributes of its own.

    As `_threading_local` does it, the attributes of the current task are put in place before each access,
    and the usual machinery does the rest.
    """

    __slots__ = ("__dict__", "__weakref__", "_making")

    _making: _Making

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401 - what subclasses take
        """Remember the arguments for the tasks to come.

        Raises:
            TypeError: there are some, and no `__init__` to take them.
        """
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        self = object.__new__(cls)
        k = kernel.running
        making = _Making(next(_numbers), args, kwargs, {} if k is None else None)
        object.__setattr__(self, "_making", making)
        if k is not None:
            k.current.locals[making.number] = {}  # its `__init__` comes of itself
        return self

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - whatever was put there
        """Look among the current task's own attributes."""
        _put_in_place(self)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set it for the current task."""
        _refuse_dict(self, name)
        _put_in_place(self)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        """Delete it for the current task."""
        _refuse_dict(self, name)
        _put_in_place(self)
        object.__delattr__(self, name)

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Refuse to be pickled or copied, as the C type does."""
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


Local.__name__ = "_thread._local"  # for error messages


def _refuse_dict(local: Local, name: str) -> None:
    if name == "__dict__":
        raise AttributeError(f"{type(local).__name__!r} object attribute '__dict__' is read-only")


def _put_in_place(local: Local) -> None:
    making: _Making = object.__getattribute__(local, "_making")
    k = kernel.running
    if k is None:
        own = making.outside
    else:
        own = k.current.locals.get(making.number)
        if own is None:
            return _make_again(local, making, k)
    object.__setattr__(local, "__dict__", {} if own is None else own)
    return None


def _make_again(local: Local, making: _Making, k: Kernel) -> None:
    """A task touches it for the first time. For the main one, what was set at the import is there."""
    imported = making.outside if k.current is k.tasks[0] else None
    own = k.current.locals[making.number] = dict(imported or {})
    object.__setattr__(local, "__dict__", own)
    if imported is None and type(local).__init__ is not object.__init__:
        type(local).__init__(local, *making.args, **making.kwargs)
        _put_in_place(local)


class ThreadHandle(Primitive):
    """`_thread._ThreadHandle` (3.13): how `threading.Thread` knows and joins its thread."""

    __slots__ = ("_done", "_ident", "_task")
    c_name = "_thread._ThreadHandle"

    def __init__(self, ident: int = 0) -> None:
        """Stand for a thread that has not started, or for that of this number."""
        super().__init__()
        self._task: Task | None = None
        self._ident = ident
        self._done = False

    @property
    def ident(self) -> int:
        """The thread's number; 0 before it has started."""
        return self._ident

    def check_new(self) -> None:
        """Raise RuntimeError if it stands for a thread already."""
        if self._ident:
            raise RuntimeError("thread already started")

    def belongs_to(self, task: Task) -> None:
        """Stand for this task from now on."""
        self._task = self.holder = task
        self._ident = task.ident
        task.at_end.append(self._set_done)

    def is_done(self) -> bool:
        """Whether the thread has ended."""
        k = kernel.running
        if k is not None and not k.over and (self._epoch is k or self._lives_in(k)):
            k.point("try", self.serial)
            k.current.spins += not self._done
        return self._done

    def _set_done(self) -> None:
        if not self._ident:
            raise RuntimeError("thread not started")
        self._done = True
        k = kernel.running
        if k is not None:
            k.touch(self.serial)
            for task in self._waiters:
                k.wake(task)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end."""
        k = kernel.running
        if k is None or (self._epoch is not k and not self._lives_in(k)):
            return
        if not self._ident:
            raise RuntimeError("thread not started")
        if not self._done and self._ident == k.current.ident:
            raise RuntimeError("Cannot join current thread")
        k.point("join", self.serial)
        deadline = None if timeout is None or timeout < 0 else k.deadline(timeout)
        me = k.current
        while not self._done:
            in_time = k.block("join", self, self._waiters, deadline)
            self._waiters.remove(me)
            if not in_time:
                return


def _start(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any], *, daemon: bool
) -> Task:
    k = kernel.running
    if k is None:
        raise RuntimeError("can't start new thread: no run is in progress")
    k.point("start", 0)
    parent = k.current
    if parent.starved_of == "threads":
        raise error_of("threads")
    parent.children += 1
    return k.spawn(
        lambda: function(*args, **kwargs),
        f"{parent.role}/T{parent.children}",
        parent.process,
        daemon=daemon,
    )


def start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, /
) -> int:
    """`_thread.start_new_thread`."""
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise TypeError("optional 3rd arg must be a dictionary")
    # Up to 3.12 `threading.Thread` comes here as well, with a bound method, and knows if it is a daemon.
    daemon = getattr(getattr(function, "__self__", None), "daemon", True)
    return _start(function, args, kwargs or {}, daemon=bool(daemon)).ident


def start_joinable_thread(
    function: Callable[[], object],
    handle: ThreadHandle | None = None,
    daemon: bool = True,  # noqa: FBT001, FBT002 - as in C
) -> ThreadHandle:
    """`_thread.start_joinable_thread` (3.13)."""
    if not callable(function):
        raise TypeError("thread function must be callable")
    handle = ThreadHandle() if handle is None else handle
    if not isinstance(handle, ThreadHandle):
        raise TypeError("'handle' must be a _ThreadHandle")
    handle.check_new()
    handle.belongs_to(_start(function, (), {}, daemon=daemon))
    return handle


def get_ident() -> int:
    """The current task's number."""
    k = kernel.running
    return MAIN_IDENT if k is None else k.current.ident


def set_sentinel() -> Lock:
    """`_thread._set_sentinel` (to 3.12): a lock that is released when the current thread ends."""
    lock = Lock()
    k = kernel.running
    if k is not None:
        k.current.at_end.append(lambda: lock.let_go(k))
    return lock


def _leave() -> NoReturn:
    """`_thread.exit`: end the current thread."""
    raise SystemExit


def _count() -> int:
    """How many threads there are in this process besides the main one."""
    k = kernel.running
    tasks = [] if k is None else k.current.process.tasks[1:]
    return sum(task.state not in ("ended", "killed") for task in tasks)


def excepthook(args: Any) -> None:  # noqa: ANN401 - a structure of the C layer
    """What `threading` calls for an exception that a thread did not handle."""
    k = kernel.running
    if k is not None and args.exc_type is not SystemExit and not isinstance(args.exc_value, Over):
        k.uncaught(k.current, args.exc_value)


_SIMULATED: dict[str, Any] = {
    "LockType": Lock,
    "RLock": RLock,
    "_ThreadHandle": ThreadHandle,
    "_count": _count,
    "_excepthook": excepthook,
    "_get_main_thread_ident": lambda: MAIN_IDENT,
    "_is_main_interpreter": lambda: True,
    "_local": Local,
    "_make_thread_handle": ThreadHandle,
    "_set_sentinel": set_sentinel,
    "_shutdown": lambda: None,
    "allocate": Lock,
    "allocate_lock": Lock,
    "daemon_threads_allowed": lambda: True,
    "exit": _leave,
    "exit_thread": _leave,
    "get_ident": get_ident,
    "get_native_id": get_ident,
    "lock": Lock,
    "set_name": lambda _name: None,
    "stack_size": lambda _size=0: 0,
    "start_joinable_thread": start_joinable_thread,
    "start_new": start_new_thread,
    "start_new_thread": start_new_thread,
}

_HARMLESS: Final = ("TIMEOUT_MAX", "_ExceptHookArgs", "_NAME_MAXLEN", "error")

_REFUSED: Final = ("_get_name", "interrupt_main")


def make_module() -> types.ModuleType:
    """A module to be imported as `_thread`: the names that this Python's has, and no others."""
    module = types.ModuleType("_thread")
    for name in _HARMLESS:
        if hasattr(_thread, name):
            setattr(module, name, getattr(_thread, name))
    for name, thing in _SIMULATED.items():
        if hasattr(_thread, name):
            setattr(module, name, thing)
    for name in _REFUSED:
        if hasattr(_thread, name):
            setattr(module, name, refusing(f"_thread.{name}"))
    return module


def unknown_names() -> set[str]:
    """Names in this Python's `_thread` that nobody has thought about yet."""
    known = {*_SIMULATED, *_HARMLESS, *_REFUSED}
    return {name for name in vars(_thread) if not name.startswith("__")} - known
