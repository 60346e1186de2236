"""Many choices from one number: drawn one by one, Hypothesis gives many variations of a few programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_SCATTER: Final = 0x9E3779B97F4A7C15  # a factor that makes neighbours differ in all their digits
CORES: Final = st.sampled_from(range(1 << 24))  # of larger numbers Hypothesis prefers the small ones
"""The numbers from which choices follow."""


class Choices:
    """Choices that follow from one number, each evenly."""

    def __init__(self, number: int) -> None:
        """Begin with a number; those near it lead to other choices."""
        self._rest = number * _SCATTER % (1 << 64)

    def one_of(self, options: Sequence[T]) -> T:
        """The next choice."""
        self._rest, place = divmod(self._rest, len(options))
        return options[place]
