"""Runs a token again, as often as it is worth, and says how often it failed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.check.picture import draw_picture
from harness.judge.excuse import excuse
from harness.judge.judge import judge
from harness.model.progress import objection
from harness.values.course import Observation
from harness.values.history import History

if TYPE_CHECKING:
    from harness.check.law import Law
    from harness.check.trial import Trial
    from harness.values.subject import Subject
    from harness.values.token import Token

_TIMES = 20
_LONGEST = 40.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The outcome: `failed` of `tried` runs broke `rule`; `excused` of them as a known deviation."""

    rule: str
    tried: int
    failed: int
    excused: int
    inconclusive: int
    text: str = ""
    issue: str = ""
    picture: tuple[str, ...] = ()


def replay(trial: Trial, subject: Subject, token: Token, law: Law, *, times: int = _TIMES) -> Replay:
    """Run a token's program `times` over, or until it has taken long enough."""
    tried = failed = excused = inconclusive = 0
    text = issue = ""
    picture: tuple[str, ...] = ()
    limit = time.monotonic() + _LONGEST
    like = Observation(History(program=token.program), token.course)
    while tried < times and (tried == 0 or time.monotonic() < limit):
        tried += 1
        seen = trial.repeat(token.program, like)
        if seen.doubt:
            inconclusive, text = inconclusive + 1, seen.doubt
            continue
        history = seen.history
        judgement = judge(history, subject, law.rules)
        inconclusive += bool(judgement.inconclusive)
        text = text or judgement.inconclusive
        pairs = excuse(judgement.witnesses, history, subject, law.deviations)
        mine = [(witness, known) for witness, known in pairs if token.rule in ("", witness.rule)]
        red = [witness for witness, known in mine if known is None]
        if red:
            failed += 1
            text, picture = red[0].text, draw_picture(history, subject, red[0])
        elif mine:
            excused += 1
            witness, known = mine[0]
            issue = known.issue if known is not None else ""
            if not failed:
                text, picture = witness.text, draw_picture(history, subject, witness)
    return Replay(
        rule=token.rule, tried=tried, failed=failed, excused=excused, inconclusive=inconclusive,
        text=text, issue=issue, picture=picture,
    )  # fmt: skip


def unfair(token: Token) -> str:
    """Why a token's program is no fair test, or nothing."""
    return objection(token.program)
