"""The child that holds simulated worlds: runs a program under many schedules, and tells what was new.

A sacrificial process like the real arena's: what is simulated does no harm, but a subject may still loop for
ever between two points, or bring the interpreter down. It imports the standard library, greenlet if there is
one, and the subject.
"""

from __future__ import annotations

import faulthandler
import gc
import hashlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from harness.arenas.real.line import Line
from harness.arenas.simulated import backends
from harness.arenas.simulated.actor import Diverged
from harness.arenas.simulated.facades import Uncontrolled
from harness.arenas.simulated.fingerprint import fingerprint
from harness.arenas.simulated.plan import Plan
from harness.arenas.simulated.strategies.chance import derive
from harness.arenas.simulated.strategies.exhaustive import Exhaustive
from harness.arenas.simulated.strategies.named import following, searching
from harness.arenas.simulated.strategies.portfolio import Portfolio
from harness.arenas.simulated.switches import beyond_a_gil
from harness.arenas.simulated.world import Run, World
from harness.values.codec import decode, encode
from harness.values.course import Course
from harness.values.history import Answered
from harness.values.outcome import Raised
from harness.values.program import Program, epilogue
from harness.values.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.actor import Strategy
    from harness.values.granularity import Granularity

STACK_SIGNAL: Final = signal.SIGUSR2
_ENDLESS: Final = 5  # runs without an end: they are long, and one is like the other
_BEAT: Final = 0.25  # seconds between two signs of life
_BACKENDS: Final[dict[str, Callable[[], backends.Backend]]] = {
    "greenlets": backends.Greenlets,
    "threads": backends.Threads,
    "": backends.best,
}


@dataclass(slots=True)
class Tally:
    """What the schedules of one program were like, by what tells them apart within this process."""

    schedules: int = 0
    steps: set[int] = field(default_factory=set)
    classes: set[int] = field(default_factory=set)
    histories: set[int] = field(default_factory=set)
    endless: int = 0
    exhausted: bool = False

    def is_new(self, run: Run) -> bool:
        """Count a run; whether no schedule before had the same steps."""
        self.schedules += 1
        self.endless += run.ending in ("livelock", "unfinished")
        steps = run.trace.fingerprint()
        if steps in self.steps:
            return False
        self.steps.add(steps)
        self.classes.add(run.trace.class_fingerprint())
        return True

    def shows_new(self, run: Run) -> bool:
        """Whether no run before showed the same history, the stamps aside."""
        history = hash((fingerprint(run.events), run.exact))
        if history in self.histories:
            return False
        self.histories.add(history)
        return True

    def message(self) -> dict[str, object]:
        """What the harness is told in the end."""
        return {
            "do": "explored", "schedules": self.schedules, "distinct": len(self.steps),
            "classes": len(self.classes), "histories": len(self.histories), "exhausted": self.exhausted,
        }  # fmt: skip


class Host:
    """Serves the harness."""

    def __init__(self, line: Line) -> None:
        """No world yet."""
        self._line = line
        self._world: World | None = None
        self._known: tuple[str, ...] = ()
        self._beat = 0.0

    def serve(self) -> None:
        """Do what the harness asks for until it hangs up."""
        while (message := self._line.receive()) is not None:
            if message["do"] != "explore":  # what came too late
                continue
            try:
                self._line.send(self._explore(message))
            except Uncontrolled as error:
                self._line.send({"do": "refused", "reason": str(error)})

    def _enter(self, target: str, granularity: Granularity, backend: str) -> World:
        """The world of a subject; the one before is given up for it."""
        wanted = (target, granularity, backend)
        if self._world is None or wanted != self._known:
            if self._world is not None:
                self._world.close()
                self._world = None
            self._world = _rehearsed(_loaded(target, granularity, backend))
            self._known = wanted
            gc.collect()
            gc.freeze()  # what is here now stays: collections between runs look at their own objects only
        return self._world

    def _explore(self, message: dict[str, Any]) -> dict[str, object]:
        """Run a program under as many schedules as the plan says, or until the harness has seen enough."""
        plan = decode(Plan, message["plan"])
        program = Program.from_json(message["program"])
        world = self._enter(message["target"], plan.granularity, message["backend"])
        strategy = _strategy(plan)
        tally = Tally()
        for number in range(plan.schedules):
            if self._line.heard(0):
                break
            run, diverged = _run(world, program, strategy, derive(plan.seed, str(number)))
            new = tally.is_new(run)
            if isinstance(strategy, Portfolio):
                strategy.credit(new=new)
            if plan.all or (new and tally.shows_new(run)):
                self._line.send(_seen(run, world, plan, _name(strategy), diverged))
            self._show_life(tally)
            tally.exhausted = isinstance(strategy, Exhaustive) and strategy.exhausted
            if tally.exhausted or tally.endless == _ENDLESS:
                break
        return tally.message()

    def _show_life(self, tally: Tally) -> None:
        now = time.monotonic()
        if now - self._beat > _BEAT:
            self._beat = now
            self._line.send({"do": "beat", "schedules": tally.schedules})


def _strategy(plan: Plan) -> Strategy:
    if plan.schedule:
        return following(plan.following, Schedule.from_text(plan.schedule))
    return searching(plan.strategy)


def _name(strategy: Strategy) -> str:
    return strategy.made_by if isinstance(strategy, Portfolio) else strategy.name


def _run(world: World, program: Program, strategy: Strategy, seed: int) -> tuple[Run, str]:
    """One run, and where it diverged from the schedule that it was to follow.

    Raises:
        Uncontrolled: the subject used what the world cannot control.
    """
    strategy.begin(seed)
    run = world.run(program, strategy)
    if run.ending == "uncontrolled":
        raise Uncontrolled(run.detail)
    diverged = run.detail if run.ending == "diverged" else ""
    try:
        strategy.end(len(run.trace.log), len(run.trace.went))
    except Diverged as error:
        diverged = diverged or str(error)
    return run, diverged


def _loaded(target: str, granularity: Granularity, backend: str) -> World:
    """A world with a subject.

    Raises:
        Uncontrolled: it cannot be loaded.
    """
    try:
        return World(target, granularity=granularity, backend=_BACKENDS[backend])
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise Uncontrolled(f"{target} cannot be loaded into the simulated world ({what})") from error


def _rehearsed(world: World) -> World:
    """A world in which the empty program ran from end to end: what happens the first time only, has happened.

    Raises:
        Uncontrolled: it did not; the message says what came instead.
    """
    program = Program()
    run, _ = _run(world, program, following("guided", Schedule()), 0)
    last = [each for each in run.events if isinstance(each, Answered)]
    if len(last) == len(epilogue(program)):
        return world
    raise Uncontrolled(f"the executor cannot be built in the simulated world ({_trouble(run)})")


def _trouble(run: Run) -> str:
    for event in run.events:
        match event:
            case Answered(outcome=Raised(error=error, message=message)):
                return f"{error}: {message}"
            case _ if getattr(event, "error", ""):
                return f"{getattr(event, 'error', '')}: {getattr(event, 'message', '')}"
            case _:
                continue
    return run.detail or run.ending


def _seen(run: Run, world: World, plan: Plan, strategy: str, diverged: str) -> dict[str, object]:
    """What the harness is told of a run."""
    history = encode(run.history)
    text = json.dumps([history["events"], run.trace.log], sort_keys=True)
    course = Course(
        schedule=run.trace.schedule().to_text(), granularity=plan.granularity, sources=world.sources,
        digest=hashlib.sha256(text.encode()).hexdigest()[:16], strategy=strategy,
    )  # fmt: skip
    message: dict[str, object] = {
        "do": "seen", "client": run.client, "events": history["events"], "exact": run.exact,
        "course": encode(course), "doubt": diverged,
    }  # fmt: skip
    if plan.steps:
        beyond = beyond_a_gil(run.trace.schedule(), world.points)
        message["steps"] = encode(run.trace.steps(beyond, world.points))
    return message


def main() -> None:
    """Serve the harness; the arguments are the descriptor of the line, a file unused here, that of stacks."""
    line = Line(int(sys.argv[1]))
    stacks: IO[str] = Path(sys.argv[3]).open("a", encoding="utf-8")  # noqa: SIM115 - faulthandler needs it for ever
    faulthandler.register(STACK_SIGNAL, file=stacks, all_threads=True)
    Host(line).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
