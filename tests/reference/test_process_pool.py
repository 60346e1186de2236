# ruff: noqa: PLR2004, SLF001 - the numbers of a test speak for themselves; it may look inside
"""The process pool: calls and outcomes (PKL, RES), deaths (BRK), shutdown (SHD), workers (POOL)."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import multiprocessing
import os
import signal
import threading
import weakref
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest

from reference_executor import (
    BrokenProcessPool,
    CancelledError,
    Future,
    ProcessPoolExecutor,
    _residents,
    wait,
)
from reference_executor._messages import RemoteTraceback
from tests.reference import reference_tasks as tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reference.conftest import MakePool
    from tests.reference.reference_tasks import Gate


pytestmark = pytest.mark.filterwarnings(
    # The tests run beside the timer thread of pytest-timeout.
    "ignore:.*multi-threaded, use of fork.*:DeprecationWarning"
)


def workers_of(pool: ProcessPoolExecutor) -> list[Any]:
    """Return the worker processes."""
    return list(pool._processes.values())


def assert_gone(processes: list[Any]) -> None:
    """Check that the processes have ended."""
    assert not any(process.is_alive() for process in processes)


def wait_for_end(processes: list[Any]) -> None:
    """Wait until the processes have ended: they must do so of themselves."""
    for process in processes:
        assert connection.wait([process.sentinel], 30)


# Calls and outcomes.


def test_it_is_an_executor_of_the_standard_library() -> None:
    """XOP-02."""
    assert issubclass(ProcessPoolExecutor, concurrent.futures.ProcessPoolExecutor)


def test_calls_are_made_in_other_processes(make_pool: MakePool) -> None:
    """SUB-01, RES-01: results come back equal, from another pid."""
    with make_pool(2) as pool:
        assert pool.submit(tasks.add, 1, right=2).result() == 3
        assert pool.submit(tasks.pid).result() != os.getpid()
        assert pool.submit(dict, fn=1, self=2).result() == {"fn": 1, "self": 2}
        assert list(pool.map(tasks.double, range(20))) == [2 * n for n in range(20)]


def test_exceptions_bring_their_remote_traceback(make_pool: MakePool) -> None:
    """RES-02, RES-14: with its chain, as text."""
    with make_pool() as pool:
        error = pool.submit(tasks.fail, "outer").exception()
    assert isinstance(error, ValueError)
    assert error.args == ("outer",)
    assert isinstance(error.__cause__, RemoteTraceback)
    assert "KeyError: 'inner'" in str(error.__cause__)
    assert "raise ValueError(text) from error" in error.__cause__.tb


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration])
def test_whatever_a_task_raises_is_its_outcome(fork_pool: MakePool, error: type[BaseException]) -> None:
    """RES-13: and the worker serves the next task."""
    with fork_pool() as pool:
        worker = pool.submit(tasks.pid).result()
        assert type(pool.submit(tasks.call_hostile, error).exception()) is error
        assert pool.submit(tasks.pid).result() == worker


def test_a_falsy_exception_comes_out(fork_pool: MakePool) -> None:
    """RES-11 (CF-51)."""
    with fork_pool() as pool, pytest.raises(tasks.FalsyError):
        pool.submit(tasks.raise_falsy).result()


def test_an_exception_may_be_returned(fork_pool: MakePool) -> None:
    """RES-15: that is a success."""
    with fork_pool() as pool:
        assert type(pool.submit(ValueError, "value").result()) is ValueError


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ((tasks.double, tasks.NoPickle()), TypeError),  # PKL-01
        ((lambda: None,), Exception),  # PKL-01
        ((tasks.double, tasks.NoUnpickle()), ValueError),  # PKL-04
        ((tasks.double, tasks.ExitOnUnpickle()), SystemExit),  # PKL-04
        ((tasks.make, tasks.NoPickle), TypeError),  # PKL-02
        ((tasks.make, tasks.NoUnpickle), ValueError),  # PKL-05
        ((tasks.make, tasks.ExitOnUnpickle), SystemExit),  # PKL-05, LIFE-01
        ((tasks.raise_keyword_only,), TypeError),  # PKL-03
        ((tasks.raise_unpicklable,), Exception),  # PKL-03
    ],
)
def test_what_fails_in_pickling_fails_one_future(
    fork_pool: MakePool, make_gate: Callable[[], Gate], call: tuple[Any, ...], error: type[BaseException]
) -> None:
    """PKL-01 to PKL-05, PKL-08 (CF-25): the pool goes on, and innocent tasks are untouched."""
    gate = make_gate()
    with fork_pool(2) as pool:
        innocent = pool.submit(gate.pass_through)
        gate.wait_until_reached()
        assert isinstance(pool.submit(*call).exception(), error)
        gate.open()
        assert isinstance(innocent.result(), int)
        assert pool.submit(tasks.double, 1).result() == 2


def test_large_payloads_go_both_ways(make_pool: MakePool) -> None:
    """PKL-06: many at once, larger than any pipe."""
    size = 1 << 20
    with make_pool(2) as pool:
        sent = [pool.submit(tasks.size_of, bytes(size)) for _ in range(8)]
        received = [pool.submit(tasks.payload, size) for _ in range(8)]
        assert [future.result() for future in sent] == [size] * 8
        assert [len(future.result()) for future in received] == [size] * 8


class SubmitsInPickle:
    """Uses the pool while it is pickled."""

    def __init__(self, pool: ProcessPoolExecutor, futures: list[Future[int]]) -> None:
        """Keep the pool, which is not pickled."""
        self._pool, self._futures = pool, futures

    def __reduce__(self) -> tuple[Any, ...]:
        """Submit, cancel, shut down."""
        self._futures.append(self._pool.submit(tasks.double, 4))
        self._futures.append(self._pool.submit(tasks.double, 5))
        self._futures[-1].cancel()
        self._pool.shutdown(wait=True)
        return int, (1,)


def test_pickling_may_use_the_pool(fork_pool: MakePool) -> None:
    """PKL-07: no lock is held while a call is pickled."""
    pool = fork_pool()
    futures: list[Future[int]] = []
    assert pool.submit(tasks.double, cast("Any", SubmitsInPickle(pool, futures))).result() == 2
    assert futures[0].result() == 8
    pool.shutdown()


def test_a_stall_in_pickling_holds_up_one_carrier(fork_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """SUB-09: whether in pickling or unpickling, the other worker goes on."""
    gates = [make_gate(), make_gate()]
    with fork_pool(2) as pool:
        stalls: list[tuple[Callable[[], Future[Any]], Gate, object]] = [
            (lambda: pool.submit(tasks.double, cast("Any", tasks.HeldInPickle(gates[0]))), gates[0], 2),
            (lambda: pool.submit(tasks.HeldInUnpickle, gates[1]), gates[1], os.getpid()),
        ]
        for submit, gate, result in stalls:
            future = submit()
            assert gate.wait_until_reached() == os.getpid()
            assert pool.submit(tasks.double, 1).result() == 2
            gate.open()
            assert future.result() == result


def test_map_in_chunks(fork_pool: MakePool) -> None:
    """MAP-01, MAP-02, MAP-07: chunks change neither results nor order."""
    with fork_pool(2) as pool:
        for chunksize in (1, 3, 7, 100):
            assert list(pool.map(tasks.add, range(10), range(9), chunksize=chunksize)) == [
                2 * n for n in range(9)
            ]
        assert list(pool.map(tasks.double, range(10), chunksize=2, buffersize=2)) == [
            2 * n for n in range(10)
        ]
        with pytest.raises(ValueError, match="chunksize must be >= 1"):
            pool.map(tasks.double, [], chunksize=0)
        results = pool.map(tasks.fail_at, range(6), [4] * 6, chunksize=2)
        assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(ValueError, match="4"):
            next(results)
        early = pool.map(tasks.double, range(6), chunksize=2)
        assert next(early) == 0
        early.close()  # type: ignore[attr-defined]


# Which calls can still be cancelled.


def test_what_is_in_the_call_queue_is_running(fork_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """FUT-05, FUT-08, INV-01: besides the running ones, one more call refuses to be cancelled."""
    gates = [make_gate(), make_gate()]
    with fork_pool(2) as pool:
        futures = [pool.submit(gate.pass_through) for gate in gates]
        for gate in gates:
            gate.wait_until_reached()
        queued = [pool.submit(tasks.double, n) for n in range(4)]
        assert [future.running() for future in queued] == [True, False, False, False]
        assert [future.cancel() for future in queued] == [False, True, True, True]
        for gate in gates:
            gate.open()
        assert {future.result() for future in futures} == set(pool._processes)
        assert queued[0].result() == 0


# Workers.


def test_the_initializer_runs_in_each_worker(make_pool: MakePool) -> None:
    """POOL-05: once, before the first task, with its arguments."""
    with make_pool(1, initializer=tasks.initialize, initargs=("a", 1)) as pool:
        assert pool.submit(tasks.initialized_with).result() == ["a", 1]
        assert pool.submit(tasks.initialized_with).result() == ["a", 1]


def test_a_failing_initializer_breaks_the_pool(make_pool: MakePool) -> None:
    """POOL-06, BRK-12: and the error says so, with the traceback."""
    pool = make_pool(1, initializer=tasks.fail, initargs=("bad start",))
    try:
        future = pool.submit(tasks.double, 1)
    except BrokenProcessPool as error:
        text = str(error)
    else:
        text = str(future.exception())
    assert "its initializer failed" in text
    assert "ValueError: bad start" in text
    with pytest.raises(BrokenProcessPool):
        pool.submit(tasks.double, 1)
    assert pool._broken


def test_a_worker_whose_initializer_fails_may_finish_what_it_says(
    make_pool: MakePool, start_method: str
) -> None:
    """It is on its way out already: killed at once, it would take to the grave what it logged to a queue."""
    queue = multiprocessing.get_context(start_method).Queue()
    pool = make_pool(1, initializer=tasks.tell_and_fail, initargs=(queue,))
    with pytest.raises(BrokenProcessPool):
        pool.submit(tasks.double, 1).result()
    assert queue.get_nowait() == "told"
    queue.close()
    queue.join_thread()


def test_a_worker_that_fails_and_does_not_end_is_ended(
    fork_pool: MakePool, make_gate: Callable[[], Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its initializer failed, and a thread of it goes on: shutting down does not wait for that."""
    monkeypatch.setattr("reference_executor._worker_process._WAY_OUT", 0.0)
    gate = make_gate()
    pool = fork_pool(1, initializer=tasks.fail_and_stay, initargs=(gate,))
    with contextlib.suppress(BrokenProcessPool):
        pool.submit(tasks.double, 1)
    pool.shutdown(wait=True)
    assert pool._processes == {}


def test_workers_are_started_when_needed(server_pool: MakePool) -> None:
    """POOL-04: without "fork", one call after the other needs one worker; more at a time need more."""
    with server_pool(3) as pool:
        for number in range(5):
            assert pool.submit(tasks.double, number).result() == 2 * number
        assert len(pool._processes) == 1
        futures = [pool.submit(tasks.double, 1) for _ in range(30)]
        assert 1 < len(pool._processes) <= 3
        wait(futures)


def test_workers_are_all_forked_at_once(fork_pool: MakePool) -> None:
    """EXIT-04: before the pool has threads, whose locks a forked child would inherit."""
    with fork_pool(3) as pool:
        assert not pool._processes
        pool.submit(tasks.double, 1)
        assert len(pool._processes) == 3


@pytest.mark.parametrize("limit", [1, 2])
def test_limited_workers_are_replaced(server_pool: MakePool, limit: int) -> None:
    """POOL-07 (CF-10, CF-27): no task is lost, also during shutdown; no worker exceeds its share."""
    pool = server_pool(2, max_tasks_per_child=limit)
    futures = [pool.submit(tasks.pid) for _ in range(9)]
    pool.shutdown(wait=False)
    pids = [future.result() for future in futures]
    assert max(pids.count(each) for each in pids) <= limit
    pool.shutdown()


def test_a_stalled_callback_does_not_hold_up_work(server_pool: MakePool) -> None:
    """POOL-02, CB-08: another worker is started for what is waiting."""
    with server_pool(2) as pool:
        stalled, go_on = threading.Event(), threading.Event()

        def stall(_: Future[int]) -> None:
            stalled.set()
            go_on.wait()

        future = pool.submit(tasks.double, 1)
        future.add_done_callback(stall)
        stalled.wait()
        assert pool.submit(tasks.double, 2).result() == 4
        go_on.set()


def test_work_behind_a_callback_that_stalls_later(
    server_pool: MakePool, make_gate: Callable[[], Gate]
) -> None:
    """POOL-02: also work that was submitted before the callback began."""
    gate = make_gate()
    with server_pool(2) as pool:
        go_on = threading.Event()
        future = pool.submit(gate.pass_through)
        gate.wait_until_reached()
        results: list[int] = []

        def stall(_: Future[int]) -> None:
            results.append(pool.submit(tasks.double, 2).result())
            go_on.set()

        future.add_done_callback(stall)
        gate.open()
        go_on.wait()
        assert results == [4]


# Deaths.


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_death_by_signal(make_pool: MakePool, number: signal.Signals) -> None:
    """BRK-01 to BRK-07, BRK-12: unfinished futures fail, each for itself; finished ones keep theirs."""
    pool = make_pool(1)
    finished = pool.submit(tasks.double, 1)
    assert finished.result() == 2
    doomed: Future[Any] = pool.submit(tasks.kill_self, number)
    others: list[Future[Any]] = [pool.submit(tasks.double, 1) for _ in range(4)]
    cancelled = others[-1].cancel()
    errors = [future.exception() for future in [doomed, *others] if not future.cancelled()]
    assert {type(error) for error in errors} == {BrokenProcessPool}
    assert len({id(error) for error in errors}) == len(errors)
    assert number.name in str(errors[0])
    assert cancelled == others[-1].cancelled()
    assert finished.result() == 2
    with pytest.raises(BrokenProcessPool):
        pool.submit(tasks.double, 1)
    with pytest.raises(BrokenProcessPool):
        pool.map(tasks.double, [1])
    pool.shutdown()
    assert_gone(workers_of(pool))


@pytest.mark.parametrize("code", [0, 1])
def test_death_by_exit(make_pool: MakePool, code: int) -> None:
    """BRK-07, BRK-12: ending without a farewell is a death, whatever the exit code; the error tells it."""
    pool = make_pool(1)
    with pytest.raises(BrokenProcessPool, match=f"exit code {code}"):
        pool.submit(tasks.leave_at_once, code).result()


def test_death_of_an_idle_worker(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-06: a worker that dies idle breaks the pool too, and takes running tasks with it."""
    gate, other = make_gate(), make_gate()
    pool = make_pool(2)
    running = pool.submit(gate.pass_through)
    brief = pool.submit(other.pass_through)
    busy, idle = gate.wait_until_reached(), other.wait_until_reached()
    other.open()
    brief.result()
    os.kill(idle, signal.SIGKILL)
    assert isinstance(running.exception(), BrokenProcessPool)
    pool.shutdown()
    assert not Path(f"/proc/{busy}").exists()


def test_death_after_shutdown_began(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-05, BRK-08: a worker killed just after the shutdown begins hangs nobody (open in every CPython)."""
    gates = [make_gate(), make_gate()]
    pool = make_pool(2)
    futures = [pool.submit(gate.pass_through) for gate in gates]
    pids = [gate.wait_until_reached() for gate in gates]
    pool.shutdown(wait=False)
    os.kill(pids[0], signal.SIGKILL)
    assert [type(future.exception()) for future in futures] == [BrokenProcessPool] * 2
    pool.shutdown()


def test_death_of_a_worker_while_others_are_stopped_or_deaf(
    make_pool: MakePool, make_gate: Callable[[], Gate]
) -> None:
    """BRK-06: the break ends a stopped worker, and one that ignores SIGTERM."""
    gates = [make_gate() for _ in range(3)]
    pool = make_pool(3)
    pool.submit(tasks.ignore_sigterm, gates[0])
    gates[0].wait_until_reached()
    pool.submit(gates[1].pass_through)
    os.kill(gates[1].wait_until_reached(), signal.SIGSTOP)
    pool.submit(gates[2].pass_through)
    os.kill(gates[2].wait_until_reached(), signal.SIGKILL)
    pool.shutdown()
    assert_gone(workers_of(pool))


def test_death_in_the_middle_of_a_large_argument(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-06, BRK-08 (CF-20): with a large call behind it, and the pipe full."""
    gate = make_gate()
    pool = make_pool(1)
    futures = [pool.submit(gate.pass_through), pool.submit(tasks.size_of, bytes(16 << 20))]
    os.kill(gate.wait_until_reached(), signal.SIGKILL)
    assert [type(future.exception()) for future in futures] == [BrokenProcessPool] * 2
    pool.shutdown()


def test_death_in_the_middle_of_a_large_argument_being_read(
    fork_pool: MakePool, make_gate: Callable[[], Gate]
) -> None:
    """BRK-06 (CF-20): a worker that stopped reading half-way is killed; its carrier gets free."""
    gate = make_gate()
    pool = fork_pool(1)
    worker = pool.submit(tasks.pid).result()
    os.kill(worker, signal.SIGSTOP)
    held = pool.submit(tasks.size_of, cast("Any", tasks.HeldInPickle(gate)))
    gate.wait_until_reached()
    gate.open()
    large = pool.submit(tasks.size_of, bytes(16 << 20))
    os.kill(worker, signal.SIGKILL)
    assert [type(future.exception()) for future in (held, large)] == [BrokenProcessPool] * 2
    pool.shutdown()


def test_death_in_the_middle_of_a_large_result(fork_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-06: a torn answer blocks nobody, also if its writer is stopped and another worker dies."""
    gate = make_gate()
    pool = fork_pool(2)
    other = pool.submit(gate.pass_through)
    other_pid = gate.wait_until_reached()
    # The carrier that is to read the answer is held while it unpickles, and the pipe of the worker runs full.
    [writer] = set(pool._processes) - {other_pid}
    large = pool.submit(tasks.payload, 64 << 20)
    os.kill(writer, signal.SIGSTOP)
    os.kill(other_pid, signal.SIGKILL)
    assert isinstance(other.exception(), BrokenProcessPool)
    assert large.exception() is None or isinstance(large.exception(), BrokenProcessPool)
    pool.shutdown()
    assert_gone(workers_of(pool))


def test_death_while_unpickling_the_call(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-06: in the worker."""
    gate = make_gate()
    pool = make_pool(1)
    future = pool.submit(tasks.double, cast("Any", tasks.HeldInUnpickle(gate)))
    os.kill(gate.wait_until_reached(), signal.SIGKILL)
    assert isinstance(future.exception(), BrokenProcessPool)


def test_death_in_the_initializer(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-06."""
    gate = make_gate()
    pool = make_pool(1, initializer=gate.pass_through)
    future = pool.submit(tasks.double, 1)
    os.kill(gate.wait_until_reached(), signal.SIGKILL)
    assert isinstance(future.exception(), BrokenProcessPool)


def test_a_stopped_worker_is_only_slow(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-09: after SIGCONT the outcome arrives, and others are served meanwhile."""
    gate = make_gate()
    with make_pool(2) as pool:
        slow = pool.submit(gate.pass_through)
        pid = gate.wait_until_reached()
        os.kill(pid, signal.SIGSTOP)
        assert pool.submit(tasks.double, 1).result() == 2
        os.kill(pid, signal.SIGCONT)
        gate.open()
        assert slow.result() == pid


def test_callbacks_while_the_pool_breaks(fork_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """CB-08, CB-10 (CF-15): they may submit, cancel, shut down and raise anything; all futures fail."""
    gate = make_gate()
    pool = fork_pool(1)
    futures = [pool.submit(gate.pass_through)] + [pool.submit(tasks.double, n) for n in range(3)]
    seen: list[object] = []

    def use(_: Future[int]) -> NoReturn:
        with pytest.raises(BrokenProcessPool):
            pool.submit(tasks.double, 1)
        seen.append([future.cancel() for future in futures])
        pool.shutdown(wait=True)
        raise SystemExit

    for future in futures:
        future.add_done_callback(use)
    os.kill(gate.wait_until_reached(), signal.SIGKILL)
    assert [type(future.exception()) for future in futures] == [BrokenProcessPool] * 4
    pool.shutdown()
    assert seen == [[False] * 4] * 4


def test_a_task_may_leave_a_child_behind(fork_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-01, SHD-01: a child that a task forked holds up neither the news of a death nor a shutdown."""
    for end in ("shutdown", "death"):
        gate = make_gate()
        pool = fork_pool(1)
        pool.submit(tasks.fork_and_stay, gate).result()
        gate.wait_until_reached()
        if end == "death":
            assert isinstance(pool.submit(tasks.leave_at_once, 1).exception(), BrokenProcessPool)
        pool.shutdown()
        gate.open()


@pytest.mark.parametrize("operation", ["kill_workers", "terminate_workers"])
def test_workers_can_be_ended(make_pool: MakePool, make_gate: Callable[[], Gate], operation: str) -> None:
    """BRK-10: running futures fail, the others are cancelled, no worker stays; also after a shutdown."""
    gate = make_gate()
    pool = make_pool(2)
    running = pool.submit(gate.pass_through)
    gate.wait_until_reached()
    processes = workers_of(pool)
    queued = [pool.submit(gate.pass_through) for _ in range(5)]
    pool.shutdown(wait=False)
    getattr(pool, operation)()
    assert isinstance(running.exception(), BrokenProcessPool)
    assert wait(queued).not_done == set()
    assert queued[-1].cancelled()
    pool.shutdown()
    assert_gone(processes)
    getattr(pool, operation)()


def test_ending_the_workers_of_an_unused_pool(fork_pool: MakePool) -> None:
    """BRK-10: there is nothing to end."""
    pool = fork_pool()
    pool.kill_workers()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(tasks.double, 1)


def test_interrupting_an_idle_worker_is_harmless(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-13 (CF-54): the innocent running task is untouched, and the idle worker serves on."""
    gates = [make_gate(), make_gate(), make_gate()]
    with make_pool(2) as pool:
        running = pool.submit(gates[0].pass_through)
        busy = gates[0].wait_until_reached()
        brief = pool.submit(gates[1].pass_through)
        idle = gates[1].wait_until_reached()
        gates[1].open()
        brief.result()
        for _ in range(3):
            os.kill(idle, signal.SIGINT)
        again = pool.submit(gates[2].pass_through)
        assert gates[2].wait_until_reached() == idle
        gates[2].open()
        gates[0].open()
        assert (running.result(), again.result()) == (busy, idle)


def test_interrupting_a_task_is_its_outcome(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """BRK-13, RES-13: a running task gets KeyboardInterrupt, and the pool goes on."""
    gate = make_gate()
    with make_pool(1) as pool:
        future = pool.submit(tasks.wait_for_interrupt, gate)
        pid = gate.wait_until_reached()
        os.kill(pid, signal.SIGINT)
        assert isinstance(future.exception(), KeyboardInterrupt)
        assert pool.submit(tasks.pid).result() == pid


# Shutting down, and what is left behind.


def test_shutdown_waits_for_everything(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """SHD-01, SHD-02, SHD-04, SHD-08, SUB-04: in any order, from anywhere."""
    gate = make_gate()
    pool = make_pool(1)
    futures = [pool.submit(gate.pass_through)] + [pool.submit(tasks.double, n) for n in range(5)]
    gate.wait_until_reached()
    processes = workers_of(pool)
    pool.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(tasks.double, 1)
    futures[1].add_done_callback(lambda _: pool.shutdown(wait=True))
    gate.open()
    pool.shutdown()
    assert [future.result() for future in futures[1:]] == [0, 2, 4, 6, 8]
    assert_gone(processes)
    pool.shutdown()


def test_shutdown_cancels_what_has_not_begun(fork_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """SHD-03, SHD-05, SHD-10 (CF-01, CF-33): waiters are told at once; a second shutdown does not undo it."""
    gate = make_gate()
    pool = fork_pool(1)
    running = pool.submit(gate.pass_through)
    gate.wait_until_reached()
    futures = [pool.submit(tasks.double, n) for n in range(6)]
    with pool:
        pool.shutdown(wait=False, cancel_futures=True)
        assert concurrent.futures.wait(futures[1:], 0).not_done == set()
        assert not running.done()
        gate.open()
    assert [future.cancelled() for future in futures] == [False] + [True] * 5
    with pytest.raises(CancelledError):
        futures[1].result()


def test_shutting_down_an_unused_pool_costs_nothing(make_pool: MakePool) -> None:
    """SHD-07: no process, no thread, no pipe."""
    before = sorted(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208 - names are enough
    pool = make_pool()
    pool.shutdown()
    pool.shutdown(cancel_futures=True)
    assert (sorted(os.listdir("/proc/self/fd")), threading.active_count()) == before  # noqa: PTH208 - the same


def test_a_dropped_pool_finishes_and_ends(make_pool: MakePool, make_gate: Callable[[], Gate]) -> None:
    """SHD-09, GC-03: queued work is done, then the workers leave of themselves."""
    gate = make_gate()
    context = make_pool()._mp_context  # Dropped: the fixture would keep it.
    pool = ProcessPoolExecutor(1, context)
    futures = [pool.submit(gate.pass_through), pool.submit(tasks.double, 1), pool.submit(tasks.double, 2)]
    gate.wait_until_reached()
    processes, manager = workers_of(pool), pool._executor_manager_thread
    trace = weakref.ref(pool)
    del pool
    gc.collect()
    assert trace() is None
    gate.open()
    assert [future.result() for future in futures[1:]] == [2, 4]
    manager.join(30)
    wait_for_end(processes)


def test_an_idle_pool_that_is_dropped_ends(make_pool: MakePool) -> None:
    """GC-03: at once."""
    pool = ProcessPoolExecutor(1, make_pool()._mp_context)
    pool.submit(tasks.double, 1).result()
    processes = workers_of(pool)
    del pool
    gc.collect()
    wait_for_end(processes)


def test_a_pool_is_freed_with_what_it_was_made_with() -> None:
    """Shut down, it is in no cycle: what its initializer was given need not wait for the collector."""

    class Something:
        """What nobody else holds."""

    thing = Something()
    shadow = weakref.ref(thing)
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("fork"), initializer=repr, initargs=(thing,))
    pool.submit(tasks.double, 1).result()
    del thing
    pool.shutdown(wait=True)
    gc.collect()
    gc.disable()
    try:
        assert shadow() is not None
        del pool
        assert shadow() is None
    finally:
        gc.enable()


def test_arguments_can_be_freed(fork_pool: MakePool) -> None:
    """GC-02: when the result is there, the client's copy of the arguments is not kept."""
    with fork_pool() as pool:
        argument = tasks.NoUnpickle()
        trace = weakref.ref(argument)
        future = pool.submit(tasks.double, argument)  # type: ignore[arg-type]
        del argument
        future.exception()
        assert trace() is None


def test_pools_leave_nothing_behind(make_pool: MakePool) -> None:
    """GC-01, GC-05: no process, thread, descriptor or registration, whether the pool ended well or broke."""
    ProcessPoolExecutor(1, make_pool()._mp_context).submit(tasks.double, 1).result()  # Starts the helpers.
    gc.collect()
    for child in multiprocessing.active_children():
        child.join()

    def census() -> tuple[int, int, int, int]:
        gc.collect()
        descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
        return (
            descriptors,
            len(_residents.pipe_ends),
            len(_residents.residents),
            len(multiprocessing.active_children()),
        )

    for thread in threading.enumerate():
        if thread.name == "ManagementThread":
            thread.join()
    before = census()
    for _ in range(3):
        with ProcessPoolExecutor(2, make_pool()._mp_context) as pool:
            pool.submit(tasks.double, 1).result()
        broken = ProcessPoolExecutor(2, pool._mp_context)
        broken.submit(tasks.leave_at_once, 1).exception()
        broken.shutdown()
        del pool, broken
    assert census() == before


# Construction.


def test_bad_arguments_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """POOL-03, POOL-08: with the errors of the standard library."""
    fork = multiprocessing.get_context("fork")
    bad: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"max_workers": 0}, ValueError),
        ({"initializer": 1}, TypeError),
        ({"max_tasks_per_child": "1"}, TypeError),
        ({"max_tasks_per_child": 0}, ValueError),
        ({"max_tasks_per_child": 1, "mp_context": fork}, ValueError),
    ]
    for options, error in bad:
        with pytest.raises(error):
            ProcessPoolExecutor(**options)
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ValueError, match="max_workers must be <= 61"):
        ProcessPoolExecutor(62)
    monkeypatch.setattr("reference_executor._process_pool.available_cpus", lambda: 100)
    assert ProcessPoolExecutor()._max_workers == 61


def test_defaults() -> None:
    """POOL-03: those of the standard library; limited workers are spawned."""
    pool, theirs = ProcessPoolExecutor(), concurrent.futures.ProcessPoolExecutor()
    assert pool._max_workers == theirs._max_workers  # type: ignore[attr-defined]
    assert pool._mp_context.get_start_method() == multiprocessing.get_start_method()  # type: ignore[union-attr]
    limited = ProcessPoolExecutor(max_tasks_per_child=1)
    assert limited._mp_context.get_start_method() == "spawn"  # type: ignore[union-attr]
    assert limited._executor_manager_thread is None


def test_too_few_semaphores_are_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """NotImplementedError, on which programs fall back to threads."""
    for available, enough in ((-1, True), (256, True), (30, False)):
        monkeypatch.setattr("os.sysconf", lambda _, n=available: n)
        if enough:
            ProcessPoolExecutor(1)
        else:
            with pytest.raises(NotImplementedError, match="too few semaphores"):
                ProcessPoolExecutor(1)

    def unknown(_: str) -> NoReturn:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr("os.sysconf", unknown)
    ProcessPoolExecutor(1)
    monkeypatch.setitem(__import__("sys").modules, "multiprocessing.synchronize", None)
    with pytest.raises(NotImplementedError, match="built without"):
        ProcessPoolExecutor(1)


# Starting workers fails.


def refuse(_: object) -> NoReturn:
    """Be a start that fails."""
    raise OSError("out of processes")


def test_a_worker_that_cannot_be_started(server_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    """SUB-10, POOL-10: without any worker the caller gets the error; with one, the work is done later."""
    with server_pool(2) as pool:
        process = type(pool._mp_context.Process())  # type: ignore[union-attr]
        with monkeypatch.context() as patch:
            patch.setattr(process, "start", refuse)
            with pytest.raises(OSError, match="out of processes"):
                pool.submit(tasks.double, 1)
        assert not pool._processes
        assert pool.submit(tasks.double, 1).result() == 2
        with monkeypatch.context() as patch:
            patch.setattr(process, "start", refuse)
            assert [f.result() for f in [pool.submit(tasks.double, n) for n in range(4)]] == [0, 2, 4, 6]


def test_a_thread_that_cannot_be_started(fork_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    """SUB-10: the processes that were started already are ended."""
    pool = fork_pool(2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="out of processes"):
            pool.submit(tasks.double, 1)
    assert not pool._processes
    assert not multiprocessing.active_children()
    pool.shutdown()


def test_a_replacement_that_cannot_be_started(
    server_pool: MakePool, make_gate: Callable[[], Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """POOL-10: the task that needed it fails with the reason, the next one tries again."""
    gate = make_gate()
    with server_pool(1, max_tasks_per_child=1) as pool:
        process = type(pool._mp_context.Process())  # type: ignore[union-attr]
        first = pool.submit(gate.pass_through)
        gate.wait_until_reached()
        with monkeypatch.context() as patch:
            patch.setattr(process, "start", refuse)
            second = pool.submit(tasks.double, 1)
            gate.open()
            assert isinstance(second.exception(), OSError)
        assert isinstance(first.result(), int)
        assert pool.submit(tasks.double, 1).result() == 2


class SubmitsThenFails:
    """A start that fails after somebody else submitted."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        """Keep the pool."""
        self.pool = pool
        self.futures: list[Future[int]] = []
        self.called: list[Future[int]] = []

    def __call__(self) -> NoReturn:
        """Submit and fail."""
        self.futures.append(self.pool.submit(tasks.double, 1))
        self.futures[-1].add_done_callback(self.called.append)
        raise OSError("out of processes")


def test_work_that_relied_on_a_failed_start(server_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    """POOL-10: work that another thread queued meanwhile does not stay pending: the pool is broken."""
    pool = server_pool(1)
    start = SubmitsThenFails(pool)
    process = type(pool._mp_context.Process())  # type: ignore[union-attr]
    monkeypatch.setattr(process, "start", lambda _: start())
    with pytest.raises(OSError, match="out of processes"):
        pool.submit(tasks.double, 1)
    assert isinstance(start.futures[0].exception(), BrokenProcessPool)
    assert start.called == start.futures
    with pytest.raises(BrokenProcessPool, match="no process could be started"):
        pool.submit(tasks.double, 1)
    pool.shutdown()
