"""Rules, drafts and capabilities: what `specs/` says, as values.

The closed vocabularies stand here, beside the fields that use them, so that the loader, the linter and the
judge cannot disagree about what a name may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

KINDS = ("thread", "process", "interpreter", "remote")
"""Where an executor's workers live."""

ARENAS = ("real", "simulated")
"""Where a program can be run and a rule judged."""

DEATHS = ("breaks", "heals", "retries", "undefined")
"""What the abrupt death of a worker does to an executor."""

COMPONENTS = (
    "Future",
    "wait",
    "as_completed",
    "Executor.map",
    "Executor",
    "thread pool",
    "process pool",
    "pool",
)
"""Who keeps a promise; `pool` is whichever pool serves it."""

DOCUMENTS = ("doc", "pep", "docstring", "design", "issue", "own")
"""Where a promise comes from: the documentation's page, a PEP, a docstring, the design, an issue, or us."""

CapabilityKind: TypeAlias = Literal["flag", "number", "choice"]
CapabilityValue: TypeAlias = bool | int | str


class Level(StrEnum):
    """How binding a promise is; a violated MUST fails the run, a SHOULD warns, a MAY informs."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Why a promise is one.

    Attributes:
        document: One of `DOCUMENTS`.
        section: The entry of that document, such as `Future.cancel`.
        python: The version whose documentation is quoted, such as `3.13`; empty if nothing is.
        quote: The exact words, as rendered (without markup); empty if there are none.
        derivation: How the promise follows from named sentences; empty if the quotation says it.
    """

    document: str
    section: str
    python: str = ""
    quote: str = ""
    derivation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a released rule and a draft have in common.

    Attributes:
        level: How binding the promise is.
        promise: The binding sentence.
        intent: Why a user cares, in one sentence.
        source: Where the promise comes from.
        component: Who keeps it, one of `COMPONENTS`.
        kinds: The kinds of executors it is about.
        since: The first Python it holds for, as `sys.version_info[:2]`.
        arenas: Where it can be judged; elsewhere it is *not applicable*.
        needs: Capabilities without which it is *not applicable*.
        unless: Capabilities that lift it when they have another value than their default.
        death: The death models it is about.
        issue: The CPython issue that it is known from, such as `gh-132063`; empty if none.
    """

    level: Level
    promise: str
    intent: str
    source: Source
    component: str
    kinds: tuple[str, ...] = KINDS
    since: tuple[int, int] = (3, 11)
    arenas: tuple[str, ...] = ARENAS
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    death: tuple[str, ...] = DEATHS
    issue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Terms):
    """A promise that is tested, under an id whose meaning never changes."""

    id: str

    @property
    def family(self) -> str:
        """The letters of the id: `FUT` for `FUT-08`."""
        return self.id.partition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft(Terms):
    """A promise that nothing tests yet.

    Attributes:
        working_name: How we call it until it is released; no id, and not stable.
        waits_for: What is missing to test it.
    """

    working_name: str
    waits_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """Something that executors may or may not do.

    Attributes:
        name: As rules and subjects write it.
        sentence: What it means that a subject has it.
        value: What its values are.
        default: The value of a subject that says nothing.
        choices: All values of a `choice`; empty for the others.
        found: Whether it is `declared` by the subject or `probed`.
    """

    name: str
    sentence: str
    value: CapabilityKind
    default: CapabilityValue
    choices: tuple[str, ...] = ()
    found: Literal["declared", "probed"] = "declared"
