"""Tells histories apart by what the judge goes by: the events in their order, and roughly when they were."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from harness.values.history import CalledBack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.values.history import Event

_STAMPS: Final = frozenset({"at", "until"})

_TICK: Final = 10_000_000
"""Nanoseconds of virtual time, much less than any timeout of a program and much more than its steps take."""


def fingerprint(events: Sequence[Event]) -> int:
    """A number for the events of a run, in the order of their stamps; good within this process only.

    Runs with the same number have the same events in the same order. How many steps were between them makes
    no difference, that a timer went off between them does.
    """
    stamps = [event.at for event in events]
    return hash(tuple((event.at // _TICK, _until(event, stamps), *_content(event)) for event in events))


def _until(event: Event, stamps: Sequence[int]) -> int:
    """The place, among the stamps, of the end of what lasts."""
    return bisect_left(stamps, event.until) if isinstance(event, CalledBack) else 0


def _content(event: Event) -> tuple[Any, ...]:
    cls: type = type(event)
    return cls.__name__, _reader(cls)(event)


@cache
def _reader(cls: type) -> Callable[[Event], Any]:
    """Reads all fields of an event but the stamps."""
    return attrgetter(*(each.name for each in fields(cls) if each.name not in _STAMPS))
