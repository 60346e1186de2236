"""Hooked primitives do what the real ones do; threads that nobody steers pass through; noise has a seed."""

from __future__ import annotations

import _thread
import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harness.arenas.steered import steering
from harness.arenas.steered.thread_layer import Lock, RLock, SimpleQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCKS: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
    (Lock, threading.Lock),
    (RLock, threading.RLock),
]
CALLS: list[tuple[Any, ...]] = [(), (False,), (True, 0.001), (False, 1), (True, -2), (True, 0)]


class Witness:
    """A driver that holds nobody, and writes down what is announced."""

    def __init__(self) -> None:
        """Nothing was announced yet."""
        self.heard: list[tuple[str, str]] = []

    def announce(self, rider: steering.Rider, op: str) -> bool:
        """Write it down; whoever is blocked is told to block for real."""
        self.heard.append((rider.role, op))
        return False

    def stand_back(self, rider: steering.Rider) -> None:
        """Nobody waits for it."""

    def leave(self, rider: steering.Rider) -> None:
        """Write it down."""
        self.heard.append((rider.role, "leave"))

    def aim(self, rider: steering.Rider, role: str, pid: int, number: int) -> bool:
        """Kills are not put off."""
        del rider, role, pid, number
        return False


@pytest.fixture
def witness() -> Iterator[Witness]:
    """A driver, and this thread as ``main``."""
    driver = Witness()
    steering.take_the_wheel(driver)
    steering.enter("main")
    yield driver
    steering.take_the_wheel(None)


def _outcome(act: Callable[[], object]) -> object:
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - which one is the question
        return type(error)


@pytest.mark.parametrize(("hooked", "real"), LOCKS)
@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("arguments", CALLS)
def test_a_hooked_lock_answers_as_the_real_one(
    witness: Witness,
    hooked: Callable[[], Any],
    real: Callable[[], Any],
    taken: bool,  # noqa: FBT001 - a parameter of the test
    arguments: tuple[Any, ...],
) -> None:
    """With all arguments, right and wrong; a lock that is not free is waited for where that ends."""
    if taken and hooked is Lock and not arguments:
        return  # would wait for ever, rightly
    answers = []
    for make in (hooked, real):
        lock = make()
        if taken:
            lock.acquire()
        answers.append((_outcome(lambda lock=lock: lock.acquire(*arguments)), _outcome(lock.release)))  # type: ignore[misc]  # mypy has no type for such a lambda
    assert answers[0] == answers[1]
    assert witness.heard[0] == ("main", "begin")


def test_a_condition_on_a_hooked_lock_gives_it_back_as_often_as_it_had_it(witness: Witness) -> None:
    """`wait` lets go of a lock that was taken twice, and takes it twice again."""
    condition = threading.Condition(RLock())  # type: ignore[arg-type]  # it has what a condition needs
    with condition, condition:
        assert not condition.wait(0.001)
        condition.release()
        assert not _outcome(condition.notify)
        condition.acquire()
    assert _outcome(condition.notify) is RuntimeError
    assert ("main", "released") in witness.heard


def test_a_hooked_queue_answers_as_the_real_one(witness: Witness) -> None:
    """First in, first out; what is empty says so, at once or in time."""
    hooked: Any = SimpleQueue()
    assert _outcome(hooked.get_nowait) is queue.Empty
    assert _outcome(lambda: hooked.get(timeout=0.001)) is queue.Empty
    assert _outcome(lambda: hooked.get(timeout=-1)) is ValueError
    hooked.put(1)
    hooked.put_nowait(2)
    assert (hooked.qsize(), hooked.empty()) == (2, False)
    assert [hooked.get(), hooked.get(timeout=1)] == [1, 2]
    heard = [op for _, op in witness.heard]
    assert heard == ["begin", "try", "get", "go on", "put", "put", "try", "try", "get", "get"]


def test_a_lock_that_its_maker_takes_at_once_has_no_point(witness: Witness) -> None:
    """Nobody else can know it; once its maker has gone on, somebody may."""
    lock = Lock()
    lock.acquire()
    lock.release()
    lock.acquire()
    assert [op for _, op in witness.heard] == ["begin", "released", "acquire"]


def test_threads_are_named_after_who_started_them(witness: Witness) -> None:
    """The first that main starts is its T1, and what that starts is named after it."""
    end = _thread.allocate_lock()
    end.acquire()

    def start_another() -> None:
        _thread.start_new_thread(steering.riding(end.release), ())

    _thread.start_new_thread(steering.riding(start_another), ())
    end.acquire()
    roles = ["main", "main/T1", "main/T1/T1"]
    assert [role for role, op in witness.heard if op == "begin"] == roles
    assert [role for role, op in witness.heard if op == "start"] == roles[:-1]


def test_who_is_not_steered_passes(witness: Witness) -> None:
    """A thread that entered nowhere announces nothing."""
    before = list(witness.heard)
    steering.leave()
    Lock().acquire()
    SimpleQueue().put(1)
    assert witness.heard == [*before, ("main", "leave")]


def test_noise_depends_on_its_seed_and_the_role_alone() -> None:
    """The same seed draws the same waits for a role, another seed others."""

    def waits(seed: int, role: str) -> list[float]:
        driver, rider = steering.Noisy(seed), steering.Rider(role)
        drawn = []
        for _ in range(50):
            driver.announce(rider, "acquire")
            assert rider.dice is not None
            drawn.append(rider.dice.random())
        return drawn

    assert waits(1, "main") == waits(1, "main")
    assert waits(1, "main") != waits(2, "main")
    assert waits(1, "main") != waits(1, "main/T1")
