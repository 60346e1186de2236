"""A schedule is followed exactly, or by its labels where the program has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arenas.simulated.actor import Diverged
from harness.arenas.simulated.strategies.around import Around
from harness.arenas.simulated.strategies.labelled import Labelled
from harness.arenas.simulated.strategies.random_walk import RandomWalk
from harness.arenas.simulated.strategies.replay import Guided, Replay
from harness.values.schedule import Decision, Schedule
from tests.simulated import toy_programs
from tests.simulated.all_strategies import DRAWING, PROGRAMS
from tests.simulated.toy_kernel import Body, Cell, Program, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

many = settings(max_examples=150, deadline=None, database=None)


@many
@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    name=st.sampled_from(sorted(DRAWING)),
    seed=st.integers(0, 2**64),
)
def test_any_run_happens_again(program: str, name: str, seed: int) -> None:
    """Whatever strategy made it, a run is determined by its schedule, also by the text of it."""
    run = play(PROGRAMS[program], DRAWING[name](), seed)
    assert play(PROGRAMS[program], Replay(Schedule.from_text(run.schedule.to_text()))) == run


@many
@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    name=st.sampled_from(sorted(DRAWING)),
    seed=st.integers(0, 2**64),
)
def test_labels_say_the_same_as_numbers(program: str, name: str, seed: int) -> None:
    """In the same program, following the labels is following the numbers."""
    labelled = Labelled(DRAWING[name]())
    run = play(PROGRAMS[program], labelled, seed)
    assert labelled.schedule.bare == run.schedule
    assert all(each.labelled for each in labelled.schedule.decisions)
    for schedule in (labelled.schedule, run.schedule):
        guided = Guided(schedule.decisions)
        assert play(PROGRAMS[program], guided) == run
        assert all(guided.taken)


def test_the_default_schedule_has_no_decisions() -> None:
    """Threads one after the other, from the first."""
    run = play(toy_programs.independent(2, 2), Replay(Schedule()))
    assert run.schedule == Schedule()
    assert [step.split()[0] for step in run.log] == ["lane0", "lane0", "lane1", "lane1"]


def test_a_decision_that_is_impossible_diverges() -> None:
    """The error says where, what was expected and what was there."""
    schedule = Schedule(decisions=(Decision(at=1, role="P7"),))
    with pytest.raises(Diverged) as caught:
        play(toy_programs.independent(2, 2), Replay(schedule))
    assert str(caught.value) == (
        "at choice point 1, P7 should go next, but there is only lane0 (about to step), lane1 (about to step)"
    )
    assert (caught.value.at, caught.value.expected) == (1, "P7")


def test_a_run_that_is_too_short_diverges() -> None:
    """A run that is over before its schedule is not the same run."""
    replay = Replay(Schedule(decisions=(Decision(at=1, role="lane1"), Decision(at=50, role="lane0"))))
    with pytest.raises(Diverged, match=r"at choice point 50, lane0 should go next, .* over after 3 "):
        play(toy_programs.independent(2, 2), replay)


def _padded(make: Callable[[], Program], op: str) -> Callable[[], Program]:
    """The same program after an edit that put something harmless before every operation."""

    def edited() -> Program:
        program = make()
        program.threads = {role: _pad(body, op) for role, body in program.threads.items()}
        return program

    return edited


def _pad(body: Body, op: str) -> Body:
    answer: bool | None = None
    while True:
        try:
            pending = body.send(answer) if answer is not None else next(body)
        except StopIteration:
            return
        yield op, None
        answer = yield pending


FAULTS = {
    "lost update": toy_programs.lost_update,
    "lock order": toy_programs.lock_order,
    "ladder of 2": toy_programs.ladder(2),
    "ladder of 3": toy_programs.ladder(3),
}


def _failures(make: Callable[[], Program], number: int) -> Iterator[Schedule]:
    """Labelled schedules that make a program fail."""
    labelled = Labelled(RandomWalk())
    found = 0
    for seed in range(5000):
        if play(make, labelled, seed).failed:
            yield labelled.schedule
            found += 1
            if found == number:
                return


@pytest.mark.parametrize("name", FAULTS)
def test_guided_replay_survives_other_operations(name: str) -> None:
    """With a choice point more before every step, every failure is found again by its labels."""
    schedules = list(_failures(FAULTS[name], 20))
    edited = _padded(FAULTS[name], "log")
    assert len(schedules) == 20  # noqa: PLR2004
    assert all(play(edited, Guided(each.decisions)).failed for each in schedules)
    assert not all(play(edited, Guided(each.bare.decisions)).failed for each in schedules)


def _search(make: Callable[[], Program], schedule: Schedule, number: int) -> bool:
    around = Around(schedule)
    return any(play(make, around, seed).failed for seed in range(number))


@pytest.mark.parametrize("name", FAULTS)
def test_failures_are_found_again_nearby(name: str) -> None:
    """With more of the very operations that the labels count, a search nearby finds every failure again."""
    edited = _padded(FAULTS[name], "step")
    assert all(_search(edited, each, 1000) for each in _failures(FAULTS[name], 20))


def _mended() -> Program:
    """The lost update, after somebody added a lock."""
    counter, lock = Cell(1), Cell(2)

    def increment() -> Body:
        yield "acquire", lock
        yield "read", counter
        value = counter.value
        yield "write", counter
        counter.value = value + 1
        yield "release", lock

    return Program({"main": increment(), "main/T1": increment()}, failed=lambda: counter.value != 2)  # noqa: PLR2004


def test_a_mended_fault_is_not_found_again() -> None:
    """Searching near the schedule of a fault that is gone finds nothing, and says nothing."""
    assert not any(_search(_mended, each, 300) for each in _failures(toy_programs.lost_update, 5))


def test_the_first_run_around_a_schedule_is_the_schedule() -> None:
    """Differences come after the schedule itself was tried."""
    for schedule in _failures(toy_programs.lock_order, 5):
        assert play(toy_programs.lock_order, Around(schedule), 77).failed
