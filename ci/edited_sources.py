"""Replays tokens on sources that were edited meanwhile: what was mended is gone, what remains is found again.

    python ci/edited_sources.py [--tokens 20] [--seed 0]

The tokens come from the planted faults of `tests/simulated/planted.py`, each from another run, at
one granularity after the other. Each token is given to `--executor-replay` twice, by a user who has put a
copy of the standard library in front of the real one: first the copy in which the fault was mended, where the
answer has to be "not found"; then one that still has the fault and ten statements more, spread over the
functions of its file, where it has to be found again. Prints each answer and a summary; the exit code is 1
unless every mended fault was gone and at most one in twenty of the others was lost.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ci.replay_campaign import Bench, Source, make  # noqa: E402 - found through the line above
from harness.values.granularity import GRANULARITIES, Granularity  # noqa: E402 - the same
from tests.simulated.planted import PLANTS, Plant  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES: Final = 10
_LOST: Final = 0.05  # the share of kept faults that may not be found again
_TIMEOUT: Final = 300.0  # seconds for a replay; it has limits of its own, far below


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A token, and the two copies in which it is looked for."""

    fault: str
    token: str
    mended: Path
    longer: Path


def lengthen(source: str, lines: int = LINES) -> str:
    """The source with so many unrelated statements more, each at the start of another function.

    The functions are taken evenly over the file, so that some of the statements lie on the way of the
    schedule. Docstrings stay where they are.
    """
    tree = ast.parse(source)
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
    functions.sort(key=lambda each: each.lineno)
    chosen = [functions[number * len(functions) // lines] for number in range(lines)]
    text = source.splitlines(keepends=True)
    for number, function in reversed(list(enumerate(chosen))):
        first = function.body[0]
        after = first.end_lineno if ast.get_docstring(function) and len(function.body) > 1 else None
        place = (first.lineno - 1) if after is None else after
        text.insert(place or 0, f"{' ' * first.col_offset}_unrelated = {number}\n")
    return "".join(text)


def edits(scratch: Path, number: int, seed: int) -> Iterator[Edit]:
    """So many tokens, from all faults as evenly as can be."""
    bench = Bench(scratch)
    for count, plant in enumerate(PLANTS):
        share = number // len(PLANTS) + (count < number % len(PLANTS))
        folder = scratch / plant.key
        faulty = plant.put(folder / "faulty")
        mended, longer = plant.put(folder / "mended", mended=True), plant.put(folder / "longer")
        file = longer / "concurrent" / "futures" / plant.file
        file.write_text(lengthen(file.read_text()))
        granularity = GRANULARITIES[count % len(GRANULARITIES)]
        for case in make(bench, _source(plant, faulty, granularity), share, seed):
            yield Edit(fault=plant.key, token=case.token, mended=mended, longer=longer)


def _source(plant: Plant, folder: Path, granularity: Granularity) -> Source:
    return Source(
        target=plant.target, programs=(plant.program,), granularity=granularity, fault=plant.key,
        folder=str(folder),
    )  # fmt: skip


def replay(token: str, copy: Path, scratch: Path) -> tuple[int, str]:
    """The exit code of the command, and its line about the token."""
    path = os.pathsep.join(filter(None, (str(copy), os.environ.get("PYTHONPATH", ""))))
    command = [
        *(sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)),
        *("-p", "no:cacheprovider", str(ROOT / "harness"), f"--executor-replay={token}"),
    ]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=scratch, env=os.environ | {"PYTHONPATH": path, "COLUMNS": "250"}, capture_output=True,
        text=True, timeout=_TIMEOUT, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("replay of ")]
    return done.returncode, lines[0] if lines else json.dumps(done.stdout[-300:] + done.stderr[-300:])


def main() -> int:
    """Make the tokens and replay them; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=20, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other tokens")
    options = parser.parse_args()
    tried, gone, found = 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="exh-edited-") as folder:
        for edit in edits(Path(folder), options.tokens, options.seed):
            tried += 1
            code, answer = replay(edit.token, edit.mended, Path(folder))
            gone += code == 0 and "not found" in answer
            print(f"{edit.fault}, mended: {answer}", flush=True)
            code, answer = replay(edit.token, edit.longer, Path(folder))
            found += code == 1 and " broke " in answer
            print(f"{edit.fault}, {LINES} lines more: {answer}", flush=True)
    print(f"{tried} tokens: {gone} mended faults not found, {found} faults found again after {LINES} lines")
    return 0 if tried >= options.tokens and gone == tried and found >= (1 - _LOST) * tried else 1


if __name__ == "__main__":
    sys.exit(main())
