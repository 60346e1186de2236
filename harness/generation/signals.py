"""The theme of signals that kill nobody: a worker is interrupted, or stopped for a while."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from harness.generation.machines import OFTEN_FALSE, WHICH, ProgramMachine, Reader, has_futures, pick
from harness.values import operation as op
from harness.values.program import Ending, Pool, Raise, Return

TWO = 2
DEEDS: tuple[op.Deed, ...] = ("record", "record", "raise", "query")


def is_awake(machine: Signals) -> bool:
    """Whether nobody is suspended."""
    return not machine.composer.progress.suspended


class Signals(Reader):
    """Workers that get SIGINT, or SIGSTOP and later SIGCONT, while they run a task or wait for one."""

    openings: ClassVar[tuple[Ending, ...]] = (Return(), Return(), Return(size=300), Raise())

    def limited(self, pool: Pool, limit: int) -> Pool:
        """The pool with two workers at least: of these one may be idle while the other is not."""
        enough = 1 if self.shape.single else max(TWO, pool.workers)
        return super().limited(replace(pool, workers=enough), limit)

    @precondition(lambda self: has_futures(self) and is_awake(self) and not self.composer.killed)
    @rule(idle=st.booleans())
    def interrupt(self, idle: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Interrupt a worker; before that let one go idle, if there is none."""
        self.let_one_go(idle=idle)
        self.composer.interrupt("e0", idle=idle)

    @precondition(lambda self: is_awake(self) and self.composer.killed)
    @rule(idle=st.booleans())
    def interrupt_again(self, idle: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Interrupt a worker of those that are left."""
        self.composer.interrupt("e0", idle=idle)

    @precondition(lambda self: self.room() and is_awake(self) and self.is_spacious())
    @rule(stop=OFTEN_FALSE)
    def disturb_beside(self, stop: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Have a task in its body and another that has left its own; disturb the worker that is idle now."""
        for gated in (True, False):
            self.composer.submit("e0", self.composer.task(gated=gated, ending=Return()))
        self.composer.read(self.future(0), error=False, patience=2)
        if stop:
            self.composer.suspend("e0", idle=True)
        else:
            self.composer.interrupt("e0", idle=True)

    def is_spacious(self) -> bool:
        """Whether there are workers for two tasks."""
        return self.composer.progress.free_workers("e0") >= TWO

    @precondition(lambda self: has_futures(self) and is_awake(self))
    @rule(idle=st.booleans())
    def suspend(self, idle: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Stop a worker; before that let one go idle, if there is none."""
        self.let_one_go(idle=idle)
        self.composer.suspend("e0", idle=idle)

    def let_one_go(self, *, idle: bool) -> None:
        """Open the gate of one of the tasks that have all workers."""
        free = self.composer.progress.free_workers("e0")
        if idle and not free and self.composer.closed:
            self.composer.open(self.composer.closed[0])

    @precondition(lambda self: not is_awake(self))
    @rule()
    def resume(self) -> None:
        """Let the worker go on."""
        self.composer.add(op.Resume(executor="e0"))

    @precondition(ProgramMachine.room)
    @rule(gated=st.booleans(), ending=WHICH)
    def submit_something(self, gated: bool, ending: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task."""
        self.composer.submit("e0", self.composer.task(gated=gated, ending=pick(self.openings, ending)))

    @precondition(has_futures)
    @rule(which=WHICH, deed=WHICH)
    def add_callback(self, which: int, deed: int) -> None:
        """Add a done callback."""
        self.composer.add_callback(self.future(which), pick(DEEDS, deed))

    @precondition(has_futures)
    @rule(wait=st.booleans(), cancel=OFTEN_FALSE)
    def shut_down(self, wait: bool, cancel: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down before or after the signal."""
        self.composer.shut_down("e0", wait=wait, cancel=cancel)
