# ruff: noqa: PLR2004 - the numbers of a test speak for themselves
"""The interpreter pool (IPE), where this Python has interpreters."""

from __future__ import annotations

import concurrent.futures
import importlib
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

import reference_executor
from reference_executor import _interpreter_worker as worker
from tests.reference import reference_tasks as tasks

if TYPE_CHECKING:
    from collections.abc import Callable

with_interpreters = pytest.mark.skipif(
    "InterpreterPoolExecutor" not in concurrent.futures.__all__,
    reason="interpreter pools came with Python 3.14",
)


def make_pool(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - of the pool, which mypy does not know yet
    """Return an interpreter pool."""
    return reference_executor.InterpreterPoolExecutor(*arguments, **options)


@with_interpreters
def test_calls_are_made_in_other_interpreters() -> None:
    """IPE-01, XOP-02: results come back in order; the executor is one of the standard library's class."""
    with make_pool(2) as pool:
        assert isinstance(pool, concurrent.futures.Executor)
        assert list(pool.map(tasks.double, range(5))) == [0, 2, 4, 6, 8]
        tasks.initialized.clear()
        assert pool.submit(tasks.initialized_with).result() == []


@with_interpreters
def test_functions_that_share_nothing_need_no_pickle() -> None:
    """IPE-01: a lambda that uses no globals can cross over."""
    with make_pool(1) as pool:
        assert pool.submit(lambda: 7).result() == 7


@with_interpreters
def test_exceptions_keep_their_type() -> None:
    """IPE-01, RES-13: with `ExecutionFailed` as the cause; and the thread serves on."""
    with make_pool(1) as pool:
        for error in (ValueError, SystemExit, KeyboardInterrupt):
            raised = pool.submit(tasks.call_hostile, error).exception()
            assert type(raised) is error
            assert type(raised.__cause__).__name__ == "ExecutionFailed"
        assert pool.submit(tasks.double, 1).result() == 2


@with_interpreters
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


@with_interpreters
def test_an_exception_that_cannot_be_shown_crosses_over() -> None:
    """LIFE-01, RES-02: the interpreters themselves would take the process with them."""
    with make_pool(1) as pool:
        assert type(pool.submit(tasks.raise_hidden).exception()) is tasks.HiddenError
        assert pool.submit(tasks.double, 1).result() == 2


@with_interpreters
def test_a_failing_initializer_breaks_the_pool() -> None:
    """POOL-06: with the error of the standard library."""
    pool = make_pool(1, initializer=tasks.fail, initargs=("no",))
    assert type(pool.submit(tasks.double, 1).exception()).__name__ == "BrokenInterpreterPool"
    pool.shutdown()


@with_interpreters
def test_the_initializer_runs_in_the_interpreter() -> None:
    """POOL-05."""
    with make_pool(1, initializer=tasks.initialize, initargs=("a",)) as pool:
        assert pool.submit(tasks.initialized_with).result() == ["a"]


@with_interpreters
def test_cf_61_functions_of_the_main_program(tmp_path: Path) -> None:
    """They are shared, not looked for in the other interpreter's own `__main__`, which is another.

    The rest of that row is the interpreter's: with `tracemalloc` on, a Python 3.14 that ever made another
    interpreter crashes as it ends, executor or not.
    """
    path = tmp_path / "program.py"
    path.write_text(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from reference_executor import InterpreterPoolExecutor
def double(n):
    return 2 * n
if __name__ == "__main__":
    with InterpreterPoolExecutor(2) as pool:
        print(pool.submit(double, 4).result(), list(pool.map(double, range(3))))
"""
    )
    ferry = importlib.import_module("reference_executor._interpreter_pool")._ferry  # noqa: SLF001 - how it is done
    double = FunctionType((lambda n: 2 * n).__code__, {"__name__": "__main__"})
    assert ferry(double, (4,), {}) == (worker.call_here, double, (4,), {})
    command = [sys.executable, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own
    assert (done.stdout, done.stderr, done.returncode) == ("8 [0, 2, 4]\n", "", 0)


@with_interpreters
def test_a_pool_in_the_body_of_a_module(tmp_path: Path) -> None:
    """EXIT-07: a function of the module that is being imported can be called in the pool."""
    (tmp_path / "being_imported.py").write_text(
        """
import sys
from reference_executor import InterpreterPoolExecutor
def triple(n):
    return 3 * n
if hasattr(sys, "first"):
    with InterpreterPoolExecutor(1) as pool:
        answer = pool.submit(triple, 2).result(30)
"""
    )
    lines = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parents[2]), str(tmp_path)]!r}",
        "sys.first = True; import being_imported; print(being_imported.answer)",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own
    assert (done.stdout, done.stderr, done.returncode) == ("6\n", "", 0)


# What runs in the other interpreters, run here.


def test_a_call_is_made_where_it_arrives() -> None:
    """IPE-01: packed, or as it is; and nothing is kept of a call that returns."""
    assert worker.call_packed(pickle.dumps((tasks.double, (4,), {}))) == 8
    assert worker.call_here(tasks.double, (), {"number": 4}) == 8
    assert worker.take_exception() is None


def test_what_a_call_raises_is_kept_if_it_can_travel() -> None:
    """IPE-01, RES-13: for the caller to fetch, once; an exception that cannot be unpickled is not kept."""
    with pytest.raises(ValueError, match="no"):
        worker.call_here(tasks.fail, ("no",), {})
    kept = worker.take_exception()
    assert kept is not None
    assert repr(pickle.loads(kept)) == "ValueError('no')"  # noqa: S301 - our own
    assert worker.take_exception() is None
    with pytest.raises(tasks.KeywordOnlyError):
        worker.call_here(tasks.raise_keyword_only, (), {})
    assert worker.take_exception() is None


def test_what_cannot_be_shown_is_kept_and_another_takes_its_place() -> None:
    """LIFE-01: the other has the name of its class as its message."""
    with pytest.raises(worker.HiddenError, match=r"\AHiddenError\Z"):
        worker.call_here(tasks.raise_hidden, (), {})
    kept = worker.take_exception()
    assert kept is not None
    assert type(pickle.loads(kept)) is tasks.HiddenError  # noqa: S301 - our own


def test_a_call_that_cannot_be_unpickled_tells_why() -> None:
    """PKL-03: the error of the unpickling is the outcome."""
    with pytest.raises(ValueError):  # noqa: PT011 - a text would be pickle's
        worker.call_packed(pickle.dumps((tasks.double, (tasks.NoUnpickle(),), {})))
    assert worker.take_exception() is not None
