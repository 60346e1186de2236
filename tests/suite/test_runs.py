"""Seeds, processes, interruptions: programs come back, and nothing is lost when something is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.suite.harness_run import command, environment, left_alive, run_harness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAFE = ("--executor", "concurrent.futures:ThreadPoolExecutor", "--executor-budget", "6s")
HANGING = ("--executor", "tests.subjects.badly:HangsInSubmit", "--executor-seed", "3")


def test_a_seed_gives_the_same_programs_everywhere(tmp_path: Path) -> None:
    """Digests agree with and without xdist, and there is one table."""
    alone = run_harness(tmp_path, *SAFE, "--executor-seed", "5")
    together = run_harness(tmp_path, *SAFE, "--executor-seed", "5", "-n", "2")
    assert len(alone.digests) == 3  # noqa: PLR2004 - the themes of a thread pool
    assert alone.digests == together.digests
    assert together.out.count("not exercised   inconclusive") == 1
    assert together.out.count("seed 5; ") == 1


def test_without_a_seed_two_runs_differ(tmp_path: Path) -> None:
    """Other programs are drawn each time, also where Hypothesis would repeat itself."""
    first = run_harness(tmp_path, *SAFE, "-k", "map", CI="1")
    second = run_harness(tmp_path, *SAFE, "-k", "map", CI="1")
    assert first.digests.keys() == second.digests.keys() != set()
    assert not set(first.digests.values()) & set(second.digests.values())


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A run that is under way: it has begun with its items, and a program is in the journal."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        command(*arguments), cwd=folder, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            seen = ""
            while "test_conformance.py " not in seen and "workers [" not in seen:
                letter = process.stdout.read(1)
                assert letter, seen
                seen += letter
            while process.poll() is None and not workers(folder):
                os.sched_yield()
            yield process
        finally:
            process.kill()


def workers(folder: Path) -> list[int]:
    """The processes that have a program of their subject's in flight."""
    journal = folder / ".executor-harness" / "journal"
    texts = {path: path.read_text(encoding="utf-8") for path in journal.glob("*.json")}
    flying = [path for path, text in texts.items() if "lanes" in text and "HangsInSubmit" in text]
    return [int(path.name.partition(".")[0]) for path in flying]


def test_an_interrupted_run_reports_all_the_same(tmp_path: Path) -> None:
    """Ctrl-C ends with 130; the results are written, and nothing is left behind."""
    with running(tmp_path, *HANGING, "--executor-budget", "60s", "--executor-report", "report") as process:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out  # noqa: PLR2004 - what a shell expects
    assert "executor conformance" in out
    assert "green" not in out
    written = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert written["run"]["interrupted"]
    assert not left_alive(tmp_path)


def test_the_program_of_a_killed_worker_is_told(tmp_path: Path) -> None:
    """``kill -9`` of an xdist worker fails the run, and the report says which program was in flight."""
    with running(tmp_path, *HANGING, "--executor-budget", "8s", "-n", "2", "-k", "map") as process:
        os.kill(next(pid for pid in workers(tmp_path) if pid != process.pid), signal.SIGKILL)
        out, _ = process.communicate(timeout=100)
    assert process.returncode == 1, out
    assert (
        "a process of this run was killed while it ran a program on tests.subjects.badly:HangsInSubmit" in out
    )
    assert "--executor-replay" in out
    assert not left_alive(tmp_path)


def test_the_program_of_a_killed_run_is_told_by_the_next(tmp_path: Path) -> None:
    """``kill -9`` of everything leaves the culprit in the journal, and the next run sweeps up."""
    with running(tmp_path, *HANGING, "--executor-budget", "60s") as process:
        process.kill()
    run = run_harness(tmp_path, *SAFE, "-k", "map")
    assert "an earlier run was killed while it ran a program on tests.subjects.badly:HangsInSubmit" in run.out
    assert not left_alive(tmp_path)
