"""Nobody waits for the first verdicts until everything is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.real.arena import Patience, RealArena
from harness.arenas.real.journal import Journal
from harness.check import search as module
from harness.check.law import Law
from harness.check.profile import PROFILES
from harness.check.resolve import resolve
from harness.check.search import Search
from harness.check.trial import RealTrial
from harness.generation.draw import draw
from harness.specs import load_rules

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from harness.generation.composer import Shape
    from harness.values.program import Program


def test_the_first_programs_are_judged_before_the_rest_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small lot is drawn and run ahead; the digest names all programs, each of them once."""
    told: list[str] = []

    def telling(theme: str, shape: Shape, number: int, count: int) -> tuple[Program, ...]:
        told.append(f"draws {count}")
        return draw(theme, shape, number, count)

    monkeypatch.setattr(module, "draw", telling)
    profile = PROFILES["quick"]
    with RealArena(tmp_path, Journal(tmp_path / "journal")) as arena:
        subject = resolve(arena, "concurrent.futures:ThreadPoolExecutor")
        search = Search(
            trial=RealTrial(arena, subject, Patience()), subject=subject, theme="map", profile=profile,
            programs=profile.programs, seed=1, law=Law(rules=load_rules()), share=1000.0, tell=told.append,
        )  # fmt: skip
        item = search.search()
    drawings = [place for place, line in enumerate(told) if line.startswith("draws")]
    assert told[-1] != f"draws {profile.programs}" == told[drawings[-1]]
    assert drawings[1] - drawings[0] > 1  # programs between the two
    assert item.run == item.planned > drawings[1]
