"""The order of operations of a simulated run, as far as real threads and processes can be made to keep it."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from harness.arenas.simulated.world import Run

GO_ON: Final = "go on"
"""What a thread is about to do that was stopped in the middle of an operation: try it again."""

_UNSEEN: Final = frozenset({"gone", "reap", "tick"})
"""What the simulated world notes and a real thread does not announce."""


class Step(NamedTuple):
    """A role, and what it is about to do; of a kill the role is ``kill P1``, and so on."""

    role: str
    op: str


Order: TypeAlias = tuple[Step, ...]


def order_of(run: Run) -> Order:
    """The steps of a simulated run; those of worker processes only if they are forked, and have the hooks."""
    workers = all((pool.start or multiprocessing.get_start_method()) == "fork" for pool in run.program.pools)
    log, roles = run.trace.log, run.trace.roles
    steps = []
    for place, (index, op, _) in enumerate(log):
        if op in _UNSEEN or (op == "kill" and not _struck(log, place)):
            continue
        if workers or not roles[index].startswith("P"):
            steps.append(Step(roles[index], op))
    return tuple(steps)


def _struck(log: list[tuple[int, str, int]], place: int) -> bool:
    """Whether a kill found its victim alive."""
    return log[place + 1 : place + 2] != [] and log[place + 1][1] == "gone"
