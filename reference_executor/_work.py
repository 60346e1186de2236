"""A piece of work: a future and the call that settles it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from reference_executor._future import LOGGER, DoneCallback, Future

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class WorkItem(Generic[T]):
    """A call that was accepted, with its future."""

    future: Future[T]
    call: tuple[Callable[..., T], tuple[Any, ...], dict[str, Any]] | None

    def take_call(self) -> tuple[Callable[..., T], tuple[Any, ...], dict[str, Any]]:
        """Return the call and forget it: its arguments can be freed before anybody sees the outcome."""
        call, self.call = self.call, None
        assert call is not None, "a call is made once"  # noqa: S101 - tells mypy what the state machine ensures
        return call


#: Futures that were settled with a lock held, with the callbacks to call once it is released.
Settled = list[tuple[Future[Any], list[DoneCallback]]]


def cancel_all(items: Iterable[WorkItem[Any]]) -> Settled:
    """Cancel what has not begun."""
    return [(item.future, item.future._settle("cancel") or []) for item in items]  # noqa: SLF001 - ours


def fail_all(items: Iterable[WorkItem[Any]], error: Callable[[], BaseException]) -> Settled:
    """Fail what is not done, each with an exception of its own: they will carry different tracebacks."""
    return [
        (item.future, item.future._settle("finish", exception=error()) or [])  # noqa: SLF001 - ours
        for item in items
    ]


def call_back_all(settled: Settled) -> None:
    """Call the callbacks, whatever they raise; to be called without any lock."""
    raised: BaseException | None = None
    for future, callbacks in settled:
        try:
            future._call_back(callbacks)  # noqa: SLF001 - ours
        except BaseException as error:  # noqa: BLE001 - kept until the other callbacks were called, then raised
            raised = raised or error
    if raised is not None:
        try:
            raise raised
        finally:
            del raised  # Or it would form a cycle with its traceback, which keeps this frame.


def call_back_in_worker(future: Future[Any], callbacks: list[DoneCallback]) -> None:
    """Call the callbacks in a pool's own thread, which nothing that they raise may end."""
    try:
        future._call_back(callbacks)  # noqa: SLF001 - ours
    except BaseException:  # noqa: BLE001 - it is logged
        LOGGER.exception("exception calling callback for %r", future)
