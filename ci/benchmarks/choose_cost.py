"""What a choice costs: nanoseconds per `choose`, by strategy and number of ready actors.

    python ci/benchmarks/choose_cost.py [--rounds 9] [--choices 200] [--json]

A run of a program has a few hundred choice points, and thousands of runs are made in a second; so a choice
has to stay below a microsecond, and a random walk below 0.4 of one. Each round is a number of whole runs,
`begin` and `end` included; what is printed is the best round. "first" does not look, and shows what asking
costs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from harness.arenas.simulated.strategies.ambush import Ambush  # noqa: E402 - after the line above
from harness.arenas.simulated.strategies.exhaustive import Exhaustive  # noqa: E402 - the same
from harness.arenas.simulated.strategies.pct import Pct  # noqa: E402 - the same
from harness.arenas.simulated.strategies.portfolio import standard_portfolio  # noqa: E402 - the same
from harness.arenas.simulated.strategies.pos import Pos  # noqa: E402 - the same
from harness.arenas.simulated.strategies.random_walk import RandomWalk  # noqa: E402 - the same
from harness.arenas.simulated.strategies.replay import Replay  # noqa: E402 - the same
from harness.arenas.simulated.strategies.sticky import Sticky  # noqa: E402 - the same
from harness.values.schedule import Decision, Schedule  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.arenas.simulated.actor import A, Strategy

SIZES = (2, 4, 8)
RUNS = 50
NANOSECONDS = 1e9

SCHEDULE = Schedule(decisions=tuple(Decision(at=at, role="lane0") for at in (10, 50, 120)))


@dataclass(slots=True)
class Standing:
    """An actor that stands where it is."""

    index: int
    role: str
    op: str
    target: int
    where: int = 0
    spins: int = 0
    passive: bool = False


class First:
    """Chooses without looking: the cost of asking."""

    name = "first"

    def begin(self, seed: int) -> None:
        """Do nothing."""

    def choose(self, ready: Sequence[A], current: A | None) -> A:  # noqa: ARG002 - does not look
        """The first."""
        return ready[0]

    def end(self, steps: int, choices: int) -> None:
        """Do nothing."""


BOUND = 1000
BOUNDS = {"random": 400}
"""Nanoseconds; only those strategies have to be fast that make the runs of a search."""

MAKERS: tuple[Callable[[], Strategy], ...] = (
    First,
    RandomWalk,
    Sticky,
    lambda: Pct(3),
    Pos,
    lambda: Ambush(Sticky()),
    standard_portfolio,
    lambda: Replay(SCHEDULE),
    Exhaustive,
)


def crowd(size: int) -> list[Standing]:
    """Return so many actors, two by two at the same object."""
    return [Standing(number, f"lane{number}", "acquire", 1 + number // 2) for number in range(size)]


def cost(strategy: Strategy, size: int, choices: int, rounds: int) -> float:
    """Return the nanoseconds per choice, `begin` and `end` included, in the best round of some runs."""
    ready = crowd(size)
    times = []
    for number in range(rounds):
        begin = time.perf_counter()
        for seed in range(RUNS * number, RUNS * (number + 1)):
            run(strategy, ready, seed, choices)
        times.append(time.perf_counter() - begin)
    return min(times) / (RUNS * choices) * NANOSECONDS


def run(strategy: Strategy, ready: list[Standing], seed: int, choices: int) -> None:
    """Ask for so many choices; whoever was chosen is current at the next, except after each tenth."""
    strategy.begin(seed)
    choose = strategy.choose
    current = None
    for number in range(choices):
        current = choose(ready, current if number % 10 else None)
    strategy.end(choices, choices)


def main() -> int:
    """Measure everything; return 1 if a bound is exceeded."""
    parser = argparse.ArgumentParser(description="Tell what a choice costs, in nanoseconds.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--choices", type=int, default=200, help="choice points in a run")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each strategy")
    options = parser.parse_args()
    if not options.json:
        print(f"Python {sys.version.split()[0]}, ns per choice among so many ready actors")
        print(f"{'strategy':20}" + "".join(f"{size:8}" for size in SIZES))
    slow = 0
    for make in MAKERS:
        costs = {size: cost(make(), size, options.choices, options.rounds) for size in SIZES}
        name = make().name
        slow += max(costs.values()) > BOUNDS.get(name, BOUND)
        row = f"{name:20}" + "".join(f"{value:8.0f}" for value in costs.values())
        print(json.dumps({"strategy": name, "nanoseconds": costs}) if options.json else row, flush=True)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
