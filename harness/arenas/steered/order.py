"""The order of operations of a simulated run, as far as real threads and processes can be made to keep it."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.values import course
    from harness.values.program import Program

GO_ON: Final = "go on"
"""What a thread is about to do that was stopped in the middle of an operation: try it again."""

_UNSEEN: Final = frozenset({"gone", "reap", "tick"})
"""What the simulated world notes and a real thread does not announce."""


class Step(NamedTuple):
    """A role, and what it is about to do; of a kill the role is ``kill P1``, and so on."""

    role: str
    op: str


Order: TypeAlias = tuple[Step, ...]


def order_of(program: Program, steps: Sequence[course.Step]) -> Order:
    """The steps of a simulated run; those of worker processes only if they are forked, and have the hooks."""
    workers = all((pool.start or multiprocessing.get_start_method()) == "fork" for pool in program.pools)
    order = []
    for place, step in enumerate(steps):
        if step.op in _UNSEEN or (step.op == "kill" and not _struck(steps, place)):
            continue
        if workers or not step.role.startswith("P"):
            order.append(Step(step.role, step.op))
    return tuple(order)


def _struck(steps: Sequence[course.Step], place: int) -> bool:
    """Whether a kill found its victim alive."""
    return place + 1 < len(steps) and steps[place + 1].op == "gone"
