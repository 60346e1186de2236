"""Replays failing tokens by the thousand: is a failure the same wherever and however often it is run again?

    python ci/replay_campaign.py [--tokens 1000] [--rounds 3] [--seed 0]

First it makes tokens: programs and schedules of the simulated world that break a rule. They come from the
planted faults of `tests/simulated/planted.py`, from workers that are killed at bad moments, and from
programs as the harness draws them, on CPython's own pools with the faults that these have; each at every
granularity. Then each token, read back from its text, is replayed in three processes of its own for greenlets
and in three for threads. Every one of these processes has another hash seed, and gets the tokens in another
order, one after the other.

A replay has to have the verdict of the run that the token was made from (rules, texts, what excuses them),
its digest (every step and every event), and its history, to the letter. Prints each difference and a summary;
the exit code is 1 if there was one.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import sys
import tempfile
import time
import unittest.mock
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness.arenas.real.arena import RealArena  # noqa: E402 - found only after the line above
from harness.arenas.real.journal import Journal  # noqa: E402 - the same
from harness.arenas.simulated import backends  # noqa: E402 - the same
from harness.arenas.simulated.arena import SimulatedArena  # noqa: E402 - the same
from harness.arenas.simulated.plan import Plan  # noqa: E402 - the same
from harness.check.replay import this_python  # noqa: E402 - the same
from harness.check.resolve import resolve, shape_of  # noqa: E402 - the same
from harness.generation.draw import draw  # noqa: E402 - the same
from harness.generation.themes import themes_for  # noqa: E402 - the same
from harness.judge.excuse import excuse  # noqa: E402 - the same
from harness.judge.judge import judge  # noqa: E402 - the same
from harness.specs import load_deviations, load_rules  # noqa: E402 - the same
from harness.values.granularity import GRANULARITIES, Granularity  # noqa: E402 - the same
from harness.values.operation import Kill, Result, Shutdown, Submit  # noqa: E402 - the same
from harness.values.program import Lane, Program, Script  # noqa: E402 - the same
from harness.values.token import Token  # noqa: E402 - the same
from tests.simulated.planted import PLANTS, PROCESSES, THREADS  # noqa: E402 - the same
from tests.simulated.worlds import KILL  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.values.course import Observation
    from harness.values.subject import Subject
    from harness.values.verdict import Witness

FAULTS: Final = 6  # different ones, at least
_DRAWN: Final = 40  # programs of a theme
_SCHEDULES: Final = 60  # of a drawn program; of one that is known to fail it is as many as it takes
_OF_EACH: Final = 3  # tokens of a drawn program, so that many programs have some
_MOST: Final = 3000  # schedules of a program that is known to fail
_SHOWN: Final = 10  # differences that are printed
_AROUND: Final = 150  # characters before and after the place where two texts part
_EVERY: Final = 10.0  # seconds between two lines of progress


KILL_BUSY: Final = Program(
    tasks=(Script(task="t0", gates=("g0",)), Script(task="t1")),
    lanes=(
        Lane(
            operations=(
                *(Submit(executor="e0", future=f"f{number}", task=f"t{number}") for number in range(2)),
                Kill(executor="e0", task="t0"),
                Shutdown(executor="e0"),
            )
        ),
    ),
)
"""A worker dies in its task."""

KILL_EARLY: Final = Program(
    tasks=(Script(task="t0"), Script(task="t1")),
    lanes=(
        Lane(
            operations=(
                *(Submit(executor="e0", future="f0", task="t0"), Result(future="f0")),
                *(Kill(executor="e0"), Submit(executor="e0", future="f1", task="t1")),
            )
        ),
    ),
)
"""A worker dies while the next task is handed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where failing runs are to be had: an executor, found in `folder` if there is one, and programs for it.

    The `fault` is named by what was planted; without a name, by the rule or the deviation that it shows.
    """

    target: str
    programs: tuple[Program, ...]
    granularity: Granularity = "synchronisation"
    schedules: int = _MOST
    of_each: int = sys.maxsize
    fault: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What has to be the same in each replay."""

    verdict: tuple[str, ...]
    digest: str
    history: str

    def differences(self, other: Mark) -> str:
        """What differs, by name."""
        names = ("verdict", "digest", "history")
        return ", ".join(name for name in names if getattr(self, name) != getattr(other, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A token as a text, with the fault that it shows, where its executor is, and what its run was like."""

    token: str
    fault: str
    folder: str
    mark: Mark

    @property
    def granularity(self) -> Granularity:
        """That of the token: processes load a world for each, so tokens are replayed in groups."""
        course = Token.from_text(self.token).course
        return "synchronisation" if course is None else course.granularity


class Bench:
    """Subjects and rules, and a folder for the arenas' files."""

    def __init__(self, scratch: Path) -> None:
        """Probe the standard executors; what was planted changes nothing of what a probe asks."""
        self._scratch = scratch
        self._journal = Journal(scratch / "journal")
        self._rules, self._deviations = load_rules(), load_deviations()
        with RealArena(scratch, self._journal) as arena:
            self.subjects = {target: resolve(arena, target) for target in (THREADS, PROCESSES)}

    @contextlib.contextmanager
    def arena(self, folder: str, backend: str = "") -> Iterator[SimulatedArena]:
        """A new one; its process starts when it is first needed, with the hash seed that is set then.

        The folder comes first on its path, as it would if the user had put it on `PYTHONPATH`.
        """
        with (
            unittest.mock.patch.object(sys, "path", [*([folder] if folder else []), *sys.path]),
            SimulatedArena(self._scratch, self._journal, backend=backend) as arena,
        ):
            yield arena

    def judge(self, seen: Observation, subject: Subject) -> tuple[list[Witness], str, Mark]:
        """The witnesses, the name of the first one's deviation if it has one, and the mark of a run."""
        judgement = judge(seen.history, subject, self._rules)
        pairs = excuse(judgement.witnesses, seen.history, subject, self._deviations)
        verdict = [f"{witness} {known.id if known else ''}" for witness, known in pairs]
        mark = Mark(
            verdict=(*verdict, seen.doubt, judgement.inconclusive),
            digest="" if seen.course is None else seen.course.digest,
            history=seen.history.to_json(),
        )
        known = pairs[0][1] if pairs else None
        return [witness for witness, _ in pairs], known.id if known else "", mark


def sources(bench: Bench, gardens: Path, seed: int) -> list[Source]:
    """All places where failures come from."""
    planted = [
        Source(
            target=plant.target, programs=(plant.program,), fault=f"planted: {plant.key}",
            folder=str(plant.put(gardens / plant.key)),
        )
        for plant in PLANTS
    ]  # fmt: skip
    drawn = [
        Source(
            target=subject.target, programs=draw(theme, shape_of(subject, "simulated"), seed, _DRAWN),
            schedules=_SCHEDULES, of_each=_OF_EACH,
        )
        for subject in bench.subjects.values()
        for theme in themes_for(shape_of(subject, "simulated"))
    ]  # fmt: skip
    deaths = [Source(target=PROCESSES, programs=(program,)) for program in (KILL, KILL_BUSY, KILL_EARLY)]
    places = [*planted, *deaths, *drawn]
    return [replace(source, granularity=granularity) for source in places for granularity in GRANULARITIES]


def make(bench: Bench, source: Source, number: int, seed: int) -> Iterator[Case]:
    """So many failing tokens of a source, or fewer; no schedule twice."""
    made = 0
    with bench.arena(source.folder) as arena:
        for program in source.programs:
            for case in itertools.islice(
                failures(bench, arena, source, program, seed), min(source.of_each, number - made)
            ):
                made += 1
                yield case
            if made >= number:
                return


def failures(
    bench: Bench, arena: SimulatedArena, source: Source, program: Program, seed: int
) -> Iterator[Case]:
    """The failing runs of a program."""
    subject = bench.subjects[source.target]
    plan = Plan(schedules=source.schedules, seed=seed, granularity=source.granularity, all=True)
    known: set[str] = set()
    for seen in arena.explore(subject, program, plan):
        if seen.course is None or seen.course.schedule in known:
            continue
        known.add(seen.course.schedule)
        witnesses, deviation, mark = bench.judge(seen, subject)
        if witnesses:
            rule = witnesses[0].rule
            token = Token(
                program=program, target=source.target, rule=rule, python=this_python(), course=seen.course
            )
            yield Case(
                token=token.to_text(), fault=source.fault or deviation or rule, folder=source.folder,
                mark=mark,
            )  # fmt: skip


def contrast(one: str, other: str) -> str:
    """Where two texts part."""
    place = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(0, place - _AROUND)
    return "\n".join(f"  ...{text[start : place + _AROUND]}..." for text in (one, other))


@dataclass(slots=True)
class Campaign:
    """All replays: how many there were, and what was different."""

    cases: list[Case]
    replays: Counter[str] = field(default_factory=Counter)
    processes: int = 0
    differences: list[str] = field(default_factory=list)
    told: float = field(default_factory=time.monotonic)

    def run(self, bench: Bench, rounds: int, draws: random.Random) -> None:
        """Each token in so many processes with each backend."""
        carriers = ["greenlets", "threads"] if backends.greenlet is not None else ["threads"]
        for number, backend in itertools.product(range(rounds), carriers):
            for folder in sorted({case.folder for case in self.cases}):
                mine = [case for case in self.cases if case.folder == folder]
                seed = {"PYTHONHASHSEED": str(draws.randrange(2**32))}
                self.processes += 1
                with unittest.mock.patch.dict(os.environ, seed), bench.arena(folder, backend) as arena:
                    for case in shuffled(mine, draws):
                        self.replay(bench, arena, case, backend)
                        self.tell(f"round {number + 1}, {backend}")

    def replay(self, bench: Bench, arena: SimulatedArena, case: Case, backend: str) -> None:
        """One replay of one token."""
        token = Token.from_text(case.token)
        course, subject = token.course, bench.subjects[token.target]
        if course is None:
            raise ValueError("a token without a course cannot be replayed")
        plan = Plan(schedule=course.schedule, following="replay", granularity=course.granularity, all=True)
        seen, *_ = arena.explore(subject, token.program, plan)
        _, _, mark = bench.judge(seen, subject)
        self.replays[backend] += 1
        if different := case.mark.differences(mark):
            self.differences.append(
                f"{case.fault}: another {different} on {backend} with PYTHONHASHSEED="
                f"{os.environ['PYTHONHASHSEED']} ({seen.doubt or 'no doubt'})\n"
                f"{contrast(str(case.mark), str(mark))}\n  {case.token}"
            )
            if len(self.differences) <= _SHOWN:
                print(self.differences[-1], flush=True)

    def tell(self, where: str) -> None:
        """A line of progress, now and then."""
        if time.monotonic() - self.told > _EVERY:
            self.told = time.monotonic()
            print(f"{where}: {self.replays.total():,} replays, {len(self.differences)} differ", flush=True)

    def __str__(self) -> str:
        """The figures as one text."""
        counts = ", ".join(f"{count:,} on {backend}" for backend, count in self.replays.items())
        return (
            f"{len(self.cases):,} tokens, {self.replays.total():,} replays ({counts}) "
            f"in {self.processes} processes: {len(self.differences)} differ"
        )


def shuffled(cases: list[Case], draws: random.Random) -> Iterator[Case]:
    """The cases in a random order, but those of one granularity together, in a random order of these."""
    groups = [[case for case in cases if case.granularity == each] for each in GRANULARITIES]
    for group in draws.sample(groups, len(groups)):
        yield from draws.sample(group, len(group))


def describe(cases: Iterable[Case]) -> str:
    """What the tokens are of."""
    tokens = [(case.fault, Token.from_text(case.token)) for case in cases]
    faults = Counter(fault for fault, _ in tokens)
    pools = Counter(token.target.partition(":")[2] for _, token in tokens)
    grains = Counter(token.course.granularity for _, token in tokens if token.course is not None)
    kills = sum(
        any(isinstance(step, Kill) for lane in token.program.lanes for step in lane.operations)
        for _, token in tokens
    )
    lines = [f"  {count:5} {fault}" for fault, count in faults.most_common()]
    first = (
        f"{len(tokens):,} tokens; faults: {len(faults)}; with a kill: {kills}; {dict(pools)}; {dict(grains)}"
    )
    return "\n".join([first, *lines])


def gather(bench: Bench, gardens: Path, number: int, seed: int) -> list[Case]:
    """So many tokens, from all sources as evenly as these give them."""
    places = sources(bench, gardens, seed)
    cases: list[Case] = []
    for count, source in enumerate(places):
        share = -(-(number - len(cases)) // (len(places) - count))
        cases += make(bench, source, share, seed)
        print(f"made {len(cases):,} tokens, from {count + 1} of {len(places)} sources", flush=True)
    return cases


def main() -> int:
    """Make the tokens and replay them; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=1000, help="how many")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each token and backend")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other tokens and orders")
    options = parser.parse_args()
    campaign = Campaign([])
    with tempfile.TemporaryDirectory(prefix="exh-replay-") as folder:
        bench = Bench(Path(folder))
        try:
            campaign.cases += gather(bench, Path(folder) / "gardens", options.tokens, options.seed)
            print(describe(campaign.cases), flush=True)
            campaign.run(bench, options.rounds, random.Random(options.seed))  # noqa: S311 - not for secrets
        except KeyboardInterrupt:
            print(f"interrupted: {campaign}")
            return 130
    print(campaign)
    faults = len({case.fault for case in campaign.cases})
    if len(campaign.cases) >= options.tokens and faults >= FAULTS:
        return 1 if campaign.differences else 0
    print(f"too few: {options.tokens:,} tokens of {FAULTS} faults were asked for")
    return 1


if __name__ == "__main__":
    sys.exit(main())
