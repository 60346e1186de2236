"""Garbage whose finaliser calls the executor, collected in the middle of a call."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Cycle:
    """An object that only the cyclic collector can free."""

    def __init__(self, deed: Callable[[], None]) -> None:
        """Keep itself alive, and what is to be done when the collector comes."""
        self._deed = deed
        self._itself = self

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
    for deed in deeds:
        Cycle(deed)
    usual = gc.get_threshold()
    gc.set_threshold(after + gc.get_count()[0])
    gc.enable()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.collect()
