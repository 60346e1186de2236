"""The world: the same schedule gives the same run, races are found, and nothing of it leaks out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from harness.arenas.simulated import backends
from harness.arenas.simulated.strategies.portfolio import standard_portfolio
from harness.arenas.simulated.strategies.replay import Guided, Replay
from harness.arenas.simulated.world import World
from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.history import Answered, CalledBack, Started, Stuck
from harness.values.outcome import Raised, Returned
from harness.values.program import Lane, Program, Script
from tests.simulated.planted import CALLBACK, CANCEL, PLANTS, SHUTDOWN, WAIT, Plant
from tests.simulated.worlds import BUSY, KILL, POOLS, make_run, trace
from tests.unit.story import an_executor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.arenas.simulated.world import Run
    from harness.values.schedule import Schedule

NEEDS_GREENLETS = pytest.mark.skipif(
    backends.greenlet is None, reason="there is only one backend without greenlets"
)


@pytest.fixture(params=POOLS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world for each pool."""
    made = World(request.param)
    yield made
    made.close()


@NEEDS_GREENLETS
@pytest.mark.parametrize("granularity", ["synchronisation", "statement", "access"])
@pytest.mark.parametrize("pool", POOLS)
def test_both_backends_make_the_same_runs(pool: str, granularity: str) -> None:
    """Greenlets and threads take the same steps, and see the same."""
    assert trace(pool, "greenlets", granularity, 6) == trace(pool, "threads", granularity, 6)


def test_a_fresh_process_makes_the_same_runs() -> None:
    """Neither the hash seed nor the process matters."""
    traces = {_trace_elsewhere(seed, "greenlets") for seed in ("1", "2", "random")}
    assert len(traces) == 1
    assert len(traces.pop().splitlines()) == 6 * (len(POOLS) + 2)


def _trace_elsewhere(hash_seed: str, backend: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.simulated.worlds", backend, "synchronisation", "6"]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout  # noqa: S603


def test_a_schedule_brings_its_run_back(world: World) -> None:
    """The decisions that a run has noted lead to the same run."""
    strategy = standard_portfolio()
    for seed in range(30):
        first = make_run(world, BUSY, strategy, seed)
        schedule = type(first.trace.schedule()).from_text(first.trace.schedule().to_text())
        again = make_run(world, BUSY, Replay(schedule), 0)
        assert again.trace.digest() == first.trace.digest()
        assert again.events == first.events


def test_a_schedule_of_something_else_diverges(world: World) -> None:
    """A decision that is not possible ends the run, and is named."""
    schedule = type(make_run(world, BUSY, standard_portfolio(), 0).trace.schedule()).from_text("1:3P9")
    run = make_run(world, BUSY, _Lenient(schedule), 0)
    assert run.ending == "diverged"
    assert "P9 should go next" in run.detail


class _Lenient(Replay):
    """A replay that does not insist at the end."""

    def end(self, steps: int, choices: int) -> None:
        """Say nothing."""


def test_an_hour_passes_at_once(world: World) -> None:
    """Time is virtual: a timeout of an hour is due when nothing else can go on, and not earlier than that."""
    program = Program(
        tasks=(Script(task="t0", gates=("g0",)),),
        lanes=(
            Lane(
                operations=(
                    op.Submit(executor="e0", future="f0", task="t0"),
                    op.Result(future="f0", timeout=3600.0),
                )
            ),
        ),
    )
    run = make_run(world, program, Guided(), 0)
    answer = next(event for event in run.events if isinstance(event, Answered) and event.call == 1)
    assert isinstance(answer.outcome, Raised)
    assert answer.outcome.error == "TimeoutError"
    assert answer.at > 3600 * 10**9


def test_a_killed_worker_takes_the_lock_to_its_grave() -> None:
    """A worker that is killed as shutdown begins can leave CPython's process pool waiting for ever."""
    world = World("concurrent.futures:ProcessPoolExecutor")
    strategy = standard_portfolio()
    stuck = [
        run
        for run in (make_run(world, KILL, strategy, seed) for seed in range(600))
        if run.ending == "deadlock"
    ]
    world.close()
    assert any(
        "had it, which was killed" in event.stacks
        for run in stuck
        for event in run.events
        if isinstance(event, Stuck)
    )


def test_a_worker_that_is_killed_harms_nobody_in_the_reference() -> None:
    """The reference pool shares no lock with its workers."""
    world = World("reference_executor:ProcessPoolExecutor")
    strategy = standard_portfolio()
    endings = {make_run(world, KILL, strategy, seed).ending for seed in range(300)}
    world.close()
    assert endings == {"done"}


def _shows(plant: Plant, run: Run) -> bool:
    """Whether a run shows the fault; what the rules say of it is for other tests."""
    calls = {(event.lane, event.call): event.outcome for event in run.events if isinstance(event, Answered)}
    if plant is CANCEL:
        ran = any(event.task == "t1" for event in run.events if isinstance(event, Started))
        return ran and calls.get((0, 2)) == Returned(value="True")
    if plant is CALLBACK:
        return not any(isinstance(event, CalledBack) for event in run.events)
    assert plant in (SHUTDOWN, WAIT)
    return run.ending == "deadlock"


def _search(world: World, plant: Plant) -> Run | None:
    strategy = standard_portfolio()
    runs = (make_run(world, plant.program, strategy, seed) for seed in range(300))
    return next((run for run in runs if _shows(plant, run)), None)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Garden]:
    """Copies of the standard library, put in front of it."""
    garden = _Garden(tmp_path, monkeypatch)
    yield garden
    for each in garden.worlds:
        each.close()


class _Garden:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.worlds: list[World] = []
        self._folder = folder
        self._monkeypatch = monkeypatch

    def world(self, plant: Plant, *, mended: bool = False, edit: str = "") -> World:
        """A world of a copy, perhaps with some more text at the beginning of a file."""
        folder = plant.put(self._folder / str(len(self.worlds)), mended=mended)
        file = folder / "concurrent" / "futures" / plant.file
        file.write_text(edit + file.read_text())
        with self._monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            made = World("concurrent.futures:ThreadPoolExecutor")
        self.worlds.append(made)
        return made


@pytest.mark.parametrize("plant", PLANTS, ids=["cancel", "shutdown", "callback", "wait"])
def test_planted_races_are_found_and_only_they(planted: _Garden, plant: Plant) -> None:
    """A missing lock shows within some hundred schedules, and never once it is there."""
    found = _search(planted.world(plant), plant)
    assert found is not None
    assert _search(planted.world(plant, mended=True), plant) is None
    # After an edit elsewhere in the file, its schedule finds it again; after the repair it does not.
    schedule: Schedule = found.trace.schedule()
    edited = planted.world(
        plant, edit="\n".join(f"UNRELATED_{number} = {number}" for number in range(10)) + "\n"
    )
    assert _shows(plant, make_run(edited, plant.program, Guided(schedule.decisions), 0))
    mended = planted.world(plant, mended=True)
    assert not _shows(plant, make_run(mended, plant.program, Guided(schedule.decisions), 0))


def test_the_planted_cancel_breaks_its_rule_and_only_where_it_shows(planted: _Garden) -> None:
    """A task that starts while cancel() says True: FUT-08, without any shutdown that would tell of it."""
    world = planted.world(CANCEL)
    subject, rules = an_executor(), load_rules()
    strategy = standard_portfolio()
    runs = [make_run(world, CANCEL.program, strategy, seed) for seed in range(300)]
    blamed = [
        "FUT-08" in {each.rule for each in judge(run.history, subject, rules).witnesses} for run in runs
    ]
    assert any(blamed)
    assert blamed == [_shows(CANCEL, run) for run in runs]


def test_what_cannot_be_controlled_ends_the_run() -> None:
    """A refusal is a sentence, even if the subject catches everything."""
    world = World("tests.simulated.uncontrolled:Listens")
    run = make_run(world, BUSY, Guided(), 0)
    world.close()
    assert run.ending == "uncontrolled"
    assert run.detail == "socket.socket cannot be controlled by the simulated world"


def test_nothing_leaks_out() -> None:
    """The real modules stay as they are, and no thread stays behind, whatever was left in the world."""
    before = (threading.Lock, threading.Thread, os.getpid, threading.active_count())
    world = World("concurrent.futures:ProcessPoolExecutor", backend=backends.Threads)
    for seed in range(20):
        make_run(world, KILL, standard_portfolio(), seed)
    world.close()
    assert before[:3] == (threading.Lock, threading.Thread, os.getpid)
    left = [thread for thread in threading.enumerate() if "_Baton" in repr(thread) or "_live" in thread.name]
    for thread in left:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in left)
