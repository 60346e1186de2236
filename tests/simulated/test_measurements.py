"""The scripts in `ci/` that measure: what they count is what there is to count."""

from __future__ import annotations

import ast
import concurrent.futures
import random
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from ci.benchmarks.real_calls import Performance
from ci.benchmarks.time_to_failure import CONTROL, Ledger, Result, hunts, table
from ci.edited_sources import LINES, edits, lengthen
from ci.edited_sources import replay as ask
from ci.replay_campaign import Bench, Campaign, Case, Source, describe, make
from tests.simulated.planted import PLANTS, THREADS, TOLD, Plant, Seen

BUDGET = 5.0


@pytest.mark.parametrize(
    "plant", [each for each in PLANTS if each.target == THREADS], ids=lambda each: each.key
)
def test_the_calls_on_real_threads_are_those_of_the_program(plant: Plant) -> None:
    """Every call of every lane answers, and the standard library does not show the fault."""
    performance = Performance(plant.program, plant.target)
    performance.play()
    seen = Seen(performance.events)
    assert sorted(seen.answers) == [
        (lane, call) for lane, each in enumerate(plant.program.lanes) for call in range(len(each.operations))
    ]
    assert not plant.shows(seen)


def test_a_hunt_finds_what_is_planted_and_nothing_else(tmp_path: Path) -> None:
    """In the world: with each seed where the fault is, never in the copy without it."""
    faulty, mended = TOLD.put(tmp_path / "faulty"), TOLD.put(tmp_path / "mended", mended=True)
    found = list(hunts(TOLD, "world", [3, 4], BUDGET, faulty))
    assert [(each.seed, each.found, each.stuck) for each in found] == [(3, True, False), (4, True, False)]
    assert all(each.tries > 0 and 0 < each.seconds < BUDGET for each in found)
    (control,) = hunts(TOLD, "stress", [CONTROL], 0.1, mended)
    assert control.tries > 0
    assert not control.found


def _result(seed: int, seconds: float, *, found: bool = True, odd: int = 0) -> Result:
    return Result(
        fault=TOLD.key, tool="world", seed=seed, found=found, seconds=seconds, tries=seed + 1, odd=odd
    )


def test_what_was_not_found_is_not_left_out_of_the_quantiles(tmp_path: Path) -> None:
    """A hunt in vain counts as one that would have taken longer than all others; the log keeps them all."""
    ledger = Ledger(tmp_path / "log")
    for seed in range(19):
        ledger.add(_result(seed, 0.1 * (seed + 1)))
    ledger.add(_result(19, 10.0, found=False))
    assert "| 1 / 1.9 s (10 / 19), 19 of 20 |" in table(ledger, [TOLD], ["world"])
    ledger.add(_result(18, 10.0, found=False))
    assert "| 1 / - s (10 / -), 18 of 20 |" in table(ledger, [TOLD], ["world"])
    assert Ledger(tmp_path / "log").results == ledger.results


def test_a_tool_that_fails_without_a_fault_gets_no_figures() -> None:
    """Whatever it finds afterwards means nothing."""
    ledger = Ledger()
    ledger.add(_result(0, 0.1))
    assert "| 0.1 / 0.1 s (1 / 1) |" in table(ledger, [TOLD], ["world"])
    ledger.add(_result(CONTROL, 0.1, found=False, odd=1))
    assert "| does not control it |" in table(ledger, [TOLD], ["world"])


def _differences(bench: Bench, cases: list[Case]) -> list[str]:
    campaign = Campaign(cases)
    campaign.run(bench, 1, random.Random(0))  # noqa: S311 - not for secrets
    assert campaign.replays.total() >= len(cases)
    return campaign.differences


def test_a_replay_that_differs_is_seen(tmp_path: Path) -> None:
    """Tokens of a planted fault are the same in other processes; one with another digest is reported."""
    bench = Bench(tmp_path)
    source = Source(
        target=TOLD.target, programs=(TOLD.program,), fault="told", folder=str(TOLD.put(tmp_path / "told"))
    )
    cases = list(make(bench, source, 4, 0))
    assert len({case.token for case in cases}) == 4  # noqa: PLR2004
    assert describe(cases).startswith("4 tokens; faults: 1; with a kill: 0;")
    assert not _differences(bench, cases)
    forged = replace(cases[0], mark=replace(cases[0].mark, digest="0" * 16))
    differences = _differences(bench, [forged])
    assert differences
    assert all("another digest on" in each for each in differences)


def _functions(source: str) -> dict[str, tuple[int, str | None]]:
    """How many statements each function has, and its docstring."""
    tree = ast.parse(source)
    return {
        f"{number} {each.name}": (len(each.body), ast.get_docstring(each))
        for number, each in enumerate(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    }


@pytest.mark.parametrize("file", ["_base.py", "thread.py", "process.py"])
def test_a_longer_source_has_statements_more_and_nothing_less(file: str) -> None:
    """Ten functions have one statement more, and all their docstrings."""
    source = (Path(concurrent.futures.__file__ or "").parent / file).read_text()
    before, after = _functions(source), _functions(lengthen(source))
    assert sum(size for size, _ in after.values()) == sum(size for size, _ in before.values()) + LINES
    assert sum(after[name][0] > before[name][0] for name in before) == LINES
    assert [text for _, text in after.values()] == [text for _, text in before.values()]


def test_a_token_finds_what_was_kept_and_not_what_was_mended(tmp_path: Path) -> None:
    """The command says "not found" on the mended copy, and breaks the rule again on the longer one."""
    (edit,) = islice(edits(tmp_path, 1, 0), 1)
    code, answer = ask(edit.token, edit.mended, tmp_path)
    assert (code, "not found in" in answer) == (0, True), answer
    code, answer = ask(edit.token, edit.longer, tmp_path)
    assert (code, " broke " in answer) == (1, True), answer
