"""Nobody waits for the first verdicts until everything is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.arenas.real.arena import Patience, RealArena
from harness.arenas.real.journal import Journal
from harness.check.law import Law
from harness.check.profile import PROFILES
from harness.check.resolve import resolve
from harness.check.search import Search
from harness.check.trial import RealTrial
from harness.generation import draw as module
from harness.generation.draw import digest_of, draw
from harness.specs import load_rules

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from harness.generation.composer import Shape
    from harness.values.program import Program


def test_the_programs_of_a_round_are_judged_before_the_next_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program is run twice; the digest names those of the first round, however many follow."""
    drawn: list[tuple[Program, ...]] = []
    ran: list[int] = []  # how many programs had run before each drawing

    def telling(theme: str, shape: Shape, number: int, count: int) -> tuple[Program, ...]:
        ran.append(len(told))
        drawn.append(draw(theme, shape, number, count))
        return drawn[-1]

    told: list[str] = []
    monkeypatch.setattr(module, "draw", telling)
    profile = replace(PROFILES["quick"], rounds=3)
    with RealArena(tmp_path, Journal(tmp_path / "journal")) as arena:
        subject = resolve(arena, "concurrent.futures:ThreadPoolExecutor")
        search = Search(
            trial=RealTrial(arena, subject, Patience()), subject=subject, theme="map", profile=profile,
            programs=profile.programs, seed=1, law=Law(rules=load_rules()), share=1000.0, tell=told.append,
        )  # fmt: skip
        item = search.search()
    distinct = [len({program.digest for each in drawn[:end] for program in each}) for end in range(4)]
    assert ran == distinct[:3]
    assert item.run == distinct[3] > item.planned == len(drawn[0])
    assert item.digest == digest_of(drawn[0])
