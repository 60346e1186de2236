# ruff: noqa: PLR2004 - the numbers of a test speak for themselves
"""The interpreter pool (IPE), where this Python has interpreters."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

import pytest

import reference_executor
from tests.reference import reference_tasks as tasks

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(
    "InterpreterPoolExecutor" not in concurrent.futures.__all__,
    reason="interpreter pools came with Python 3.14",
)


def make_pool(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - of the pool, which mypy does not know yet
    """Return an interpreter pool."""
    return reference_executor.InterpreterPoolExecutor(*arguments, **options)


def test_calls_are_made_in_other_interpreters() -> None:
    """IPE-01, XOP-02: results come back in order; the executor is one of the standard library's class."""
    with make_pool(2) as pool:
        assert isinstance(pool, concurrent.futures.Executor)
        assert list(pool.map(tasks.double, range(5))) == [0, 2, 4, 6, 8]
        tasks.initialized.clear()
        assert pool.submit(tasks.initialized_with).result() == []


def test_functions_that_share_nothing_need_no_pickle() -> None:
    """IPE-01: a lambda that uses no globals can cross over."""
    with make_pool(1) as pool:
        assert pool.submit(lambda: 7).result() == 7


def test_exceptions_keep_their_type() -> None:
    """IPE-01, RES-13: with `ExecutionFailed` as the cause; and the thread serves on."""
    with make_pool(1) as pool:
        for error in (ValueError, SystemExit, KeyboardInterrupt):
            raised = pool.submit(tasks.call_hostile, error).exception()
            assert type(raised) is error
            assert type(raised.__cause__).__name__ == "ExecutionFailed"
        assert pool.submit(tasks.double, 1).result() == 2


@pytest.mark.parametrize(
    ("fn", "arguments", "error"),
    [
        (tasks.make, (threading.Lock,), "NotShareableError"),
        (tasks.double, (threading.Lock(),), "NotShareableError"),
        (tasks.double, (tasks.NoUnpickle(),), "ValueError"),
        (tasks.raise_keyword_only, (), "ExecutionFailed"),
        (tasks.raise_unpicklable, (), "ExecutionFailed"),
    ],
)
def test_what_cannot_cross_over_fails_its_own_future(
    fn: Callable[..., Any], arguments: tuple[Any, ...], error: str
) -> None:
    """IPE-01: result, argument or exception; the pool goes on."""
    with make_pool(1) as pool:
        assert type(pool.submit(fn, *arguments).exception()).__name__ == error
        assert pool.submit(tasks.double, 1).result() == 2


def test_a_failing_initializer_breaks_the_pool() -> None:
    """POOL-06: with the error of the standard library."""
    pool = make_pool(1, initializer=tasks.fail, initargs=("no",))
    assert type(pool.submit(tasks.double, 1).exception()).__name__ == "BrokenInterpreterPool"
    pool.shutdown()


def test_the_initializer_runs_in_the_interpreter() -> None:
    """POOL-05."""
    with make_pool(1, initializer=tasks.initialize, initargs=("a",)) as pool:
        assert pool.submit(tasks.initialized_with).result() == ["a"]
