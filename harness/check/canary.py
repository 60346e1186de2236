"""Before anything is believed: is a fault noticed where there is one?

A harness that has gone blind finds nothing wrong, and looks like one that has nothing to find. So each arena
is first shown an executor that is broken on purpose (`arenas/real/canary.py`), by a fixed program and, in the
simulated arena, fixed schedules; what is wrong there has to be seen and named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from harness.arenas.real.arena import Patience
from harness.arenas.simulated.plan import Plan
from harness.check.resolve import resolve
from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values.operation import Cancel, Result, Submit
from harness.values.program import Lane, Program, Script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.arenas.real.arena import RealArena
    from harness.arenas.simulated.arena import SimulatedArena
    from harness.check.finding import ArenaName
    from harness.values.subject import Subject
    from harness.values.verdict import Witness

TARGET = "harness.arenas.real.canary:Canary"
FORGETS: Final = "SUB-01"
HASTENS: Final = "FUT-08"

ASK: Final = Program(
    tasks=(Script(task="t0"),),
    lanes=(
        Lane(
            operations=(
                Submit(executor="e0", future="f0", task="t0", keywords=True),
                Result(future="f0"),
            )
        ),
    ),
)
RACE: Final = Program(
    tasks=(Script(task="t0"),),
    lanes=(Lane(operations=(Submit(executor="e0", future="f0", task="t0"), Cancel(future="f0"))),),
)
_SCHEDULES: Final = Plan(schedules=200, seed=1)


class Venues(Protocol):
    """The arenas of this process."""

    @property
    def real(self) -> RealArena: ...  # noqa: D102 - described by the type
    @property
    def simulated(self) -> SimulatedArena: ...  # noqa: D102 - as above


class Showing:
    """Shows the broken executor to each arena once, when it is about to be used."""

    def __init__(self, venues: Venues) -> None:
        """Nothing has been shown yet."""
        self._venues = venues
        self._rules = load_rules()
        self._found: dict[ArenaName, str] = {}
        self._canary: Subject | None = None

    def blindness(self, arena: ArenaName) -> str:
        """What an arena fails to notice, in one sentence; an empty text is as it should be."""
        if arena == "steered":  # the real arena with hooks
            arena = "real"
        if arena not in self._found:
            self._canary = self._canary or resolve(self._venues.real, TARGET)
            rule = FORGETS if arena == "real" else HASTENS
            broken = (each.rule for each in self._witnesses(arena, self._canary))
            self._found[arena] = "" if rule in broken else _sentence(arena, rule)
        return self._found[arena]

    def _witnesses(self, arena: ArenaName, canary: Subject) -> Iterator[Witness]:
        """What is wrong with it, as far as the arena can tell."""
        if arena == "real":
            histories = iter([self._venues.real.run(canary, ASK, Patience())])
        else:
            histories = (seen.history for seen in self._venues.simulated.explore(canary, RACE, _SCHEDULES))
        for history in histories:
            yield from judge(history, canary, self._rules).witnesses


def _sentence(arena: ArenaName, rule: str) -> str:
    return (
        f"the {arena} arena does not see that an executor broken on purpose breaks {rule}: "
        "nothing that it finds or does not find can be believed; please report this"
    )
