"""What a run judges by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.values.deviation import Deviation
    from harness.values.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """The rules, and what is excused."""

    rules: Mapping[str, Rule]
    deviations: tuple[Deviation, ...] = ()
