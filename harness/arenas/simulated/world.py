"""One world: a subject and everything that it is built on, loaded once and run again and again."""

from __future__ import annotations

import copy
import gc
import itertools
import logging
import sys
import types
import weakref
from collections import deque
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from harness.arenas.simulated import (
    backends,
    facades,
    identity,
    kernel,
    play,
    processes,
    simple_queue,
    thread_layer,
)
from harness.arenas.simulated.importer import Importer
from harness.arenas.simulated.kernel import Kernel
from harness.arenas.simulated.source_text import HOOK, SourceText
from harness.values.history import History, Slow, Stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.arenas.simulated.actor import Strategy
    from harness.arenas.simulated.instrument import Point
    from harness.arenas.simulated.kernel import Ending
    from harness.values.granularity import Granularity
    from harness.values.program import Program

_numbers = itertools.count()

_ALWAYS = (
    "concurrent.futures.thread",
    "concurrent.futures.process",
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
    events: tuple[Any, ...]
    ending: Ending
    detail: str
    kernel: Kernel

    @property
    def history(self) -> History:
        """The events as a history."""
        return History(program=self.program, client=self.client, events=self.events)


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
        self._text = SourceText(granularity)
        self._backend = backend
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
            **processes.make_modules(lambda: self._importer.load("multiprocessing.queues")),
        }
        importlib_facade = types.ModuleType("importlib")
        simulated["importlib"] = importlib_facade
        self._importer = Importer(
            f"exh_world_{next(_numbers)}",
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
        self._states: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for name in _ALWAYS:
            self._importer.load(name)
        self._importer.load(target.partition(":")[0])
        self._states = [(vars(module), _state_of(module)) for module in self._importer.modules.values()]

    def _remember(self, module: types.ModuleType) -> None:
        """A module was loaded late: what it is like now is how each run finds it."""
        if kernel.running is not None:
            self._states.append((vars(module), _state_of(module)))

    def run(self, program: Program, strategy: Strategy, *, limit: int = 20_000) -> Run:
        """Run a program once, as the strategy chooses."""
        self._restore()
        k = Kernel(strategy, self._backend(), limit=limit)
        performance = play.Performance(program, self._target, self._importer, k)
        listener = _Listener(performance)
        unraisable, sys.unraisablehook = sys.unraisablehook, performance.unraisable
        logger = logging.getLogger("concurrent.futures")
        before = logger.propagate
        logger.addHandler(listener)
        logger.propagate = False
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            outcome = k.run(performance.play)
        finally:
            logger.removeHandler(listener)
            logger.propagate = before
            sys.unraisablehook = unraisable
            if was_enabled:
                gc.enable()
        events = performance.notebook.events
        if outcome.ending == "deadlock":
            events.append(Stuck(at=k.now + 1, stacks=outcome.blocked))
        elif outcome.ending == "livelock":
            events.append(Slow(at=k.now + 1, reason=outcome.detail))
        events.sort(key=attrgetter("at"))  # a callback is noted at its end, with the stamp of its beginning
        return Run(
            program=program, client=k.client.pid, events=tuple(events), ending=outcome.ending,
            detail=outcome.detail, kernel=k,
        )  # fmt: skip

    def _restore(self) -> None:
        """Let the modules be as they were after the import."""
        self._identities.clear()
        identity.restart()
        for count in facades.Count.made:
            count.wind_back()
        for namespace, state in self._states:
            _restore(namespace, state)

    @property
    def points(self) -> Sequence[Point]:
        """What the numbers of statements stand for; number 0 stands for nowhere."""
        return self._text.points

    @property
    def sources(self) -> str:
        """Names the sources that this world runs, by sixteen hexadecimal digits."""
        return self._text.digest()

    def close(self) -> None:
        """Forget the modules."""
        self._importer.close()


class _Listener(logging.Handler):
    """Records of the ``concurrent.futures`` logger become events."""

    def __init__(self, performance: play.Performance) -> None:
        super().__init__()
        self._performance = performance

    def createLock(self) -> None:  # noqa: N802 - overridden
        """No lock: a task may stop in the middle of formatting, and another would wait for it for real."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        self._performance.log(record.getMessage())


_CONTAINERS = (dict, list, set, deque, weakref.WeakSet, weakref.WeakKeyDictionary)


def _state_of(module: types.ModuleType) -> dict[str, Any]:
    """The variables of a module that a run may change: plain values, and copies of containers."""
    state: dict[str, Any] = {}
    for name, value in vars(module).items():
        if name.startswith("__"):
            continue
        if isinstance(value, _CONTAINERS):
            state[name] = (value, copy.copy(value))
        elif value is None or isinstance(value, bool | int | float | str):
            state[name] = value
    return state


def _restore(namespace: dict[str, Any], state: dict[str, Any]) -> None:
    for name, value in state.items():
        if isinstance(value, tuple):
            live, kept = value
            namespace[name] = live
            if len(live) != len(kept) or len(live):
                live.clear()
                (live.extend if isinstance(live, list | deque) else live.update)(kept)
        else:
            namespace[name] = value
