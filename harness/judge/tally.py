"""Where the rules write down what they found."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.judge.case import Call, Case
    from harness.values.verdict import Witness


class Tally:
    """How often each rule's premise was met in one case, and the witnesses against it."""

    def __init__(self, case: Case) -> None:
        """Start with nothing."""
        self.case = case
        self.met: Counter[str] = Counter()
        self.witnesses: list[Witness] = []

    def hold(self, rule: str, times: int = 1) -> None:
        """The premise was met, and what the rule promises was seen."""
        self.met[rule] += times

    def blame(
        self, rule: str, text: str, *calls: Call, shape: str = "", timed: bool = False, **names: str
    ) -> None:
        """The premise was met, and something else was seen."""
        self.met[rule] += 1
        self.witnesses.append(self.case.witness(rule, text, *calls, shape=shape, timed=timed, **names))

    def check(self, rule: str, kept: bool, text: str, *calls: Call, shape: str = "", **names: str) -> None:  # noqa: FBT001 - the point of the call
        """The premise was met: was the promise kept?"""
        if kept:
            self.hold(rule)
        else:
            self.blame(rule, text, *calls, shape=shape, timed=False, **names)
