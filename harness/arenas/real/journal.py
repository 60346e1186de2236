"""The program in flight, on disk before it runs: even ``kill -9`` of everything leaves the culprit."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.arenas.real.custody import owner_lives, start_time

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A program that was running when its harness process died."""

    target: str
    program: str


class Journal:
    """One file per harness process, holding the one program that is running now."""

    def __init__(self, folder: Path) -> None:
        """Open the journal of this process."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{os.getpid()}.{start_time(os.getpid())}.json"
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def note(self, target: str, program: str) -> None:
        """Write down what is about to run. One write and a truncation: a few microseconds."""
        text = json.dumps({"target": target, "program": program}).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def close(self) -> None:
        """All went well: nothing to remember."""
        os.close(self._descriptor)
        self.path.unlink(missing_ok=True)


def left_behind(folder: Path) -> list[Entry]:
    """The programs that were running in harness processes that are gone; each is told once."""
    found: list[Entry] = []
    for path in sorted(folder.glob("*.json")):
        if owner_lives(path.stem + ".journal"):
            continue
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            found.append(Entry(target=str(data["target"]), program=str(data["program"])))
        except (ValueError, KeyError, TypeError, OSError):  # killed in the middle of the write
            pass
        path.unlink(missing_ok=True)
    return found
