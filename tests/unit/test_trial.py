"""How programs are tried on an executor that polls: what one long look has shown need not be shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from harness.arenas.real.arena import Patience
from harness.check.trial import RealTrial
from harness.values.history import History, Slow, Stuck
from harness.values.program import Pool, Program
from tests.unit.story import an_executor

if TYPE_CHECKING:
    from harness.arenas.real.arena import RealArena
    from harness.values.subject import Subject

PROGRAM = Program(pools=(Pool(),), tasks=())


class Polling:
    """An arena in which everything moves for ever; who has an `idle` limit learns that it is in vain."""

    def __init__(self) -> None:
        """Nothing was run."""
        self.looks: list[Patience] = []

    def run(self, _subject: Subject, program: Program, patience: Patience) -> History:
        """Hang."""
        self.looks.append(patience)
        event = Slow(at=1, reason="it moves") if patience.idle is None else Stuck(at=1, stacks="")
        return History(program=program, events=(event,))


def test_one_long_look_is_enough_to_know_that_an_executor_polls() -> None:
    """Afterwards a hang is told at the first look, also in haste and when it is repeated."""
    arena = Polling()
    trial = RealTrial(cast("RealArena", arena), an_executor(), Patience())
    (seen,) = trial.explore(PROGRAM)
    assert len(arena.looks) == 2  # noqa: PLR2004 - one and a second
    assert isinstance(seen.history.events[0], Stuck)
    again = [*trial.explore(PROGRAM), *trial.look(PROGRAM, seen, steady=True), trial.repeat(PROGRAM, seen)]
    assert all(isinstance(each.history.events[0], Stuck) for each in again)
    assert len(arena.looks) == 2 + len(again)


def test_hangs_of_an_executor_that_polls_use_patience_up() -> None:
    """Each takes about as long as a second look, and there are two of those in an item."""
    trial = RealTrial(cast("RealArena", Polling()), an_executor(), Patience())
    list(trial.explore(PROGRAM))
    assert trial.patient
    list(trial.explore(PROGRAM))
    assert not trial.patient
