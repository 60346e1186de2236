"""An arena of one's own for each test, and the proof that nothing of it is left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.arena import RealArena
from harness.arenas.real.custody import marked
from harness.arenas.real.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[RealArena]:
    """A real arena; when the test is over, no process carries our mark, and no file is left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    journal = Journal(tmp_path / "journal")
    with RealArena(scratch, journal) as arena:
        yield arena
    journal.close()
    assert [pid for pid, mark in marked() if mark.startswith(f"{os.getpid()}.")] == []
    assert list(scratch.iterdir()) == list((tmp_path / "journal").iterdir()) == []
