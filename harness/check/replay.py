"""Runs a token again, as often as it is worth, and says how often it failed."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.arenas.simulated.arena import Effort
from harness.check.picture import draw_picture
from harness.judge.excuse import excuse
from harness.judge.judge import judge
from harness.model.form import MOST_LANES
from harness.model.progress import objection
from harness.values.course import Observation
from harness.values.history import History

if TYPE_CHECKING:
    from harness.check.law import Law
    from harness.check.trial import SimulatedTrial, Trial
    from harness.values.deviation import Deviation
    from harness.values.subject import Subject
    from harness.values.token import Token
    from harness.values.verdict import Witness

_TIMES = 20
_LONGEST = 40.0  # seconds
_NEAR = 3000  # schedules near that of a token whose sources have changed


@dataclass(slots=True, kw_only=True)
class Replay:
    """The outcome: `failed` of `tried` runs broke `rule`; `excused` of them as a known deviation.

    With a schedule there are two modes. ``exact``: sources and Python are those of the token, so each run
    must be the same; `diverged` says where one was not. ``guided``: they are not; the schedule was followed
    by its labels and searched around, until the failure was found again or `tried` schedules were run.
    """

    rule: str
    mode: Literal["luck", "exact", "guided"] = "luck"
    tried: int = 0
    failed: int = 0
    excused: int = 0
    inconclusive: int = 0
    text: str = ""
    issue: str = ""
    diverged: str = ""
    picture: tuple[str, ...] = ()

    def count(self, seen: Observation, subject: Subject, law: Law) -> None:
        """Judge one run of the token."""
        judgement = judge(seen.history, subject, law.rules)
        doubt = seen.doubt or judgement.inconclusive
        if doubt:
            self.inconclusive += 1
            self.text = self.text or doubt
            return
        pairs = excuse(judgement.witnesses, seen.history, subject, law.deviations)
        mine = [(witness, known) for witness, known in pairs if self.rule in ("", witness.rule)]
        red = [witness for witness, known in mine if known is None]
        if red:
            self.failed += 1
            self._show(seen, subject, red[0], None)
        elif mine:
            self.excused += 1
            if not self.failed:
                self._show(seen, subject, *mine[0])

    def _show(self, seen: Observation, subject: Subject, witness: Witness, known: Deviation | None) -> None:
        self.issue = known.issue if known is not None else self.issue
        self.text, self.picture = witness.text, draw_picture(seen.history, subject, witness)


def replay(trial: Trial, subject: Subject, token: Token, law: Law, *, times: int = _TIMES) -> Replay:
    """Run a token's program `times` over, or until it has taken long enough."""
    result = Replay(rule=token.rule)
    like = Observation(History(program=token.program), token.course)
    limit = time.monotonic() + _LONGEST
    while result.tried < times and (result.tried == 0 or time.monotonic() < limit):
        result.tried += 1
        result.count(trial.repeat(token.program, like), subject, law)
    return result


def replay_course(
    trial: SimulatedTrial, subject: Subject, token: Token, law: Law, *, times: int = _TIMES
) -> Replay:
    """Run a token's schedule again: exactly, if it can mean the same run, or else by its labels."""
    like = Observation(History(program=token.program), token.course)
    first = trial.repeat(token.program, like)
    if _means_the_same(first, token):
        result = replay(trial, subject, token, law, times=times)
        result.mode, result.diverged = "exact", first.doubt
        return result
    return _search_near(trial, subject, token, law, like)


def _means_the_same(seen: Observation, token: Token) -> bool:
    """Whether sources and Python are those of the token, so that its schedule must lead to the same run."""
    if seen.course is None or token.course is None:
        return True
    return seen.course.sources == token.course.sources and token.python == this_python()


def _search_near(
    trial: SimulatedTrial, subject: Subject, token: Token, law: Law, like: Observation
) -> Replay:
    result, effort = Replay(rule=token.rule, mode="guided"), Effort()
    limit = time.monotonic() + _LONGEST
    for seen in trial.near(token.program, like, _NEAR, effort):
        result.count(seen, subject, law)
        if result.failed or time.monotonic() > limit:
            break
    result.tried = effort.schedules
    return result


def unfair(token: Token) -> str:
    """Why a token's program is no fair test, or nothing."""
    return objection(token.program, lanes=1 if token.course is None else MOST_LANES)


def this_python() -> str:
    """The Python that tokens of this process are made with."""
    return f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"
