"""The client's notebook: an event is one line in a file, written at once, so that a crash loses nothing."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from harness.values.codec import encode
from harness.values.history import CalledBack

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.values.history import Event

now: Callable[[], int] = time.monotonic_ns


class Recorder:
    """Appends events to a file; only the process that opened it writes (a forked copy stays silent)."""

    def __init__(self, path: str) -> None:
        """Open the file for appending; the harness empties it between programs."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._pid = os.getpid()

    def take_over(self) -> None:
        """From now on this process is the one that writes."""
        self._pid = os.getpid()

    def write(self, event: Event) -> None:
        """Append one event. One `write` call per line: lines of several threads do not mix."""
        # A callback that is called in a forked copy must be seen, too.
        if os.getpid() == self._pid or isinstance(event, CalledBack):
            os.write(self._descriptor, json.dumps(encode(event)).encode() + b"\n")
