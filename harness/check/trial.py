"""How programs are tried on one subject: in an arena, with a first look, a look in haste, and a repetition.

A search knows only this. In the real arena a look is a run; in the simulated one it is many, and what failed
there can be repeated step by step.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from harness.arenas.real.arena import Patience, SubjectError
from harness.arenas.simulated.arena import Effort
from harness.arenas.simulated.plan import Plan
from harness.check.confirm import Confirmation, confirm
from harness.check.shrink_schedule import shrink_schedule
from harness.values.course import Observation
from harness.values.history import History, Slow, Stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.arenas.real.arena import RealArena
    from harness.arenas.simulated.arena import SimulatedArena
    from harness.arenas.steered.arena import SteeredArena
    from harness.check.finding import ArenaName
    from harness.values.course import Course, Step
    from harness.values.granularity import Granularity
    from harness.values.program import Program
    from harness.values.schedule import Schedule
    from harness.values.subject import Subject

_TRIES: Final = 3  # of a candidate on real threads, when the failure does not show every time
# While reducing; what is shown is looked at again.
_HASTE: Final = Patience(glance=0.02, settle=0.05, hang=0.06, slow=5.0)
# Of an executor that is known to poll when it hangs: seconds without a word, and of the whole run; a pool
# that has not settled takes the former once, and the call that hangs once more.
_POLLING: Final = {"idle": 4.0, "slow": 20.0}
_POLLING_HASTE: Final = {"idle": 1.5, "slow": 10.0}
_SECOND_LOOKS: Final = 2  # of an item at programs that were too slow to tell: each may take half a minute
_AROUND: Final = 150  # schedules near a failing one, of a candidate for a smaller program
_LARGEST_NOISE: Final = 1 << 32
_SHRINKING: Final = 600  # runs for a shorter schedule
_SHRINKING_LATE: Final = 200  # the same when time is up: a schedule that nobody can follow is of no use
_SHRINKING_LONG: Final = 60  # the same for a livelock: each takes as long as a hundred others


class Trial(Protocol):
    """One subject in one arena.

    Attributes:
        arena: its name.
        repeats: how often a failure that was reduced is repeated.
        looks: how often at least, however little time is left: one is no confirmation.
        stillness: seconds spent so far on waiting for hangs.
        effort: what was run under how many schedules, where that is known.
        patient: whether it may take longer over a program than usual.
        least: so many programs of an item are tried, whatever its share of time; one that tried none would
            say nothing.
    """

    @property
    def arena(self) -> ArenaName: ...  # noqa: D102 - described above
    @property
    def repeats(self) -> int: ...  # noqa: D102 - described above
    @property
    def looks(self) -> int: ...  # noqa: D102 - described above
    @property
    def least(self) -> int: ...  # noqa: D102 - described above
    @property
    def stillness(self) -> float: ...  # noqa: D102 - described above
    @property
    def effort(self) -> Effort: ...  # noqa: D102 - described above
    @property
    def patient(self) -> bool: ...  # noqa: D102 - described above

    def explore(self, program: Program) -> Iterator[Observation]:
        """All that is worth seeing of a program that was drawn."""

    def look(self, program: Program, like: Observation, *, steady: bool) -> Iterator[Observation]:
        """In haste: does a program still show what another one showed?

        `steady` says that it showed each time; then fewer looks do.
        """

    def repeat(self, program: Program, like: Observation) -> Observation:
        """The same program once more, with patience: exactly the same run where that can be had."""

    def polish(
        self, program: Program, like: Observation, shows: Callable[[Observation], bool], *, late: bool
    ) -> Observation:
        """An observation of the same that is easier to follow, if there is one; `late` asks for haste."""

    def narrate(self, program: Program, like: Observation) -> tuple[Step, ...]:
        """The steps of a run, where they are known."""

    def confirm(
        self, program: Program, like: Observation, shows: Callable[[History], bool]
    ) -> Confirmation | None:
        """Whether what was seen in a world happens on real threads and processes; None if nobody can tell."""


@dataclass(slots=True)
class RealTrial:
    """On real threads and processes: a run is a run, and luck."""

    run_in: RealArena
    subject: Subject
    patience: Patience
    arena: ArenaName = "real"
    repeats: int = 5
    looks: int = 2
    least: int = 10
    effort: Effort = field(default_factory=Effort)
    _second_looks: int = 0
    _polls: bool = False  # a second look has shown that nothing more happens while it moves

    @property
    def stillness(self) -> float:
        """As the arena counts it."""
        return self.run_in.spending.stillness

    @property
    def patient(self) -> bool:
        """Whether programs that were too slow to tell may still be looked at again."""
        return self._second_looks < _SECOND_LOOKS

    def explore(self, program: Program) -> Iterator[Observation]:
        """One run; a second look if it was too slow to tell."""
        seen = self._run(program, self.patience)
        if self.patient and _shows(seen, Slow):
            self._second_looks += 1
            seen = self._run(program, self.patience.longer(4))
            if _shows(seen, Stuck):
                self._polls = True
                self.patience = replace(self.patience, **_POLLING)
        elif self._polls:
            self._second_looks += _shows(seen, Stuck)  # it took as long as one
        yield seen

    def look(self, program: Program, like: Observation, *, steady: bool) -> Iterator[Observation]:  # noqa: ARG002 - luck knows no likeness
        """One run, or some."""
        haste = replace(_HASTE, **_POLLING_HASTE) if self._polls else _HASTE
        return (self._run(program, haste) for _ in range(1 if steady else _TRIES))

    def repeat(self, program: Program, like: Observation) -> Observation:  # noqa: ARG002 - as above
        """Another run."""
        return self._run(program, self.patience)

    def polish(
        self,
        program: Program,  # noqa: ARG002 - no run can be made easier here
        like: Observation,
        shows: Callable[[Observation], bool],  # noqa: ARG002 - as above
        *,
        late: bool,  # noqa: ARG002 - as above
    ) -> Observation:
        """The same."""
        return like

    def narrate(self, program: Program, like: Observation) -> tuple[Step, ...]:  # noqa: ARG002 - as above
        """None: nobody was looking."""
        return ()

    def confirm(
        self,
        program: Program,  # noqa: ARG002 - it was seen there
        like: Observation,  # noqa: ARG002 - as above
        shows: Callable[[History], bool],  # noqa: ARG002 - as above
    ) -> Confirmation | None:
        """Nothing is left to be confirmed."""
        return None

    def _run(self, program: Program, patience: Patience) -> Observation:
        return _observed(lambda: self.run_in.run(self.subject, program, patience), program)


@dataclass(slots=True)
class SteeredTrial(RealTrial):
    """On real threads and processes that are shaken: each run by other noise, drawn from a seed."""

    run_in: SteeredArena
    arena: ArenaName = "steered"
    seed: int = 0
    _runs: int = 0

    def _run(self, program: Program, patience: Patience) -> Observation:
        self._runs += 1
        noise = (self.seed + self._runs) % _LARGEST_NOISE
        return _observed(lambda: self.run_in.run(self.subject, program, patience, noise_seed=noise), program)


@dataclass(slots=True)
class SimulatedTrial:
    """In a simulated world: a program runs under many schedules, which can be followed again."""

    run_in: SimulatedArena
    subject: Subject
    plan: Plan
    steered: Callable[[Granularity], SteeredArena] | None = None
    arena: ArenaName = "simulated"
    repeats: int = 20
    looks: int = 20
    least: int = 4
    stillness: float = 0.0
    patient: bool = True
    effort: Effort = field(default_factory=Effort)

    def explore(self, program: Program) -> Iterator[Observation]:
        """The histories that differ, of as many schedules as are planned."""
        plan = replace(self.plan, seed=_seed(self.plan.seed, program))
        return self.run_in.explore(self.subject, program, plan, self.effort)

    def look(self, program: Program, like: Observation, *, steady: bool) -> Iterator[Observation]:  # noqa: ARG002 - another program takes another course
        """The schedule of the other as nearly as possible, then some near it."""
        return self.near(program, like, 1 + _AROUND)

    def near(
        self, program: Program, like: Observation, schedules: int, effort: Effort | None = None
    ) -> Iterator[Observation]:
        """A schedule by its labels, and so many in all that differ a little."""
        plan = Plan(following="around", schedules=schedules)
        return self._follow(program, _course_of(like), plan, effort)

    def repeat(self, program: Program, like: Observation) -> Observation:
        """The same run: every step and every event of it."""
        course = _course_of(like)
        seen, *_ = self._follow(program, course, Plan(following="replay", all=True))
        if seen.doubt or _course_of(seen).digest == course.digest:
            return seen
        return replace(
            seen, doubt=f"the same schedule led elsewhere: to {_course_of(seen).digest}, not {course.digest}"
        )

    def polish(
        self, program: Program, like: Observation, shows: Callable[[Observation], bool], *, late: bool
    ) -> Observation:
        """The same failure with fewer decisions."""
        course = _course_of(like)
        found: dict[Schedule, Observation] = {}

        def fails(schedule: Schedule) -> Schedule | None:
            candidate = replace(course, schedule=schedule.to_text())
            seen, *_ = self._follow(program, candidate, Plan(following="guided", all=True))
            if seen.course is None or not shows(seen):
                return None
            taken = seen.course.decisions
            found[taken] = seen
            return taken

        tries = _SHRINKING_LONG if _goes_in_circles(like) else _SHRINKING_LATE if late else _SHRINKING
        shrunk = shrink_schedule(course.decisions, fails, tries=tries)
        return found.get(shrunk.schedule, like) if shrunk.steady else like

    def narrate(self, program: Program, like: Observation) -> tuple[Step, ...]:
        """Every step of the run."""
        seen, *_ = self._follow(program, _course_of(like), Plan(following="replay", all=True, steps=True))
        return seen.steps

    def confirm(
        self, program: Program, like: Observation, shows: Callable[[History], bool]
    ) -> Confirmation | None:
        """On the steered rung, if there is one here; lateness is judged there as it was here."""
        if self.steered is None:
            return None
        exact = like.history.exact
        try:
            arena = self.steered(_course_of(like).granularity)
            return confirm(
                arena, self.subject, program, self.narrate(program, like),
                lambda history: shows(replace(history, exact=exact)),
            )  # fmt: skip
        except SubjectError:
            return None

    def _follow(
        self, program: Program, course: Course, plan: Plan, effort: Effort | None = None
    ) -> Iterator[Observation]:
        plan = replace(
            plan, schedule=course.schedule, granularity=course.granularity,
            seed=_seed(self.plan.seed, program),
        )  # fmt: skip
        return self.run_in.explore(self.subject, program, plan, effort)


def _observed(run: Callable[[], History], program: Program) -> Observation:
    """What a run showed; if there was no executor, although it could be built before, that is all."""
    try:
        return Observation(run())
    except SubjectError as error:
        return Observation(History(program=program), doubt=str(error))


def _shows(seen: Observation, kind: type[Stuck | Slow]) -> bool:
    """Whether a run ended in this way."""
    return any(isinstance(event, kind) for event in seen.history.events)


def _goes_in_circles(seen: Observation) -> bool:
    return any(isinstance(event, Stuck) and event.livelock for event in seen.history.events)


def _course_of(seen: Observation) -> Course:
    """The course of a run of the simulated world: whatever came to an end there has one."""
    if seen.course is None:
        raise ValueError(f"a run without a course cannot be followed: {seen.doubt}")
    return seen.course


def _seed(seed: int, program: Program) -> int:
    """A seed for the schedules of one program, whichever programs come before it."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{program.digest}".encode()).digest()[:8])
