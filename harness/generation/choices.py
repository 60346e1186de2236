"""Many choices from one number: drawn one by one, Hypothesis gives many variations of a few programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_SCATTER: Final = 0x9E3779B97F4A7C15  # a factor that makes neighbours differ in all their digits
_PART: Final = 256
CORES: Final = st.tuples(*[st.sampled_from(range(_PART))] * 3).map(
    lambda parts: (parts[0] * _PART + parts[1]) * _PART + parts[2]
)
"""The numbers from which choices follow.

They are drawn in parts: of a large number Hypothesis draws again what it drew before, or a small one. One
part that differs leads to other choices throughout.
"""


class Choices:
    """Choices that follow from one number, each evenly."""

    def __init__(self, number: int) -> None:
        """Begin with a number; those near it lead to other choices."""
        self._rest = (number * _SCATTER % (1 << 64)) >> 20  # the lower digits depend on a few only

    def one_of(self, options: Sequence[T]) -> T:
        """The next choice."""
        self._rest, place = divmod(self._rest, len(options))
        return options[place]
