"""One test function; the plugin makes an item of it for every subject and theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def test_conformance(conformance: Callable[[], None]) -> None:
    """The executor keeps the rules in every generated program of this theme."""
    conformance()
