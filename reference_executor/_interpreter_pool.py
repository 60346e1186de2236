"""The interpreter pool, from Python 3.14 on: each of its threads makes calls in an interpreter of its own."""

from __future__ import annotations

import itertools
import pickle
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from reference_executor._interpreter_worker import call_here, call_packed, take_exception
from reference_executor._messages import is_being_imported, pack_by_name
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
        """Make it; let it find the modules that this one finds."""
        self._interpreter = _interpreters.create()
        self._interpreter.exec(f"import sys\nsys.path[:] = {sys.path!r}")

    def call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        """Make a call there; if its outcome cannot cross over, that is the error."""
        try:
            return self._interpreter.call(*_ferry(fn, args, kwargs))
        except _interpreters.ExecutionFailed as failure:
            packed = self._interpreter.call(take_exception)
            if packed is None:
                raise
            raise pickle.loads(packed) from failure  # noqa: S301 - our own interpreter sent it
        finally:
            del fn, args, kwargs  # The traceback keeps this frame.

    def close(self) -> None:
        """End it."""
        self._interpreter.close()


def _ferry(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return what is to be called in the other interpreter, and with what, to make this call there.

    Pickle carries most. What it does not, and functions of the main program, which the other interpreter
    would look for in its own, the interpreters may be able to share.
    """
    if getattr(fn, "__module__", None) != "__main__":
        try:
            call = fn, args, kwargs
            return call_packed, pack_by_name(call) if is_being_imported(fn) else pickle.dumps(call)
        except Exception:  # noqa: BLE001 - pickling runs foreign code; the other way will tell what is wrong
            return call_here, fn, args, kwargs
    return call_here, fn, args, kwargs


class InterpreterPoolExecutor(ThreadPoolExecutor, _standard.InterpreterPoolExecutor):  # type: ignore[misc]
    """Makes calls in a pool of at most `max_workers` threads, each in an interpreter of its own."""

    _counter = itertools.count().__next__
    _open_place = Interpreter
    _broken_error = BrokenInterpreterPool
