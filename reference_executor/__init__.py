"""A complete reading of the specification of `concurrent.futures`, and a stand-in for it.

Replace `concurrent.futures` by `reference_executor` in an import and the program runs as before: the
futures are instances of the standard library's, the constants and exceptions are its own.
"""

from __future__ import annotations

import concurrent.futures
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    BrokenExecutor,
    CancelledError,
    InvalidStateError,
    TimeoutError,  # noqa: A004 - the builtin one, under the name that the standard library gives it
)
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from reference_executor._executor import Executor
from reference_executor._future import Future
from reference_executor._waiting import DoneAndNotDoneFutures, as_completed, wait

if TYPE_CHECKING:
    from reference_executor.process import BrokenProcessPool, ProcessPoolExecutor
    from reference_executor.thread import BrokenThreadPool, ThreadPoolExecutor

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "BrokenExecutor",
    "BrokenProcessPool",
    "BrokenThreadPool",
    "CancelledError",
    "DoneAndNotDoneFutures",
    "Executor",
    "Future",
    "InvalidStateError",
    "ProcessPoolExecutor",
    "ThreadPoolExecutor",
    "TimeoutError",
    "as_completed",
    "wait",
]

#: Found when first asked for: a worker process that starts should not have to import what it never uses.
_LAZY: Final = {
    "BrokenProcessPool": "reference_executor.process",
    "BrokenThreadPool": "reference_executor.thread",
    "ProcessPoolExecutor": "reference_executor.process",
    "ThreadPoolExecutor": "reference_executor.thread",
}
if "InterpreterPoolExecutor" in concurrent.futures.__all__:
    __all__ += ["InterpreterPoolExecutor"]
    _LAZY["InterpreterPoolExecutor"] = "reference_executor.interpreter"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the pools and their exceptions
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
