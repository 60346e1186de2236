"""Simulated threads and processes, as data; what they do is up to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.backends import Carrier


class Process:
    """A simulated process: a number, its tasks, its ends of pipes, and how it ended.

    It ends in two steps, as on Linux: first its descriptors close, which makes its sentinel ready, and then
    its parent can see its exit code.
    """

    __slots__ = (
        "borrowed", "children", "ended", "ends", "exitcode", "finalizers", "handle", "is_exiting", "joiners",
        "main", "name", "parent", "pid", "serial", "started", "strikes", "tasks", "waiters",
    )  # fmt: skip

    def __init__(self, pid: int, name: str, parent: Process | None, serial: int) -> None:
        """Make a process without tasks."""
        self.serial = serial
        self.pid = pid
        self.name = name
        self.parent = parent
        self.tasks: list[Task] = []
        self.ends: list[Any] = []  # open ends of pipes, closed by the system when the process ends
        self.borrowed: list[Any] = []  # locks of others, of which in truth it has copies
        self.ended = False  # nothing of it runs any more
        self.exitcode: int | None = None  # what its parent can see
        self.started = 0  # so many processes
        self.children: list[Any] = []  # those that were not joined, as their parent sees them
        self.handle: Any = None  # how it sees itself
        self.finalizers: dict[Any, None] = {}  # what it does before it ends, in order of creation
        self.is_exiting = False
        self.waiters: list[Task] = []  # who waits for its end
        self.joiners: list[Task] = []  # who waits for its exit code
        self.main: Task | None = None
        self.strikes = 0  # kills that were sent


class Task:
    """A simulated thread."""

    __slots__ = (
        "at_end", "carrier", "children", "daemon", "deadline", "due", "ident", "index", "locals", "name",
        "op", "passive", "process", "role", "spins", "starved_of", "state", "target", "timed_out",
        "waits_for", "where",
    )  # fmt: skip

    def __init__(self, index: int, role: str, process: Process, *, daemon: bool = False) -> None:
        """Make a task that has not begun."""
        self.index = index
        self.role = role
        self.ident = index + 1
        self.process = process
        self.daemon = daemon
        self.op = "begin"
        self.target = 0
        self.where = 0
        self.spins = 0
        self.passive = False
        self.state: Literal["ready", "blocked", "lazy", "ended", "killed"] = "ready"
        self.deadline: int | None = None
        self.due: int | None = None  # when the timeout of its call is over, if that has one
        self.timed_out = False
        self.waits_for: Any = None
        self.carrier: Carrier
        self.children = 0
        self.starved_of = ""  # "threads" or "processes": it can start no more of them
        self.name = role
        self.locals: dict[int, dict[str, Any]] = {}
        self.at_end: list[Callable[[], object]] = []  # what the C layer does when a thread ends

    def forget_locals(self) -> None:
        """Let go of its thread-local data, also where a `Local` still has it in place."""
        for own in self.locals.values():
            own.clear()
        self.locals.clear()
