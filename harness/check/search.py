"""Searches one item: draws the programs of a theme, runs and judges each, then reduces what it found."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from harness.arenas.simulated.arena import RefusedError
from harness.check.compare import Seen
from harness.check.finding import Exercise, Finding, Item, Schedules
from harness.check.picture import draw_picture
from harness.check.reduce import reduce, sketch, weight
from harness.check.replay import this_python
from harness.check.resolve import shape_of
from harness.check.schedule_picture import draw_schedule
from harness.generation.draw import Enough, digest_of, recall, rounds, shrink
from harness.judge.excuse import concerns, excuse
from harness.judge.judge import applies, judge
from harness.values.course import Observation
from harness.values.history import Stuck
from harness.values.rule import Level
from harness.values.token import Token
from harness.values.verdict import Judgement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from harness.arenas.simulated.arena import Effort
    from harness.check.compare import Peers
    from harness.check.law import Law
    from harness.check.profile import Profile
    from harness.check.trial import Trial
    from harness.generation.composer import Shape
    from harness.values.deviation import Deviation
    from harness.values.program import Program
    from harness.values.subject import Subject
    from harness.values.verdict import Witness

    _Broken: TypeAlias = dict[tuple[str, Deviation | None], tuple[Observation, Witness]]

_SEARCHING = 0.85  # of an item's share of the budget
_SEARCHING_RED = 0.45  # the same once much is broken: the rest is for reducing and confirming
_FOR_EACH = 0.08  # of the share, that each broken rule takes off the search for that
_REDUCING = 0.75  # of the time that is left when the search is over; the rest is for confirming
_FIRST = 0.6  # of that for each finding in turn: the later ones are mostly reduced along with the first
_DEAR = 0.05  # of the time for reducing: a look that takes more is not repeated without need
_OVERTIME = 1.15  # of the share: then nothing is even looked at again
_SHOUTS = 3  # broken rules of an item that are told at once


@dataclass(slots=True)
class Sighting:
    """One broken rule: the smallest program that showed it, the run that is the evidence, who is excused."""

    program: Program
    seen: Observation
    witness: Witness
    deviation: Deviation | None
    after: int
    count: int = 1
    consequences: tuple[str, ...] = ()
    largest: int = 0
    found_by: str = ""

    def __post_init__(self) -> None:
        """Remember the size of the program that was drawn, and the strategy that did it."""
        self.largest = self.largest or self.program.size
        self.found_by = self.found_by or (self.seen.course.strategy if self.seen.course is not None else "")

    def take(self, program: Program, seen: Observation, witness: Witness) -> None:
        """Prefer a smaller program that shows the same."""
        if weight(program) < weight(self.program):
            self.program, self.seen, self.witness = program, seen, witness

    def copy(self) -> Sighting:
        """As it is now."""
        return replace(self)


@dataclass(slots=True)
class Search:
    """The search of one item.

    `trial` is how the `programs`, so many, are tried: in which arena. `seed` is that of the run; `share` is
    the item's part of its budget, in seconds. `tell` is given what is being done, again and again, and
    `shout` what should be known at once. What is seen is `compared` with what other executors do, if that is
    wanted.
    """

    trial: Trial
    subject: Subject
    theme: str
    profile: Profile
    programs: int
    seed: int
    law: Law
    share: float
    folder: Path | None = None
    tell: Callable[[str], None] = lambda _line: None
    shout: Callable[[str], None] = lambda _line: None
    compared: Peers | None = None
    _met: Counter[str] = field(default_factory=Counter)
    _programs: Counter[str] = field(default_factory=Counter)
    _sightings: dict[tuple[str, str], Sighting] = field(default_factory=dict)
    _unconfirmed: dict[str, Sighting] = field(default_factory=dict)
    _inconclusive: Counter[str] = field(default_factory=Counter)
    _seen: dict[str, frozenset[str]] = field(default_factory=dict)
    _repeats: dict[str, list[_Broken]] = field(default_factory=dict)
    _run: int = 0
    _begun: float = 0.0
    _stillness: float = 0.0
    _digest: str = ""
    _planned: int = 0
    _kept: int | None = None  # the seed of the first round with a failing program

    def search(self) -> Item:
        """Do all of it; if the arena cannot be had for this subject, the item says why, and nothing else."""
        self._begun = time.monotonic()
        self._stillness = self.trial.stillness
        try:
            return self._item(self._search())
        except RefusedError as error:
            return replace(self._item([]), refused=str(error))

    def _search(self) -> list[Finding]:
        if self.folder is not None:
            self._work_through(recall(self.theme, self._shape, self.folder))
        drawn = rounds(self.theme, self._shape, self._number(), self.programs)
        for seed, programs in islice(drawn, self.profile.rounds):
            if not self._digest:
                self._digest, self._planned = digest_of(programs), len(programs)
            self._work_through(programs, seed)
            if not self._time_to_search():
                break
        findings = self._findings()
        if self.folder is not None and self._kept is not None:
            self._remember(self._kept, self.folder)
        return findings

    @property
    def _shape(self) -> Shape:
        return shape_of(self.subject, self.trial.arena)

    def so_far(self) -> Item:
        """What was found before the search was interrupted, unreduced."""
        return self._item([self._present(sighting, 0, 0) for sighting in self._in_order()])

    def _number(self) -> int:
        """The seed of this item; the same theme gets the same programs for subjects of the same shape."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{self.theme}".encode()).digest()[:6])

    def _item(self, findings: list[Finding]) -> Item:
        findings += [
            replace(self._present(each, 0, 1), standing="unconfirmed") for each in self._unconfirmed.values()
        ]
        return Item(
            subject=self.subject.name, target=self.subject.target, kind=self.subject.kind, theme=self.theme,
            seed=self.seed, digest=self._digest, planned=self._planned, run=self._run,
            seconds=round(time.monotonic() - self._begun, 3),
            stillness=round(self.trial.stillness - self._stillness, 3),
            profile=self.profile.name,
            applicable=tuple(
                sorted(rule.id for rule in self.law.rules.values() if applies(rule, self.subject))
            ),
            exercised=tuple(
                Exercise(rule=rule, times=times, programs=self._programs[rule])
                for rule, times in sorted(self._met.items())
            ),
            findings=tuple(findings),
            inconclusive=tuple(f"{count} x {reason}" for reason, count in sorted(self._inconclusive.items())),
            capabilities=tuple(sorted(self.subject.capabilities)),
            inherited=tuple(name for name, who in self.subject.components if who == "cpython"),
            possible=tuple(each.id for each in self.law.deviations if concerns(each, self.subject)),
            comparisons=self.compared.comparisons() if self.compared is not None else (),
            arena=self.trial.arena, schedules=_schedules(self.trial.effort),
        )  # fmt: skip

    # Searching.

    def _time_to_search(self) -> bool:
        red = sum(each.deviation is None and self._binds(each) for each in self._sightings.values())
        # A green item has to have seen something; a red one needs its time to reduce what it has seen.
        if not red and self._run < self.trial.least and self.trial.patient:
            return True
        if self.profile.later:  # one fault that shows at once must not hide all others
            part = max(_SEARCHING_RED, _SEARCHING - _FOR_EACH * red)
        else:
            part = _SEARCHING_RED if red else _SEARCHING
        return time.monotonic() - self._begun < self.share * part

    def _binds(self, sighting: Sighting) -> bool:
        """Whether the broken rule is more than a MAY, which is shown and alarms nobody."""
        return self.law.rules[sighting.witness.rule].level is not Level.MAY

    def _work_through(self, programs: Iterable[Program], seed: int | None = None) -> None:
        """Try programs that were not tried before; `seed` is that of the round, if they were drawn."""
        for program in programs:
            if program.digest in self._seen:
                continue
            if not self._time_to_search():
                return
            self._seen[program.digest] = frozenset()
            self._examine(program)
            self._run += 1
            if self._kept is None and self._seen[program.digest]:
                self._kept = seed
            broken = {rule for rule, excused in self._sightings if not excused}
            self.tell(
                f"{self.subject.name} {self.theme}: {self._run} programs, {len(self._met)} rules exercised, "
                f"{len(broken)} broken"
            )

    def _examine(self, program: Program) -> None:
        """Try one program, judge what it shows, and keep that."""
        met: Counter[str] = Counter()
        for seen in self.trial.explore(program):
            met |= self._take_in(program, seen)
            if not self._time_to_search():
                break
        self._met.update(met)
        self._programs.update(dict.fromkeys(met, 1))

    def _take_in(self, program: Program, seen: Observation) -> Counter[str]:
        """Judge a run, and keep what it shows; returns how often it met the premises of rules."""
        judgement = self._judge(seen)
        if judgement.inconclusive:
            self._inconclusive[judgement.inconclusive] += 1
            return Counter()
        pairs = excuse(judgement.witnesses, seen.history, self.subject, self.law.deviations)
        rules = tuple(dict.fromkeys(witness.rule for witness, excused in pairs if excused is None))
        self._seen[program.digest] = self._seen[program.digest].union(rules)
        # In a simulated world the clock is part of the run, and as certain as all else.
        doubtful = seen.course is None and any(witness.timed for witness, _ in pairs)
        again = self._broken(self.trial.repeat(program, seen)) if doubtful else {}
        for witness, excused in pairs:
            sighting = Sighting(program, seen, witness, excused, self._run)
            if doubtful and witness.timed and (witness.rule, excused) not in again:
                self._unconfirmed.setdefault(witness.rule, sighting)
                continue
            sighting.consequences = tuple(rule for rule in rules if rule != witness.rule)
            self._sight(sighting)
        if self.compared is not None:
            self.compared.look(Seen(history=seen.history, pairs=tuple(pairs)))
        return Counter(judgement.met)

    def _sight(self, sighting: Sighting) -> None:
        """Keep a sighting: the first, with the smallest program of all."""
        key = (sighting.witness.rule, sighting.deviation.id if sighting.deviation is not None else "")
        known = self._sightings.get(key)
        if known is None:
            self._sightings[key] = sighting
            if sighting.deviation is None and self._binds(sighting) and len(self._sightings) <= _SHOUTS:
                self.shout(
                    f"executor-harness: {self.subject.name} breaks {sighting.witness.rule} "
                    f"in the theme {self.theme} after {self._run} programs"
                )
            return
        known.count += 1
        known.take(sighting.program, sighting.seen, sighting.witness)

    def _judge(self, seen: Observation) -> Judgement:
        if seen.doubt:
            return Judgement(met={}, inconclusive=seen.doubt)
        return judge(seen.history, self.subject, self.law.rules)

    def _broken(self, seen: Observation) -> _Broken:
        """What a run breaks, and the evidence."""
        pairs = excuse(self._judge(seen).witnesses, seen.history, self.subject, self.law.deviations)
        return {(witness.rule, excused): (seen, witness) for witness, excused in reversed(pairs)}

    def _shows(
        self, program: Program, rule: str, like: Observation, *, steady: bool
    ) -> tuple[Observation, Witness] | None:
        """Look in haste at a program; the evidence if it breaks this rule without excuse.

        What else it breaks serves as well: a consequence is reduced along with its cause.
        """
        for seen in self.trial.look(program, like, steady=steady):
            broken = self._broken(seen)
            for (name, excused), evidence in broken.items():
                other = self._sightings.get((name, ""))
                if excused is None and name != rule and other is not None:
                    other.take(program, *evidence)
            if (rule, None) in broken:
                return broken[rule, None]
        return None

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

    def _findings(self) -> list[Finding]:
        """Reduce all that was found, then confirm it; each in a fair part of the time that is left."""
        ordered = self._in_order()
        red = [each for each in ordered if each.deviation is None]
        drawn = [each.copy() for each in red]
        end = self._begun + self.share
        for place, sighting in enumerate(red):
            left = (end - time.monotonic()) * _REDUCING
            self.tell(
                f"{self.subject.name} {self.theme}: reducing a program that breaks {sighting.witness.rule}"
            )
            fair = left if place + 1 == len(red) else left * _FIRST
            self._reduce(sighting, time.monotonic() + fair)
        found = []
        for place, (sighting, first) in enumerate(zip(red, drawn, strict=True)):
            left = end - time.monotonic()
            found.append(self._confirm(sighting, first, time.monotonic() + left / (len(red) - place)))
        return found + [self._present(each, 1, 1) for each in ordered if each.deviation is not None]

    def _confirm(self, sighting: Sighting, first: Sighting, deadline: float) -> Finding:
        self.tell(
            f"{self.subject.name} {self.theme}: repeating a program that breaks {sighting.witness.rule}"
        )
        reproduced, tried = self._reproduce(sighting, deadline)
        if tried and not reproduced and sighting.program != first.program:
            # In haste something else was taken for it: go back to what was really seen.
            sighting.program, sighting.seen, sighting.witness = first.program, first.seen, first.witness
            reproduced, tried = self._reproduce(sighting, deadline)
        finding = self._present(sighting, reproduced, tried)
        if reproduced and time.monotonic() < self._begun + self.share * _OVERTIME:
            finding = self._try_for_real(sighting, finding)
        return finding

    def _try_for_real(self, sighting: Sighting, finding: Finding) -> Finding:
        """See whether a simulated failure happens on real threads and processes, if the trial can tell."""
        rule = sighting.witness.rule
        found = self.trial.confirm(
            sighting.program, sighting.seen,
            lambda history: (rule, None) in self._broken(Observation(history)),
        )  # fmt: skip
        return finding if found is None else replace(finding, confirmed=found.confirmed, attempts=found.tried)

    def _reduce(self, sighting: Sighting, deadline: float) -> None:
        """Reduce the program as a value; the best seen is kept when time is up."""
        rule = sighting.witness.rule
        if time.monotonic() > deadline:
            self._polish(sighting, late=True)
            return
        steady = self._is_steady(sighting, deadline)

        def fails(program: Program, *, end: float = deadline) -> bool:
            if time.monotonic() > end:
                raise Enough
            evidence = self._shows(program, rule, sighting.seen, steady=steady)
            if evidence is not None:
                sighting.take(program, *evidence)
            return evidence is not None

        with suppress(Enough):
            sketch(sighting.program, partial(fails, end=(time.monotonic() + deadline) / 2))
        with suppress(Enough):
            reduce(sighting.program, fails)
        self._polish(sighting, late=time.monotonic() > deadline)

    def _is_steady(self, sighting: Sighting, deadline: float) -> bool:
        """Whether it shows in haste too, twice; if a look takes long, which a hang does, one has to do."""
        begun = time.monotonic()
        for _ in range(2):
            if self._shows(sighting.program, sighting.witness.rule, sighting.seen, steady=True) is None:
                return False
            if time.monotonic() - begun > (deadline - begun) * _DEAR:
                break
        return True

    def _polish(self, sighting: Sighting, *, late: bool) -> None:
        """Look for a run of the same program that shows the same and is easier to follow."""
        rule = sighting.witness.rule
        sighting.seen = self.trial.polish(
            sighting.program, sighting.seen, lambda seen: (rule, None) in self._broken(seen), late=late
        )
        sighting.witness = self._broken(sighting.seen)[rule, None][1]

    def _remember(self, seed: int, folder: Path) -> None:
        """Draw a round once more, verdicts known, so that Hypothesis keeps its first failing example."""

        def offends(program: Program) -> bool:
            known = self._seen.get(program.digest)
            if known is None:
                raise Enough  # Hypothesis has kept the example and begun to shrink; we do that on values
            return bool(known)

        shrink(self.theme, self._shape, seed, self.programs, offends, folder)

    def _reproduce(self, sighting: Sighting, deadline: float) -> tuple[int, int]:
        """Replay the reduced program with full patience; the last failing run is the evidence that is shown.

        One run serves all the rules that were reduced to the same program.
        """
        reproduced = tried = 0
        # An exact repetition takes some milliseconds.
        overtime = math.inf if sighting.seen.course else self._begun + self.share * _OVERTIME
        course = sighting.seen.course
        which = sighting.program.digest + ("" if course is None else course.schedule)
        runs = self._repeats.setdefault(which, [])
        while tried < self.trial.repeats:
            if tried == len(runs):
                if time.monotonic() > (overtime if tried < self.trial.looks else deadline):
                    break
                runs.append(self._broken(self.trial.repeat(sighting.program, sighting.seen)))
            evidence = runs[tried].get((sighting.witness.rule, None))
            tried += 1
            if evidence is not None:
                reproduced += 1
                sighting.seen, sighting.witness = evidence
        return reproduced, tried

    def _present(self, sighting: Sighting, reproduced: int, tried: int) -> Finding:
        witness, excused = sighting.witness, sighting.deviation
        course = sighting.seen.course and replace(sighting.seen.course, strategy=sighting.found_by)
        told = self.trial.narrate(sighting.program, sighting.seen) if course and excused is None else ()
        token = Token(
            program=sighting.program, target=self.subject.target, rule=witness.rule, python=this_python(),
            course=course,
        )  # fmt: skip
        stacks = next(
            (event.stacks for event in sighting.seen.history.events if isinstance(event, Stuck)), ""
        )
        return Finding(
            rule=witness.rule, level=str(self.law.rules[witness.rule].level),
            standing="violated" if excused is None else "deviation",
            text=witness.text, token=token.to_text(), short=token.short, theme=self.theme,
            size=sighting.program.size, shrunk_from=sighting.largest, sightings=sighting.count,
            reproduced=reproduced, tried=tried, after=sighting.after,
            deviation=excused.id if excused else "", issue=excused.issue if excused else "",
            summary=excused.summary if excused else "",
            picture=() if excused else draw_picture(sighting.seen.history, self.subject, witness),
            consequences=sighting.consequences, stacks=stacks, arena=self.trial.arena,
            course=course, steps=draw_schedule(told),
            beyond_gil=sum(step.beyond_gil for step in told),
        )  # fmt: skip


def _schedules(effort: Effort) -> Schedules:
    """What was run under schedules."""
    return Schedules(
        run=effort.schedules, distinct=effort.distinct, classes=effort.classes,
        histories=effort.histories, exhausted=effort.exhausted,
    )  # fmt: skip
