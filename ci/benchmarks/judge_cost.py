"""What it costs to judge a history: seconds of processor time, by the number of calls.

    python ci/benchmarks/judge_cost.py [--largest 10000] [--seed 0] [--json]

The histories are real ones. Generated programs are joined into one, each with names of its own, and run on
the standard library's thread pool in the real arena ("joined"); or one future is asked about again and again
while its task is held, finishes, and has finished ("one future"). Each size is judged three times, and the
best counts. The plot has a mark per size; `growth` is the exponent that fits best from the second size on:
1.0 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from harness.arenas.real.arena import Patience, RealArena  # noqa: E402 - found through the line above
from harness.arenas.real.journal import Journal  # noqa: E402 - the same
from harness.check.resolve import resolve, shape_of  # noqa: E402 - the same
from harness.generation.draw import draw  # noqa: E402 - the same
from harness.judge.judge import judge  # noqa: E402 - the same
from harness.specs import load_rules  # noqa: E402 - the same
from harness.values import operation as op  # noqa: E402 - the same
from harness.values.history import Called  # noqa: E402 - the same
from harness.values.program import Lane, Pool, Program, Script, epilogue  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.generation.composer import Shape
    from harness.values.history import History
    from harness.values.subject import Subject

TARGET = "concurrent.futures:ThreadPoolExecutor"
SMALLEST = 100
TRIES = 3
WIDTH = 60  # characters of the plot

_NAME = re.compile(r'"((?:[a-df-z])\w*?)(\d+)"')
_ENDS_ALL = (op.Shutdown, op.Enter, op.Leave, op.Construct)
_MAY_HANG = (op.Wait, op.AsCompleted)  # with CPython's known faults, and then the program is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One history: how many calls and events it has, and the seconds that judging took."""

    calls: int
    events: int
    seconds: float


def joined(programs: Iterator[Program], calls: int) -> Program:
    """One program with about so many calls, made of many."""
    operations: list[op.Operation] = []
    tasks: list[Script] = []
    for number, drawn in enumerate(programs):
        part = Program.from_json(_NAME.sub(rf'"\1\2x{number}"', drawn.to_json()))
        if len(part.pools) > 1 or len(part.lanes) > 1:
            continue
        operations += [each for each in part.lanes[0].operations if _fits(each)]
        operations += [
            op.Open(gate=gate) for gate in sorted({gate for task in part.tasks for gate in task.gates})
        ]
        tasks += part.tasks
        whole = Program(
            pools=(Pool(workers=4),), tasks=tuple(tasks), lanes=(Lane(operations=tuple(operations)),)
        )
        if len(operations) * 3 >= calls and whole.size + len(epilogue(whole)) >= calls:
            return whole
    raise AssertionError("the programs do not end")


def _fits(step: op.Operation) -> bool:
    """Whether the programs that come later can do with it."""
    return not isinstance(step, _ENDS_ALL + _MAY_HANG) and getattr(step, "deed", "record") != "shutdown"


def one_future(calls: int) -> Program:
    """A program that asks about one future so often."""
    third = calls // 12
    asked: tuple[op.Operation, ...] = (
        op.Done(future="f0"), op.Running(future="f0"), op.Cancelled(future="f0"), op.Cancel(future="f0"),
    )  # fmt: skip
    operations = (
        op.Submit(executor="e0", future="f0", task="t0"),
        *asked * third,
        op.Open(gate="g0"),
        *asked * third,
        op.Result(future="f0"),
        *asked * third,
    )
    return Program(tasks=(Script(task="t0", gates=("g0",)),), lanes=(Lane(operations=operations),))


def drawn(shape: Shape, seed: int) -> Iterator[Program]:
    """Programs without end."""
    while True:
        for theme in ("lifecycle", "map"):
            yield from draw(theme, shape, seed, 40)
        seed += 1


def measure(history: History, subject: Subject) -> Point:
    """Judge a history; the best of several tries."""
    rules = load_rules()
    best = math.inf
    for _ in range(TRIES):
        begun = time.process_time()
        judgement = judge(history, subject, rules)
        best = min(best, time.process_time() - begun)
    if judgement.inconclusive:
        raise SystemExit(
            f"a history of {len(history.events)} events proves nothing: {judgement.inconclusive}"
        )
    calls = sum(isinstance(event, Called) for event in history.events)
    return Point(calls=calls, events=len(history.events), seconds=best)


def growth(points: list[Point]) -> float:
    """The exponent of the power of the number of calls that fits best."""
    xs = [math.log(point.calls) for point in points]
    ys = [math.log(point.seconds) for point in points]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def show(kind: str, points: list[Point]) -> None:
    """The figures with a bar each."""
    print(f"{kind}: growth {growth(points[1:]):.2f}")
    longest = max(point.seconds for point in points)
    for point in points:
        bar = "#" * max(1, round(WIDTH * point.seconds / longest))
        print(f"  {point.calls:7,} calls {point.events:7,} events {point.seconds:8.3f} s  {bar}")


def main() -> int:
    """Run, judge, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--largest", type=int, default=10_000, help="calls of the longest history")
    parser.add_argument("--seed", type=int, default=0, help="other programs")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.largest < 4 * SMALLEST:
        parser.error(f"--largest is at least {4 * SMALLEST}, to tell how the cost grows")
    sizes = [SMALLEST * 2**step for step in range(64) if SMALLEST * 2**step < options.largest]
    folder = Path(tempfile.mkdtemp(prefix="exh-judge-"))
    try:
        with RealArena(folder, Journal(folder / "journal")) as arena:
            subject = resolve(arena, TARGET)
            shape = shape_of(subject, "real")
            kinds: dict[str, Callable[[int], Program]] = {
                "joined": lambda calls: joined(drawn(shape, options.seed), calls),
                "one future": one_future,
            }
            found = {
                kind: [
                    measure(arena.run(subject, make(calls), Patience()), subject)
                    for calls in [*sizes, options.largest]
                ]
                for kind, make in kinds.items()
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps({kind: [asdict(point) for point in points] for kind, points in found.items()}))
    else:
        for kind, points in found.items():
            show(kind, points)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
