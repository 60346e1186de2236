"""The themes: a state machine each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.generation.beginnings import Beginnings
from harness.generation.crowds import Crowds
from harness.generation.deadlines import Deadlines
from harness.generation.endings import Endings
from harness.generation.futures import Futures
from harness.generation.handoffs import Handoffs
from harness.generation.leeway import Leeway
from harness.generation.machines import Death, Lanes, Lifecycle, Mapping, ProgramMachine, Waiting
from harness.generation.pairs import Pairs
from harness.generation.payloads import Payloads
from harness.generation.signals import Signals

if TYPE_CHECKING:
    from harness.generation.composer import Shape

THEMES: dict[str, type[ProgramMachine]] = {
    "lifecycle": Lifecycle,
    "waiting": Waiting,
    "map": Mapping,
    "death": Death,
    "lanes": Lanes,
    "endings": Endings,
    "beginnings": Beginnings,
    "futures": Futures,
    "handoffs": Handoffs,
    "pairs": Pairs,
    "payloads": Payloads,
    "signals": Signals,
    "leeway": Leeway,
    "deadlines": Deadlines,
    "crowds": Crowds,
}
"""The themes by name, in the order in which they run."""

LATER: Final[frozenset[str]] = frozenset(THEMES) - {"lifecycle", "waiting", "map", "death", "lanes"}
"""The themes that a quick run has no time for."""

SMALL: Final[frozenset[str]] = frozenset({"handoffs", "pairs"})
"""The themes of programs so small that they can be interrupted nearly everywhere."""

ALIKE: Final[frozenset[str]] = frozenset({"pairs"})
"""Those of which Hypothesis draws many that differ in an order or a number only: one of each will do."""


def themes_for(shape: Shape, *, later: bool = True) -> list[str]:
    """The themes that make sense for a subject, with or without the `LATER` ones."""
    fitting = (
        ("death", shape.dies),
        ("deadlines", shape.lanes > 1),
        ("lanes", shape.lanes > 1),
        ("endings", shape.leaves),
        ("handoffs", shape.lanes > 1),
        ("pairs", shape.lanes > 1),
        ("payloads", shape.lanes == 1),
        ("crowds", shape.lanes == 1 and not shape.inline),
        ("signals", shape.dies and shape.lanes == 1),
    )
    unfit = {name for name, fits in fitting if not fits} | (frozenset() if later else LATER)
    return [name for name in THEMES if name not in unfit]
