"""What hooked operations call in the steered child: the thread stands still here until it may go on.

A thread that is steered has a *role*, as a task of the simulated world has: ``main``, ``lane1``, ``main/T1``
for the first thread that main started, ``P1`` for the first process. All others pass here untouched. Nothing
here is made of hooked operations, and a thread that waits here has given up the GIL.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import random
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

from harness.arenas.steered.order import GO_ON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FREE: Final = b"!"
"""The harness's answer to an announcement after which nothing need be announced; every other is a go."""

_TRY: Final = 0.1
"""For so many seconds a thread whose turn it is tries to finish what it was stopped in."""


class Rider:
    """A thread that is steered: its role and process, how often it passed here, how many threads it began."""

    __slots__ = ("aside", "children", "dice", "ident", "line", "pid", "role", "steps")

    def __init__(self, role: str) -> None:
        """Be the current thread."""
        self.role = role
        self.pid = os.getpid()
        self.ident = _thread.get_ident()
        self.steps = 0
        self.children = 0
        self.aside = False  # what it does now is not to be announced
        self.line: socket.socket | None = None
        self.dice: random.Random | None = None


class Driver(Protocol):
    """Decides how long a thread stands still."""

    def announce(self, rider: Rider, op: str) -> bool:
        """Return when the thread may do this; False if it is free to do what it likes."""

    def stand_back(self, rider: Rider) -> None:
        """The thread is going to be blocked; somebody else may go on."""

    def leave(self, rider: Rider) -> None:
        """The thread is ending."""

    def aim(self, rider: Rider, role: str, pid: int, number: int) -> bool:
        """Take over a kill; False if it should be done at once."""


class Guided:
    """The harness decides: a line to it for each thread, over the socket at which puppets report, too."""

    def __init__(self, run: str, address: str, key: str) -> None:
        """Prepare to connect."""
        self._run = run
        self._address = address
        self._key = key
        self._free = False

    def announce(self, rider: Rider, op: str) -> bool:
        """Say it, and wait for the answer."""
        if not self._free:
            try:
                self._say(rider, {"do": "point", "role": rider.role, "op": op})
                answer = b"" if rider.line is None else rider.line.recv(1)
            except OSError:  # hung up: we are on our own
                answer = b""
            self._free = answer in (b"", FREE)
        if self._free:
            _close(rider)
        return not self._free

    def stand_back(self, rider: Rider) -> None:
        """Say so."""
        self._mention(rider, "stand back")

    def leave(self, rider: Rider) -> None:
        """Say so, and hang up."""
        self._mention(rider, "leave")
        _close(rider)

    def aim(self, rider: Rider, role: str, pid: int, number: int) -> bool:
        """Let the harness kill when the moment has come."""
        if self._free:
            return False
        try:
            self._say(rider, {"do": "aim", "role": role, "pid": pid, "signal": number})
        except OSError:
            return False
        return True

    def _mention(self, rider: Rider, what: str) -> None:
        """Say something that needs no answer."""
        with contextlib.suppress(OSError):
            if not self._free and rider.line is not None:
                self._say(rider, {"do": what, "role": rider.role})

    def _say(self, rider: Rider, message: dict[str, object]) -> None:
        if rider.line is None:
            rider.line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            rider.line.connect(self._address)
            rider.line.sendall(json.dumps({"key": self._key}).encode() + b"\n")
        rider.line.sendall(json.dumps({"run": self._run, **message}).encode() + b"\n")


def _close(rider: Rider) -> None:
    line, rider.line = rider.line, None
    if line is not None:
        line.close()


class Noisy:
    """Chance decides, from a seed and the thread's role: mostly nothing, now and then a short wait."""

    _SHARES: Final = (0.005, 0.02, 0.1, 0.3)
    _LONGEST: Final = (0.00005, 0.0005, 0.005)  # seconds

    def __init__(self, seed: int) -> None:
        """Draw how often and how long threads wait in this run."""
        self._seed = seed
        dice = random.Random(f"steered {seed}")  # noqa: S311 - no secret
        self._share = dice.choice(self._SHARES)
        self._longest = dice.choice(self._LONGEST)
        self._never = _thread.allocate_lock()
        self._never.acquire()

    def announce(self, rider: Rider, op: str) -> bool:
        """Wait for a while, or not."""
        if rider.dice is None:
            rider.dice = random.Random(f"steered {self._seed} {rider.role}")  # noqa: S311 - as above
        if op not in (GO_ON, "settle") and rider.dice.random() < self._share:
            # A wait for a lock that never comes: it gives up the GIL even if it is very short.
            self._never.acquire(timeout=rider.dice.random() * self._longest)
        return False

    def stand_back(self, rider: Rider) -> None:
        """Nobody waits for it."""

    def leave(self, rider: Rider) -> None:
        """Nothing is left behind."""

    def aim(self, rider: Rider, role: str, pid: int, number: int) -> bool:  # noqa: ARG002 - as the protocol has it
        """Kills are not put off."""
        return False


_driver: Driver | None = None
_riders: dict[int, Rider] = {}
_processes: dict[int, str] = {}  # pid to role
_strikes: Counter[str] = Counter()  # how often each was aimed at
_started = 0


def take_the_wheel(driver: Driver | None) -> None:
    """From now on threads are steered like this; None ends it."""
    global _driver, _started  # noqa: PLW0603 - hooks have nothing else to find their way by
    _driver = driver
    _started = 0
    _processes.clear()
    _strikes.clear()
    if driver is None:
        for rider in list(_riders.values()):
            _close(rider)
        _riders.clear()


def rider() -> Rider | None:
    """The current thread, if it is steered and does not do something that is not to be announced."""
    found = _riders.get(_thread.get_ident())
    if found is None or found.aside or found.pid != os.getpid():  # a forked copy is nobody yet
        return None
    return found


def point(op: str) -> None:
    """The current thread is about to do something."""
    me = rider()
    if me is not None and _driver is not None:
        me.steps += 1
        _announce(me, op)


def settle() -> None:
    """The current thread lets all others go first."""
    me = rider()
    if me is not None and _driver is not None:
        _announce(me, "settle")


def _announce(me: Rider, op: str) -> bool:
    driver = _driver
    if driver is None:
        return False
    me.aside = True
    try:
        return driver.announce(me, op)
    finally:
        me.aside = False


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """What the current thread does here may block it, really; afterwards it waits for its turn.

    For what is handed to those who wait, by the order in which they began to. Where whoever comes first is
    served, `contend` is better: a thread that waits in there cannot be overtaken.
    """
    me, driver = rider(), _driver
    if me is None or driver is None:
        yield
        return
    driver.stand_back(me)
    try:
        yield
    finally:
        _announce(me, GO_ON)


def contend(attempt: Callable[[float], bool], timeout: float | None) -> bool:
    """Go on trying what could not be done at once, in turn; False after so many seconds in vain.

    `attempt` is given the seconds for which it may wait, -1 for ever; what it waits for may still be on its
    way when it is the thread's turn.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while (me := rider()) is not None and _announce(me, GO_ON):
        left = _TRY if deadline is None else deadline - time.monotonic()
        if attempt(max(0.0, min(_TRY, left))):
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False
    return attempt(-1 if deadline is None else max(0.0, deadline - time.monotonic()))


@contextlib.contextmanager
def unannounced() -> Iterator[None]:
    """What the current thread does here is one operation, already announced."""
    me = rider()
    if me is None:
        yield
        return
    me.aside = True
    try:
        yield
    finally:
        me.aside = False


# Lives of threads and processes.


def enter(role: str) -> None:
    """The current thread is steered from now on."""
    if _driver is not None:
        _riders[_thread.get_ident()] = Rider(role)
        point("begin")


def leave() -> None:
    """The current thread is steered no more."""
    me = _riders.pop(_thread.get_ident(), None)
    if me is not None and me.pid == os.getpid() and _driver is not None:
        _driver.leave(me)


def riding(body: Callable[..., Any]) -> Callable[..., Any]:
    """A body for the thread that the current one is about to start."""
    me = rider()
    if me is None or _driver is None:
        return body
    point("start")
    me.children += 1
    role = f"{me.role}/T{me.children}"

    def ride(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever a thread runs
        enter(role)
        try:
            return body(*args, **kwargs)
        finally:
            point("end")
            leave()

    return ride


def next_process() -> str:
    """The role of the process that the current thread is about to start; nothing if it is not steered."""
    global _started  # noqa: PLW0603 - they are counted over all threads
    if rider() is None or _driver is None:
        return ""
    point("start")
    _started += 1
    return f"P{_started}"


def know_process(pid: int, role: str) -> None:
    """Remember who a process is."""
    _processes[pid] = role


def strike(pid: int, number: int, really: Callable[[int, int], None]) -> None:
    """A process is about to be sent a signal: let it come when its moment has come."""
    me = rider()
    role = _processes.get(pid)
    if me is None or role is None or _driver is None or not number:
        really(pid, number)
        return
    point("signal")
    _strikes[role] += 1
    again = f" {_strikes[role]}" if _strikes[role] > 1 else ""
    me.aside = True
    try:
        taken = _driver.aim(me, f"kill {role}{again}", pid, number)
    finally:
        me.aside = False
    if not taken:
        really(pid, number)
