# ruff: noqa: SLF001 - the numbers of a test speak for themselves; it may look inside
"""Waiting for several futures: `wait` (WAIT) and `as_completed` (ASC)."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from reference_executor import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Future, as_completed, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    AnyFuture = concurrent.futures.Future[Any]

#: Ours and the standard library's: both must be waited for alike.
KINDS = pytest.mark.parametrize("kind", [Future, concurrent.futures.Future])


def returned(kind: type[AnyFuture], value: object = None) -> AnyFuture:
    """Return a future with a result."""
    future = kind()
    future.set_result(value)
    return future


def raised(kind: type[AnyFuture]) -> AnyFuture:
    """Return a future with an exception."""
    future = kind()
    future.set_exception(ValueError())
    return future


def cancelled(kind: type[AnyFuture]) -> AnyFuture:
    """Return a cancelled future."""
    future = kind()
    future.cancel()
    return future


DONE = pytest.mark.parametrize("make_done", [returned, raised, cancelled])


def while_waiting(act: Callable[[], object], futures: list[AnyFuture]) -> threading.Thread:
    """Call something in another thread once somebody waits for each of the futures."""

    def run() -> None:
        while not all(future._waiters for future in futures):
            time.sleep(
                0
            )  # Give way: there is no event for "is waiting" that would not change what is tested.
        act()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@KINDS
@DONE
@pytest.mark.parametrize("return_when", [ALL_COMPLETED, FIRST_COMPLETED])
def test_wait_sees_what_is_done(
    kind: type[AnyFuture], make_done: Callable[[type[AnyFuture]], AnyFuture], return_when: str
) -> None:
    """WAIT-01, WAIT-06: what was done before the call, cancelled included, is in `done`."""
    done, pending = make_done(kind), kind()
    result = wait([done, pending], timeout=0, return_when=return_when)
    assert result == ({done}, {pending})
    assert result.done == {done}
    assert result.not_done == {pending}


@KINDS
@pytest.mark.parametrize("settle", ["cancel", "set_result", "set_exception"])
def test_wait_wakes_up(kind: type[AnyFuture], settle: str) -> None:
    """WAIT-02, WAIT-03, WAIT-11: whatever ends a future ends the wait for it."""
    for return_when in (ALL_COMPLETED, FIRST_COMPLETED):
        future = kind()
        argument = {"cancel": (), "set_result": (1,), "set_exception": (ValueError(),)}[settle]
        thread = while_waiting(lambda f=future, a=argument: getattr(f, settle)(*a), [future])  # type: ignore[misc]
        assert wait([future], timeout=30, return_when=return_when).done == {future}
        thread.join()


@KINDS
def test_wait_for_the_first_exception(kind: type[AnyFuture]) -> None:
    """WAIT-04: it returns once one raised; cancelled ones do not count; without one it waits for all."""
    pending = kind()
    assert wait([cancelled(kind), returned(kind), pending], 0, FIRST_EXCEPTION).not_done == {pending}
    assert wait([raised(kind), pending], None, FIRST_EXCEPTION).not_done == {pending}
    later, other = kind(), kind()
    thread = while_waiting(lambda: later.set_exception(ValueError()), [later, other])
    assert wait([later, other], 30, FIRST_EXCEPTION) == ({later}, {other})
    thread.join()
    assert wait([cancelled(kind), returned(kind)], None, FIRST_EXCEPTION).not_done == set()


def test_wait_takes_any_iterable() -> None:
    """WAIT-05, WAIT-09: generators, duplicates and nothing at all."""
    future = returned(Future)
    assert wait(f for f in [future, future]) == ({future}, set())
    assert wait([]) == (set(), set())
    assert wait([], return_when=FIRST_COMPLETED) == (set(), set())


def test_wait_mixes_kinds() -> None:
    """WAIT-08: futures of different libraries may be waited for together."""
    ours, theirs = Future[int](), concurrent.futures.Future[int]()
    both: list[AnyFuture] = [ours, theirs]

    def settle() -> None:
        ours.set_result(1)
        theirs.cancel()

    thread = while_waiting(settle, both)
    assert wait(both, 30).done == set(both)
    thread.join()


def test_wait_refuses_an_unknown_condition() -> None:
    """WAIT-10: ValueError whatever the states, and nothing is left in the futures."""
    cases: list[list[AnyFuture]] = [[], [returned(Future)], [Future()]]
    for futures in cases:
        with pytest.raises(ValueError, match="Invalid return condition: 'SOON'"):
            wait(futures, return_when="SOON")
        assert not any(future._waiters for future in futures)


@pytest.mark.parametrize("timeout", [0, -1, 0.001])
def test_wait_ends_at_the_timeout(timeout: float) -> None:
    """WAIT-07: the timeout is no error."""
    pending: Future[None] = Future()
    assert wait([pending], timeout) == (set(), {pending})


@KINDS
def test_waiting_leaves_no_trace(kind: type[AnyFuture]) -> None:
    """WAIT-12: after wait and as_completed the futures hold nothing, whether they were done or not."""
    futures = [kind(), returned(kind), kind()]
    wait(futures, 0)
    iterator = as_completed(futures)
    assert next(iterator) is futures[1]
    iterator.close()  # type: ignore[attr-defined]
    with pytest.raises(TimeoutError):
        list(as_completed(futures, 0))
    for future in futures:
        assert future._waiters == []
        assert getattr(future, "_done_callbacks", []) == []


def test_a_callback_on_a_foreign_future_lets_go() -> None:
    """WAIT-12: what cannot be taken off a foreign future that is done holds nothing alive."""
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    thread = while_waiting(lambda: future.set_result(1), [future])
    iterator = as_completed([future])
    assert next(iterator) is future
    thread.join()
    whispers = future._done_callbacks  # type: ignore[attr-defined]
    del iterator
    gc.collect()
    assert all(whisper._waiter() is None for whisper in whispers)
    for whisper in whispers:
        whisper(future)


@KINDS
@DONE
def test_as_completed_yields_each_once(
    kind: type[AnyFuture], make_done: Callable[[type[AnyFuture]], AnyFuture]
) -> None:
    """ASC-01, ASC-02, ASC-05: done ones first, cancelled included; duplicates once; then as they come."""
    done, later = make_done(kind), kind()
    iterator = as_completed([later, done, done, later])
    assert next(iterator) is done
    later.cancel()
    assert list(iterator) == [later]


@KINDS
@pytest.mark.parametrize("settle", ["cancel", "set_result", "set_exception"])
def test_as_completed_wakes_up(kind: type[AnyFuture], settle: str) -> None:
    """ASC-05: whatever ends a future wakes the iteration."""
    future = kind()
    argument = {"cancel": (), "set_result": (1,), "set_exception": (ValueError(),)}[settle]
    thread = while_waiting(lambda: getattr(future, settle)(*argument), [future])
    assert list(as_completed([future], timeout=30)) == [future]
    thread.join()


def test_as_completed_keeps_the_order_of_completion() -> None:
    """ASC-03: what was done earlier comes earlier, also if all were done before the first `next`."""
    futures: list[Future[int]] = [Future() for _ in range(20)]
    iterator = as_completed(futures)
    for future in reversed(futures):
        future.set_result(1)
    assert list(iterator) == futures[::-1]
    assert list(as_completed(futures)) == futures[::-1]


def test_as_completed_times_from_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """ASC-04: the time runs from the call; what is done by then is yielded even after the deadline."""
    now = [100.0]
    monkeypatch.setattr("reference_executor._waiting.time.monotonic", lambda: now[0])
    done, pending = returned(Future), Future[None]()
    iterator = as_completed([done, pending], timeout=5)
    now[0] += 6
    assert next(iterator) is done
    with pytest.raises(TimeoutError, match=r"1 \(of 2\) futures unfinished"):
        next(iterator)


def test_as_completed_keeps_no_reference() -> None:
    """ASC-06: a future that was yielded can be freed while the iteration goes on."""
    iterator = as_completed([returned(Future), returned(Future), Future()])
    for _ in range(2):
        trace = weakref.ref(next(iterator))
        gc.collect()
        assert trace() is None


def test_waiting_bears_re_entry() -> None:
    """FUT-18: a finaliser that settles one future while another is being noted does not deadlock."""
    first, second = Future[int](), Future[int]()
    settled: list[int] = []

    class Note(set[Any]):
        def add(self, item: Any) -> None:  # noqa: ANN401 - of a set of anything
            if not settled:
                settled.append(1)
                second.set_result(2)  # As a finaliser would, in the middle of it.
            super().add(item)

    from reference_executor import _waiting  # noqa: PLC0415 - a look inside

    hall = _waiting._Hall(2, exception_is_enough=False)
    hall.done = Note()
    _waiting._hang_all(hall, [first, second])
    first.set_result(1)
    assert hall.wait(0) == {first, second}
