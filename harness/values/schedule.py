"""A schedule: who went next, as a value and as a short line of text.

Only the decisions that differ from the default (whoever is at it goes on) are kept. The text of a decision is
the distance to the one before, who goes next, and what that preempts::

    2:1fMT1-A3,4P2-MT1R1    two decisions
      1f                    at choice point 51 (base 36)
        MT1                 the first thread of main goes next
            A3              when main was about to acquire for the 3rd time
               4P2          four choice points later: the main thread of process 2
                   MT1R1    when the first thread of main was about to release for the 1st time

The preempted role is left out if it is the one chosen before (``main`` at first). A role or operation without
a code of its own stands between full stops. Nothing in the text means anything to a shell.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST_SHOWN = 40  # characters of a foreign text that an error repeats


class ScheduleError(ValueError):
    """The text is no schedule; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """At choice point `at` (counted from 0), `role` goes next, although by default another would.

    The label is what the decision means when the numbers of the choice points have changed: it preempts the
    role `instead`, which was about to do `op` for the `nth` time (counted from 1, leaving out steps without a
    choice). A decision has a whole label or none.
    """

    at: int
    role: str
    instead: str = ""
    op: str = ""
    nth: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: a negative choice point, no role, or half a label.
        """
        if self.at < 0:
            raise ValueError(f"a decision is at choice point 0 or later, not {self.at}")
        if not self.role:
            raise ValueError("a decision names a role")
        if len({bool(self.instead), bool(self.op), self.nth > 0}) > 1 or self.nth < 0:
            raise ValueError(
                f"the label of a decision is whole or missing, not {self.instead, self.op, self.nth}"
            )

    @property
    def labelled(self) -> bool:
        """Whether it says what it preempts."""
        return self.nth > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The decisions of a run that differ from the default, in order."""

    decisions: tuple[Decision, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: decisions out of order.
        """
        if any(earlier.at >= later.at for earlier, later in pairwise(self.decisions)):
            raise ValueError("the decisions of a schedule stand in the order of their choice points")

    def __len__(self) -> int:
        """How many decisions there are."""
        return len(self.decisions)

    @property
    def bare(self) -> Schedule:
        """The same decisions by number alone, without their labels."""
        return Schedule(decisions=tuple(replace(each, instead="", op="", nth=0) for each in self.decisions))

    @staticmethod
    def of_run(went: Sequence[tuple[str, str]], preempted: Mapping[int, tuple[str, str]]) -> Schedule:
        """The schedule of a run, with labels.

        `went` has, by choice point, the role that went next and what it did; `preempted`, by the number of
        the choice point, the role that would have gone by default and what it would have done. What was done
        is counted, not what was about to be done: an operation that is put off several times is still one.
        """
        done: Counter[tuple[str, str]] = Counter()
        decisions = []
        for at, step in enumerate(went):
            if at in preempted:
                role, op = preempted[at]
                nth = done[preempted[at]] + 1
                decisions.append(Decision(at=at, role=step[0], instead=role, op=op, nth=nth))
            done[step] += 1
        return Schedule(decisions=tuple(decisions))

    def to_text(self) -> str:
        """One line without blanks; `from_text` is its exact inverse."""
        if not self.decisions:
            return "0"
        parts, before, running = [], 0, "main"
        for each in self.decisions:
            parts.append(_base36(each.at - before) + _role_code(each.role) + _label_text(each, running))
            before, running = each.at, each.role
        return f"{_base36(len(parts))}:{','.join(parts)}"

    @staticmethod
    def from_text(text: str) -> Schedule:
        """Read a schedule.

        Raises:
            ScheduleError: the text is no schedule, or damaged.
        """
        head, _, body = text.strip().partition(":")
        if not re.fullmatch("[0-9a-z]{1,6}", head):
            raise ScheduleError(f"{_shown(text)} is no schedule: a schedule looks like 2:1fMT1-A3,4P2-MT1R1")
        parts = body.split(",") if body else []
        if len(parts) != int(head, 36):
            raise ScheduleError(
                f"the schedule is damaged: it should have {int(head, 36)} decisions, and there are "
                f"{len(parts)}; copy it again, whole"
            )
        return Schedule(decisions=tuple(_decisions(parts)))


_OPS: Final = {
    "acquire": "A", "begin": "B", "write": "D", "end": "E", "released": "F", "get": "G", "start": "N",
    "try": "O", "release": "R", "statement": "S", "put": "U", "read": "V", "wait": "W", "close": "X",
}  # fmt: skip
"""The codes of frequent operations; letters that stand for no role."""

_ENDS: Final = {"kill ": "K", "reap ": "Y"}
"""The codes of what happens to processes."""

_WORDS: Final = {code: op for op, code in _OPS.items()}

_ROLE = r"[KY]?(?:M|[LP][0-9a-z]{1,6})(?:T[0-9a-z]{1,6})*|C|\.[^.]+\."
_OP = rf"[{''.join(_WORDS)}]|\.[^.]+\."
_DECISION = re.compile(rf"([0-9a-z]{{1,8}})({_ROLE})(?:-({_ROLE}|)({_OP})([0-9a-z]{{1,8}}))?")


def _decisions(parts: list[str]) -> list[Decision]:
    found: list[Decision] = []
    at, running = 0, "main"
    for number, part in enumerate(parts, 1):
        match = _DECISION.fullmatch(part)
        if match is None:
            _refuse(number, part, "a decision looks like 4P2-MT1R1")
        gap, role, instead, op, nth = match.groups()
        if found and not int(gap, 36):
            _refuse(number, part, "it stands where the one before stands")
        if op is not None and not int(nth, 36):
            _refuse(number, part, "it counts from 1 what is preempted")
        at += int(gap, 36)
        decision = Decision(at=at, role=_role(role))
        if op is not None:
            preempted = _role(instead) if instead else running
            decision = replace(decision, instead=preempted, op=_op(op), nth=int(nth, 36))
        found.append(decision)
        running = decision.role
    return found


def _refuse(number: int, part: str, why: str) -> NoReturn:
    raise ScheduleError(f"decision {number} of the schedule, {_shown(part)}, is damaged: {why}")


def _label_text(decision: Decision, running: str) -> str:
    """What a decision preempts; nothing if it does not say."""
    if not decision.labelled:
        return ""
    role = "" if decision.instead == running else _role_code(decision.instead)
    return f"-{role}{_OPS.get(decision.op) or _spelt_out(decision.op)}{_base36(decision.nth)}"


def _role_code(role: str) -> str:
    """The code of a role, or the role itself between full stops if it has none."""
    if role == "clock":
        return "C"
    match = re.fullmatch(r"(kill |reap )?(main|(?:lane|P)[0-9]+)((?:/T[0-9]+)*)", role)
    if match is None:
        return _spelt_out(role)
    what, first, rest = match.groups(default="")
    parts = [first.replace("main", "M").replace("lane", "L"), *rest.split("/")[1:]]
    code = _ENDS.get(what, "") + "".join(
        each[0] + _base36(int(each[1:])) if each[1:] else each for each in parts
    )
    return code if _role(code) == role else _spelt_out(role)  # T01 is not T1


def _role(code: str) -> str:
    """The inverse of `_role_code`."""
    if code.startswith("."):
        return _unquoted(code)
    if code == "C":
        return "clock"
    what = next((what for what, letter in _ENDS.items() if code.startswith(letter)), "")
    code = code[1:] if what else code
    parts = re.findall("([A-Z])([0-9a-z]*)", code)
    names = {"M": "main", "L": "lane"}
    return what + "/".join(
        names.get(kind, kind) + (str(int(number, 36)) if number else "") for kind, number in parts
    )


def _op(code: str) -> str:
    return _unquoted(code) if code.startswith(".") else _WORDS[code]


def _spelt_out(word: str) -> str:
    return f".{quote(word, safe='').replace('.', '%2E').replace('~', '%7E')}."


def _unquoted(code: str) -> str:
    return unquote(code[1:-1])


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "...")
