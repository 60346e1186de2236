"""Simulated processes: `multiprocessing`'s `Process`, contexts, locks and semaphores.

All simulated processes share the modules of the world, as processes that were forked share what they do not
write to. What a process works on is handed over: pipes and queues are cloned for it, and under ``spawn`` and
``forkserver`` everything is really pickled. A fork that copies held locks is not simulated.
"""

from __future__ import annotations

import importlib
import multiprocessing as real
import signal
import types
import weakref
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Final, NoReturn

from harness.arenas.simulated import kernel, pipes
from harness.arenas.simulated.facades import refuse_use
from harness.arenas.simulated.thread_layer import Primitive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Process as SimulatedProcess

SEM_VALUE_MAX: Final = 2**31 - 1
_MODULE_OF_QUEUES: Final = "multiprocessing.queues"


class SemLock(Primitive):
    """A semaphore that processes share. A process that dies takes what it had to its grave."""

    __slots__ = ("_bound", "_semlock", "_value")

    def __init__(self, value: int, bound: int) -> None:
        """Start with a value, and a bound on it."""
        super().__init__()
        self._value = value
        self._bound = bound
        self._semlock = self

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:  # noqa: FBT001, FBT002 - as `multiprocessing`
        """Count down, waiting while the value is nought."""
        k = kernel.running
        if k is None or (self._epoch is not k and not self._lives_in(k)):
            return True
        k.point("acquire" if block else "try", self.serial)
        deadline = None if timeout is None else k.deadline(max(0.0, timeout))
        me = k.current
        while not self._value:
            if not block or (timeout is not None and timeout <= 0):
                me.spins += 1
                return False
            in_time = k.block("acquire", self, self._waiters, deadline)
            self._waiters.remove(me)
            if not in_time:
                return False
        self._value -= 1
        self.holder = me
        if not self._value:
            for task in self._waiters:
                if task.state == "ready" and not task.timed_out:
                    k.rest(task)
        return True

    def release(self) -> None:
        """Count up."""
        k = kernel.running
        if k is None or k.over or (self._epoch is not k and not self._lives_in(k)):
            return
        if self._value >= self._bound:
            raise ValueError("semaphore or lock released too many times")
        self._value += 1
        for task in self._waiters:
            k.wake(task)
        k.point("released", 0)

    def get_value(self) -> int:
        """The value."""
        return self._value

    _get_value = get_value

    def _is_zero(self) -> bool:
        return not self._value

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        """Count up."""
        self.release()


class BaseProcess(Primitive):
    """`multiprocessing.Process`: a simulated process as its parent sees it."""

    __slots__ = (
        "__dict__", "_args", "_kwargs", "_process", "_sentinel", "_start_method", "_target", "daemon", "name",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - as `multiprocessing`
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
        start_method: str = "fork",
    ) -> None:
        """Prepare a process."""
        super().__init__()
        del group
        self._target = target
        self._args = tuple(args)
        self._kwargs = dict(kwargs or {})
        self._start_method = start_method
        self._process: SimulatedProcess | None = None
        self._sentinel: pipes.Sentinel | None = None
        self.daemon = bool(daemon)
        self.name = name or f"Process-{self.serial}"

    def start(self) -> None:
        """Start it."""
        k = _run()
        k.point("start", 0)
        child = k.add_process(f"P{len(k.processes)}")
        args = _prepare(self._args, child, self._start_method)
        self._process = child
        self._sentinel = pipes.Sentinel(child)
        target, kwargs = self._target, self._kwargs
        if target is not None:
            self.holder = k.spawn(lambda: target(*args(), **kwargs), child.name, child)
        k.current.process.children.add(self)
        # As `multiprocessing` does: what is only needed to start is let go of.
        self._target, self._args, self._kwargs = None, (), {}

    def run(self) -> None:
        """Call the target, in this process."""
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        process = self._known()
        k = kernel.running
        if k is None or k.over:
            return
        k.point("join", self.serial)
        deadline = None if timeout is None else k.deadline(timeout)
        me = k.current
        while process.exitcode is None:
            in_time = k.block("join", self, process.waiters, deadline)
            if me in process.waiters:
                process.waiters.remove(me)
            if not in_time:
                return
        k.current.process.children.discard(self)

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        if self._process is None:
            return False
        k = kernel.running
        if k is not None and not k.over:
            k.point("try", self.serial)
            k.current.spins += self._process.exitcode is None
        return self._process.exitcode is None

    @property
    def exitcode(self) -> int | None:
        """How it ended; None while it has not."""
        return None if self._process is None else self._process.exitcode

    @property
    def pid(self) -> int | None:
        """Its number."""
        return None if self._process is None else self._process.pid

    ident = pid

    @property
    def sentinel(self) -> pipes.Sentinel:
        """What `connection.wait` takes."""
        self._known()
        assert self._sentinel is not None  # noqa: S101 - for mypy: it is set with the process
        return self._sentinel

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._strike(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._strike(signal.SIGKILL)

    def close(self) -> None:
        """Let go of it."""

    def _strike(self, number: int) -> None:
        process = self._known()
        k = kernel.running
        if k is not None and not k.over:
            k.point("signal", 0)
            if process.exitcode is None:
                k.assassinate(process, number)

    def _known(self) -> SimulatedProcess:
        if self._process is None:
            raise ValueError("process not started")
        return self._process

    def __repr__(self) -> str:
        """Name it."""
        return f"<Process {self.name}>"


def _run() -> Kernel:
    k = kernel.running
    if k is None:
        raise RuntimeError("a process can only be started in a run")
    return k


# Handing over.


class _Spawning:
    """Which process is being started: `Queue.__getstate__` insists on there being one."""

    process: SimulatedProcess | None = None


def assert_spawning(thing: object) -> None:
    """`multiprocessing.context.assert_spawning`."""
    if _Spawning.process is None:
        raise RuntimeError(
            f"{type(thing).__name__} objects should only be shared between processes through inheritance"
        )


def _prepare(
    args: tuple[Any, ...], child: SimulatedProcess, start_method: str
) -> Callable[[], tuple[Any, ...]]:
    """Make what gives a new process its arguments.

    Pipes, queues and locks are cloned for it at once. Under ``fork`` the rest is shared; otherwise it is
    pickled now, and unpickled by the child.
    """
    _Spawning.process = child
    try:
        if start_method == "fork":
            cloned = tuple(_clone(arg, child) for arg in args)
            return lambda: cloned
        packed = bytes(ForkingPickler.dumps(args))
        return lambda: tuple(ForkingPickler.loads(packed))
    finally:
        _Spawning.process = None


def _clone(thing: Any, child: SimulatedProcess) -> Any:  # noqa: ANN401 - whatever a process is given
    if isinstance(thing, pipes.Connection):
        return thing.copy_into(child)
    if type(thing).__module__.endswith(_MODULE_OF_QUEUES):
        copy = object.__new__(type(thing))
        copy.__setstate__(tuple(_clone(part, child) for part in thing.__getstate__()))
        return copy
    return thing


def _reduce_connection(connection: pipes.Connection) -> tuple[Callable[[int], Any], tuple[int]]:
    """Pickle an end of a pipe for the process that is being started, which gets a copy."""
    assert_spawning(connection)
    assert _Spawning.process is not None  # noqa: S101 - for mypy: just asserted
    return _claim, (_run().leave_luggage(connection.copy_into(_Spawning.process)),)


def _reduce_shared(thing: object) -> tuple[Callable[[int], Any], tuple[int]]:
    """Pickle what processes share."""
    assert_spawning(thing)
    return _claim, (_run().leave_luggage(thing),)


def _claim(number: int) -> Any:  # noqa: ANN401 - whatever was left
    return _run().luggage[number]


ForkingPickler.register(pipes.Connection, _reduce_connection)
ForkingPickler.register(SemLock, _reduce_shared)


# The modules.


class Context:
    """`multiprocessing.context.BaseContext`: one start method."""

    def __init__(self, method: str, siblings: dict[str, Context], queues: Callable[[], Any]) -> None:
        """Be the context of a start method; `queues` gives the world's `multiprocessing.queues`."""
        self._method = method
        self._siblings = siblings
        self._queues = queues

    def get_start_method(self, allow_none: bool = False) -> str:  # noqa: FBT001, FBT002 - as `multiprocessing`
        """The start method."""
        del allow_none
        return self._method

    def get_context(self, method: str | None = None) -> Context:
        """The context of a start method."""
        return self if method is None else self._siblings[method]

    def Process(self, *args: Any, **kwargs: Any) -> BaseProcess:  # noqa: ANN401, N802 - as `multiprocessing`
        """Make a process."""
        return BaseProcess(*args, **kwargs, start_method=self._method)

    def Pipe(self, duplex: bool = True) -> tuple[pipes.Connection, pipes.Connection]:  # noqa: FBT001, FBT002, N802 - the same
        """Make a pipe."""
        return pipes.make_pipe(duplex=duplex)

    def SimpleQueue(self) -> Any:  # noqa: ANN401, N802 - a queue of the world
        """Make a queue without a feeder thread."""
        return self._queues().SimpleQueue(ctx=self)

    def Queue(self, maxsize: int = 0) -> Any:  # noqa: ANN401, N802 - the same
        """Make a queue with a feeder thread."""
        return self._queues().Queue(maxsize, ctx=self)

    def Lock(self) -> SemLock:  # noqa: N802 - the same
        """Make a lock that processes share."""
        return SemLock(1, 1)

    def Semaphore(self, value: int = 1) -> SemLock:  # noqa: N802 - the same
        """Make a semaphore that processes share."""
        return SemLock(value, SEM_VALUE_MAX)

    def BoundedSemaphore(self, value: int = 1) -> SemLock:  # noqa: N802 - the same
        """Make a bounded semaphore that processes share."""
        return SemLock(value, value)


def make_contexts(queues: Callable[[], Any]) -> dict[str, Context]:
    """A context for each start method."""
    contexts: dict[str, Context] = {}
    for method in ("fork", "forkserver", "spawn"):
        contexts[method] = Context(method, contexts, queues)
    return contexts


class Finalize:
    """`multiprocessing.util.Finalize`: calls back once, when told to or when its object goes."""

    def __init__(
        self,
        obj: object,
        callback: Callable[..., object],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        exitpriority: int | None = None,
    ) -> None:
        """Wait for it."""
        del exitpriority
        self._callback: Callable[..., object] | None = callback
        self._args = tuple(args)
        self._kwargs = dict(kwargs or {})
        self._reference = None if obj is None else weakref.ref(obj, self)

    def __call__(self, _reference: object = None) -> None:
        """Call back, the first time."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(*self._args, **self._kwargs)

    def cancel(self) -> None:
        """Never call back."""
        self._callback = None

    def still_active(self) -> bool:
        """Whether it has neither called back nor been cancelled."""
        return self._callback is not None


def _nothing(*_args: object, **_kwargs: object) -> None:
    """For what has no effect in the world."""


class _Part(types.ModuleType):
    """A module that says so if the world lacks something that the real one has."""

    def __getattr__(self, name: str) -> NoReturn:
        real_one = getattr(importlib.import_module(self.__name__), name, None)
        if name.startswith("__") or real_one is None or isinstance(real_one, types.ModuleType):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        refuse_use(f"{self.__name__}.{name}")


_KINDS_OF_SEMAPHORES: Final = ("SemLock", "Lock", "RLock", "Semaphore", "BoundedSemaphore")

_OF_THE_USUAL_CONTEXT: Final = ("Lock", "Semaphore", "BoundedSemaphore", "Queue", "SimpleQueue")


def make_modules(queues: Callable[[], Any]) -> dict[str, types.ModuleType]:
    """The modules to be imported as `multiprocessing` and its parts; the queues are the real ones' source."""
    contexts = make_contexts(queues)
    usual = contexts[real.get_start_method()]
    about = {each.__name__: each for each in (current_process, active_children, parent_process)}
    names: dict[str, dict[str, Any]] = {
        "multiprocessing.connection": {
            "Connection": pipes.Connection, "Pipe": pipes.make_pipe, "wait": pipes.wait,
        },
        "multiprocessing.reduction": {"ForkingPickler": ForkingPickler},
        "multiprocessing.process": {
            "BaseProcess": BaseProcess, "_children": set(), **about,
        },
        "multiprocessing.util": {
            "Finalize": Finalize, "debug": _nothing, "info": _nothing, "sub_debug": _nothing,
            "sub_warning": _nothing, "is_exiting": lambda: False, "register_after_fork": _nothing,
            "get_logger": real.get_logger,
        },
        "multiprocessing.synchronize": {
            "SEM_VALUE_MAX": SEM_VALUE_MAX, **dict.fromkeys(_KINDS_OF_SEMAPHORES, SemLock),
        },
    }  # fmt: skip
    names["multiprocessing.context"] = {
        "BaseContext": Context, "assert_spawning": assert_spawning,
        "get_spawning_popen": lambda: _Spawning.process,
        "ProcessError": real.ProcessError,
    }  # fmt: skip
    names["multiprocessing"] = {
        "Process": BaseProcess, "Pipe": pipes.make_pipe, "get_all_start_methods": lambda: list(contexts),
        "get_context": lambda method=None: usual.get_context(method),
        "get_start_method": lambda allow_none=False: usual.get_start_method(allow_none),
        "cpu_count": lambda: _PROCESSORS, **about,
        "TimeoutError": real.TimeoutError, "ProcessError": real.ProcessError,
        **{name: getattr(usual, name) for name in _OF_THE_USUAL_CONTEXT},
    }  # fmt: skip
    modules: dict[str, types.ModuleType] = {name: _Part(name) for name in names}
    for name, things in names.items():
        vars(modules[name]).update(things)
    modules["multiprocessing"].__path__ = list(real.__path__)  # where the sources of the queues are
    modules["multiprocessing.context"].reduction = modules["multiprocessing.reduction"]  # type: ignore[attr-defined]  # an open namespace
    return modules


_PROCESSORS: Final = 2


def current_process() -> SimulatedProcess:
    """The process of the current task."""
    return _run().current.process


def parent_process() -> SimulatedProcess | None:
    """The client, for every other process."""
    k = _run()
    return None if k.current.process is k.client else k.client


def active_children() -> list[BaseProcess]:
    """The children that have not ended; joins the others."""
    children = current_process().children
    for child in [child for child in children if child.exitcode is not None]:
        children.discard(child)
    return list(children)
