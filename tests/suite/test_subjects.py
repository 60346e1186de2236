"""What a run is about: the reference beside the standard library, all start methods, comparisons."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.arena import RealArena
from harness.arenas.real.journal import Journal
from harness.check.resolve import STANDARD, peers_of, resolve, shape_of
from harness.generation.draw import draw
from tests.suite.harness_run import run_harness
from tests.unit.story import an_executor

if TYPE_CHECKING:
    from pathlib import Path

    from harness.values.subject import Kind

KINDS: tuple[Kind, ...] = ("thread", "process", "interpreter")
PRESENT = KINDS if sys.version_info >= (3, 14) else KINDS[:2]


def test_without_executors_the_reference_comes_beside_the_standard_library(tmp_path: Path) -> None:
    """All their pools, those of the reference first; interpreter pools where the Python has them."""
    run = run_harness(tmp_path, "--collect-only", "-q")
    lines = [line.partition("[")[2] for line in run.out.splitlines() if "test_conformance[" in line]
    subjects = list(dict.fromkeys(line.rpartition("-")[0] for line in lines))
    assert subjects == [f"{family}.{kind}" for family in ("reference", "stdlib") for kind in PRESENT]


@pytest.mark.parametrize("kind", PRESENT)
def test_the_peers_are_of_the_same_kind(kind: Kind) -> None:
    """A stranger has two, and neither of the two is compared with itself."""
    both = peers_of(an_executor(kind))
    assert len(both) == 2 and set(both) <= set(STANDARD)  # noqa: PLR2004, PT018 - the two
    for target, other in (both, reversed(both)):
        assert peers_of(replace(an_executor(kind), target=target)) == (other,)


def test_what_is_declared_comes_before_what_was_found_out(tmp_path: Path) -> None:
    """A maintainer knows better than a look at signatures what an executor is and can do."""
    with RealArena(tmp_path, Journal(tmp_path / "journal")) as arena:
        subject = resolve(arena, "tests.subjects.peculiar:SaysWhatItIs")
    assert (subject.death, subject.prefetch, subject.fifo) == ("heals", 3, False)
    assert "cancels_running" in subject.capabilities
    assert "cancel_futures" not in subject.capabilities
    assert "initializer" in subject.capabilities  # found out


def test_programs_use_every_start_method() -> None:
    """Fork mostly, since it is the fastest; forkserver and spawn are among the programs of every theme."""
    subject = replace(an_executor("process"), capabilities=("mp_context",))
    drawn = draw("death", shape_of(subject), 1, 100)
    assert {program.pools[0].start for program in drawn} == {"fork", "forkserver", "spawn"}


def test_a_divergence_is_shown_and_fails_nothing(tmp_path: Path) -> None:
    """A pool whose shutdown returns something differs from all others, which no rule forbids."""
    run = run_harness(
        tmp_path, "--executor", "tests.subjects.peculiar:SaysGoodbye", "--executor-seed", "1",
        "--executor-budget", "6s", "-k", "lifecycle", "--executor-report", "report",
    )  # fmt: skip
    assert run.status == 0, run.out
    assert "diverging within the rules" in run.out
    assert "divergence x" in run.out
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    found = {each["peer"]: each for each in results["comparisons"]}
    assert found.keys() == {"reference.thread", "stdlib.thread"}
    for each in found.values():
        assert 0 < each["diverging"] <= sum(one["programs"] for one in each["divergences"])
        assert all(one["programs"] <= each["programs"] for one in each["divergences"])
        assert "goodbye" in each["divergences"][0]["ours"]
