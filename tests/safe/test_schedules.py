"""Executors that are right stay green under many schedules; many more are behind `ci/schedule_alarms.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.arena import RealArena
from harness.arenas.real.journal import Journal
from harness.arenas.simulated.strategies.portfolio import standard_portfolio
from harness.arenas.simulated.world import World
from harness.check.resolve import resolve, shape_of
from harness.generation.draw import draw
from harness.generation.themes import themes_for
from harness.judge.excuse import excuse
from harness.judge.judge import judge
from harness.specs import load_deviations, load_rules
from harness.values.rule import Level
from tests.safe.programs import fits
from tests.simulated.worlds import make_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.arenas.simulated.world import Run
    from harness.values.subject import Subject

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS, SCHEDULES, SEED = 6, 8, 3  # programs of each theme, schedules of each program
RIGHT = (
    "reference_executor:ThreadPoolExecutor",
    "reference_executor:ProcessPoolExecutor",
    "tests.safe.executors:CallbackDispatcher",
    "tests.safe.executors:DelegatingProcess",
    "tests.safe.executors:OwnFutureLock",
    "tests.safe.executors:Slow",
)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealArena]:
    """Where executors are probed."""
    folder = tmp_path_factory.mktemp("safe")
    journal = Journal(folder / "journal")
    with RealArena(folder, journal, import_from=(str(ROOT),)) as made:
        yield made
    journal.close()


def accusations(run: Run, subject: Subject) -> list[str]:
    """Every broken rule that no deviation of CPython's excuses, or why the run proves nothing.

    What is only a MAY is a divergence, which accuses nobody.
    """
    rules = load_rules()
    judgement = judge(run.history, subject, rules)
    found = [judgement.inconclusive] if judgement.inconclusive else []
    for witness, known in excuse(judgement.witnesses, run.history, subject, load_deviations()):
        if known is None and rules[witness.rule].level is not Level.MAY:
            found.append(f"{witness.rule}: {witness.text}")
    return found


@pytest.mark.parametrize("target", RIGHT, ids=lambda target: target.replace(":", "."))
def test_no_schedule_accuses_an_executor_that_is_right(target: str, arena: RealArena) -> None:
    """No generated program breaks a rule under any schedule that is tried, and every run proves something."""
    subject = resolve(arena, target)
    shape = shape_of(subject, "simulated")
    world = World(target)
    for theme in themes_for(shape):
        for program in draw(theme, shape, SEED, PROGRAMS):
            if not fits(program, target):
                continue
            strategy = standard_portfolio()
            for seed in range(SCHEDULES):
                run = make_run(world, program, strategy, seed)
                assert accusations(run, subject) == [], (program.to_json(), run.trace.schedule().to_text())
