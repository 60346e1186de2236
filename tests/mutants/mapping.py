"""Thread pools that break one promise each about `Executor.map`."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, TypeVar

from tests.mutants.base import PlainThreadPool, plain_as_completed
from tests.mutants.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


class PlainMap(PlainThreadPool):
    """A correct `map`, whose steps can be overridden one by one."""

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Submit a call for each item, and return an iterator over the results."""
        del chunksize
        deadline = None if timeout is None else time.monotonic() + timeout
        return self._results(self._submit_all(fn, self._items(*iterables)), deadline)

    def _items(self, *iterables: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
        return zip(*iterables)  # noqa: B905 - map ends with the shortest

    def _submit_all(self, fn: Callable[..., T], items: Iterable[tuple[Any, ...]]) -> list[Future[T]]:
        return [self.submit(fn, *item) for item in items]

    def _results(self, futures: list[Future[T]], deadline: float | None) -> Iterator[T]:
        futures.reverse()
        try:
            while futures:
                yield take(futures, deadline)
        finally:
            for future in futures:
                future.cancel()


def take(futures: list[Future[T]], deadline: float | None) -> T:
    """Take the last future off the list and return its result, keeping neither; if it fails, cancel it."""
    future = futures.pop()
    try:
        return future.result(None if deadline is None else deadline - time.monotonic())
    finally:
        future.cancel()
        del future  # this frame is in the error's traceback: it must close no reference cycle


class Map01(PlainMap):
    """Yields the results in the order in which the tasks finish."""

    def _results(self, futures: list[Future[T]], deadline: float | None) -> Iterator[T]:
        timeout = None if deadline is None else deadline - time.monotonic()
        try:
            for future in plain_as_completed(list(futures), timeout):
                futures.remove(future)
                finished = [future]
                del future  # the iterator keeps no result that it has yielded
                yield take(finished, None)
        finally:
            for future in futures:
                future.cancel()


class Map02(PlainMap):
    """Goes on to the end of the longest iterable, with None for what is missing."""

    def _items(self, *iterables: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
        return itertools.zip_longest(*iterables)


class Map03(PlainMap):
    """Submits nothing before the first result is asked for."""

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Collect the items, and return an iterator that submits them once it is advanced."""
        items = list(self._items(*iterables))
        if self._work.closed:
            # Only the time of the submission is wrong: after a shutdown this raises as it should.
            return super().map(fn, *zip(*items), timeout=timeout, chunksize=chunksize)  # noqa: B905 - all are complete
        return self._later(fn, items, None if timeout is None else time.monotonic() + timeout)

    def _later(
        self, fn: Callable[..., T], items: list[tuple[Any, ...]], deadline: float | None
    ) -> Iterator[T]:
        yield from self._results(self._submit_all(fn, items), deadline)


class Map04(PlainMap):
    """Passes over items that raise."""

    def _results(self, futures: list[Future[T]], deadline: float | None) -> Iterator[T]:
        futures.reverse()
        try:
            while futures:
                try:
                    result = take(futures, deadline)
                except (TimeoutError, CancelledError, StopIteration):
                    raise
                except Exception:  # noqa: BLE001, S112 - the fault
                    continue
                yield result
                del result
        finally:
            for future in futures:
                future.cancel()


class Map05(PlainMap):
    """Past the deadline it raises `TimeoutError` though the result is there."""

    def _results(self, futures: list[Future[T]], deadline: float | None) -> Iterator[T]:
        futures.reverse()
        try:
            while futures:
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError
                yield take(futures, deadline)
        finally:
            for future in futures:
                future.cancel()


class Map05Early(PlainMap):
    """Every timeout is taken for zero."""

    def _results(self, futures: list[Future[T]], deadline: float | None) -> Iterator[T]:
        return super()._results(futures, None if deadline is None else time.monotonic())


class Map06(PlainMap):
    """Cancels nothing when the iterator is closed, fails or times out."""

    def _results(self, futures: list[Future[T]], deadline: float | None) -> Iterator[T]:
        futures.reverse()
        while futures:
            yield futures.pop().result(None if deadline is None else deadline - time.monotonic())


class Map07(PlainMap):
    """With a `chunksize` it forgets the last chunk if that is not full."""

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Submit a call for each item of the full chunks, and return an iterator over the results."""
        items = list(self._items(*iterables))
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        full = items[: len(items) // chunksize * chunksize]
        return super().map(lambda item: fn(*item), full, timeout=timeout)


class Map09(PlainMap):
    """Executes the first item twice."""

    def _submit_all(self, fn: Callable[..., T], items: Iterable[tuple[Any, ...]]) -> list[Future[T]]:
        all_items = list(items)
        for item in all_items[:1]:
            self.submit(fn, *item)
        return super()._submit_all(fn, all_items)


class Map10(PlainMap):
    """Keeps the results until the iteration is over."""

    def _results(self, futures: list[Future[T]], deadline: float | None) -> Iterator[T]:
        try:
            for future in futures:
                yield take([future], deadline)
        finally:
            for future in futures:
                future.cancel()


class Map11(PlainMap):
    """Swallows the error of an input, and ends there."""

    def _items(self, *iterables: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
        items = super()._items(*iterables)
        try:
            yield from items
        except Exception:  # noqa: BLE001 - the fault
            return


class Map12(PlainMap):
    """Takes a task's `StopIteration` for the end of the iteration."""

    def _results(self, futures: list[Future[T]], deadline: float | None) -> Iterator[T]:
        results = super()._results(futures, deadline)
        try:
            yield from results
        except RuntimeError as error:
            # What a generator makes of the StopIteration that passes through it (PEP 479).
            if not isinstance(error.__cause__, StopIteration):
                raise


class Map13(PlainMap):
    """After `shutdown` its `map` yields nothing instead of raising."""

    def _submit_all(self, fn: Callable[..., T], items: Iterable[tuple[Any, ...]]) -> list[Future[T]]:
        if self._work.closed:
            return []
        return super()._submit_all(fn, items)


class Map15(PlainMap):
    """Its iterator is a plain generator: dropped before it was advanced, it has nothing to clean up."""


class Map16(PlainMap):
    """Makes the calls of a chunk in one task, and with the one that raises loses those before it."""

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Submit the chunks, and return an iterator over all results."""
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        items = list(self._items(*iterables))
        chunks = [items[start : start + chunksize] for start in range(0, len(items), chunksize)]
        results = super().map(lambda chunk: [fn(*item) for item in chunk], chunks, timeout=timeout)
        return itertools.chain.from_iterable(results)


NOTES = {
    "MAP-01": "The results come in the order in which the tasks finish.",
    "MAP-02": "Iterables of different lengths: goes on to the longest, with None for what is missing.",
    "MAP-03": "Nothing is submitted before the first next.",
    "MAP-04": "An item that raises is passed over, and the iteration goes on.",
    "MAP-05": "Past the deadline (timeout=0, say) next raises TimeoutError although the result is available.",
    "MAP-06": "Closed, failed or timed out, the iterator leaves its pending tasks to be executed.",
    "MAP-07": "With chunksize > 1 the results of an incomplete last chunk are missing.",
    "MAP-09": "The first item is executed twice.",
    "MAP-10": "The iterator holds every result that it has yielded.",
    "MAP-11": "An input that raises ends the inputs silently.",
    "MAP-12": "A task that raises StopIteration ends the iteration as if it were complete.",
    "MAP-13": "map after shutdown yields nothing and raises nothing.",
    "MAP-15": "Dropped before it was advanced, the iterator leaves what is pending to be executed.",
    "MAP-16": "With chunksize > 1 the results before the one that raises are lost.",
}

MUTANTS: tuple[Mutant, ...] = (
    *(
        Mutant(
            rule=rule,
            target=f"tests.mutants.mapping:{rule.title().replace('-', '')}",
            kind="thread",
            note=note,
            arena="simulated" if rule == "MAP-05" else "real",  # no real clock proves that a result was there
        )
        for rule, note in NOTES.items()
    ),
    Mutant.of("MAP-05", Map05Early),
)
