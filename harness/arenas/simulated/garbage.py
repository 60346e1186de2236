"""Garbage of runs that are over: it is collected when no run has to answer for it."""

from __future__ import annotations

import gc
import sys


def collect(generation: int = 2) -> None:
    """Collect garbage, that of earlier runs too: nobody is to blame for what finalisers say then.

    A task that was killed leaves a frame in which a buffer is still in use, for example.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _unraisable: None
    try:
        gc.collect(generation)
    finally:
        sys.unraisablehook = hook
