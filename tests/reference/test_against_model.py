"""The reference against the model: whatever it is seen to do, the model can explain, and no rule objects."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.arena import Patience, RealArena
from harness.arenas.real.journal import Journal
from harness.check.resolve import resolve, shape_of
from harness.generation.draw import draw
from harness.generation.themes import themes_for
from harness.judge.case import Case
from harness.judge.judge import judge
from harness.judge.leeway import left_a_callback
from harness.judge.states import unexplained
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.rule import Level
from tests.unit.story import NONE, YES, an_executor, ends, starts, story, submit

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SEED = 20
PROGRAMS = {"ThreadPoolExecutor": 80, "ProcessPoolExecutor": 20}  # of each theme
COSTLY = {"endings": 15, "payloads": 25, "signals": 15}  # at most of these
if sys.version_info >= (3, 14):
    PROGRAMS["InterpreterPoolExecutor"] = 10


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealArena]:
    """One arena for all pools."""
    folder = tmp_path_factory.mktemp("model")
    journal = Journal(folder / "journal")
    with RealArena(folder, journal, import_from=(str(ROOT),)) as made:
        yield made
    journal.close()


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_model_explains_every_history_of_the_reference(arena: RealArena, name: str) -> None:
    """In generated programs of every theme, each future's calls have an order that the model allows."""
    subject = resolve(arena, f"reference_executor:{name}")
    rules = load_rules()
    conclusive = 0
    for theme in themes_for(shape_of(subject)):
        for program in draw(theme, shape_of(subject), SEED, min(PROGRAMS[name], COSTLY.get(theme, 99))):
            history = arena.run(subject, program, Patience())
            judgement = judge(history, subject, rules)
            if judgement.inconclusive:  # a busy machine, and nobody's fault
                continue
            conclusive += 1
            binding = [each for each in judgement.witnesses if rules[each.rule].level is not Level.MAY]
            assert binding == [], program.to_json()
            case = Case(history, subject)
            assert left_a_callback(case) or unexplained(case) == (), program.to_json()
    assert conclusive > PROGRAMS[name]


def test_what_the_model_cannot_explain_is_noticed() -> None:
    """A future that finishes although its task is still in its body is one that no order explains."""
    right = story(submit(1), starts(1), (op.Open(gate="g0"), NONE), ends(1), (op.Done(future="f1"), YES))
    wrong = story(submit(1), starts(1), (op.Done(future="f1"), YES))
    assert unexplained(Case(right, an_executor())) == ()
    assert unexplained(Case(wrong, an_executor())) == ("f1",)
