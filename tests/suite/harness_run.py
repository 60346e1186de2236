"""Runs `pytest harness` in a process of its own, as a user would, in a folder that is not the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_LIMIT = 150  # seconds; the runs of these tests have budgets of a few


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def digests(self) -> dict[str, str]:
        """The digest of every item's programs."""
        found = re.findall(
            r"^  (\S+) +(\w+ +\w+) +\d+(?: of \d+)? programs .* programs ([0-9a-f]{12})$",
            self.out,
            re.MULTILINE,
        )
        return {f"{subject} {' '.join(item.split())}": digest for subject, item, digest in found}

    @property
    def sizes(self) -> dict[str, int]:
        """The operations of the minimal program shown for each rule, at their smallest."""
        found: dict[str, int] = {}
        rule = ""
        for line in self.out.splitlines():
            if head := re.match(r"([A-Z]+-\d+) (MUST|SHOULD|MAY)  ", line):
                rule = head[1]
            if size := re.match(r"  minimal program: (\d+) operation", line):
                found[rule] = min(int(size[1]), found.get(rule, 1 << 30))
        return found

    @property
    def tokens(self) -> dict[str, str]:
        """A whole token for each rule shown."""
        found: dict[str, str] = {}
        rule = ""
        for line in self.out.splitlines():
            if head := re.match(r"([A-Z]+-\d+) (MUST|SHOULD|MAY)  ", line):
                rule = head[1]
            if token := re.search(r"--executor-replay (exh1\.\S+)", line):
                found[rule] = token[1]
        return found


def environment(**more: str) -> dict[str, str]:
    """Ours, less what the outer pytest put there, with the repository's test subjects to be imported."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_", "EXECUTOR_HARNESS"))
    }
    return kept | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "160"} | more


def command(*arguments: str) -> list[str]:
    """The command line of a run; in the real arena only, unless another is named."""
    arena = () if "--executor-arena" in arguments else ("--executor-arena", "real")
    return [
        sys.executable,
        "-m",
        "pytest",
        "--pyargs",
        "harness",
        "-p",
        "no:cacheprovider",
        *arena,
        *arguments,
    ]


def run_harness(folder: Path, *arguments: str, **more: str) -> Run:
    """Run the suite in `folder`; `more` goes into the environment."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        command(*arguments),
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    return Run(status=done.returncode, out=done.stdout, err=done.stderr)


def left_alive(folder: Path) -> list[str]:
    """The processes that still work in `folder`: whatever a run in it has left."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").resolve() == folder.resolve() and entry.name != str(os.getpid()):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # gone meanwhile, or not ours
            continue
    return [each for each in found if each]
