"""Who of the real threads may go on: the next in an order that a simulated run took.

Threads announce each operation and wait for the word. One at a time has it; it gives it back when it
announces its next operation, is stopped in the middle of one, or ends. Reality need not follow: a thread may
do what it did not do in the simulated run, or leave out what it did, and some of what it waits for is out of
our sight. So the order is kept as far as possible. What does not come is dropped after a while and counted as
*missed*, and in the end everybody is set free.

This module has no clock and no sockets: it is told what happens, and answers who may go.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from harness.arenas.simulated.source_text import is_statement
from harness.arenas.steered.order import GO_ON

if TYPE_CHECKING:
    from harness.arenas.steered.order import Order

SETTLE: Final = "settle"
"""What a thread says that lets all others go first; it is no step of the order."""

_WINDOW: Final = 12
"""So far ahead the next operation of a role is looked for, if it is not the one expected."""

_NARROW_WINDOW: Final = 2
"""The same for a try, of which there are many."""

_WIDE_WINDOW: Final = 100
"""The same for a statement; few are alike. A fork in the world has some that no real one has."""

_RETRIES: Final = 5
"""So often in a row a thread tries in vain what it was stopped in; then its place is given up."""

_MOST_MISSED: Final = 4
"""After so many places that were given up nobody is held any more."""


class Orchestra(Protocol):
    """Those who are conducted."""

    def go(self, role: str) -> None:
        """Let a thread do what it announced."""

    def free(self, role: str) -> None:
        """Let a thread go for good: it need not announce anything any more."""

    def strike(self, role: str) -> None:
        """Let the kill of this role happen."""


class Conductor:
    """One run."""

    def __init__(self, order: Order, orchestra: Orchestra) -> None:
        """Nobody is there yet."""
        self._order = order
        self._orchestra = orchestra
        self._next = 0
        self._dropped = bytearray(len(order))
        self._own: dict[str, deque[int]] = {}  # the places in the order that each role has before it
        for place, step in enumerate(order):
            self._own.setdefault(step.role, deque()).append(place)
        self._waiting: dict[str, str] = {}  # roles, and what they are about to do
        self._kills: set[str] = set()
        self._vain = 0
        self.runner = ""  # who has the word
        self.over = not order
        self.missed = 0

    @property
    def followed(self) -> bool:
        """Whether the whole order was kept, with nothing missed."""
        return self.over and not self.missed

    # What happens.

    def arrive(self, role: str, op: str) -> None:
        """A thread announces an operation."""
        if self.over:
            self._orchestra.free(role)
            return
        self._waiting[role] = op
        if self.runner == role:
            self.runner = ""
        if op not in (GO_ON, SETTLE):
            self._look_ahead(role, op)
        self._advance()

    def stand_back(self, role: str) -> None:
        """A thread is blocked, and will announce itself when it is not any more."""
        if self.runner == role:
            self.runner = ""
        self._advance()

    def leave(self, role: str) -> None:
        """A thread has ended, or was killed."""
        for place in self._own.pop(role, ()):
            self._dropped[place] = True
        self._waiting.pop(role, None)
        if self.runner == role:
            self.runner = ""
        self._advance()

    def aim(self, role: str) -> None:
        """A kill was ordered; it happens at its place in the order, or when all are free."""
        if self.over:
            self._orchestra.strike(role)
            return
        self._kills.add(role)
        self._advance()

    def expire(self) -> None:
        """Nothing has happened for as long as anybody may be held."""
        if self.over:
            return
        if self.runner:
            self.runner = ""  # it is stopped by something that we do not see
        else:
            self._give_up()
        self._advance()

    def finish(self) -> None:
        """Set everybody free."""
        if self.over:
            return
        self.over = True
        for role in sorted(self._kills):
            self._orchestra.strike(role)
        for role in self._waiting:
            self._orchestra.free(role)

    # Who is next.

    def _look_ahead(self, role: str, op: str) -> None:
        """Drop what a thread has left out, if what it announces comes soon after."""
        own = self._own.get(role, deque())
        for ahead, place in enumerate(islice(own, _window(op))):
            if self._order[place].op == op:
                for _ in range(ahead):
                    self._dropped[own.popleft()] = True
                return

    def _advance(self) -> None:
        while not self.over and not self.runner:
            while self._next < len(self._order) and self._dropped[self._next]:
                self._next += 1
            if self._next == len(self._order):
                self.finish()
            elif not self._take():
                return

    def _take(self) -> bool:
        """Take the next step of the order; False if it has to be waited for."""
        role, op = self._order[self._next]
        if op == "kill":
            if role not in self._kills:
                return False
            self._kills.discard(role)
            self._consume(role)
            self._orchestra.strike(role)
            return True
        doing = self._waiting.get(role)
        if doing is None:
            return False
        if doing == op:
            self._consume(role)
        elif doing == GO_ON:
            self._vain += 1
            if self._vain > _RETRIES:
                self._give_up()
                return True
        del self._waiting[role]
        self.runner = role
        self._orchestra.go(role)
        return True

    def _consume(self, role: str) -> None:
        self._own[role].popleft()
        self._next += 1
        self._vain = 0

    def _give_up(self) -> None:
        """Drop what the next role should do before the role after it."""
        role = self._order[self._next].role
        while self._next < len(self._order) and (
            self._dropped[self._next] or self._order[self._next].role == role
        ):
            if not self._dropped[self._next]:
                self._own[role].popleft()
            self._next += 1
        self._vain = 0
        self.missed += 1
        if self.missed > _MOST_MISSED:
            self.finish()


def _window(op: str) -> int:
    """How far ahead an operation is looked for."""
    if op == "try":
        return _NARROW_WINDOW
    return _WIDE_WINDOW if is_statement(op) else _WINDOW
