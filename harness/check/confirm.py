"""Does it happen on the real thing? A failing run of the simulated world, once more on the steered rung."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.arenas.real.arena import Patience
from harness.arenas.steered.order import order_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.arenas.steered.arena import SteeredArena
    from harness.values.course import Step
    from harness.values.history import History
    from harness.values.program import Program
    from harness.values.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """In how many of so many tries a simulated failure was seen on real threads and processes."""

    confirmed: int
    tried: int

    def __str__(self) -> str:
        """As the report says it."""
        if self.confirmed:
            return f"on real threads and processes {self.confirmed} of {self.tried}"
        return "simulated only"


def confirm(  # noqa: PLR0913 - a run, the place for it, what to look for, and how long
    arena: SteeredArena,
    subject: Subject,
    program: Program,
    steps: Sequence[Step],
    shows: Callable[[History], bool],
    *,
    tries: int = 5,
    patience: Patience | None = None,
) -> Confirmation:
    """Make real threads take the order of a simulated run, so often, and count what `shows` the same failure.

    The `steps` are those of the shrunk schedule, in a world of the granularity of the arena. Each try ends:
    nobody is held for more than a fraction of a second, and what hangs is told by the arena's evidence.

    Raises:
        SubjectError: the subject's constructor fails.
    """
    order = order_of(program, steps)
    histories = (arena.follow(subject, program, patience or Patience(), order) for _ in range(tries))
    return Confirmation(confirmed=sum(map(shows, histories)), tried=tries)
