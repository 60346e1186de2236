"""Baselines: what is broken today is accepted, what is new fails, and so does what is gone but still listed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.check.profile import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.check.finding import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One violation that is known and accepted for now."""

    subject: str
    rule: str
    theme: str
    token: str


def read_baseline(path: Path) -> tuple[Accepted, ...]:
    """Read a baseline.

    Raises:
        UsageError: the file is not one.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            Accepted(
                subject=str(row["subject"]),
                rule=str(row["rule"]),
                theme=str(row["theme"]),
                token=str(row["token"]),
            )
            for row in data["accepted"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is no baseline: delete it, and the next run writes a new one") from None


def write_baseline(path: Path, items: Iterable[Item]) -> int:
    """Accept what was found; returns how many violations that is."""
    rows = {
        (item.subject, each.rule): {
            "subject": item.subject, "rule": each.rule, "theme": item.theme, "token": each.token,
        }
        for item in items
        for each in item.findings
        if each.standing == "violated" and each.level != "MAY"
    }  # fmt: skip
    text = json.dumps({"accepted": [rows[key] for key in sorted(rows)]}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return len(rows)
