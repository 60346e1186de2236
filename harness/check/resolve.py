"""From an import path to a subject: what a probe in a sacrificial child found, and what follows from it."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from harness.arenas.real.arena import Patience, SubjectError
from harness.check.declared import declared_by
from harness.generation.composer import Shape
from harness.specs import load_capabilities
from harness.values.history import Quiet
from harness.values.operation import Open, Submit
from harness.values.program import Lane, Pool, Program, Script
from harness.values.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.arenas.real.arena import RealArena
    from harness.check.finding import ArenaName
    from harness.values.rule import CapabilityValue
    from harness.values.subject import DeathModel

_CLASSES = {"thread": "ThreadPoolExecutor", "process": "ProcessPoolExecutor"}
if sys.version_info >= (3, 14) and importlib.util.find_spec("_interpreters") is not None:
    _CLASSES["interpreter"] = "InterpreterPoolExecutor"
_ALIASES = {
    f"{module}:{name}": f"{family}.{kind}"
    for family, module in (("reference", "reference_executor"), ("stdlib", "concurrent.futures"))
    for kind, name in _CLASSES.items()
}
STANDARD = tuple(_ALIASES)
"""The import paths that a run without ``--executor`` checks: the reference, then the standard library."""

_SPOKEN_OF = frozenset({
    "cancel_futures", "initializer", "map_chunksize", "map_timeout", "max_tasks_per_child",
    "thread_name_prefix",
})  # fmt: skip
"""The capabilities that programs make use of; executors that differ in others have the same shape."""

_SPARE = 2  # queued calls beyond one per worker: the extra one, and one that is being moved
_LANES = 3  # client threads of a program, at most
_WORKERS = 3  # the largest pool that programs make


def peers_of(subject: Subject) -> tuple[str, ...]:
    """The import paths of what an executor is compared with: the reference and the standard library's."""
    return tuple(
        target
        for target, name in _ALIASES.items()
        if name.endswith(f".{subject.kind}") and target != subject.target
    )


def resolve(arena: RealArena, target: str, *, fifo: bool = True) -> Subject:
    """Probe an executor class; what its maintainer declares comes before what was found out.

    Raises:
        SubjectError: it cannot be imported, built or used, or declares what makes no sense; the message is
            one sentence for the user.
    """
    found = arena.probe(target)
    kind = found["kind"]
    said = declared_by(target, found["declared"], load_capabilities())
    breaks = found["breaks"] or found["components"].get("process pool") == "cpython"
    seen: DeathModel = "breaks" if breaks else "undefined"
    subject = Subject(
        name=_ALIASES.get(target, target),
        target=target,
        kind=kind,
        prefetch=int(said.get("prefetch", _WORKERS + _SPARE if kind == "process" else 0)),
        inline=bool(said.get("runs_inline", found["inline"])),
        fifo=fifo and said.get("order", "fifo") == "fifo",
        death=cast("DeathModel", said.get("death", seen)),
        capabilities=tuple(sorted(_capabilities(set(found["capabilities"]), said))),
        components=tuple(sorted(found["components"].items())),
        version=".".join(map(str, sys.version_info[:3])),
    )
    return subject if subject.inline else replace(subject, single=_is_single(arena, subject))


def _capabilities(found: set[str], said: Mapping[str, CapabilityValue]) -> set[str]:
    """The flags that are up: those that were found, unless they were declared to be down."""
    up = {name for name, value in said.items() if value is True}
    down = {name for name, value in said.items() if value is False}
    return (found | up) - down


def _is_single(arena: RealArena, subject: Subject) -> bool:
    """Whether the executor has one worker whatever it is asked for: of three tasks for three it starts one.

    One that starts two is not excused: it lacks a worker, and POOL-02 says so.
    """
    scripts = tuple(Script(task=f"t{number}", gates=("g0",)) for number in range(_WORKERS))
    submits = tuple(
        Submit(executor="e0", future=f"f{number}", task=f"t{number}") for number in range(_WORKERS)
    )
    program = Program(
        pools=(Pool(workers=_WORKERS),), tasks=scripts, lanes=(Lane(operations=(*submits, Open(gate="g0"))),)
    )
    try:
        history = arena.run(subject, program, Patience())
    except SubjectError:
        return False
    inside = [event for event in history.events if isinstance(event, Quiet)]
    return bool(inside) and all(event.held == 1 for event in inside)


def shape_of(subject: Subject, arena: ArenaName = "real") -> Shape:
    """What programs for this subject may contain; several lanes are for the simulated arena only."""
    starts: tuple[str | None, ...] = (None,)
    if subject.kind == "process" and "mp_context" in subject.capabilities:
        starts = ("fork",) * 10 + ("forkserver", "spawn")
    return Shape(
        kind=subject.kind,
        inline=subject.inline,
        lanes=_LANES if arena == "simulated" else 1,
        prefetch=subject.prefetch,
        starts=starts,
        capabilities=_SPOKEN_OF.intersection(subject.capabilities),
        dies=subject.kind == "process",
        leaves=arena == "real",
        single=subject.single,
    )
