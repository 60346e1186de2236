"""Litmus programs: the world shows what can happen and nothing else, and reality nothing beyond that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from harness.arenas.simulated import backends
from harness.arenas.simulated.strategies.portfolio import standard_portfolio
from tests.simulated import litmus_processes, litmus_threads
from tests.simulated.litmus_world import Stage

if TYPE_CHECKING:
    import types

    from harness.arenas.simulated.actor import Strategy
    from tests.simulated.litmus import Litmus

PROGRAMS: Final = (*litmus_threads.CATALOGUE.programs, *litmus_processes.CATALOGUE.programs)

_MOST: Final = 20_000 if backends.greenlet is not None else 150  # schedules; threads are slower by far
_FEW: Final = 20  # runs with processes
_MANY: Final = 40  # runs with threads


@cache
def stage() -> Stage:
    """One world for all."""
    return Stage()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_the_world_shows_what_can_happen(program: Litmus) -> None:
    """All schedules within bounds have exactly the outcomes that the program can have.

    Where there is no greenlet, the first schedules have no others, and all if these are all.
    """
    outcomes, all_of_them = stage().explore(program, backends.best, _MOST)
    assert outcomes <= program.outcomes
    if all_of_them or backends.greenlet is not None:
        assert all_of_them
        assert outcomes == program.outcomes


@pytest.mark.parametrize(
    ("catalogue", "count"), [(litmus_threads, _MANY), (litmus_processes, _FEW)], ids=["threads", "processes"]
)
def test_reality_shows_nothing_else(catalogue: types.ModuleType, count: int) -> None:
    """Real threads and processes have outcomes that the world has as well."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulated.litmus_real"]
    command += [catalogue.__name__, str(count)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr
    seen: dict[str, dict[str, int]] = json.loads(done.stdout)
    programs = {each.name: each for each in PROGRAMS}
    for litmus, counts in seen.items():
        expected = {repr(outcome) for outcome in programs[litmus].outcomes}
        assert set(counts) <= expected, litmus
        assert sum(counts.values()) == (count if programs[litmus].real else 0)


@pytest.mark.skipif(backends.greenlet is None, reason="there is no greenlet for this Python")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_both_backends_make_the_same_steps(program: Litmus) -> None:
    """A seed gives the same run, step by step, on greenlets and on threads."""
    runs = []
    for backend in (backends.Greenlets, backends.Threads):
        strategy = standard_portfolio()  # which takes turns with its parts
        runs.append([_one_run(program, strategy, seed, backend()) for seed in range(6)])
    assert runs[0] == runs[1]


def _one_run(program: Litmus, strategy: Strategy, seed: int, backend: backends.Backend) -> tuple[object, ...]:
    strategy.begin(seed)
    outcome, trace = stage().play(program, strategy, backend)
    return outcome, trace.log, trace.schedule()


def test_most_programs_are_run_for_real() -> None:
    """Only those that can hang are not."""
    unreal = [program for program in PROGRAMS if not program.real]
    assert len(PROGRAMS) >= 60  # noqa: PLR2004 - the catalogue may only grow
    assert len(unreal) * 8 <= len(PROGRAMS)
