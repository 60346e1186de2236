# ruff: noqa: PLR2004, SLF001 - the numbers of a test speak for themselves; it may look inside
"""Bugs that the standard library has or had, one test for each, with the reason why they cannot happen here.

The numbers are those of the project's list of known bugs. Not here: what only Windows shows (CF-22), what
may be called a usage error (CF-35, CF-40, CF-46, CF-48; two of them have tests elsewhere all the same), and
what needs a program of its own, in `test_exit.py`: CF-18, CF-38, CF-39, CF-42, CF-43.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import os
import signal
import threading
import weakref
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest

from reference_executor import (
    BrokenProcessPool,
    BrokenThreadPool,
    Future,
    InvalidStateError,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from tests.reference import reference_tasks as tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.reference.conftest import MakePool
    from tests.reference.reference_tasks import Gate

pytestmark = pytest.mark.filterwarnings(
    # The tests run beside the timer thread of pytest-timeout.
    "ignore:.*multi-threaded, use of fork.*:DeprecationWarning"
)


class Held:
    """A pool of one thread, which is held in a task until `release`."""

    def __init__(self) -> None:
        """Hold it."""
        self.pool = ThreadPoolExecutor(1)
        self._begun, self._go_on = threading.Event(), threading.Event()
        self.running = self.pool.submit(self._hold)
        self._begun.wait()

    def _hold(self) -> None:
        self._begun.set()
        self._go_on.wait()

    def release(self) -> None:
        """Let the thread go on."""
        self._go_on.set()


@pytest.fixture
def held() -> Iterator[Held]:
    """A pool whose only thread is held."""
    made = Held()
    yield made
    made.release()
    made.pool.shutdown()


def test_cf_01_futures_cancelled_by_a_shutdown_are_seen(held: Held) -> None:
    """Cancelling notifies on the spot, whoever cancels: no worker is needed to pass it on."""
    futures = [held.pool.submit(int) for _ in range(2)]
    held.pool.shutdown(wait=False, cancel_futures=True)
    assert wait(futures, 0).done == set(futures)
    assert set(as_completed(futures, 0)) == set(futures)
    assert concurrent.futures.wait(futures, 0).done == set(futures)
    assert set(concurrent.futures.as_completed(futures, 0)) == set(futures)


def test_cf_02_a_cancelled_future_is_done_at_once(held: Held) -> None:
    """There is no state between cancelled and notified in which a waiter could be stuck."""
    future = held.pool.submit(int)
    assert future.cancel()
    assert wait([future], 0).done == {future}
    assert list(as_completed([future], 0)) == [future]
    assert concurrent.futures.wait([future], 0).done == {future}


def test_cf_04_duplicates_count_once() -> None:
    """`wait` counts the members of a set."""
    future: Future[int] = Future()
    future.set_result(1)
    assert wait([future, future]).done == {future}


def test_cf_06_a_cancelled_future_does_not_stop_the_break(
    fork_pool: MakePool, make_gate: Callable[[], Gate]
) -> None:
    """Breaking settles what can be settled; a refusal is an answer of the state table, no exception."""
    gate = make_gate()
    pool = fork_pool(1)
    futures = [pool.submit(gate.pass_through) for _ in range(8)]
    assert futures[5].cancel()
    os.kill(gate.wait_until_reached(), signal.SIGKILL)
    assert wait(futures).not_done == set()
    assert futures[5].cancelled()
    assert isinstance(futures[7].exception(), BrokenProcessPool)


def test_cf_08_a_base_exception_of_a_callback_ends_no_thread(fork_pool: MakePool) -> None:
    """The pools call callbacks through one function that lets nothing out."""

    def leave(_: Future[int]) -> NoReturn:
        raise SystemExit

    for pool in (ThreadPoolExecutor(1), fork_pool(1)):
        called: list[Future[int]] = []
        future = pool.submit(tasks.double, 1)
        future.add_done_callback(called.append)
        with contextlib.suppress(SystemExit):  # If it is done already, the callback is called here.
            future.add_done_callback(leave)
        assert pool.submit(tasks.double, 2).result() == 4
        pool.shutdown()
        assert called == [future]


def test_cf_10_limited_workers_and_a_shutdown_that_does_not_wait(server_pool: MakePool) -> None:
    """A carrier replaces its worker when it has the next call in hand; no shutdown flag is asked."""
    pool = server_pool(1, max_tasks_per_child=1)
    futures = [pool.submit(tasks.double, n) for n in range(4)]
    pool.shutdown(wait=False)
    assert [future.result() for future in futures] == [0, 2, 4, 6]


def test_cf_11_a_late_callback_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Early and late callbacks are called by the same function."""
    future: Future[int] = Future()
    future.set_result(1)
    future.add_done_callback(lambda _: 1 // 0)
    assert "exception calling callback" in caplog.text


def test_cf_12_an_outcome_is_final() -> None:
    """FINISHED has no way out in the state table."""
    future: Future[int] = Future()
    future.set_result(1)
    with pytest.raises(InvalidStateError):
        future.set_result(2)
    assert future.result() == 1


def test_cf_13_submitting_does_not_wait_for_the_manager(fork_pool: MakePool) -> None:
    """`submit` moves work itself and writes nothing to the wake-up channel, so that cannot fill up."""
    pool = fork_pool(1)
    stalled, go_on = threading.Event(), threading.Event()
    future = pool.submit(tasks.double, 1)

    def stall(_: Future[int]) -> None:
        stalled.set()
        go_on.wait()

    blocker = threading.Thread(target=future.add_done_callback, args=(stall,))
    blocker.start()
    stalled.wait()
    futures = [pool.submit(tasks.double, n) for n in range(17_000)]
    go_on.set()
    blocker.join()
    pool.shutdown(cancel_futures=True)
    assert wait(futures).not_done == set()


def test_cf_15_a_callback_that_submits_to_a_breaking_pool(
    fork_pool: MakePool, make_gate: Callable[[], Gate]
) -> None:
    """Futures are failed with the lock held, but their callbacks are called afterwards, without it."""
    gate = make_gate()
    pool = fork_pool(1)
    errors: list[BaseException] = []

    def retry(_: Future[int]) -> None:
        try:
            pool.submit(tasks.double, 1)
        except BrokenProcessPool as error:
            errors.append(error)

    futures = [pool.submit(gate.pass_through) for _ in range(3)]
    for future in futures:
        future.add_done_callback(retry)
    os.kill(gate.wait_until_reached(), signal.SIGKILL)
    pool.shutdown()
    assert wait(futures).not_done == set()
    assert len(errors) == 3


def test_cf_17_a_finaliser_may_submit_inside_submit(fork_pool: MakePool) -> None:
    """The locks and queues are re-entrant, and no invariant is open where a finaliser can run."""
    for pool in (ThreadPoolExecutor(1), fork_pool(1)):
        futures: list[Future[int]] = []

        class Finalised:
            def __init__(self) -> None:
                self.cycle = self

            def __del__(self, futures: list[Future[int]] = futures, pool: Any = pool) -> None:  # noqa: ANN401 - a pool
                futures.append(pool.submit(tasks.double, 1))

        threshold = gc.get_threshold()
        gc.set_threshold(1)
        try:
            for _ in range(50):
                Finalised()
                pool.submit(tasks.double, 0)
        finally:
            gc.set_threshold(*threshold)
        gc.collect()
        assert [future.result() for future in futures] == [2] * 50
        pool.shutdown()


def test_cf_19_a_pool_may_be_dropped_while_its_queue_is_in_use() -> None:
    """What the weak reference calls only puts `None` into a `SimpleQueue`, whose `put` is re-entrant."""
    held = Held()
    future = held.pool.submit(int)
    del held.pool
    gc.collect()
    held.release()
    assert future.result() == 0


def test_cf_20_a_crash_behind_a_big_call(fork_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """A big call waits for its carrier, not in a pipe; and a pipe whose reader is dead refuses writes."""
    gates = [make_gate(), make_gate()]
    pool = fork_pool(2)
    futures = [pool.submit(gate.pass_through) for gate in gates]
    pids = [gate.wait_until_reached() for gate in gates]
    futures.append(pool.submit(tasks.size_of, bytes(50 << 20)))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    pool.shutdown()
    assert [type(future.exception()) for future in futures] == [BrokenProcessPool] * 3


def test_cf_23_an_unpicklable_task_and_a_shutdown(fork_pool: MakePool) -> None:
    """A call that cannot be packed is settled by its carrier like any other, and counts as done."""
    pool = fork_pool(1)
    pool.submit(tasks.double, 1).result()
    future = pool.submit(lambda: None)
    pool.shutdown(wait=False)
    assert future.exception() is not None
    pool.shutdown()


def test_cf_25_an_exception_that_cannot_be_unpickled(
    fork_pool: MakePool, make_gate: Callable[[], Gate]
) -> None:
    """The exception is packed inside its message: what cannot be unpacked is one outcome, not the stream."""
    gate = make_gate()
    pool = fork_pool(2)
    innocent = pool.submit(gate.pass_through)
    gate.wait_until_reached()
    assert isinstance(pool.submit(tasks.raise_keyword_only).exception(), TypeError)
    gate.open()
    assert isinstance(innocent.result(), int)


def test_cf_26_an_unpicklable_argument(fork_pool: MakePool) -> None:
    """The carrier that packs a call holds its work item, and settles it with what packing raised."""
    with fork_pool(1) as pool:
        assert pool.submit(id, lambda: None).exception() is not None


def test_cf_27_limited_workers_are_replaced(server_pool: MakePool) -> None:
    """A worker's place belongs to its carrier, which counts the calls and knows when a new worker is due."""
    with server_pool(1, max_tasks_per_child=2) as pool:
        assert [f.result() for f in [pool.submit(tasks.double, n) for n in range(8)]] == [
            2 * n for n in range(8)
        ]


def test_cf_29_idle_threads_are_counted_exactly() -> None:
    """Demand is a number, up with each call and down with its end; nobody adds an idle thread twice."""
    with ThreadPoolExecutor(4) as pool:
        for _ in range(30):
            pool.submit(int).result()
        barrier = threading.Barrier(4)
        assert len({future.result() for future in [pool.submit(barrier.wait, 30) for _ in range(4)]}) == 4


def test_cf_30_idle_threads_are_reused() -> None:
    """Demand falls before the outcome can be seen, so the next `submit` finds a thread free."""
    with ThreadPoolExecutor(4) as pool:
        assert len({pool.submit(threading.get_ident).result() for _ in range(4)}) == 1


def test_cf_31_submit_cancel_shutdown(fork_pool: MakePool) -> None:
    """Whether work is left is asked again whenever an item goes, settled or cancelled."""
    pool = fork_pool(1)
    pool.submit(tasks.double, 1).result()
    pool.submit(tasks.double, 1).cancel()
    pool.shutdown(wait=True)


def test_cf_33_a_second_shutdown_does_not_undo_the_first(
    fork_pool: MakePool, make_gate: Callable[[], Gate]
) -> None:
    """`cancel_futures` is no flag for a thread to find later: it is done before `shutdown` returns."""
    gate = make_gate()
    with fork_pool(1) as pool:
        pool.submit(gate.pass_through)
        gate.wait_until_reached()
        futures = [pool.submit(tasks.double, n) for n in range(7)]
        pool.shutdown(wait=False, cancel_futures=True)
        gate.open()
    assert [future.cancelled() for future in futures] == [False] + [True] * 6


def test_cf_36_an_initializer_fails_after_the_pool_was_dropped() -> None:
    """The crew lives as long as its threads, and fails the work without the executor."""
    begun, go_on = threading.Event(), threading.Event()

    def initializer() -> NoReturn:
        begun.set()
        go_on.wait()
        raise ValueError

    pool = ThreadPoolExecutor(1, initializer=initializer)
    future = pool.submit(int)
    begun.wait()
    del pool
    gc.collect()
    go_on.set()
    assert isinstance(future.exception(), BrokenThreadPool)


def test_cf_44_a_map_that_times_out_cancels_what_it_waited_for(held: Held) -> None:
    """The future that is waited for stays in the list of what will be cancelled until its result is there."""
    executed: list[int] = []
    results = held.pool.map(executed.append, range(3), timeout=0)
    with pytest.raises(TimeoutError):
        next(results)
    held.release()
    held.pool.shutdown()
    assert executed == []


def test_cf_49_a_timeout_error_of_the_task_is_the_tasks() -> None:
    """`map` does not look at the exceptions of tasks: it asks first whether the future is done."""
    with ThreadPoolExecutor(1) as pool:
        results = pool.map(tasks.call_hostile, [TimeoutError], timeout=100)
        with pytest.raises(TimeoutError):
            next(results)


def test_cf_50_a_buffered_map_stays_within_its_buffer_and_complete() -> None:
    """A call is submitted when the caller comes back for more; an error of `submit` reaches the caller."""
    submitted: list[int] = []

    def inputs() -> Iterator[int]:
        for number in range(100):
            submitted.append(number)
            yield number

    with ThreadPoolExecutor(1) as pool:
        results = pool.map(tasks.double, inputs(), buffersize=2)
        assert [next(results), next(results)] == [0, 2]
        assert submitted == [0, 1, 2]
    with pytest.raises(RuntimeError):
        list(results)


def test_cf_51_a_falsy_exception_is_raised(fork_pool: MakePool) -> None:
    """Exceptions are compared with None, never asked whether they are true."""
    for pool in (ThreadPoolExecutor(1), fork_pool(1)):
        with pool, pytest.raises(tasks.FalsyError):
            pool.submit(tasks.raise_falsy).result()


def test_cf_53_timeouts_are_the_builtin_error() -> None:
    """There is one TimeoutError."""
    with pytest.raises(TimeoutError):
        Future[int]().result(0)


def test_cf_54_sigint_to_an_idle_worker(fork_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """A worker lets SIGINT through only while a task runs."""
    gate, brief = make_gate(), make_gate()
    pool = fork_pool(2)
    running = pool.submit(gate.pass_through)
    gate.wait_until_reached()
    other = pool.submit(brief.pass_through)
    idle = brief.wait_until_reached()
    brief.open()
    other.result()
    os.kill(idle, signal.SIGINT)
    gate.open()
    assert isinstance(running.result(), int)
    pool.shutdown()


def test_cf_55_reading_an_exception_leaves_no_cycle() -> None:
    """Every frame of ours that an exception's traceback keeps lets go of the future before it ends."""
    gc.collect()
    gc.disable()
    try:
        with ThreadPoolExecutor(1) as pool:
            future: Future[Any] = pool.submit(tasks.fail, "no")
            with pytest.raises(ValueError, match="no"):
                future.result()
            trace = weakref.ref(future)
            del future
            pool.submit(int).result()
            assert trace() is None
    finally:
        gc.enable()


def test_cf_57_iterators_keep_nothing_they_have_yielded() -> None:
    """They pop what they yield, in the same expression."""

    class Value:
        pass

    with ThreadPoolExecutor(1) as pool:
        for values in (
            pool.map(lambda _: Value(), range(2)),
            as_completed([pool.submit(Value) for _ in range(2)]),
        ):
            for _ in range(2):
                trace = weakref.ref(next(values))
                pool.submit(int).result()
                assert trace() is None


def test_cf_59_a_submit_that_raises_queues_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that cannot be started is noticed with the lock held, and the work is taken back."""
    executed: list[int] = []
    pool = ThreadPoolExecutor(1)

    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            pool.submit(executed.append, 1)
    pool.submit(executed.append, 2)
    pool.shutdown()
    assert executed == [2]


@pytest.mark.parametrize("repetition", range(5))
def test_a_kill_just_after_shutdown_began(repetition: int, make_pool: MakePool) -> None:
    """Workers share no lock that one could take to its grave; sentinels are watched until all have left.

    Open in every CPython up to 3.15: there the call queue's read lock dies with the worker.
    """
    pool = make_pool(2)
    futures = [pool.submit(tasks.double, n) for n in range(repetition + 1)]
    victims = list(pool._processes.values())
    pool.shutdown(wait=False)
    victims[0].kill()
    pool.shutdown(wait=True)
    assert wait(futures, 0).not_done == set()


def test_gh_125451_unpicklable_calls_and_a_shutdown(fork_pool: MakePool) -> None:
    """No thread needs a lock while it holds another that a failing carrier would need to report."""
    pool = fork_pool(2)
    futures = [pool.submit(tasks.double, cast("Any", tasks.NoPickle())) for _ in range(50)]
    pool.shutdown(wait=True)
    assert {type(future.exception()) for future in futures} == {TypeError}
