"""Pools that live: the interpreter waits for them before it ends, and a forked child lets go of them.

A pool moves in when its first worker starts and out when its last one has left. Nothing here needs a lock:
adding to, discarding from and copying a set of objects that hash by identity are single steps. So there is
no lock that a forked child could inherit in a locked state.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Resident(Protocol):
    """A pool with workers."""

    def close(self) -> None:
        """Accept no more work; let the workers leave when what was accepted is done. Do not wait for it."""

    def join(self) -> None:
        """Wait until the workers are gone."""

    def abandon(self) -> None:
        """Forget the workers: this is a forked child, and they are the parent's."""


class Closable(Protocol):
    """One end of a pipe."""

    def close(self) -> None:
        """Close it."""


residents: set[Resident] = set()

#: Every end of every pipe of this process's pools. A forked child that kept one open would hide the death
#: of the process at the other end: end of file comes only when all copies are closed.
pipe_ends: set[Closable] = set()

_ending = threading.Event()
_forking = threading.local()


def refusal_of_closed() -> str:
    """Say why a closed pool refuses work; as the standard library says it."""
    return f"cannot schedule new futures after {'interpreter ' if _ending.is_set() else ''}shutdown"


def check_not_ending() -> None:
    """Raise RuntimeError if the interpreter has begun to shut down. To be called before moving in."""
    if _ending.is_set():
        raise RuntimeError(refusal_of_closed())


def wait_for_all() -> None:
    """Close every pool and wait for its workers: the first thing that the end of the interpreter does."""
    _ending.set()
    while present := list(residents):  # One may move in meanwhile.
        for resident in present:
            resident.close()
        for resident in present:
            resident.join()
        residents.difference_update(present)


def fork_keeping(ends: tuple[Any, ...], start: Callable[[], None]) -> None:
    """Call `start`, which may fork; the child keeps these ends of pipes and lets go of the others."""
    _forking.keep = ends
    try:
        start()
    finally:
        _forking.keep = ()


def _let_go_in_child() -> None:
    kept = set(getattr(_forking, "keep", ()))
    _forking.keep = ()  # What this child forks in its turn keeps nothing.
    for end in pipe_ends - kept:
        end.close()
    pipe_ends.intersection_update(kept)
    for resident in residents:
        resident.abandon()
    residents.clear()


os.register_at_fork(after_in_child=_let_go_in_child)
# The public `atexit` comes too late: before it, the interpreter joins all non-daemon threads, and idle
# workers must have been sent home by then. The standard library's own pools use the same hook.
threading._register_atexit(wait_for_all)  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public one
