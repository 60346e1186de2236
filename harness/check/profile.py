"""How much work a run does, and the units in which it is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass


class UsageError(ValueError):
    """What the user asked for cannot be done; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The amount of work.

    An item (a subject, a theme, an arena) draws its programs in rounds, so many at a time: `programs`, or in
    the simulated arena, where each runs under a number of `schedules`, `simulated`. The digest names those of
    the first round. There are at most so many `rounds`, without limit if that is None, and none begins when
    the item's share of the `budget`, the wall time of the whole run in seconds, is used up. The `later`
    themes are left out where there is no time for them.
    """

    name: str
    programs: int
    simulated: int
    schedules: int
    budget: float
    rounds: int | None
    later: bool = True


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(name="quick", programs=40, simulated=20, schedules=25, budget=40.0, rounds=8, later=False),
        Profile(name="ci", programs=100, simulated=50, schedules=100, budget=300.0, rounds=None),
        Profile(name="nightly", programs=400, simulated=200, schedules=500, budget=7200.0, rounds=None),
    )
}

_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def profile_named(name: str) -> Profile:
    """Look a profile up."""
    if name not in PROFILES:
        raise UsageError(f"there is no profile {name!r}: take one of {', '.join(PROFILES)}")
    return PROFILES[name]


def seconds(text: str) -> float:
    """Read a duration: ``90``, ``90s``, ``2m``, ``1.5h``, ``200ms``."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text)
    if not found or found[2] not in _UNITS or float(found[1]) <= 0:
        raise UsageError(f"{text!r} is no duration: write it like 90s, 2m or 1.5h")
    return float(found[1]) * _UNITS[found[2]]
