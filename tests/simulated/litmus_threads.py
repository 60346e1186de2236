"""Litmus programs of threads: locks, conditions, events, semaphores, barriers, queues, threads that end."""

from __future__ import annotations

import sys
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from tests.simulated.litmus import SECOND, SOON, STUCK, Catalogue, Modules, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

CATALOGUE: Final = Catalogue()
litmus = CATALOGUE.litmus

_HANDS_OVER: Final = sys.version_info >= (3, 13)
_FORGOTTEN: Final = set() if _HANDS_OVER else {STUCK}
"""If the timeout of a `SimpleQueue.get` is over when it finds the item gone, it has none (before 3.13)."""

_EITHER: Final = ((True, False), (False, True))
_ANY_TWO: Final = tuple(product((False, True), repeat=2))


# Locks.


def _taken(lock: Any, **how: Any) -> bool:  # noqa: ANN401 - a lock or a semaphore
    """Whether it could be taken; let go of at once."""
    got: bool = lock.acquire(**how)
    if got:
        lock.release()
    return got


@litmus({1, 2})
def an_update_without_a_lock_is_lost(m: Modules) -> Scenario:
    """Two threads read, then write."""
    cell = [0]

    def add() -> None:
        seen = cell[0]
        m.step()
        cell[0] = seen + 1

    return Scenario((add, add), lambda _: cell[0])


@litmus({2})
def an_update_with_a_lock_is_not_lost(m: Modules) -> Scenario:
    """The same, each with the lock."""
    cell, lock = [0], m.threading.Lock()

    def add() -> None:
        with lock:
            seen = cell[0]
            m.step()
            cell[0] = seen + 1

    return Scenario((add, add), lambda _: cell[0])


@litmus({"aab", "aba", "baa"})
def whoever_releases_may_be_back_first(m: Modules) -> Scenario:
    """A lock is taken twice by one and once by the other: a release is no hand-over."""
    lock, order = m.threading.Lock(), list[str]()

    def take(name: str) -> None:
        with lock:
            order.append(name)

    def twice() -> None:
        take("a")
        take("a")

    return Scenario((twice, lambda: take("b")), lambda _: "".join(order))


@litmus({"abc", "acb"}, preemptions=1)
def waiters_get_the_lock_in_any_order(m: Modules) -> Scenario:
    """One has the lock from the beginning."""
    lock, order = m.threading.Lock(), list[str]()
    lock.acquire()

    def release() -> None:
        order.append("a")
        lock.release()

    def take(name: str) -> None:
        with lock:
            order.append(name)

    return Scenario((release, lambda: take("b"), lambda: take("c")), lambda _: "".join(order))


@litmus({True, False})
def a_try_shows_that_a_lock_is_held(m: Modules) -> Scenario:
    """Nothing happens while it is held, and still it is seen."""
    lock = m.threading.Lock()

    def hold() -> None:
        with lock:
            pass

    return Scenario((hold, lambda: _taken(lock, blocking=False)), lambda said: said[1])


@litmus({True, False})
def locked_shows_that_a_lock_is_held(m: Modules) -> Scenario:
    """The same, by asking."""
    lock = m.threading.Lock()

    def hold() -> None:
        with lock:
            pass

    return Scenario((hold, lock.locked), lambda said: said[1])


@litmus({True, False}, ticks=1)
def waiting_for_a_lock_may_take_too_long(m: Modules) -> Scenario:
    """The holder does nothing, but may be slow."""
    lock = m.threading.Lock()

    def hold() -> None:
        with lock:
            pass

    return Scenario((hold, lambda: _taken(lock, timeout=SOON)), lambda said: said[1])


@litmus({True})
def a_lock_that_is_let_go_is_found_in_time(m: Modules) -> Scenario:
    """Without the clock's doing a timeout does not run out."""
    lock = m.threading.Lock()

    def hold() -> None:
        with lock:
            m.step()

    return Scenario((hold, lambda: _taken(lock, timeout=60 * SECOND)), lambda said: said[1])


@litmus(_ANY_TWO)
def tries_in_opposite_order_fail_or_not(m: Modules) -> Scenario:
    """Each takes one lock and tries the other."""
    one, two = m.threading.Lock(), m.threading.Lock()

    def take(first: Any, second: Any) -> bool:  # noqa: ANN401 - a lock
        with first:
            return _taken(second, blocking=False)

    return Scenario((lambda: take(one, two), lambda: take(two, one)))


@litmus({"done", STUCK})
def locks_in_opposite_order_get_stuck_or_not(m: Modules) -> Scenario:
    """The same, waiting."""
    one, two = m.threading.Lock(), m.threading.Lock()

    def take(first: Any, second: Any) -> None:  # noqa: ANN401 - a lock
        with first, second:
            pass

    return Scenario((lambda: take(one, two), lambda: take(two, one)), lambda _: "done")


@litmus({"ba"})
def anybody_may_release_a_lock(m: Modules) -> Scenario:
    """A lock as a signal."""
    lock, order = m.threading.Lock(), list[str]()
    lock.acquire()

    def wait() -> None:
        lock.acquire()
        order.append("a")

    def signal() -> None:
        order.append("b")
        lock.release()

    return Scenario((wait, signal), lambda _: "".join(order))


@litmus({(None, "RuntimeError"), ("RuntimeError", None)})
def a_lock_is_released_once(m: Modules) -> Scenario:
    """It is taken before, and two release it."""
    lock = m.threading.Lock()
    lock.acquire()
    return Scenario((lock.release, lock.release))


@litmus({True, False})
def a_try_shows_that_a_reentrant_lock_is_held(m: Modules) -> Scenario:
    """Held twice by the other."""
    lock = m.threading.RLock()

    def hold() -> None:
        with lock, lock:
            pass

    return Scenario((hold, lambda: _taken(lock, blocking=False)), lambda said: said[1])


@litmus({"RuntimeError"})
def a_reentrant_lock_is_released_by_its_owner_only(m: Modules) -> Scenario:
    """Whether it is held or not."""
    lock = m.threading.RLock()

    def hold() -> None:
        with lock:
            m.step()

    return Scenario((hold, lock.release), lambda said: said[1])


# Conditions.


@litmus({"done"})
def a_condition_may_be_entered_twice(m: Modules) -> Scenario:
    """Its lock is reentrant: two that nest it do not get stuck."""
    condition = m.threading.Condition()

    def nest() -> None:
        with condition, condition:
            condition.notify()

    return Scenario((nest, nest), lambda _: "done")


@litmus({"done", STUCK})
def a_condition_on_a_plain_lock_may_not(m: Modules) -> Scenario:
    """The same on a `Lock` always gets stuck, if the first is not alone in entering."""
    condition = m.threading.Condition(m.threading.Lock())

    def nest() -> None:
        with condition:
            if not condition.acquire(timeout=SOON):
                return
            condition.release()

    def nest_for_good() -> None:
        if condition.acquire(blocking=False):
            condition.release()
        else:
            condition.wait_for(lambda: False)

    return Scenario((nest, nest_for_good), lambda said: "done" if said[1] is None else STUCK)


@litmus({True, False}, ticks=1)
def a_notification_before_the_wait_is_lost(m: Modules) -> Scenario:
    """The other may come first."""
    condition = m.threading.Condition()

    def wait() -> bool:
        with condition:
            heard: bool = condition.wait(SOON)
            return heard

    def notify() -> None:
        with condition:
            condition.notify()

    return Scenario((wait, notify), lambda said: said[0])


@litmus({"done"})
def a_condition_that_is_looked_at_loses_nothing(m: Modules) -> Scenario:
    """The flag is looked at under the lock."""
    condition, flag = m.threading.Condition(), list[bool]()

    def wait() -> None:
        with condition:
            condition.wait_for(lambda: flag)

    def notify() -> None:
        with condition:
            flag.append(True)
            condition.notify()

    return Scenario((wait, notify), lambda _: "done")


@litmus({"done", STUCK})
def a_wake_up_is_lost_if_the_flag_is_looked_at_too_early(m: Modules) -> Scenario:
    """The flag is looked at before the lock is taken."""
    condition, flag = m.threading.Condition(), list[bool]()

    def wait() -> None:
        m.step()
        if not flag:
            with condition:
                condition.wait()

    def notify() -> None:
        flag.append(True)
        with condition:
            condition.notify()

    return Scenario((wait, notify), lambda _: "done")


def _waiting_twice(m: Modules, number: int) -> Scenario:
    condition = m.threading.Condition()

    def wait() -> bool:
        with condition:
            heard: bool = condition.wait(SOON)
            return heard

    def notify() -> None:
        with condition:
            condition.notify(number)

    return Scenario((wait, wait, notify), lambda said: tuple(said[:2]))


@litmus({*_EITHER, (False, False)}, preemptions=1, ticks=1)
def one_notification_wakes_one(m: Modules) -> Scenario:
    """Two wait."""
    return _waiting_twice(m, 1)


@litmus({*_EITHER, (False, False), (True, True)}, preemptions=1, ticks=1)
def two_notifications_wake_two(m: Modules) -> Scenario:
    """Two wait, if they come in time."""
    return _waiting_twice(m, 2)


# Events, semaphores, barriers.


@litmus({True})
def an_event_is_not_missed(m: Modules) -> Scenario:
    """Whether it is set before or after the wait begins."""
    event = m.threading.Event()
    return Scenario((event.wait, event.set), lambda said: said[0])


@litmus({True, False}, ticks=1)
def an_event_that_is_cleared_is_missed_or_not(m: Modules) -> Scenario:
    """Set and cleared, while another waits for a while."""
    event = m.threading.Event()

    def pulse() -> None:
        event.set()
        event.clear()

    return Scenario((lambda: event.wait(SOON), pulse), lambda said: said[0])


@litmus(_ANY_TWO)
def an_event_shows_between_set_and_clear(m: Modules) -> Scenario:
    """Looked at twice."""
    event = m.threading.Event()

    def pulse() -> None:
        event.set()
        event.clear()

    def look() -> tuple[bool, bool]:
        first = event.is_set()
        m.step()
        return first, event.is_set()

    return Scenario((pulse, look), lambda said: said[1])


@litmus({True, False})
def a_semaphore_can_be_used_up(m: Modules) -> Scenario:
    """One has it for a while, another tries."""
    semaphore = m.threading.Semaphore(1)

    def hold() -> None:
        with semaphore:
            m.step()

    return Scenario((hold, lambda: _taken(semaphore, blocking=False)), lambda said: said[1])


@litmus({"done"}, preemptions=1)
def two_that_wait_for_a_semaphore_are_both_woken(m: Modules) -> Scenario:
    """One release of two."""
    semaphore = m.threading.Semaphore(0)
    return Scenario((semaphore.acquire, semaphore.acquire, lambda: semaphore.release(2)), lambda _: "done")


@litmus({(None, "ValueError"), ("ValueError", None)})
def a_bounded_semaphore_is_released_too_often(m: Modules) -> Scenario:
    """One takes and releases it, the other only releases it: whoever is last is told."""
    semaphore = m.threading.BoundedSemaphore(1)

    def use() -> None:
        semaphore.acquire()
        m.step()
        semaphore.release()

    return Scenario((use, semaphore.release))


@litmus({(0, 1), (1, 0)})
def a_barrier_numbers_those_who_come(m: Modules) -> Scenario:
    """Two come."""
    barrier = m.threading.Barrier(2)
    return Scenario((barrier.wait, barrier.wait))


@litmus({(0, 1), (1, 0), ("BrokenBarrierError", "BrokenBarrierError")}, ticks=1)
def a_barrier_breaks_for_all(m: Modules) -> Scenario:
    """One has little patience."""
    barrier = m.threading.Barrier(2)
    return Scenario((lambda: barrier.wait(SOON), barrier.wait))


# Queues.


@litmus({(1, 2)})
def a_simple_queue_is_first_in_first_out(m: Modules) -> Scenario:
    """One puts, one gets."""
    queue = m.queue.SimpleQueue()

    def put() -> None:
        queue.put(1)
        queue.put(2)

    return Scenario((put, lambda: (queue.get(), queue.get())), lambda said: said[1])


@litmus({(1, 2), (2, 1)})
def two_share_a_simple_queue(m: Modules) -> Scenario:
    """Two get an item each."""
    queue = m.queue.SimpleQueue()

    def put() -> None:
        queue.put(1)
        queue.put(2)

    return Scenario((queue.get, queue.get, put), lambda said: tuple(said[:2]))


@litmus({("Empty", 1), (1, "Empty")} | _FORGOTTEN, ticks=1)
def an_item_comes_back_or_goes_over(m: Modules) -> Scenario:
    """Whoever puts an item tries to get it back, while another waits for one."""
    queue = m.queue.SimpleQueue()

    def put_and_get() -> int:
        queue.put(1)
        got: int = queue.get_nowait()
        return got

    return Scenario((put_and_get, lambda: queue.get(timeout=SOON)))


@litmus({(1, True), ("Empty", False)}, ticks=1)
def an_item_is_taken_or_left(m: Modules) -> Scenario:
    """A get runs out of time, or gets the item: never neither, never both."""
    queue = m.queue.SimpleQueue()
    return Scenario(
        (lambda: queue.get(timeout=SOON), lambda: queue.put(1)), lambda said: (said[0], queue.empty())
    )


@litmus(
    {(1, "Empty", True), ("Empty", 1, True), ("Empty", "Empty", False)} | _FORGOTTEN, preemptions=2, ticks=1
)
def a_hurried_and_a_waiting_getter(m: Modules) -> Scenario:
    """One waits for a while, one only tries; there is one item, and it is not lost."""
    queue = m.queue.SimpleQueue()

    def put() -> None:
        queue.put(1)

    return Scenario(
        (lambda: queue.get(timeout=SOON), queue.get_nowait, put), lambda said: (*said[:2], queue.empty())
    )


@litmus({0, 1})
def the_size_of_a_simple_queue_is_a_moment(m: Modules) -> Scenario:
    """Asked while an item comes and goes."""
    queue = m.queue.SimpleQueue()

    def pass_through() -> None:
        queue.put(1)
        queue.get()

    return Scenario((pass_through, queue.qsize), lambda said: said[1])


@litmus({(None, "Full"), ("Full", None), (None, None)}, preemptions=1)
def a_queue_is_full_or_not(m: Modules) -> Scenario:
    """Room for one: two put without waiting, one gets."""
    queue = m.queue.Queue(1)
    return Scenario(
        (lambda: queue.put_nowait(1), lambda: queue.put_nowait(2), queue.get), lambda said: tuple(said[:2])
    )


@litmus({"done"})
def a_queue_is_joined_when_all_is_done(m: Modules) -> Scenario:
    """One item is put before; another gets it and says so."""
    queue = m.queue.Queue()
    queue.put(1)

    def work() -> None:
        queue.get()
        queue.task_done()

    return Scenario((queue.join, work), lambda _: "done")


if sys.version_info >= (3, 13):

    @litmus({1, "ShutDown"})
    def a_queue_that_is_shut_down_at_once_drops_its_items(m: Modules) -> Scenario:
        """One gets, one shuts down."""
        queue = m.queue.Queue()
        queue.put(1)
        return Scenario((queue.get, lambda: queue.shutdown(immediate=True)), lambda said: said[0])

    @litmus({None, "ShutDown"})
    def a_queue_that_is_shut_down_takes_nothing(m: Modules) -> Scenario:
        """One puts, one shuts down."""
        queue = m.queue.Queue()
        return Scenario((lambda: queue.put(1), queue.shutdown), lambda said: said[0])


# The ends of threads.


def _with_thread(
    m: Modules, body: Callable[[], object], watch: Callable[[Any], object]
) -> Callable[[], object]:
    def run() -> object:
        thread = m.threading.Thread(target=body, daemon=True)
        thread.start()
        seen = watch(thread)
        thread.join()
        return seen, thread.is_alive()

    return run


@litmus({(True, False), (False, False)}, ticks=1)
def a_join_may_give_up(m: Modules) -> Scenario:
    """A thread that does nothing may be alive after a while; after it was joined, never."""

    def watch(thread: Any) -> bool:  # noqa: ANN401 - a thread, real or of the world
        thread.join(SOON)
        alive: bool = thread.is_alive()
        return alive

    return Scenario((_with_thread(m, lambda: None, watch),), lambda said: said[0])


@litmus({(True, False), (False, False)})
def a_thread_outlives_its_last_deed(m: Modules) -> Scenario:
    """It may be alive when what it did last has been seen."""
    queue = m.queue.SimpleQueue()

    def watch(thread: Any) -> bool:  # noqa: ANN401 - a thread, real or of the world
        queue.get()
        alive: bool = thread.is_alive()
        return alive

    return Scenario((_with_thread(m, lambda: queue.put(1), watch),), lambda said: said[0])


_JOINED: Final = (False, False)
_CLASH: Final = set() if _HANDS_OVER else {(_JOINED, "AssertionError"), ("AssertionError", _JOINED)}


@litmus({(_JOINED, _JOINED)} | _CLASH, preemptions=2)
def two_join_the_same_thread(m: Modules) -> Scenario:
    """Both come back; up to 3.12 one may find the other at the lock that stands for the thread's state."""
    thread = m.threading.Thread(target=m.step, daemon=True)
    thread.start()

    def join() -> tuple[bool, bool]:
        thread.join()
        return thread.is_alive(), thread.is_alive()

    return Scenario((join, join))


@litmus({("ab", "b")})
def thread_local_data_are_each_thread_s_own(m: Modules) -> Scenario:
    """What one sets the other does not see."""
    local = m.threading.local()

    def put(*names: str) -> str:
        for name in names:
            m.step()
            setattr(local, name, name)
        return "".join(sorted(vars(local)))

    return Scenario((lambda: put("a", "b"), lambda: put("b")))
