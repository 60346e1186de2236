"""How soon a planted race is found: the simulated world beside stress, `interleave-test` and `frontrun`.

    python ci/benchmarks/time_to_failure.py [--seeds 20] [--budget 10] [--log FILE]
                                            [--faults cancel,wait] [--tools world,stress]

The faults are those of `tests/simulated/planted.py`: a dozen small changes in a copy of `concurrent.futures`,
each with the smallest program that can show it. Every tool runs the calls of that program, over and over,
until the fault has shown itself or its budget of seconds is used up; once for each seed.

**One oracle.** Whatever ran the program, the same function of what was observed (what each call returned or
raised, whether it returned at all, which tasks started, which callbacks were called, and when) says whether
that was the fault. What a tool itself reports as a failure does not count unless the oracle agrees, but it
may tell that a call would never have returned: a deadlock or a timeout of the tool. For plain stress, that is
what has not moved for two seconds. The time is that of the runs: without loading Python, the tool and the
world, and without the two seconds in which a hang is waited for.

**A control.** First each tool gets a copy without the fault. If it reports a failure nevertheless, of
whatever kind, it does not control such a pool, and its figures would mean nothing: the table says so.

The tools: the `world` with the portfolio of strategies, as the harness uses it, and with one strategy alone;
`stress`: real threads, a new pool each time, a switch interval of a microsecond; `interleave-test` (random
and PCT), told to preempt in the copy only; `frontrun` (random and DPOR), whose threads are the program's
lanes, since it knows no others. For both, the lock that a module of the pool makes when it is imported is
made anew in each run, so that they can control it. A tool that is not installed in this Python is left out.
All run one after the other, each in processes of its own.

With `--log`, every hunt that is over is kept in a file, and those that are there already are not done again.
Interrupted, it prints the table of what it has.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.util
import json
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ci.benchmarks.real_calls import Performance  # noqa: E402 - found only after the line above
from harness.arenas.simulated.plan import Searching  # noqa: E402 - the same
from harness.arenas.simulated.strategies.chance import derive  # noqa: E402 - the same
from harness.arenas.simulated.strategies.named import searching  # noqa: E402 - the same
from harness.arenas.simulated.strategies.portfolio import Portfolio  # noqa: E402 - the same
from harness.arenas.simulated.strategies.replay import Guided  # noqa: E402 - the same
from harness.arenas.simulated.world import World  # noqa: E402 - the same
from harness.values.history import Stuck  # noqa: E402 - the same
from harness.values.program import Program  # noqa: E402 - the same
from tests.simulated.planted import PLANTS, Plant, Seen  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Hunt = Callable[[Plant, int, "Clock"], bool]

PATIENCE: Final = 2.0
"""Seconds without any event after which a run on real threads is said to hang."""

_GLANCE: Final = 0.05  # seconds between two looks at a run on real threads
_GRACE: Final = 15.0  # seconds beyond its budget after which a tool is taken to be out of control
_CONTROL: Final = 2.0  # seconds for the copy without the fault
_AT_ONCE: Final = 10  # runs of a tool between two looks at the clock
CONTROL: Final = -1  # the seed of the hunt in the copy without the fault
_HANG: Final = Stuck(at=1 << 62, stacks="")


@dataclass(slots=True)
class Clock:
    """The budget of one hunt.

    `tries` counts the runs, `odd` the failures that were none for the oracle; `waited` is the part of the
    time that does not count; `hung` says that threads were left behind.
    """

    budget: float
    tries: int = 0
    odd: int = 0
    hung: bool = False
    waited: float = 0.0
    _begun: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """How long the runs took so far."""
        return time.perf_counter() - self._begun - self.waited

    @property
    def runs(self) -> bool:
        """Whether there is time left."""
        return self.seconds < self.budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one hunt: after so many `seconds` and `tries` the fault was seen, or given up.

    `odd` counts failures that the tool reported, and that were not this fault; `stuck` says that it had to be
    killed.
    """

    fault: str
    tool: str
    seed: int
    found: bool
    seconds: float
    tries: int
    odd: int = 0
    stuck: bool = False


# The tools, in the child.


@cache
def _world(target: str) -> World:
    """The world of what is in front on the path now, warm, as the harness keeps it."""
    world = World(target)
    world.run(Program(), Guided())
    gc.collect()
    gc.freeze()
    return world


def in_world(name: Searching, plant: Plant, seed: int, clock: Clock) -> bool:
    """Schedules of one strategy; a portfolio is told what was new, as in the harness."""
    world, strategy = _world(plant.target), searching(name)
    known: set[int] = set()
    while clock.runs:
        strategy.begin(derive(seed, str(clock.tries)))
        run = world.run(plant.program, strategy)
        strategy.end(len(run.trace.log), len(run.trace.went))
        clock.tries += 1
        if isinstance(strategy, Portfolio):
            steps = run.trace.fingerprint()
            strategy.credit(new=steps not in known)
            known.add(steps)
        if plant.shows(Seen(run.events)):
            return True
    return False


def stress(plant: Plant, _seed: int, clock: Clock) -> bool:
    """The calls on real threads, again and again."""
    sys.setswitchinterval(1e-6)
    while clock.runs:
        performance = Performance(plant.program, plant.target)
        runner = threading.Thread(target=performance.play, daemon=True)
        runner.start()
        clock.tries += 1
        clock.hung, waited = _hangs(runner, performance)
        clock.waited += waited
        if plant.shows(Seen([*performance.events, *([_HANG] if clock.hung else [])])):
            return True
        if clock.hung:  # not by this fault: who knows what moves there still
            clock.odd += 1
            return False
    return False


def _hangs(runner: threading.Thread, performance: Performance) -> tuple[bool, float]:
    """Whether a run stands still, and how long that was waited for."""
    seen, since = 0, time.perf_counter()
    while True:
        runner.join(_GLANCE)
        if not runner.is_alive():
            return False, 0.0
        if len(performance.events) > seen:
            seen, since = len(performance.events), time.perf_counter()
        elif (waited := time.perf_counter() - since) > PATIENCE:
            return True, waited


class _Copies:
    """Makes performances for a tool that has replaced `threading`, and remembers the last one."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._module: Any = importlib.import_module("concurrent.futures.thread")
        logging.getLogger("concurrent.futures").disabled = True  # it asks `threading` who is speaking
        self.last: Performance | None = None

    @property
    def folder(self) -> str:
        """Where the copy of the pools is."""
        return str(Path(self._module.__file__).parent)

    def make(self) -> Performance:
        """A new one; what the module made of the real `threading` when it was imported is made anew."""
        self.last = None
        self._module._global_shutdown_lock = threading.Lock()  # noqa: SLF001 - a lock that nothing else can reach
        self.last = Performance(self._plant.program, self._plant.target)
        return self.last

    def show(self, *, hung: bool = False) -> bool:
        """Whether the last one showed the fault."""
        events = [] if self.last is None else self.last.events
        return self._plant.shows(Seen([*events, *([_HANG] if hung else [])]))


def interleave_test(strategy: str, plant: Plant, seed: int, clock: Clock) -> bool:
    """Schedules of `interleave-test`, with a seed of its own for each few of them."""
    tool: Any = importlib.import_module("interleave_test")
    copies = _Copies(plant)

    def model() -> None:
        copies.make().play()
        if copies.show():
            raise AssertionError

    for batch in takewhile(lambda _: clock.runs, count()):
        result = tool.explore(
            model, iterations=_AT_ONCE, seed=derive(seed, str(batch)) % 2**32, strategy=strategy,
            include=[copies.folder], timeout=PATIENCE, raise_on_failure=False,
        )  # fmt: skip
        clock.tries += result.schedules_run
        if result.failure is not None:
            clock.hung = result.failure.kind in ("deadlock", "hang")
            clock.waited += PATIENCE if result.failure.kind == "hang" else 0.0
            if copies.show(hung=clock.hung):
                return True
            clock.odd += 1
    return False


def frontrun(strategy: str, plant: Plant, seed: int, clock: Clock) -> bool:
    """Schedules of `frontrun`; it wants to have been started by its own command."""
    os.environ["FRONTRUN_ACTIVE"] = "1"
    tool: Any = importlib.import_module("frontrun")
    copies = _Copies(plant)
    workers = [lambda run, lane=lane: run.lanes[lane]() for lane in range(len(plant.program.lanes))]
    for batch in takewhile(lambda _: clock.runs, count()):
        draws = {"max_attempts": _AT_ONCE, "seed": derive(seed, str(batch)) % 2**32}
        result = tool.explore(
            setup=copies.make, workers=workers, invariant=lambda _: not copies.show(), strategy=strategy,
            timeout_per_run=PATIENCE, deadlock_timeout=PATIENCE, reproduce_on_failure=0,
            total_timeout=max(0.1, clock.budget - clock.seconds), **(draws if strategy == "random" else {}),
        )  # fmt: skip
        clock.tries += result.num_explored
        late = result.property_holds is None and "timed out" in (result.inconclusive_reason or "")
        clock.hung = late or (not result.property_holds and "eadlock" in (result.explanation or ""))
        clock.waited += PATIENCE if late else 0.0
        if copies.show(hung=clock.hung):
            return True
        clock.odd += not result.property_holds
        if clock.hung or strategy == "dpor":  # threads are left behind; all orders that it knows were tried
            return False
    return False


_ALONE: Final = tuple(name for name in get_args(Searching) if name not in ("portfolio", "exhaustive"))

TOOLS: Final[dict[str, tuple[str, Hunt]]] = {
    "world": ("", partial(in_world, "portfolio")),
    "stress": ("", stress),
    "interleave-test random": ("interleave_test", partial(interleave_test, "random")),
    "interleave-test PCT": ("interleave_test", partial(interleave_test, "pct")),
    "frontrun random": ("frontrun", partial(frontrun, "random")),
    "frontrun DPOR": ("frontrun", partial(frontrun, "dpor")),
    **{f"world, {name} alone": ("", partial(in_world, name)) for name in _ALONE},
}
"""The module that a tool needs, and how it hunts."""


def serve() -> None:
    """The child: hunt with each seed and print a line for each, until threads are left behind."""
    asked = json.loads(sys.argv[1])
    plant = next(each for each in PLANTS if each.key == asked["fault"])
    _, hunt = TOOLS[asked["tool"]]
    if asked["tool"].startswith("world"):
        _world(plant.target)
    for seed in asked["seeds"]:
        clock = Clock(asked["budget"])
        found = hunt(plant, seed, clock)
        result = Result(
            fault=plant.key, tool=asked["tool"], seed=seed, found=found, seconds=clock.seconds,
            tries=clock.tries, odd=clock.odd,
        )  # fmt: skip
        print(json.dumps(asdict(result)), flush=True)
        if clock.hung:
            break
    os._exit(0)


# The parent.


def hunts(plant: Plant, tool: str, seeds: Iterable[int], budget: float, folder: Path) -> Iterator[Result]:
    """One result for each seed, from as many children as it takes."""
    left = list(seeds)
    while left:
        asked = {"fault": plant.key, "tool": tool, "seeds": left.copy(), "budget": budget}
        for result in _child(asked, folder, budget + _GRACE):
            left.remove(result.seed)
            yield result
        if left == asked["seeds"]:
            yield Result(
                fault=plant.key, tool=tool, seed=left.pop(0), found=False, seconds=budget, tries=0, stuck=True
            )


def _child(asked: dict[str, Any], folder: Path, patience: float) -> Iterator[Result]:
    """What a child prints, until it ends or is silent for too long."""
    command = [sys.executable, "-c", "from ci.benchmarks.time_to_failure import serve; serve()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    with subprocess.Popen(  # noqa: S603 - this program itself
        [*command, json.dumps(asked)], env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as child:  # fmt: skip
        try:
            while line := _line(child, patience):
                yield Result(**json.loads(line))
        finally:
            _end(child)


def _line(child: subprocess.Popen[str], patience: float) -> str:
    """The next line; none if the child ended, or had to be ended."""
    output: Any = child.stdout  # it was asked for
    alarm = threading.Timer(patience, _end, [child])
    alarm.start()
    try:
        return str(output.readline())
    finally:
        alarm.cancel()


def _end(child: subprocess.Popen[str]) -> None:
    """End a child and whatever it started."""
    with contextlib.suppress(ProcessLookupError):  # it has ended, with all of its session
        os.killpg(child.pid, signal.SIGKILL)


@dataclass(slots=True)
class Ledger:
    """The results so far, and the file in which they are kept, if any."""

    file: Path | None = None
    results: dict[tuple[str, str, int], Result] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what is there."""
        if self.file is not None and self.file.exists():
            for line in self.file.read_text().splitlines():
                result = Result(**json.loads(line))
                self.results[result.fault, result.tool, result.seed] = result

    def add(self, result: Result) -> None:
        """Keep a result."""
        self.results[result.fault, result.tool, result.seed] = result
        if self.file is not None:
            with self.file.open("a") as kept:
                kept.write(json.dumps(asdict(result)) + "\n")

    def of(self, fault: str, tool: str) -> list[Result]:
        """What a tool found of a fault, without the control."""
        mine = [each for each in self.results.values() if (each.fault, each.tool) == (fault, tool)]
        return [each for each in mine if each.seed != CONTROL]

    def tricked(self, fault: str, tool: str) -> bool:
        """Whether the tool saw a failure where there is none."""
        control = self.results.get((fault, tool, CONTROL))
        return control is not None and (control.found or control.stuck or control.odd > 0)


def measure(plant: Plant, tool: str, options: argparse.Namespace, scratch: Path, ledger: Ledger) -> None:
    """All hunts of one tool for one fault that were not done yet, the control first."""
    faulty, mended = scratch / plant.key / "faulty", scratch / plant.key / "mended"
    if (plant.key, tool, CONTROL) not in ledger.results:
        for result in hunts(plant, tool, [CONTROL], min(_CONTROL, options.budget), mended):
            ledger.add(result)
    if ledger.tricked(plant.key, tool):
        return
    seeds = [seed for seed in range(options.seeds) if (plant.key, tool, seed) not in ledger.results]
    for result in hunts(plant, tool, seeds, options.budget, faulty):
        ledger.add(result)


def quantile(values: Iterable[float], share: float) -> float:
    """The value at this share of a list, infinite if it is not among those that were found."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def cell(ledger: Ledger, fault: str, tool: str) -> str:
    """Median and 95th percentile of the seconds, and (of the schedules), as a table has it."""
    if ledger.tricked(fault, tool):
        return "does not control it"
    results = ledger.of(fault, tool)
    found = sum(each.found for each in results)
    if not found:
        return "not found" if results else ""
    seconds = [each.seconds if each.found else math.inf for each in results]
    tries = [each.tries if each.found else math.inf for each in results]
    some = "" if found == len(results) else f", {found} of {len(results)}"
    return f"{_both(seconds, '.2g')} s ({_both(tries, '.0f')}){some}"


def _both(values: list[float], form: str) -> str:
    shown = [quantile(values, share) for share in (0.5, 0.95)]
    return " / ".join("-" if math.isinf(each) else _plain(each, form) for each in shown)


def _plain(value: float, form: str) -> str:
    """A number without an exponent."""
    return f"{float(format(value, form)):.10g}" if value >= 0.0001 else "0"  # noqa: PLR2004 - seconds


def table(ledger: Ledger, plants: list[Plant], tools: list[str]) -> str:
    """Everything that was measured, as Markdown: a row for each fault."""
    rows = [["fault", *tools], ["---"] * (len(tools) + 1)]
    rows += [[plant.name, *(cell(ledger, plant.key, tool) for tool in tools)] for plant in plants]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _installed(tool: str) -> bool:
    module, _ = TOOLS[tool]
    return not module or importlib.util.find_spec(module) is not None


def _chosen(text: str, known: list[str], what: str, parser: argparse.ArgumentParser) -> list[str]:
    """Those of the known names that were asked for, all if none were."""
    names = text.split(",") if text else known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no {what} {unknown[0]!r}; there are: {', '.join(known)}")
    return names


def main() -> int:
    """Measure, and print the table; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="hunts of each tool for each fault")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds of one hunt")
    parser.add_argument("--log", type=Path, help="a file of results, to go on from")
    parser.add_argument("--faults", default="", help="some of the faults")
    parser.add_argument("--tools", default="", help="some of the tools")
    options = parser.parse_args()
    keys = _chosen(options.faults, [plant.key for plant in PLANTS], "fault", parser)
    tools = _chosen(options.tools, list(TOOLS), "tool", parser)
    for tool in tools:
        if not _installed(tool):
            print(f"({tool} is not installed)")
    tools = [tool for tool in tools if _installed(tool)]
    plants = [plant for plant in PLANTS if plant.key in keys]
    ledger = Ledger(options.log)
    interrupted = False
    with tempfile.TemporaryDirectory(prefix="exh-faults-") as folder:
        try:
            for plant in plants:
                for kind in ("faulty", "mended"):
                    plant.put(Path(folder) / plant.key / kind, mended=kind == "mended")
                for tool in tools:
                    measure(plant, tool, options, Path(folder), ledger)
                    print(
                        f"{plant.key}, {tool}: {cell(ledger, plant.key, tool)}", file=sys.stderr, flush=True
                    )
        except KeyboardInterrupt:
            interrupted = True
    print(
        f"\nMedian / 95th percentile of the seconds (and of the schedules) to the first failure; "
        f"{options.seeds} seeds, at most {options.budget:g} s each; Python {sys.version.split()[0]}.\n"
    )
    print(table(ledger, plants, tools))
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
