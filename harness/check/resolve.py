"""From an import path to a subject: what a probe in a sacrificial child found, and what follows from it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.generation.composer import Shape
from harness.values.subject import Subject

if TYPE_CHECKING:
    from harness.arenas.real.arena import RealArena

_ALIASES = {
    "concurrent.futures:ThreadPoolExecutor": "stdlib.thread",
    "concurrent.futures:ProcessPoolExecutor": "stdlib.process",
}
STANDARD = tuple(_ALIASES)
"""The import paths that a run without ``--executor`` checks."""

_SPARE = (
    2  # beyond one queued call per worker: the one extra call, and one being moved (gh: EXTRA_QUEUED_CALLS)
)
_WORKERS = 3  # the largest pool that programs make


def resolve(arena: RealArena, target: str, *, fifo: bool = True) -> Subject:
    """Probe an executor class.

    Raises:
        SubjectError: it cannot be imported, built or used; the message is one sentence for the user.
    """
    found = arena.probe(target)
    kind = found["kind"]
    cpython_pool = found["components"].get("process pool") == "cpython"
    return Subject(
        name=_ALIASES.get(target, target),
        target=target,
        kind=kind,
        prefetch=_WORKERS + _SPARE if kind == "process" else 0,
        inline=found["inline"],
        fifo=fifo,
        death="breaks" if cpython_pool else "undefined",
        capabilities=tuple(found["capabilities"]),
        components=tuple(sorted(found["components"].items())),
        version=".".join(map(str, sys.version_info[:3])),
    )


def shape_of(subject: Subject) -> Shape:
    """What programs for this subject may contain."""
    starts: tuple[str | None, ...] = (None,)
    if subject.kind == "process" and "mp_context" in subject.capabilities:
        starts = ("fork",) * 10 + ("forkserver", "spawn")
    return Shape(
        kind=subject.kind,
        inline=subject.inline,
        prefetch=subject.prefetch,
        starts=starts,
        capabilities=frozenset(subject.capabilities),
        dies=subject.kind == "process",
    )
