"""How many schedules a second the simulated world makes, beside other tools and real threads in the same run.

    python ci/benchmarks/simulated_speed.py [--seconds 2] [--rounds 5] [--json]

The program is four submits to a pool of two, one cancel, a shutdown. In the world it runs as the harness runs
it: with the epilogue that reads every outcome, everything recorded, every history that was not seen before
judged. The others make the same calls: a new standard pool of real threads each time; `interleave-test` and
`frontrun`, if they are installed in this Python (a tool that is not is left out, and said to be).

Each round gives every contestant its seconds, by turns. What is printed is the median of the rounds, with the
spread; the share of schedules that were different, and of different happens-before classes; and how many
times faster the world is than each of the others.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import gc
import importlib
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from harness.arenas.simulated.fingerprint import fingerprint  # noqa: E402 - found only after the line above
from harness.arenas.simulated.strategies.pct import Pct  # noqa: E402 - the same
from harness.arenas.simulated.strategies.random_walk import RandomWalk  # noqa: E402 - the same
from harness.arenas.simulated.world import World  # noqa: E402 - the same
from harness.judge.judge import judge  # noqa: E402 - the same
from harness.specs import load_rules  # noqa: E402 - the same
from harness.values.operation import Cancel, Shutdown, Submit  # noqa: E402 - the same
from harness.values.program import Lane, Pool, Program, Script  # noqa: E402 - the same
from harness.values.subject import Subject  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TASKS = 4
WORKERS = 2
RULES = load_rules()
THREADS = "concurrent.futures:ThreadPoolExecutor"
PROCESSES = "concurrent.futures:ProcessPoolExecutor"
PROGRAM = Program(
    pools=(Pool(workers=WORKERS),),
    tasks=tuple(Script(task=f"t{number}") for number in range(TASKS)),
    lanes=(
        Lane(
            operations=(
                *(Submit(executor="e0", future=f"f{number}", task=f"t{number}") for number in range(TASKS)),
                Cancel(future=f"f{TASKS - 1}"),
                Shutdown(executor="e0"),
            )
        ),
    ),
)


@dataclass(slots=True)
class Contestant:
    """A way to run the program; `batch` runs it some times and returns how often."""

    name: str
    batch: Callable[[], int]
    rates: list[float] = field(default_factory=list)
    about: Callable[[], str] = lambda: ""

    def compete(self, seconds: float) -> None:
        """Run for so long, and note the rate."""
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            count += self.batch()
        self.rates.append(count / (time.perf_counter() - begun))

    @property
    def rate(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rates)


class Explorer:
    """Runs the program in a world, over and over."""

    def __init__(self, target: str, kind: Any, strategy: Any, granularity: Any) -> None:  # noqa: ANN401 - literals
        """Load the world."""
        self._world = World(target, granularity=granularity)
        self._strategy = strategy
        self._subject = Subject(name="it", target=target, kind=kind, prefetch=5 if kind == "process" else 0)
        self._number = 0
        self._schedules: set[int] = set()
        self._classes: set[int] = set()
        self._judged: set[int] = set()

    def batch(self) -> int:
        """Fifty runs."""
        for _ in range(50):
            self._strategy.begin(self._number)
            run = self._world.run(PROGRAM, self._strategy)
            self._strategy.end(len(run.trace.log), len(run.trace.went))
            self._number += 1
            if (steps := run.trace.fingerprint()) in self._schedules:
                continue
            self._schedules.add(steps)
            self._classes.add(run.trace.class_fingerprint())
            if (seen := fingerprint(run.events)) not in self._judged:
                self._judged.add(seen)
                judge(run.history, self._subject, RULES)
        return 50

    def about(self) -> str:
        """What the runs had in them."""
        distinct, classes, judged = (
            f"{len(each) / self._number:4.0%}" for each in (self._schedules, self._classes, self._judged)
        )
        return f"{distinct} distinct, {classes} classes, {judged} judged"


def real_threads() -> int:
    """The same calls on real threads."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(int, number) for number in range(TASKS)]
        futures[-1].cancel()
    for future in futures:
        if not future.cancelled():
            future.result()
    return 1


def interleave_test(strategy: str) -> Callable[[], int]:
    """The same calls under `interleave-test`."""
    tool: Any = importlib.import_module("interleave_test")
    seeds = iter(range(1_000_000))

    def batch() -> int:
        tool.explore(real_threads, iterations=20, seed=next(seeds), strategy=strategy)
        return 20

    return batch


def frontrun() -> int:
    """The same calls as a worker of `frontrun`, which wants to have been started by its own command."""
    os.environ["FRONTRUN_ACTIVE"] = "1"
    tool: Any = importlib.import_module("frontrun")
    tool.explore(
        setup=lambda: None, workers=lambda _: real_threads() and None, count=1, invariant=lambda _: True,
        strategy="random", max_attempts=5, reproduce_on_failure=0,
    )  # fmt: skip
    return 5


def find_frontrun() -> Callable[[], int]:
    """See whether it is there."""
    importlib.import_module("frontrun")
    return frontrun


def contestants() -> Iterator[Contestant]:
    """Whoever is there."""
    for name, target, kind, strategy, granularity in (
        ("threads, synchronisation points, random", THREADS, "thread", RandomWalk(), "synchronisation"),
        ("threads, synchronisation points, PCT", THREADS, "thread", Pct(3), "synchronisation"),
        ("threads, statements, PCT", THREADS, "thread", Pct(3), "statement"),
        ("processes, synchronisation points, random", PROCESSES, "process", RandomWalk(), "synchronisation"),
    ):
        explorer = Explorer(target, kind, strategy, granularity)
        yield Contestant(f"world: {name}", explorer.batch, about=explorer.about)
    yield Contestant("real threads", real_threads)
    rivals: dict[str, Callable[[], Callable[[], int]]] = {
        "interleave-test, random": partial(interleave_test, "random"),
        "interleave-test, PCT": partial(interleave_test, "pct"),
        "frontrun, random": find_frontrun,
    }
    for name, make in rivals.items():
        try:
            yield Contestant(name, make())
        except ImportError:
            print(f"({name.partition(',')[0]} is not installed)")


def main() -> None:
    """Let them compete, and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="for each contestant in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    field_ = list(contestants())
    gc.collect()
    gc.freeze()  # as the process does that runs the world for the harness
    for _ in range(options.rounds):
        for each in field_:
            each.compete(options.seconds)
    ours = field_[0].rate
    if options.json:
        print(json.dumps({each.name: {"rates": each.rates, "about": each.about()} for each in field_}))
        return
    print(f"\n{'schedules a second':42} {'median':>8} {'least':>8} {'most':>8}   world is")
    for each in field_:
        ratio = "" if each.name.startswith("world") else f"{ours / each.rate:7.1f} x"
        spread = f"{each.rate:8.0f} {min(each.rates):8.0f} {max(each.rates):8.0f}"
        print(f"{each.name:42} {spread} {ratio:>10}   {each.about()}")


if __name__ == "__main__":
    main()
