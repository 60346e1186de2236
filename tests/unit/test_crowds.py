"""Crowds: what befalls a pool with more tasks than it takes on, and what the client can still see of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness.generation.composer import AMPLE
from harness.generation.crowds import DEEPEST
from harness.generation.draw import draw
from harness.generation.themes import LATER, themes_for
from harness.values import operation as op
from tests.unit.test_draw import PROCESSES

if TYPE_CHECKING:
    from harness.values.program import Program

_SHAPE: Final = replace(
    PROCESSES, lanes=1, prefetch=5, capabilities=PROCESSES.capabilities | {"map_chunksize"}
)
_PROGRAMS: Final = [program for seed in (7, 8, 9) for program in draw("crowds", _SHAPE, seed, 80)]
_PAIR: Final = 2  # items of a chunk of which one is the first and one the last
_CLOSING: Final = op.Shutdown(executor="e0", wait=False, cancel_futures=True)


def _looks_after_cancelling(program: Program) -> bool:
    """Whether one task goes through and is read, and others are held, after a cancelling shutdown."""
    steps = program.lanes[0].operations
    closing = [place for place, step in enumerate(steps) if step == _CLOSING]
    return any(
        isinstance(gate, op.Open) and isinstance(read, op.Result) and read.timeout == AMPLE
        for place in closing
        for gate, read in zip(steps[place + 1 :], steps[place + 2 :], strict=False)
    )


def test_crowds_are_larger_than_what_is_on_its_way() -> None:
    """Some tasks are still queued when all that a pool may have claimed is with workers or on its way."""
    assert all(len(each.tasks) > each.pools[0].workers + _SHAPE.prefetch for each in _PROGRAMS)


def test_a_pool_that_takes_on_hundreds_of_tasks_is_not_filled_up() -> None:
    """A program of a thousand operations is run and reduced for minutes, and a theme has seconds."""
    programs = draw("crowds", replace(_SHAPE, prefetch=1000), 7, 20)
    assert max(len(each.tasks) for each in programs) < 3 * DEEPEST


def test_a_client_looks_after_a_cancelling_shutdown() -> None:
    """Otherwise a pool that cancels nothing looks like one that cancels a little late."""
    assert sum(map(_looks_after_cancelling, _PROGRAMS)) * 10 > len(_PROGRAMS)


def test_the_death_of_any_worker_is_waited_for() -> None:
    """A pool that watches only its first worker is found out by who waits for another, without a timeout."""
    awaited = {
        step.task
        for each in _PROGRAMS
        for place, step in enumerate(each.lanes[0].operations)
        if isinstance(step, op.Kill) and step.task is not None
        and op.Result(future=f"f{step.task[1:]}") in each.lanes[0].operations[place:]
    }  # fmt: skip
    assert {"t0", "t1"} <= awaited


def test_crowds_are_mapped_in_chunks() -> None:
    """Of more than two items, and of more than one chunk: what is lost or turned round there shows."""
    maps = [step for each in _PROGRAMS for step in each.lanes[0].operations if isinstance(step, op.Map)]
    assert any(_PAIR < step.chunksize < len(step.tasks) for step in maps)


def test_crowds_are_for_the_longer_profiles() -> None:
    """They need one lane: a client that knows which tasks are held."""
    assert "crowds" in LATER
    assert "crowds" in themes_for(_SHAPE)
    assert "crowds" not in themes_for(PROCESSES) + themes_for(_SHAPE, later=False)
