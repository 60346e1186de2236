"""When `submit` must refuse, and whose fault it is if it does so in another way."""

from __future__ import annotations

import pytest

from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values.operation import Shutdown, Submit
from tests.unit.story import NONE, an_executor, raised, story


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
