"""All schedules of all small programs on the reference pools, within bounds: no violation, no deadlock.

    python ci/exhaustive.py [--seconds 600] [--operations 4] [--pool thread|process] [--every]

The programs: up to four operations from submit, cancel, result, shutdown (waiting or not) and, for processes,
one kill, up to symmetry (a future is named by the order of its submission, nothing is done to a future that
does not exist, a program begins with a submit), on two workers. The schedules: at most two preemptions for
threads; one preemption and one position of the kill for processes. Every history that was not seen before is
judged.

Two schedules that differ only in the order of independent steps come to the same, so a run is given up where
it is in a state in which another was with as much to be spent (`past` says what independent means, and what
is not seen: a variable that threads share without a lock). With ``--every`` each schedule is run to its end.

Even so, schedules without any preemption are too many where several actors block often. So the rounds deepen:
first without a detour (another successor than the default one of who blocked), then with one, with two, then
without a bound; for processes the kill alone and the preemption alone come before both. In each round the
small programs come first. When the time is up, the coverage says how far it came. The exit code is 1 if there
was a violation.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness.arenas.simulated.fingerprint import fingerprint  # noqa: E402 - found through the line above
from harness.arenas.simulated.past import Past  # noqa: E402 - the same
from harness.arenas.simulated.strategies.exhaustive import Bounds, Exhaustive  # noqa: E402 - the same
from harness.arenas.simulated.world import World  # noqa: E402 - the same
from harness.judge.judge import judge  # noqa: E402 - the same
from harness.model.progress import objection  # noqa: E402 - the same
from harness.specs import load_rules  # noqa: E402 - the same
from harness.values.operation import Cancel, Kill, Operation, Result, Shutdown, Submit  # noqa: E402 - the same
from harness.values.program import Lane, Pool, Program, Script  # noqa: E402 - the same
from harness.values.subject import Subject  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["thread", "process"]
TARGETS: dict[Kind, str] = {
    "thread": "reference_executor:ThreadPoolExecutor",
    "process": "reference_executor:ProcessPoolExecutor",
}
BOUNDS: dict[Kind, Bounds] = {
    "thread": Bounds(preemptions=2),
    "process": Bounds(preemptions=1, kills=1),
}
ROUNDS: dict[Kind, tuple[Bounds, ...]] = {
    "thread": tuple(replace(BOUNDS["thread"], detours=detours) for detours in (0, 1, 2, sys.maxsize)),
    "process": (
        replace(BOUNDS["process"], preemptions=0, detours=0),
        replace(BOUNDS["process"], kills=0, detours=0),
        *(replace(BOUNDS["process"], detours=detours) for detours in (0, 1, 2, sys.maxsize)),
    ),
}
RULES = load_rules()
_EVERY = 30.0  # seconds between two lines of progress


@dataclass(slots=True)
class Coverage:
    """How far it came, on one pool."""

    programs: int = 0
    complete: int = 0
    schedules: int = 0
    pruned: int = 0
    histories: int = 0
    violations: list[str] = field(default_factory=list)

    def line(self, kind: Kind, bounds: Bounds, total: int) -> str:
        """One line of it."""
        detours = "any number of" if bounds.detours == sys.maxsize else f"{bounds.detours}"
        return (
            f"{kind}, at most {bounds.preemptions} preemptions, {bounds.kills} kills, {detours} detours: "
            f"{self.complete} of {total} programs exhausted, {self.programs - self.complete} begun; "
            f"{self.schedules} schedules, {self.pruned} of them given up as known, "
            f"{self.histories} histories judged, {len(self.violations)} violations"
        )


def programs(kind: Kind, longest: int) -> Iterator[Program]:
    """All programs of up to so many operations, the small ones first."""
    for length in range(1, longest + 1):
        for operations in _sequences(kind, length, ()):
            submits = sum(isinstance(each, Submit) for each in operations)
            program = Program(
                pools=(Pool(workers=2),),
                tasks=tuple(Script(task=f"t{number}") for number in range(submits)),
                lanes=(Lane(operations=operations),),
            )
            if not objection(program):
                yield program


def _sequences(kind: Kind, left: int, before: tuple[Operation, ...]) -> Iterator[tuple[Operation, ...]]:
    if not left:
        yield before
        return
    for step in _steps(kind, before):
        yield from _sequences(kind, left - 1, (*before, step))


def _steps(kind: Kind, before: tuple[Operation, ...]) -> Iterator[Operation]:
    """What may come next, up to symmetry."""
    submitted = sum(isinstance(each, Submit) for each in before)
    if not any(isinstance(each, Shutdown) for each in before):  # afterwards it is refused, and that is all
        yield Submit(executor="e0", future=f"f{submitted}", task=f"t{submitted}")
    if not submitted:
        return
    for number in range(submitted):
        yield Cancel(future=f"f{number}")
        yield Result(future=f"f{number}")
    yield Shutdown(executor="e0")
    yield Shutdown(executor="e0", wait=False)
    if kind == "process" and not any(isinstance(each, Kill) for each in before):
        yield Kill(executor="e0")


def _of(program: Program, bounds: Bounds) -> Bounds:
    """What a program can use of the bounds: without a kill, an earlier round may have had all of it."""
    strikes = any(isinstance(each, Kill) for lane in program.lanes for each in lane.operations)
    return bounds if strikes else replace(bounds, kills=0)


def exhaust(  # noqa: PLR0913, PLR0917 - where, what, how, and until when
    world: World, subject: Subject, program: Program, strategy: Exhaustive, coverage: Coverage, end: float
) -> None:
    """Run a program under all its schedules, or until time is up."""
    seen: set[int] = set()
    coverage.programs += 1
    while not strategy.exhausted and time.monotonic() < end:
        strategy.begin(0)
        run = world.run(program, strategy)
        strategy.end(len(run.trace.log), len(run.trace.went))
        coverage.schedules += 1
        coverage.pruned += run.ending == "pruned"
        if run.ending == "pruned":
            continue
        known = fingerprint(run.events)
        if known in seen:
            continue
        seen.add(known)
        coverage.histories += 1
        judgement = judge(run.history, subject, RULES)
        for witness in judgement.witnesses:
            text = (
                f"{witness.rule}: {witness.text}\n  {program.to_json()}\n  {run.trace.schedule().to_text()}"
            )
            coverage.violations.append(text)
            print(text, flush=True)
        if judgement.inconclusive:
            coverage.violations.append(judgement.inconclusive)
            print(f"inconclusive: {judgement.inconclusive}\n  {program.to_json()}", flush=True)
    coverage.complete += strategy.exhausted


def explore(kind: Kind, longest: int, seconds: float, *, every: bool) -> bool:
    """All programs on one pool, within its time; whether all was well."""
    subject = Subject(
        name=TARGETS[kind],
        target=TARGETS[kind],
        kind=kind,
        prefetch=5 if kind == "process" else 0,
        death="breaks",
    )
    end = time.monotonic() + seconds
    chosen = list(programs(kind, longest))
    world = World(TARGETS[kind])
    gc.collect()
    gc.freeze()
    well = True
    exhausted: dict[str, Bounds] = {}
    for bounds in ROUNDS[kind]:
        if time.monotonic() > end:
            break
        coverage = Coverage()
        told = time.monotonic()
        for program in chosen:
            if time.monotonic() > end:
                break
            own = _of(program, bounds)
            if program.digest in exhausted and exhausted[program.digest].covers(own):
                coverage.programs += 1
                coverage.complete += 1
                continue
            strategy = Exhaustive(own, None if every else Past())
            exhaust(world, subject, program, strategy, coverage, end)
            if strategy.exhausted:
                exhausted[program.digest] = own
            if time.monotonic() - told > _EVERY:
                told = time.monotonic()
                print(coverage.line(kind, bounds, len(chosen)), flush=True)
        print(coverage.line(kind, bounds, len(chosen)), flush=True)
        well = well and not coverage.violations
    world.close()
    return well


def main() -> int:
    """Explore; the exit code says whether all was well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="for all pools together")
    parser.add_argument("--operations", type=int, default=4)
    parser.add_argument("--every", action="store_true", help="give up no schedule as known")
    parser.add_argument("--pool", choices=("thread", "process"), action="append")
    options = parser.parse_args()
    kinds: list[Kind] = options.pool or ["thread", "process"]
    well = True
    for kind in kinds:
        well = explore(kind, options.operations, options.seconds / len(kinds), every=options.every) and well
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
