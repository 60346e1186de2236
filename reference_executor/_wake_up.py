"""The wake-up channel of a process pool's management thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference_executor import _residents

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext


class WakeUpChannel:
    """Gets the management thread out of its wait.

    It is used a few times in the life of a pool and of each worker, never once for each call: it cannot
    fill up.
    """

    def __init__(self, context: BaseContext) -> None:
        """Open it."""
        ends: tuple[Connection[Any, Any], Connection[Any, Any]] = context.Pipe(duplex=False)
        self.reader, self._writer = ends
        _residents.pipe_ends.update(ends)

    def ring(self) -> None:
        """Wake the management thread."""
        self._writer.send_bytes(b"")

    def clear(self) -> None:
        """Take everything out."""
        while self.reader.poll():
            self.reader.recv_bytes()

    def close(self) -> None:
        """Close both ends."""
        for end in (self.reader, self._writer):
            _residents.pipe_ends.discard(end)
            end.close()
