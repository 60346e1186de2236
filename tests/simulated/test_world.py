"""The world: the same schedule gives the same run, races are found, and nothing of it leaks out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from traceback import FrameSummary
from typing import TYPE_CHECKING

import pytest

from harness.arenas.simulated import backends
from harness.arenas.simulated.deadlock import carried
from harness.arenas.simulated.strategies.portfolio import standard_portfolio
from harness.arenas.simulated.strategies.replay import Guided, Replay
from harness.arenas.simulated.world import World
from harness.values import operation as op
from harness.values.history import Answered, Finished, Leftover, Started, Stuck, Uncaught
from harness.values.outcome import Raised, Submitted
from harness.values.program import Lane, Program, Script
from tests.simulated.worlds import BUSY, KILL, POOLS, make_run, trace

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@NEEDS_GREENLETS
@pytest.mark.parametrize("pool", POOLS)
def test_both_backends_tell_the_same_of_a_deadlock(pool: str) -> None:
    """The stacks of those who wait are those of the simulated threads, whatever carries them."""
    program = Program(
        tasks=(Script(task="t0", gates=("g0",)),),
        lanes=(Lane(operations=(op.Submit(executor="e0", future="f0", task="t0"), op.Result(future="f0"))),),
    )
    told = set()
    for backend in (backends.Greenlets, backends.Threads):
        world = World(pool, backend=backend)
        run = make_run(world, program, Guided(), 0)
        world.close()
        assert run.ending == "deadlock"
        told.add(run.events)
    assert len(told) == 1


def test_a_stack_is_what_the_world_carries() -> None:
    """Neither how a real thread came to carry it, nor that it is just starting another one."""
    own = "harness/arenas/simulated/backends.py"
    files = ["threading.py", own, "subject.py", own, "lock.py", own, "threading.py"]
    stack = [FrameSummary(file, 1, "call") for file in files]
    assert [each.filename for each in carried(stack)] == ["subject.py", "lock.py"]
    assert not carried([FrameSummary("threading.py", 1, "call")])


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


def _held_then(*steps: op.Operation) -> Program:
    """One task that is held at g0, and what comes then."""
    submit = op.Submit(executor="e0", future="f0", task="t0")
    return Program(
        tasks=(Script(task="t0", gates=("g0",)),), lanes=(Lane(operations=(submit, *steps)),)
    )  # fmt: skip


def test_an_hour_passes_at_once(world: World) -> None:
    """Time is virtual: a timeout of an hour is due when nothing else can go on, and not earlier than that."""
    program = _held_then(op.Result(future="f0", timeout=3600.0))
    run = make_run(world, program, Guided(), 0)
    answer = next(event for event in run.events if isinstance(event, Answered) and event.call == 1)
    assert isinstance(answer.outcome, Raised)
    assert answer.outcome.error == "TimeoutError"
    assert answer.at > 3600 * 10**9


def test_a_gate_that_is_opened_twice_wakes_nobody_else(world: World) -> None:
    """Whoever went through a gate waits for something else by then: opening it again is nothing to them."""
    program = _held_then(op.Open(gate="g0"), op.Result(future="f0"))
    strategy = standard_portfolio()
    for seed in range(30):
        run = make_run(world, program, strategy, seed)
        assert run.ending == "done"
        assert not [event for event in run.events if isinstance(event, Uncaught)]


def test_tasks_meet(world: World) -> None:
    """Each of two tasks opens the gate at which the other waits."""
    program = Program(
        tasks=(
            Script(task="t0", gates=("g1",), opens=("g0",)), Script(task="t1", gates=("g0",), opens=("g1",)),
        ),
        lanes=(
            Lane(
                operations=(
                    op.Submit(executor="e0", future="f0", task="t0"),
                    op.Submit(executor="e0", future="f1", task="t1"),
                    op.Result(future="f0"),
                )
            ),
        ),
    )  # fmt: skip
    strategy = standard_portfolio()
    for seed in range(30):
        run = make_run(world, program, strategy, seed)
        met = next(event.at for event in run.events if isinstance(event, Answered) and event.call == 2)  # noqa: PLR2004 - the third
        starts = [event.at for event in run.events if isinstance(event, Started)]
        finishes = [event.at for event in run.events if isinstance(event, Finished)]
        assert max(starts) < min(finishes) < met


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


def test_a_worker_that_polls_is_given_time_to_see_that_it_may_go() -> None:
    """Threads of a forgotten executor that look for work every now and then are not left behind."""
    steps = (
        op.Submit(executor="e0", future="f0", task="t0"),
        op.Result(future="f0"),
        op.Forget(executor="e0"),
    )
    program = Program(tasks=(Script(task="t0"),), lanes=(Lane(operations=steps),))
    world, strategy = World("tests.safe.executors:Slow"), standard_portfolio()
    left = [
        event
        for seed in range(20)
        for event in make_run(world, program, strategy, seed).events
        if isinstance(event, Leftover)
    ]
    world.close()
    assert not left


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Listens", "socket.socket cannot be controlled by the simulated world"),
        (
            "HandlesSIGTERM",
            "a handler of SIGTERM cannot be simulated: who is terminated ends at once in this world",
        ),
    ],
)
def test_what_cannot_be_controlled_ends_the_run(name: str, sentence: str) -> None:
    """A refusal is a sentence, even if the subject catches everything."""
    world = World(f"tests.simulated.uncontrolled:{name}")
    run = make_run(world, BUSY, Guided(), 0)
    world.close()
    assert run.ending == "uncontrolled"
    assert run.detail == sentence


def test_a_module_in_c_is_not_there() -> None:
    """Whoever can do without does so, as on a machine where it was not built."""
    world = World("tests.simulated.uncontrolled:FallsBack")
    run = make_run(world, BUSY, Guided(), 0)
    world.close()
    answers = [each.outcome for each in run.events if isinstance(each, Answered)]
    assert answers.count(Submitted(is_future=True)) == 3  # noqa: PLR2004 - the tasks of the program


def test_what_is_imported_in_a_run_is_there_in_the_next() -> None:
    """Its locks are locks, and its counters start anew, as if it had been imported before the first run."""
    world = World("tests.simulated.uncontrolled:ImportsLate")
    runs = [make_run(world, BUSY, Guided(), 0) for _ in range(3)]
    world.close()
    assert any(isinstance(each, Started) and each.name.startswith("late-0") for each in runs[0].events)
    assert runs[0].events == runs[1].events == runs[2].events
    assert not any(isinstance(each.outcome, Raised) and each.outcome.error == "AssertionError"
                   for each in runs[2].events if isinstance(each, Answered))  # fmt: skip


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
