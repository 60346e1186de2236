"""Bounded exhaustive exploration: all schedules with few preemptions, each of them once."""

from __future__ import annotations

from itertools import count, groupby
from typing import TYPE_CHECKING

import pytest

from harness.arenas.simulated.actor import Diverged
from harness.arenas.simulated.strategies.exhaustive import Bounds, Exhaustive
from tests.simulated import toy_programs
from tests.simulated.toy_kernel import Program, Run, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def explore(make: Callable[[], Program], bounds: Bounds) -> list[Run]:
    """Every schedule within the bounds."""
    strategy, found = Exhaustive(bounds), []
    while not strategy.exhausted:
        found.append(play(make, strategy))
    assert strategy.schedules == len(found)
    return found


def _orders(lengths: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All sequences in which thread n occurs `lengths[n]` times."""
    if not any(lengths):
        yield ()
    for thread, left in enumerate(lengths):
        if left:
            rest = (*lengths[:thread], left - 1, *lengths[thread + 1 :])
            yield from ((thread, *order) for order in _orders(rest))


def _preemptions(order: tuple[int, ...]) -> int:
    """Blocks of one thread that are not its last: after these it could have gone on."""
    return sum(1 for _ in groupby(order)) - len(set(order))


@pytest.mark.parametrize("lengths", [(3, 3), (1, 5), (4, 3), (2, 2, 2), (1, 2, 3)])
@pytest.mark.parametrize("preemptions", range(5))
def test_independent_threads_have_all_their_interleavings(lengths: tuple[int, ...], preemptions: int) -> None:
    """The schedules are exactly the sequences with at most so many preemptions, and no two are the same."""
    made = explore(toy_programs.independent(*lengths), Bounds(preemptions=preemptions))
    logs = [tuple(int(step.split()[0].removeprefix("lane")) for step in run.log) for run in made]
    expected = [order for order in _orders(lengths) if _preemptions(order) <= preemptions]
    assert len(set(logs)) == len(logs)
    assert set(logs) == set(expected)


@pytest.mark.parametrize("length", range(1, 6))
def test_two_threads_follow_the_formula(length: int) -> None:
    """Two threads of n steps have 2 schedules without preemptions and 2 * (n - 1) with one."""
    make = toy_programs.independent(length, length)
    counts = [len(explore(make, Bounds(preemptions=limit))) for limit in (0, 1)]
    assert counts == [2, 2 + 2 * (length - 1)]


def test_a_kill_comes_at_every_position() -> None:
    """Before each of the steps and after the last, and it is no preemption; or nowhere if none may be."""
    make = toy_programs.killable(4)
    assert len(explore(make, Bounds(preemptions=0, kills=1))) == 5  # noqa: PLR2004
    assert len(explore(make, Bounds(preemptions=3, kills=0))) == 1


def test_an_early_clock_is_paid_for() -> None:
    """The early timer is found with one tick and never without."""
    assert not any(run.failed for run in explore(toy_programs.timeout, Bounds(preemptions=2)))
    assert any(run.failed for run in explore(toy_programs.timeout, Bounds(preemptions=0, ticks=1)))


def test_races_need_as_many_preemptions_as_they_need() -> None:
    """A deadlock of two locks needs one preemption, and is found as soon as that is allowed."""
    for program in (toy_programs.lock_order, toy_programs.lost_update):
        assert not any(run.failed for run in explore(program, Bounds(preemptions=0)))
        assert any(run.failed for run in explore(program, Bounds(preemptions=1)))


def test_right_programs_are_right_in_all_schedules() -> None:
    """Locks keep all the schedules of three threads right, of which there are many."""
    made = explore(toy_programs.locked_update, Bounds(preemptions=2))
    assert not any(run.failed for run in made)
    assert len({run.log for run in made}) == len(made) > 100  # noqa: PLR2004


def test_polling_has_an_end() -> None:
    """Programs that poll are explored fairly: their schedules can be counted, and all end."""
    for program in (toy_programs.polling, toy_programs.polling_for_time):
        made = explore(program, Bounds(preemptions=1))
        assert {run.ending for run in made} == {"done"}


def test_the_first_schedule_is_the_default() -> None:
    """Exploration starts with the schedule without decisions."""
    assert not play(toy_programs.lock_order, Exhaustive()).schedule


def test_what_escapes_control_is_noticed() -> None:
    """If the same choices lead elsewhere, exploration says so instead of counting on."""
    length = count(3, -1)

    def shrinking() -> Program:
        return Program({"main": toy_programs.steps(next(length)), "lane1": toy_programs.steps(2)})

    strategy = Exhaustive(Bounds(preemptions=1))
    play(shrinking, strategy)
    with pytest.raises(Diverged, match="at choice point 2, actor 1 should go next, but there is nobody"):
        play(shrinking, strategy)


def test_after_the_last_schedule_there_is_none() -> None:
    """Whoever goes on is told how to know."""
    strategy = Exhaustive(Bounds(preemptions=0))
    for _ in range(2):
        play(toy_programs.independent(2, 2), strategy)
    assert strategy.exhausted
    with pytest.raises(RuntimeError, match="all schedules have been run"):
        strategy.begin(0)
