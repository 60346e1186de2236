"""Steered arenas of one's own for each test, and the proof that nothing of them is left."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.custody import marked
from harness.arenas.real.journal import Journal
from harness.arenas.steered.arena import SteeredArena

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.values.granularity import Granularity


@pytest.fixture
def steered(tmp_path: Path) -> Iterator[Callable[[Granularity], SteeredArena]]:
    """Makes steered arenas; when the test is over, no process carries our mark, and no file is left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    journal = Journal(tmp_path / "journal")
    with ExitStack() as arenas:
        yield lambda granularity: arenas.enter_context(
            SteeredArena(scratch, journal, granularity=granularity)
        )
    journal.close()
    assert [pid for pid, mark in marked() if mark.startswith(f"{os.getpid()}.")] == []
    assert list(scratch.iterdir()) == list((tmp_path / "journal").iterdir()) == []
