"""The interpreter pool of Python 3.14 and later: a thread pool whose threads each call in an interpreter of their own."""

from __future__ import annotations

import itertools
import pickle
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from reference_executor._interpreter_worker import call_here, take_exception
from reference_executor._thread_pool import ThreadPoolExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

# By name, since the oldest Python that this package supports, for which it is type-checked, has neither.
_interpreters: Final[Any] = import_module("concurrent.interpreters")
_standard: Final[Any] = import_module("concurrent.futures.interpreter")

BrokenInterpreterPool: Final = _standard.BrokenInterpreterPool


class Interpreter:
    """An interpreter for one thread."""

    def __init__(self) -> None:
        """Make it."""
        self._interpreter = _interpreters.create()

    def call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        """Make a call there. What it returns or raises must be able to cross over; if not, that is its error."""
        try:
            return self._interpreter.call(call_here, fn, args, kwargs)
        except _interpreters.ExecutionFailed as failure:
            packed = self._interpreter.call(take_exception)
            if packed is None:
                raise
            raise pickle.loads(packed) from failure  # noqa: S301 - our own interpreter sent it

    def close(self) -> None:
        """End it."""
        self._interpreter.close()


class InterpreterPoolExecutor(ThreadPoolExecutor, _standard.InterpreterPoolExecutor):  # type: ignore[misc]
    """Makes calls in a pool of at most `max_workers` threads, each in an interpreter of its own."""

    _counter = itertools.count().__next__
    _open_place = Interpreter
    _broken_error = BrokenInterpreterPool
