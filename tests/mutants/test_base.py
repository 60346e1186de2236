"""The pool, the future, `wait` and `as_completed` that the mutants are made from keep the rules."""

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, CancelledError, Future
from concurrent.futures.thread import BrokenThreadPool
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.base import (
    PlainFuture,
    PlainThreadPool,
    plain_as_completed,
    plain_wait,
)

# Ends a test that would hang; a test that is right never waits for it.
LIMIT = 60.0


class TellingPool(PlainThreadPool):
    """The pool with futures that tell of their cancellation at once."""

    future_class = PlainFuture


class FalsyError(Exception):
    """An exception that is false."""

    def __bool__(self) -> bool:
        """Say so."""
        return False


class Held:
    """A pool of one worker that is held at a gate, with the future of the task that holds it."""

    def __init__(self) -> None:
        """Submit the task, and wait until it has started."""
        self.pool = TellingPool(max_workers=1)
        self.gate = threading.Event()
        started = threading.Event()

        def hold() -> bool:
            started.set()
            return self.gate.wait(LIMIT)

        self.future = self.pool.submit(hold)
        assert started.wait(LIMIT)


@pytest.fixture
def held() -> Iterator[Held]:
    """A held pool that is released and shut down at the end."""
    held = Held()
    yield held
    held.gate.set()
    held.pool.shutdown()


def fail(error: BaseException) -> None:
    """Raise an exception, as a task."""
    raise error


def test_value() -> None:
    """The value that a task returns is the result of its future, and keywords may have any name."""
    with PlainThreadPool() as pool:
        assert pool.submit(dict, fn=1, self=2).result() == {"fn": 1, "self": 2}
        assert list(pool.map(divmod, [7, 9], [2, 4])) == [(3, 1), (2, 1)]


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(3), FalsyError(), TimeoutError(), CancelledError()]
)
def test_error(error: BaseException) -> None:
    """Whatever a task raises is the outcome of its future, and the worker serves on."""
    with TellingPool(max_workers=1) as pool:
        future = pool.submit(fail, error)
        with pytest.raises(type(error)) as caught:
            future.result()
        assert caught.value is error
        assert future.exception() is error
        assert not future.cancelled()
        assert type(error).__name__ in repr(future)
        assert not pool.submit(str).result()


def test_parallel() -> None:
    """As many tasks run at once as there are workers, so that they can meet."""
    meeting = threading.Barrier(3)
    with PlainThreadPool(3) as pool:
        futures = [pool.submit(meeting.wait, LIMIT) for _ in range(3)]
        assert sorted(future.result() for future in futures) == [0, 1, 2]


def test_pending(held: Held) -> None:
    """A task that finds all workers busy is pending until one of them is free."""
    future = held.pool.submit(str)
    assert not future.done()
    assert not future.running()
    assert held.future.running()
    held.gate.set()
    assert not future.result()


def test_cancel(held: Held) -> None:
    """A cancelled future is done at once, has called its callbacks, and its task is never executed."""
    executed: list[int] = []
    called: list[Future[None]] = []
    future = held.pool.submit(executed.append, 1)
    future.add_done_callback(called.append)
    assert future.cancel()
    assert future.cancel()
    assert called == [future]
    assert plain_wait([future], LIMIT).done == {future}
    assert not held.future.cancel()
    held.gate.set()
    held.pool.shutdown()
    assert not executed
    assert held.future.result() is True
    with pytest.raises(CancelledError):
        future.exception()


def test_reader_wakes(held: Held) -> None:
    """A thread that waits for a result learns that the future was cancelled by a shutdown."""
    future = held.pool.submit(str)
    seen: list[BaseException] = []
    reading = threading.Event()

    def read() -> None:
        reading.set()
        try:
            future.result(LIMIT)
        except CancelledError as error:
            seen.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(LIMIT)
    held.pool.shutdown(wait=False, cancel_futures=True)
    reader.join(LIMIT)
    assert len(seen) == 1


def test_shutdown_cancels(held: Held) -> None:
    """A shutdown that cancels leaves the running task alone; its callbacks may use the pool."""
    errors: list[RuntimeError] = []

    def resubmit(_: Future[str]) -> None:
        held.pool.shutdown(wait=False)
        try:
            held.pool.submit(str)
        except RuntimeError as error:
            errors.append(error)

    futures = [held.pool.submit(str) for _ in range(3)]
    for future in futures:
        future.add_done_callback(resubmit)
    held.pool.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in futures)
    assert len(errors) == len(futures)
    held.gate.set()
    assert held.future.result() is True


def test_shutdown_waits(held: Held) -> None:
    """Everything submitted before a shutdown is executed, and nothing is accepted after it."""
    future = held.pool.submit(str)
    held.pool.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="after shutdown"):
        held.pool.submit(str)
    held.gate.set()
    held.pool.shutdown()
    assert future.done()


def test_callback_submits() -> None:
    """A callback in a worker may submit to the pool of that worker alone."""
    with TellingPool(max_workers=1) as pool:
        made: Future[Future[str]] = Future()
        pool.submit(str).add_done_callback(lambda _: made.set_result(pool.submit(str, 5)))
        assert made.result(LIMIT).result(LIMIT) == "5"


def test_callback_order(held: Held) -> None:
    """Callbacks are called in the order in which they were added, though one of them raises."""
    calls: list[int] = []
    held.future.add_done_callback(lambda _: calls.append(1))
    held.future.add_done_callback(lambda _: fail(ValueError("a callback's own")))
    held.future.add_done_callback(lambda _: calls.append(2))
    held.gate.set()
    held.pool.shutdown()
    held.future.add_done_callback(lambda _: calls.append(3))
    assert calls == [1, 2, 3]


def test_broken_initializer() -> None:
    """A pool whose initializer raises fails all but what was cancelled, and accepts nothing more."""
    gate = threading.Event()

    def initialize() -> None:
        gate.wait(LIMIT)
        raise ValueError

    pool = TellingPool(1, initializer=initialize)
    failed, cancelled = pool.submit(str), pool.submit(str)
    cancelled.cancel()
    gate.set()
    assert isinstance(failed.exception(LIMIT), BrokenThreadPool)
    assert cancelled.cancelled()
    with pytest.raises(BrokenThreadPool):
        pool.submit(str)
    pool.shutdown()


def test_unstartable_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call for which no worker can be started is refused, and not executed later."""
    executed: list[int] = []
    with PlainThreadPool() as pool:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", lambda _: fail(RuntimeError("can't start new thread")))
            with pytest.raises(RuntimeError, match="start"):
                pool.submit(executed.append, 1)
        pool.submit(executed.append, 2).result()
    assert executed == [2]


@pytest.mark.parametrize("count", [0, -1])
def test_bad_max_workers(count: int) -> None:
    """A pool of no workers cannot be made."""
    with pytest.raises(ValueError, match="max_workers"):
        PlainThreadPool(count)


def test_dropped_pool() -> None:
    """A pool that nobody keeps does its work, and then its workers end."""
    gate = threading.Event()
    pool = PlainThreadPool(1, thread_name_prefix="dropped")
    first, last = pool.submit(gate.wait, LIMIT), pool.submit(fail, ValueError("x"))
    (worker,) = (thread for thread in threading.enumerate() if thread.name.startswith("dropped"))
    del pool
    gate.set()
    assert first.result() is True
    assert isinstance(last.exception(LIMIT), ValueError)
    gc.collect()
    worker.join(LIMIT)
    assert not worker.is_alive()


def test_interpreter_exit() -> None:
    """A program that forgets its pool exits, after all that it has submitted is done."""
    program = (
        "import tests.mutants.base as base\n"
        "pool = base.PlainThreadPool(1)\n"
        "for number in range(3): pool.submit(print, number)\n"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run(  # noqa: S603 - our own program in our own interpreter
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["0", "1", "2"], "")


def test_wait_parts(held: Held) -> None:
    """`plain_wait` parts the futures, counts duplicates once, and reads any iterable."""
    pending, cancelled = held.pool.submit(str), held.pool.submit(str)
    cancelled.cancel()
    given: list[Future[Any]] = [held.future, pending, cancelled, pending]
    done, not_done = plain_wait(iter(given), timeout=0)
    assert (done, not_done) == ({cancelled}, {held.future, pending})
    assert plain_wait(given, LIMIT, FIRST_COMPLETED).done == {cancelled}
    assert plain_wait(given, 0, FIRST_EXCEPTION).done == {cancelled}
    held.gate.set()
    assert not plain_wait(given, LIMIT).not_done
    assert plain_wait([]) == (set(), set())


def test_wait_first_exception(held: Held) -> None:
    """`plain_wait` returns for a falsy exception while other tasks are running."""
    with TellingPool() as other:
        failed = other.submit(fail, FalsyError())
        assert plain_wait([held.future, failed], LIMIT, FIRST_EXCEPTION) == ({failed}, {held.future})


@pytest.mark.parametrize("futures", [[], [PlainFuture()]])
def test_wait_bad_condition(futures: list[PlainFuture]) -> None:
    """`plain_wait` refuses a condition that does not exist, whatever there is to wait for."""
    with pytest.raises(ValueError, match="Invalid return condition"):
        plain_wait(futures, return_when="SOMETIME")


def test_as_completed_order() -> None:
    """`plain_as_completed` yields first what was done before its call, and the rest as it becomes done."""
    futures = [PlainFuture() for _ in range(5)]
    futures[3].cancel()
    iterator = plain_as_completed([*futures, *futures], LIMIT)
    for number in (4, 0, 2):
        futures[number].set_result(number)
    futures[1].cancel()
    assert [futures.index(future) for future in iterator] == [3, 4, 0, 2, 1]  # type: ignore[arg-type] # they are of one list


def test_as_completed_timeout() -> None:
    """`plain_as_completed` yields what there is, and raises when its time, counted from the call, is over."""
    done, pending = PlainFuture(), PlainFuture()
    iterator = plain_as_completed([done, pending], timeout=0)
    done.set_result(None)
    assert next(iterator) is done
    with pytest.raises(TimeoutError, match="futures unfinished"):
        next(iterator)


@pytest.mark.parametrize("advanced", [False, True])
def test_no_trace(advanced: bool) -> None:  # noqa: FBT001 - pytest passes parameters by name
    """After a timeout, or when an iterator is dropped, no future knows that somebody has waited for it."""
    futures = [PlainFuture(), PlainFuture()]
    plain_wait(futures, timeout=0)
    iterator = plain_as_completed(futures)
    if advanced:
        futures[0].set_result(None)
        next(iterator)
    del iterator
    assert not any(future._waiters for future in futures)  # noqa: SLF001 - the trace is there if anywhere
