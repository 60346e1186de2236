"""What the client knows of its tasks while a program runs, and whether anything is still expected to happen.

After every operation the client waits until the pool has *settled*: every task in its body stands at a
closed gate, and either all workers are taken or no task that could start is left. The ledger follows what
was actually seen, not what a model predicts, so that an executor with another order than first in, first
out settles as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.values.program import Return

if TYPE_CHECKING:
    from harness.values.program import Script


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The tasks of one executor, by what was seen of them."""

    workers: int
    scripts: dict[str, Script]
    initializer: Script | None = None
    queued: list[str] = field(default_factory=list)
    inside: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, int] = field(default_factory=dict)  # as `inside`, but nobody is given up
    begun: set[str] = field(default_factory=set)
    pids: set[int] = field(default_factory=set)
    suspended: set[int] = field(default_factory=set)  # processes that go on only after a signal
    beginning: int = 0  # workers that are in the initializer
    # Starts can no longer be foretold: a worker died, work may be cancelled, or time was given up.
    loose: bool = False

    def accept(self, task: str) -> None:
        """The executor took a task on; it may have begun before `submit` returned."""
        script = self.scripts[task]
        sendable = script.argument >= 0  # else it never starts in a process pool
        if script.obstacle == "unloadable argument":  # whoever gets it may die of it
            self.lose_workers()
        if sendable and task not in self.begun:
            self.queued.append(task)

    def forget(self, task: str) -> None:
        """The task was cancelled, and should not start."""
        if task in self.queued:
            self.queued.remove(task)

    def started(self, task: str, pid: int) -> None:
        """The task entered its body; or a worker its initializer."""
        if self.initializer is not None and task == self.initializer.task:
            self.beginning += 1
            return
        self.forget(task)
        self.begun.add(task)
        self.inside[task] = self.bodies[task] = pid
        self.pids.add(pid)

    def finished(self, task: str) -> None:
        """The task left its body; or a worker its initializer."""
        if self.initializer is not None and task == self.initializer.task:
            self.beginning -= self.beginning > 0
            if not isinstance(self.initializer.ending, Return):
                self.lose_workers()
            return
        self.bodies.pop(task, None)
        abroad = self.inside.pop(task, None) != os.getpid()
        leaves = getattr(self.scripts[task].ending, "status", None) is not None
        if leaves or (abroad and self.scripts[task].strains):
            self.lose_workers()

    def lose_workers(self) -> None:
        """A worker dies: what was inside may never finish, what was queued may never start."""
        self.loose = True
        self.beginning = 0
        self.inside.clear()
        self.queued.clear()

    def settled(self, opened: set[str]) -> bool:
        """Whether nothing more will happen by itself, given the gates that are open."""
        if self.suspended:
            return True
        if any(opened.issuperset(self.scripts[task].gates) for task in self.inside):
            return False
        free = max(0, self.workers - len(self.inside))
        if not self.beginning or self.initializer is None:
            return self.loose or not self.queued or not free
        stalls = not opened.issuperset(self.initializer.gates)
        return stalls and (self.loose or self.beginning >= min(free, len(self.queued)))
