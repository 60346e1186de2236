"""Mutants of the module functions: WAIT-01 to WAIT-10 in `wait`, ASC-01 to ASC-05 in `as_completed`.

Each is a namespace that holds a correct executor beside the two functions, one of which is broken.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Future
from typing import Any, Self, cast

from tests.mutants.base import (
    CONDITIONS,
    FINISHED,
    DoneAndNotDone,
    Ending,
    Enough,
    PlainFuture,
    PlainThreadPool,
    Watch,
    all_completed,
    completed,
    condition_of,
    deadline_in,
    first_completed,
    plain_as_completed,
    plain_wait,
    watch_until,
)
from tests.mutants.mutant import Mutant

Futures = Iterable[Future[Any]]


class TellingPool(PlainThreadPool):
    """A correct pool whose futures tell of their cancellation at once, unlike the standard ones."""

    future_class = PlainFuture


def wait_with(replaced: str, enough: Enough) -> Callable[..., DoneAndNotDone]:
    """Make a `wait` that has another condition for one `return_when`."""

    def wait(fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED) -> DoneAndNotDone:
        return watch_until(set(fs), timeout, enough if return_when == replaced else condition_of(return_when))

    return wait


def at_once(_endings: Sequence[Ending], _given: int) -> bool:
    """Wait for nothing."""
    return True


def first_exception_or_cancel(endings: Sequence[Ending], given: int) -> bool:
    """Take a cancelled future for one that raised."""
    return len(endings) == given or any(
        # Without the future's lock, as the watch's own is held.
        ending.raised or ending.future._state != FINISHED  # noqa: SLF001 - there is no other way without the lock
        for ending in endings
    )


def wait_plain_tuple(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> tuple[set[Future[Any]], set[Future[Any]]]:
    """Return a pair without names."""
    done, not_done = plain_wait(fs, timeout, return_when)
    return (done, not_done)


def wait_overlap(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Return all futures as not done, beside those that are."""
    done, not_done = plain_wait(fs, timeout, return_when)
    return DoneAndNotDone(done, not_done | done)


def wait_reading_twice(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Count the futures before looking at them."""
    return plain_wait(fs if any(True for _ in fs) else (), timeout, return_when)


def wait_without_duplicates(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Refuse a future that is given twice."""
    futures = list(fs)
    if len(set(futures)) < len(futures):
        raise ValueError("a future is given twice")
    return plain_wait(futures, timeout, return_when)


def wait_omitting_cancelled(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Wait for the cancelled futures too, but do not count them among those that are done."""
    done, not_done = plain_wait(fs, timeout, return_when)
    cancelled = {future for future in done if future.cancelled()}
    return DoneAndNotDone(done - cancelled, not_done | cancelled)


def wait_adding_running(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Count whatever is not pending among the futures that are done."""
    done, not_done = plain_wait(fs, timeout, return_when)
    running = {future for future in not_done if future.running()}
    return DoneAndNotDone(done | running, not_done - running)


def wait_raising(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Raise if the timeout has passed before the condition is met."""
    done, not_done = plain_wait(fs, timeout, return_when)
    endings = [Ending(future, not future.cancelled() and future.exception() is not None) for future in done]
    if not condition_of(return_when)(endings, len(done) + len(not_done)):
        raise TimeoutError
    return DoneAndNotDone(done, not_done)


def wait_impatiently(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Take every timeout for zero."""
    return plain_wait(fs, None if timeout is None else 0, return_when)


class OwnedFuture(PlainFuture):
    """A future that knows its executor."""

    owner: object = None


class OwningPool(PlainThreadPool):
    """A correct pool that puts its mark on its futures."""

    future_class = OwnedFuture

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on as they are
        """Make a mark that keeps nothing alive."""
        super().__init__(*args, **kwargs)
        self._mark = object()

    def _make_future(self) -> Future[Any]:
        """Put the mark on the future."""
        future = cast("OwnedFuture", super()._make_future())
        future.owner = self._mark
        return future


def wait_for_one_owner(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Refuse futures of more than one executor."""
    futures = set(fs)
    if len({getattr(future, "owner", None) for future in futures}) > 1:
        raise ValueError("the futures are not all of one executor")
    return plain_wait(futures, timeout, return_when)


def wait_refusing_none(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Refuse an empty input."""
    futures = set(fs)
    if not futures:
        raise ValueError("there is no future to wait for")
    return plain_wait(futures, timeout, return_when)


def wait_for_any_given(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Wait for at least one future, also if none is given."""
    condition = condition_of(return_when)
    return watch_until(set(fs), timeout, lambda endings, given: bool(endings) and condition(endings, given))


def wait_whenever(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Take an unknown condition for the usual one."""
    return plain_wait(fs, timeout, return_when if return_when in CONDITIONS else ALL_COMPLETED)


def wait_checking_late(
    fs: Futures, timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDone:
    """Look at the condition only if there is something to wait for."""
    futures = set(fs)
    done, not_done = plain_wait(futures, 0)
    return plain_wait(futures, timeout, return_when) if not_done else DoneAndNotDone(done, not_done)


def completed_with_duplicates(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Yield a future as often as it is given."""
    counts = Counter(fs)
    iterator = plain_as_completed(counts, timeout)
    return (future for future in iterator for _ in range(counts[future]))


class ShortWatch(Watch):
    """A watch that is given one future less than it is."""

    def __enter__(self) -> Self:
        """Begin, and forget one."""
        super().__enter__()
        self.given = max(self.given - 1, 0)
        return self


def completed_but_one(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Stop before the last future."""
    deadline = deadline_in(timeout)
    return completed(ShortWatch(fs), lambda: deadline)


class HeardFirstWatch(Watch):
    """A watch that gives away what it was told of before what it saw at the beginning."""

    def _next(self) -> int:
        """Skip the early ones while there is any other."""
        if len(self.endings) > self.early:
            return self.early
        self.early -= 1
        return 0


def completed_early_last(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Yield first what has become done since the call."""
    deadline = deadline_in(timeout)
    return completed(HeardFirstWatch(fs), lambda: deadline)


def completed_cancelled_last(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Yield what was cancelled before the call after all the others."""
    futures = set(fs)
    cancelled = {future for future in futures if future.cancelled()}
    return one_after_the_other(plain_as_completed(futures - cancelled, timeout), cancelled)


def one_after_the_other(*parts: Futures) -> Iterator[Future[Any]]:
    """Yield from the parts; unlike `itertools.chain` it can be closed."""
    for part in parts:
        yield from part


class LastHeardWatch(Watch):
    """A watch that gives away what it was told of last, after what it saw at the beginning."""

    def _next(self) -> int:
        """Take from the end."""
        if not self.early:
            return len(self.endings) - 1
        self.early -= 1
        return 0


def completed_backwards(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Yield the newest first."""
    deadline = deadline_in(timeout)
    return completed(LastHeardWatch(fs), lambda: deadline)


def completed_late_clock(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Start the clock when the iterator is first advanced."""
    started: list[float | None] = []

    def deadline() -> float | None:
        if not started:
            started.append(deadline_in(timeout))
        return started[0]

    return completed(Watch(fs), deadline)


def completed_new_clock(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Start the clock anew whenever the iterator is advanced."""
    return completed(Watch(fs), lambda: deadline_in(timeout))


def completed_or_not(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """End the iteration at the timeout."""
    return until_timeout(plain_as_completed(fs, timeout))


def until_timeout(iterator: Iterator[Future[Any]]) -> Iterator[Future[Any]]:
    """Yield from an iterator that may raise `TimeoutError`."""
    with contextlib.suppress(TimeoutError):
        yield from iterator


class DeafWatch(Watch):
    """A watch that does not hear a cancellation before something else is heard."""

    def __init__(self, futures: Futures) -> None:
        """Prepare, with nothing unheard."""
        super().__init__(futures)
        self._unheard: list[Ending] = []

    def hear(self, future: Future[Any], *, raised: bool) -> None:
        """Hear, and with that all that was not heard before."""
        with self._changed:
            super().hear(future, raised=raised)
            self.endings += self._unheard
            self._unheard = []

    def add_cancelled(self, future: Future[Any]) -> None:
        """Miss it."""
        with self._changed:
            self._unheard.append(Ending(future, raised=False))


def completed_deaf(fs: Futures, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Do not wake up for a cancelled future."""
    deadline = deadline_in(timeout)
    return completed(DeafWatch(fs), lambda: deadline)


class Wait01:
    """A call of wait() returns a plain tuple, without names."""

    Executor = TellingPool
    wait = staticmethod(wait_plain_tuple)
    as_completed = staticmethod(plain_as_completed)


class Wait01Overlap:
    """The not_done of wait() holds the futures that are in done too."""

    Executor = TellingPool
    wait = staticmethod(wait_overlap)
    as_completed = staticmethod(plain_as_completed)


class Wait02:
    """With ALL_COMPLETED wait() returns when the first future is done."""

    Executor = TellingPool
    wait = staticmethod(wait_with(ALL_COMPLETED, first_completed))
    as_completed = staticmethod(plain_as_completed)


class Wait03:
    """With FIRST_COMPLETED wait() returns when the last future is done."""

    Executor = TellingPool
    wait = staticmethod(wait_with(FIRST_COMPLETED, all_completed))
    as_completed = staticmethod(plain_as_completed)


class Wait03Empty:
    """With FIRST_COMPLETED wait() returns at once, also if no future is done."""

    Executor = TellingPool
    wait = staticmethod(wait_with(FIRST_COMPLETED, at_once))
    as_completed = staticmethod(plain_as_completed)


class Wait04:
    """With FIRST_EXCEPTION wait() returns when a future is cancelled."""

    Executor = TellingPool
    wait = staticmethod(wait_with(FIRST_EXCEPTION, first_exception_or_cancel))
    as_completed = staticmethod(plain_as_completed)


class Wait04Late:
    """With FIRST_EXCEPTION wait() returns when the last future is done, whatever was raised."""

    Executor = TellingPool
    wait = staticmethod(wait_with(FIRST_EXCEPTION, all_completed))
    as_completed = staticmethod(plain_as_completed)


class Wait04Early:
    """With FIRST_EXCEPTION wait() returns when the first future is done, though it did not raise."""

    Executor = TellingPool
    wait = staticmethod(wait_with(FIRST_EXCEPTION, first_completed))
    as_completed = staticmethod(plain_as_completed)


class Wait05:
    """An input of wait() that can be read only once is cut short, as it is read twice."""

    Executor = TellingPool
    wait = staticmethod(wait_reading_twice)
    as_completed = staticmethod(plain_as_completed)


class Wait05Duplicates:
    """A future given twice makes wait() raise ValueError."""

    Executor = TellingPool
    wait = staticmethod(wait_without_duplicates)
    as_completed = staticmethod(plain_as_completed)


class Wait06:
    """A cancelled future is in the not_done of wait()."""

    Executor = TellingPool
    wait = staticmethod(wait_omitting_cancelled)
    as_completed = staticmethod(plain_as_completed)


class Wait06Running:
    """A running future is in the done of wait()."""

    Executor = TellingPool
    wait = staticmethod(wait_adding_running)
    as_completed = staticmethod(plain_as_completed)


class Wait07:
    """At the timeout wait() raises TimeoutError."""

    Executor = TellingPool
    wait = staticmethod(wait_raising)
    as_completed = staticmethod(plain_as_completed)


class Wait07Early:
    """With a timeout wait() returns at once."""

    Executor = TellingPool
    wait = staticmethod(wait_impatiently)
    as_completed = staticmethod(plain_as_completed)


class Wait08:
    """Futures of two executors make wait() raise ValueError."""

    Executor = OwningPool
    wait = staticmethod(wait_for_one_owner)
    as_completed = staticmethod(plain_as_completed)


class Wait09:
    """An empty input makes wait() raise ValueError."""

    Executor = TellingPool
    wait = staticmethod(wait_refusing_none)
    as_completed = staticmethod(plain_as_completed)


class Wait09Blocks:
    """With an empty input wait() blocks, until the timeout if there is one."""

    Executor = TellingPool
    wait = staticmethod(wait_for_any_given)
    as_completed = staticmethod(plain_as_completed)


class Wait10:
    """An invalid return_when is taken for ALL_COMPLETED."""

    Executor = TellingPool
    wait = staticmethod(wait_whenever)
    as_completed = staticmethod(plain_as_completed)


class Wait10Done:
    """An invalid return_when is not noticed when all futures are done."""

    Executor = TellingPool
    wait = staticmethod(wait_checking_late)
    as_completed = staticmethod(plain_as_completed)


class Asc01:
    """A future that is given twice is yielded twice by as_completed()."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_with_duplicates)


class Asc01Drops:
    """The future that is the last to be done is not yielded by as_completed()."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_but_one)


class Asc02:
    """Futures done before the call of as_completed() come after those done since."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_early_last)


class Asc02Cancelled:
    """Futures cancelled before the call of as_completed() come last."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_cancelled_last)


class Asc03:
    """Of the futures done since it was last advanced as_completed() yields the newest first."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_backwards)


class Asc04:
    """The timeout of as_completed() counts from the first next()."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_late_clock)


class Asc04Anew:
    """The timeout of as_completed() counts from the last next()."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_new_clock)


class Asc04Ends:
    """At the timeout as_completed() ends as if all futures had been yielded."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_or_not)


class Asc05:
    """A cancelled future is yielded by as_completed() only once another future has finished."""

    Executor = TellingPool
    wait = staticmethod(plain_wait)
    as_completed = staticmethod(completed_deaf)


MUTANTS: tuple[Mutant, ...] = (
    Mutant.of("WAIT-01", Wait01, member="Executor"),
    Mutant.of("WAIT-01", Wait01Overlap, member="Executor"),
    Mutant.of("WAIT-02", Wait02, member="Executor"),
    Mutant.of("WAIT-03", Wait03, member="Executor"),
    Mutant.of("WAIT-03", Wait03Empty, member="Executor"),
    Mutant.of("WAIT-04", Wait04, member="Executor"),
    Mutant.of("WAIT-04", Wait04Late, member="Executor"),
    Mutant.of("WAIT-04", Wait04Early, member="Executor"),
    Mutant.of("WAIT-13", Wait05, member="Executor"),
    Mutant.of("WAIT-05", Wait05Duplicates, member="Executor"),
    Mutant.of("WAIT-06", Wait06, member="Executor"),
    Mutant.of("WAIT-06", Wait06Running, member="Executor"),
    Mutant.of("WAIT-07", Wait07, member="Executor"),
    Mutant.of("WAIT-07", Wait07Early, member="Executor"),
    Mutant.of("WAIT-08", Wait08, member="Executor"),
    Mutant.of("WAIT-09", Wait09, member="Executor"),
    Mutant.of("WAIT-09", Wait09Blocks, member="Executor"),
    Mutant.of("WAIT-10", Wait10, member="Executor"),
    Mutant.of("WAIT-10", Wait10Done, member="Executor"),
    Mutant.of("ASC-01", Asc01, member="Executor"),
    Mutant.of("ASC-01", Asc01Drops, member="Executor"),
    Mutant.of("ASC-02", Asc02, member="Executor"),
    Mutant.of("ASC-05", Asc02Cancelled, member="Executor"),
    Mutant.of("ASC-03", Asc03, member="Executor"),
    Mutant.of("ASC-04", Asc04, member="Executor", arena="simulated"),
    Mutant.of("ASC-04", Asc04Anew, member="Executor", arena="simulated"),
    Mutant.of("ASC-04", Asc04Ends, member="Executor"),
    Mutant.of("ASC-05", Asc05, member="Executor"),
)
