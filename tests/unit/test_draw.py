"""A seed gives the same programs, whatever else is loaded in the process that draws them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.generation.composer import Shape
from harness.generation.draw import digest_of, draw

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = """
from harness.generation.composer import Shape
from harness.generation.draw import digest_of, draw
print(digest_of(draw("waiting", Shape(), 7, 150)))
"""


def test_other_modules_do_not_change_what_is_drawn() -> None:
    """Hypothesis likes constants from a user's modules: here those of these tests, there of nobody's."""
    command = [sys.executable, "-c", ELSEWHERE]
    elsewhere = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert digest_of(draw("waiting", Shape(), 7, 150)) == elsewhere.stdout.strip()
