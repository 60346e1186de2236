"""What counts as left behind."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from harness.arenas.real.census import helpers

if TYPE_CHECKING:
    import pytest


class ResourceTracker:
    """Stands for a package's own copy of multiprocessing's class."""

    _pid = 4_194_304  # more than any pid


def test_a_copied_resource_tracker_is_a_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with a copy of multiprocessing's helpers (loky has one) leaks no more than that does."""
    module = ModuleType("pool.backend.resource_tracker")
    module.__dict__["_resource_tracker"] = ResourceTracker()
    assert ResourceTracker._pid not in helpers()  # noqa: SLF001 - as in multiprocessing
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert ResourceTracker._pid in helpers()  # noqa: SLF001 - as above
