"""The model of one future: a small machine whose every state can be visited."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from harness.model.future import (
    CLAIMED,
    INSIDE,
    LEAVING,
    PENDING,
    Body,
    Circumstances,
    Phase,
    Question,
    State,
    answers,
    closure,
    finished,
    silently,
    started,
)

STATES = tuple(State(phase, body) for phase, body in product(Phase, Body))
DONE = tuple(state for state in STATES if state.done)
OPEN = tuple(state for state in STATES if not state.done)
EVERYTHING_MAY_HAPPEN = tuple(Circumstances(*flags) for flags in product((True, False), repeat=4))
CANCELLED = State(Phase.CANCELLED)
NOTHING_MAY_HAPPEN = Circumstances(may_start=False)

each_state = pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state.phase}-{state.body}")
each_question = pytest.mark.parametrize("question", get_args(Question))


def _said(state: State, question: Question) -> set[str]:
    return {answer for answer, _ in answers(state, question)}


def _reachable() -> frozenset[State]:
    """All states that a future can come to, whatever happens to it."""
    found, waiting = {PENDING}, [PENDING]
    while waiting:
        state = waiting.pop()
        onward = {*started(state), *finished(state), *(to for _, to in answers(state, "cancel"))}
        onward |= {to for around in EVERYTHING_MAY_HAPPEN for to in silently(state, around)}
        waiting += onward - found
        found |= onward
    return frozenset(found)


def test_a_future_is_done_when_finished_cancelled_or_broken() -> None:
    """Three phases are done, two are not."""
    assert {state.phase for state in DONE} == {Phase.FINISHED, Phase.CANCELLED, Phase.BROKEN}


@each_state
@each_question
def test_a_done_future_stays_what_it_is(state: State, question: Question) -> None:
    """No question and no silent step changes the phase of a future that is done."""
    if state.done:
        after = {to for _, to in answers(state, question)}
        after |= {to for around in EVERYTHING_MAY_HAPPEN for to in closure(frozenset({state}), around)}
        after |= {*started(state), *finished(state)}
        assert {to.phase for to in after} == {state.phase}


@each_state
def test_cancel_says_yes_only_of_what_never_runs(state: State) -> None:
    """`cancel()` is True of a pending future, which is cancelled then, and of a cancelled one."""
    assert _said(state, "cancel") == {"yes" if state.phase in (Phase.PENDING, Phase.CANCELLED) else "no"}
    assert all(to.phase is Phase.CANCELLED for answer, to in answers(state, "cancel") if answer == "yes")


def test_a_cancelled_task_never_starts() -> None:
    """From a cancelled future no way leads into the body."""
    everywhere = closure(frozenset({CANCELLED}), Circumstances(may_cancel=True, may_break=True))
    assert everywhere == {CANCELLED}
    assert started(CANCELLED) == []


@each_state
@each_question
def test_asking_changes_nothing_but_by_cancel(state: State, question: Question) -> None:
    """Only `cancel` leads to another state."""
    if question != "cancel":
        assert {to for _, to in answers(state, question)} <= {state}


@each_state
def test_the_states_of_a_future_exclude_each_other(state: State) -> None:
    """`done()` is what `cancelled()` implies and what `running()` excludes."""
    assert _said(state, "done") == {"yes" if state.done else "no"}
    assert _said(state, "cancelled") == {"yes" if state.phase is Phase.CANCELLED else "no"}
    if "yes" in _said(state, "running"):
        assert not state.done


def test_running_is_certain_only_inside_the_body() -> None:
    """A claimed future may be prefetched: only inside the body `running()` has to be True."""
    assert _said(INSIDE, "running") == {"yes"}
    assert _said(CLAIMED, "running") == _said(LEAVING, "running") == {"yes", "no"}
    assert _said(PENDING, "running") == {"no"}


@each_state
def test_a_read_returns_only_when_done(state: State) -> None:
    """Reading without a timeout has an answer in the done states only; with one it may run out before."""
    assert bool(_said(state, "read")) == state.done
    assert _said(state, "read in time") == (_said(state, "read") or {"timeout"})


@pytest.mark.parametrize(
    ("phase", "answer"),
    [(Phase.FINISHED, "outcome"), (Phase.CANCELLED, "cancelled"), (Phase.BROKEN, "broken")],
)
def test_a_read_says_how_it_ended(phase: Phase, answer: str) -> None:
    """What a read gives tells the done states apart."""
    assert _said(State(phase), "read") == {answer}


@each_state
@pytest.mark.parametrize("around", EVERYTHING_MAY_HAPPEN)
def test_the_closure_is_closed(state: State, around: Circumstances) -> None:
    """The closure holds where it began, and nothing can be reached from it that it lacks."""
    everywhere = closure(frozenset({state}), around)
    assert state in everywhere
    assert closure(everywhere, around) == everywhere


def test_nothing_happens_where_nothing_may() -> None:
    """A pending future of a pool that starts, cancels and breaks nothing stays pending."""
    assert closure(frozenset({PENDING}), NOTHING_MAY_HAPPEN) == {PENDING}


@pytest.mark.parametrize(
    ("around", "states"),
    [
        (Circumstances(), {PENDING, CLAIMED}),
        (Circumstances(may_start=False, may_cancel=True), {PENDING, CANCELLED}),
        (Circumstances(may_start=False, may_break=True), {PENDING, State(Phase.BROKEN)}),
        (Circumstances(may_fail_unstarted=True), {PENDING, CLAIMED, State(Phase.FINISHED)}),
    ],
)
def test_circumstances_say_where_a_pending_future_may_go(around: Circumstances, states: set[State]) -> None:
    """Each circumstance opens one way, and no other."""
    assert closure(frozenset({PENDING}), around) == states


def test_a_task_enters_and_leaves_its_body_once() -> None:
    """A body is entered from outside, left from inside, and never again."""
    assert started(PENDING) == started(CLAIMED) == [INSIDE]
    assert finished(INSIDE) == [LEAVING]
    assert started(INSIDE) == started(LEAVING) == finished(LEAVING) == finished(PENDING) == []


def test_a_task_of_a_broken_pool_may_still_finish() -> None:
    """A broken future may belong to a task that runs to its end all the same."""
    assert finished(State(Phase.BROKEN, Body.INSIDE)) == [State(Phase.BROKEN, Body.BEHIND)]


def test_every_open_state_can_come_to_an_end() -> None:
    """From each state that can be reached and is not done, a done one can be reached."""
    for state in _reachable() & set(OPEN):
        inside = closure(frozenset(started(state) or [state]), Circumstances())
        behind = closure(frozenset(to for each in inside for to in finished(each) or [each]), Circumstances())
        assert any(each.done for each in behind)


def test_only_sensible_states_can_be_reached() -> None:
    """No way leads to a cancelled future whose task ran, or to a pending one whose task began."""
    assert {state for state in _reachable() if state.body is not Body.AHEAD} <= {
        State(phase, body)
        for phase in (Phase.RUNNING, Phase.FINISHED, Phase.BROKEN)
        for body in (Body.INSIDE, Body.BEHIND)
    }
    assert State(Phase.FINISHED, Body.INSIDE) not in _reachable()
