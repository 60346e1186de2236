"""The system's limit is reached: for a moment the calling thread can start no thread, or no process."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.values.operation import Resource

_PLACES: dict[Resource, tuple[tuple[str, str], ...]] = {
    "threads": (
        ("threading", "_start_new_thread"),  # to 3.12
        ("threading", "_start_joinable_thread"),
        ("_thread", "start_new_thread"),
        ("_thread", "start_joinable_thread"),
    ),
    # Not `os.fork` itself: `multiprocessing` would leave its pipes open, which is nobody's fault here.
    "processes": (("multiprocessing.popen_fork", "Popen.__init__"), ("os", "fork")),
}


def error_of(what: Resource) -> Exception:
    """What a start raises at the limit."""
    if what == "threads":
        return RuntimeError("can't start new thread")
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@contextlib.contextmanager
def starved_of(what: Resource) -> Iterator[None]:
    """Have every start fail that the calling thread attempts; other threads start what they like."""
    me = os.getpid(), threading.get_ident()
    changed: list[tuple[Any, str, Any]] = []
    try:
        for module, path in _PLACES[what]:
            holder: Any = importlib.import_module(module)
            *outer, name = path.split(".")
            for each in outer:
                holder = getattr(holder, each)
            if hasattr(holder, name):
                usual = getattr(holder, name)
                changed.append((holder, name, usual))
                setattr(holder, name, _refusing(what, usual, me))
        yield
    finally:
        for holder, name, usual in reversed(changed):
            setattr(holder, name, usual)


def _refusing(what: Resource, usual: Callable[..., Any], who: tuple[int, int]) -> Callable[..., Any]:
    """A start that fails in one thread of one process."""

    def start(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the real one takes and gives
        if (os.getpid(), threading.get_ident()) == who:
            raise error_of(what)
        return usual(*args, **kwargs)

    return start
