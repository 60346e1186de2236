"""Which programs an odd executor can be held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.values.operation import Forget
from tests.safe.executors import SAFE

if TYPE_CHECKING:
    from harness.values.program import Program

_WANT_A_SHUTDOWN: Final = {safe.target for safe in SAFE if not safe.forgettable}


def fits(program: Program, target: str) -> bool:
    """Whether the program drops no executor that has to be shut down."""
    return target not in _WANT_A_SHUTDOWN or not any(
        isinstance(step, Forget) for lane in program.lanes for step in lane.operations
    )
