"""Where steered threads announce what they do: the gatehouse, with a conductor in it."""

from __future__ import annotations

import math
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from harness.arenas.real.gatehouse import Gatehouse
from harness.arenas.steered.conductor import Conductor
from harness.arenas.steered.steering import FREE

if TYPE_CHECKING:
    import selectors
    import socket
    from collections.abc import Callable

    from harness.arenas.steered.order import Order


class Podium(Gatehouse):
    """A gatehouse that passes announcements to the conductor of the run, and answers as he gives the word."""

    def __init__(self, selector: selectors.BaseSelector, report: Callable[[dict[str, Any]], None]) -> None:
        """Open the socket; nobody is conducted yet."""
        super().__init__(selector, report)
        self.conductor = Conductor((), self)
        self._lines: dict[str, socket.socket] = {}
        self._kills: dict[str, tuple[int, int]] = {}  # a descriptor of the victim, and the signal
        self._since = 0.0

    def conduct(self, order: Order) -> None:
        """Begin a run that is to take this order."""
        self._lines.clear()
        self._spare()
        self.conductor = Conductor(order, self)
        self._since = math.inf  # until somebody is there

    def waiting(self) -> float:
        """For how many seconds nobody has said anything or got the word."""
        return 0.0 if self.conductor.over else time.monotonic() - self._since

    def expire(self) -> None:
        """Do not wait any longer for whoever should come next."""
        self._since = time.monotonic()
        self.conductor.expire()

    def close(self) -> None:
        """Spare those whose kill has not come, and stop listening."""
        self._spare()
        super().close()

    # What threads say.

    def hear(self, line: socket.socket, message: dict[str, Any]) -> None:
        """Announcements are for the conductor, everything else as in any gatehouse."""
        match message["do"]:
            case "point":
                self._since = time.monotonic()
                self._lines[message["role"]] = line
                self.conductor.arrive(message["role"], message["op"])
            case "stand back":
                self.conductor.stand_back(message["role"])
            case "leave":
                self._lines.pop(message["role"], None)
                self.conductor.leave(message["role"])
            case "aim":
                self._aim(message["role"], message["pid"], message["signal"])
            case _:
                super().hear(line, message)

    def drop(self, line: socket.socket) -> None:
        """The other end is gone: so is whoever used it."""
        for role in [role for role, theirs in self._lines.items() if theirs is line]:
            del self._lines[role]
            self.conductor.leave(role)
        super().drop(line)

    def _aim(self, role: str, pid: int, number: int) -> None:
        """Get hold of the victim at once: it cannot be confused later with another of the same number."""
        try:
            self._kills[role] = os.pidfd_open(pid), number
        except ProcessLookupError:
            return
        self.conductor.aim(role)

    def _spare(self) -> None:
        for descriptor, _ in self._kills.values():
            os.close(descriptor)
        self._kills.clear()

    # What the conductor wants.

    def go(self, role: str) -> None:
        """Let a thread do what it announced."""
        self._since = time.monotonic()
        self.answer(self._lines[role])

    def free(self, role: str) -> None:
        """Let a thread go for good."""
        if role in self._lines:
            self.answer(self._lines[role], FREE)

    def strike(self, role: str) -> None:
        """Let the kill of this role happen."""
        descriptor, number = self._kills.pop(role)
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)
