"""Simulated threads and processes, as data; what they do is up to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.backends import Carrier


class Process:
    """A simulated process: a number, its tasks, its ends of pipes, and how it ended."""

    __slots__ = ("children", "ends", "exitcode", "main", "name", "pid", "strikes", "tasks", "waiters")

    def __init__(self, pid: int, name: str) -> None:
        """Make a process without tasks."""
        self.pid = pid
        self.name = name
        self.tasks: list[Task] = []
        self.ends: list[Any] = []  # open ends of pipes, closed by the system when the process ends
        self.exitcode: int | None = None
        self.children: set[Any] = set()  # started and not joined
        self.waiters: list[Task] = []  # who waits for its end
        self.main: Task | None = None
        self.strikes = 0  # kills that were sent


class Task:
    """A simulated thread."""

    __slots__ = (
        "at_end", "carrier", "children", "daemon", "deadline", "ident", "index", "locals", "name", "op",
        "passive", "process", "role", "spins", "state", "target", "timed_out", "waits_for", "where",
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
        self.timed_out = False
        self.waits_for: Any = None
        self.carrier: Carrier
        self.children = 0
        self.name = role
        self.locals: dict[int, dict[str, Any]] = {}
        self.at_end: list[Callable[[], object]] = []  # what the C layer does when a thread ends
