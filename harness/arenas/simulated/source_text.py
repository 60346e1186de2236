"""The sources that a world runs: compiled with preemption points, and named by a digest."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from harness.arenas.simulated import kernel
from harness.arenas.simulated.importer import PUPPETS
from harness.arenas.simulated.instrument import Point, instrument

if TYPE_CHECKING:
    from types import CodeType

    from harness.values.granularity import Granularity

HOOK: Final = "@point"
"""The name by which instrumented code calls the hook: one that no source can spell."""

_WHOLE: Final = frozenset({"threading", *PUPPETS})
"""Modules that run without points of their own: the operations on which they rest have them."""

_NAME: Final = re.compile("s[0-9a-f]{4}")

_NOWHERE: Final = Point(module="", file="", line=0, column=0, text="", moment="before", gil=False)


class SourceText:
    """The sources of one world."""

    def __init__(self, granularity: Granularity) -> None:
        """Nothing is compiled yet."""
        self.points: list[Point] = [_NOWHERE]
        self._granularity = granularity
        self._names = [""]  # what choice points call the statement of a number
        self._hash = hashlib.sha256()

    def compile(self, source: str, filename: str, module: str) -> CodeType:
        """Compile a module."""
        if module not in PUPPETS:
            self._hash.update(f"{module}\0{source}\0".encode())
        made = instrument(
            source, filename=filename, module=module, hook=HOOK, first=len(self.points),
            granularity="synchronisation" if module in _WHOLE else self._granularity,
        )  # fmt: skip
        self.points += made.points
        self._names += [name_of(point) for point in made.points]
        return made.code

    def hook(self, number: int) -> None:
        """What instrumented code calls before a statement."""
        k = kernel.running
        if k is not None and not k.over:
            k.statement(number, self._names[number])

    def digest(self) -> str:
        """Names the sources compiled so far."""
        return self._hash.hexdigest()[:16]


def name_of(point: Point) -> str:
    """A short name of a statement that does not depend on the lines around it."""
    return "s" + hashlib.sha256(f"{point.module} {point.moment} {point.text}".encode()).hexdigest()[:4]


def is_statement(op: str) -> bool:
    """Whether an operation is a statement by that name."""
    return _NAME.fullmatch(op) is not None
