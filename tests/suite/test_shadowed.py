"""Deviations excuse witnesses, not rules: a mutated copy of CPython is red where CPython is excused."""

from __future__ import annotations

import concurrent
import os
import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from tests.suite.harness_run import REPOSITORY, run_harness

# Appended to a copy of `concurrent/futures/_base.py`: a rule that CPython breaks, broken in another way.
FORGETS_FAILED = """
    _pair = DoneAndNotDoneFutures


    def DoneAndNotDoneFutures(done, not_done):
        failed = {future for future in done if future._exception is not None}
        return _pair(done - failed, not_done | failed)
"""
HIDES_FALSY = """
    _exception = Future.exception


    def _true_ones_only(self, timeout=None):
        return _exception(self, timeout) or None


    Future.exception = _true_ones_only
"""


def shadow(folder: Path, addition: str) -> Path:
    """Copy the `concurrent` package into a folder, with something added to `_base`."""
    package = Path(next(iter(concurrent.__path__)))
    shutil.copytree(package, folder / "concurrent", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "concurrent" / "futures" / "_base.py").open("a", encoding="utf-8") as base:
        base.write(dedent(addition))
    return folder


@pytest.mark.parametrize(
    ("rule", "theme", "addition"),
    [("WAIT-06", "waiting", FORGETS_FAILED), ("RES-11", "lifecycle", HIDES_FALSY)],
    ids=["wait-forgets-failed-futures", "exception-hides-falsy-ones"],
)
def test_another_fault_under_an_excused_rule_is_red(
    tmp_path: Path, rule: str, theme: str, addition: str
) -> None:
    """CPython's own departure stays excused; the copy that breaks the same rule otherwise fails the run."""
    copy = shadow(tmp_path / "front", addition)
    options = ("--executor", "concurrent.futures:ThreadPoolExecutor", "--executor-seed", "1", "-k", theme)
    path = os.pathsep.join([str(copy), str(REPOSITORY)])
    run = run_harness(tmp_path, *options, "--executor-budget", "20s", PYTHONPATH=path)
    assert run.status == 1
    assert rule in run.sizes
