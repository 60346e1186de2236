"""Finds `specs/` and reads it: text in, values out.

The loader trusts the files; `harness.specs_lint` is what judges them. On a file that cannot be read as rules
it raises `SpecsError` and points there.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, TypeVar

from harness.values.deviation import Deviation
from harness.values.rule import ARENAS, DEATHS, KINDS, Capability, Draft, Level, Rule, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.values.rule import CapabilityKind, CapabilityValue

Value = TypeVar("Value")
Table: TypeAlias = "Mapping[str, object]"

# Written out, since a plain `in` does not tell the type checker which names these are.
_VALUES: dict[str, CapabilityKind] = {"flag": "flag", "number": "number", "choice": "choice"}
_FOUND: dict[str, Literal["declared", "probed"]] = {"declared": "declared", "probed": "probed"}


class SpecsError(ValueError):
    """The specifications cannot be found or read; the message says where and what to do."""


class _Terms(TypedDict):
    """The keywords that `Rule` and `Draft` share."""

    level: Level
    promise: str
    intent: str
    source: Source
    component: str
    kinds: tuple[str, ...]
    since: tuple[int, int]
    arenas: tuple[str, ...]
    needs: tuple[str, ...]
    unless: tuple[str, ...]
    death: tuple[str, ...]
    issue: str


def specs_root() -> Path:
    """Returns the folder of the specifications: in an installed wheel, or beside the package in a clone."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_specs", package.parent / "specs"):
        if (folder / "rules").is_dir():
            return folder
    raise SpecsError(f"No specifications beside or inside {package}; reinstall executor-harness.")


def load_rules(root: Path | None = None) -> Mapping[str, Rule]:
    """Returns the released rules by id: files by name, rules as they stand in them, no retired ones."""
    return _load_rules(root or specs_root())


def load_drafts(root: Path | None = None) -> Mapping[str, Draft]:
    """Returns the drafts by working name, in the order of the file."""
    return _load_drafts(root or specs_root())


def load_capabilities(root: Path | None = None) -> Mapping[str, Capability]:
    """Returns the closed list of capabilities by name, in the order of the file."""
    return _load_capabilities(root or specs_root())


def load_deviations(root: Path | None = None) -> tuple[Deviation, ...]:
    """Returns the known departures of the standard library, files by name, entries as they stand in them."""
    return _load_deviations(root or specs_root())


@cache
def _load_deviations(root: Path) -> tuple[Deviation, ...]:
    files = sorted((root / "deviations").glob("*.toml"))
    return tuple(found for file in files for found in _read(file, "deviation", _deviation))


@cache
def _load_rules(root: Path) -> Mapping[str, Rule]:
    rules = (rule for file in rule_files(root) for rule in _read(file, "rule", _rule))
    return MappingProxyType({rule.id: rule for rule in rules if rule is not None})


@cache
def _load_drafts(root: Path) -> Mapping[str, Draft]:
    drafts = _read(root / "drafts.toml", "draft", _draft)
    return MappingProxyType({draft.working_name: draft for draft in drafts})


@cache
def _load_capabilities(root: Path) -> Mapping[str, Capability]:
    capabilities = _read(root / "capabilities.toml", "capability", _capability)
    return MappingProxyType({capability.name: capability for capability in capabilities})


def rule_files(root: Path) -> list[Path]:
    """Returns the files of released rules under `root`, by name."""
    return sorted((root / "rules").glob("*.toml"))


def _read(file: Path, table: str, build: Callable[[Table], Value]) -> Iterator[Value]:
    """Yields one value for each `[[table]]` of the file."""
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get(table, [])
        yield from map(build, entries)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SpecsError(
            f"{file} cannot be read as specifications ({error!r}); run `python -m harness.specs_lint`."
        ) from error


def _rule(table: Table) -> Rule | None:
    """Returns the rule, or None for a retired one, which stays in its file only to keep its id taken."""
    if "retired" in table:
        return None
    return Rule(id=_text(table, "id"), **_terms(table))


def _draft(table: Table) -> Draft:
    return Draft(
        working_name=_text(table, "working_name"), waits_for=_text(table, "waits_for"), **_terms(table)
    )


def _terms(table: Table) -> _Terms:
    return _Terms(
        level=Level(_text(table, "level")),
        promise=_text(table, "promise"),
        intent=_text(table, "intent"),
        source=_source(table["source"]),
        component=_text(table, "component"),
        kinds=_names(table, "kinds", KINDS),
        since=_version(_text(table, "since", "3.11")),
        arenas=_names(table, "arenas", ARENAS),
        needs=_names(table, "needs"),
        unless=_names(table, "unless"),
        death=_names(table, "death", DEATHS),
        issue=_text(table, "issue", ""),
    )


def _source(table: object) -> Source:
    if not isinstance(table, dict):
        raise TypeError("a source is a table")
    return Source(
        document=_text(table, "document"),
        section=_text(table, "section"),
        python=_text(table, "python", ""),
        quote=_text(table, "quote", ""),
        derivation=_text(table, "derivation", ""),
    )


def _capability(table: Table) -> Capability:
    return Capability(
        name=_text(table, "name"),
        sentence=_text(table, "sentence"),
        value=_VALUES[_text(table, "value")],
        default=_capability_value(table["default"]),
        choices=_names(table, "choices"),
        found=_FOUND[_text(table, "found")],
    )


def _capability_value(value: object) -> CapabilityValue:
    if isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{value!r} is no value of a capability")


def _deviation(table: Table) -> Deviation:
    return Deviation(
        id=_text(table, "id"),
        rules=_names(table, "rules"),
        component=_text(table, "component"),
        summary=_text(table, "summary"),
        issue=_text(table, "issue"),
        pattern=_names(table, "pattern"),
        since=_numbers(_text(table, "since", "3.11")),
        until=_numbers(_text(table, "until", "")),
        kinds=_names(table, "kinds", KINDS),
        token=_text(table, "token"),
        excused=_text(table, "excused"),
        near_miss=_text(table, "near_miss"),
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")) if text else ()


def _text(table: Table, key: str, default: str | None = None) -> str:
    """Returns the text under `key`; one without default has to be there."""
    value = table[key] if default is None else table.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"{key} is text")
    return value


def _names(table: Table, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    value = table.get(key, default)
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{key} is a list of names")
    return tuple(value)


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
