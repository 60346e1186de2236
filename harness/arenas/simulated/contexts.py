"""The modules of `multiprocessing` as the world shows them: contexts, and names for what is simulated."""

from __future__ import annotations

import importlib
import multiprocessing as real
import multiprocessing.context as real_context
import types
from typing import TYPE_CHECKING, Any, Final, NoReturn

from harness.arenas.simulated import finalizers, handover, pipes, processes, semaphores
from harness.arenas.simulated.facades import PROCESSORS, refuse_use, refusing
from harness.arenas.simulated.pickling import ForkingPickler

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.processes import BaseProcess


class Process(processes.BaseProcess):
    """`multiprocessing.Process`: started in the usual way."""

    _start_method = real.get_start_method()


class ForkProcess(processes.BaseProcess):
    """A process that is forked."""

    _start_method = "fork"


class SpawnProcess(processes.BaseProcess):
    """A process that begins with nothing."""

    _start_method = "spawn"


class ForkServerProcess(processes.BaseProcess):
    """A process that is forked from a server, and begins with nothing."""

    _start_method = "forkserver"


_PROCESSES: Final[dict[str, type[BaseProcess]]] = {
    "fork": ForkProcess, "forkserver": ForkServerProcess, "spawn": SpawnProcess,
}  # fmt: skip


class Context:
    """`multiprocessing.context.BaseContext`: one start method."""

    cpu_count = staticmethod(lambda: PROCESSORS)
    current_process = staticmethod(processes.current_process)
    parent_process = staticmethod(processes.parent_process)
    active_children = staticmethod(processes.active_children)
    Pipe = staticmethod(pipes.make_pipe)

    def __init__(self, method: str, siblings: dict[str, Context], load: Callable[[str], Any]) -> None:
        """Be the context of a start method; `load` gives the world's module of a name."""
        self._method = method
        self._siblings = siblings
        self._load = load
        self.Process = _PROCESSES[method]

    def get_start_method(self, allow_none: bool = False) -> str:  # noqa: FBT001, FBT002 - as `multiprocessing`
        """The start method."""
        del allow_none
        return self._method

    def get_context(self, method: str | None = None) -> Context:
        """The context of a start method."""
        if method is None:
            return self
        if method not in self._siblings:
            raise ValueError(f"cannot find context for {method!r}")
        return self._siblings[method]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the real one has
        """Locks and queues by the world's copies of the real modules; the rest is refused when it is used."""
        if name in _LOCKS:
            return self._maker("multiprocessing.synchronize", name)
        if name in _QUEUES:
            return self._maker("multiprocessing.queues", name)
        if hasattr(real_context.BaseContext, name) and not name.startswith("_"):
            return refusing(f"multiprocessing.{name}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _maker(self, module: str, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: getattr(self._load(module), name)(*args, ctx=self, **kwargs)


_LOCKS: Final = ("Barrier", "BoundedSemaphore", "Condition", "Event", "Lock", "RLock", "Semaphore")
_ABOUT: Final = ("active_children", "current_process", "parent_process")
_QUEUES: Final = ("JoinableQueue", "Queue", "SimpleQueue")


def make_contexts(load: Callable[[str], Any]) -> dict[str, Context]:
    """A context for each start method."""
    contexts: dict[str, Context] = {}
    for method in _PROCESSES:
        contexts[method] = Context(method, contexts, load)
    return contexts


def _nothing(*_args: object, **_kwargs: object) -> None:
    """For what has no effect in the world."""


class _Part(types.ModuleType):
    """A module that says so if the world lacks something that the real one has."""

    def __getattr__(self, name: str) -> NoReturn:
        real_one = getattr(importlib.import_module(self.__name__), name, None)
        if name.startswith("__") or real_one is None or isinstance(real_one, types.ModuleType):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        refuse_use(f"{self.__name__}.{name}")


def make_modules(load: Callable[[str], Any]) -> dict[str, types.ModuleType]:
    """The modules to be imported as `multiprocessing` and its parts; `load` gives the copied ones."""
    contexts = make_contexts(load)
    usual = contexts[real.get_start_method()]
    about = {name: getattr(processes, name) for name in _ABOUT}
    names: dict[str, dict[str, Any]] = {
        "multiprocessing.connection": {
            "Connection": pipes.Connection, "Pipe": pipes.make_pipe, "wait": pipes.wait,
        },
        "multiprocessing.reduction": {"ForkingPickler": ForkingPickler},
        "multiprocessing.process": {"BaseProcess": processes.BaseProcess, **about},
        "multiprocessing.util": {
            "Finalize": finalizers.Finalize, "debug": _nothing, "info": _nothing, "sub_debug": _nothing,
            "sub_warning": _nothing, "is_exiting": finalizers.is_exiting, "register_after_fork": _nothing,
            "get_logger": real.get_logger,
        },
        "multiprocessing.context": {
            "BaseContext": Context, "assert_spawning": handover.assert_spawning,
            "get_spawning_popen": lambda: handover.Spawning.process, "_default_context": usual,
            "ProcessError": real.ProcessError, "TimeoutError": real.TimeoutError, "Process": Process,
            **{each.__name__: each for each in _PROCESSES.values()},
        },
        "multiprocessing": {
            "Process": Process, "get_all_start_methods": lambda: list(contexts),
            "get_context": lambda method=None: usual.get_context(method),
            "get_start_method": lambda allow_none=False: usual.get_start_method(allow_none),
            "cpu_count": usual.cpu_count, "Pipe": pipes.make_pipe, **about,
            **{name: getattr(usual, name) for name in (*_LOCKS, *_QUEUES)},
            **{each.__name__: each for each in (real.ProcessError, real.TimeoutError, real.BufferTooShort)},
        },
    }  # fmt: skip
    modules: dict[str, types.ModuleType] = {name: _Part(name) for name in names}
    for name, things in names.items():
        vars(modules[name]).update(things)
    modules["multiprocessing"].__path__ = list(real.__path__)  # where the sources of the queues are
    modules["multiprocessing.context"].reduction = modules["multiprocessing.reduction"]  # type: ignore[attr-defined]  # an open namespace
    return {**modules, "_multiprocessing": semaphores.make_module()}
