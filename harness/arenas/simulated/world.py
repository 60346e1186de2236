"""One world: a subject and everything that it is built on, loaded once and run again and again."""

from __future__ import annotations

import dis
import gc
import itertools
import logging
import sys
import types
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from harness.arenas.simulated import (
    backends,
    contexts,
    facades,
    garbage,
    identity,
    main_threads,
    play,
    simple_queue,
    thread_layer,
)
from harness.arenas.simulated.importer import Importer
from harness.arenas.simulated.kernel import Kernel
from harness.arenas.simulated.source_text import HOOK, SourceText
from harness.values.history import Gone, History, Slow, Stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.arenas.simulated.actor import Strategy
    from harness.arenas.simulated.instrument import Point
    from harness.arenas.simulated.kernel import Ending
    from harness.arenas.simulated.trace import Trace
    from harness.values.granularity import Granularity
    from harness.values.history import Event
    from harness.values.program import Program

_numbers = itertools.count()
_RUNS_BETWEEN_COLLECTIONS = 100

_ALWAYS = (
    "concurrent.futures.thread",
    "concurrent.futures.process",
    "harness.arenas.real.drive",
    "harness.arenas.real.perform",
    "harness.arenas.real.puppet",
    "harness.arenas.real.stage",
)
"""Loaded before the first run, whatever it needs: nothing should happen for the first time in a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one run: the events, and which decisions led there."""

    program: Program
    client: int
    notes: Sequence[play.Note]
    ending: Ending
    detail: str
    trace: Trace
    exact: bool

    @property
    def events(self) -> tuple[Event, ...]:
        """What was observed, in order: a callback is noted at its end, with the stamp of its beginning."""
        return tuple(sorted(map(play.event_of, self.notes), key=attrgetter("at")))

    @property
    def history(self) -> History:
        """The events as a history."""
        return History(program=self.program, client=self.client, events=self.events, exact=self.exact)


class World:
    """Modules of its own, in which programs run on one subject."""

    def __init__(
        self,
        target: str,
        *,
        granularity: Granularity = "synchronisation",
        backend: Callable[[], backends.Backend] = backends.best,
    ) -> None:
        """Load the subject ``package.module:Name``.

        Raises:
            Uncontrolled: it needs something that the world cannot control.
        """
        self._target = target
        self._runs = 0
        self._complete = False
        self._quiet = _Quiet()
        self._text = SourceText(granularity)
        self._backend = backend()
        self._identities = identity.Identities()
        simulated = {
            "_thread": thread_layer.make_module(),
            "_queue": simple_queue.make_module(),
            "time": facades.make_time(),
            "os": facades.make_os(),
            "signal": facades.make_signal(),
            "gc": facades.make_gc(),
            "atexit": facades.make_atexit(),
            "itertools": facades.make_itertools(),
            "harness.arenas.real.recorder": play.make_recorder(),
            **contexts.make_modules(self._load),
        }
        importlib_facade = types.ModuleType("importlib")
        simulated["importlib"] = importlib_facade
        self._importer = Importer(
            f"{identity.PRIVATE}{next(_numbers)}",
            simulated,
            compiler=self._text.compile,
            special={
                "id": self._identities.number,
                "__build_class__": identity.build_class,
                HOOK: self._text.hook,
            },
        )
        importlib_facade.import_module = self._importer.import_module  # type: ignore[attr-defined]  # an open namespace
        self._importer.loaded = self._remember
        self._states: list[_Variable | _Contents] = []
        for name in _ALWAYS:
            self._importer.load(name)
        main_threads.let_processes_have_main_threads(self._importer.load("threading"))
        self._importer.load(target.partition(":")[0])
        self._states = [state for module in self._importer.modules.values() for state in _state_of(module)]
        self._complete = True

    def _load(self, name: str) -> types.ModuleType:
        return self._importer.load(name)

    def _remember(self, module: types.ModuleType) -> None:
        """A module was loaded late: what it is like now is how each run finds it."""
        if self._complete:
            self._states += _state_of(module)

    def run(self, program: Program, strategy: Strategy, *, limit: int = 20_000) -> Run:
        """Run a program once, as the strategy chooses."""
        self._restore()
        k = Kernel(strategy, self._backend, limit=limit)
        performance = play.Performance(program, self._target, self._importer, k)
        self._quiet.listener.performance = performance
        unraisable, sys.unraisablehook = sys.unraisablehook, performance.unraisable
        gc.disable()
        try:
            outcome = k.run(performance.play)
        finally:
            self._quiet.listener.performance = None
            sys.unraisablehook = unraisable
            k.forget()
            self._collect_now_and_then()
        notes = performance.notebook.notes
        if outcome.ending in ("deadlock", "livelock"):
            circling = outcome.ending == "livelock"
            notes.append(Stuck(at=k.now + 1, stacks=outcome.blocked, livelock=circling))
        elif outcome.ending == "unfinished":
            notes.append(Slow(at=k.now + 1, reason=outcome.detail))
        elif outcome.ending == "gone":
            notes.append(Gone(at=k.now + 1, status=outcome.status))
        return Run(
            program=program, client=k.client.pid, notes=notes, ending=outcome.ending,
            detail=outcome.detail, trace=k.trace, exact=not k.hasty,
        )  # fmt: skip

    def _collect_now_and_then(self) -> None:
        """Collect garbage between runs only: a finaliser must not wake up in a later run."""
        self._runs += 1
        if self._runs % _RUNS_BETWEEN_COLLECTIONS == 0:
            garbage.collect(1)

    def _restore(self) -> None:
        """Let the modules be as they were after the import."""
        self._identities.clear()
        identity.restart()
        for count in facades.Count.made:
            count.wind_back()
        for state in self._states:
            state.restore()

    @property
    def points(self) -> Sequence[Point]:
        """What the numbers of statements stand for; number 0 stands for nowhere."""
        return self._text.points

    @property
    def sources(self) -> str:
        """Names the sources that this world runs, by sixteen hexadecimal digits."""
        return self._text.digest()

    def close(self) -> None:
        """Forget the modules, and let logging and the collector be as they were."""
        self._importer.close()
        self._quiet.end()


class _Quiet:
    """While there is a world, records of the ``concurrent.futures`` logger go to its runs and nowhere else.

    The collector is off from the first run on: a finaliser must not wake up in a run that is not its own.
    """

    def __init__(self) -> None:
        self.listener = _Listener()
        self._logger = logging.getLogger("concurrent.futures")
        self._others = logging.getLogger()  # an executor may have a logger of its own
        self._before = self._logger.propagate, gc.isenabled()
        self._logger.addHandler(self.listener)
        self._logger.propagate = False
        self._others.addHandler(self.listener)

    def end(self) -> None:
        """Let everything be as it was."""
        garbage.collect()
        self._logger.removeHandler(self.listener)
        self._others.removeHandler(self.listener)
        self._logger.propagate, collecting = self._before
        if collecting:
            gc.enable()


class _Listener(logging.Handler):
    """Log records become events of the run in progress."""

    performance: play.Performance | None = None

    def createLock(self) -> None:  # noqa: N802 - overridden
        """No lock: a task may stop in the middle of formatting, and another would wait for it for real."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """As the base class does, which from Python 3.13 on insists on a lock."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        if self.performance is not None:
            self.performance.log(record.getMessage())


_CONTAINERS = (dict, list, set, deque, weakref.WeakSet, weakref.WeakKeyDictionary)


class _Variable:
    """A variable that functions of its module set, and its value after the import."""

    __slots__ = ("_name", "_namespace", "_value")

    def __init__(self, namespace: dict[str, Any], name: str) -> None:
        self._namespace, self._name, self._value = namespace, name, namespace[name]

    def restore(self) -> None:
        if self._namespace[self._name] is not self._value:
            self._namespace[self._name] = self._value


class _Contents:
    """What was in a container after the import."""

    __slots__ = ("_bare", "_clear", "_fill", "_kept")

    def __init__(self, container: Any) -> None:  # noqa: ANN401 - one of `_CONTAINERS`
        # A weak one is empty when what it is made of is, which is faster to look at.
        self._bare = getattr(container, "data", container)
        self._kept = dict(container) if isinstance(container, Mapping) else list(container)
        self._clear = container.clear
        self._fill = container.extend if isinstance(container, list | deque) else container.update

    def restore(self) -> None:
        if self._bare or self._kept:
            self._clear()
            self._fill(self._kept)


def _state_of(module: types.ModuleType) -> list[_Variable | _Contents]:
    """The variables of a module that a run may change: containers, and what some function sets.

    What a facade only shows of the real module is not the world's to restore.
    """
    namespace = vars(module)
    real = sys.modules.get(module.__name__, module)
    shown = {} if real is module else vars(real)
    settable = _settable(module)
    state: list[_Variable | _Contents] = []
    for name, value in namespace.items():
        if shown.get(name) is value:
            continue
        if isinstance(value, _CONTAINERS) and not name.startswith("__"):
            state.append(_Contents(value))
        elif name in settable:
            state.append(_Variable(namespace, name))
    return state


_SETS = ("STORE_GLOBAL", "DELETE_GLOBAL")


def _settable(module: types.ModuleType) -> set[str]:
    """The variables that functions of a module declare ``global``."""
    found: set[str] = set()
    codes = [thing.__code__ for thing in _functions_of(vars(module), module.__name__)]
    while codes:
        code = codes.pop()
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        found |= {each.argval for each in dis.get_instructions(code) if each.opname in _SETS}
    return found


def _functions_of(namespace: Mapping[str, Any], module: str) -> Iterator[types.FunctionType]:
    for thing in namespace.values():
        if isinstance(thing, types.FunctionType) and thing.__module__ == module:
            yield thing
        elif isinstance(thing, type) and thing.__module__ == module:
            yield from _functions_of(_unwrapped(thing), module)


def _unwrapped(cls: type) -> dict[str, Any]:
    """The functions of a class without what wraps them."""
    return {
        name: getattr(thing, "fget", None) or getattr(thing, "__func__", thing)
        for name, thing in vars(cls).items()
        if not isinstance(thing, type)
    }
