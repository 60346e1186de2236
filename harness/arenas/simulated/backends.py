"""What carries a simulated thread: a greenlet, or an operating system's thread that waits for the baton.

Both do the same: exactly one carrier runs at a time, and it hands over by name. Greenlets are several times
faster; threads need nothing but the standard library and show that the world does not depend on greenlets.
"""

from __future__ import annotations

import importlib
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import types
    from collections.abc import Callable


def _has_gil() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


try:
    # A free-threaded build would switch its GIL on again for greenlet.
    greenlet: Any = importlib.import_module("greenlet") if _has_gil() else None
except ImportError:  # no wheel for this Python: the threads do
    greenlet = None

Carrier: TypeAlias = Any


class Over(BaseException):
    """Unwinds a task when the run is over. Not an `Exception`: the subject's handlers must not keep it."""


class Backend(Protocol):
    """How tasks take turns. It serves one run after the other."""

    name: str

    def carrier(self, body: Callable[[], None]) -> Carrier:
        """Make a carrier that will run `body` when first switched to."""

    def enter(self, carrier: Carrier) -> None:
        """Called by the hub: run a carrier; returns when one has ended, or called `leave`."""

    def switch(self, mine: Carrier, other: Carrier) -> None:
        """Hand over from one carrier to another; returns when somebody hands back."""

    def leave(self, mine: Carrier) -> None:
        """Hand over to the hub."""

    def discard(self, carrier: Carrier) -> None:
        """Called by the hub when the run is over: unwind a carrier that is not at its end."""

    def frame(self, carrier: Carrier) -> types.FrameType | None:
        """Where a carrier that is not running stands."""


class _Player:
    """A greenlet that plays one body after the other: to make one costs as much as its switches in a run."""

    __slots__ = ("body", "busy", "greenlet", "hand_over")

    def __init__(self, hub: Any, idle: list[_Player]) -> None:  # noqa: ANN401 - a greenlet
        self.body: Callable[[], None] | None = None
        self.busy = False
        self.greenlet = greenlet.greenlet(partial(self._serve, idle, hub.switch), hub)
        self.hand_over: Callable[[], None] = self.greenlet.switch

    def _serve(self, idle: list[_Player], leave: Callable[[], None]) -> None:
        while self.body is not None:
            body, self.body = self.body, None
            self.busy = True
            body()
            del body  # what it ran is let go of when it ends
            self.busy = False
            idle.append(self)
            leave()


class Greenlets:
    """Carriers are greenlets, children of the hub's; they are used again."""

    name = "greenlets"

    def __init__(self) -> None:
        """Take the caller as the hub."""
        self._hub = greenlet.getcurrent()
        self._idle: list[_Player] = []

    def carrier(self, body: Callable[[], None]) -> Carrier:
        """See `Backend`."""
        player = self._idle.pop() if self._idle else _Player(self._hub, self._idle)
        player.greenlet.gr_context = None
        player.body = body
        return player

    def enter(self, carrier: Carrier) -> None:
        """See `Backend`."""
        carrier.hand_over()

    def switch(self, mine: Carrier, other: Carrier) -> None:  # noqa: ARG002 - the other backend needs it
        """See `Backend`."""
        other.hand_over()

    def leave(self, mine: Carrier) -> None:  # noqa: ARG002 - the other backend needs it
        """See `Backend`."""
        self._hub.switch()

    def discard(self, carrier: Carrier) -> None:
        """See `Backend`."""
        if carrier.body is not None:  # it was never entered
            carrier.body = None
            self._idle.append(carrier)
        tries = 0
        while carrier.busy and carrier.greenlet and tries < _PATIENCE:
            carrier.greenlet.throw(Over)
            tries += 1

    def frame(self, carrier: Carrier) -> types.FrameType | None:
        """See `Backend`."""
        frame: types.FrameType | None = carrier.greenlet.gr_frame
        return frame


_PATIENCE = 100  # times that a task may catch `Over` before it is left where it is


class _Baton:
    """A thread that runs only while it holds the baton."""

    __slots__ = ("body", "ended", "ident", "started", "turn")

    def __init__(self, body: Callable[[], None]) -> None:
        self.body: Callable[[], None] | None = body
        self.turn = threading.Lock()
        self.turn.acquire()
        self.started = False
        self.ended = False
        self.ident = 0


class Threads:
    """Carriers are threads that pass a baton."""

    name = "threads"

    def __init__(self) -> None:
        """Take the caller as the hub."""
        self._hub = threading.Lock()
        self._hub.acquire()

    def carrier(self, body: Callable[[], None]) -> Carrier:
        """See `Backend`."""
        return _Baton(body)

    def enter(self, carrier: Carrier) -> None:
        """See `Backend`."""
        self._pass_to(carrier)
        self._hub.acquire()

    def switch(self, mine: Carrier, other: Carrier) -> None:
        """See `Backend`."""
        self._pass_to(other)
        mine.turn.acquire()

    def leave(self, mine: Carrier) -> None:
        """See `Backend`."""
        self._hub.release()
        mine.turn.acquire()

    def discard(self, carrier: Carrier) -> None:
        """See `Backend`. The kernel raises `Over` in whatever comes back from a hand-over."""
        tries = 0
        while carrier.started and not carrier.ended and tries < _PATIENCE:
            self.enter(carrier)
            tries += 1

    def frame(self, carrier: Carrier) -> types.FrameType | None:
        """See `Backend`."""
        return sys._current_frames().get(carrier.ident)  # noqa: SLF001 - the documented way to another thread's stack

    def _pass_to(self, carrier: _Baton) -> None:
        if carrier.started:
            carrier.turn.release()
            return
        carrier.started = True
        threading.Thread(target=self._live, args=(carrier,), daemon=True).start()

    def _live(self, carrier: _Baton) -> None:
        carrier.ident = threading.get_ident()
        body, carrier.body = carrier.body, None
        assert body is not None  # noqa: S101 - for mypy: a carrier is entered for the first time once
        try:
            body()
        finally:
            del body  # what a thread ran is let go of when it ends, as a greenlet does
            carrier.ended = True
            self._hub.release()


def best() -> Backend:
    """Greenlets where there are any."""
    return Greenlets() if greenlet is not None else Threads()
