# ruff: noqa: PLR2004, SLF001 - the numbers of a test speak for themselves; it may look inside
"""The thread pool: submitting (SUB), shutting down (SHD), its threads (POOL), what is left behind (GC)."""

from __future__ import annotations

import concurrent.futures
import gc
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from reference_executor import (
    BrokenExecutor,
    BrokenThreadPool,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    _residents,
    wait,
)
from tests.reference.reference_tasks import FalsyError, call_hostile, raise_falsy

if TYPE_CHECKING:
    from collections.abc import Callable


class Hold:
    """A task that begins, and waits until it is let go."""

    def __init__(self) -> None:
        """Make it."""
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> str:
        """Wait."""
        self.begun.set()
        self.go_on.wait()
        return "held"


def held_pool(workers: int = 1) -> tuple[ThreadPoolExecutor, list[Hold]]:
    """Return a pool whose threads are all held in tasks."""
    pool = ThreadPoolExecutor(workers)
    holds = [Hold() for _ in range(workers)]
    for hold in holds:
        pool.submit(hold)
    for hold in holds:
        hold.begun.wait()
    return pool, holds


def join_new_threads(before: set[threading.Thread]) -> None:
    """Wait until the threads that came since have ended: they must do so of themselves."""
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()


def test_it_is_an_executor_of_the_standard_library() -> None:
    """XOP-02: also the concrete class, for which asyncio asks."""
    assert issubclass(ThreadPoolExecutor, concurrent.futures.Executor)
    assert issubclass(ThreadPoolExecutor, concurrent.futures.ThreadPoolExecutor)


def test_the_call_is_made_as_it_was_given() -> None:
    """SUB-01, RES-01: also with keywords called `fn` and `self`; and the result is the very object."""

    def call(*args: object, **kwargs: object) -> object:
        return args, kwargs

    value = object()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(call, 1, fn=2, self=3).result() == ((1,), {"fn": 2, "self": 3})
        assert pool.submit(lambda: value).result() is value


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_a_task_raises_is_its_outcome(error: type[BaseException]) -> None:
    """RES-02, RES-13: and the thread serves the next task."""
    with ThreadPoolExecutor(1) as pool:
        assert type(pool.submit(call_hostile, error).exception()) is error
        assert pool.submit(int).result() == 0
        assert len(pool._threads) == 1


def test_what_a_task_raises_of_our_own_errors_is_its_outcome() -> None:
    """RES-12: a task that raises CancelledError or TimeoutError is finished, not cancelled."""
    with ThreadPoolExecutor(1) as pool:
        for error in (CancelledError, TimeoutError, BrokenExecutor):
            future = pool.submit(call_hostile, error)
            assert type(future.exception()) is error
            assert not future.cancelled()


def test_a_falsy_exception_comes_out() -> None:
    """RES-11 (CF-51)."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(FalsyError):
        pool.submit(raise_falsy).result()


def test_tasks_start_in_the_order_of_submission() -> None:
    """SUB-03, FUT-08: except those that were cancelled, which are never executed."""
    pool, [hold] = held_pool()
    order: list[int] = []
    futures = [pool.submit(order.append, number) for number in range(5)]
    assert futures[2].cancel()
    hold.go_on.set()
    pool.shutdown()
    assert order == [0, 1, 3, 4]


def test_a_task_whose_future_somebody_else_settled_is_not_executed() -> None:
    """FUT-19: also if a client set the result; and one that is settled while running harms nobody."""
    pool, [hold] = held_pool()
    executed: list[int] = []
    early = pool.submit(executed.append, 1)
    early.set_result(None)
    other = Hold()
    during = pool.submit(other)
    hold.go_on.set()
    other.begun.wait()
    during.set_result("mine")
    other.go_on.set()
    assert pool.submit(int).result() == 0
    assert during.result() == "mine"
    assert executed == []
    pool.shutdown()


def test_submitting_after_shutdown() -> None:
    """SUB-04: RuntimeError, and nothing is queued."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.submit(int)
    assert not pool._threads


def test_many_threads_may_submit() -> None:
    """SUB-06, INV-02, INV-03: no task is lost, none doubled, none swapped."""
    with ThreadPoolExecutor(3) as pool:
        futures: list[tuple[int, Future[int]]] = []

        def submit(base: int) -> None:
            futures.extend((base + n, pool.submit(int, base + n)) for n in range(200))

        threads = [threading.Thread(target=submit, args=(base * 1000,)) for base in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(futures) == 800
        assert all(future.result() == number for number, future in futures)


def test_a_task_may_submit_and_wait() -> None:
    """SUB-07: with two threads a task may wait for another one."""
    with ThreadPoolExecutor(2) as pool:
        assert pool.submit(lambda: pool.submit(int, 7).result()).result() == 7


def test_idle_threads_are_reused() -> None:
    """POOL-04 (CF-30): one call after the other needs one thread."""
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            pool.submit(int).result()
        assert len(pool._threads) == 1


def test_tasks_that_need_each_other_all_run() -> None:
    """POOL-02 (CF-29): the count of idle threads is right after many calls one after the other."""
    with ThreadPoolExecutor(4) as pool:
        for _ in range(30):
            pool.submit(int).result()
        barrier = threading.Barrier(4)
        assert sorted(future.result() for future in [pool.submit(barrier.wait, 30) for _ in range(4)]) == [
            0,
            1,
            2,
            3,
        ]


def test_never_more_than_max_workers() -> None:
    """POOL-01: however much there is to do."""
    pool, holds = held_pool(2)
    futures = [pool.submit(threading.get_ident) for _ in range(20)]
    assert len(pool._threads) == 2
    for hold in holds:
        hold.go_on.set()
    assert len({future.result() for future in futures}) <= 2
    pool.shutdown()


def test_a_stalled_callback_costs_one_thread_only() -> None:
    """POOL-02, CB-08: a callback may wait for a task that needs another thread."""
    pool, holds = held_pool(2)
    results: list[int] = []
    called = threading.Event()

    def wait_for_another(_: Future[int]) -> None:
        results.append(pool.submit(int, 5).result())
        called.set()

    pool.submit(int).add_done_callback(wait_for_another)
    for hold in holds:
        hold.go_on.set()
    called.wait()
    pool.shutdown()
    assert results == [5]


def test_work_queued_behind_a_stalled_callback_gets_a_thread() -> None:
    """POOL-02, SHD-01: even after the shutdown began; and the shutdown waits for that thread too."""
    pool = ThreadPoolExecutor(2)
    hold, stall = Hold(), Hold()
    future = pool.submit(hold)
    hold.begun.wait()
    future.add_done_callback(lambda _: stall())
    hold.go_on.set()
    stall.begun.wait()
    other = pool.submit(threading.get_ident)
    assert other.result(30)
    stall.go_on.set()
    pool.shutdown()
    assert not any(thread.is_alive() for thread in pool._threads)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_callback_cannot_end_a_thread(error: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    """CB-05, CB-11 (CF-08): whatever it raises is logged; the other callbacks and tasks go on."""
    pool, [hold] = held_pool()
    called: list[int] = []

    def hostile(_: Future[Any]) -> NoReturn:
        raise error

    future = pool.submit(int)
    future.add_done_callback(hostile)
    future.add_done_callback(lambda _: called.append(1))
    with caplog.at_level(logging.ERROR, "concurrent.futures"):
        hold.go_on.set()
        assert pool.submit(int).result() == 0
        pool.shutdown()
    assert called == [1]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [error]


@pytest.mark.parametrize("workers", [0, -1])
def test_there_is_at_least_one_worker(workers: int) -> None:
    """POOL-03: ValueError otherwise."""
    with pytest.raises(ValueError, match="max_workers must be greater than 0"):
        ThreadPoolExecutor(workers)


def test_the_default_size_is_the_documented_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """POOL-03: as many as the standard library takes by default."""
    assert ThreadPoolExecutor()._max_workers == concurrent.futures.ThreadPoolExecutor()._max_workers
    for name in ("cpu_count", "process_cpu_count"):
        monkeypatch.setattr(f"os.{name}", lambda: None, raising=False)
    assert ThreadPoolExecutor()._max_workers == 5


def test_threads_have_names() -> None:
    """POOL-09."""
    with ThreadPoolExecutor(1, "mine") as pool:
        assert pool.submit(lambda: threading.current_thread().name).result() == "mine_0"
    with ThreadPoolExecutor(1) as pool:
        name = pool.submit(lambda: threading.current_thread().name).result()
        assert name.startswith("ThreadPoolExecutor-")


def test_the_initializer_runs_once_in_each_thread() -> None:
    """POOL-05: before its first task, with its arguments."""
    called: list[tuple[int, str]] = []
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(
        2, initializer=lambda a: called.append((threading.get_ident(), a)), initargs=("x",)
    ) as pool:
        idents = {
            f.result()
            for f in [pool.submit(lambda: (barrier.wait(), threading.get_ident())[1]) for _ in "ab"]
        }
        for _ in range(5):
            pool.submit(int).result()
    assert {ident for ident, _ in called} == idents
    assert [a for _, a in called] == ["x", "x"]


def test_an_initializer_must_be_callable() -> None:
    """POOL-08."""
    with pytest.raises(TypeError, match="initializer must be a callable"):
        ThreadPoolExecutor(1, initializer=1)  # type: ignore[arg-type]


class FailingInitializer:
    """Waits, then fails."""

    def __init__(self) -> None:
        """Make it."""
        self.hold = Hold()

    def __call__(self) -> NoReturn:
        """Wait and fail."""
        self.hold()
        raise ValueError("initializer")


def test_a_failing_initializer_breaks_the_pool(caplog: pytest.LogCaptureFixture) -> None:
    """POOL-06, CB-10: pending futures fail, each for itself, with callbacks; cancelled ones stay so."""
    initializer = FailingInitializer()
    pool = ThreadPoolExecutor(1, initializer=initializer)
    futures = [pool.submit(int) for _ in range(3)]
    called: list[Future[int]] = []
    futures[2].add_done_callback(called.append)
    assert futures[1].cancel()
    pool.shutdown(wait=False)
    with caplog.at_level(logging.CRITICAL, "concurrent.futures"):
        initializer.hold.go_on.set()
        errors = [futures[0].exception(), futures[2].exception()]
        pool.shutdown()
    assert [type(error) for error in errors] == [BrokenThreadPool] * 2
    assert errors[0] is not errors[1]
    assert futures[1].cancelled()
    assert called == [futures[2]]
    assert "Exception in initializer:" in caplog.text
    assert pool._broken
    with pytest.raises(BrokenThreadPool):
        pool.submit(int)


def test_a_broken_pool_refuses_work() -> None:
    """SUB-05, POOL-06: and its other threads finish what they do."""
    failing: list[int] = []
    hold = Hold()

    def initializer() -> None:
        if failing:
            raise ValueError
        failing.append(1)

    pool = ThreadPoolExecutor(2, initializer=initializer)
    running = pool.submit(hold)
    hold.begun.wait()
    broken = pool.submit(int)
    assert isinstance(broken.exception(), BrokenThreadPool)
    with pytest.raises(BrokenThreadPool):
        pool.submit(int)
    hold.go_on.set()
    assert running.result() == "held"
    pool.shutdown()


def test_shutdown_waits_or_does_not() -> None:
    """SHD-01, SHD-02: with `wait` the threads are gone afterwards; without, everything is done later."""
    pool, [hold] = held_pool()
    queued = pool.submit(int)
    pool.shutdown(wait=False)
    assert not queued.done()
    hold.go_on.set()
    assert queued.result() == 0
    pool.shutdown()
    assert not any(thread.is_alive() for thread in pool._threads)


def test_shutdown_cancels_what_has_not_begun() -> None:
    """SHD-03, SHD-05, CB-10: and only that; a later shutdown does not undo it; waiters are told."""
    pool, [hold] = held_pool()
    futures = [pool.submit(int) for _ in range(5)]
    called: list[Future[int]] = []
    futures[0].add_done_callback(called.append)
    pool.shutdown(wait=False, cancel_futures=True)
    assert wait(futures, 0).not_done == set()
    assert concurrent.futures.wait(futures, 0).not_done == set()
    assert called == [futures[0]]
    hold.go_on.set()
    pool.shutdown(wait=True, cancel_futures=False)
    assert all(future.cancelled() for future in futures)


def test_shutdown_survives_a_callback_that_interrupts() -> None:
    """CB-11, SHD-03: all futures are cancelled, then the interrupt goes on to the caller."""
    pool, [hold] = held_pool()
    futures = [pool.submit(int) for _ in range(3)]

    def interrupt(_: Future[int]) -> NoReturn:
        raise KeyboardInterrupt

    futures[0].add_done_callback(interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in futures)
    hold.go_on.set()
    pool.shutdown()


def test_shutting_down_an_unused_pool_leaves_nothing() -> None:
    """SHD-04, SHD-07: any number of times."""
    before = threading.active_count()
    pool = ThreadPoolExecutor()
    for options in ({}, {"wait": False}, {"cancel_futures": True}, {"wait": True}):
        pool.shutdown(**options)
    assert threading.active_count() == before


def test_leaving_with_waits_also_after_an_error() -> None:
    """SHD-06."""
    finished: list[int] = []
    with pytest.raises(KeyError), ThreadPoolExecutor(1) as pool:  # noqa: PT012 - the block is what is tested
        pool.submit(finished.append, 1)
        raise KeyError
    assert finished == [1]


@pytest.mark.parametrize("place", ["task", "callback"])
def test_shutdown_from_inside(place: str) -> None:
    """SHD-08 (CF-35): a task or callback may shut its own pool down; it does not wait for itself."""
    pool = ThreadPoolExecutor(2)
    if place == "task":
        assert pool.submit(pool.shutdown).exception() is None
    else:
        hold = Hold()
        future = pool.submit(hold)
        future.add_done_callback(lambda _: pool.shutdown())
        hold.go_on.set()
    pool.shutdown()
    assert not any(thread.is_alive() for thread in pool._threads)


def test_a_dropped_pool_finishes_and_ends() -> None:
    """SHD-09, GC-03: queued work is done, then the threads leave of themselves."""
    before = set(threading.enumerate())
    pool, [hold] = held_pool()
    queued = pool.submit(int, 3)
    del pool
    gc.collect()
    hold.go_on.set()
    assert queued.result() == 3
    join_new_threads(before)


def test_cancelling_holds_for_a_dropped_pool() -> None:
    """SHD-11."""
    before = set(threading.enumerate())
    pool, [hold] = held_pool()
    queued = pool.submit(int, 3)
    pool.shutdown(wait=False, cancel_futures=True)
    del pool
    gc.collect()
    assert queued.cancelled()
    hold.go_on.set()
    join_new_threads(before)


class Value:
    """Something with weak references."""


def test_finished_tasks_can_be_freed() -> None:
    """GC-02: when the outcome is seen, arguments and function are free; the result with its future."""
    with ThreadPoolExecutor(1) as pool:
        argument, hold = Value(), Hold()

        def use(_: Value, seen: Hold = hold) -> Value:
            seen()
            return Value()

        future: Future[Value] | None = pool.submit(use, argument)
        traces: list[Callable[[], object]] = [weakref.ref(argument), weakref.ref(use)]
        del argument, use
        hold.go_on.set()
        assert future is not None
        traces.append(weakref.ref(future.result()))
        assert [trace() for trace in traces[:2]] == [None, None]
        future = None
        pool.submit(int).result()
        gc.collect()
        assert traces[2]() is None


def test_arguments_of_a_failed_task_can_be_freed() -> None:
    """GC-02, GC-04: the traceback keeps the frames of the task, but not ours."""
    with ThreadPoolExecutor(1) as pool:
        argument = Value()
        trace = weakref.ref(argument)
        submit: Any = pool.submit
        future = submit(int, argument)  # No function in Python: its frame would keep the argument.
        del argument
        assert isinstance(future.exception(), TypeError)
        pool.submit(int).result()
        assert trace() is None


def test_a_thread_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """SUB-10 (CF-59): the caller gets the error, and no task is left that a later thread would execute."""
    executed: list[int] = []
    pool = ThreadPoolExecutor(2)

    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            pool.submit(executed.append, 1)
    assert pool._work_queue.empty()
    assert not _residents.residents
    pool.submit(executed.append, 2).result()
    hold = Hold()
    pool.submit(hold)
    hold.begun.wait()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        later = pool.submit(executed.append, 3)  # POOL-10: there is a thread that can do it later.
    hold.go_on.set()
    later.result()
    pool.shutdown()
    assert executed == [2, 3]


def test_a_re_entrant_submit_survives_a_failed_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """SUB-10: work that a finaliser submitted meanwhile stays queued, the caller's does not."""
    pool = ThreadPoolExecutor(1)
    inner: list[Future[int]] = []

    def submit_and_refuse(_: threading.Thread) -> NoReturn:
        inner.append(pool.submit(int, 5))
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", submit_and_refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            pool.submit(int, 4)
    assert pool.submit(int, 6).result() == 6
    assert inner[0].result() == 5
    pool.shutdown()


def test_submitting_from_finalisers() -> None:
    """SUB-10 (CF-17): a finaliser that the garbage collector runs inside `submit` may submit, too."""
    results: list[Future[int]] = []
    with ThreadPoolExecutor(2) as pool:

        class Finalised:
            def __init__(self) -> None:
                self.cycle = self

            def __del__(self) -> None:
                results.append(pool.submit(int, 1))

        threshold = gc.get_threshold()
        gc.set_threshold(1)
        try:
            for _ in range(100):
                Finalised()
                pool.submit(int, 0)
        finally:
            gc.set_threshold(*threshold)
        gc.collect()
        assert wait(results, 30).not_done == set()
    assert len(results) == 100


def test_pools_leave_nothing_behind() -> None:
    """GC-01, GC-05: no thread, no pool, however many come and go."""
    before = threading.active_count()
    traces = []
    for _ in range(20):
        with ThreadPoolExecutor(2) as pool:
            pool.submit(int).result()
        traces.append(weakref.ref(pool))
    del pool
    gc.collect()
    assert threading.active_count() == before
    assert not any(trace() for trace in traces)
    assert not _residents.residents
