"""Thread pools that break one promise each about the end of a process, forks, imports and finalisers."""

from __future__ import annotations

import functools
import importlib
import os
import threading
from typing import Any

from tests.mutants.base import Item, PlainThreadPool, serve, works
from tests.mutants.mutant import Mutant


class Exit01(PlainThreadPool):
    """Its workers are daemons, which the interpreter does not wait for."""

    def _start_worker(self) -> None:
        """Start a worker that ends with the main program."""
        work = self._work
        thread = threading.Thread(target=serve, args=(work, None, ()), daemon=True)
        thread.start()
        work.threads.append(thread)
        work.idle += 1


class Exit02(PlainThreadPool):
    """Nobody sends its workers home when the main program has ended: the interpreter waits for ever."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on
        """Make a pool that is forgotten at the end."""
        super().__init__(*args, **kwargs)
        works.discard(self._work)


class Exit03(PlainThreadPool):
    """Accepts work while the interpreter exits, and never does it."""

    told = False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down."""
        self.told = True
        super().shutdown(wait, cancel_futures=cancel_futures)

    def _enqueue(self, item: Item) -> None:
        """Take an item, too late unless somebody said so."""
        try:
            super()._enqueue(item)
        except RuntimeError:
            if self.told or self._work.foreign:
                raise


_registry = threading.Lock()


@functools.cache
def _lock_at_forks() -> None:
    """Not when this module is imported: whoever only looks at the mutants may fork as well."""
    os.register_at_fork(before=_registry.acquire, after_in_parent=_registry.release)


class Exit04(PlainThreadPool):
    """All its pools share a lock that a forked child inherits, locked."""

    def _enqueue(self, item: Item) -> None:
        """Take an item, one at a time."""
        _lock_at_forks()
        with _registry:
            super()._enqueue(item)


class Exit07(PlainThreadPool):
    """Its workers import the module of what they are to call, and wait for whoever is importing it."""

    def _run_item(self, item: Item) -> None:
        """Execute an item once its module is there."""
        importlib.import_module(item.fn.__module__)
        super()._run_item(item)


class Exit08(PlainThreadPool):
    """In a forked child it accepts work for the workers that it had in the parent."""

    def _enqueue(self, item: Item) -> None:
        """Take an item."""
        if not self._work.foreign:
            super()._enqueue(item)


class Gc07(PlainThreadPool):
    """Its lock does not bear that a finaliser submits while a submit holds it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on
        """Make a pool with a lock of its own."""
        super().__init__(*args, **kwargs)
        self._submitting = threading.Lock()

    def _enqueue(self, item: Item) -> None:
        """Take an item, with a note of it."""
        with self._submitting:
            self._note = [[number] for number in range(40)]  # as much as any collector needs to strike
            super()._enqueue(item)


MUTANTS: tuple[Mutant, ...] = (
    Mutant.of("EXIT-01", Exit01),
    Mutant.of("EXIT-02", Exit02),
    Mutant.of("EXIT-03", Exit03),
    Mutant.of("EXIT-04", Exit04),
    Mutant.of("EXIT-07", Exit07),
    Mutant.of("EXIT-08", Exit08),
    Mutant.of("GC-07", Gc07),
)
