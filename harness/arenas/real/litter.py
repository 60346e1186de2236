"""Garbage whose finaliser calls the executor, collected in the middle of a call."""

from __future__ import annotations

import contextlib
import gc
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Cycle:
    """An object in a reference cycle of its own."""

    def __init__(self, deed: Callable[[], None]) -> None:
        """Keep itself alive, and what is to be done when it goes."""
        self._deed = deed
        self._itself: Cycle | None = self

    def fall_apart(self) -> None:
        """Be no cycle any more."""
        self._itself = None

    def __del__(self) -> None:
        """Do it."""
        self._deed()


@contextlib.contextmanager
def littered(deeds: Sequence[Callable[[], None]], after: int) -> Iterator[None]:
    """Drop an object for each deed; then the collector strikes after so many allocations, or at the end."""
    if not deeds:
        yield
        return
    gc.disable()
    gc.collect()  # from here on allocations count
    litter = [weakref.ref(Cycle(deed)) for deed in deeds]

    def make_sure(phase: str, _info: dict[str, int]) -> None:
        """What the collector leaves for another time (since 3.14 it goes on bit by bit) goes now."""
        for each in litter:
            if phase == "stop" and (cycle := each()) is not None:
                cycle.fall_apart()

    usual = gc.get_threshold()
    gc.callbacks.append(make_sure)
    gc.set_threshold(after + gc.get_count()[0])
    gc.enable()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.collect()
        gc.callbacks.remove(make_sure)
