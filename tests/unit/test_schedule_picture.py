"""A schedule as a person reads it: who did what, in columns; the statements by file and line."""

from __future__ import annotations

from harness.check.schedule_picture import draw_schedule
from harness.values.course import Statement, Step

_LOOKS = Statement(
    file="python3.11/concurrent/futures/_base.py", line=345, text="if self._state in [RUNNING]:"
)
_STORES = Statement(file="pool.py", line=12, text="self._count += 1", moment="store")


def _step(
    role: str, op: str = "acquire", *, chosen: bool = False, statement: Statement | None = None
) -> Step:
    return Step(role=role, op=op, chosen=chosen, statement=statement)


def test_nothing_is_drawn_of_no_steps() -> None:
    """In the real arena there are none."""
    assert draw_schedule(()) == ()


def test_steps_around_a_decision_are_shown_and_others_counted() -> None:
    """Two before and two after; the decision is marked."""
    steps = (*[_step("main")] * 5, _step("main/T1", chosen=True), *[_step("main/T1")] * 6)
    assert draw_schedule(steps) == (
        "    step | main       | main/T1",
        "         | … 3 steps",
        "       4 | acquire",
        "       5 | acquire",
        "     > 6 |            | acquire",
        "       7 |            | acquire",
        "       8 |            | acquire",
        "         |            | … 4 steps",
    )


def test_statements_are_named_by_file_and_line_with_their_text_below() -> None:
    """Not by the hash of their text, which is for the token; those that are not shown are not told."""
    steps = (
        _step("main", "s1a2b", statement=_LOOKS),
        _step("main/T1", "s3c4d", chosen=True, statement=_STORES),
        _step("main", "s1a2b", chosen=True, statement=_LOOKS),
    )
    assert draw_schedule(steps) == (
        "    step | main              | main/T1",
        "       1 | _base.py:345",
        "     > 2 |                   | pool.py:12 stores",
        "     > 3 | _base.py:345",
        "_base.py:345  if self._state in [RUNNING]:  (python3.11/concurrent/futures/_base.py)",
        "pool.py:12 stores  self._count += 1  (pool.py)",
    )


def test_many_turns_without_a_decision_are_one_row() -> None:
    """Of a livelock that lasts for thousands of steps, the first dozen stretches are enough."""
    turns = [_step(role) for _ in range(1000) for role in ("main", "main/T1")]
    rows = draw_schedule(turns)
    assert len(rows) == 1 + 12 + 1
    assert rows[-1] == "         | … 1988 of all in turns"
