"""Searches one item: draws the programs of a theme, runs and judges each, then reduces and confirms what it found."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.arenas.real.arena import Patience
from harness.check.finding import Exercise, Finding, Item
from harness.check.picture import draw_picture
from harness.check.reduce import reduce, weight
from harness.check.resolve import shape_of
from harness.generation.draw import Enough, digest_of, draw, recall, shrink
from harness.judge.excuse import concerns, excuse
from harness.judge.judge import applies, judge
from harness.values.rule import Level
from harness.values.token import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from harness.arenas.real.arena import RealArena
    from harness.check.profile import Profile
    from harness.values.deviation import Deviation
    from harness.values.history import History
    from harness.values.program import Program
    from harness.values.rule import Rule
    from harness.values.subject import Subject
    from harness.values.verdict import Judgement, Witness

_SEARCHING = 0.6  # of an item's share of the budget; the rest is for reducing and confirming
_REPLAYS = 5  # of a reduced program, to say how often it fails
_TRIES = 3  # of a candidate, when the failure does not show every time
_WAITING = 0.08  # of an item's time, at most, may go into waiting for hangs while searching
_HASTE = Patience(
    glance=0.02, settle=0.05, hang=0.06, slow=5.0
)  # while reducing; what is shown is looked at again


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """What is judged by: the rules, and what is excused."""

    rules: Mapping[str, Rule]
    deviations: tuple[Deviation, ...] = ()


@dataclass(slots=True)
class Sighting:
    """One broken rule: the smallest program that showed it, the run that is the evidence, and who is excused."""

    program: Program
    history: History
    witness: Witness
    deviation: Deviation | None
    after: int
    count: int = 1
    consequences: tuple[str, ...] = ()


@dataclass(slots=True)
class Search:
    """The search of one item. `tell` is called now and then with a line of progress."""

    arena: RealArena
    subject: Subject
    theme: str
    profile: Profile
    seed: int
    law: Law
    share: float
    patience: Patience = field(default_factory=Patience)
    folder: Path | None = None
    accepted: frozenset[str] = frozenset()
    tell: Callable[[str], None] = lambda _line: None
    _met: Counter[str] = field(default_factory=Counter)
    _programs: Counter[str] = field(default_factory=Counter)
    _sightings: dict[tuple[str, str], Sighting] = field(default_factory=dict)
    _unconfirmed: dict[str, Sighting] = field(default_factory=dict)
    _inconclusive: Counter[str] = field(default_factory=Counter)
    _seen: dict[str, frozenset[str]] = field(default_factory=dict)
    _run: int = 0
    _begun: float = 0.0

    def search(self) -> Item:
        """Do all of it."""
        self._begun = time.monotonic()
        stillness = self.arena.spending.stillness
        shape = shape_of(self.subject)
        programs = draw(self.theme, shape, self.seed, self.profile.programs)
        recalled = recall(self.theme, shape, self.folder) if self.folder is not None else ()
        self._work_through((*recalled, *programs))
        number = self.seed
        while self.profile.goes_on and self._time_to_search():
            number += 1_000_003
            self._work_through(draw(self.theme, shape, number, self.profile.programs))
        findings = [self._finding(sighting) for sighting in self._in_order()]
        return self._item(digest_of(programs), len(programs), stillness, findings)

    def so_far(self) -> Item:
        """What was found before the search was interrupted, unreduced."""
        found = [self._present(sighting, 0, 0) for sighting in self._in_order()]
        return self._item("", self.profile.programs, self.arena.spending.stillness, found)

    def _item(self, digest: str, planned: int, stillness: float, findings: list[Finding]) -> Item:
        findings += [
            replace(self._present(each, 0, 1), standing="unconfirmed") for each in self._unconfirmed.values()
        ]
        return Item(
            subject=self.subject.name, target=self.subject.target, kind=self.subject.kind, theme=self.theme,
            seed=self.seed, digest=digest, planned=planned, run=self._run,
            seconds=round(time.monotonic() - self._begun, 3),
            stillness=round(self.arena.spending.stillness - stillness, 3),
            profile=self.profile.name,
            applicable=tuple(sorted(rule.id for rule in self.law.rules.values() if applies(rule, self.subject))),
            exercised=tuple(
                Exercise(rule=rule, times=times, programs=self._programs[rule]) for rule, times in sorted(self._met.items())
            ),
            findings=tuple(findings),
            inconclusive=tuple(f"{count} x {reason}" for reason, count in sorted(self._inconclusive.items())),
            capabilities=tuple(sorted(self.subject.capabilities)),
            inherited=tuple(name for name, who in self.subject.components if who == "cpython"),
            possible=tuple(each.id for each in self.law.deviations if concerns(each, self.subject)),
        )  # fmt: skip

    # Searching.

    def _time_to_search(self) -> bool:
        return time.monotonic() - self._begun < self.share * _SEARCHING

    def _work_through(self, programs: Iterable[Program]) -> None:
        for program in programs:
            if not self._time_to_search():
                return
            self._examine(program)
            self._run += 1
            self.tell(
                f"{self.subject.name} {self.theme}: {self._run} programs, {len(self._met)} rules exercised"
            )

    def _examine(self, program: Program) -> None:
        """Run and judge one program, and keep what it shows."""
        history, judgement = self._judge(program, self.patience)
        if judgement.inconclusive.startswith("too slow"):
            history, judgement = self._judge(program, self.patience.longer(4))
        if judgement.inconclusive:
            self._inconclusive[judgement.inconclusive] += 1
            return
        self._met.update(judgement.met)
        self._programs.update(dict.fromkeys(judgement.met, 1))
        pairs = excuse(judgement.witnesses, history, self.subject, self.law.deviations)
        self._seen[program.digest] = frozenset(witness.rule for witness, excused in pairs if excused is None)
        rules = tuple(dict.fromkeys(witness.rule for witness, excused in pairs if excused is None))
        for witness, excused in pairs:
            if witness.timed and not self._shows(program, witness.rule, self.patience):
                self._unconfirmed.setdefault(
                    witness.rule, Sighting(program, history, witness, excused, self._run)
                )
                continue
            key = (witness.rule, excused.id if excused is not None else "")
            known = self._sightings.get(key)
            if known is None:
                others = tuple(rule for rule in rules if rule != witness.rule)
                self._sightings[key] = Sighting(
                    program, history, witness, excused, self._run, consequences=others
                )
                continue
            known.count += 1
            if weight(program) < weight(known.program):
                known.program, known.history, known.witness = program, history, witness

    def _judge(self, program: Program, patience: Patience) -> tuple[History, Judgement]:
        history = self.arena.run(self.subject, program, patience)
        return history, judge(history, self.subject, self.law.rules)

    def _look(self, program: Program, rule: str, patience: Patience) -> tuple[History, Witness] | None:
        """Run a program; the evidence if it breaks this rule without excuse."""
        history, judgement = self._judge(program, patience)
        for witness, excused in excuse(judgement.witnesses, history, self.subject, self.law.deviations):
            if witness.rule == rule and excused is None:
                return history, witness
        return None

    def _shows(self, program: Program, rule: str, patience: Patience) -> bool:
        return self._look(program, rule, patience) is not None

    # Reducing and confirming.

    def _in_order(self) -> list[Sighting]:
        """What was found: unexcused first, the more binding rules first, in the order of the judge."""
        levels = list(Level)
        return sorted(
            self._sightings.values(),
            key=lambda each: (
                each.deviation is not None,
                levels.index(self.law.rules[each.witness.rule].level),
            ),
        )

    def _finding(self, sighting: Sighting) -> Finding:
        if sighting.deviation is not None:
            return self._present(sighting, 1, 1)
        before = sighting.program.size
        self.tell(f"{self.subject.name} {self.theme}: reducing a program that breaks {sighting.witness.rule}")
        self._reduce(sighting)
        reproduced, tried = self._reproduce(sighting)
        return replace(self._present(sighting, reproduced, tried), shrunk_from=before)

    def _reduce(self, sighting: Sighting) -> None:
        """Let Hypothesis shrink what it drew, then reduce the value; the best seen is kept when time is up."""
        rule = sighting.witness.rule
        deadline = self._deadline()
        steady = all(self._shows(sighting.program, rule, _HASTE) for _ in range(2))

        def fails(program: Program) -> bool:
            if time.monotonic() > deadline:
                raise Enough
            for _ in range(1 if steady else _TRIES):
                evidence = self._look(program, rule, _HASTE)
                if evidence is not None:
                    if weight(program) < weight(sighting.program):
                        sighting.program, (sighting.history, sighting.witness) = program, evidence
                    return True
            return False

        try:
            reduce(sighting.program, fails)
        except Enough:
            pass
        if self.folder is not None:
            self._remember(rule)

    def _remember(self, rule: str) -> None:
        """Draw once more, with the verdicts known, so that Hypothesis keeps the failing example in its database."""

        def offends(program: Program) -> bool:
            known = self._seen.get(program.digest)
            if known is None:
                raise Enough  # Hypothesis has kept the example and begun to shrink; the value is reduced elsewhere
            return rule in known

        shrink(self.theme, shape_of(self.subject), self.seed, self.profile.programs, offends, self.folder)

    def _deadline(self) -> float:
        """Until when one finding may be worked on: a fair part of what is left of the share."""
        left = self.share - (time.monotonic() - self._begun)
        waiting = sum(each.deviation is None for each in self._sightings.values())
        return time.monotonic() + max(1.5, left / max(1, waiting))

    def _reproduce(self, sighting: Sighting) -> tuple[int, int]:
        """Replay the reduced program with full patience; the last failing run is the evidence that is shown."""
        reproduced = tried = 0
        limit = self._deadline()
        while tried < _REPLAYS and (tried < 2 or time.monotonic() < limit):  # noqa: PLR2004 - one look is no confirmation
            tried += 1
            evidence = self._look(sighting.program, sighting.witness.rule, self.patience)
            if evidence is not None:
                reproduced += 1
                sighting.history, sighting.witness = evidence
        return reproduced, tried

    def _present(self, sighting: Sighting, reproduced: int, tried: int) -> Finding:
        witness, excused = sighting.witness, sighting.deviation
        token = Token(
            program=sighting.program, target=self.subject.target, rule=witness.rule, python=_python(),
        )  # fmt: skip
        stacks = next((event.stacks for event in sighting.history.events if hasattr(event, "stacks")), "")
        return Finding(
            rule=witness.rule, level=str(self.law.rules[witness.rule].level),
            standing="violated" if excused is None else "deviation",
            text=witness.text, token=token.to_text(), short=token.short, theme=self.theme,
            size=sighting.program.size, shrunk_from=sighting.program.size, sightings=sighting.count,
            reproduced=reproduced, tried=tried, after=sighting.after,
            deviation=excused.id if excused else "", issue=excused.issue if excused else "",
            summary=excused.summary if excused else "",
            picture=() if excused else draw_picture(sighting.history, self.subject, witness),
            consequences=sighting.consequences, stacks=stacks,
            baseline=witness.rule in self.accepted,
        )  # fmt: skip


def _python() -> str:
    return f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"
