"""One future as a state machine, in several states at once because a client cannot see everything.

A state is a phase and how far the task's body has come. The tables below are the whole model: what every
question answers in every state, and what can happen silently. `step` functions go from sets of states to
sets of states; an empty set means that no order explains what was seen.
"""

from __future__ import annotations

import functools
from enum import StrEnum
from typing import Literal, NamedTuple, TypeAlias


class Phase(StrEnum):
    """What the future has come to."""

    PENDING = "pending"
    RUNNING = "running"  # claimed by a worker (or prefetched), not yet done
    FINISHED = "finished"
    CANCELLED = "cancelled"
    BROKEN = "broken"


class Body(StrEnum):
    """Where the task's body is."""

    AHEAD = "ahead"
    INSIDE = "inside"
    BEHIND = "behind"


class State(NamedTuple):
    """Phase and body; to a client the standard library's two cancelled states are one."""

    phase: Phase
    body: Body = Body.AHEAD

    @property
    def done(self) -> bool:
        """Whether `done()` is True here."""
        return self.phase in (Phase.FINISHED, Phase.CANCELLED, Phase.BROKEN)


Question: TypeAlias = Literal["cancel", "running", "cancelled", "done", "read", "read in time"]
Answer: TypeAlias = str
"""``yes`` or ``no``; of a read also ``outcome``, ``cancelled``, ``broken`` and ``timeout``."""


class Circumstances(NamedTuple):
    """What else is true while time passes.

    Attributes:
        may_start: A worker may claim a queued task.
        may_cancel: A shutdown may cancel it.
        may_break: Its pool may break.
        may_fail_unstarted: Its call cannot be pickled, so that it may end with an error and without a body.
    """

    may_start: bool = True
    may_cancel: bool = False
    may_break: bool = False
    may_fail_unstarted: bool = False


PENDING = State(Phase.PENDING)
CLAIMED = State(Phase.RUNNING)
INSIDE = State(Phase.RUNNING, Body.INSIDE)
LEAVING = State(Phase.RUNNING, Body.BEHIND)

_YES: dict[str, frozenset[Phase]] = {
    "running": frozenset({Phase.RUNNING}),
    "cancelled": frozenset({Phase.CANCELLED}),
    "done": frozenset({Phase.FINISHED, Phase.CANCELLED, Phase.BROKEN}),
}


def _cancel(state: State, *, stops: bool) -> tuple[tuple[Answer, State], ...]:
    """What `cancel()` may answer."""
    if state.phase is Phase.PENDING:
        return (("yes", State(Phase.CANCELLED)),)
    if state.phase is Phase.RUNNING and stops:
        return ("yes", State(Phase.CANCELLED, state.body)), ("no", state)
    return (("yes" if state.phase is Phase.CANCELLED else "no", state),)


@functools.cache
def answers(state: State, question: Question, *, stops: bool = False) -> tuple[tuple[Answer, State], ...]:
    """What a question may answer in a state, each with the state it leads to.

    `stops` says that a running task may be cancelled.
    """
    phase = state.phase
    if question == "cancel":
        return _cancel(state, stops=stops)
    if question in ("read", "read in time"):
        ended = {Phase.FINISHED: "outcome", Phase.CANCELLED: "cancelled", Phase.BROKEN: "broken"}.get(phase)
        if ended is not None:
            return ((ended, state),)
        return (("timeout", state),) if question == "read in time" else ()
    if question == "running" and phase is Phase.RUNNING and state.body is not Body.INSIDE:
        return ("yes", state), ("no", state)  # prefetched, or on its way out: either is true enough
    return (("yes" if phase in _YES[question] else "no", state),)


@functools.cache
def silently(state: State, around: Circumstances) -> tuple[State, ...]:
    """Where a future may go without anybody being told."""
    onward: list[State] = []
    if state.phase is Phase.PENDING and around.may_start:
        onward.append(CLAIMED)
    if state.phase is Phase.PENDING and around.may_cancel:
        onward.append(State(Phase.CANCELLED))
    if state == LEAVING or (state == CLAIMED and around.may_fail_unstarted):
        onward.append(State(Phase.FINISHED, state.body))
    if not state.done and around.may_break:
        onward.append(State(Phase.BROKEN, state.body))
    return tuple(onward)


def started(state: State) -> list[State]:
    """The task enters its body."""
    return [INSIDE] if state in (PENDING, CLAIMED) else []


def finished(state: State) -> list[State]:
    """The task leaves its body; it may do so although its future is broken, or was cancelled meanwhile."""
    if state == INSIDE:
        return [LEAVING]
    if state.phase is Phase.BROKEN or state == State(Phase.CANCELLED, Body.INSIDE):
        return [State(state.phase, Body.BEHIND)]
    return []


def closure(states: frozenset[State], around: Circumstances) -> frozenset[State]:
    """All states that may have been reached silently."""
    found = set(states)
    waiting = list(states)
    while waiting:
        for onward in silently(waiting.pop(), around):
            if onward not in found:
                found.add(onward)
                waiting.append(onward)
    return frozenset(found)
