"""Litmus programs in the world: one run as a strategy decides, or all runs."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harness.arenas.simulated.kernel import Kernel
from harness.arenas.simulated.strategies.exhaustive import Exhaustive
from harness.arenas.simulated.world import World
from tests.simulated.litmus import STUCK, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.actor import Strategy
    from harness.arenas.simulated.backends import Backend
    from harness.arenas.simulated.tasks import Task
    from harness.arenas.simulated.trace import Trace
    from tests.simulated.litmus import Litmus, Modules


class Stage:
    """A world, and programs that play in it."""

    def __init__(self) -> None:
        """Load the modules."""
        self._world = World("concurrent.futures:ThreadPoolExecutor")
        load = self._world._load  # noqa: SLF001 - the modules are what is tested
        multiprocessing = load("multiprocessing")
        self.modules: Modules = SimpleNamespace(
            threading=load("threading"), queue=load("queue"), thread=load("_thread"), time=load("time"),
            os=load("os"), context=multiprocessing.get_context("fork"),
            multiprocessing=multiprocessing, connection=load("multiprocessing.connection"),
            util=load("multiprocessing.util"), step=partial(load("time").sleep, 0),
        )  # fmt: skip

    def run(self, body: Callable[[], object], strategy: Strategy, backend: Backend) -> tuple[Any, Kernel]:
        """Run a function as the main task of a world; what it returns, or how the run ended instead."""
        self._world._restore()  # noqa: SLF001 - as above
        kernel = Kernel(strategy, backend, limit=5_000)
        returned: list[object] = []
        outcome = kernel.run(lambda: returned.append(body()))
        return (returned[0] if returned else outcome), kernel

    def play(self, litmus: Litmus, strategy: Strategy, backend: Backend) -> tuple[object, Trace]:
        """The outcome of one run of a program, and its trace."""
        outcome, kernel = self.run(lambda: self._perform(litmus), strategy, backend)
        trace = kernel.trace
        strategy.end(len(trace.log), len(trace.went))
        kernel.forget()
        ending = getattr(outcome, "ending", "done")
        if ending not in ("done", "deadlock"):
            raise AssertionError(f"{litmus.name}: {ending}: {outcome.detail}")
        return (STUCK if ending == "deadlock" else outcome), trace

    def explore(
        self, litmus: Litmus, make_backend: Callable[[], Backend], most: int
    ) -> tuple[set[object], bool]:
        """The outcomes of all schedules of a program, or of so many; and whether these were all."""
        strategy, outcomes = Exhaustive(litmus.bounds), set[object]()
        while not strategy.exhausted and strategy.schedules < most:
            strategy.begin(0)
            outcomes.add(self.play(litmus, strategy, make_backend())[0])
        return outcomes, strategy.exhausted

    def _perform(self, litmus: Litmus) -> object:
        """Start the functions of a scenario, wait for their ends, and ask."""
        from harness.arenas.simulated import kernel  # noqa: PLC0415 - the run in progress, when it is

        k = kernel.running
        assert k is not None
        scenario = litmus.make(self.modules)
        answers: list[object] = [None] * len(scenario.functions)

        def act(place: int) -> None:
            answers[place] = answer(scenario.functions[place])

        lanes = [k.spawn(partial(act, place), f"lane{place}", k.client) for place in range(len(answers))]
        for lane in lanes:
            _join(k, lane)
        return scenario.ask(answers)


def _join(k: Kernel, lane: Task) -> None:
    waiters: list[Task] = []
    lane.at_end.append(lambda: [k.wake(task) for task in waiters])
    while lane.state != "ended":
        k.block("join lane", None, waiters, None)
