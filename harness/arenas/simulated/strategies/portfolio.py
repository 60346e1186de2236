"""Several strategies by turns: none wins everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated.strategies.ambush import Ambush
from harness.arenas.simulated.strategies.chance import derive
from harness.arenas.simulated.strategies.pct import Pct
from harness.arenas.simulated.strategies.pos import Pos
from harness.arenas.simulated.strategies.random_walk import RandomWalk
from harness.arenas.simulated.strategies.sticky import Sticky

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A, Strategy


class Portfolio:
    """Gives every other run to each strategy in turn, and the rest to those that bring news.

    `made_by` names the strategy of the present run. Whoever runs it may tell with `credit` whether the run
    was new (a schedule or an order of events not seen before); without that, all have the same share.
    """

    def __init__(self, members: Sequence[Strategy]) -> None:
        """Choose by turns like these strategies, at least one."""
        if not members:
            raise ValueError("a portfolio has at least one strategy")
        self.name = "portfolio"
        self._members = tuple(members)
        self._runs = [0] * len(members)
        self._news = [0] * len(members)
        self._number = -1  # of the run
        self._place = 0
        self._running = self._members[0]

    @property
    def made_by(self) -> str:
        """The name of the strategy that makes this run."""
        return self._running.name

    @property
    def shares(self) -> dict[str, int]:
        """How many runs each strategy has made, the present one included."""
        return {member.name: runs for member, runs in zip(self._members, self._runs, strict=True)}

    def begin(self, seed: int) -> None:
        """Give the run to one of the strategies, with a seed of its own."""
        self._number += 1
        turn, rewarded = divmod(self._number, 2)
        self._place = self._best() if rewarded else turn % len(self._members)
        self._runs[self._place] += 1
        self._running = self._members[self._place]
        self._running.begin(derive(seed, self._running.name))

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """Like the strategy that makes this run."""
        return self._running.choose(ready, current)

    def end(self, steps: int, choices: int) -> None:
        """Tell the strategy that made the run."""
        self._running.end(steps, choices)

    def credit(self, *, new: bool) -> None:
        """The last run was new, or not."""
        self._news[self._place] += new

    def _best(self) -> int:
        """Who brings most news per run, the one with fewest runs if several do."""
        return max(
            range(len(self._members)),
            key=lambda place: ((self._news[place] + 1) / (self._runs[place] + 1), -self._runs[place], -place),
        )


def standard_portfolio() -> Portfolio:
    """The strategies that complement each other on the races known so far."""
    threads: list[Strategy] = [Pos(), Sticky(), Pct(2), Pct(3), RandomWalk(), Pct(1), Pct(4)]
    return Portfolio([*threads, Ambush(Sticky()), Ambush(Pos()), Ambush(Pct(2))])
