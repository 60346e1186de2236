"""When `submit` must refuse, and whose fault it is if it does so in another way."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor

import pytest

from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values.operation import Done, Error, Result, Shutdown, Starve, Submit
from harness.values.outcome import Returned
from tests.unit.story import NONE, YES, an_executor, raised, story, submit


@pytest.mark.parametrize(
    ("error", "keywords", "broken"),
    [
        (RuntimeError, False, set()),
        (RuntimeError, True, set()),
        (TypeError, False, {"SUB-04"}),
        (TypeError, True, set()),
        (ValueError, True, {"SUB-04"}),
    ],
)
def test_a_keyword_in_the_way_is_no_answer_of_a_pool_that_was_shut_down(
    error: type[BaseException],
    keywords: bool,  # noqa: FBT001 - a parameter
    broken: set[str],
) -> None:
    """`submit` that keeps `fn` for itself raises TypeError before anybody looks: SUB-01 speaks of that."""
    late = Submit(executor="e0", future="f0", task="t0", keywords=keywords)
    history = story((Shutdown(executor="e0"), NONE), (late, raised(error)))
    witnesses = judge(history, an_executor(), load_rules()).witnesses
    assert {each.rule for each in witnesses} == broken


@pytest.mark.parametrize("starved", [True, False])
def test_a_pool_may_break_because_a_worker_could_not_be_started(starved: bool) -> None:  # noqa: FBT001 - a parameter
    """Its futures are then done without having run; if nothing explains the break, FUT-01 forbids that."""
    error = raised(BrokenExecutor)
    history = story(
        *([(Starve(of="threads"), NONE)] if starved else []),
        submit(0),
        (Done(future="f0"), YES),
        (Result(future="f0"), error),
        (Error(future="f0"), Returned(value="exception BrokenExecutor", error=error)),
    )
    witnesses = judge(history, an_executor("process"), load_rules()).witnesses
    assert {each.rule for each in witnesses} == (set() if starved else {"FUT-01"})
