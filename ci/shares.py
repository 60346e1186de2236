"""A long hunt in several processes: an interrupt ends it early, and nothing that was counted is lost."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.synchronize import Event
    from types import FrameType

Result = TypeVar("Result")

_stop: Event | None = None


def in_processes(
    work: Callable[..., Result], shares: Sequence[tuple[object, ...]]
) -> tuple[list[Result], bool]:
    """Do each share in a process of its own; what came of them, and whether somebody interrupted it.

    After an interrupt `interrupted` is true in all of them, and each returns what it has so far.
    """
    stop = multiprocessing.Event()
    with ProcessPoolExecutor(len(shares), initializer=_begin, initargs=(stop,)) as pool:
        futures = [pool.submit(work, *share) for share in shares]
        try:
            wait(futures)
        except KeyboardInterrupt:
            stop.set()
        return [future.result() for future in futures], stop.is_set()


def interrupted() -> bool:
    """Whether it is time to come to an end, asked by the work now and then."""
    return _stop is not None and _stop.is_set()


def _begin(stop: Event) -> None:
    global _stop  # noqa: PLW0603 - an initializer has nowhere else to leave it
    _stop = stop
    # A handler, since programs that a share starts would inherit that signals are ignored.
    signal.signal(signal.SIGINT, _leave_it_to_the_parent)


def _leave_it_to_the_parent(_number: int, _frame: FrameType | None) -> None:
    """Go on: the parent got it as well, and says so."""
