"""What a search found, as plain values that travel between processes and into reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from harness.judge.comparison import nameless
from harness.values.course import Course  # noqa: TC001 - the codec reads the types of the fields

if TYPE_CHECKING:
    from collections.abc import Iterable

ArenaName: TypeAlias = Literal["real", "steered", "simulated"]

ARENAS: tuple[ArenaName, ...] = get_args(ArenaName)

Standing: TypeAlias = Literal["violated", "deviation", "unconfirmed"]

STANDINGS = ("forbidden", "diverging", "known", "passing", "alike")
"""How a program may stand in a `Comparison`, the gravest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule broken by one subject, with its smallest program and the command that brings it back.

    `standing` is ``deviation`` for a known departure of CPython's (then `deviation` and `issue` name it) and
    ``unconfirmed`` for one that rests on a clock and was not seen again. `reproduced` of
    `tried` replays failed. In the simulated arena there is a `course`; its `steps` are drawn for a person;
    `confirmed` of so many `attempts` to bring it about on real threads and processes succeeded. So many of
    its decisions are `beyond_gil`: a build with a global lock is not known to switch threads there.
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
    arena: ArenaName = "real"
    course: Course | None = None
    steps: tuple[str, ...] = ()
    beyond_gil: int = 0
    confirmed: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """How often a rule's premise was met, and in how many programs."""

    rule: str
    times: int
    programs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """A call that ends differently on the subject and on a peer, both times, and no rule decides.

    `programs` counts the programs in which such a difference was seen; the token is the smallest of them.
    """

    call: str
    ours: str
    theirs: str
    programs: int
    token: str
    short: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The same programs on the subject and on a peer, each counted once, by the gravest that was seen.

    `forbidden`: the subject breaks a rule there; `known`: a known deviation, or a fault of the peer's;
    `diverging`: rules allow both; `passing`: what differed did not differ again when both were repeated.
    """

    peer: str
    programs: int
    alike: int
    forbidden: int
    known: int
    diverging: int
    passing: int
    divergences: tuple[Divergence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """How many schedules the programs of an item ran under, in the simulated world.

    Each program counted apart, no two of the `distinct` ones had the same steps; those of one of the
    `classes` differ only in steps that have nothing to do with each other; `histories` looked different from
    outside.
    Of so many programs all schedules within bounds were run: those are `exhausted`.
    """

    run: int = 0
    distinct: int = 0
    classes: int = 0
    histories: int = 0
    exhausted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What one item (a subject, a theme and an arena) did and found."""

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
    comparisons: tuple[Comparison, ...] = ()
    arena: ArenaName = "real"
    schedules: Schedules = Schedules()
    refused: str = ""  # why the arena cannot be had for this subject

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


def merged(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons of several items, brought together for each peer."""
    found: dict[str, Comparison] = {}
    for each in comparisons:
        known = found.get(each.peer)
        found[each.peer] = each if known is None else _added(known, each)
    return tuple(found.values())


def _added(one: Comparison, other: Comparison) -> Comparison:
    counts = {name: getattr(one, name) + getattr(other, name) for name in ("programs", *STANDINGS)}
    kinds: dict[tuple[str, str, str], Divergence] = {}
    for each in (*one.divergences, *other.divergences):
        kind = (nameless(each.call), nameless(each.ours), nameless(each.theirs))
        programs = each.programs + (kinds[kind].programs if kind in kinds else 0)
        kinds[kind] = replace(kinds.get(kind, each), programs=programs)
    return replace(one, **counts, divergences=tuple(kinds.values()))
