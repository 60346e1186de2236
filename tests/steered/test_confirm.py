"""A simulated failure is seen on real threads nearly every time; one that was mended never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from harness.arenas.real.arena import Patience
from harness.arenas.simulated.strategies.replay import Guided, Replay
from harness.arenas.simulated.strategies.sticky import Sticky
from harness.arenas.simulated.switches import beyond_a_gil
from harness.arenas.simulated.world import World
from harness.arenas.steered.order import order_of
from harness.check.confirm import Confirmation, confirm
from harness.check.shrink_schedule import shrink_schedule
from harness.values import operation as op
from harness.values.history import Answered, Called, History, Leftover, Slow, Stuck
from harness.values.program import Lane, Pool, Program, Script, epilogue
from harness.values.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.world import Run
    from harness.arenas.steered.arena import SteeredArena
    from harness.values.granularity import Granularity
    from harness.values.schedule import Schedule

    Steered = Callable[[Granularity], SteeredArena]

RACY = "tests.steered.racy:"
FIRST, SECOND = (op.Submit(executor="e0", future=f"f{n}", task=f"t{n}") for n in range(2))
SHUTDOWN = op.Shutdown(executor="e0")
RACES: dict[str, tuple[Granularity, Program]] = {
    "Submit": (
        "synchronisation",
        Program(
            pools=(Pool(workers=1),),
            tasks=(Script(task="t0"),),
            lanes=(Lane(operations=(FIRST,)), Lane(operations=(SHUTDOWN,))),
        ),
    ),
    "Count": (
        "statement",
        Program(
            pools=(Pool(workers=1),),
            tasks=(Script(task="t0"), Script(task="t1")),
            lanes=(Lane(operations=(FIRST,)), Lane(operations=(SECOND,))),
        ),
    ),
}
BROKEN = {"Submit": "LateSubmit", "Count": "LostCount"}
TRIES = 3


def _subject(name: str, kind: Literal["thread", "process"] = "thread") -> Subject:
    return Subject(name=name, target=name if ":" in name else RACY + name, kind=kind)


def _hangs(history: History) -> bool:
    return any(isinstance(event, Stuck) for event in history.events)


def _fails(world: World, program: Program, schedule: Schedule) -> Schedule | None:
    follow = Guided(schedule.decisions)
    follow.begin(0)
    run = world.run(program, follow)
    return run.trace.schedule() if run.ending == "deadlock" else None


def _smallest_failure(world: World, program: Program) -> Run:
    """The run of a shrunk schedule that fails."""
    strategy = Sticky()
    for seed in range(1000):
        strategy.begin(seed)
        run = world.run(program, strategy)
        if run.ending == "deadlock":
            break
    else:
        raise AssertionError("the planted race was not found")
    shrunk = shrink_schedule(run.trace.schedule(), lambda each: _fails(world, program, each))
    replay = Replay(shrunk.schedule)
    replay.begin(0)
    return world.run(program, replay)


@pytest.fixture(scope="module", params=RACES)
def race(request: pytest.FixtureRequest) -> tuple[str, Run]:
    """The name of a race, and its smallest failing run in the simulated world."""
    granularity, program = RACES[request.param]
    world = World(RACY + BROKEN[request.param], granularity=granularity)
    try:
        return request.param, _smallest_failure(world, program)
    finally:
        world.close()


def test_a_race_is_confirmed(steered: Steered, race: tuple[str, Run]) -> None:
    """Real threads that are held at the points of the schedule fail as the simulated ones did."""
    name, run = race
    arena = steered(RACES[name][0])
    found = confirm(arena, _subject(BROKEN[name]), run.program, run.trace.steps(), _hangs, tries=TRIES)
    assert found.tried == TRIES
    assert found.confirmed >= TRIES - 1


def test_a_mended_race_is_never_confirmed(steered: Steered, race: tuple[str, Run]) -> None:
    """With the lock in its place, the same order of operations cannot be forced on real threads."""
    name, run = race
    arena = steered(RACES[name][0])
    found = confirm(arena, _subject(f"Mended{name}"), run.program, run.trace.steps(), _hangs, tries=TRIES)
    assert found == Confirmation(confirmed=0, tried=TRIES)
    assert str(found) == "simulated only"


def _came_to_its_end(history: History) -> bool:
    """Whether every call of all lanes and of the epilogue was made and answered, and nothing was wrong."""
    lanes = history.program.lanes
    steps = sum(len(lane.operations) for lane in lanes) + len(epilogue(history.program))
    answered = sum(isinstance(each, Answered) for each in history.events)
    called = sum(isinstance(each, Called) for each in history.events)
    wrong = [each for each in history.events if isinstance(each, Stuck | Slow | Leftover)]
    return called == answered == steps and not wrong


POOLS: list[tuple[str, Literal["thread", "process"]]] = [
    (f"{module}:{kind.capitalize()}PoolExecutor", kind)
    for module in ("concurrent.futures", "reference_executor")
    for kind in ("thread", "process")
]


@pytest.mark.parametrize(("target", "kind"), POOLS)
@pytest.mark.parametrize("granularity", ["synchronisation", "statement"])
def test_a_run_of_a_correct_pool_is_followed_to_its_end(
    steered: Steered, target: str, kind: Literal["thread", "process"], granularity: Granularity
) -> None:
    """Real threads and forked workers announce what simulated ones do: nothing is missed in a calm run."""
    program = Program(
        pools=(Pool(workers=1, start="fork" if kind == "process" else None),),
        tasks=(Script(task="t0", gates=("g0",)), Script(task="t1")),
        lanes=(
            Lane(
                operations=(FIRST, SECOND, op.Open(gate="g0"), op.Result(future="f1", timeout=None), SHUTDOWN)
            ),
        ),
    )
    world = World(target, granularity=granularity)
    calm = Guided()
    calm.begin(0)
    run = world.run(program, calm)
    world.close()
    arena = steered(granularity)
    history = arena.follow(_subject(target, kind), program, Patience(), order_of(program, run.trace.steps()))
    assert _came_to_its_end(history)
    assert arena.missed == 0


def test_noise_changes_no_outcome_of_a_correct_pool(steered: Steered) -> None:
    """Threads that wait at random points come to the same end, with each seed and in the same child."""
    arena = steered("statement")
    _, program = RACES["Submit"]
    for seed in range(3):
        history = arena.run(
            _subject("concurrent.futures:ThreadPoolExecutor"), program, Patience(), noise_seed=seed
        )
        assert _came_to_its_end(history)


def test_a_decision_that_needs_a_free_threaded_build_is_named(race: tuple[str, Run]) -> None:
    """A switch between the read and the write of two plain statements is none that a GIL build makes."""
    name, run = race
    world = World(RACY + BROKEN[name], granularity=RACES[name][0])
    schedule, points = run.trace.schedule(), world.points
    world.close()
    beyond = beyond_a_gil(schedule, points)
    assert bool(beyond) == (name == "Count")
    marked = [step for step in run.trace.steps(beyond) if step.beyond_gil]
    assert [step.role for step in marked] == [each.role for each in beyond]
    assert all(step.chosen for step in marked)
