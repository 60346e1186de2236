"""A seed gives the same programs, whatever else is loaded in the process that draws them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.generation.composer import Shape
from harness.generation.draw import digest_of, draw
from harness.generation.themes import THEMES
from harness.model.progress import objection
from harness.values import operation as op

if TYPE_CHECKING:
    from harness.values.program import Program

PROCESSES = Shape(
    kind="process",
    lanes=3,
    prefetch=5,
    starts=("fork", "forkserver"),
    capabilities=frozenset({"cancel_futures", "map_timeout", "max_tasks_per_child"}),
    dies=True,
)
ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = """
from harness.generation.composer import Shape
from harness.generation.draw import digest_of, draw
print(digest_of(draw("waiting", Shape(), 7, 150)))
"""


def test_other_modules_do_not_change_what_is_drawn() -> None:
    """Hypothesis likes constants from a user's modules: here those of these tests, there of nobody's."""
    command = [sys.executable, "-c", ELSEWHERE]
    elsewhere = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert digest_of(draw("waiting", Shape(), 7, 150)) == elsewhere.stdout.strip()


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_drawn_is_fair(theme: str) -> None:
    """The model has nothing against any program, tasks that need each other and all."""
    for program in draw(theme, PROCESSES, 7, 120):
        assert objection(program, lanes=PROCESSES.lanes) == ""


def test_deadly_things_are_drawn() -> None:
    """Tasks that need each other, workers with a limit, and callbacks into a pool that loses a worker."""
    meeting = [program for program in draw("waiting", PROCESSES, 7, 120) if _meets(program)]
    limited = [program for program in draw("map", PROCESSES, 7, 120) if program.pools[0].tasks_per_worker]
    deadly = [
        program for program in draw("death", PROCESSES, 7, 120) if _calls_back_into_a_breaking_pool(program)
    ]
    assert min(map(len, (meeting, limited, deadly))) > 1


def _meets(program: Program) -> bool:
    return any(script.opens for script in program.tasks)


def _calls_back_into_a_breaking_pool(program: Program) -> bool:
    steps = program.lanes[0].operations
    calls_back = any(isinstance(step, op.AddCallback) and step.deed == "submit" for step in steps)
    return calls_back and any(isinstance(step, op.Kill) for step in steps)
