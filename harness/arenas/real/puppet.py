"""Tasks are puppets: they say when they start and finish, and wait at gates that the harness opens.

Workers import this module, under every start method and in processes that inherited nothing, so it stays
light. In the client's own process a gate is a plain event; elsewhere it is a line over an authenticated
local socket whose address and key travel in the ticket.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pickle
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

UNPICKLABLE = -1  # as in `harness.values.program`, which a worker need not import
PLAY = "play"  # the frame name by which a remote traceback is recognised


class Ticket:
    """What a task needs to play its part; pickled into the worker."""

    __slots__ = ("address", "argument", "call", "ending", "errand", "gates", "key", "run", "task")

    def __init__(  # noqa: PLR0913 - all by keyword; a dataclass would cost the worker its import
        self,
        *,
        run: str,
        task: str,
        gates: tuple[str, ...],
        ending: tuple[str, str, int],
        argument: int,
        call: str,
        address: str,
        key: str,
        errand: str = "",
    ) -> None:
        """Keep the script of one task, how it is called, and the way back to the harness."""
        self.run = run
        self.task = task
        self.gates = gates
        self.ending = ending
        self.argument = argument
        self.call = call
        self.address = address
        self.key = key
        self.errand = errand


class Parcel:
    """A payload that knows its task and can tell whether it arrived whole."""

    __slots__ = ("body", "task")

    def __init__(self, task: str, size: int) -> None:
        """Fill `size` bytes with a pattern that depends on the task."""
        self.task = task
        self.body = _pattern(task, size)

    def whole(self) -> bool:
        """Whether the body is what the task's pattern says."""
        return self.body == _pattern(self.task, len(self.body))


def _pattern(task: str, size: int) -> bytes:
    seed = task.encode() + b"."
    return (seed * (size // len(seed) + 1))[:size]


REFUSALS = (TypeError, AttributeError, pickle.PicklingError, ArithmeticError)
"""What may be raised by what cannot be pickled: a lock, a local function, a lambda, anybody's own class."""


def refuse_to_be_pickled(task: str) -> NoReturn:
    """Refuse, in a way that depends on the task."""
    raise REFUSALS[sum(task.encode()) % len(REFUSALS)]("this payload refuses to be pickled")


class Unpicklable:
    """A payload that refuses to be pickled, saying so."""

    def __init__(self, task: str) -> None:
        """Belong to a task."""
        self.task = task

    def __reduce__(self) -> NoReturn:
        """Refuse."""
        refuse_to_be_pickled(self.task)


def refuse_to_load() -> NoReturn:
    """Refuse to be unpickled."""
    raise ValueError("this payload refuses to be unpickled")


class Unloadable:
    """A payload that can be pickled, and refuses to be unpickled."""

    def __reduce__(self) -> tuple[Callable[[], NoReturn], tuple[()]]:
        """Be made by a function that makes nothing."""
        return refuse_to_load, ()


class FalsyError(Exception):
    """An exception that is false, as one with ``__len__`` or ``__bool__`` may be."""

    def __bool__(self) -> bool:
        """Answer False."""
        return False


class EmptyError(Exception):
    """An exception without length, such as a report that lists no details."""

    def __len__(self) -> int:
        """Answer 0."""
        return 0


class UndecidedError(Exception):
    """An exception that cannot be asked whether it is true."""

    def __bool__(self) -> NoReturn:
        """Refuse."""
        raise ArithmeticError("this exception is neither true nor false")


class UnequalError(Exception):
    """An exception that cannot be compared, nor be put into a set."""

    def __eq__(self, other: object) -> NoReturn:
        """Refuse."""
        raise ArithmeticError("this exception refuses to be compared")

    def __hash__(self) -> NoReturn:
        """Refuse."""
        raise ArithmeticError("this exception refuses to be hashed")


class UnprintableError(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> NoReturn:
        """Refuse."""
        raise ArithmeticError("this exception refuses to be shown")

    __repr__ = __str__


class UnpicklableError(Exception):
    """An exception that refuses to be pickled."""

    def __reduce__(self) -> NoReturn:
        """Refuse."""
        refuse_to_be_pickled(self.args[0])


class UnloadableError(Exception):
    """An exception whose class asks for a keyword: that can be pickled, and not be unpickled."""

    def __init__(self, task: str, *, status: int) -> None:
        """Keep the status beside the arguments that are pickled."""
        super().__init__(task)
        self.status = status


class Theatre(Protocol):
    """What the client's own process offers to puppets that run in its threads."""

    def started(self, task: str, *, intact: bool) -> None:
        """Record that a task entered its body."""

    def finished(self, task: str) -> None:
        """Record that a task is about to leave its body."""

    def pass_gate(self, gate: str) -> None:
        """Return once the gate is open."""

    def made(self, task: str, thing: object) -> None:
        """Remember the very object that a task returned or raised."""

    def run_errand(self, task: str) -> None:
        """Do what a task has to do at the executor that runs it."""


continuation: tuple[int, Callable[[Callable[..., object]], None]] | None = None
"""What is done in the body of `harness.arenas.real.body` when it is imported, and in which process."""

_theatre: tuple[int, str, Theatre] | None = None
_lines = threading.local()


def open_theatre(run: str, theatre: Theatre | None) -> None:
    """Say that puppets of this run, in this process, play in `theatre`; None closes it."""
    global _theatre  # noqa: PLW0603 - a worker finds its way home by process, there is nothing to pass it through
    _theatre = None if theatre is None else (os.getpid(), run, theatre)


class _Line:
    """One worker thread's connection to the harness."""

    def __init__(self, ticket: Ticket) -> None:
        self.pid = os.getpid()
        self.address = ticket.address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(ticket.address)
        self.run = ticket.run
        self.send({"key": ticket.key, "pid": self.pid})

    def send(self, message: dict[str, object]) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def started(self, task: str, *, intact: bool) -> None:
        self.send({
            "do": "started", "run": self.run, "task": task, "pid": self.pid, "thread": threading.get_ident(),
            "intact": intact, "launched": _launched(), "at": time.monotonic_ns(),
        })  # fmt: skip

    def finished(self, task: str) -> None:
        self.send(
            {"do": "finished", "run": self.run, "task": task, "pid": self.pid, "at": time.monotonic_ns()}
        )

    def pass_gate(self, gate: str) -> None:
        self.send({"do": "gate", "run": self.run, "gate": gate})
        if not self.socket.recv(1):
            raise ConnectionAbortedError("the harness is gone")

    def made(self, task: str, thing: object) -> None:
        """Objects do not keep their identity across processes."""

    def run_errand(self, task: str) -> None:
        """There is no executor in a worker process."""


def _launched() -> str:
    """The class of this process in `multiprocessing`, which tells how it was started."""
    module = sys.modules.get("multiprocessing.process")
    return "" if module is None else type(module.current_process()).__name__


def _way_home(ticket: Ticket) -> Theatre:
    if _theatre is not None and _theatre[0] == os.getpid():
        if _theatre[1] != ticket.run:
            raise ConnectionAbortedError("this task belongs to a program that is over")
        return _theatre[2]
    line: _Line | None = getattr(_lines, "line", None)
    # A forked worker inherits the line of its parent: the pid tells.
    if line is None or line.pid != os.getpid() or line.address != ticket.address:
        line = _lines.line = _Line(ticket)
    line.run = ticket.run
    return line


def play(ticket: Ticket, /, *args: object, **kwargs: object) -> object:
    """Play one task's part: the function that every generated program submits."""
    home = _way_home(ticket)
    home.started(ticket.task, intact=_intact(ticket, args, kwargs))
    try:
        for gate in ticket.gates:
            home.pass_gate(gate)
    except KeyboardInterrupt:  # a signal; the answer that this line waits for must not open the next gate
        home.finished(ticket.task)
        _lines.line = None
        raise
    if ticket.errand:
        home.run_errand(ticket.task)
    kind, what, number = ticket.ending
    thing: object = GIFTS[what](ticket.task, number) if kind == "return" else None
    error = FAULTS[what](ticket.task) if kind == "raise" else None
    home.made(ticket.task, thing if error is None else error)
    home.finished(ticket.task)
    if kind == "exit":
        os._exit(number)
    if error is not None:
        raise error from (KeyError(f"cause of {ticket.task}") if what == "Chained" else None)
    return thing


def arguments(ticket: Ticket) -> tuple[tuple[object, ...], dict[str, object]]:
    """The arguments that `submit` hands over besides the ticket."""
    if ticket.argument < 0:
        return (Unpicklable(ticket.task) if ticket.argument == UNPICKLABLE else Unloadable(),), {}
    keywords = {"fn": ticket.task, "self": 1, "key": None} if ticket.call == "keywords" else {}
    return (Parcel(ticket.task, ticket.argument),), keywords


def _intact(ticket: Ticket, args: tuple[object, ...], kwargs: dict[str, object]) -> bool:
    """Whether exactly what was handed to `submit` (or zipped by `map`) has arrived."""
    if ticket.call.startswith("item"):
        return not kwargs and [str(arg) for arg in args] == ticket.call.split()[1:]
    expected, keywords = arguments(ticket)
    return kwargs == keywords and len(args) == 1 and _same_argument(args[0], expected[0])


def _same_argument(got: object, expected: object) -> bool:
    if isinstance(got, Parcel) and isinstance(expected, Parcel):
        return (got.task, got.body) == (expected.task, expected.body)
    return type(got) is type(expected)


def _a_future(_task: str, _number: int) -> object:
    return concurrent.futures.Future()


def _a_generator(task: str, number: int) -> Generator[tuple[str, int], None, None]:
    yield task, number


def _an_error(task: str, _number: int) -> object:
    return ValueError(task)


GIFTS: dict[str, Callable[[str, int], object]] = {
    "parcel": Parcel,
    "none": lambda _task, _number: None,
    "exception": _an_error,
    "future": _a_future,
    "generator": _a_generator,
    "unpicklable": lambda task, _number: Unpicklable(task),
    "unloadable": lambda _task, _number: Unloadable(),
}

FAULTS: dict[str, Callable[[str], BaseException]] = {
    "ValueError": ValueError,
    "Chained": ValueError,
    "Falsy": FalsyError,
    "Empty": EmptyError,
    "Undecided": UndecidedError,
    "Unequal": UnequalError,
    "Unprintable": UnprintableError,
    "Unpicklable": UnpicklableError,
    "Unloadable": lambda task: UnloadableError(task, status=1),
    "TimeoutError": TimeoutError,
    "CancelledError": concurrent.futures.CancelledError,
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "StopIteration": StopIteration,
    "GeneratorExit": GeneratorExit,
    "BrokenExecutor": concurrent.futures.BrokenExecutor,
}


Place: TypeAlias = tuple[int, int, tuple[str, ...]]

NOWHERE: Place = (0, 0, ())
visited: list[Place] = []
visit = threading.Event()


def whereabouts() -> Place:
    """The process, the thread and the functions that called this one: who does an executor's work?"""
    place = os.getpid(), threading.get_ident(), functions(sys._getframe(1))  # noqa: SLF001 - the documented way
    visited.append(place)
    visit.set()
    return place


def functions(frame: FrameType | None) -> tuple[str, ...]:
    """The functions on a stack, as ``module:name``, the innermost first."""
    found: list[str] = []
    while frame is not None:
        found.append(f"{frame.f_globals.get('__name__', '?')}:{frame.f_code.co_name}")
        frame = frame.f_back
    return tuple(found)
