"""The modules that the simulated world loads work as before when they are instrumented."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.arenas.simulated.instrument import Point, instrument
from tests.simulated.instrumented_program import MODULES

if TYPE_CHECKING:
    from harness.values.granularity import Granularity

SCRIPT = Path(__file__).with_name("instrumented_program.py")
ROOT = SCRIPT.parents[2]


def _files() -> dict[str, Path]:
    """The sources the world loads: of the standard library, and of the reference executor."""
    origins = {name: importlib.util.find_spec(name) for name in MODULES}
    found = {name: Path(spec.origin) for name, spec in origins.items() if spec and spec.origin}
    return found | {f"reference_executor.{each.stem}": each for each in ROOT.glob("reference_executor/*.py")}


FILES = _files()


def _points(name: str, granularity: Granularity) -> tuple[Point, ...]:
    source = FILES[name].read_text(encoding="utf-8")
    return instrument(
        source, filename=str(FILES[name]), module=name, granularity=granularity, hook="@point"
    ).points


@cache
def _played(granularity: Granularity) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), granularity]
    done = subprocess.run(  # noqa: S603 - our own script
        command,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    played: dict[str, Any] = json.loads(done.stdout)
    return played


@pytest.mark.parametrize("granularity", ["statement", "access"])
def test_pools_give_the_same_answers(granularity: Granularity) -> None:
    """Thread pools, process pools and queues, on real threads and processes."""
    plain, played = _played("synchronisation"), _played(granularity)
    assert (plain["points"], plain["passed"]) == (0, 0)
    assert played["seen"] == plain["seen"]
    assert set(played["modules"]) >= {*MODULES[:5], "reference_executor._thread_pool"}
    assert played["passed"] > played["points"] / 4


@pytest.mark.parametrize("name", FILES)
def test_every_point_is_found_in_its_source(name: str) -> None:
    """Line, column and text of a point agree with the file, and accesses are fewer places than statements."""
    lines = FILES[name].read_bytes().splitlines()
    places = {}
    for granularity in ("statement", "access"):
        points = _points(name, granularity)
        for each in points:
            assert lines[each.line - 1][each.column :].decode().startswith(each.text.removesuffix("…"))
        places[granularity] = {(each.line, each.column) for each in points}
    assert places["access"] <= places["statement"]


def test_labels_are_neither_all_nor_none() -> None:
    """In the pools' own code, some points are possible on a GIL build: each function's first, at least."""
    points = [each for name in FILES for each in _points(name, "statement")]
    possible = sum(each.gil for each in points)
    assert len(points) / 10 < possible < len(points) / 2
