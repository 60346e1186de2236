"""Hunts for false alarms: many programs on executors that are right, with or without a busy machine.

    python ci/false_alarms.py --programs 100000             the safe executors, on all cores
    python ci/false_alarms.py --programs 5000 --hogs 8      beside eight processes that burn a core each

Prints a line for every broken MUST that nothing excuses, and how many ran; exits with 1 if there was one. An
interrupt ends it with what was counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ci.shares import in_processes, interrupted  # noqa: E402 - found through the line above
from harness.arenas.real.arena import Patience, RealArena  # noqa: E402 - the same
from harness.arenas.real.journal import Journal  # noqa: E402 - the same
from harness.check.resolve import resolve, shape_of  # noqa: E402 - the same
from harness.generation.draw import draw  # noqa: E402 - the same
from harness.generation.themes import themes_for  # noqa: E402 - the same
from harness.judge.excuse import excuse  # noqa: E402 - the same
from harness.judge.judge import judge  # noqa: E402 - the same
from harness.specs import load_deviations, load_rules  # noqa: E402 - the same
from tests.safe.executors import SAFE, Safe  # noqa: E402 - the same
from tests.safe.programs import fits  # noqa: E402 - the same

if TYPE_CHECKING:
    from harness.values.subject import Subject

_AT_ONCE = 100  # programs of one draw
_EVERY = 30.0  # seconds between two lines of progress


def burn() -> None:
    """Use a core up."""
    while True:
        pass


def alarms(
    arena: RealArena, subject: Subject, theme: str, seed: int, count: int
) -> tuple[int, list[str], int]:
    """Run one draw; how many programs ran, what was wrongly accused, and how many runs proved nothing."""
    rules, deviations = load_rules(), load_deviations()
    found, inconclusive = [], 0
    programs = [each for each in draw(theme, shape_of(subject), seed, count) if fits(each, subject.target)]
    for program in programs:
        history = arena.run(subject, program, Patience())
        judgement = judge(history, subject, rules)
        inconclusive += bool(judgement.inconclusive)
        for witness, known in excuse(judgement.witnesses, history, subject, deviations):
            if known is None and rules[witness.rule].level == "MUST":
                found.append(
                    f"{subject.name} {theme} {seed} {witness.rule}: {witness.text}\n  {program.to_json()}"
                )
    return len(programs), found, inconclusive


def work(number: int, safe: list[Safe], programs: int) -> tuple[int, int, int]:
    """One process's share: round after round over all executors and their themes, with seeds of its own."""
    folder = Path(tempfile.mkdtemp(prefix="exh-alarms-"))
    ran = wrong = nothing = 0
    told = time.monotonic()
    with RealArena(folder, Journal(folder / "journal"), import_from=(str(ROOT),)) as arena:
        subjects = [resolve(arena, each.target, fifo=each.order == "fifo") for each in safe]
        seed = 1000 * number
        while ran < programs:
            seed += 1
            for subject in subjects:
                for theme in themes_for(shape_of(subject)):
                    count, found, inconclusive = alarms(arena, subject, theme, seed, min(_AT_ONCE, programs))
                    ran, wrong, nothing = ran + count, wrong + len(found), nothing + inconclusive
                    for text in found:
                        print(text, flush=True)
                    if time.monotonic() - told > _EVERY:
                        told = time.monotonic()
                        print(
                            f"process {number}: {ran} programs, {wrong} alarms, {nothing} inconclusive",
                            flush=True,
                        )
                    if ran >= programs or interrupted():
                        return ran, wrong, nothing
    return ran, wrong, nothing


def main() -> int:
    """Run the hunt; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--programs", type=int, default=10_000, help="how many, over all executors")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time")
    parser.add_argument("--hogs", type=int, default=0, help="processes that burn a core each meanwhile")
    parser.add_argument("--kind", choices=("thread", "process", "both"), default="both")
    options = parser.parse_args()
    chosen = [each for each in SAFE if options.kind in ("both", each.kind)]
    hogs = [multiprocessing.Process(target=burn, daemon=True) for _ in range(options.hogs)]
    for hog in hogs:
        hog.start()
    share = options.programs // options.processes
    shares = [(number, chosen[number:] + chosen[:number], share) for number in range(options.processes)]
    begun = time.monotonic()
    totals, early = in_processes(work, shares)
    for hog in hogs:
        hog.terminate()
    ran, wrong, nothing = (sum(column) for column in zip(*totals, strict=True))
    when = f"{'interrupted after' if early else 'in'} {time.monotonic() - begun:.0f} s"
    print(f"{ran} programs {when}: {wrong} false alarms, {nothing} inconclusive")
    if early:
        return 130
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
