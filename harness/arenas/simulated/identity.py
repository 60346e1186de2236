"""Hashes and identities that do not depend on addresses.

`shutdown` joins a set of threads, `wait` makes a set of futures, and locks are taken in the order of `id`:
where an object lies in memory would decide the order, and no run would be like another.
"""

from __future__ import annotations

import builtins
import weakref
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PRIVATE: Final = "exh_world_"
"""What the names of a world's own modules begin with."""

_SLOT: Final = "_exh_number"


class Identities:
    """Numbers for objects in the order in which they are asked for, in one run.

    Who has a number lives no longer for it, as far as that can be: a kept future would keep its callbacks
    alive, and what these know of, and an executor that the program has dropped would never be forgotten.
    """

    def __init__(self) -> None:
        """Number nothing yet."""
        self._last = 0
        self._known: dict[int, tuple[int, Callable[[], object]]] = {}

    def number(self, thing: object) -> int:
        """What `id` answers in the world."""
        address = builtins.id(thing)
        number, who = self._known.get(address, (0, _nobody))
        if who() is thing:
            return number
        self._last += 1
        self._known[address] = (self._last, _way_to(thing))
        return self._last

    def clear(self) -> None:
        """Forget the objects of a run."""
        self._last = 0
        self._known.clear()


def _nobody() -> object:
    return _nobody


def _way_to(thing: object) -> Callable[[], object]:
    """How to see whether it is the same that is at this address now."""
    try:
        return weakref.ref(thing)
    except TypeError:  # it has to be kept, or another could come to its address
        return lambda: thing


_next_number = 0


def restart() -> None:
    """Number hashes from the beginning: a run begins."""
    global _next_number  # noqa: PLW0603 - one counter for all classes of the world
    _next_number = 0


def _numbered_hash(self: object) -> int:
    """A hash in the order of first use."""
    global _next_number  # noqa: PLW0603 - as above
    try:
        attributes = self.__dict__
    except AttributeError:  # a dataclass with slots was made anew from the class that got this hash
        return _one_hash(self)
    number: int | None = attributes.get(_SLOT)
    if number is None:
        _next_number += 1
        number = _next_number
        attributes[_SLOT] = number
    return number


def _one_hash(_self: object) -> int:
    """The same hash for all: sets of such objects keep the order of insertion. They are small."""
    return 1


def give_stable_hash(cls: type) -> None:
    """Replace a hash by address; one that the class has itself stays."""
    by_address: object = object.__hash__
    if cls.__hash__ is by_address and not issubclass(cls, type):
        cls.__hash__ = _numbered_hash if cls.__dictoffset__ else _one_hash  # type: ignore[method-assign,assignment]


def build_class(body: Any, name: str, /, *bases: Any, **keywords: Any) -> Any:  # noqa: ANN401 - as the builtin
    """`__build_class__`, for classes whose instances hash by number."""
    cls = builtins.__build_class__(body, name, *bases, **keywords)
    if isinstance(cls, type):
        give_stable_hash(cls)
    return cls
