"""A kernel of a page or two that drives the strategies: its threads are generators.

A thread yields what it is about to do, ``(operation, object)``, and does it when it is resumed::

    def increment(cell: Cell) -> Body:
        yield "read", cell
        value = cell.value
        yield "write", cell
        cell.value = value + 1

Operations with a meaning here: ``acquire`` and ``release`` of a cell used as a lock, ``try`` (the yield gives
whether the lock was taken, and a failed one counts as a spin), ``sleep`` (until the clock ticks).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from harness.arenas.simulated.actor import CLOCK, default
from harness.values.schedule import Decision, Schedule

if TYPE_CHECKING:
    from harness.arenas.simulated.actor import Strategy


@dataclass(slots=True, eq=False)
class Cell:
    """A shared object: a variable, or a lock if `holder` is used."""

    serial: int
    value: Any = 0
    holder: Actor | None = None


Body: TypeAlias = Generator[tuple[str, Cell | None], bool, None]


@dataclass(slots=True, eq=False)
class Actor:
    """A thread, a pending kill (of `victim`), or the clock."""

    index: int
    role: str
    body: Body | None = None
    victim: str = ""
    op: str = "begin"
    cell: Cell | None = None
    target: int = 0
    where: int = 0
    spins: int = 0
    passive: bool = False

    def stand_at(self, pending: tuple[str, Cell | None]) -> None:
        """Be about to do this."""
        self.op, self.cell = pending
        self.target = self.cell.serial if self.cell else 0


@dataclass(slots=True)
class Program:
    """Threads by role, whom a kill may strike, and what is wrong in the end."""

    threads: dict[str, Body]
    victims: tuple[str, ...] = ()
    failed: Callable[[], bool] = lambda: False


class Run(NamedTuple):
    """What a run was: its steps ``role op object`` in order, its schedule, its choice points, its outcome."""

    log: tuple[str, ...]
    schedule: Schedule
    choices: int
    failed: bool
    ending: str


@dataclass(slots=True)
class Kernel:
    """One run of a program."""

    program: Program
    ready: list[Actor] = field(default_factory=list)
    asleep: list[Actor] = field(default_factory=list)
    blocked: list[Actor] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    choices: int = 0

    def run(self, strategy: Strategy, seed: int, limit: int = 2000) -> Run:
        """Ask the strategy until nobody is ready."""
        self._populate()
        strategy.begin(seed)
        current: Actor | None = None
        while self.ready and len(self.log) < limit:
            chosen = self._chosen(strategy, current)
            self.log.append(f"{chosen.role} {chosen.op} {chosen.target}")
            self._step(chosen)
            current = chosen if chosen in self.ready and not chosen.passive else None
        strategy.end(len(self.log), self.choices)
        ending = "livelock" if self.ready else "deadlock" if self.blocked else "done"
        schedule = Schedule(decisions=tuple(self.decisions))
        failed = ending != "done" or self.program.failed()
        return Run(tuple(self.log), schedule, self.choices, failed, ending)

    def _populate(self) -> None:
        for index, (role, body) in enumerate(self.program.threads.items()):
            actor = Actor(index, role, body)
            self.ready.append(actor)
            actor.stand_at(next(body))
        for number, victim in enumerate(self.program.victims, len(self.ready)):
            self.ready.append(Actor(number, f"kill {victim}", victim=victim, op="kill", passive=True))

    def _chosen(self, strategy: Strategy, current: Actor | None) -> Actor:
        if len(self.ready) == 1:
            return self.ready[0]
        usual = default(self.ready, current)
        chosen = strategy.choose(self.ready, current)
        assert chosen in self.ready
        if chosen is not usual:
            self.decisions.append(Decision(at=self.choices, role=chosen.role))
        self.choices += 1
        return chosen

    def _step(self, actor: Actor) -> None:
        if actor.index == CLOCK:
            self.ready.remove(actor)
            self._wake(self.asleep)
        elif actor.victim:
            self.ready.remove(actor)
            for group in (self.ready, self.asleep, self.blocked):
                group[:] = [each for each in group if each.role != actor.victim]
        elif not self._waits(actor):
            self._resume(actor)

    def _waits(self, actor: Actor) -> bool:
        """Whether the actor blocks instead of doing what it is about to do."""
        if actor.op == "acquire" and actor.cell is not None and actor.cell.holder is not None:
            self.ready.remove(actor)
            self.blocked.append(actor)
            return True
        if actor.op == "sleep" and actor not in self.asleep:
            if not self.asleep:
                self.ready.insert(0, Actor(CLOCK, "clock", op="tick", passive=True))
            self.ready.remove(actor)
            self.asleep.append(actor)
            actor.op = "awake"
            return True
        return False

    def _resume(self, actor: Actor) -> None:
        answer = self._act(actor)
        assert actor.body is not None
        try:
            actor.stand_at(actor.body.send(answer))
        except StopIteration:
            self.ready.remove(actor)

    def _act(self, actor: Actor) -> bool:
        """Do what the actor is about to do; the answer is of interest after a ``try``."""
        lock = actor.cell
        failed = actor.op == "try" and lock is not None and lock.holder is not None
        actor.spins = actor.spins + 1 if failed else 0
        if lock is not None and actor.op in ("acquire", "try") and not failed:
            lock.holder = actor
        if lock is not None and actor.op == "release":
            lock.holder = None
            waiting = [each for each in self.blocked if each.cell is lock]
            self.blocked[:] = [each for each in self.blocked if each.cell is not lock]
            self._wake(waiting)
        return not failed

    def _wake(self, group: list[Actor]) -> None:
        self.ready.extend(group)
        self.ready.sort(key=lambda actor: actor.index)
        group.clear()


def play(make: Callable[[], Program], strategy: Strategy, seed: int = 0) -> Run:
    """Run a fresh copy of a program."""
    return Kernel(make()).run(strategy, seed)
