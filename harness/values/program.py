"""A program: what clients do and what their tasks do, as one plain value."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from harness.values.codec import decode, encode
from harness.values.operation import (
    AddCallback,
    Cancel,
    Census,
    Drain,
    End,
    Error,
    Forget,
    Fresh,
    Litter,
    Map,
    Observe,
    Operation,
    Place,
    Release,
    Repr,
    Result,
    SetResult,
    Shutdown,
    Submit,
    Turn,
)

Gift: TypeAlias = Literal[
    "parcel", "none", "exception", "future", "generator", "unpicklable", "unloadable"
]  # fmt: skip
Fault: TypeAlias = Literal[
    "ValueError",
    "Chained",
    "Falsy",
    "Empty",
    "Undecided",
    "Unequal",
    "Unprintable",
    "Unpicklable",
    "Unloadable",
    "TimeoutError",
    "CancelledError",
    "SystemExit",
    "KeyboardInterrupt",
    "StopIteration",
    "GeneratorExit",
    "BrokenExecutor",
]
Obstacle: TypeAlias = Literal[
    "", "argument", "unloadable argument", "result", "unloadable result", "exception"
]
Errand: TypeAlias = Literal["", "submit", "shutdown", "close"]

UNPICKLABLE: Final = -1
UNLOADABLE: Final = -2
FALSY: Final = frozenset({"Falsy", "Empty"})
"""The faults that are false, though they are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """The task returns a `gift`: a parcel of `size` bytes that knows its task, or something awkward."""

    gift: Gift = "parcel"
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """The task raises."""

    error: Fault = "ValueError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The task ends its process with ``os._exit(status)``."""

    status: int = 0


Ending: TypeAlias = Return | Raise | Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What one task does: report *started*, pass its gates, report *finished*, end.

    `argument` is the size in bytes of an extra argument, or `UNPICKLABLE`, or `UNLOADABLE` for one that can
    be pickled and not be unpickled. The gates that it `opens` are open once it has started: so tasks wait for
    each other. A task in a thread may have an `errand` at the executor that runs it, once past its gates:
    to ``submit`` the task that it `hands_in`, to ``shutdown(wait=False)``, to ``close``: shut down and wait.
    """

    task: str
    gates: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    ending: Ending = Return()
    argument: int = 0
    errand: Errand = ""
    hands_in: str | None = None

    @property
    def obstacle(self) -> Obstacle:
        """What of this task does not get across a process boundary."""
        match self:
            case Script(argument=int(argument)) if argument < 0:
                return "argument" if argument == UNPICKLABLE else "unloadable argument"
            case Script(ending=Return(gift="unpicklable")):
                return "result"
            case Script(ending=Return(gift="unloadable")):
                return "unloadable result"
            case Script(ending=Raise(error="Unpicklable" | "Unloadable")):
                return "exception"
            case _:
                return ""

    @property
    def strains(self) -> bool:
        """Whether this task fails at a step of pickling at which pools have been seen to break."""
        return self.obstacle in ("unloadable argument", "unloadable result", "exception")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """An executor of the program, and what it is made with.

    `start` is a multiprocessing start method; a worker makes way for another after so many tasks
    (`tasks_per_worker`, ``max_tasks_per_child``). The `initializer` is what each worker does first.
    """

    executor: str = "e0"
    workers: int = 2
    start: Literal["fork", "forkserver", "spawn"] | None = None
    named: bool = False
    tasks_per_worker: int | None = None
    initializer: Script | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One client thread's operations, in order."""

    operations: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Lanes of operations, a script for every task, and the executors they use."""

    pools: tuple[Pool, ...] = (Pool(),)
    tasks: tuple[Script, ...] = ()
    lanes: tuple[Lane, ...] = (Lane(),)

    def to_json(self) -> str:
        """The canonical text: the same program always gives the same text."""
        return json.dumps(encode(self), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Program:
        """Read the canonical text back; raises `codec.DecodeError` or `json.JSONDecodeError`."""
        return decode(Program, json.loads(text))

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name this program."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    @property
    def size(self) -> int:
        """The number of operations before the epilogue."""
        return sum(len(lane.operations) for lane in self.lanes)


def futures_of(program: Program) -> tuple[str, ...]:
    """The futures of the program: of its operations in order, callbacks and finalisers too; of its tasks."""
    names: list[str] = []
    for lane in program.lanes:
        for operation in lane.operations:
            match operation:
                case Submit(future=future):
                    names.append(future)
                case AddCallback(deed="submit", callback=name) | Litter(litter=name):
                    names.append(f"f.{name}")
                case _:
                    pass
    names += [f"f.{script.task}" for script in program.tasks if script.errand == "submit"]
    return tuple(names)


def place_of(program: Program) -> Place | None:
    """Where the program is played from some operation on, if it is not the main program all along."""
    return next((step.to for step in program.lanes[0].operations if isinstance(step, Turn)), None)


def since_turn(program: Program) -> tuple[Operation, ...]:
    """The operations after the turn; none if there is no turn."""
    steps = program.lanes[0].operations
    return next((steps[place + 1 :] for place, step in enumerate(steps) if isinstance(step, Turn)), ())


def exits(program: Program) -> bool:
    """Whether the program is over when its process has left by itself."""
    return place_of(program) not in (None, "a module body")


def fresh_pools(program: Program) -> frozenset[str]:
    """The executors that a forked child makes for itself: nobody has used them before."""
    if place_of(program) != "a forked child":
        return frozenset()
    later = len(since_turn(program))
    earlier = program.lanes[0].operations[: -1 - later]
    used = {getattr(step, "executor", None) for step in earlier}
    return frozenset(pool.executor for pool in program.pools if pool.executor not in used)


def initializers_of(program: Program) -> tuple[Script, ...]:
    """What the workers of the program's executors do first, where they do anything."""
    return tuple(pool.initializer for pool in program.pools if pool.initializer is not None)


def bare_futures_of(program: Program) -> tuple[str, ...]:
    """The bare futures that the program's operations create, in order."""
    steps = (step for lane in program.lanes for step in lane.operations)
    return tuple(step.future for step in steps if isinstance(step, Fresh))


def epilogue(program: Program) -> tuple[Operation, ...]:
    """What every program ends with: nothing stays closed, unread or unshut.

    Gates open, `map` iterators are drained, bare futures ended, executors (but those forgotten) shut down,
    every outcome is read, references are dropped, and what is left behind is counted. A program about the
    end of its process leaves that to the end; a forked child reads what it submitted itself.
    """
    steps: list[Operation] = [Release()]
    if place_of(program) == "a forked child":
        own = [step.future for step in since_turn(program) if isinstance(step, Submit)]
        return (*steps, *(Result(future=future) for future in own), End())
    if exits(program):
        return (*steps, End())
    for lane in program.lanes:
        steps += [Drain(iterator=op.iterator) for op in lane.operations if isinstance(op, Map)]
    for future in bare_futures_of(program):  # first: the executor's threads may call their callbacks
        steps += [
            Cancel(future=future),
            SetResult(future=future, mark=f"late.{future}"),
            Observe(future=future, times=1),
            Result(future=future),
            Error(future=future),
            Repr(future=future),
        ]
    forgotten = _forgotten(program)
    steps += [
        Shutdown(executor=pool.executor, cancel_futures=_cancels(program, pool))
        for pool in program.pools
        if pool.executor not in forgotten
    ]
    for future in futures_of(program):
        steps += [
            Observe(future=future, times=1),
            Result(future=future),
            Error(future=future),
            Repr(future=future),
        ]
    steps.append(Census())
    return tuple(steps)


def first_number(program: Program, lane: int) -> int:
    """The number, in the whole program, of a lane's first operation.

    The first lane's operations come first, then the epilogue, which that lane plays; then the other lanes.
    """
    if not lane:
        return 0
    earlier = sum(len(each.operations) for each in program.lanes[:lane])
    return earlier + len(epilogue(program))


def _forgotten(program: Program) -> set[str]:
    """The executors to which the program drops its references, and which it can no longer shut down."""
    return {step.executor for lane in program.lanes for step in lane.operations if isinstance(step, Forget)}


def _cancels(program: Program, pool: Pool) -> bool:
    """Whether the last shutdown of this pool cancelled: then the epilogue's does, too."""
    flags = [
        step.cancel_futures
        for lane in program.lanes
        for step in lane.operations
        if isinstance(step, Shutdown) and step.executor == pool.executor
    ]
    return bool(flags) and flags[-1]
