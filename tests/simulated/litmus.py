"""Litmus programs: what can come of two or three threads that take a few steps each.

A program gets the modules it works with, real or of the world, and makes a `Scenario`. With it goes the set
of all outcomes, found by thinking: the world has to show exactly these, and real runs no others. Where the
outcome depends on the version, so does the set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from harness.arenas.simulated.strategies.exhaustive import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

STUCK: Final = "stuck"
"""The outcome of a program that never ends."""

SECOND: Final = 1.0
"""A timeout that only runs out if nobody moves any more, or by decision."""

SOON: Final = 0.0005
"""A timeout that may run out at any moment."""


class Modules(Protocol):
    """What a litmus program works with."""

    @property
    def threading(self) -> Any: ...  # noqa: ANN401, D102 - a module, real or of the world
    @property
    def queue(self) -> Any: ...  # noqa: ANN401, D102 - the same
    @property
    def thread(self) -> Any: ...  # noqa: ANN401, D102 - `_thread`
    @property
    def time(self) -> Any: ...  # noqa: ANN401, D102 - the same
    @property
    def os(self) -> Any: ...  # noqa: ANN401, D102 - the same
    @property
    def context(self) -> Any: ...  # noqa: ANN401, D102 - `multiprocessing`'s of forking
    @property
    def multiprocessing(self) -> Any: ...  # noqa: ANN401, D102 - the same
    @property
    def util(self) -> Any: ...  # noqa: ANN401, D102 - `multiprocessing.util`
    @property
    def connection(self) -> Any: ...  # noqa: ANN401, D102 - `multiprocessing.connection`

    def step(self) -> None:
        """Let others go on, if they want to."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Functions that run at the same time, one thread each, and what is asked of their answers at the end.

    What a function raises is its answer too: the name of the exception.
    """

    functions: tuple[Callable[[], object], ...]
    ask: Callable[[Sequence[object]], object] = tuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Litmus:
    """A program and its possible outcomes.

    Attributes:
        bounds: Within these all schedules are run.
        real: Whether it is run for real as well; not if it can hang.
    """

    name: str
    about: str
    make: Callable[[Modules], Scenario]
    outcomes: frozenset[object]
    bounds: Bounds
    real: bool


@dataclass(slots=True)
class Catalogue:
    """The programs of a module, in order."""

    programs: list[Litmus] = field(default_factory=list)

    def litmus(
        self,
        outcomes: Iterable[object],
        *,
        preemptions: int = 3,
        kills: int = 0,
        ticks: int = 0,
        real: bool = True,
    ) -> Callable[[Callable[[Modules], Scenario]], Callable[[Modules], Scenario]]:
        """Add a function, with everything that can come of it."""

        def add(make: Callable[[Modules], Scenario]) -> Callable[[Modules], Scenario]:
            self.programs.append(
                Litmus(
                    name=make.__name__,
                    about=make.__doc__ or "",
                    make=make,
                    outcomes=frozenset(outcomes),
                    bounds=Bounds(preemptions=preemptions, kills=kills, ticks=ticks),
                    real=real and STUCK not in outcomes,
                )
            )
            return make

        return add


def answer(function: Callable[[], object]) -> object:
    """What a function returns, or the name of what it raises."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - it is the answer
        return type(error).__name__
