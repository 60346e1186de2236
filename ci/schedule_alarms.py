"""Hunts for false alarms in the simulated world: many schedules of many programs on executors that are right.

    python ci/schedule_alarms.py --schedules 1000000            the reference pools and the safe executors
    python ci/schedule_alarms.py --only reference_executor:     those whose import path has this in it
    python ci/schedule_alarms.py --only concurrent.futures:     CPython's: shows what no deviation covers

Every distinct history is judged. Prints each rule that was broken and is not excused, with the program and
the schedule; how many schedules ran, by theme; and how many proved nothing. What a MAY leaves open is counted
apart. Exits with 1 after an alarm; an interrupt ends it with what was counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ci.shares import in_processes, interrupted  # noqa: E402 - found through the line above
from harness.arenas.real.arena import RealArena, SubjectError  # noqa: E402 - the same
from harness.arenas.real.journal import Journal  # noqa: E402 - the same
from harness.arenas.simulated.facades import Uncontrolled  # noqa: E402 - the same
from harness.arenas.simulated.fingerprint import fingerprint  # noqa: E402 - the same
from harness.arenas.simulated.strategies.portfolio import standard_portfolio  # noqa: E402 - the same
from harness.arenas.simulated.world import World  # noqa: E402 - the same
from harness.check.resolve import resolve, shape_of  # noqa: E402 - the same
from harness.generation.draw import draw  # noqa: E402 - the same
from harness.generation.themes import themes_for  # noqa: E402 - the same
from harness.judge.excuse import excuse  # noqa: E402 - the same
from harness.judge.judge import judge  # noqa: E402 - the same
from harness.specs import load_deviations, load_rules  # noqa: E402 - the same
from harness.values.rule import Level  # noqa: E402 - the same
from tests.safe.executors import SAFE  # noqa: E402 - the same
from tests.safe.programs import fits  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.generation.composer import Shape
    from harness.values.program import Program
    from harness.values.subject import Subject

_AT_ONCE: Final = 30  # programs of one draw
_EVERY: Final = 60.0  # seconds between two lines of progress
_PLAIN: Final = (
    "reference_executor:ThreadPoolExecutor",
    "reference_executor:ProcessPoolExecutor",
)
_STANDARD: Final = ("concurrent.futures:ThreadPoolExecutor", "concurrent.futures:ProcessPoolExecutor")


@dataclass(slots=True)
class Tally:
    """What was run, and what came of it."""

    schedules: Counter[str] = field(default_factory=Counter)
    histories: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    divergences: Counter[str] = field(default_factory=Counter)
    inconclusive: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Count what another counted."""
        for name in self.__slots__:
            getattr(self, name).update(getattr(other, name))

    def __str__(self) -> str:
        """The figures as one text."""
        themes = ", ".join(f"{theme} {count:,}" for theme, count in sorted(self.schedules.items()))
        return (
            f"{self.schedules.total():,} schedules ({themes}), "
            f"{self.histories.total():,} distinct histories; "
            f"alarms: {dict(self.alarms) or 'none'}; excused: {dict(self.excused) or 'none'}; "
            f"allowed, but told: {dict(self.divergences) or 'none'}; "
            f"proved nothing: {dict(self.inconclusive) or 'none'}"
        )


class Hunt:
    """One executor in its world."""

    def __init__(self, subject: Subject, tally: Tally) -> None:
        """Load it."""
        self.subject = subject
        self.world = World(subject.target)
        self.tally = tally
        self.refused = ""
        self.rules, self.deviations = load_rules(), load_deviations()

    @property
    def shape(self) -> Shape:
        """What its programs may contain."""
        return shape_of(self.subject, "simulated")

    def explore(self, theme: str, program: Program, seed: int, schedules: int) -> None:
        """Run a program under so many schedules and judge what is new."""
        strategy = standard_portfolio()
        seen: set[int] = set()
        for number in range(schedules):
            strategy.begin(seed * schedules + number)
            run = self.world.run(program, strategy)
            strategy.end(len(run.trace.log), len(run.trace.went))
            if run.ending == "uncontrolled":
                self.refused = run.detail
                print(f"{self.subject.target} is left out: {run.detail}", flush=True)
                return
            self.tally.schedules[theme] += 1
            history = run.history
            known = fingerprint(history.events)
            strategy.credit(new=known not in seen)
            if known in seen:
                continue
            seen.add(known)
            self.tally.histories[theme] += 1
            judgement = judge(history, self.subject, self.rules)
            if judgement.inconclusive:
                self.tally.inconclusive[judgement.inconclusive] += 1
            for witness, deviation in excuse(judgement.witnesses, history, self.subject, self.deviations):
                if deviation is not None:
                    self.tally.excused[deviation.id] += 1
                    continue
                alarm = f"{self.subject.name} {witness.rule}"
                if self.rules[witness.rule].level is Level.MAY:
                    self.tally.divergences[alarm] += 1
                    continue
                self.tally.alarms[alarm] += 1
                if self.tally.alarms[alarm] == 1:
                    print(
                        f"{alarm} ({theme}): {witness.text}\n  {program.to_json()}\n"
                        f"  {run.trace.schedule().to_text()}",
                        flush=True,
                    )


def hunts(targets: list[tuple[str, bool]], tally: Tally) -> list[Hunt]:
    """The executors that can be probed and loaded into a world; of the others a line says why not."""
    found = []
    folder = Path(tempfile.mkdtemp(prefix="exh-alarms-"))
    with RealArena(folder, Journal(folder / "journal"), import_from=(str(ROOT),)) as arena:
        for target, fifo in targets:
            try:
                found.append(Hunt(resolve(arena, target, fifo=fifo), tally))
            except (SubjectError, Uncontrolled) as error:
                print(f"{target} is left out: {error}", flush=True)
    return found


def work(number: int, targets: list[tuple[str, bool]], schedules: int, options: Options) -> Tally:
    """One process's share: round after round over its executors and their themes."""
    tally = Tally()
    told = time.monotonic()
    for hunt, theme, program, seed in endless(hunts(targets, tally), options.seed + 1000 * number):
        if hunt.refused:
            continue
        hunt.explore(theme, program, seed, options.of_each)
        if time.monotonic() - told > _EVERY:
            told = time.monotonic()
            print(f"process {number}: {tally}", flush=True)
        if tally.schedules.total() >= schedules or interrupted():
            break
    return tally


def endless(crew: list[Hunt], seed: int) -> Iterator[tuple[Hunt, str, Program, int]]:
    """Programs for every executor and theme, again and again."""
    while not all(hunt.refused for hunt in crew):
        seed += 1
        for hunt in crew:
            for theme in themes_for(hunt.shape):
                for program in draw(theme, hunt.shape, seed, _AT_ONCE):
                    if fits(program, hunt.subject.target):
                        yield hunt, theme, program, seed


@dataclass(frozen=True, slots=True)
class Options:
    """What processes are told."""

    seed: int
    of_each: int


def main() -> int:
    """Run the hunt; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schedules", type=int, default=20_000, help="how many, over all executors")
    parser.add_argument("--of-each", type=int, default=40, help="schedules of one program")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other programs and schedules")
    parser.add_argument("--only", default="", help="part of the import paths of the executors to run")
    options = parser.parse_args()
    known = [(target, True) for target in _PLAIN] + [(safe.target, safe.order == "fifo") for safe in SAFE]
    if options.only:
        known += [(target, True) for target in _STANDARD]
    chosen = [each for each in known if options.only in each[0]]
    asked = Options(options.seed, options.of_each)
    share = options.schedules // options.processes
    shares = [
        (number, chosen[number :: options.processes], share, asked)
        for number in range(options.processes)
        if chosen[number :: options.processes]
    ]
    begun = time.monotonic()
    tallies, early = in_processes(work, shares)
    total = Tally()
    for tally in tallies:
        total.add(tally)
    print(f"{'interrupted after' if early else 'in'} {time.monotonic() - begun:.0f} s: {total}")
    if early:
        return 130
    return 1 if total.alarms else 0


if __name__ == "__main__":
    sys.exit(main())
