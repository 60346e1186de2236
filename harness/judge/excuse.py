"""Deviations excuse witnesses: CPython's known faults are shown as CPython's; everything else stays red."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import Case
from harness.judge.patterns import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.values.deviation import Deviation
    from harness.values.history import History
    from harness.values.subject import Subject
    from harness.values.verdict import Witness


def excuse(
    witnesses: Iterable[Witness], history: History, subject: Subject, deviations: Iterable[Deviation]
) -> list[tuple[Witness, Deviation | None]]:
    """Pair every witness with the deviation that excuses it, or with None."""
    witnesses = list(witnesses)
    if not witnesses:  # as in nearly every run of a search: to look at it from all sides would cost more
        return []
    known = [each for each in deviations if concerns(each, subject)]
    case = Case(history, subject)
    return [(witness, _excuse(witness, case, known)) for witness in witnesses]


def concerns(deviation: Deviation, subject: Subject) -> bool:
    """Whether a subject inherits a deviation: CPython's component is in it, and its Python has the fault."""
    return (
        subject.kind in deviation.kinds
        and subject.inherits(deviation.component)
        and deviation.covers(subject.version)
    )


def _excuse(witness: Witness, case: Case, known: Iterable[Deviation]) -> Deviation | None:
    for deviation in known:
        if witness.rule in deviation.rules and all(
            PATTERNS[name](case, witness) for name in deviation.pattern
        ):
            return deviation
    return None
