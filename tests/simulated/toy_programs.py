"""Programs for the toy kernel: some right, some with a race planted at a known depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulated.toy_kernel import Body, Cell, Program

if TYPE_CHECKING:
    from collections.abc import Callable


def steps(number: int, op: str = "step") -> Body:
    """A thread that touches nothing."""
    for _ in range(number):
        yield op, None


def independent(*lengths: int) -> Callable[[], Program]:
    """Threads that have nothing to do with each other, of so many steps each."""
    return lambda: Program({f"lane{n}": steps(length) for n, length in enumerate(lengths)})


def killable(*lengths: int) -> Callable[[], Program]:
    """The same, and a kill waits for the first of them."""
    return lambda: Program({f"P{n}": steps(length) for n, length in enumerate(lengths)}, victims=("P0",))


def lost_update() -> Program:
    """Two threads increment a counter without a lock: depth 2."""
    counter = Cell(1)

    def increment() -> Body:
        yield "read", counter
        value = counter.value
        yield "write", counter
        counter.value = value + 1

    threads = {"main": increment(), "main/T1": increment()}
    return Program(threads, failed=lambda: counter.value != len(threads))


def locked_update() -> Program:
    """The same with a lock: right."""
    counter, lock = Cell(1), Cell(2)

    def increment() -> Body:
        yield "acquire", lock
        yield "read", counter
        value = counter.value
        yield "write", counter
        counter.value = value + 1
        yield "release", lock

    threads = {f"lane{n}": increment() for n in range(3)}
    return Program(threads, failed=lambda: counter.value != len(threads))


def lock_order() -> Program:
    """Two locks taken in two orders: a deadlock of depth 2."""
    one, other = Cell(1), Cell(2)

    def both(first: Cell, second: Cell) -> Body:
        yield from steps(3)
        yield "acquire", first
        yield "acquire", second
        yield "release", second
        yield "release", first

    return Program({"main": both(one, other), "main/T1": both(other, one)})


def polling() -> Program:
    """Two threads poll for a lock that a third holds for a while: right, and unfair schedules never end."""
    lock = Cell(1)

    def poll() -> Body:
        while not (yield "try", lock):
            pass
        yield "release", lock

    def hold() -> Body:
        yield "acquire", lock
        yield from steps(5)
        yield "release", lock

    return Program({"main": poll(), "lane1": poll(), "lane2": hold()})


def polling_for_time() -> Program:
    """A thread polls for a lock whose holder sleeps: it is free only after the clock went."""
    lock = Cell(1)

    def hold() -> Body:
        yield "acquire", lock
        yield "sleep", None
        yield "release", lock

    def poll() -> Body:
        while not (yield "try", lock):
            pass
        yield "release", lock

    return Program({"main": hold(), "lane1": poll(), "lane2": poll()})


def timeout() -> Program:
    """Wrong only if the sleeper wakes up while the other still works: an early timer."""
    busy = Cell(1, value=False)
    seen = Cell(2)

    def work() -> Body:
        yield from steps(4)
        yield "write", busy
        busy.value = True
        yield from steps(4)
        yield "write", busy
        busy.value = False

    def wake_up() -> Body:
        yield "sleep", None
        yield "read", busy
        seen.value = busy.value

    return Program({"main": wake_up(), "lane1": work()}, failed=lambda: bool(seen.value))


def ladder(depth: int, *, filler: int = 1, bystanders: int = 0) -> Callable[[], Program]:
    """A race of the given depth: two threads have to climb a ladder of `depth` + 1 rungs by turns.

    Each of the `depth` orderings (rung before next rung) is between threads. A rung that is tried too early
    is not tried again.
    """

    def make() -> Program:
        rung = Cell(1)

        def climb(parity: int) -> Body:
            for number in range(parity, depth + 1, 2):
                yield from steps(filler)
                yield "climb", rung
                if rung.value == number:
                    rung.value = number + 1

        threads = {"main": climb(1), "main/T1": climb(0)}
        threads |= {f"lane{n}": steps(2) for n in range(bystanders)}
        return Program(threads, failed=lambda: rung.value == depth + 1)

    return make


def late_death() -> Program:
    """Wrong only if a worker is killed in the short stretch in which it holds the lock, near its end."""
    lock, done = Cell(1), Cell(2, value=False)

    def worker() -> Body:
        yield from steps(30)
        yield "acquire", lock
        yield "release", lock

    def main() -> Body:
        yield from steps(40)
        yield "acquire", lock
        done.value = True
        yield "release", lock

    return Program({"main": main(), "P1": worker()}, victims=("P1",))
