"""What was observed in one run, as a list of events with stamps.

Stamps are integers that grow with time: nanoseconds of ``time.monotonic_ns`` in the real arena (comparable
between the processes of one machine), step numbers in the simulated world. Events with equal stamps are
concurrent. A call that never returned has a `Called` and no `Answered`: it stays in the history with an
open end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias

from harness.values.codec import decode, encode
from harness.values.outcome import Outcome  # noqa: TC001 - the codec reads the types of the fields
from harness.values.program import Program  # noqa: TC001 - as above


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """Lane `lane` began operation number `call` (its index in the lane, the epilogue counted on)."""

    at: int
    call: int
    lane: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The call ended with `outcome`."""

    at: int
    call: int
    outcome: Outcome
    lane: int = 0
    thread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A task, or an initializer, entered its body in `thread` of process `pid`.

    `intact` tells whether its arguments arrived, `again` that this very thread had entered it before (as far
    as the client sees the threads). `name` is that of a thread of the client; of a worker process it is known
    by which class of `multiprocessing` it was `launched`.
    """

    at: int
    task: str
    pid: int
    thread: int
    intact: bool = True
    name: str = ""
    again: bool = False
    launched: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The task is about to leave its body."""

    at: int
    task: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A callback that does more than record, a finaliser, or the errand of a task, was entered.

    Without a `CalledBack`, `Finalised` or `Acted` it is still inside.
    """

    at: int
    callback: str
    future: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledBack:
    """A done callback was called.

    `state` is running, cancelled, done as 0 and 1; `ready` whether reading did not block; `own` whether its
    only argument was its future; `trouble` what its deed raised, if anything; `until` the stamp of its end.
    """

    at: int
    callback: str
    future: str
    pid: int
    thread: int
    state: str
    ready: bool = True
    own: bool = True
    trouble: str = ""
    until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalised:
    """The finaliser of some `litter`, entered at `since`, is through; `trouble` is what its deed raised."""

    at: int
    litter: str
    since: int
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """The task is through with its errand; `trouble` is what that raised."""

    at: int
    task: str
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Nothing moved although something was expected: `queued` tasks could start, `held` are in bodies."""

    at: int
    queued: tuple[str, ...]
    held: int
    executor: str = "e0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A log record, of the ``concurrent.futures`` logger or another one."""

    at: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncaught:
    """An exception that reached `threading.excepthook` or `sys.unraisablehook`."""

    at: int
    where: str
    error: str
    message: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What the census found beyond the baseline."""

    at: int
    threads: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    descriptors: int = 0
    semaphores: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The client process ended by itself: exit `status`, negative for a signal, and what it had written."""

    at: int
    status: int
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A call did not return and nothing moved; `stacks` are those of all threads.

    In a `livelock` threads did move, but in circles: over and over through states that they had been in.
    """

    at: int
    stacks: str
    livelock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Time ran out while something still moved: the run proves nothing."""

    at: int
    reason: str


Event: TypeAlias = (
    Called
    | Answered
    | Started
    | Finished
    | Entered
    | CalledBack
    | Finalised
    | Acted
    | Quiet
    | Logged
    | Uncaught
    | Leftover
    | Gone
    | Stuck
    | Slow
)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A program and what was observed when it ran, in the order of the stamps.

    In an `exact` one time passed for those who waited only when nobody else could go on: whoever comes late
    has waited too long. Only a simulated world can tell.
    """

    program: Program
    client: int = 0
    events: tuple[Event, ...] = ()
    exact: bool = False

    def to_json(self) -> str:
        """One line of text; the same history always gives the same text."""
        return json.dumps(encode(self), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> History:
        """Read the text back; raises `codec.DecodeError` or `json.JSONDecodeError`."""
        return decode(History, json.loads(text))
