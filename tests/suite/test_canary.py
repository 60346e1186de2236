"""Whether a fault would be noticed is found out before anything is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.check import canary
from harness.check.canary import Showing
from harness.venues import Venues
from tests.suite.harness_run import REPOSITORY, run_harness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.check.finding import ArenaName

RIGHT = "tests.safe.executors:ThreadPerTask"
EACH_ARENA = pytest.mark.parametrize("arena", ["real", "simulated"])


@pytest.fixture
def showing(tmp_path: Path) -> Iterator[Showing]:
    """The canary with arenas of its own."""
    venues = Venues(tmp_path, (str(REPOSITORY),), lambda: None)
    yield Showing(venues)
    venues.close()


@EACH_ARENA
def test_the_canary_is_seen_to_be_broken(showing: Showing, arena: ArenaName) -> None:
    """By rule, in either arena; in the simulated one it takes a preemption."""
    assert showing.blindness(arena) == ""


@EACH_ARENA
def test_an_executor_that_is_right_is_no_canary(
    showing: Showing, arena: ArenaName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An arena that finds nothing wrong with what it is shown is taken to be blind."""
    monkeypatch.setattr(canary, "TARGET", RIGHT)
    assert f"the {arena} arena does not see that an executor" in showing.blindness(arena)


def test_a_blind_run_is_red(tmp_path: Path) -> None:
    """Nothing is searched, nothing is green, and the reason is given."""
    run = run_harness(tmp_path, "--executor", RIGHT, "-k", "map", "-p", "tests.suite.blindfold")
    assert run.status == 1
    assert "nothing that it finds or does not find can be believed" in run.out
    assert "holds" not in run.out
