"""The package in other people's projects: it stays out of the way, and its workflow can be copied."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

from tests.suite.harness_run import REPOSITORY, environment, run_harness

if TYPE_CHECKING:
    from pathlib import Path

UNRELATED = """
    from hypothesis import given, strategies as st


    def test_passes():
        pass


    def test_fails():
        assert [1, 2] == [1, 3]


    @given(st.integers())
    def test_fails_with_hypothesis(number):
        assert number < 1000
"""

POOL = """
    from concurrent.futures import ThreadPoolExecutor


    class MyExecutor(ThreadPoolExecutor):
        pass
"""


def pytest_output(folder: Path, *arguments: str) -> str:
    """What pytest prints, less the timings and the list of plugins."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("plugins: ")]
    return re.sub(r"\d+\.\d+s|\[gw\d\]", "", "\n".join([*lines, f"status {done.returncode}"]))


def test_an_unrelated_run_prints_the_same(tmp_path: Path) -> None:
    """With the plugin and without it: a passing, a failing and a failing Hypothesis test read the same."""
    (tmp_path / "test_unrelated.py").write_text(dedent(UNRELATED), encoding="utf-8")
    for arguments in (["--hypothesis-seed=1"], ["--hypothesis-seed=1", "-n", "1"]):
        usual = pytest_output(tmp_path, *arguments, "-p", "no:executor-harness")
        assert "2 failed, 1 passed" in usual
        assert pytest_output(tmp_path, *arguments) == usual
    assert not (tmp_path / ".executor-harness").exists()


def test_the_workflow_can_be_copied(tmp_path: Path) -> None:
    """Its command, as it stands in the file, checks a stranger's executor; only the profile is smaller."""
    text = (REPOSITORY / "ci" / "workflow.yml").read_text(encoding="utf-8")
    runs = re.findall(r"^ +run: (.*)$", text, re.MULTILINE)
    target = re.search(r"^  EXECUTOR: (\S+)$", text, re.MULTILINE)
    assert target
    assert len(runs) == 2  # noqa: PLR2004 - install, and check
    assert "pip install" in runs[0]
    assert "executor-harness" in runs[0]
    package = tmp_path / "mypkg"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "pool.py").write_text(dedent(POOL), encoding="utf-8")
    words = shlex.split(runs[1].replace("$EXECUTOR", target[1]).replace("profile ci", "profile quick"))
    assert words[:5] == ["python", "-m", "pytest", "--pyargs", "harness"]
    run = run_harness(tmp_path, *words[5:], "--executor-seed", "2", "--executor-budget", "6s")
    assert run.status == 0, run.out
    assert (tmp_path / "conformance" / "results.json").is_file()


def test_the_rules_can_be_listed_anywhere(tmp_path: Path) -> None:
    """``--executor-list-rules`` prints the table and runs nothing."""
    run = run_harness(tmp_path, "--executor-list-rules")
    assert run.status == 0
    assert re.search(r"^FUT-08 +MUST ", run.out, re.MULTILINE)
    assert not (tmp_path / ".executor-harness").exists()
