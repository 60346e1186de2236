"""An executor never differs from itself: whatever the comparison holds to be determined is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.arena import Patience, RealArena
from harness.arenas.real.journal import Journal
from harness.check.resolve import resolve, shape_of
from harness.generation.draw import draw
from harness.judge.case import Case
from harness.judge.comparison import comparable, compare
from harness.judge.judge import unmet_assumption

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SEED = 12


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealArena]:
    """One arena for all executors."""
    folder = tmp_path_factory.mktemp("itself")
    journal = Journal(folder / "journal")
    with RealArena(folder, journal, import_from=(str(ROOT),)) as made:
        yield made
    journal.close()


@pytest.mark.parametrize("module", ["reference_executor", "concurrent.futures"])
@pytest.mark.parametrize(("name", "theme", "count"), [
    ("ThreadPoolExecutor", "lifecycle", 40),
    ("ThreadPoolExecutor", "waiting", 40),
    ("ThreadPoolExecutor", "map", 40),
    ("ProcessPoolExecutor", "lifecycle", 10),
])  # fmt: skip
def test_an_executor_is_alike_itself(
    arena: RealArena, module: str, name: str, theme: str, count: int
) -> None:
    """Two runs of one program on one executor show no difference, however the threads happened to run."""
    subject = resolve(arena, f"{module}:{name}")
    compared = 0
    for program in draw(theme, shape_of(subject), SEED, count):
        runs = [Case(arena.run(subject, program, Patience()), subject) for _ in range(2)]
        if all(comparable(case) and not unmet_assumption(case) for case in runs):
            compared += 1
            assert compare(*runs) == (), program.to_json()
    assert compared
