"""The table at the end of a run: a row for every subject and rule family, and an honest count below."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from harness.report.results import of_standing
from harness.values.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.check.finding import Item, Schedules
    from harness.report.results import Results, Row
    from harness.values.deviation import Deviation

_NAME = 24  # columns for the name of a subject
_WIDTH = 116
_COLUMNS = (
    (Verdict.HOLDS, "holds"),
    (Verdict.VIOLATED, "violated"),
    (Verdict.DEVIATION, "deviation"),
    (Verdict.NOT_EXERCISED, "not exercised"),
    (Verdict.INCONCLUSIVE, "inconclusive"),
    (Verdict.NOT_APPLICABLE, "not applicable"),
)

_STANDINGS = {
    "forbidden": "where it breaks a rule",
    "diverging": "diverging within the rules",
    "known": "parted by a known fault",
    "passing": "parted once and not again",
    "alike": "alike",
}


def summary_lines(results: Results, deviations: Mapping[str, Deviation]) -> list[str]:
    """All lines below the heading."""
    lines: list[str] = []
    rows = results.rows()
    for subject in results.subjects():
        lines += _table(subject, [row for row in rows if row.subject == subject])
        lines += ["", *_not_exercised(subject, rows), ""]
    lines += _deviations(results, deviations)
    lines += _comparisons(results)
    lines += _notes(results)
    lines += _effort(results)
    return lines


def _table(subject: str, rows: list[Row]) -> list[str]:
    families = list(
        dict.fromkeys(row.rule.partition("-")[0] for row in rows if row.verdict != Verdict.UNTESTED.value)
    )
    width = max(_NAME, len(subject) + 2)
    head = f"{subject:<{width}}" + "".join(f"{title:>15}" for _, title in _COLUMNS)
    lines = [head, "-" * len(head)]
    total: Counter[str] = Counter()
    for family in families:
        counts = Counter(row.verdict for row in rows if row.rule.partition("-")[0] == family)
        total.update(counts)
        lines.append(f"  {family:<{width - 2}}" + _cells(counts))
    lines.append(f"  {'all':<{width - 2}}" + _cells(total))
    untested = sum(row.verdict == Verdict.UNTESTED.value for row in rows)
    lines.append(f"  {untested} more promises are drafts that nothing tests yet")
    return lines


def _cells(counts: Counter[str]) -> str:
    return "".join(f"{counts[verdict.value] or '.':>15}" for verdict, _ in _COLUMNS)


def _not_exercised(subject: str, rows: list[Row]) -> list[str]:
    names = [
        row.rule for row in rows if row.subject == subject and row.verdict == Verdict.NOT_EXERCISED.value
    ]
    return _wrap(f"  not exercised: {', '.join(names)}") if names else []


def _deviations(results: Results, deviations: Mapping[str, Deviation]) -> list[str]:
    """What CPython is known to do otherwise, as it showed."""
    shown: dict[str, dict[str, int]] = {}
    rules: dict[str, set[str]] = {}
    for item, finding in of_standing(results.items, "deviation"):
        per_subject = shown.setdefault(finding.deviation, {})
        per_subject[item.subject] = per_subject.get(item.subject, 0) + finding.sightings
        rules.setdefault(finding.deviation, set()).add(finding.rule)
    if not shown:
        return []
    lines = [f"known deviations of CPython that showed: {len(shown)}"]
    for name, subjects in sorted(shown.items()):
        known = deviations[name]
        where = ", ".join(f"{subject} x{count}" for subject, count in subjects.items())
        lines.append(
            f"  {known.issue:<12} {', '.join(sorted(rules[name])):<18} {known.summary} "
            f"[{known.component}; {where}]"
        )
    where_not: dict[str, list[str]] = {}
    for subject, name in results.stale():
        where_not.setdefault(name, []).append(subject)
    if where_not:
        names = (f"{name} ({', '.join(subjects)})" for name, subjects in where_not.items())
        lines += _wrap(f"  not seen in this run: {'; '.join(names)}")
    return [*lines, ""]


def _comparisons(results: Results) -> list[str]:
    """Where the subjects part from the reference and the standard library."""
    lines: list[str] = []
    for subject, each in results.comparisons():
        parts = [
            f"{getattr(each, standing)} {words}"
            for standing, words in _STANDINGS.items()
            if getattr(each, standing)
        ]
        lines.append(f"  {subject} and {each.peer}: {_count(each.programs, 'program')}, {', '.join(parts)}")
        for one in each.divergences:
            text = (
                f"divergence x{one.programs}: {one.call}: {one.ours}; {each.peer}: {one.theirs} [{one.short}]"
            )
            lines += textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="      ")
    return ["the same programs on other executors:", *lines, ""] if lines else []


def _notes(results: Results) -> list[str]:
    lines = []
    for item, finding in of_standing(results.items, "violated"):
        if finding.level != "MUST":
            word = "warning" if finding.level == "SHOULD" else "divergence"
            again = f"--executor {item.target} --executor-replay {finding.short}"
            lines.append(
                f"{word}: {item.subject} {finding.rule} {finding.level}: {finding.text[:200]} [{again}]"
            )
    for item, finding in of_standing(results.items, "unconfirmed"):
        lines.append(
            f"unconfirmed: {item.subject} {finding.rule}: seen once, on a clock, and not again "
            f"[{finding.short}]"
        )
    for item in results.items:
        lines += [f"inconclusive: {item.subject} {item.theme}: {reason}" for reason in item.inconclusive]
        lines += [f"gone: {item.subject} {rule} is in the baseline and no longer fails" for rule in item.gone]
    lines += [f"no simulated arena for {subject}: {reason}" for subject, reason in _refusals(results)]
    lines += [f"killed: {text}" for text in results.lost]
    return lines


def _refusals(results: Results) -> list[tuple[str, str]]:
    """Why subjects have no simulated arena, each once."""
    found = {item.subject: item.refused for item in results.items if item.refused}
    return list(found.items())


def _effort(results: Results) -> list[str]:
    """How much was done, and the names of the programs."""
    programs = sum(item.run for item in results.items)
    seconds = sum(item.seconds for item in results.items)
    stillness = sum(item.stillness for item in results.items)
    lines = [""] if results.items else []
    for item in results.items:
        lines.append(
            f"  {item.subject:<{_NAME}} {item.theme:<10} {item.arena:<10} {_programs(item):>12} programs "
            f"{item.seconds:>7.1f} s   programs {item.digest}"
        )
        lines += _schedules(item.schedules) if item.schedules.run else []
    exercised = {each.rule for item in results.items for each in item.exercised}
    if results.items:
        share = stillness / seconds if seconds else 0.0
        lines.append(
            f"{programs} programs, {len(exercised)} rules exercised, "
            f"{share:.1%} of the time spent waiting for hangs"
        )
    return lines


def _schedules(tried: Schedules) -> list[str]:
    """How many schedules there were, and how many that is if those are counted once that are alike."""
    counts = f"{tried.run}, of which {tried.distinct} distinct, in {tried.classes} classes"
    lines = [f"  {'':<{_NAME}} schedules: {counts} by what happens before what; histories: {tried.histories}"]
    if tried.exhausted:
        lines.append(f"  {'':<{_NAME}} all schedules within bounds of {_count(tried.exhausted, 'program')}")
    return lines


def verdict_line(results: Results, *, strict: bool) -> str:
    """One sentence that says how it went."""
    failing = [each for item in results.items for each in item.failing(strict=strict)]
    known = {each.deviation for item in results.items for each in item.findings if each.deviation}
    warnings = [
        each
        for _, each in of_standing(results.items, "violated")
        if each.level == "SHOULD" and not each.baseline
    ]
    accepted = [each for _, each in of_standing(results.items, "violated") if each.baseline]
    if failing:
        broken = sorted({each.rule for each in failing})
        return f"red: {', '.join(broken)} broken ({_count(len(failing), 'failure')})"
    gone = sorted({rule for item in results.items for rule in item.gone})
    if gone:
        return f"red: {', '.join(gone)} no longer broken, but still in the baseline"
    if results.interrupted or results.lost or any(item.proved_nothing for item in results.items):
        return "incomplete: nothing was found to be broken, but not everything was looked at"
    if not any(item.run for item in results.items):
        return "nothing was run"
    parts = [_count(len(known), "known deviation")] if known else []
    parts += [f"{_count(len(accepted), 'violation')} accepted by the baseline"] if accepted else []
    parts += [_count(len(warnings), "warning")] if warnings and not strict else []
    return f"green{' with ' + ' and '.join(parts) if parts else ''}"


def _programs(item: Item) -> str:
    """How many were run, and of how many if time ran out."""
    return str(item.run) if item.run >= item.planned else f"{item.run} of {item.planned}"


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
