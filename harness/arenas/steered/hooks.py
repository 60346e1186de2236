"""Puts the hooks in, before anything that they are for is imported."""

from __future__ import annotations

import importlib
import sys
from typing import Final

from harness.arenas.steered import loader, process_layer, thread_layer

_UNHOOKED: Final = (
    "json", "logging", "multiprocessing.forkserver", "multiprocessing.heap", "multiprocessing.popen_fork",
    "multiprocessing.resource_sharer", "multiprocessing.resource_tracker", "multiprocessing.util",
    "selectors", "socket", "tempfile", "traceback",
)  # fmt: skip
"""Modules with locks of their own, which are no business of anybody's: loaded before there are hooks."""


def install() -> None:
    """Hook this process; the granularity is its last argument."""
    for name in _UNHOOKED:
        importlib.import_module(name)
    thread_layer.install()
    process_layer.install()
    loader.install(sys.argv[4])  # type: ignore[arg-type]  # checked by who starts us
