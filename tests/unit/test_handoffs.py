"""Small handoffs: in most programs somebody waits for what somebody else ends, and for nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from harness.generation.composer import Shape
from harness.generation.draw import draw
from harness.generation.themes import LATER, SMALL, themes_for
from harness.values import operation as op

if TYPE_CHECKING:
    from harness.values.program import Program

_SHAPE: Final = Shape(lanes=3)
_ENDS: Final = (op.SetResult, op.SetException, op.Cancel)
_WAITS: Final = (op.Result, op.Error, op.Wait, op.AsCompleted)


def _handed_over(program: Program) -> set[type[op.Operation]]:
    """The ways in which a lane waits, for as long as it takes, for a future that only others end."""
    found: set[type[op.Operation]] = set()
    for lane in program.lanes:
        others = [step for other in program.lanes if other is not lane for step in other.operations]
        ended = {step.future for step in others if isinstance(step, _ENDS)}
        ended -= {step.future for step in lane.operations if isinstance(step, _ENDS)}
        for step in lane.operations:
            if isinstance(step, _WAITS) and step.timeout is None and ended.intersection(_names(step)):
                found.add(type(step))
    return found


def _names(step: op.Result | op.Error | op.Wait | op.AsCompleted) -> tuple[str, ...]:
    return step.futures if isinstance(step, op.Wait | op.AsCompleted) else (step.future,)


def _ends_too_few(program: Program, when: op.ReturnWhen) -> bool:
    """Whether a `wait` of this kind has to return though one of its futures is ended by nobody."""
    steps = [step for lane in program.lanes for step in lane.operations]
    ended = {step.future for step in steps if isinstance(step, _ENDS)}
    return any(
        isinstance(step, op.Wait) and step.return_when == when and not ended.issuperset(step.futures)
        for step in steps
        if getattr(step, "timeout", None) is None
    )


def test_most_programs_hand_something_over() -> None:
    """Two programs in three have a client that waits for what only another one ends; all four ways occur."""
    handed = [_handed_over(program) for program in draw("handoffs", _SHAPE, 7, 150)]
    assert sum(map(bool, handed)) * 3 > 2 * len(handed)
    assert set().union(*handed) == set(_WAITS)


def test_handoffs_differ() -> None:
    """Of many programs most go their own way: who ends what how, who waits for what, who makes it."""
    programs = draw("handoffs", _SHAPE, 7, 150)
    ways = {
        " | ".join(
            " ".join(type(step).__name__ + getattr(step, "return_when", "") for step in lane.operations)
            for lane in program.lanes
        )
        for program in programs
    }
    assert len(ways) > len(programs) // 2


@pytest.mark.parametrize("when", ["FIRST_COMPLETED", "FIRST_EXCEPTION"])
def test_who_waits_for_the_first_may_not_wait_for_the_rest(when: op.ReturnWhen) -> None:
    """A `wait` for the first is drawn beside a future that nobody ends: to wait for all is to hang."""
    assert sum(_ends_too_few(program, when) for program in draw("handoffs", _SHAPE, 7, 150)) > 1


def test_handoffs_are_small_and_for_several_lanes() -> None:
    """They are interrupted nearly everywhere, in the longer profiles, where there are several lanes."""
    assert "handoffs" in LATER & SMALL
    assert "handoffs" in themes_for(_SHAPE)
    assert "handoffs" not in themes_for(Shape(lanes=1)) + themes_for(_SHAPE, later=False)
