"""The calls of a program, made on whatever `threading` is at the moment; for tools that are not ours.

There is as little as possible around the calls: tools that trace every instruction trace this as well. Lanes
hand futures to each other as in the simulated world, and at the end gates are opened, pools shut down and
outcomes read, as there.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from harness.values import operation as op
from harness.values.history import Answered, CalledBack, Event, Started
from harness.values.outcome import Raised, Returned
from harness.values.program import Program, futures_of

if TYPE_CHECKING:
    from collections.abc import Callable


class Performance:
    """One run: its lanes, to be played in threads of their own, and the events so far."""

    def __init__(self, program: Program, target: str) -> None:
        """Build the pools; `target` is an executor of `concurrent.futures`."""
        factory = getattr(concurrent.futures, target.partition(":")[2])
        self.events: list[Event] = []
        self._program = program
        self._processes = "Process" in target
        self._pools = {pool.executor: factory(max_workers=pool.workers) for pool in program.pools}
        self._gates = {gate: threading.Event() for script in program.tasks for gate in script.gates}
        self._gates_of = {script.task: script.gates for script in program.tasks}
        self._made = {name: threading.Event() for name in futures_of(program)}
        self._over = [threading.Event() for _ in program.lanes]
        self._futures: dict[str, Any] = {}
        self._iterators: dict[str, Any] = {}

    @property
    def lanes(self) -> list[Callable[[], None]]:
        """What the threads have to do; the first waits for the others, and ends the program."""
        return [self._first, *(partial(self._play, number) for number in range(1, len(self._over)))]

    def play(self) -> None:
        """Play all lanes, the first in this thread."""
        first, *others = self.lanes
        threads = [threading.Thread(target=lane) for lane in others]
        for thread in threads:
            thread.start()
        first()
        for thread in threads:
            thread.join()

    def _first(self) -> None:
        self._play(0)
        for over in self._over:
            over.wait()
        for gate in self._gates.values():
            gate.set()
        for pool in self._pools.values():
            pool.shutdown()
        for future in self._futures.values():
            if not future.cancelled():
                future.exception()

    def _play(self, lane: int) -> None:
        for call, step in enumerate(self._program.lanes[lane].operations):
            try:
                value = self._ACTS[type(step)](self, step)
                outcome: Any = Returned(value=repr(value))
            except Exception as error:  # noqa: BLE001 - what a call raises is its outcome
                outcome = Raised(error=type(error).__name__)
            self.events.append(Answered(at=time.monotonic_ns(), lane=lane, call=call, outcome=outcome))
            if isinstance(step, op.Submit):
                self._made[step.future].set()
        self._over[lane].set()

    def _task(self, task: str) -> None:
        self.events.append(Started(at=time.monotonic_ns(), task=task, pid=0, thread=0))
        for gate in self._gates_of[task]:
            self._gates[gate].wait()

    def _called_back(self, callback: str, _: object) -> None:
        self.events.append(
            CalledBack(at=time.monotonic_ns(), callback=callback, future="", pid=0, thread=0, state="")
        )

    def _future(self, name: str) -> Any:  # noqa: ANN401 - a live one
        if len(self._over) > 1:
            self._made[name].wait()
        return self._futures[name]

    def _submit(self, step: op.Submit) -> None:
        work = int if self._processes else partial(self._task, step.task)
        self._futures[step.future] = self._pools[step.executor].submit(work)

    def _add_callback(self, step: op.AddCallback) -> None:
        self._future(step.future).add_done_callback(partial(self._called_back, step.callback))

    def _as_completed(self, step: op.AsCompleted) -> None:
        futures = [self._future(name) for name in step.futures]
        self._iterators[step.iterator] = concurrent.futures.as_completed(futures)

    def _wait(self, step: op.Wait) -> None:
        concurrent.futures.wait([self._future(name) for name in step.futures])

    def _cancel(self, step: op.Cancel) -> object:
        return self._future(step.future).cancel()

    def _result(self, step: op.Result) -> object:
        return self._future(step.future).result()

    def _drain(self, step: op.Drain) -> None:
        list(self._iterators[step.iterator])

    def _shutdown(self, step: op.Shutdown) -> None:
        self._pools[step.executor].shutdown()

    def _open(self, step: op.Open) -> None:
        self._gates[step.gate].set()

    _ACTS: ClassVar[dict[type, Callable[[Performance, Any], object]]] = {
        op.Submit: _submit, op.Cancel: _cancel, op.Result: _result, op.AddCallback: _add_callback,
        op.Wait: _wait, op.AsCompleted: _as_completed, op.Drain: _drain, op.Shutdown: _shutdown,
        op.Open: _open,
    }  # fmt: skip
