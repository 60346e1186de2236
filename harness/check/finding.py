"""What a search found, as plain values that travel between processes and into reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Standing: TypeAlias = Literal["violated", "deviation", "unconfirmed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule broken by one subject, with its smallest program and the command that brings it back.

    `standing` is ``deviation`` for a known departure of CPython's (then `deviation` and `issue` name it) and
    ``unconfirmed`` for one that rests on a clock and was not seen again. `reproduced` of
    `tried` replays failed.
    """

    rule: str
    level: str
    standing: Standing
    text: str
    token: str
    short: str
    theme: str
    size: int = 0
    shrunk_from: int = 0
    sightings: int = 1
    reproduced: int = 0
    tried: int = 0
    after: int = 0
    deviation: str = ""
    issue: str = ""
    summary: str = ""
    picture: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    stacks: str = ""
    baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """How often a rule's premise was met, and in how many programs."""

    rule: str
    times: int
    programs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What one item (a subject and a theme) did and found."""

    subject: str
    target: str
    kind: str
    theme: str
    seed: int
    digest: str
    planned: int
    run: int
    seconds: float
    stillness: float
    profile: str = ""
    applicable: tuple[str, ...] = ()
    exercised: tuple[Exercise, ...] = ()
    findings: tuple[Finding, ...] = ()
    inconclusive: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()  # deviations that concern this subject

    @property
    def proved_nothing(self) -> bool:
        """Whether every program was inconclusive: that is not green."""
        return bool(self.inconclusive) and not self.exercised and not self.findings

    def failing(self, *, strict: bool) -> list[Finding]:
        """The findings that fail the run: a broken MUST; with `strict`, a broken SHOULD as well."""
        levels = {"MUST", "SHOULD"} if strict else {"MUST"}
        return [
            each for each in self.findings
            if each.standing == "violated" and each.level in levels and not each.baseline
        ]  # fmt: skip
