"""Planted races: the world finds each of them, by schedules alone, and never in a copy without the fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.arenas.simulated.strategies.portfolio import standard_portfolio
from harness.arenas.simulated.strategies.replay import Guided
from harness.arenas.simulated.world import World
from harness.judge.judge import judge
from harness.specs import load_rules
from tests.simulated.planted import CANCEL, PLANTS, Plant, Seen
from tests.simulated.worlds import make_run
from tests.unit.story import an_executor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.arenas.simulated.world import Run
    from harness.values.schedule import Schedule

    Garden = Callable[..., World]

SCHEDULES = 300


@pytest.fixture
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Garden]:
    """Makes worlds of copies of the standard library, put in front of it."""
    worlds: list[World] = []

    def grow(plant: Plant, *, mended: bool = False, edit: str = "") -> World:
        """A world of a copy, perhaps with some more text at the beginning of the file."""
        folder = plant.put(tmp_path / str(len(worlds)), mended=mended)
        file = folder / "concurrent" / "futures" / plant.file
        file.write_text(edit + file.read_text())
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            worlds.append(World(plant.target))
        return worlds[-1]

    yield grow
    for each in worlds:
        each.close()


def _shows(plant: Plant, run: Run) -> bool:
    return plant.shows(Seen(run.events))


def _search(world: World, plant: Plant) -> Run | None:
    strategy = standard_portfolio()
    runs = (make_run(world, plant.program, strategy, seed) for seed in range(SCHEDULES))
    return next((run for run in runs if _shows(plant, run)), None)


def test_there_are_a_dozen() -> None:
    """No two plants make the same change."""
    assert len({plant.key for plant in PLANTS}) == len({plant.changes for plant in PLANTS}) == 12  # noqa: PLR2004


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.key)
def test_planted_races_are_found_and_only_they(garden: Garden, plant: Plant) -> None:
    """A fault shows within some hundred schedules, not in the default one, and never once it is mended."""
    faulty, mended = garden(plant), garden(plant, mended=True)
    assert not _shows(plant, make_run(faulty, plant.program, Guided(), 0))
    found = _search(faulty, plant)
    assert found is not None
    assert _search(mended, plant) is None
    # After an edit elsewhere in the file, its schedule finds it again; after the repair it does not.
    schedule: Schedule = found.trace.schedule()
    unrelated = "\n".join(f"UNRELATED_{number} = {number}" for number in range(10)) + "\n"
    edited = garden(plant, edit=unrelated)
    assert _shows(plant, make_run(edited, plant.program, Guided(schedule.decisions), 0))
    assert not _shows(plant, make_run(mended, plant.program, Guided(schedule.decisions), 0))


def test_the_planted_cancel_breaks_its_rule_and_only_where_it_shows(garden: Garden) -> None:
    """A task that starts while cancel() says True: FUT-08, without any shutdown that would tell of it."""
    world = garden(CANCEL)
    subject, rules = an_executor(), load_rules()
    strategy = standard_portfolio()
    runs = [make_run(world, CANCEL.program, strategy, seed) for seed in range(SCHEDULES)]
    blamed = [
        "FUT-08" in {each.rule for each in judge(run.history, subject, rules).witnesses} for run in runs
    ]
    assert any(blamed)
    assert blamed == [_shows(CANCEL, run) for run in runs]
