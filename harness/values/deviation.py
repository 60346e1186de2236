"""A known departure of the standard library: what it excuses, where, and since when."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Excuses witnesses of some rules that match a narrow pattern; it never switches a rule off.

    `component` is whose departure it is (inherited by every executor whose component is CPython's own);
    `since` and `until` are inclusive Python versions; `issue` is a ``gh-``/``bpo-`` number or
    ``unreported``; `pattern` are names of the closed vocabulary in `harness.judge.patterns`, all of which
    must match.
    """

    id: str
    rules: tuple[str, ...]
    component: str
    summary: str
    issue: str
    pattern: tuple[str, ...]
    since: tuple[int, ...] = (3, 11)
    until: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ("thread", "process", "interpreter", "remote")
    token: str = ""
    excused: str = ""
    near_miss: str = ""

    def covers(self, version: str) -> bool:
        """Whether it is known of this Python, such as ``3.12.1``."""
        now = tuple(int(part) for part in version.split(".") if part.isdigit())
        if now[: len(self.since)] < self.since:
            return False
        return not self.until or now[: len(self.until)] <= self.until
