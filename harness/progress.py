"""The progress line: rewritten in place for a person, a line now and then for a log.

It is written from a thread of its own, since the main one may sit in a single program for a minute, and to a
descriptor of its own, since pytest points number 1 elsewhere while a test runs.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

_EARLY = (1.0, 2.0)  # seconds until the first lines where nobody watches: is anything happening?
_EVERY = 10.0  # between two of the later ones
_OFTEN = 0.25  # the same where somebody does
_ERASE = "\r\x1b[2K"


class Progress:
    """Says from time to time what is being done."""

    def __init__(self, config: pytest.Config, say: Callable[[], str]) -> None:
        """Prepare; `say` gives the line, or nothing."""
        self._config = config
        self._say = say
        self._reporter: Any = None
        self._watched = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._shown = False
        self._thread: threading.Thread | None = None
        self._descriptor = -1

    def start(self) -> None:
        """Begin, if there is anybody to tell; when the options are read, pytest has no reporter yet."""
        self._reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if self._thread is None and self._reporter is not None and self._reporter.verbosity >= 0:
            self._watched = bool(getattr(self._reporter, "isatty", False)) and "CI" not in os.environ
            self._descriptor = _terminal(self._reporter)
            self._thread = threading.Thread(target=self._tick, name="executor-harness progress", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, and leave a clean line."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def tell(self, line: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._write(f"{self._fresh()}{line}\n")
            self._shown = False

    def clear(self) -> None:
        """Take the line away that is rewritten in place: pytest is about to write."""
        with self._lock:
            if self._shown:
                self._write(_ERASE)
                self._shown = False

    def _tick(self) -> None:
        pauses = repeat(_OFTEN) if self._watched else chain(_EARLY, repeat(_EVERY))
        while not self._over.wait(next(pauses)):
            line = self._say()
            if line and self._watched:
                with self._lock:
                    self._write(f"{self._fresh()}{line[: _columns()]}")
                    self._shown = True
            elif line:
                self.tell(line)

    def _fresh(self) -> str:
        """What brings the cursor to the beginning of an empty line."""
        if self._shown:
            return _ERASE
        writer = getattr(self._reporter, "_tw", None)
        if not getattr(writer, "width_of_current_line", 0):
            return ""
        # Pytest stands in the middle of a line: it shall begin another one after ours.
        self._reporter.currentfspath = None
        vars(writer)["_current_line"] = ""
        return "\n"

    def _write(self, text: str) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):
                os.write(self._descriptor, text.encode(errors="replace"))


def _terminal(reporter: Any) -> int:  # noqa: ANN401 - pytest's terminal reporter has no public type for its file
    """A descriptor that stays what standard output is outside of pytest's capturing; -1 if there is none."""
    capture: Any = reporter.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            return os.dup(1)
    except (AttributeError, OSError):
        return -1


def _columns() -> int:
    try:
        return os.get_terminal_size(1).columns - 1
    except OSError:
        return 79
