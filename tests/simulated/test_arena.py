"""The simulated arena: what programs do under many schedules comes out, whatever the subject does."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.evidence import look, still
from harness.arenas.real.journal import Journal
from harness.arenas.simulated.arena import Effort, RefusedError, SimulatedArena
from harness.arenas.simulated.plan import Plan
from harness.values import operation as op
from harness.values.history import Stuck
from harness.values.program import Lane, Program, Script
from harness.values.subject import Subject
from tests.simulated.worlds import BUSY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.values.course import Observation

THREADS = Subject(name="stdlib.thread", target="concurrent.futures:ThreadPoolExecutor", kind="thread")
PLAIN = Program(
    tasks=(Script(task="t0"),),
    lanes=(Lane(operations=(op.Submit(executor="e0", future="f0", task="t0"), op.Cancel(future="f0"))),),
)


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[SimulatedArena]:
    """An arena, closed at the end."""
    with SimulatedArena(tmp_path, Journal(tmp_path / "journal")) as opened:
        yield opened


def subject(name: str) -> Subject:
    """One of the executors made for these tests."""
    return replace(THREADS, name=name, target=f"tests.simulated.unruly:{name}")


def told(observations: Iterator[Observation]) -> list[str]:
    """What makes up an observation, but for the process that it was made in."""
    return [f"{each.course} {each.history.events}" for each in observations]


def test_a_plan_is_a_promise(tmp_path: Path) -> None:
    """The same plan brings the same observations in every process, on greenlets and on threads."""
    found = []
    for place, backend in enumerate(("", "threads", "")):
        folder = tmp_path / str(place)
        folder.mkdir()
        with SimulatedArena(folder, Journal(folder / "journal"), backend=backend) as arena:
            found.append(told(arena.explore(THREADS, BUSY, Plan(schedules=40, seed=3))))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 10  # noqa: PLR2004 - that there are some


def test_only_what_is_new_is_told_and_all_is_counted(arena: SimulatedArena) -> None:
    """No history comes twice; schedules, distinct ones, classes and histories are counted."""
    effort = Effort()
    seen = list(arena.explore(THREADS, PLAIN, Plan(schedules=200, seed=1), effort))
    bodies = [
        tuple((type(each), getattr(each, "outcome", None)) for each in one.history.events) for one in seen
    ]
    assert len(seen) == effort.histories > 1
    assert len(set(bodies)) > 1
    assert effort.schedules == 200 > effort.distinct >= effort.classes >= effort.histories  # noqa: PLR2004 - as planned


def test_what_was_seen_comes_again_step_by_step(arena: SimulatedArena) -> None:
    """A schedule is followed exactly: the same digest, which names all steps and events."""
    seen = list(arena.explore(THREADS, BUSY, Plan(schedules=30, seed=2)))
    for each in seen:
        assert each.course is not None
        again = Plan(schedule=each.course.schedule, following="replay", all=True, schedules=2)
        for other in arena.explore(THREADS, BUSY, again):
            assert other.course is not None
            assert (other.course.digest, other.doubt) == (each.course.digest, "")


def test_whoever_has_seen_enough_may_leave(arena: SimulatedArena) -> None:
    """The child stops then, and takes the next program."""
    effort = Effort()
    first = arena.explore(THREADS, BUSY, Plan(schedules=100_000), effort)
    next(first)
    first.close()  # type: ignore[attr-defined]  # it is a generator
    assert 0 < effort.schedules < 100_000  # noqa: PLR2004 - as planned
    assert list(arena.explore(THREADS, PLAIN, Plan(schedules=3)))


def test_a_schedule_of_another_program_diverges(arena: SimulatedArena) -> None:
    """The doubt says where, who should have gone next and who could."""
    plan = Plan(schedule="1:1P7", following="replay", all=True)
    (seen,) = arena.explore(THREADS, PLAIN, plan)
    assert seen.doubt.startswith("at choice point 1, P7 should go next, but there is only ")


def test_all_schedules_of_a_small_program(arena: SimulatedArena) -> None:
    """An exhaustive search says when it has been everywhere."""
    effort = Effort()
    program = Program(lanes=(Lane(operations=(op.Shutdown(executor="e0"),)),))
    list(arena.explore(THREADS, program, Plan(schedules=1000, strategy="exhaustive"), effort))
    assert effort.exhausted == 1
    assert effort.schedules == effort.distinct < 1000  # noqa: PLR2004 - as planned


def test_a_deadlock_says_who_waits_for_whom(arena: SimulatedArena) -> None:
    """The stacks of a deadlock name the threads, what they wait for, and who has it."""
    seen = list(arena.explore(subject("Deadlocks"), PLAIN, Plan(schedules=30)))
    stuck = [each for one in seen for each in one.history.events if isinstance(each, Stuck)]
    assert stuck
    assert all("main waits (acquire of object" in each.stacks and "has it" in each.stacks for each in stuck)


def test_a_subject_beyond_control_is_refused(arena: SimulatedArena) -> None:
    """With one sentence; the arena goes on with others."""
    with pytest.raises(RefusedError, match="socket"):
        list(arena.explore(subject("OpensSocket"), PLAIN, Plan(schedules=5)))
    with pytest.raises(RefusedError, match=r"cannot be built in the simulated world .ZeroDivisionError"):
        list(arena.explore(subject("CannotBeBuilt"), PLAIN, Plan(schedules=5)))
    with pytest.raises(RefusedError, match=r"cannot be loaded into the simulated world .ModuleNotFoundError"):
        list(arena.explore(replace(THREADS, target="no_such_module:Pool"), PLAIN, Plan(schedules=5)))
    with pytest.raises(RefusedError, match="one interpreter"):
        list(arena.explore(replace(THREADS, kind="interpreter"), PLAIN, Plan(schedules=5)))
    assert list(arena.explore(THREADS, PLAIN, Plan(schedules=2)))


def test_a_child_that_is_gone_is_replaced(arena: SimulatedArena) -> None:
    """A subject that brings the interpreter down has an inconclusive program, and the next one runs."""
    (seen,) = arena.explore(subject("Crashes"), PLAIN, Plan(schedules=5))
    assert seen.doubt == "it ended the process that held the simulated world (status -11)"
    assert list(arena.explore(THREADS, PLAIN, Plan(schedules=2)))


def test_a_run_that_never_ends_is_given_up(arena: SimulatedArena, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop without an operation that others can see is inconclusive, not a hang of ours."""
    monkeypatch.setattr("harness.arenas.simulated.arena._LONGEST", 0.5)
    (seen,) = arena.explore(subject("Spins"), PLAIN, Plan(schedules=5))
    assert seen.doubt == "too slow to tell: no run came to an end for 0.5 s"
    assert list(arena.explore(THREADS, PLAIN, Plan(schedules=2)))


def test_what_was_received_and_not_given_out_is_not_lost(
    arena: SimulatedArena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever leaves when everything has arrived leaves nothing to be waited for."""
    monkeypatch.setattr("harness.arenas.simulated.arena._LONGEST", 600.0)
    for schedules in range(2, 12):
        effort = Effort()
        first = arena.explore(THREADS, PLAIN, Plan(schedules=schedules, all=True), effort)
        next(first)
        wait_for_the_rest(arena)
        first.close()  # type: ignore[attr-defined]  # it is a generator
        assert effort.schedules == schedules


def wait_for_the_rest(arena: SimulatedArena) -> None:
    """Return when the child has said all, and waits for what comes next."""
    child = arena._child  # noqa: SLF001 - no other way to know
    assert child is not None
    while not still(look(child.pid), look(child.pid)):
        os.sched_yield()
