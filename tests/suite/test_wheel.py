"""The package as a stranger gets it: built, installed into a fresh environment, used in another folder."""

from __future__ import annotations

import json
import os
import re
import site
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

from harness.specs import load_rules
from tests.suite.harness_run import REPOSITORY, environment, left_alive

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT = 200  # seconds for each command; building fetches its backend from the index


def do(folder: Path, *command: str | Path) -> str:
    """Run a command that has to succeed, without the repository on its path; what it printed."""
    without = environment()
    del without["PYTHONPATH"]
    done = subprocess.run(  # noqa: S603 - our own interpreters
        command, cwd=folder, env=without, capture_output=True, text=True, timeout=_LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(folder: Path) -> Path:
    """Build the wheel and install it, and nothing else, into a fresh environment; its interpreter.

    What the package depends on is borrowed from the environment that we run in. A path file that another
    path file leads to is not read, so an editable installation of ours is not borrowed along with it.
    """
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    do(folder, *pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, REPOSITORY)
    (wheel,) = folder.glob("executor_harness-*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    do(folder, *pip, "--python", python, "install", "--quiet", "--no-deps", wheel)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    return python


def test_an_installed_wheel_works_without_the_repository(tmp_path: Path) -> None:
    """`pytest --pyargs harness` judges by the rules in the wheel, and the rule table can be printed."""
    python = install(tmp_path)
    where = tmp_path / "elsewhere"
    where.mkdir()
    homes = "import harness, reference_executor; print(harness.__file__, reference_executor.__file__)"
    home = do(where, python, "-c", homes)
    assert home.count(f"{tmp_path}{os.sep}venv{os.sep}") == 2  # noqa: PLR2004 - both packages
    listed = do(where, python, "-m", "pytest", "--executor-list-rules")
    assert all(rule in listed for rule in load_rules())
    out = do(
        where, python, "-m", "pytest", "--pyargs", "harness", "-k", "thread-lifecycle",
        "--executor-budget", "20s", "--executor-seed", "1", "--executor-report", "report",
    )  # fmt: skip
    assert re.search(r"\b\d+ passed\b", out)
    assert "failed" not in out
    results = json.loads((where / "report" / "results.json").read_text(encoding="utf-8"))["results"]
    judged = {row["rule"] for row in results if row["verdict"] == "holds"}
    assert {"FUT-08", "SHD-02", "CB-01"} <= judged
    assert not left_alive(where)
