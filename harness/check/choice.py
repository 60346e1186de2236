"""What a run judges by, and where: names from closed lists."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, TypeVar

from harness.check.finding import ARENAS
from harness.check.profile import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.check.finding import ArenaName
    from harness.values.rule import Rule

_Name = TypeVar("_Name", bound=str)


def chosen_rules(text: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules that a list of globs and levels picks; a leading ``-`` takes out.

    Raises:
        UsageError: a part of the list picks nothing, or nothing is left.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    chosen = {} if any(not part.startswith("-") for part in parts) else dict(rules)
    for part in parts:
        picked = _picked(part.removeprefix("-").upper(), rules)
        if not picked:
            raise UsageError(f"no rule matches {part!r}: see --executor-list-rules")
        if part.startswith("-"):
            chosen = {id_: rule for id_, rule in chosen.items() if id_ not in picked}
        else:
            chosen |= picked
    if not chosen:
        raise UsageError(f"{text!r} leaves no rule to judge by: see --executor-list-rules")
    return chosen


def _picked(name: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    return {
        id_: rule for id_, rule in rules.items()
        if fnmatch.fnmatchcase(id_, name) or str(rule.level) == name
    }  # fmt: skip


def chosen_arenas(text: str) -> tuple[ArenaName, ...]:
    """The arenas that a list names.

    Raises:
        UsageError: there is no such arena.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(dict.fromkeys(one_of(ARENAS, name, "arena") for name in names))


def one_of(known: tuple[_Name, ...], text: str, what: str) -> _Name:
    """The one of some names that was given, or the first.

    Raises:
        UsageError: it is none of them.
    """
    found = {str(name): name for name in known}
    if text and text not in found:
        raise UsageError(f"there is no {what} {text!r}: take one of {', '.join(found)}")
    return found[text] if text else known[0]
