"""Shrinking a schedule leaves the decisions that matter, in a bounded number of runs."""

from __future__ import annotations

from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arenas.simulated.strategies.exhaustive import Bounds, Exhaustive
from harness.arenas.simulated.strategies.labelled import Labelled
from harness.arenas.simulated.strategies.random_walk import RandomWalk
from harness.arenas.simulated.strategies.replay import Guided
from harness.check.shrink_schedule import Fails, shrink_schedule
from harness.values.schedule import Decision, Schedule
from tests.simulated import toy_programs
from tests.simulated.toy_kernel import Program, play

if TYPE_CHECKING:
    from collections.abc import Callable

many = settings(max_examples=100, deadline=None, database=None)


def _schedule(places: set[int]) -> Schedule:
    return Schedule(decisions=tuple(Decision(at=at, role=f"P{at}") for at in sorted(places)))


def _needing(needed: set[str]) -> Fails:
    """Fails as long as all these roles are decided on."""

    def fails(schedule: Schedule) -> Schedule | None:
        return schedule if needed <= {each.role for each in schedule.decisions} else None

    return fails


@many
@given(places=st.sets(st.integers(0, 300), max_size=70), data=st.data())
def test_what_is_needed_is_left(places: set[int], data: st.DataObject) -> None:
    """Whatever subset of the decisions makes the failure, just that is left."""
    needed = data.draw(st.sets(st.sampled_from(sorted(places)), max_size=4)) if places else set()
    shrunk = shrink_schedule(_schedule(places), _needing({f"P{at}" for at in needed}), tries=3000)
    assert {each.role for each in shrunk.schedule.decisions} == {f"P{at}" for at in needed}
    assert (shrunk.steady, shrunk.minimal) == (True, True)


@many
@given(tries=st.integers(1, 60))
def test_the_number_of_runs_is_bounded(tries: int) -> None:
    """With too few tries the result is larger, still fails, and says that it could be smaller."""
    runs = []
    fails = _needing({"P1", "P40", "P64"})

    def counted(schedule: Schedule) -> Schedule | None:
        runs.append(schedule)
        return fails(schedule)

    shrunk = shrink_schedule(_schedule(set(range(70))), counted, tries=tries, repeats=2)
    assert len(runs) == shrunk.tries + 2 <= tries + 2
    assert fails(shrunk.schedule) == shrunk.schedule
    assert not shrunk.minimal


def test_seventy_decisions_take_few_runs() -> None:
    """Leaving out halves first makes it a matter of dozens of runs."""
    shrunk = shrink_schedule(_schedule(set(range(70))), _needing({"P20", "P21"}))
    assert shrunk.tries < 100  # noqa: PLR2004


def test_what_does_not_fail_is_not_shrunk() -> None:
    """A schedule without a failure comes back as it is, and is not steady."""
    schedule = _schedule({1, 2, 3})
    shrunk = shrink_schedule(schedule, lambda _: None)
    assert (shrunk.schedule, shrunk.steady, shrunk.minimal, shrunk.tries) == (schedule, False, False, 1)


def test_a_steady_failure_is_preferred() -> None:
    """If a small schedule fails only now and then, a larger one is the result that always does."""
    moods = cycle([True, False, False])

    def fails(schedule: Schedule) -> Schedule | None:
        return schedule if len(schedule) >= 10 or next(moods) else None  # noqa: PLR2004

    shrunk = shrink_schedule(_schedule(set(range(40))), fails)
    assert (shrunk.steady, shrunk.minimal) == (True, False)
    assert len(shrunk.schedule) >= 10  # noqa: PLR2004


def _follow(make: Callable[[], Program]) -> Fails:
    """Runs a toy program by the labels of a schedule."""

    def fails(schedule: Schedule) -> Schedule | None:
        labelled = Labelled(Guided(schedule.decisions))
        return labelled.schedule if play(make, labelled).failed else None

    return fails


def _fewest(make: Callable[[], Program]) -> int:
    """The fewest decisions with which a program fails, by looking at all with few preemptions."""
    strategy, found = Exhaustive(Bounds(preemptions=4)), []
    while not strategy.exhausted:
        run = play(make, strategy)
        found += [len(run.schedule)] if run.failed else []
    return min(found)


@pytest.mark.parametrize(
    "make",
    [toy_programs.lost_update, toy_programs.lock_order, toy_programs.ladder(2), toy_programs.ladder(3)],
)
def test_races_shrink_to_the_fewest_decisions(make: Callable[[], Program]) -> None:
    """Schedules of a random walk mostly shrink to the global minimum, and always to nearly that."""
    fails, labelled, sizes = _follow(make), Labelled(RandomWalk()), list[int]()
    for seed in range(2000):
        if len(sizes) < 20 and play(make, labelled, seed).failed:  # noqa: PLR2004
            shrunk = shrink_schedule(labelled.schedule, fails)
            assert (shrunk.steady, shrunk.minimal) == (True, True)
            assert fails(shrunk.schedule) == shrunk.schedule
            sizes.append(len(shrunk.schedule))
    fewest = _fewest(make)
    assert min(sizes) == median(sizes) == fewest
    assert max(sizes) <= fewest + 1


def test_long_schedules_become_short_texts() -> None:
    """A failure after hundreds of choice points is told in 160 characters."""
    make = _among_bystanders
    fails, labelled, texts = _follow(make), Labelled(RandomWalk()), []
    for seed in range(200):
        if play(make, labelled, seed).failed:
            assert len(labelled.schedule) > 50  # noqa: PLR2004
            texts.append(shrink_schedule(labelled.schedule, fails).schedule.to_text())
    assert len(texts) >= 10  # noqa: PLR2004
    assert max(len(text) for text in texts) <= 160  # noqa: PLR2004


def _among_bystanders() -> Program:
    """A deadlock of two, while others do many things that do not matter."""
    program = toy_programs.lock_order()
    program.threads |= {f"lane{n}": toy_programs.steps(60) for n in range(3)}
    return program
