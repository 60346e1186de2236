"""Odd but correct executors stay green: a wrong accusation is the worst fault this project can have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.arena import Patience, RealArena
from harness.arenas.real.journal import Journal
from harness.check.resolve import resolve, shape_of
from harness.generation.draw import draw
from harness.generation.themes import themes_for
from harness.judge.excuse import excuse
from harness.judge.judge import judge
from harness.specs import load_deviations, load_rules
from harness.values.rule import Level
from tests.safe.executors import SAFE, Safe
from tests.safe.programs import fits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.values.subject import Subject

ROOT = Path(__file__).resolve().parents[2]
# Programs of each theme, fewer where each starts processes; the hunt in earnest is `ci/false_alarms.py`.
PROGRAMS = {"thread": 40, "process": 15}
COSTLY = {"endings": 12, "payloads": 12, "signals": 12}  # and of these
SEED = 3


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealArena]:
    """One arena for all executors of a process."""
    folder = tmp_path_factory.mktemp("safe")
    journal = Journal(folder / "journal")
    with RealArena(folder, journal, import_from=(str(ROOT),)) as made:
        yield made
    journal.close()


def accusations(arena: RealArena, subject: Subject) -> list[str]:
    """Every broken MUST that no deviation of CPython's excuses, as text."""
    rules = load_rules()
    found = []
    for theme in themes_for(shape_of(subject)):
        for program in draw(theme, shape_of(subject), SEED, COSTLY.get(theme, PROGRAMS[subject.kind])):
            if not fits(program, subject.target):
                continue
            history = arena.run(subject, program, Patience())
            witnesses = judge(history, subject, rules).witnesses
            for witness, known in excuse(witnesses, history, subject, load_deviations()):
                if known is None and rules[witness.rule].level is Level.MUST:
                    found.append(f"{witness.rule}: {witness.text} in {program.to_json()}")
    return found


@pytest.mark.parametrize("safe", SAFE, ids=lambda safe: safe.target.partition(":")[2])
def test_a_safe_executor_is_not_accused(safe: Safe, arena: RealArena) -> None:
    """No generated program finds a broken MUST in an executor that is odd but right."""
    subject = resolve(arena, safe.target, fifo=safe.order == "fifo")
    assert accusations(arena, subject) == []
    assert (subject.kind, subject.inline) == (safe.kind, safe.runs_inline)
