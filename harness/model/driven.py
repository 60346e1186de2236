"""A bare future as a sequential state machine, and which calls on bare futures are sure to come back.

Whoever drives a future (`set_running_or_notify_cancel`, `set_result`, `set_exception`, `cancel`) makes every
one of its steps, so nothing happens silently here: every answer follows from the calls before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from harness.values import operation as op

if TYPE_CHECKING:
    from harness.values.program import Program


class Phase(StrEnum):
    """What a bare future has come to; whether waiters were told of a cancel can only be seen by `claim`."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLED = "cancelled"
    FINISHED = "finished"


class State(NamedTuple):
    """Its phase; the call that finished it, or whether a claim has already come across its cancellation."""

    phase: Phase = Phase.PENDING
    by: int = -1
    noticed: bool = False


NEW = State()
CLAIMED = State(Phase.RUNNING)
CANCELLED = State(Phase.CANCELLED)
NOTICED = State(Phase.CANCELLED, noticed=True)


def cancel(state: State, answer: str, *, cancels_running: bool = False) -> tuple[State, ...]:
    """Where a `cancel` that answered so may lead to."""
    match state.phase, answer:
        case Phase.PENDING, "yes":
            return (CANCELLED,)
        case Phase.RUNNING, "yes" if cancels_running:
            return (CANCELLED,)
        case (Phase.CANCELLED, "yes") | (Phase.RUNNING | Phase.FINISHED, "no"):
            return (state,)
        case _:
            return ()


def claim(state: State, answer: str) -> tuple[State, ...]:
    """Where a `set_running_or_notify_cancel` that answered so may lead to."""
    match state, answer:
        case State(phase=Phase.PENDING), "yes":
            return (CLAIMED,)
        case State(phase=Phase.CANCELLED), "no":
            return (NOTICED,)
        case (State(phase=Phase.CANCELLED, noticed=True), "raised") | (
            State(phase=Phase.RUNNING | Phase.FINISHED),
            "raised",
        ):
            return (state,)
        case _:
            return ()


def finish(state: State, answer: str, by: int) -> tuple[State, ...]:
    """Where a `set_result` or `set_exception`, the call number `by`, that answered so may lead to."""
    over = state.phase in (Phase.CANCELLED, Phase.FINISHED)
    match over, answer:
        case False, "set":
            return (State(Phase.FINISHED, by),)
        case True, "refused":
            return (state,)
        case _:
            return ()


def look(state: State, question: str, answer: str) -> tuple[State, ...]:
    """The state, if `running`, `cancelled` or `done` may answer so in it."""
    over = state.phase in (Phase.CANCELLED, Phase.FINISHED)
    truth = over if question == "done" else state.phase == question
    return (state,) if answer == ("yes" if truth else "no") else ()


@dataclass(slots=True, kw_only=True)
class Driven:
    """What is known of the bare futures of a program up to some operation.

    `claims`, `cancels`, `results` and `failures` are the futures on which such a call was made, or, if there
    are several lanes, may have been made; the others speak of what has surely happened.
    """

    bare: set[str] = field(default_factory=set)
    claims: set[str] = field(default_factory=set)
    cancels: set[str] = field(default_factory=set)
    results: set[str] = field(default_factory=set)
    claimed: set[str] = field(default_factory=set)
    over: set[str] = field(default_factory=set)

    def foresee(self, program: Program) -> None:
        """Count with every call that some lane makes: it may have been faster.

        Not with a claim behind a cancel in the same lane: that cannot come before it.
        """
        for lane in program.lanes:
            withdrawn: set[str] = set()
            for step in lane.operations:
                if isinstance(step, op.Cancel):
                    withdrawn.add(step.future)
                if not (isinstance(step, op.Claim) and step.future in withdrawn):
                    self._count(step)

    def _count(self, step: op.Operation) -> None:
        match step:
            case op.Claim(future=future):
                self.claims.add(future)
            case op.Cancel(future=future):
                self.cancels.add(future)
            case op.SetResult(future=future):
                self.results.add(future)
            case _:
                pass

    def after(self, step: op.Operation) -> None:
        """Take note of an operation."""
        match step:
            case op.Fresh(future=future):
                self.bare.add(future)
            case op.Claim(future=future):
                self.claimed.add(future)
            case op.Cancel(future=future) if future not in self.claims:
                self.over.add(future)
            case op.SetResult(future=future) | op.SetException(future=future):
                self.over.add(future)
            case _:
                pass
        self._count(step)

    def told(self, future: str) -> bool:
        """Whether a future is surely done, and whoever waits for it among others was told.

        Until a claim comes across it, nobody is told of a cancel on any CPython (gh-92001).
        """
        return future in self.over and (future not in self.cancels or future in self.claimed)

    def failed(self, future: str) -> bool:
        """Whether a future has surely ended with an exception."""
        return future in self.over and future not in self.results | self.cancels
