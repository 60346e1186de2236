"""Baselines: what is broken today is accepted; what is new fails, and what is gone but still listed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.check.profile import UsageError
from harness.values.token import Token, TokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from harness.check.finding import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One violation that is known and accepted for now."""

    subject: str
    rule: str
    theme: str
    token: Token


class Baseline:
    """A baseline file; on `first_contact` there is none yet, and whatever is found is accepted."""

    def __init__(self, path: Path) -> None:
        """Read it, if it is there.

        Raises:
            UsageError: the file is no baseline, or could not be written where it shall be.
        """
        self.path = path
        self.first_contact = not path.exists()
        if self.first_contact and not path.parent.is_dir():
            raise UsageError(f"the baseline cannot be written: make the folder {path.parent} first")
        self._accepted = () if self.first_contact else _read(path)

    def measure(self, item: Item, still_fails: Callable[[Token], bool]) -> Item:
        """Mark what is accepted, and find what is gone: its token tells, not the luck of the draw."""
        known = {each.rule for each in self._accepted if each.subject == item.subject}
        findings = tuple(
            replace(each, baseline=each.standing == "violated" and (self.first_contact or each.rule in known))
            for each in item.findings
        )
        seen = {each.rule for each in findings if each.standing == "violated"}
        gone = [
            each.rule for each in self._accepted
            if (each.subject, each.theme) == (item.subject, item.theme)
            and (each.token.course is None) == (item.arena == "real")
            and each.rule in item.applicable and each.rule not in seen
            and not still_fails(replace(each.token, rule=each.rule))
        ]  # fmt: skip
        return replace(item, findings=findings, gone=tuple(gone))

    def write(self, items: Iterable[Item]) -> int:
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
        self.path.write_text(text + "\n", encoding="utf-8")
        return len(rows)


def _read(path: Path) -> tuple[Accepted, ...]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["accepted"]
        return tuple(
            Accepted(
                subject=str(row["subject"]), rule=str(row["rule"]), theme=str(row["theme"]),
                token=Token.from_text(str(row["token"])),
            )
            for row in rows
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, TokenError):
        raise UsageError(f"{path} is no baseline: delete it, and the next run writes a new one") from None
