"""A race is found in the simulated arena, and its token brings it back: exactly, or by a search near it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from harness.values.token import Token
from tests.suite.harness_run import Run, run_harness

if TYPE_CHECKING:
    from pathlib import Path

RACY = """
from concurrent.futures import Future, ThreadPoolExecutor


class Hasty(Future):
    def set_result(self, result):
        with self._condition:
            self._state = "FINISHED"
            self._condition.notify_all()
        for _ in range(6):
            self.running()
        with self._condition:  # somebody may have looked meanwhile
            self._result = result
        self._invoke_callbacks()


class Pool(ThreadPoolExecutor):
    def submit(self, fn, /, *args, **kwargs):
        future = super().submit(fn, *args, **kwargs)
        future.__class__ = Hasty
        return future
"""
"""A pool whose futures are done for a moment before they have a result."""

UNRELATED = "\n".join(f"UNRELATED_{number} = {number}" for number in range(10))
MENDED = RACY.replace("future.__class__ = Hasty", "pass")
NAMED = (
    "--executor",
    "racy:Pool",
    "--executor-arena",
    "simulated",
    "--executor-rules",
    "RES-01,RES-10,RES-16",
)
SEARCH = (
    *NAMED,
    "-k",
    "lifecycle",
    "--executor-seed",
    "4",
    "--executor-schedules",
    "40",
    "--executor-budget",
    "60s",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run is made that finds the race."""
    made: Path = tmp_path_factory.mktemp("racy")
    (made / "racy.py").write_text(RACY)
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> Run:
    """That run."""
    return run_harness(folder, *SEARCH, "--executor-report", "report")


def test_a_race_is_found_shown_and_brought_back(found: Run, folder: Path) -> None:
    """By its token: the same run among other hashes; found again, or not, if the source has changed."""
    assert found.status == 1, found.out
    assert "subject: racy:Pool, simulated arena (synchronisation, found by " in found.out
    assert re.search(r"schedule: \d+ decisions? \(>\) that another goes on", found.out), found.out
    assert re.search(r"^ +> \d+ \|", found.out, re.MULTILINE), found.out
    assert "reproduced 20 of 20 with this schedule" in found.out
    rule, token = next(iter(found.tokens.items()))
    course = Token.from_text(token).course
    assert course is not None
    assert len(course.schedule) <= 160  # noqa: PLR2004 - what a person can look through
    assert len(course.decisions) <= 10  # noqa: PLR2004 - as above

    again = run_harness(folder, *NAMED, "--executor-replay", token, PYTHONHASHSEED="7")
    assert again.status == 1, again.out
    assert f"broke {rule} in 20 of 20 runs with this schedule, exactly repeated" in again.out

    (folder / "racy.py").write_text(UNRELATED + RACY)
    edited = run_harness(folder, *NAMED, "--executor-replay", token)
    assert edited.status == 1, edited.out
    assert re.search(f"found again: broke {rule} after [0-9]+ schedules? near this one", edited.out)

    (folder / "racy.py").write_text(MENDED)
    mended = run_harness(folder, *NAMED, "--executor-replay", token)
    assert mended.status == 0, mended.out
    assert f"{rule} not found in 3000 schedules near this one" in mended.out


def test_the_results_say_how_many_schedules_there_were(found: Run, folder: Path) -> None:
    """An item of the simulated arena counts schedules, distinct ones, classes and histories."""
    written = json.loads((folder / "report" / "results.json").read_text(encoding="utf-8"))
    (item,) = written["run"]["items"]
    counts = item["schedules"]
    assert item["arena"] == "simulated"
    assert counts["run"] >= counts["distinct"] >= counts["classes"] >= counts["histories"] > 0
    assert f"schedules: {counts['run']}, of which {counts['distinct']} distinct" in found.out
    rows = [each for each in written["results"] if each["verdict"] == "violated"]
    assert {each["rule"] for each in rows} == set(found.tokens)
    assert all(each["arenas"] == ["simulated"] for each in rows)


def test_a_subject_beyond_control_is_skipped(tmp_path: Path) -> None:
    """No failure: the items of the arena are skipped, and one sentence says why."""
    run = run_harness(
        tmp_path, "--executor", "tests.simulated.unruly:OpensSocketWhenMade", "--executor-arena", "simulated",
    )  # fmt: skip
    assert run.status == 0, run.out
    assert "4 skipped" in run.out
    assert run.out.count("no simulated arena for tests.simulated.unruly:OpensSocketWhenMade: ") == 1
    assert "nothing was run" in run.out
    assert "green" not in run.out


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("arena", "lunar", "there is no arena 'lunar': take one of real, steered, simulated"),
        ("strategy", "best", "there is no strategy 'best': take one of portfolio, random,"),
        ("granularity", "fine", "there is no granularity 'fine': take one of synchronisation,"),
        ("schedules", "many", "'many' is no number of schedules: give a whole number, 1 or more"),
    ],
)
def test_unknown_names_are_refused(tmp_path: Path, option: str, value: str, sentence: str) -> None:
    """One sentence on stderr, and exit code 2."""
    run = run_harness(tmp_path, f"--executor-{option}", value)
    assert run.status == 2, run.out  # noqa: PLR2004 - bad input
    assert sentence in run.err
