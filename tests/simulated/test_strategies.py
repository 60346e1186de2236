"""Strategies decide who goes next: reproducibly, fairly, and so that races are found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.arenas.simulated.actor import Diverged
from harness.arenas.simulated.strategies.ambush import Ambush
from harness.arenas.simulated.strategies.chance import Length
from harness.arenas.simulated.strategies.exhaustive import Bounds, Exhaustive
from harness.arenas.simulated.strategies.pct import Pct
from harness.arenas.simulated.strategies.portfolio import Portfolio
from harness.arenas.simulated.strategies.pos import Pos
from harness.arenas.simulated.strategies.random_walk import RandomWalk
from harness.arenas.simulated.strategies.replay import Replay
from harness.arenas.simulated.strategies.sticky import Sticky
from harness.arenas.simulated.strategies.twice import Twice
from harness.values.schedule import Schedule
from tests.simulated import toy_programs
from tests.simulated.all_strategies import DRAWING
from tests.simulated.toy_kernel import Program, Run, play

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.actor import Strategy

ROOT = Path(__file__).parents[2]

finders = pytest.mark.parametrize("name", ["random", "sticky", "pct2", "pct3", "pct4", "pos", "portfolio"])
everyone = pytest.mark.parametrize("name", DRAWING)


def runs(make: Callable[[], Program], strategy: Strategy, number: int) -> list[Run]:
    """Runs with the seeds 0, 1, 2, ..."""
    return [play(make, strategy, seed) for seed in range(number)]


# Reproducible.


def test_fresh_processes_agree_whatever_the_hash_seed() -> None:
    """Nothing that a strategy does depends on hashes, addresses or the process."""
    answers = {_fingerprints(seed) for seed in ("0", "1", "4242")}
    assert len(answers) == 1
    assert [line.split()[0] for line in answers.pop().splitlines()] == list(DRAWING)


def _fingerprints(hash_seed: str) -> str:
    command = [sys.executable, "-m", "tests.simulated.all_strategies"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(  # noqa: S603 - our own module
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout


@everyone
def test_the_seed_decides(name: str) -> None:
    """Equal seeds give equal runs, and other seeds give other runs."""
    first, again = (runs(toy_programs.locked_update, DRAWING[name](), 30) for _ in range(2))
    assert first == again
    assert len({run.log for run in first}) > 1


# Complete.


@pytest.mark.parametrize("name", ["random", "sticky", "pct3", "pct4", "pos", "portfolio"])
def test_every_interleaving_of_a_small_program_is_reached(name: str) -> None:
    """Sooner or later, what can happen happens."""
    make = toy_programs.independent(2, 2)
    seen = {run.log for run in runs(make, DRAWING[name](), 6000)}
    assert seen == {run.log for run in _all(make, Bounds(preemptions=9))}


def test_pct_of_depth_one_and_two_has_as_many_changes() -> None:
    """With one change point there is one preemption, with none there is none."""
    make = toy_programs.independent(2, 2)
    for depth in (1, 2):
        seen = {run.log for run in runs(make, Pct(depth), 500)}
        assert seen == {run.log for run in _all(make, Bounds(preemptions=depth - 1))}


def _all(make: Callable[[], Program], bounds: Bounds) -> list[Run]:
    """Every schedule within the bounds."""
    strategy, found = Exhaustive(bounds), []
    while not strategy.exhausted:
        found.append(play(make, strategy))
    assert strategy.schedules == len(found)
    return found


# Powerful.


@finders
@pytest.mark.parametrize("program", [toy_programs.lost_update, toy_programs.lock_order])
def test_planted_races_are_found(name: str, program: Callable[[], Program]) -> None:
    """A lost update and a deadlock of two locks show in at least one of 60 runs."""
    assert any(run.failed for run in runs(program, DRAWING[name](), 60))


@finders
@pytest.mark.parametrize("program", [toy_programs.locked_update, toy_programs.polling])
def test_right_programs_stay_right(name: str, program: Callable[[], Program]) -> None:
    """No schedule makes a program fail that has no race."""
    assert not any(run.failed for run in runs(program, DRAWING[name](), 300))


@pytest.mark.parametrize(("depth", "number"), [(1, 2000), (2, 2000), (3, 5000), (4, 20000)])
def test_pct_keeps_its_bound(depth: int, number: int) -> None:
    """Races of depth d show in at least 1 / (n * k ** (d - 1)) of the runs, n threads and k choice points."""
    made = runs(toy_programs.ladder(depth, bystanders=1), Pct(depth), number)
    length = max(run.choices for run in made)
    bound = 1 / (3 * length ** (depth - 1))
    assert sum(run.failed for run in made) >= bound * number


def test_a_ladder_is_as_deep_as_it_says() -> None:
    """PCT without enough change points does not find the race at all, so the test above measures depth."""
    for depth in (2, 3, 4):
        assert not any(run.failed for run in runs(toy_programs.ladder(depth), Pct(depth - 1), 1000))


def test_distinct_schedules() -> None:
    """A walk through a program with many interleavings hardly ever repeats itself."""
    made = runs(toy_programs.independent(12, 12, 12), RandomWalk(), 500)
    assert len({run.log for run in made}) == len(made)


def test_pct_learns_how_long_runs_are() -> None:
    """The longest run counts, but one livelock does not make change points rare."""
    length = Length()
    length.learn(40)
    assert length.expected == 40  # noqa: PLR2004
    length.learn(30)
    assert length.expected == 40  # noqa: PLR2004
    length.learn(20_000)
    assert length.expected == 80  # noqa: PLR2004
    length.learn(0)
    assert length.expected == 80  # noqa: PLR2004


def test_pct_refuses_a_depth_that_is_none() -> None:
    """A fault has a depth of 1 or more."""
    with pytest.raises(ValueError, match="1 or more, not 0"):
        Pct(0)


# Fair.


@everyone
@pytest.mark.parametrize("program", [toy_programs.polling, toy_programs.polling_for_time])
def test_polling_ends(name: str, program: Callable[[], Program]) -> None:
    """Who polls makes way for whom it waits for, be it the clock; no run comes near the limit of steps."""
    for run in runs(program, DRAWING[name](), 300):
        assert run.ending == "done"
        assert len(run.log) < 400  # noqa: PLR2004


def test_the_clock_is_seldom_early() -> None:
    """As long as others have something to do, the clock goes first in a small share of the runs."""
    for name in ("random", "sticky", "pct2", "pos"):
        early = sum(run.failed for run in runs(toy_programs.timeout, DRAWING[name](), 2000))
        assert 1 <= early <= 100, name  # noqa: PLR2004


@pytest.mark.parametrize("strategy", [RandomWalk(), Pct(1), Pos()])
def test_a_kill_is_as_likely_as_any_other(strategy: Strategy) -> None:
    """The first of a worker, another one and a kill is the kill in about a third of the runs."""
    first = Counter(run.log[0] for run in runs(toy_programs.killable(3, 3), strategy, 3000))
    assert 900 <= first["kill P0 kill 0"] <= 1100  # noqa: PLR2004


def test_an_ambush_comes_at_any_time() -> None:
    """Each third of the run sees its share of the kills, and each kill happens once."""
    thirds = Counter(
        run.log.index("kill P0 kill 0") // 10
        for run in runs(toy_programs.killable(30), Ambush(RandomWalk()), 900)
    )
    assert min(thirds[0], thirds[1], thirds[2]) >= 200  # noqa: PLR2004


def test_an_ambush_finds_a_late_death() -> None:
    """A worker killed near the end of a long run is what the ambush is for."""
    found = {
        name: sum(run.failed for run in runs(toy_programs.late_death, strategy, 1000))
        for name, strategy in (("walk", RandomWalk()), ("ambush", Ambush(RandomWalk())))
    }
    assert found["walk"] == 0
    assert found["ambush"] >= 10  # noqa: PLR2004


# Several in one.


def test_a_portfolio_tells_who_made_a_run() -> None:
    """Each member gets every other run by turns, and its runs are those that it would make alone."""
    members: list[Strategy] = [RandomWalk(), Sticky(), Pos()]
    portfolio = Portfolio(members)
    makers = []
    for seed in range(60):
        play(toy_programs.lock_order, portfolio, seed)
        makers.append(portfolio.made_by)
    assert list(islice(makers, 0, 12, 2)) == ["random", "sticky", "pos"] * 2
    assert portfolio.shares == Counter(makers)
    assert min(portfolio.shares.values()) >= 15  # noqa: PLR2004


def test_a_portfolio_prefers_who_brings_news() -> None:
    """Credit goes to the strategy of the last run, and who brings news gets more of them."""
    portfolio = Portfolio([Sticky(), RandomWalk(), Pos()])
    seen: set[tuple[str, ...]] = set()
    for seed in range(400):
        run = play(toy_programs.independent(6, 6), portfolio, seed)
        portfolio.credit(new=run.log not in seen)
        seen.add(run.log)
    assert portfolio.shares["random"] > 2 * portfolio.shares["sticky"]
    assert portfolio.shares["sticky"] >= 60  # noqa: PLR2004


def test_an_empty_portfolio_is_refused() -> None:
    """There has to be somebody to choose."""
    with pytest.raises(ValueError, match="at least one strategy"):
        Portfolio([])


def test_twice_makes_each_run_twice() -> None:
    """The second run of a pair is the first, whatever its seed, and the pairs are those of the strategy."""
    made = runs(toy_programs.locked_update, Twice(RandomWalk()), 40)
    assert made[::2] == made[1::2]
    walk = RandomWalk()
    assert made[::2] == [play(toy_programs.locked_update, walk, seed) for seed in range(0, 40, 2)]


def _moody(step: int) -> Callable[[], Program]:
    """A program that is longer, or shorter, every time it is run."""
    mood = count(1 if step > 0 else 9, step)
    return lambda: Program({"main": toy_programs.steps(next(mood)), "lane1": toy_programs.steps(3)})


def test_twice_notices_what_escapes_control() -> None:
    """If the same choices lead elsewhere, the second run diverges."""
    longer, shorter = (Twice(Replay(Schedule())) for _ in range(2))
    make = _moody(1)
    play(make, longer)
    with pytest.raises(Diverged, match=r"at choice point 1, nobody \(the first run was over\) should"):
        play(make, longer)
    make = _moody(-1)
    play(make, shorter)
    with pytest.raises(Diverged, match=r"at choice point 8, actor 0 should .* the second run was over"):
        play(make, shorter)
