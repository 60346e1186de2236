"""The judge: a history and a subject in, a judgement out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.beginnings import judge_beginnings
from harness.judge.callbacks import judge_callbacks
from harness.judge.case import FOREVER, Case
from harness.judge.deaths import judge_deaths
from harness.judge.driven import judge_driven
from harness.judge.endings import judge_endings
from harness.judge.futures import judge_exclusion, judge_executions, judge_outcomes
from harness.judge.lateness import judge_lateness
from harness.judge.leeway import judge_from_within, judge_undefined, left_a_callback
from harness.judge.life import judge_remains, judge_survival
from harness.judge.mapping import judge_maps
from harness.judge.pickling import judge_pickling
from harness.judge.pool import (
    judge_construction,
    judge_counts,
    judge_order,
    judge_shutdowns,
    judge_starts,
    judge_submits,
)
from harness.judge.signals import judge_signals
from harness.judge.states import judge_states
from harness.judge.tally import Tally
from harness.judge.waiting import judge_waiting
from harness.values.program import exits, place_of
from harness.values.rule import Level
from harness.values.verdict import Judgement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.values.history import History
    from harness.values.rule import Rule
    from harness.values.subject import Subject

_FAMILIES = (
    judge_survival,
    judge_states,
    judge_executions,
    judge_exclusion,
    judge_outcomes,
    judge_driven,
    judge_callbacks,
    judge_waiting,
    judge_maps,
    judge_lateness,
    judge_submits,
    judge_order,
    judge_starts,
    judge_beginnings,
    judge_counts,
    judge_shutdowns,
    judge_from_within,
    judge_construction,
    judge_deaths,
    judge_pickling,
    judge_signals,
    judge_remains,
    judge_endings,
)

# A program that is over when its process has left has no epilogue, and every executor may close early.
_EXITING = (judge_survival, judge_endings)

# While a module is being imported, who does not start may only wait for the end of that: EXIT-07 says it.
_IMPORTING = tuple(family for family in _FAMILIES if family is not judge_starts)

# Who is named first when several rules are broken: the client's life, then work that is lost or done twice,
# then order and answers, then what is left behind. What comes later is often only a consequence.
_LEVELS = tuple(Level)
_PRECEDENCE = (
    "LIFE",
    "EXIT",
    "BRK",
    "PKL",
    "FUT",
    "CB",
    "RES",
    "MAP",
    "ASC",
    "WAIT",
    "SHD",
    "SUB",
    "INV",
    "POOL",
    "GC",
)


def judge(history: History, subject: Subject, rules: Mapping[str, Rule]) -> Judgement:
    """Judge one run by all rules that apply to the subject.

    The harness's own assumptions come first: if one does not hold, the run proves nothing, for or against.
    """
    case = Case(history, subject)
    doubt = unmet_assumption(case)
    if doubt:
        return Judgement(met={}, inconclusive=doubt)
    tally = Tally(case)
    for family in _families(case):
        family(case, tally)
    exercised = tally.met.keys() | {each.rule for each in tally.witnesses}
    applying = {name for name in exercised if name in rules and applies(rules[name], subject)}
    witnesses = [each for each in tally.witnesses if each.rule in applying]
    witnesses.sort(key=lambda each: (_LEVELS.index(rules[each.rule].level), _place(each.rule)))
    return Judgement(
        met={rule: count for rule, count in tally.met.items() if rule in applying}, witnesses=tuple(witnesses)
    )


def _families(case: Case) -> tuple[Callable[[Case, Tally], None], ...]:
    """Who judges a program, by where it is played."""
    if exits(case.program):
        return _EXITING
    if left_a_callback(case):
        return (judge_undefined,)
    return _FAMILIES if place_of(case.program) is None else _IMPORTING


def unmet_assumption(case: Case) -> str:
    """Why this run proves nothing, or an empty string."""
    stamps = [event.at for event in case.history.events]
    if stamps != sorted(stamps):
        return "the events are not in the order of their stamps"
    if case.slow is not None:
        return f"too slow to tell: {case.slow.reason}"
    hanging = case.open_calls()
    for call in hanging:
        if case.stuck is not None and (not call.fair or case.waits_for_room()):
            return f"operation {call.number} may rightly wait for ever"
    if case.stuck is not None and not hanging:
        return "nothing moves, and no call of the subject is open"
    if case.complete() and not any(call.ours and call.end < FOREVER for call in case.calls):
        return "the epilogue did not run"
    return ""


def applies(rule: Rule, subject: Subject) -> bool:
    """Whether a rule speaks about this subject at all."""
    known = subject.capabilities
    lifted = {name for name, lifts in (
        ("runs_inline", subject.inline), ("order", not subject.fifo), ("submit_may_block", subject.inline),
    ) if lifts}.union(known)  # fmt: skip
    return (
        (not rule.kinds or subject.kind in rule.kinds)
        and not (rule.death and subject.death not in rule.death)
        and not lifted.intersection(rule.unless)
        and all(need in known for need in rule.needs)
    )


def _place(rule: str) -> tuple[int, str]:
    family = rule.partition("-")[0]
    return (_PRECEDENCE.index(family) if family in _PRECEDENCE else len(_PRECEDENCE), rule)
