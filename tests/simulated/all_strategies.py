"""All strategies that draw, by name; run as a script, it tells what they do, for comparison."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harness.arenas.simulated.strategies.ambush import Ambush
from harness.arenas.simulated.strategies.around import Around
from harness.arenas.simulated.strategies.pct import Pct
from harness.arenas.simulated.strategies.portfolio import standard_portfolio
from harness.arenas.simulated.strategies.pos import Pos
from harness.arenas.simulated.strategies.random_walk import RandomWalk
from harness.arenas.simulated.strategies.sticky import Sticky
from harness.values.schedule import Decision, Schedule
from tests.simulated import toy_programs
from tests.simulated.toy_kernel import play

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.actor import Strategy

SCHEDULE = Schedule(
    decisions=(Decision(at=1, role="main/T1", instead="main", op="write", nth=1), Decision(at=2, role="main"))
)

DRAWING: dict[str, Callable[[], Strategy]] = {
    "random": RandomWalk,
    "sticky": Sticky,
    "pct1": lambda: Pct(1),
    "pct2": lambda: Pct(2),
    "pct3": lambda: Pct(3),
    "pct4": lambda: Pct(4),
    "pos": Pos,
    "ambush": lambda: Ambush(Pos()),
    "around": lambda: Around(SCHEDULE),
    "portfolio": standard_portfolio,
}

PROGRAMS = {
    program.__name__: program
    for program in (
        toy_programs.lost_update,
        toy_programs.locked_update,
        toy_programs.lock_order,
        toy_programs.polling,
        toy_programs.polling_for_time,
        toy_programs.timeout,
        toy_programs.late_death,
    )
}


def fingerprint(name: str, seeds: range) -> str:
    """What a strategy does with all programs and these seeds."""
    digest = hashlib.sha256()
    for program in PROGRAMS.values():
        strategy = DRAWING[name]()
        for seed in seeds:
            digest.update(repr(play(program, strategy, seed)).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    for name in DRAWING:
        print(name, fingerprint(name, range(20)))  # noqa: T201 - read by the test
