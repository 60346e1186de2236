"""What can be found out about an executor class by looking and by one task."""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib
import inspect
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from harness.arenas.real import puppet
from harness.arenas.real.stage import Blueprint

if TYPE_CHECKING:
    from collections.abc import Callable

DECLARATION = "executor_harness"
"""The attribute in which a class or a factory says what cannot be found out by looking at it."""

_LONGEST_SENTENCE = 300  # characters; the message of an exception may be anything
_OPTIONS = ("mp_context", "thread_name_prefix", "initializer", "max_tasks_per_child")


def probe(target: str, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Import the class, build one, run a task.

    Whoever cannot be built is refused; what happens from then on is the subject's behaviour, to be judged. So
    what is known so far is told before each step that it may not survive.

    Returns:
        JSON with ``kind``, ``inline``, ``breaks`` (it says of itself that the death of a worker breaks it),
        ``capabilities``, ``components`` and ``declared`` (what its maintainer says of it, unchecked), or with
        ``trouble`` only: one sentence that says what is wrong with the subject.
    """
    try:
        blueprint = Blueprint(target)
    except Exception as error:  # noqa: BLE001 - any import error becomes one sentence
        return {"trouble": f"cannot import {target}: {_sentence(error)}"}
    if not callable(blueprint.factory):
        return {"trouble": f"{target} is not a class or a factory"}
    declared = getattr(blueprint.factory, DECLARATION, {})
    if not _is_plain(declared):
        return {"trouble": f"{target}.{DECLARATION} is no dict of names and plain values"}
    try:
        executor = blueprint.factory(max_workers=2)
    except BaseException as error:  # noqa: BLE001 - a constructor may raise anything
        return {"trouble": f"{target}(max_workers=2) fails: {_sentence(error)}"}
    lacking = [name for name in ("submit", "shutdown", "map") if not callable(getattr(executor, name, None))]
    if lacking:
        return {"trouble": f"{target} is no executor: it has no {' and no '.join(lacking)}"}
    try:
        facts = _assumed(blueprint, executor) | {"declared": declared}
        tell({"do": "built", **facts})
        facts = _look(blueprint, executor) | {"declared": declared}
        tell({"do": "built", **facts})
        executor.shutdown(wait=True)
    except BaseException:  # noqa: BLE001, S110 - it may raise anything, and it is not for a probe to judge that
        pass
    return facts


def _is_plain(declared: object) -> bool:
    """Whether this can be sent to the harness, which will say whether it makes sense."""
    return isinstance(declared, dict) and all(
        isinstance(name, str) and isinstance(value, bool | int | str) for name, value in declared.items()
    )


def _assumed(blueprint: Blueprint, executor: Any) -> dict[str, Any]:  # noqa: ANN401 - an executor of whatever class
    """What is taken for granted of an executor that does not survive its first task."""
    ancestors = _ancestors(executor)
    kinds = [kind for kind in ("process", "interpreter") if f"concurrent.futures.{kind}" in ancestors]
    return {
        "kind": (kinds or ["thread"])[0],
        "inline": False,
        "breaks": "concurrent.futures.process" in ancestors,
        "capabilities": sorted(_capabilities(blueprint, executor)),
        "components": _components(blueprint, executor, None, ()),
    }


def _ancestors(executor: Any) -> set[str]:  # noqa: ANN401 - as above
    """The modules of the classes it derives from: a `ProcessPoolExecutor` promises what that class does."""
    return {each.__module__ for each in type(executor).__mro__}


def _look(blueprint: Blueprint, executor: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """What one task shows."""
    puppet.visited.clear()
    future = executor.submit(puppet.whereabouts)
    pid, thread, frames = _where(future)
    kind = "process" if pid != os.getpid() else "thread" if puppet.visited else "interpreter"
    if kind == "interpreter":  # the task sees the frames of its own interpreter only
        frames += puppet.functions(sys._current_frames().get(thread))  # noqa: SLF001 - there is no public way
    return {
        "kind": kind,
        "inline": pid == os.getpid() and thread == threading.get_ident(),
        "breaks": "concurrent.futures.process" in _ancestors(executor),
        "capabilities": sorted(_capabilities(blueprint, executor)),
        "components": _components(blueprint, executor, future, frames),
    }


def _where(future: Any) -> tuple[int, int, tuple[str, ...]]:  # noqa: ANN401 - a future of whatever class
    """Where the first task ran; a faulty executor may answer anything: it is to be tested, not refused."""
    answer: object = None
    with contextlib.suppress(Exception):
        answer = future.result()  # the harness outside sees when that is pointless
    if isinstance(answer, tuple) and len(answer) == len(puppet.NOWHERE):
        return answer
    puppet.visit.wait(1.0)  # one that answers too early is still on its way
    return puppet.visited[0] if puppet.visited else puppet.NOWHERE


def _capabilities(blueprint: Blueprint, executor: Any) -> set[str]:  # noqa: ANN401 - as above
    parameters = _parameters(blueprint.factory)
    found = {name for name in _OPTIONS if name in parameters}
    found |= {"cancel_futures"} & set(_parameters(executor.shutdown))
    found |= {
        f"map_{name}" for name in ("timeout", "chunksize", "buffersize") if name in _parameters(executor.map)
    }
    if getattr(type(executor), "map", None) is not concurrent.futures.Executor.map:
        found.add("map_in_chunks")  # the base class takes a chunksize and ignores it
    return found


def _parameters(function: Any) -> frozenset[str]:  # noqa: ANN401 - any callable
    """The parameter names; of a class that passes ``**options`` on, those of its bases as well."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return frozenset()
    names = set(signature.parameters)
    passes_on = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    if passes_on and isinstance(function, type) and function.__base__ is not None:
        names |= _parameters(function.__base__)
    return frozenset(names)


def _components(blueprint: Blueprint, executor: Any, future: Any, frames: tuple[str, ...]) -> dict[str, str]:  # noqa: ANN401
    """Who keeps each promise: CPython's function objects or the subject's own."""
    process = importlib.import_module("concurrent.futures.process") if _has_processes() else None
    maps = {concurrent.futures.Executor.map}
    if process is not None:
        maps.add(process.ProcessPoolExecutor.map)
    owners = {
        "Future": all(_asks_cpython(type(future), name) for name in ("result", "exception")),
        "wait": blueprint.wait is concurrent.futures.wait,
        "as_completed": blueprint.as_completed is concurrent.futures.as_completed,
        "Executor.map": getattr(type(executor), "map", None) in maps,
        "thread pool": not {"concurrent.futures.thread:run", "concurrent.futures.thread:_worker"}.isdisjoint(
            frames
        ),
        "process pool": "concurrent.futures.process:_process_worker" in frames,
    }
    return {name: "cpython" if ours else "own" for name, ours in owners.items()}


def _asks_cpython(cls: type, name: str) -> bool:
    """Whether this method of a class of futures is CPython's, or overridden by one that calls it in the end.

    A subclass that locks or counts around the outcome, or cancels in its own way, hands it out as they do.
    """
    theirs: object = getattr(concurrent.futures.Future, name)
    for each in cls.__mro__:
        method = vars(each).get(name)
        if method is theirs:
            return True
        if method is not None and name not in getattr(getattr(method, "__code__", None), "co_names", ()):
            return False
    return False


def _has_processes() -> bool:
    try:
        importlib.import_module("concurrent.futures.process")
    except ImportError:
        return False
    return True


def _sentence(error: BaseException) -> str:
    text = traceback.format_exception_only(type(error), error)[-1].strip()
    return text if len(text) <= _LONGEST_SENTENCE else text[: _LONGEST_SENTENCE - 3] + "..."
