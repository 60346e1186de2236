"""The harness's side of the gates: puppets in worker processes report here and wait here.

It has no thread of its own; the arena serves it in the loop in which it waits for the child anyway. A
puppet that does not know the key is hung up on.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import selectors
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_PATH = 100  # bytes; the system's limit for a socket's path is 107


class Gatehouse:
    """Listens on a local socket, passes reports on, and keeps puppets waiting until their gate opens."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        report: Callable[[dict[str, Any]], None],
        folder: Path | None = None,
    ) -> None:
        """Open the socket in a private folder; `report` is called with every message of a puppet.

        The private folder is made in `folder`, and goes with it if we are killed; unless its path would be
        too long for a socket.
        """
        self.key = secrets.token_hex(16)
        self._folder = _short_folder(folder)
        self.address = str(Path(self._folder) / "gate")
        self._selector = selector
        self._report = report
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(128)
        self._listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self._buffers: dict[socket.socket, bytes] = {}
        self._trusted: set[socket.socket] = set()
        self._waiting: dict[str, list[socket.socket]] = {}
        self._opened: set[str] = set()
        self._run = ""
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def begin(self, run: str) -> None:
        """Close all gates and forget the puppets of earlier programs."""
        self._run = run
        self._opened.clear()
        self._waiting.clear()

    def open(self, gate: str) -> None:
        """Let the puppets at this gate go on, now and later."""
        self._opened.add(gate)
        for line in self._waiting.pop(gate, ()):
            self.answer(line)

    def hang_up(self) -> None:
        """Close every puppet's line (their processes are gone, or should be)."""
        for line in list(self._buffers):
            self.drop(line)

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self.hang_up()
        self._selector.unregister(self._listener)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            line, _ = self._listener.accept()
            line.setblocking(False)  # noqa: FBT003 - the standard library's own signature
            self._buffers[line] = b""
            self._selector.register(line, selectors.EVENT_READ, lambda: self._read(line))

    def _read(self, line: socket.socket) -> None:
        try:
            part = line.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self.drop(line)
            return
        *complete, self._buffers[line] = (self._buffers[line] + part).split(b"\n")
        for text in complete:
            if line in self._buffers:  # else it was hung up on
                self._hear(line, text)

    def _hear(self, line: socket.socket, text: bytes) -> None:
        message = _parsed(text)
        if message is None:
            self.drop(line)
        elif line not in self._trusted:
            if secrets.compare_digest(str(message.get("key")).encode(), self.key.encode()):
                self._trusted.add(line)
            else:
                self.drop(line)
        elif message.get("run") == self._run:
            self.hear(line, message)

    def hear(self, line: socket.socket, message: dict[str, Any]) -> None:
        """A puppet of the present run says something."""
        if message["do"] == "gate":
            self._wait_at(line, message["gate"])
        else:
            self._report(message)

    def _wait_at(self, line: socket.socket, gate: str) -> None:
        if gate in self._opened:
            self.answer(line)
        else:
            self._waiting.setdefault(gate, []).append(line)

    def answer(self, line: socket.socket, what: bytes = b".") -> None:
        """Let whoever waits at the other end of a line go on."""
        with contextlib.suppress(OSError):  # it was killed meanwhile
            line.send(what)

    def drop(self, line: socket.socket) -> None:
        """A line is dead, or somebody is at its other end whom we do not trust."""
        if self._buffers.pop(line, None) is not None:
            self._trusted.discard(line)
            self._selector.unregister(line)
            line.close()


def _parsed(text: bytes) -> dict[str, Any] | None:
    """A message, or None for what is none: anybody on this machine may connect."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _short_folder(inside: Path | None) -> str:
    """A private folder whose path leaves room for a socket's name."""
    folder = tempfile.mkdtemp(prefix="exh-", dir=inside)
    if len(folder.encode()) <= _LONGEST_PATH:
        return folder
    shutil.rmtree(folder)
    return tempfile.mkdtemp(prefix="exh-", dir="/tmp")
