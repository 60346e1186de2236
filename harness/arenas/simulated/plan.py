"""What is asked of the simulated arena: how many schedules of a program, and which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from harness.values.granularity import Granularity  # noqa: TC001 - the codec reads the types of the fields

Searching: TypeAlias = Literal["portfolio", "random", "sticky", "pct", "pos", "exhaustive"]
"""How schedules are searched for."""

Following: TypeAlias = Literal["replay", "guided", "around"]
"""How a given schedule is followed: exactly, by its labels, or by its labels and with random differences."""

SEARCHING: Final[tuple[Searching, ...]] = get_args(Searching)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Run a program under so many `schedules`.

    They are searched for, unless there is a `schedule` to be followed. All that is drawn derives from the
    `seed`. What comes back is every history that differs from those before, or `all` of them; with `steps`,
    each comes with the steps of its run.
    """

    schedules: int = 1
    seed: int = 0
    granularity: Granularity = "synchronisation"
    strategy: Searching = "portfolio"
    schedule: str = ""
    following: Following = "guided"
    all: bool = False
    steps: bool = False
