"""The text of a failure: the rule, the minimal program, how often it fails, how to see it again."""

from __future__ import annotations

import platform
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.check.finding import Finding, Item
    from harness.check.replay import Replay
    from harness.values.course import Course
    from harness.values.rule import Rule, Source
    from harness.values.token import Token

_WIDTH = 110
_MOST_STACK = 40  # lines


def failure_text(item: Item, findings: list[Finding], rules: Mapping[str, Rule]) -> str:
    """Everything a person needs to understand and repeat what one item found."""
    parts = [f"{item.subject} breaks {', '.join(each.rule for each in findings)}"]
    parts += [one_failure(item, each, rules[each.rule]) for each in findings]
    parts.append(f"{_where()}, seed {item.seed}, {item.run} programs of the theme {item.theme}")
    return "\n\n".join(parts)


def one_failure(item: Item, finding: Finding, rule: Rule) -> str:
    """One broken rule."""
    lines = [f"{rule.id} {rule.level}  {rule.promise}", f"  subject: {item.subject}, {_where_run(finding)}"]
    lines += _wrap(f"intent: {rule.intent}")
    lines += _wrap(f"source: {_source(rule.source)}")
    lines += ["", *_wrap(f"seen: {finding.text}"), ""]
    again = f"pytest {_suite()} --executor {item.target} --executor-replay"
    times = f"{finding.sightings} sightings" if finding.sightings > 1 else "one sighting"
    lines.append(
        f"  minimal program: {_count(finding.size, 'operation')} before the epilogue "
        f"({times}, the first after {_count(finding.after, 'program')}; shrunk from {finding.shrunk_from})"
    )
    lines += [f"  {row}" for row in finding.picture]
    if finding.stacks:
        lines += ["", "  stacks of the client when nothing got anywhere any more:"]
        lines += [f"    {row}" for row in finding.stacks.strip().splitlines()[:_MOST_STACK]]
    if finding.course is not None:
        lines += ["", *_schedule(finding, finding.course)]
    if finding.consequences:
        lines += [
            "",
            f"  the same run also broke {', '.join(finding.consequences)} (perhaps as a consequence)",
        ]
    lines += [
        "",
        f"  reproduced {finding.reproduced} of {finding.tried}"
        + (" with this schedule" if finding.course is not None else "")
        + _for_real(finding),
        f"  again   {again} {finding.short}   (on this machine)",
        f"          {again} {finding.token}",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _where_run(finding: Finding) -> str:
    course = finding.course
    if course is None:
        return f"{finding.arena} arena"
    return f"{finding.arena} arena ({course.granularity}, found by {course.strategy})"


def _for_real(finding: Finding) -> str:
    """Whether what was simulated was seen on real threads and processes as well."""
    if not finding.attempts:
        return ""
    if not finding.confirmed:
        return f"; simulated only: 0 of {finding.attempts} on real threads and processes"
    return f"; on real threads and processes {finding.confirmed} of {finding.attempts}"


def _schedule(finding: Finding, course: Course) -> list[str]:
    """The decisions, and the steps around them."""
    count = len(course.decisions)
    if not count:
        return ["  schedule: the default one, in which whoever is at it goes on"]
    head = f"  schedule: {_count(count, 'decision')} (>) that another goes on than whoever is at it"
    beyond = _beyond_gil(finding)
    return [head, *(f"  {row}" for row in finding.steps), *beyond, f"  as text: {course.schedule}"]


def _beyond_gil(finding: Finding) -> list[str]:
    """A warning if the schedule needs a switch that only a free-threaded build is known to make."""
    if not finding.beyond_gil:
        return []
    return _wrap(
        f"free-threaded only, unless another schedule shows it: {finding.beyond_gil} of these switches come "
        "where a build with a global lock (GIL) is not known to switch threads"
    )


def replay_text(result: Replay, token: Token) -> str:
    """What a replay saw."""
    lines = [f"replay of {token.short} on {token.target}: {_outcome(result, token.rule or 'a rule')}"]
    if result.excused:
        lines.append(
            f"  a known deviation of CPython ({result.issue}) in {result.excused} of {result.tried} runs"
        )
    if result.inconclusive:
        lines.append(f"  inconclusive in {result.inconclusive} of {result.tried} runs")
    if result.text:
        lines += _wrap(f"seen: {result.text}")
    lines += [f"  {row}" for row in result.picture]
    return "\n".join(lines)


def _outcome(result: Replay, rule: str) -> str:
    """What came of it, in half a sentence; only an exact replay is one."""
    if result.diverged:
        return f"diverged: {result.diverged}"
    match result.mode:
        case "exact":
            return (
                f"broke {rule} in {result.failed} of {result.tried} runs with this schedule, exactly repeated"
            )
        case "guided" if result.failed:
            near = _count(result.tried, "schedule")
            return f"found again: broke {rule} after {near} near this one (the sources or the Python differ)"
        case "guided":
            near = _count(result.tried, "schedule")
            return f"{rule} not found in {near} near this one (the sources or the Python differ)"
        case _:
            return f"broke {rule} in {result.failed} of {result.tried} runs"


def _suite() -> str:
    """How the suite is called from here: by its folder in a clone, by its package elsewhere."""
    return "harness" if Path("harness", "suite").is_dir() else "--pyargs harness"


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)


def _source(source: Source) -> str:
    names = {"doc": "documentation", "pep": "PEP 3148", "docstring": "docstring", "own": "this project"}
    where = (
        f"{names.get(source.document, source.document)}, {source.section}"
        if source.section
        else source.document
    )
    return f"{where}: “{source.quote}”" if source.quote else f"{where}. {source.derivation}".rstrip(". ")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _where() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{platform.python_implementation()} {version}, {platform.system()} {platform.machine()}"
