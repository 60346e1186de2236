"""The odd executors are correct: what the harness must not accuse does what it says."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import threading
from concurrent.futures import BrokenExecutor, CancelledError, Executor, as_completed, wait
from typing import TYPE_CHECKING, Any

import pytest

from tests.safe.executors import SAFE, Safe

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = [safe for safe in SAFE if "PlainSubclass" not in safe.target]
OWN_THREADS = [safe for safe in OWN if safe.kind == "thread"]
GATED = [safe for safe in OWN_THREADS if not safe.runs_inline]
OWN_PROCESSES = [safe for safe in OWN if safe.kind == "process"]

# Much longer than anything here takes: it only turns a hang into a failure.
LONG = 60


class FalsyError(Exception):
    """An exception that is false."""

    def __bool__(self) -> bool:
        """Answer False."""
        return False


class UnloadableError(Exception):
    """An exception that can be pickled, and not be unpickled."""

    def __init__(self, *, reason: str) -> None:
        """Keep a reason that pickling forgets."""
        super().__init__(reason)


def make(safe: Safe, workers: int = 2) -> Executor:
    """Make one of the executors."""
    module, _, name = safe.target.partition(":")
    maker: Callable[..., Executor] = getattr(importlib.import_module(module), name)
    return maker(max_workers=workers)


def raise_falsy() -> None:
    """Be a task that raises a falsy exception."""
    raise FalsyError


def raise_unloadable() -> None:
    """Be a task that raises what cannot be unpickled."""
    raise UnloadableError(reason="because")


def keywords(**kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever is handed over
    """Be a task that returns its keywords."""
    return kwargs


def die() -> None:
    """Be a task that ends its process."""
    os._exit(0)


def each(executors: list[Safe] | tuple[Safe, ...]) -> pytest.MarkDecorator:
    """Run a test with each of the executors."""
    return pytest.mark.parametrize("safe", executors, ids=lambda safe: safe.target.partition(":")[2])


@each(SAFE)
def test_runs_what_is_submitted(safe: Safe) -> None:
    """Every result belongs to its own call, and `wait`, `as_completed` and `map` see all of them."""
    with make(safe) as executor:
        futures = [executor.submit(pow, 2, power) for power in range(30)]
        assert [future.result(LONG) for future in futures] == [2**power for power in range(30)]
        assert wait(futures, LONG).not_done == set()
        assert set(as_completed(futures, LONG)) == set(futures)
        assert list(executor.map(pow, [2, 3, 4], [2, 2], timeout=LONG)) == [4, 9]


@each(SAFE)
def test_hands_keywords_over(safe: Safe) -> None:
    """Keywords named `fn` and `self` reach the task."""
    with make(safe) as executor:
        names = {"fn": 1, "self": 2, "future": 3, "work": 4, "wait": 5}
        assert executor.submit(keywords, **names).result(LONG) == names


@each(SAFE)
def test_delivers_the_exception(safe: Safe) -> None:
    """What a task raises is raised, `SystemExit` included, and the next task is served."""
    with make(safe) as executor:
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result(LONG)
        assert isinstance(executor.submit(exit, 3).exception(LONG), SystemExit)
        assert executor.submit(abs, -1).result(LONG) == 1


@each(OWN)
def test_delivers_a_falsy_exception(safe: Safe) -> None:
    """A falsy exception is raised like any other."""
    with make(safe) as executor:
        future = executor.submit(raise_falsy)
        with pytest.raises(FalsyError):
            future.result(LONG)
        assert isinstance(future.exception(), FalsyError)


@each(SAFE)
def test_accepts_nothing_after_shutdown(safe: Safe) -> None:
    """`submit` and `map` raise after `shutdown`, which can be called again."""
    executor = make(safe)
    executor.submit(abs, -1)
    executor.shutdown()
    executor.shutdown(wait=False, cancel_futures=True)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, -1)
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(executor.map(abs, [-1]))


@each(SAFE)
def test_refuses_to_have_no_workers(safe: Safe) -> None:
    """Fewer than one worker are refused; None is enough."""
    with pytest.raises(ValueError, match="max_workers"):
        make(safe, 0)
    with make(safe, None) as executor:  # type: ignore[arg-type] # documented, if not for every executor
        assert executor.submit(abs, -1).result(LONG) == 1


@each(SAFE)
def test_finishes_when_it_is_dropped(safe: Safe) -> None:
    """What was submitted to an executor that nobody keeps becomes done all the same."""
    executor = make(safe)
    futures = [executor.submit(pow, 2, power) for power in range(10)]
    del executor
    gc.collect()
    assert [future.result(LONG) for future in futures] == [2**power for power in range(10)]


@each(SAFE)
def test_leaves_nothing_behind(safe: Safe) -> None:
    """After `shutdown` no thread and no process is left that was not there before."""
    with make(safe) as executor:
        assert list(executor.map(abs, [-1, -2])) == [1, 2]
    # Of the dropped ones before, some may be on their way home still: only this one's are asked for.
    name = type(executor).__name__
    assert [thread for thread in threading.enumerate() if thread.name.startswith(name)] == []
    assert [child for child in multiprocessing.active_children() if safe.deaths == "heals"] == []


@each(GATED)
def test_cancels_what_is_queued(safe: Safe) -> None:
    """A cancelled future is seen at once, never executed, and calls back before `cancel` returns."""
    ran: list[int] = []
    called: list[object] = []
    gate = threading.Event()
    with make(safe, 1) as executor:
        held = executor.submit(gate.wait, LONG)
        queued = executor.submit(ran.append, 1)
        queued.add_done_callback(called.append)
        assert queued.cancel()
        assert queued.cancel()
        assert called == [queued]
        assert wait([queued], LONG).done == {queued}
        with pytest.raises(CancelledError):
            queued.result(LONG)
        gate.set()
        assert held.result(LONG)
    assert ran == []


@each(GATED)
def test_cancels_at_shutdown(safe: Safe) -> None:
    """`cancel_futures` cancels what is queued, tells those who wait, and leaves what is running."""
    started, gate = threading.Event(), threading.Event()

    def hold() -> bool:
        started.set()
        return gate.wait(LONG)

    executor = make(safe, 1)
    held = executor.submit(hold)
    assert started.wait(LONG)
    queued = [executor.submit(abs, -1) for _ in range(5)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert wait(queued, LONG).done == set(queued)
    assert all(future.cancelled() for future in queued)
    assert held.running()
    gate.set()
    executor.shutdown()
    assert held.result(0) is True


@each(GATED)
def test_calls_callbacks_once_and_in_order(safe: Safe) -> None:
    """Callbacks are called once, in order, when the future is done; one that raises stops nobody."""
    called: list[int] = []
    gate = threading.Event()
    with make(safe, 1) as executor:
        future = executor.submit(gate.wait, LONG)
        future.add_done_callback(lambda done: called.append(int(done.done())))
        future.add_done_callback(lambda _: divmod(1, 0))
        future.add_done_callback(lambda done: called.append(int(done.result(0)) + 1))
        future.add_done_callback(lambda _: executor.submit(called.append, 3))
        gate.set()
        assert future.result(LONG)
        future.add_done_callback(lambda _: called.append(4))
        assert 4 in called  # noqa: PLR2004 - at once: the future is done
        # The task that a callback submits comes before the shutdown only if the callback does.
        called_back = threading.Event()
        executor.submit(abs, -1).add_done_callback(lambda _: called_back.set())
        assert called_back.wait(LONG)
    assert [number for number in called if number != 4] == [1, 2, 3]  # noqa: PLR2004 - the late one


@each([safe for safe in GATED if safe.workers is None])
def test_uses_all_its_workers(safe: Safe) -> None:
    """As many tasks as there are workers can meet, also when a worker has been idle."""
    with make(safe, 3) as executor:
        assert executor.submit(abs, -1).result(LONG) == 1
        meeting = threading.Barrier(3)
        places = [executor.submit(meeting.wait, LONG) for _ in range(3)]
        assert sorted(place.result(LONG) for place in places) == [0, 1, 2]


def test_runs_inline_in_the_callers_thread() -> None:
    """`Inline` runs a task before `submit` returns, and what that task submits after it."""
    inline = next(safe for safe in SAFE if safe.runs_inline)
    order: list[str] = []
    with make(inline) as executor:

        def outer() -> int:
            executor.submit(order.append, "inner")
            order.append("outer")
            return threading.get_ident()

        assert executor.submit(outer).result(0) == threading.get_ident()
    assert order == ["outer", "inner"]


@each(OWN_PROCESSES)
def test_carries_what_can_be_carried(safe: Safe) -> None:
    """What cannot be pickled, either way, fails its own future, and the executor serves on."""
    with make(safe) as executor:
        assert executor.submit(lambda: 1).exception(LONG) is not None
        assert executor.submit(threading.Lock).exception(LONG) is not None
        assert executor.submit(raise_unloadable).exception(LONG) is not None
        assert len(executor.submit(bytes, 2**20).result(LONG)) == 2**20
        error = executor.submit(divmod, 1, 0).exception(LONG)
        assert error is not None
        assert "ZeroDivisionError" in str(error.__cause__)


@each([safe for safe in SAFE if safe.kind == "process"])
def test_tells_of_a_death(safe: Safe) -> None:
    """When a worker dies its task's future fails; a pool that breaks says so, one that heals goes on."""
    with make(safe, 1) as executor:
        before = executor.submit(abs, -1)
        assert before.result(LONG) == 1
        assert isinstance(executor.submit(die).exception(LONG), BrokenExecutor)
        assert before.result(0) == 1
        if safe.deaths == "heals":
            assert executor.submit(abs, -2).result(LONG) == 2  # noqa: PLR2004 - the absolute value
        else:
            with pytest.raises(BrokenExecutor):
                executor.submit(abs, -2)
