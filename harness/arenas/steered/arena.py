"""The steered arena: a program on real threads and processes, in the order of a simulated run or shaken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harness.arenas.real import evidence
from harness.arenas.real.arena import RealArena
from harness.arenas.steered.podium import Podium

if TYPE_CHECKING:
    from pathlib import Path

    from harness.arenas.real.arena import Patience
    from harness.arenas.real.gatehouse import Gatehouse
    from harness.arenas.real.journal import Journal
    from harness.arenas.steered.order import Order
    from harness.values.granularity import Granularity
    from harness.values.history import History
    from harness.values.program import Program
    from harness.values.subject import Subject

_HOLD: Final = 0.2
"""For so many seconds all may stand still because of one who does not come, if really nothing moves."""

_LONGEST: Final = 2.0
"""The same if something does: whoever it is may only be slow."""


class SteeredArena(RealArena):
    """Runs programs in a child whose threads pass through hooks; as the real arena does in all else."""

    def __init__(
        self,
        scratch: Path,
        journal: Journal,
        *,
        import_from: tuple[str, ...] = (),
        granularity: Granularity = "synchronisation",
    ) -> None:
        """Prepare; see `RealArena`. The hooks are at this granularity, which an order must share."""
        super().__init__(scratch, journal, import_from=import_from)
        self._command = ("harness.arenas.steered.launch", granularity)
        self._seen: evidence.Look | None = None
        self.missed = 0
        """How much of the last order was given up, since somebody did not come."""

    def run(self, subject: Subject, program: Program, patience: Patience, *, noise_seed: int = 0) -> History:
        """Run a program whose threads wait at random moments, drawn from a seed; all lanes are played.

        Raises:
            SubjectError: the subject's constructor fails.
        """
        return self._run(subject, program, patience, {"noise": noise_seed})

    def follow(self, subject: Subject, program: Program, patience: Patience, order: Order) -> History:
        """Run a program so that operations come in this order, as far as possible.

        Raises:
            SubjectError: the subject's constructor fails.
        """
        self._podium.conduct(order)
        try:
            return self._run(subject, program, patience, {"noise": None})
        finally:
            self.missed = self._podium.conductor.missed
            self._podium.conduct(())

    def _open_gatehouse(self) -> Gatehouse:
        self._podium = Podium(self._selector, self._hear_puppet)
        return self._podium

    def _tend(self) -> None:
        if self._podium.conductor.over or self._child is None:
            return
        self._watch.moved()  # who is held does not hang
        waiting = self._podium.waiting()
        if waiting < _HOLD:
            self._seen = None
            return
        seen, before = evidence.look(self._child.pid), self._seen
        self._seen = seen
        if waiting > _LONGEST or (before is not None and not seen.busy and seen.marks == before.marks):
            self._podium.expire()

    def _obey(self, message: dict[str, Any]) -> None:
        if message["do"] == "unsteered":
            self._podium.conductor.finish()
        else:
            super()._obey(message)
