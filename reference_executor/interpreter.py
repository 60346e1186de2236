"""The public names of `concurrent.futures.interpreter`, from Python 3.14 on."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from reference_executor._interpreter_pool import BrokenInterpreterPool, InterpreterPoolExecutor

__all__ = ["BrokenInterpreterPool", "ExecutionFailed", "InterpreterPoolExecutor"]

# By name, as in `_interpreter_pool`: the oldest Python that this package supports does not have it.
_interpreters: Final[Any] = import_module("concurrent.interpreters")

ExecutionFailed: Final = _interpreters.ExecutionFailed
