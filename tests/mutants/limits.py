"""Mutants of the rules about arguments at their limits and about what errors say."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.mutants.base import PlainThreadPool
from tests.mutants.deaths import WorkerFuture, WorkerPool
from tests.mutants.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.context import BaseContext


class Pool11(PlainThreadPool):
    """Takes no workers, or less than none, for one."""

    def __init__(self, max_workers: int = 2, **options: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool of at least one thread."""
        super().__init__(max(1, max_workers), **options)


class Pool12(PlainThreadPool):
    """Refuses max_workers=None."""

    def __init__(self, max_workers: int | None = 2, **options: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool of a given size."""
        if max_workers is None:
            raise TypeError("max_workers must be a number")
        super().__init__(max_workers, **options)


class Pool13(ProcessPoolExecutor):
    """Launches its workers by the default context, whatever it is given."""

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: BaseContext | None = None,  # noqa: ARG002 - that is its fault
        **options: Any,  # noqa: ANN401 - the base class checks them
    ) -> None:
        """Make a pool without a context."""
        super().__init__(max_workers, **options)


class Map14(ProcessPoolExecutor):
    """Takes a chunksize below 1 for 1."""

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """Map with chunks of at least one item."""
        return super().map(fn, *iterables, timeout=timeout, chunksize=max(1, chunksize))


class VagueFuture(WorkerFuture):
    """A future that tells of every failed pickling in its own words."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with an exception; one about pickling is replaced."""
        vague = "pickled" in str(exception)
        super().set_exception(RuntimeError("the task failed") if vague else exception)


class Pkl09(WorkerPool):
    """What cannot be pickled fails its future with an error that says nothing of it."""

    future_class = VagueFuture


class Brk14(ProcessPoolExecutor):
    """One exception object for all futures of a pool that breaks, as in the standard library."""


MUTANTS: tuple[Mutant, ...] = (
    Mutant.of("POOL-11", Pool11),
    Mutant.of("POOL-12", Pool12),
    Mutant.of("POOL-13", Pool13, kind="process"),
    Mutant.of("MAP-14", Map14, kind="process"),
    Mutant.of("PKL-09", Pkl09, kind="process"),
    Mutant.of("BRK-14", Brk14, kind="process"),
)
