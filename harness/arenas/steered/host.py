"""The steered child: plays a program's lanes on real threads, in the order that the harness gives.

It is the real arena's child, but for this: nobody waits for a pool to settle between two operations, all
lanes are played, and whatever is hooked passes through `steering`.
"""

from __future__ import annotations

import _thread
import gc
import importlib
import select
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.real import census, child, puppet
from harness.arenas.real.perform import perform
from harness.arenas.real.recorder import now
from harness.arenas.real.stage import Blueprint, Stage
from harness.arenas.steered import loader, steering
from harness.values.history import Answered, Called
from harness.values.operation import Census, Kill
from harness.values.outcome import Facts
from harness.values.program import Program, epilogue

if TYPE_CHECKING:
    from harness.arenas.real.child import Control
    from harness.arenas.real.recorder import Recorder
    from harness.values.operation import Operation
    from harness.values.outcome import Outcome

_AIMING: Final = 0.5
"""For so many seconds the news that a victim has started its task is waited for."""

_ALWAYS: Final = ("concurrent.futures.thread", "concurrent.futures.process")
"""Loaded before the first run, whatever it needs: nothing should happen for the first time in a run."""


class Gate:
    """A gate for the threads of this process."""

    def __init__(self) -> None:
        """Be closed."""
        self._bar = _thread.allocate_lock()
        self._bar.acquire()
        self._open = False

    def set(self) -> None:
        """Open it."""
        steering.point("open")
        if not self._open:
            self._open = True
            self._bar.release()

    def wait(self) -> None:
        """Return once it is open."""
        steering.point("gate")
        if not self._pass(0):
            steering.contend(self._pass, None)

    def _pass(self, seconds: float) -> bool:
        if not self._bar.acquire(timeout=seconds):
            return False
        self._bar.release()
        return True


class Line(puppet._Line):  # noqa: SLF001 - a worker's way home, with the points that the simulated one has
    """A worker's line, at whose gates it waits in turn."""

    def pass_gate(self, gate: str) -> None:
        """Wait at a gate."""
        steering.point("gate")
        self.send({"do": "gate", "run": self.run, "gate": gate})
        if not self._is_answered(0):
            steering.contend(self._is_answered, None)
        if not self.socket.recv(1):
            raise ConnectionAbortedError("the harness is gone")

    def _is_answered(self, seconds: float) -> bool:
        return bool(select.select([self.socket], [], [], None if seconds < 0 else seconds)[0])


class Performance:
    """One run of one program."""

    def __init__(self, player: child.Player) -> None:
        """Play on the stage of a player of the real arena."""
        self._player = player
        self._stage = player.stage

    def play(self, program: Program) -> bool:
        """All lanes, then the epilogue; True if nothing was left behind."""
        first, *others = program.lanes
        ends = [self._start(lane.operations, number) for number, lane in enumerate(others, start=1)]
        self._perform_all(first.operations, 0, 0)
        for end in ends:
            if not end.acquire(blocking=False):
                steering.contend(lambda seconds, end=end: end.acquire(timeout=seconds), None)  # type: ignore[misc]  # mypy has no type for such a lambda
        return self._perform_all(epilogue(program), 0, len(first.operations))

    def _start(self, operations: tuple[Operation, ...], number: int) -> _thread.LockType:
        """Start a lane's thread; the lock is free when it has ended."""
        end = _thread.allocate_lock()
        end.acquire()

        def live() -> None:
            steering.enter(f"lane{number}")
            try:
                self._perform_all(operations, number, 0)
            finally:
                steering.point("end")
                steering.leave()
                # Who asked for the current thread has left a stand-in, which up to 3.12 stays for ever.
                vars(threading)["_active"].pop(_thread.get_ident(), None)
                end.release()

        _thread.start_new_thread(live, ())
        return end

    def _perform_all(self, operations: tuple[Operation, ...], lane: int, first: int) -> bool:
        write, clean = self._player.recorder.write, True
        for call, step in enumerate(operations, start=first):
            if isinstance(step, Kill):
                self._await_victim(step)
            write(Called(at=now(), call=call, lane=lane))
            if isinstance(step, Census):
                clean = self._take_census()
                outcome: Outcome = Facts(lines=())
            else:
                outcome = perform(self._stage, step)
            write(Answered(at=now(), call=call, outcome=outcome, lane=lane, thread=threading.get_ident()))
        return clean

    def _await_victim(self, step: Kill) -> None:
        """A kill is aimed at somebody: wait until there is somebody, or nobody came for a while."""
        self._stage.take_notice()
        inside = self._stage.ledgers[step.executor].inside
        if step.task is None or step.task in inside:
            return
        steering.settle()
        limit = time.monotonic() + _AIMING
        while step.task not in inside and time.monotonic() < limit:
            for message in self._player.control.pause(limit - time.monotonic()):
                if message["do"] != "give up":
                    self._stage.mark(message["do"], message["task"], message["pid"])
            self._stage.take_notice()

    def _take_census(self) -> bool:
        """Let go of everything, in turn; then see, unsteered, what is left behind."""
        loader.restart()  # what has an identity there is kept
        self._stage.drop_everything()
        steering.settle()
        steering.take_the_wheel(None)
        gc.enable()
        self._player.control.send({"do": "unsteered"})
        return self._player.take_census()


def run(message: dict[str, Any], control: Control, recorder: Recorder) -> dict[str, object]:
    """Run one program."""
    program = Program.from_json(message["program"])
    child.start_helpers(program)
    stage = Stage(program, Blueprint(message["target"]), recorder, control.wake)
    stage.is_worker = census.is_below
    stage.run, stage.address, stage.key = message["run"], message["address"], message["key"]
    vars(stage)["gates"] = {name: Gate() for name in stage.gates}
    if message["remote"]:
        stage.open_remotely = lambda gate: control.send({"do": "open", "gate": gate})
    baseline = census.take()
    puppet.open_theatre(stage.run, stage)
    gc.collect()
    gc.disable()
    loader.restart()
    steering.take_the_wheel(_driver(message))
    steering.enter("main")
    try:
        try:
            stage.raise_curtain()
        except BaseException as error:  # noqa: BLE001 - reported as a sentence
            return {"do": "done", "clean": False, "trouble": f"{type(error).__name__}: {error}"}
        clean = Performance(child.Player(stage, control, recorder, baseline)).play(program)
    finally:
        steering.take_the_wheel(None)
        gc.enable()
    puppet.open_theatre(stage.run, None)
    return {"do": "done", "clean": clean}


def _driver(message: dict[str, Any]) -> steering.Driver:
    if message["noise"] is not None:
        return steering.Noisy(message["noise"])
    return steering.Guided(message["run"], message["address"], message["key"])


def main() -> None:
    """Serve the harness until it hangs up."""
    for name in _ALWAYS:
        importlib.import_module(name)
    puppet._Line = Line  # type: ignore[misc]  # noqa: SLF001 - what workers of this child report with
    child.serve(run)
