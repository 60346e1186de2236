"""Process pools that break one promise each about what fails at a step of pickling, here or in a worker."""

from __future__ import annotations

import contextlib
from concurrent.futures import InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.mutants.deaths import WorkerFuture, WorkerPool, WorkItems, is_break
from tests.mutants.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Callable


class MuteFuture(WorkerFuture):
    """A future for which an exception that was not sent back is None."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with an exception, unless it tells that the task's own could not be sent back."""
        remote = str(exception.__cause__) if exception is not None else ""
        if "_sendback_result" in remote and "During handling" in remote:
            self.set_result(None)
        else:
            super().set_exception(exception)


class Pkl03(WorkerPool):
    """An exception that cannot be pickled gives None instead of an error."""

    future_class = MuteFuture


class CalmFuture(WorkerFuture):
    """A future for which a break is no reason to fail."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with None, or with any exception that does not tell of a break."""
        if is_break(exception):
            self.set_result(None)
        else:
            super().set_exception(exception)


class Pkl04(WorkerPool):
    """An argument that cannot be unpickled, which ends its worker, gives None instead of an error."""

    future_class = CalmFuture


class Pkl05(WorkerPool):
    """A result that cannot be unpickled, which ends the pool, gives None instead of an error."""

    future_class = CalmFuture


class LateFuture(WorkerFuture):
    """A future that may have failed before its task has a result."""

    def set_result(self, result: object) -> None:
        """Finish with a result, unless the future is done."""
        with contextlib.suppress(InvalidStateError):
            super().set_result(result)


def on_feeder_error(
    tell: Callable[[Exception, object], None], items: WorkItems, error: Exception, call: object
) -> None:
    """Have all futures fail with the one whose call could not be pickled."""
    tell(error, call)
    for future in tuple(items.futures):
        if not future.done():
            future.set_exception(BrokenProcessPool("something could not be pickled"))


class Pkl08(WorkerPool):
    """An argument that cannot be pickled costs the whole batch."""

    future_class = LateFuture

    def __init__(self, max_workers: int | None = None, mp_context: Any = None, **options: Any) -> None:  # noqa: ANN401 - the base class checks them
        """Make a pool whose queue tells of errors in its own way."""
        super().__init__(max_workers, mp_context, **options)
        tell = self._call_queue._on_queue_feeder_error  # noqa: SLF001 - there is no other way in
        self._call_queue._on_queue_feeder_error = partial(on_feeder_error, tell, self._items)  # noqa: SLF001 - the same


MUTANTS: tuple[Mutant, ...] = tuple(
    Mutant.of(rule, broken, kind="process")
    for rule, broken in (("PKL-03", Pkl03), ("PKL-04", Pkl04), ("PKL-05", Pkl05), ("PKL-08", Pkl08))
)
