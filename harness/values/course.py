"""The course of a simulated run: what it takes to come by the same run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.values.granularity import Granularity  # noqa: TC001 - the codec reads the types of the fields
from harness.values.schedule import Schedule

if TYPE_CHECKING:
    from harness.values.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Who went next in a run, and how to tell that another run is the same.

    `schedule` is the text of a `Schedule`; `digest` names every step and every event of the run; `sources`
    names what the world was loaded from, sixteen hexadecimal digits each; `strategy` found it.
    """

    schedule: str
    granularity: Granularity = "synchronisation"
    digest: str = ""
    sources: str = ""
    strategy: str = ""

    @property
    def decisions(self) -> Schedule:
        """The schedule as a value.

        Raises:
            ScheduleError: the text is no schedule.
        """
        return Schedule.from_text(self.schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement that a thread was about to begin: where it is, and its first line, shortened.

    `moment` tells apart when it is ``before`` it, ``again`` at the head of a loop, or about to ``store``.
    """

    file: str
    line: int
    text: str
    moment: Literal["before", "again", "store"] = "before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a simulated run: `role` did `op` on the object numbered `target`, 0 if on none.

    `chosen` says that by default another would have gone on; `beyond_gil` that a build with a global lock is
    not known to switch threads there. If `op` names a `statement`, that is which.
    """

    role: str
    op: str
    target: int = 0
    chosen: bool = False
    beyond_gil: bool = False
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one run showed, with its course if it can be repeated step by step.

    `doubt` says why it proves nothing, if so: there was no executor, the run left the schedule that it was to
    follow, or it never ended. The `steps` are there if they were asked for.
    """

    history: History
    course: Course | None = None
    doubt: str = ""
    steps: tuple[Step, ...] = ()
