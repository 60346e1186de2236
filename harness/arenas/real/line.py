"""The child's end of the line to the harness: JSON objects, one a line."""

from __future__ import annotations

import json
import os
import select
import socket
from typing import Any


class Line:
    """A socket that was inherited."""

    def __init__(self, descriptor: int) -> None:
        """Take it over: what the subject starts shall not inherit it."""
        self._socket = socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - the standard library's own signature
        self._buffer = b""

    def send(self, message: dict[str, object]) -> None:
        """Say something to the harness."""
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any] | None:
        """The next message, waiting for it; None when the harness is gone."""
        while b"\n" not in self._buffer:
            part = self._socket.recv(1 << 16)
            if not part:
                return None
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def heard(self, timeout: float | None, *others: int) -> bool:
        """Whether there is something to receive; waits so long for it, or for another descriptor."""
        if b"\n" in self._buffer:
            return True
        ends: list[socket.socket | int] = [self._socket, *others]
        ready, _, _ = select.select(ends, [], [], timeout)
        return self._socket in ready
