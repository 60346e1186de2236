"""All items of a run, brought together: a row for every subject and rule, as `results.json` holds it."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.check.finding import merged
from harness.values.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harness.check.finding import Comparison, Finding, Item
    from harness.values.rule import Draft, Rule

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule, one subject: the verdict and the effort behind it.

    `exercised` counts how often the premise was met, `programs` in how many programs; `inherited` says that
    the deviation is CPython's own and came with its component; `baseline` that it was accepted; `unconfirmed`
    that something was seen once that rests on a clock, and not again; `arenas` where the premise was met.
    """

    subject: str
    rule: str
    level: str
    verdict: str
    exercised: int = 0
    programs: int = 0
    tokens: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    inherited: bool = False
    baseline: bool = False
    unconfirmed: bool = False
    arenas: tuple[str, ...] = ()


@dataclass(slots=True)
class Results:
    """The items of a run and the rows they make."""

    rules: Mapping[str, Rule]
    drafts: Mapping[str, Draft]
    items: list[Item] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    interrupted: bool = False

    def subjects(self) -> list[str]:
        """The subjects in the order in which they came."""
        return list(dict.fromkeys(item.subject for item in self.items))

    def rows(self) -> list[Row]:
        """Every rule for every subject; the rules not yet tested come as ``untested``."""
        found = []
        for subject in self.subjects():
            items = [item for item in self.items if item.subject == subject]
            found += [_row(subject, rule, items) for rule in self.rules.values()]
            found += [
                Row(subject=subject, rule=name, level=str(draft.level), verdict=str(Verdict.UNTESTED))
                for name, draft in self.drafts.items()
            ]
        return found

    def comparisons(self) -> list[tuple[str, Comparison]]:
        """Each subject with what comparing it with each of its peers came to."""
        return [
            (subject, each)
            for subject in self.subjects()
            for each in merged(
                [one for item in self.items if item.subject == subject for one in item.comparisons]
            )
        ]

    def stale(self) -> list[tuple[str, str]]:
        """Deviations that concern a subject and did not show in this run."""
        found = []
        for subject in self.subjects():
            items = [item for item in self.items if item.subject == subject]
            shown = {each.deviation for item in items for each in item.findings}
            possible = dict.fromkeys(name for item in items for name in item.possible)
            found += [(subject, name) for name in possible if name not in shown]
        return found


def _row(subject: str, rule: Rule, items: list[Item]) -> Row:
    findings = [each for item in items for each in item.findings if each.rule == rule.id]
    effort = [each for item in items for each in item.exercised if each.rule == rule.id]
    violated = [each for each in findings if each.standing == "violated"]
    excused = [each for each in findings if each.standing == "deviation"]
    applies = any(rule.id in item.applicable for item in items)
    proved_nothing = any(item.inconclusive for item in items) and not any(item.run for item in items)
    verdict = Verdict.HOLDS
    if violated:
        verdict = Verdict.VIOLATED
    elif excused:
        verdict = Verdict.DEVIATION
    elif not applies:
        verdict = Verdict.NOT_APPLICABLE
    elif not effort:
        verdict = Verdict.INCONCLUSIVE if proved_nothing else Verdict.NOT_EXERCISED
    return Row(
        subject=subject,
        rule=rule.id,
        level=str(rule.level),
        verdict=str(verdict),
        exercised=sum(each.times for each in effort),
        programs=sum(each.programs for each in effort),
        tokens=tuple(each.token for each in [*violated, *excused]),
        deviations=tuple(dict.fromkeys(each.deviation for each in excused)),
        inherited=bool(excused) and not violated,
        baseline=bool(violated) and all(each.baseline for each in violated),
        unconfirmed=any(each.standing == "unconfirmed" for each in findings),
        arenas=tuple(
            dict.fromkeys(
                item.arena for item in items if any(each.rule == rule.id for each in item.exercised)
            )
        ),
    )


def write_results(results: Results, folder: Path, facts: Mapping[str, Any]) -> Path:
    """Write `results.json` into a folder, made if need be; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    data = {
        "schema": SCHEMA,
        "run": {
            "harness": __version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "implementation": platform.python_implementation(),
            "system": platform.system(),
            "machine": platform.machine(),
            **facts,
            "items": [_facts(item) for item in results.items],
            "interrupted": results.interrupted,
            "lost": results.lost,
            "stale": [{"subject": subject, "deviation": name} for subject, name in results.stale()],
        },
        "results": [asdict(row) for row in results.rows()],
        "comparisons": [{"subject": subject, **asdict(each)} for subject, each in results.comparisons()],
    }
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _facts(item: Item) -> dict[str, Any]:
    return {
        "subject": item.subject, "target": item.target, "kind": item.kind, "theme": item.theme,
        "digest": item.digest, "planned": item.planned, "run": item.run, "seconds": item.seconds,
        "stillness": item.stillness, "capabilities": item.capabilities, "cpython": item.inherited,
        "inconclusive": item.inconclusive, "gone": item.gone, "arena": item.arena,
        "schedules": asdict(item.schedules), "refused": item.refused,
    }  # fmt: skip


def of_standing(items: Iterable[Item], standing: str) -> list[tuple[Item, Finding]]:
    """All findings of one standing, with their items."""
    return [(item, each) for item in items for each in item.findings if each.standing == standing]
