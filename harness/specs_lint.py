"""Judges `specs/`: every problem one sentence that names the file and the entry.

`python -m harness.specs_lint [ROOT]` prints them and ends with status 1 if there are any. The linter reads
the plain tables, not the loader's values, so that it can say everything that is wrong with an entry and not
only the first thing.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from harness.judge.patterns import PATTERNS
from harness.specs import rule_files, specs_root
from harness.values.rule import ARENAS, COMPONENTS, DEATHS, DOCUMENTS, KINDS, Level
from harness.values.stored import read_stored
from harness.values.token import Token, TokenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Shape: TypeAlias = Literal["text", "names", "table", "value"]


@dataclass(frozen=True, slots=True)
class _Schema:
    """The fields of one kind of entry, and which of them names it."""

    name: str
    required: Mapping[str, Shape]
    optional: Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One table of a file, with the words a message begins with."""

    file: str
    name: str
    table: Mapping[str, object]

    @property
    def where(self) -> str:
        return f"{self.file}: {self.name}"

    def text(self, key: str) -> str:
        """Returns the text under `key`, empty if there is none; a wrong shape is reported elsewhere."""
        value = self.table.get(key)
        return value if isinstance(value, str) else ""

    def names(self, key: str) -> list[str]:
        """Returns the list under `key` without what is no text in it."""
        value = self.table.get(key)
        return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class _Specs:
    """All entries of a tree, and what was wrong with reading them."""

    rules: list[_Entry]
    drafts: list[_Entry]
    capabilities: list[_Entry]
    deviations: list[_Entry]
    problems: list[str]


_TERMS: Mapping[str, Shape] = {
    "level": "text",
    "promise": "text",
    "intent": "text",
    "source": "table",
    "component": "text",
}
_LIMITS: Mapping[str, Shape] = {
    "kinds": "names",
    "since": "text",
    "arenas": "names",
    "needs": "names",
    "unless": "names",
    "death": "names",
    "issue": "text",
}
_SCHEMAS: Mapping[str, _Schema] = {
    "rule": _Schema("id", {"id": "text", **_TERMS}, {**_LIMITS, "retired": "text"}),
    "draft": _Schema("working_name", {"working_name": "text", "waits_for": "text", **_TERMS}, _LIMITS),
    "capability": _Schema(
        "name",
        {"name": "text", "sentence": "text", "value": "text", "default": "value", "found": "text"},
        {"choices": "names"},
    ),
    "deviation": _Schema(
        "id",
        {
            "id": "text",
            "rules": "names",
            "component": "text",
            "issue": "text",
            "summary": "text",
            "pattern": "names",
            "token": "text",
            "excused": "text",
            "near_miss": "text",
        },
        {"kinds": "names", "since": "text", "until": "text"},
    ),
}
_SOURCE = _Schema(
    "document",
    {"document": "text", "section": "text"},
    dict.fromkeys(("python", "quote", "derivation"), "text"),
)

_VOCABULARIES: Mapping[str, tuple[str, ...]] = {
    "level": tuple(Level),
    "component": COMPONENTS,
    "kinds": KINDS,
    "arenas": ARENAS,
    "death": DEATHS,
    "value": ("flag", "number", "choice"),
    "found": ("declared", "probed"),
}
_ID = re.compile(r"[A-Z]{2,4}-\d\d")
_ISSUE = re.compile(r"(gh|bpo)-\d+")
_MINOR = re.compile(r"3\.\d+")
_VERSION = re.compile(r"3\.(1[1-5])(?:\.(\d+))?")
_FOREVER = 10**6
"""Later than every patch release: `until = "3.12"` means the whole of 3.12."""


def lint(root: Path) -> list[str]:
    """Returns what is wrong with the specifications under `root`, in the order of the files."""
    specs = _read_specs(root)
    capabilities = {entry.name for entry in specs.capabilities}
    released = {entry.name for entry in specs.rules}
    return list(
        chain(
            specs.problems,
            _duplicates("id", specs.rules),
            _duplicates("working name", specs.drafts),
            _duplicates("name", specs.capabilities),
            _duplicates("id", specs.deviations),
            chain.from_iterable(_rule_problems(entry, capabilities) for entry in specs.rules),
            chain.from_iterable(_draft_problems(entry, released, capabilities) for entry in specs.drafts),
            chain.from_iterable(_capability_problems(entry) for entry in specs.capabilities),
            chain.from_iterable(
                _deviation_problems(entry, _current(specs), root) for entry in specs.deviations
            ),
        )
    )


def main(arguments: list[str]) -> int:
    """Prints the problems of the tree named on the command line, or of our own; returns the exit status."""
    problems = lint(Path(arguments[0]) if arguments else specs_root())
    for problem in problems:
        print(problem)  # noqa: T201 - the output of a command
    return 1 if problems else 0


# --- reading


def _read_specs(root: Path) -> _Specs:
    specs = _Specs([], [], [], [], [])
    files = rule_files(root)
    if not files:
        specs.problems.append(f"{root.name} holds no rules: there is no file rules/*.toml in it.")
    for file in files:
        _read(root, file, "rule", specs.rules, specs.problems)
    _read(root, root / "drafts.toml", "draft", specs.drafts, specs.problems)
    _read(root, root / "capabilities.toml", "capability", specs.capabilities, specs.problems)
    for file in sorted((root / "deviations").glob("*.toml")):
        _read(root, file, "deviation", specs.deviations, specs.problems)
    return specs


def _read(root: Path, file: Path, kind: str, entries: list[_Entry], problems: list[str]) -> None:
    """Appends the entries of one file and what is wrong with their fields; a missing file holds none."""
    if not file.is_file():
        return
    name = file.relative_to(root).as_posix()
    try:
        tables: Mapping[str, object] = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        problems.append(f"{name} is not TOML: {error}.")
        return
    problems += [
        f"{name} has the unknown table '{key}'; it holds [[{kind}]]." for key in tables if key != kind
    ]
    schema = _SCHEMAS[kind]
    for number, table in enumerate(_tables(tables.get(kind)), start=1):
        entry = _Entry(name, str(table.get(schema.name, f"entry {number}")), table)
        entries.append(entry)
        problems += _field_problems(entry, schema)


def _tables(value: object) -> list[Mapping[str, object]]:
    return [table for table in value if isinstance(table, dict)] if isinstance(value, list) else []


def _current(specs: _Specs) -> set[str]:
    """Returns the ids of the rules that are not retired."""
    return {entry.name for entry in specs.rules if "retired" not in entry.table}


# --- problems of any entry


def _field_problems(entry: _Entry, schema: _Schema) -> Iterator[str]:
    known = {**schema.required, **schema.optional}
    for key, value in entry.table.items():
        if key == "id" and schema is _SCHEMAS["draft"]:
            yield f"{entry.where} has an id; a draft has only a working name."
        elif key not in known:
            yield f"{entry.where} has the unknown field '{key}'."
        elif not _has_shape(value, known[key]):
            yield f"{entry.where} has the wrong kind of value in '{key}'; it takes {_SHAPES[known[key]]}."
    for key in schema.required:
        if key not in entry.table:
            yield f"{entry.where} lacks the field '{key}'."


_SHAPES: Mapping[Shape, str] = {
    "text": "text that is not empty",
    "names": "a list of names that is not empty",
    "table": "a table",
    "value": "true, false, a number or text",
}


def _has_shape(value: object, shape: Shape) -> bool:
    if shape == "text":
        return isinstance(value, str) and bool(value.strip())
    if shape == "names":
        return isinstance(value, list) and bool(value) and all(_has_shape(name, "text") for name in value)
    return isinstance(value, dict if shape == "table" else bool | int | str)


def _duplicates(word: str, entries: list[_Entry]) -> Iterator[str]:
    for name, times in Counter(entry.name for entry in entries).items():
        if times > 1:
            files = sorted({entry.file for entry in entries if entry.name == name})
            yield f"{', '.join(files)}: the {word} {name} is used {times} times; each is used once."


def _vocabulary_problems(entry: _Entry, keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        for name in entry.names(key) or filter(None, [entry.text(key)]):
            if name not in _VOCABULARIES[key]:
                known = ", ".join(_VOCABULARIES[key])
                yield f"{entry.where} has the unknown {key.rstrip('s')} '{name}'; known are {known}."


# --- rules and drafts


def _rule_problems(entry: _Entry, capabilities: set[str]) -> Iterator[str]:
    if not _ID.fullmatch(entry.name):
        yield f"{entry.where} is no id; one has two to four capital letters, a hyphen and two digits."
    yield from _terms_problems(entry, capabilities)


def _draft_problems(entry: _Entry, released: set[str], capabilities: set[str]) -> Iterator[str]:
    if entry.name in released:
        yield f"{entry.where} is a draft and released as well; a released rule leaves the drafts."
    yield from _terms_problems(entry, capabilities)


def _terms_problems(entry: _Entry, capabilities: set[str]) -> Iterator[str]:
    yield from _vocabulary_problems(entry, ("level", "component", "kinds", "arenas", "death"))
    for key in ("needs", "unless"):
        for name in entry.names(key):
            if name not in capabilities:
                yield f"{entry.where} has the unknown capability '{name}' in '{key}'."
    if entry.text("since") and not _MINOR.fullmatch(entry.text("since")):
        yield f"{entry.where} has the Python version '{entry.text('since')}'; one is written like 3.11."
    if entry.text("issue") and not _ISSUE.fullmatch(entry.text("issue")):
        yield f"{entry.where} has the issue '{entry.text('issue')}'; one is written like gh-132063."
    source = entry.table.get("source")
    if isinstance(source, dict):
        yield from _source_problems(_Entry(entry.file, f"{entry.name}, source", source), entry)


def _source_problems(source: _Entry, rule: _Entry) -> Iterator[str]:
    yield from _field_problems(source, _SOURCE)
    if source.text("document") and source.text("document") not in DOCUMENTS:
        known = ", ".join(DOCUMENTS)
        yield f"{source.where} has the unknown document '{source.text('document')}'; known are {known}."
    if source.text("python") and not _MINOR.fullmatch(source.text("python")):
        yield f"{source.where} has the Python version '{source.text('python')}'; one is written like 3.13."
    if source.text("document") in {"doc", "docstring"} and source.text("quote") and not source.text("python"):
        yield f"{source.where} quotes the documentation of no Python version; name it in 'python'."
    if rule.text("level") == Level.MUST and not (source.text("quote") or source.text("derivation")):
        yield f"{rule.where} is a MUST without a quote or a derivation; find the sentence or lower the level."


# --- capabilities and deviations


def _capability_problems(entry: _Entry) -> Iterator[str]:
    yield from _vocabulary_problems(entry, ("value", "found"))
    default, choices = entry.table.get("default"), entry.names("choices")
    matches = {
        "flag": isinstance(default, bool),
        "number": isinstance(default, int) and not isinstance(default, bool),
        "choice": default in choices,
    }
    if "default" in entry.table and not matches.get(entry.text("value"), True):
        yield f"{entry.where} has a default that is no {entry.text('value')} of its own."


def _deviation_problems(entry: _Entry, rules: set[str], root: Path) -> Iterator[str]:
    yield from _vocabulary_problems(entry, ("component", "kinds"))
    for name in entry.names("pattern"):
        if name not in PATTERNS:
            yield f"{entry.where} has the unknown pattern '{name}'; harness/judge/patterns.py has them all."
    for rule in entry.names("rules"):
        if rule not in rules:
            yield f"{entry.where} excuses {rule}, which is no released rule."
    issue = entry.text("issue")
    if issue and issue != "unreported" and not _ISSUE.fullmatch(issue):
        yield f"{entry.where} has the issue '{issue}'; one is written like gh-132063, or unreported."
    yield from _range_problems(entry)
    yield from _token_problems(entry)
    for key in ("excused", "near_miss"):
        yield from _history_problems(entry, key, root)


def _token_problems(entry: _Entry) -> Iterator[str]:
    if entry.text("token"):
        try:
            Token.from_text(entry.text("token"))
        except TokenError as error:
            yield f"{entry.where} has a token that cannot be run: {error}."


def _history_problems(entry: _Entry, key: str, root: Path) -> Iterator[str]:
    path = entry.text(key)
    if path and not (root / path).is_file():
        yield f"{entry.where} has no stored history at '{path}' ('{key}')."
    elif path:
        try:
            read_stored(root / path)
        except ValueError as error:
            yield f"{entry.where} has something else than a stored history at '{path}' ('{key}'): {error}."


def _range_problems(entry: _Entry) -> Iterator[str]:
    """Yields what is wrong with the versions a deviation is known from."""
    bounds: dict[str, tuple[int, int]] = {}
    for key, patch in (("since", 0), ("until", _FOREVER)):
        text = entry.text(key)
        match = _VERSION.fullmatch(text)
        if match:
            bounds[key] = int(match[1]), int(match[2] or patch)
        elif text:
            yield f"{entry.where} has the unknown Python version '{text}' in '{key}'; known are 3.11 to 3.15."
    if bounds.get("since", (0, 0)) > bounds.get("until", (_FOREVER, 0)):
        yield f"{entry.where} ends with {entry.text('until')}, before it begins with {entry.text('since')}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
