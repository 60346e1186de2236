"""Each deviation excuses its stored history and leaves its near miss red: it is as narrow as it claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.judge.excuse import concerns, excuse
from harness.judge.judge import judge
from harness.specs import load_deviations, load_rules, specs_root
from harness.values.stored import read_stored
from harness.values.token import Token

if TYPE_CHECKING:
    from pathlib import Path

    from harness.values.deviation import Deviation
    from harness.values.verdict import Witness

DEVIATIONS = load_deviations()
FURTHER = sorted((specs_root() / "deviations" / "histories").glob("*.near-miss-*.json"))
each_deviation = pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.id)


def _judged(path: str) -> list[tuple[Witness, Deviation | None]]:
    """The witnesses of a stored history, each with the deviation that excuses it."""
    stored = read_stored(specs_root() / path)
    judgement = judge(stored.history, stored.subject, load_rules())
    assert judgement.inconclusive == ""
    return excuse(judgement.witnesses, stored.history, stored.subject, DEVIATIONS)


def test_there_are_deviations() -> None:
    """The standard library has known departures, and each has a name of its own."""
    names = [deviation.id for deviation in DEVIATIONS]
    assert names
    assert len(set(names)) == len(names)


@each_deviation
def test_the_stored_history_is_excused(deviation: Deviation) -> None:
    """All that is wrong in the stored history is excused, a broken rule of the deviation by itself."""
    judged = _judged(deviation.excused)
    assert [(witness.rule, witness.text) for witness, by in judged if by is None] == []
    assert any(by == deviation and witness.rule in deviation.rules for witness, by in judged)


@each_deviation
def test_the_near_miss_stays_red(deviation: Deviation) -> None:
    """The near miss breaks one of the rules of the deviation, and nothing excuses it."""
    judged = _judged(deviation.near_miss)
    assert [witness.text for witness, by in judged if by is None and witness.rule in deviation.rules]


@pytest.mark.parametrize("path", FURTHER, ids=lambda path: path.stem)
def test_further_near_misses_stay_red(path: Path) -> None:
    """A pattern that asks several things has a near miss for each of them, and none is excused."""
    deviation = next(each for each in DEVIATIONS if each.id == path.name.partition(".")[0])
    judged = _judged(str(path.relative_to(specs_root())))
    assert [witness.text for witness, by in judged if by is None and witness.rule in deviation.rules]


@each_deviation
def test_the_stored_history_comes_from_a_known_python(deviation: Deviation) -> None:
    """The history was recorded on a subject and a Python that the deviation is about."""
    assert concerns(deviation, read_stored(specs_root() / deviation.excused).subject)


@each_deviation
def test_the_token_shows_it(deviation: Deviation) -> None:
    """The token can be read and names a rule that the deviation is about."""
    assert Token.from_text(deviation.token).rule in deviation.rules
