# ruff: noqa: PLR2004, SLF001 - the numbers of a test speak for themselves; it may look inside
"""One future: its states (FUT), reading its outcome (RES), its callbacks (CB)."""

from __future__ import annotations

import concurrent.futures
import gc
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from reference_executor import CancelledError, Future, InvalidStateError
from reference_executor._future import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING, RUNNING, STEPS
from tests.reference.reference_tasks import FalsyError

if TYPE_CHECKING:
    from collections.abc import Callable

STATES = (PENDING, RUNNING, CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED)


def in_state(state: str) -> Future[str]:
    """Return a future in a state."""
    future: Future[str] = Future()
    if state in {RUNNING, FINISHED}:
        future.set_running_or_notify_cancel()
    if state == FINISHED:
        future.set_result("done")
    if state == CANCELLED_AND_NOTIFIED:
        future.cancel()
    if state == CANCELLED:  # Nothing enters it; somebody may have put a future there.
        future._state = CANCELLED
    return future


def settle_by_cancelling(future: Future[Any]) -> None:
    """Cancel."""
    future.cancel()


def settle_by_result(future: Future[Any]) -> None:
    """Set a result."""
    future.set_result(1)


def settle_by_exception(future: Future[Any]) -> None:
    """Set an exception."""
    future.set_exception(ValueError())


def test_a_future_is_one_of_the_standard_library() -> None:
    """FUT-17: a future is an instance of `concurrent.futures.Future`."""
    assert isinstance(Future(), concurrent.futures.Future)


@pytest.mark.parametrize("state", STATES)
def test_questions_exclude_each_other(state: str) -> None:
    """FUT-03: running, cancelled and finished exclude each other; done is cancelled or finished."""
    future = in_state(state)
    finished = state == FINISHED
    assert future.running() == (state == RUNNING)
    assert future.cancelled() == (state in {CANCELLED, CANCELLED_AND_NOTIFIED})
    assert future.done() == (future.cancelled() or finished)


@pytest.mark.parametrize(
    ("state", "answer", "after"),
    [
        (PENDING, True, CANCELLED_AND_NOTIFIED),
        (RUNNING, False, RUNNING),
        (CANCELLED, True, CANCELLED),
        (CANCELLED_AND_NOTIFIED, True, CANCELLED_AND_NOTIFIED),
        (FINISHED, False, FINISHED),
    ],
)
def test_cancel(state: str, answer: bool, after: str) -> None:  # noqa: FBT001 - a column of the table
    """FUT-04 to FUT-07: cancel answers and steps as the table says."""
    future = in_state(state)
    assert future.cancel() is answer
    assert future._state == after


@pytest.mark.parametrize(
    ("state", "answer", "after"),
    [
        (PENDING, True, RUNNING),
        (RUNNING, None, RUNNING),
        (CANCELLED, False, CANCELLED_AND_NOTIFIED),
        (CANCELLED_AND_NOTIFIED, False, CANCELLED_AND_NOTIFIED),
        (FINISHED, None, FINISHED),
    ],
)
def test_begin(state: str, answer: bool | None, after: str) -> None:  # noqa: FBT001 - a column of the table
    """FUT-11: beginning is answered with True once; running or finished raises; cancelled is False."""
    future = in_state(state)
    if answer is None:
        with pytest.raises(InvalidStateError):
            future.set_running_or_notify_cancel()
    else:
        assert future.set_running_or_notify_cancel() is answer
    assert future._state == after


@pytest.mark.parametrize("state", STATES)
def test_finishing(state: str) -> None:
    """FUT-12, FUT-13: pending and running futures can be finished; others raise and keep what they have."""
    for finish in (settle_by_result, settle_by_exception):
        future = in_state(state)
        if state in STEPS["finish"]:
            finish(future)
            assert future.done()
        else:
            with pytest.raises(InvalidStateError, match=f"{state}: <Future at 0x"):
                finish(future)
            assert future._state == state
            assert future._exception is None


def test_repr_tells_the_state_and_looks_into_nothing() -> None:
    """FUT-16: repr names the state and the type of the outcome, whatever that is."""
    assert [repr(in_state(s)).split("state=")[1] for s in STATES] == [
        "pending>",
        "running>",
        "cancelled>",
        "cancelled>",
        "finished returned str>",
    ]

    class Hostile(Exception):  # noqa: N818 - it is not raised
        def __bool__(self) -> bool:
            raise AssertionError("asked")

    future: Future[None] = Future()
    future.set_exception(Hostile())
    assert "finished raised Hostile" in repr(future)


@pytest.mark.parametrize("rounds", [200])
def test_cancel_against_begin(rounds: int) -> None:
    """FUT-14: of a concurrent cancel and begin exactly one wins."""
    barrier = threading.Barrier(2)
    futures: list[Future[None]] = [Future() for _ in range(rounds)]
    cancelled: list[bool] = []

    def cancel() -> None:
        for future in futures:
            barrier.wait()
            cancelled.append(future.cancel())

    thread = threading.Thread(target=cancel)
    thread.start()
    begun = []
    for future in futures:
        barrier.wait()
        begun.append(future.set_running_or_notify_cancel())
    thread.join()
    assert all(one != other for one, other in zip(cancelled, begun, strict=True))


def test_outcomes_can_be_read_again() -> None:
    """RES-01, RES-02, RES-03, RES-10: the very object that was set comes back, every time."""
    value, error = object(), ValueError("no")
    returned: Future[object] = Future()
    returned.set_result(value)
    raised: Future[object] = Future()
    raised.set_exception(error)
    for _ in range(2):
        assert returned.result() is value
        assert returned.exception() is None
        assert raised.exception() is error
        with pytest.raises(ValueError, match="no") as caught:
            raised.result()
        assert caught.value is error


def test_reading_a_cancelled_future_raises() -> None:
    """RES-04: both readers raise CancelledError, also one that was waiting already."""
    future: Future[None] = Future()
    caught: list[type[BaseException]] = []
    waiting = threading.Event()

    class Watched(threading.Thread):
        def run(self) -> None:
            with future._condition:
                waiting.set()  # The canceller needs the lock, which only waiting gives up.
                try:
                    future.result()
                except CancelledError as error:
                    caught.append(type(error))

    thread = Watched()
    thread.start()
    waiting.wait()
    future.cancel()
    thread.join()
    assert caught == [CancelledError]
    with pytest.raises(CancelledError):
        future.exception()


@pytest.mark.parametrize("timeout", [0, -1, 0.001])
def test_a_read_that_times_out_leaves_the_future_alone(timeout: float) -> None:
    """RES-05, RES-07, RES-08: TimeoutError is the builtin one, and the outcome can still be read later."""
    future: Future[int] = Future()
    with pytest.raises(TimeoutError):
        future.result(timeout)
    with pytest.raises(TimeoutError):
        future.exception(timeout)
    future.set_result(1)
    assert future.result(timeout) == 1


def test_endless_timeouts_are_timeouts() -> None:
    """RES-07: infinity is a timeout like any other."""
    future: Future[int] = Future()
    timer = threading.Thread(target=future.set_result, args=(1,))
    with future._condition:
        timer.start()
        assert future.result(float("inf")) == 1
    timer.join()


def test_a_falsy_exception_is_an_exception() -> None:
    """RES-11: an exception that is false is raised and returned all the same."""
    future: Future[None] = Future()
    future.set_exception(FalsyError())
    with pytest.raises(FalsyError):
        future.result()
    assert isinstance(future.exception(), FalsyError)


def test_all_waiting_threads_see_the_outcome() -> None:
    """RES-09: any number of threads may wait; all wake up with the same outcome."""
    future: Future[object] = Future()
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(future.result())) for _ in range(5)]
    for thread in threads:
        thread.start()
    value = object()
    future.set_result(value)
    for thread in threads:
        thread.join()
    assert seen == [value] * 5


def test_no_cycle_is_left_by_reading_an_exception() -> None:
    """GC-04: future, exception and traceback are freed without the help of the garbage collector."""
    gc.disable()
    try:
        future: Future[None] = Future()
        future.set_exception(ValueError("no"))
        with pytest.raises(ValueError, match="no"):
            future.result()
        trace = weakref.ref(future)
        del future
        assert trace() is None
    finally:
        gc.enable()


SETTLERS = [settle_by_cancelling, settle_by_result, settle_by_exception]


def _recorder(calls: list[tuple[int, Future[Any], bool]], number: int) -> Callable[[Future[Any]], None]:
    return lambda future: calls.append((number, future, future.done()))


def _appender(calls: list[int], number: int) -> Callable[[Future[Any]], None]:
    return lambda _: calls.append(number)


@pytest.mark.parametrize("settle", SETTLERS)
def test_callbacks_are_called_once_in_order(settle: Callable[[Future[Any]], None]) -> None:
    """CB-01, CB-02, CB-03, CB-07: each once, in order, with the future, which is done by then."""
    future: Future[Any] = Future()
    calls: list[tuple[int, Future[Any], bool]] = []
    for number in range(3):
        future.add_done_callback(_recorder(calls, number))
    settle(future)
    assert calls == [(0, future, True), (1, future, True), (2, future, True)]
    future.cancel()
    assert len(calls) == 3


@pytest.mark.parametrize("settle", SETTLERS)
def test_a_late_callback_is_called_at_once(settle: Callable[[Future[Any]], None]) -> None:
    """CB-04: on a future that is done it is called before adding returns, in this thread."""
    future: Future[Any] = Future()
    settle(future)
    threads: list[threading.Thread] = []
    future.add_done_callback(lambda _: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()]


def test_a_callback_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """CB-05: an exception in a callback is logged, before and after; the others are called."""
    future: Future[int] = Future()
    called: list[int] = []
    future.add_done_callback(lambda _: 1 // 0)
    future.add_done_callback(lambda _: called.append(1))
    with caplog.at_level(logging.ERROR, "concurrent.futures"):
        future.set_result(1)
        future.add_done_callback(lambda _: 1 // 0)
    assert called == [1]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError] * 2


def test_ctrl_c_in_a_callback_reaches_the_client() -> None:
    """CB-11: what is no Exception goes on to the client's thread, after the other callbacks."""
    future: Future[int] = Future()
    called: list[int] = []

    def interrupt(_: Future[int]) -> None:
        raise KeyboardInterrupt

    future.add_done_callback(interrupt)
    future.add_done_callback(lambda _: called.append(1))
    with pytest.raises(KeyboardInterrupt):
        future.cancel()
    assert called == [1]
    assert future.cancelled()


def test_callbacks_may_use_their_future() -> None:
    """CB-08, FUT-18: a callback may call every method of its future, and add another callback."""
    future: Future[int] = Future()
    seen: list[object] = []

    def use(f: Future[int]) -> None:
        f.add_done_callback(lambda g: seen.append(g.result(0)))
        seen.extend([f.cancel(), f.exception(0), f.running(), repr(f).endswith("int>")])

    future.add_done_callback(use)
    future.set_result(1)
    assert seen == [1, False, None, False, True]


def test_callbacks_are_called_without_a_lock() -> None:
    """FUT-18: while a callback stalls, other threads may use the future."""
    future: Future[int] = Future()
    stalled, go_on = threading.Event(), threading.Event()

    def stall(_: Future[int]) -> None:
        stalled.set()
        go_on.wait()

    future.add_done_callback(stall)
    thread = threading.Thread(target=future.set_result, args=(1,))
    thread.start()
    stalled.wait()
    assert future.result() == 1
    assert not future.cancel()
    go_on.set()
    thread.join()


def test_callbacks_are_neither_lost_nor_doubled_in_a_race() -> None:
    """CB-09: callbacks added while the future finishes are each called once."""
    for _ in range(50):
        future: Future[int] = Future()
        calls: list[int] = []
        barrier = threading.Barrier(2)

        def add(
            future: Future[int] = future, calls: list[int] = calls, barrier: threading.Barrier = barrier
        ) -> None:
            barrier.wait()
            for number in range(20):
                future.add_done_callback(_appender(calls, number))

        thread = threading.Thread(target=add)
        thread.start()
        barrier.wait()
        future.set_result(1)
        thread.join()
        assert sorted(calls) == list(range(20))
