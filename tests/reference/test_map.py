# ruff: noqa: PLR2004, SLF001 - the numbers of a test speak for themselves; it may look inside
"""`Executor.map` (MAP), on threads; that of the process pool is in `test_process_pool.py`."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from reference_executor import CancelledError, Executor, ThreadPoolExecutor
from tests.reference.reference_tasks import add, double, fail_at

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """A pool of two threads."""
    with ThreadPoolExecutor(2) as made:
        yield made


def test_results_come_in_the_order_of_the_inputs(pool: ThreadPoolExecutor) -> None:
    """MAP-01: whatever order they finish in."""
    second_is_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            second_is_done.wait()
        else:
            second_is_done.set()
        return number

    assert list(pool.map(work, range(2))) == [0, 1]


def test_iterables_are_zipped_to_the_shortest(pool: ThreadPoolExecutor) -> None:
    """MAP-02, MAP-03: all inputs are read at the call, up to the shortest."""
    numbers = itertools.count()
    results = pool.map(add, range(3), numbers)
    assert next(numbers) in {3, 4}
    assert list(results) == [0, 2, 4]


def test_nothing_in_nothing_out(pool: ThreadPoolExecutor) -> None:
    """MAP-09: an empty input yields nothing and starts nothing."""
    assert list(pool.map(double, [])) == []
    assert not pool._threads


def test_an_exception_is_raised_when_its_item_is_reached(pool: ThreadPoolExecutor) -> None:
    """MAP-04: the results before it are yielded first."""
    results = pool.map(fail_at, range(4), [2] * 4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(results)


def test_the_timeout_counts_from_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAP-05: past the deadline, what is there is yielded; TimeoutError comes only if one has to wait."""
    now = [100.0]
    monkeypatch.setattr("reference_executor._executor.time.monotonic", lambda: now[0])
    go_on = threading.Event()
    first_is_done = threading.Event()

    def work(number: int) -> int:
        if number:
            first_is_done.set()
            go_on.wait()
        return number

    with ThreadPoolExecutor(1) as one:
        results = one.map(work, range(2), timeout=5)
        first_is_done.wait()  # One thread: the second task runs, so the first future is done.
        now[0] += 6
        assert next(results) == 0
        with pytest.raises(TimeoutError):
            next(results)
        go_on.set()


def test_an_early_end_cancels_what_is_pending() -> None:
    """MAP-06: after a timeout nothing that had not begun is executed, the item waited for included."""
    go_on, begun = threading.Event(), threading.Event()
    executed: list[int] = []
    with ThreadPoolExecutor(1) as pool:

        def hold() -> None:
            begun.set()
            go_on.wait()

        pool.submit(hold)
        begun.wait()
        timing_out = pool.map(executed.append, range(3), timeout=0)
        closed = pool.map(executed.append, range(3))
        with pytest.raises(TimeoutError):
            next(timing_out)
        go_on.set()
        pool.submit(int).result()
        closed.close()  # type: ignore[attr-defined]
    assert executed == [0, 1, 2]  # Those of the iterator that was never advanced.


def test_closing_an_advanced_iterator_cancels() -> None:
    """MAP-06: closing it counts as an early end."""
    go_on = threading.Event()
    executed: list[int] = []

    def work(number: int) -> None:
        executed.append(number)
        if number:
            go_on.wait()

    with ThreadPoolExecutor(1) as pool:
        results = pool.map(work, range(10))
        next(results)
        results.close()  # type: ignore[attr-defined]
        go_on.set()
    assert len(executed) <= 2


def test_invalid_buffer_sizes_are_refused(pool: ThreadPoolExecutor) -> None:
    """MAP-08: a buffer holds at least one."""
    with pytest.raises(ValueError, match="buffersize must be None or > 0"):
        pool.map(double, [1], buffersize=0)
    with pytest.raises(TypeError, match="buffersize must be an integer or None"):
        pool.map(double, [1], buffersize="1")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 3])
def test_a_buffer_bounds_what_is_submitted(pool: ThreadPoolExecutor, size: int) -> None:
    """MAP-08: at most so many inputs are pulled beyond what was yielded, from an endless input too."""
    pulled = itertools.count()
    results = pool.map(double, (next(pulled) for _ in itertools.count()), buffersize=size)
    for number in range(10):
        assert next(results) == 2 * number
    assert next(pulled) == 9 + size
    results.close()  # type: ignore[attr-defined]


def test_a_buffer_does_not_hide_a_shutdown() -> None:
    """CF-50: after a shutdown the iteration raises instead of ending as if it were complete."""
    with ThreadPoolExecutor(1) as pool:
        results = pool.map(double, range(10), buffersize=2)
        assert next(results) == 0
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(results)


def test_results_can_be_freed(pool: ThreadPoolExecutor) -> None:
    """MAP-10: the iterator keeps no reference to what it has yielded."""

    class Value:
        pass

    results = pool.map(lambda _: Value(), range(3))
    for _ in range(3):
        trace = weakref.ref(next(results))
        gc.collect()
        assert trace() is None


def test_an_error_of_an_input_reaches_the_caller() -> None:
    """MAP-11: and what was submitted before it is cancelled."""
    go_on, begun = threading.Event(), threading.Event()
    executed: list[Any] = []

    def inputs() -> Iterator[int]:
        yield 1
        raise KeyError("input")

    with ThreadPoolExecutor(1) as pool:

        def hold() -> None:
            begun.set()
            go_on.wait()

        pool.submit(hold)
        begun.wait()
        with pytest.raises(KeyError, match="input"):
            pool.map(executed.append, inputs())
        go_on.set()
    assert executed == []


def test_stop_iteration_of_a_task_is_no_end(pool: ThreadPoolExecutor) -> None:
    """MAP-12: it comes out as a RuntimeError."""
    results = pool.map(next, [iter(()), iter([1])])
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(results)


def test_map_after_shutdown() -> None:
    """MAP-13: with items it raises; without, there is nothing to refuse."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.map(double, [1])
    assert list(pool.map(double, [])) == []


def test_a_cancelled_item_raises(pool: ThreadPoolExecutor) -> None:
    """MAP-04: items that a shutdown cancelled raise CancelledError when they are reached."""
    go_on, begun = threading.Event(), threading.Barrier(3)

    def hold(_: int) -> None:
        begun.wait()
        go_on.wait()

    results = pool.map(hold, range(4))
    begun.wait()
    pool.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    assert [next(results), next(results)] == [None, None]
    with pytest.raises(CancelledError):
        next(results)


def test_the_base_class_submits_nothing() -> None:
    """API-01: `Executor` itself is abstract, but can be shut down and used in `with`."""
    with Executor() as executor, pytest.raises(NotImplementedError):
        executor.submit(double, 1)
