"""The same programs on peers: a share of an item's time goes into comparing the subject with them.

The peers of an executor are the reference and the standard library's of its kind. What one item of a run has
seen of a program serves the others, so in a run over all of them most comparisons cost no further run.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.arenas.real.arena import Patience, SubjectError
from harness.check.finding import STANDINGS, Comparison, Divergence
from harness.check.reduce import weight
from harness.judge.case import Case
from harness.judge.comparison import Difference, comparable, compare, names_in
from harness.judge.excuse import excuse
from harness.judge.judge import judge
from harness.judge.spelling import spell
from harness.values.token import Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.real.arena import RealArena
    from harness.check.law import Law
    from harness.values.deviation import Deviation
    from harness.values.history import History
    from harness.values.program import Program
    from harness.values.subject import Subject
    from harness.values.verdict import Witness

_SHARE = 0.15  # of the time of an item, for runs of peers and for comparing
_KEPT = 4000  # runs; a history takes some ten thousand bytes
_DOUBTS = 2  # times that a kind of difference is repeated in vain before it is taken for chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A conclusive run: its history, and every witness with the deviation that excuses it, if one does."""

    history: History
    pairs: tuple[tuple[Witness, Deviation | None], ...]


class Archive:
    """The latest conclusive runs of a process, by import path and program."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._kept: OrderedDict[tuple[str, str], Seen] = OrderedDict()

    def keep(self, target: str, seen: Seen) -> None:
        """Keep a run; of the same program on the same executor the latest stays."""
        self._kept[target, seen.history.program.digest] = seen
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def find(self, target: str, program: Program) -> Seen | None:
        """The latest run of a program on an executor."""
        return self._kept.get((target, program.digest))


@dataclass(slots=True)
class _Sighting:
    """A kind of difference that was seen again: how often, and the smallest program that shows it."""

    program: Program
    difference: Difference
    programs: int = 1

    def take(self, program: Program, difference: Difference) -> None:
        self.programs += 1
        if weight(program) < weight(self.program):
            self.program, self.difference = program, difference


@dataclass(slots=True)
class _Score:
    """What was seen of one peer."""

    standings: Counter[str] = field(default_factory=Counter)
    divergences: dict[tuple[str, ...], _Sighting] = field(default_factory=dict)
    doubts: Counter[tuple[str, ...]] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class Peers:
    """Compares the subject of one item with its peers, which are made when first needed."""

    arena: RealArena
    subject: Subject
    law: Law
    archive: Archive = field(default_factory=Archive)
    find: Callable[[], tuple[Subject, ...]] = tuple
    patience: Patience = field(default_factory=Patience)
    _scores: dict[str, _Score] = field(default_factory=dict)
    _spent: float = 0.0
    _begun: float = field(default_factory=time.monotonic)

    def look(self, seen: Seen) -> None:
        """Compare one run of the subject with runs of the same program on its peers, as long as time allows.

        Only what is `comparable` is.
        """
        self.archive.keep(self.subject.target, seen)
        begun = time.monotonic()
        if self._spent > _SHARE * (begun - self._begun) or not comparable(Case(seen.history, self.subject)):
            return
        for peer in self.find():
            theirs = self.archive.find(peer.target, seen.history.program) or self._run(
                peer, seen.history.program
            )
            if theirs is not None:
                score = self._scores.setdefault(peer.name, _Score())
                score.standings[self._standing(peer, score, seen, theirs)] += 1
        self._spent += time.monotonic() - begun

    def comparisons(self) -> tuple[Comparison, ...]:
        """What has come of it so far, a comparison for each peer."""
        return tuple(
            Comparison(
                peer=name, programs=score.standings.total(),
                **{standing: score.standings[standing] for standing in STANDINGS},
                divergences=tuple(self._present(each) for each in score.divergences.values()),
            )
            for name, score in self._scores.items()
        )  # fmt: skip

    def _run(self, subject: Subject, program: Program) -> Seen | None:
        """Run a program; None if the run proves nothing."""
        try:
            history = self.arena.run(subject, program, self.patience)
        except SubjectError:
            return None
        judgement = judge(history, subject, self.law.rules)
        if judgement.inconclusive:
            return None
        pairs = excuse(judgement.witnesses, history, subject, self.law.deviations)
        seen = Seen(history=history, pairs=tuple(pairs))
        self.archive.keep(subject.target, seen)
        return seen

    def _differences(self, peer: Subject, ours: Seen, theirs: Seen) -> tuple[Difference, ...]:
        return compare(Case(ours.history, self.subject), Case(theirs.history, peer))

    def _standing(self, peer: Subject, score: _Score, ours: Seen, theirs: Seen) -> str:
        """Count the program by the gravest of its differences, of which each kind counts once."""
        standings = {"alike"}
        weighed = set()
        for difference in self._differences(peer, ours, theirs):
            if any(_explains(witness, difference) and excused is None for witness, excused in ours.pairs):
                standings.add("forbidden")
            elif any(_explains(witness, difference) for witness, _ in (*ours.pairs, *theirs.pairs)):
                standings.add("known")
            elif difference.kind not in weighed:
                weighed.add(difference.kind)
                standings.add(self._weigh(peer, score, ours.history.program, difference))
        return next(each for each in STANDINGS if each in standings)

    def _weigh(self, peer: Subject, score: _Score, program: Program, difference: Difference) -> str:
        """Whether a difference that no rule forbids is one of the executors, or chance."""
        known = score.divergences.get(difference.kind)
        if known is not None:
            known.take(program, difference)
            return "diverging"
        if score.doubts[difference.kind] < _DOUBTS and self._again(peer, program, difference):
            score.divergences[difference.kind] = _Sighting(program, difference)
            return "diverging"
        score.doubts[difference.kind] += 1
        return "passing"

    def _again(self, peer: Subject, program: Program, difference: Difference) -> bool:
        """Whether the same call differs in the same way when both run the program once more."""
        ours, theirs = self._run(self.subject, program), self._run(peer, program)
        return ours is not None and theirs is not None and difference in self._differences(peer, ours, theirs)

    def _present(self, sighting: _Sighting) -> Divergence:
        python = f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"
        token = Token(program=sighting.program, target=self.subject.target, python=python)
        return Divergence(
            call=spell(sighting.difference.step), ours=sighting.difference.ours,
            theirs=sighting.difference.theirs, programs=sighting.programs,
            token=token.to_text(), short=token.short,
        )  # fmt: skip


def _explains(witness: Witness, difference: Difference) -> bool:
    """Whether a broken rule is about the call that differs, or about a future that it names."""
    return difference.call in witness.calls or not set(names_in(difference.step)).isdisjoint(witness.futures)
