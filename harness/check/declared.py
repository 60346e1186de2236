"""What a maintainer declares of an executor, checked against the closed list of capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.arenas.real.arena import SubjectError
from harness.arenas.real.probe import DECLARATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.values.rule import Capability, CapabilityValue


def declared_by(
    target: str, said: Mapping[str, Any], known: Mapping[str, Capability]
) -> dict[str, CapabilityValue]:
    """What a subject's class or factory says in its `executor_harness`.

    Raises:
        SubjectError: there is no such capability, or it cannot have this value; the message is one sentence.
    """
    for name, value in said.items():
        where = f"{target}.{DECLARATION}"
        if name not in known:
            raise SubjectError(f"{where} names {name!r}, and there are only {', '.join(known)}")
        if not _fits(known[name], value):
            raise SubjectError(f"{where} says {value!r} of {name!r}, which is {_wanted(known[name])}")
    return dict(said)


def _fits(capability: Capability, value: CapabilityValue) -> bool:
    match capability.value:
        case "flag":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case "choice":
            return value in capability.choices


def _wanted(capability: Capability) -> str:
    """What values there are, for a sentence."""
    wanted = {"flag": "True or False", "number": "a number, 0 or more"}
    return wanted.get(capability.value) or f"one of {', '.join(capability.choices)}"
