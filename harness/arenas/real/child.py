"""The sacrificial child: runs programs one after the other, at the harness's word.

It has no thread that the subject did not start. Between operations it waits, in `select`, for the pool to
settle; the harness outside decides, by evidence, when waiting longer is pointless.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import logging
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from harness.arenas.real import census, probe, puppet
from harness.arenas.real.elsewhere import turn
from harness.arenas.real.line import Line
from harness.arenas.real.perform import perform
from harness.arenas.real.recorder import Recorder, now
from harness.arenas.real.stage import Blueprint, Stage, text_of
from harness.values.history import Answered, Called, Event, Leftover, Logged, Quiet, Uncaught
from harness.values.operation import Census, End, Turn
from harness.values.outcome import Facts, Returned
from harness.values.program import Program, epilogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from harness.values.operation import Operation
    from harness.values.outcome import Outcome

STACK_SIGNAL = signal.SIGUSR2
_REPOLL = 0.005  # seconds between two looks at what cannot wake us: a process or thread that is ending
_LASTING = 3_000_000_000  # nanoseconds for which something must stay as it is to be called left behind
_LOOKS = 100  # and looks at it: if we get fewer, the machine is so busy that the rest may be waiting, too


class Control(Line):
    """The line to the harness, and a wake-up for marks of our own threads."""

    def __init__(self, descriptor: int) -> None:
        """Take over an inherited socket."""
        super().__init__(descriptor)
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self._woken, False)
        self._turn = 0

    def wake(self) -> None:
        """End `pause` early; called from any thread."""
        with contextlib.suppress(BlockingIOError):  # full: the reader will wake in any case
            os.write(self._waker, b".")

    def pause(self, timeout: float | None) -> list[dict[str, Any]]:
        """Wait for messages or a wake-up; returns the messages that came."""
        heard = self.heard(timeout, self._woken)
        with contextlib.suppress(BlockingIOError):  # nobody woke us
            os.read(self._woken, 1 << 16)
        if not heard:
            return []
        first = self.receive()
        if first is None:
            os._exit(0)
        return [first]

    def next_turn(self) -> int:
        """A number for one wait, so that a late "give up" does not end the next one."""
        self._turn += 1
        return self._turn


class Player:
    """Runs one program on one stage."""

    def __init__(
        self, stage: Stage, control: Control, recorder: Recorder, baseline: census.Inventory
    ) -> None:
        """Keep the parts together."""
        self.stage = stage
        self.control = control
        self.recorder = recorder
        self.baseline = baseline

    def play(self, program: Program) -> bool:
        """Run the lane and the epilogue; True if nothing was left behind."""
        return self.go_on((*program.lanes[0].operations, *epilogue(program)), 0)

    def go_on(self, operations: tuple[Operation, ...], start: int) -> bool:
        """Run the operations from `start` on; True if nothing was left behind."""
        clean = True
        for call in range(start, len(operations)):
            step = operations[call]
            self.recorder.write(Called(at=now(), call=call))
            if isinstance(step, End):  # the call that ends with the process
                return clean
            if isinstance(step, Census):  # dropping things runs the subject's code, too
                clean = self.take_census()
                outcome: Outcome = Facts(lines=())
            else:
                outcome = perform(self.stage, step)
            if isinstance(step, Turn):
                return turn(step.to, self, functools.partial(self.arrive, operations, call))
            self.recorder.write(Answered(at=now(), call=call, outcome=outcome, thread=threading.get_ident()))
            # What comes at once after the last call may find it half done: that is the point.
            if not isinstance(step, Census) and not isinstance(operations[call + 1], End | Turn):
                self.settle()
        return clean

    def arrive(self, operations: tuple[Operation, ...], call: int) -> bool:
        """The turn at this call has been made: go on."""
        nothing = Returned(value="None")
        self.recorder.write(Answered(at=now(), call=call, outcome=nothing, thread=threading.get_ident()))
        return self.go_on(operations, call + 1)

    def move_in(self) -> None:
        """This is the child of a fork, and the one that goes on: make it home for record and puppets."""
        self.recorder.take_over()
        self.stage.prepare()
        puppet.open_theatre(self.stage.run, self.stage)

    def settle(self) -> None:
        """Wait until the pools have settled, or the harness says that nothing moves any more."""
        stage = self.stage
        stage.take_notice()
        if all(ledger.settled(stage.opened) for ledger in stage.ledgers.values()):
            return
        if self.wait_until(
            lambda: all(ledger.settled(stage.opened) for ledger in stage.ledgers.values()), None
        ):
            return
        for name, ledger in stage.ledgers.items():
            if not ledger.settled(stage.opened):
                held = len(ledger.inside)
                self.recorder.write(Quiet(at=now(), queued=tuple(ledger.queued), held=held, executor=name))
                ledger.loose = True
                ledger.queued.clear()
                ledger.inside.clear()

    def wait_until(self, happened: Any, poll: float | None) -> bool:  # noqa: ANN401 - a predicate
        """Wait for something; False if the harness found that nothing moves any more."""
        number = self.control.next_turn()
        self.control.send({"do": "waiting", "turn": number, "thread": threading.get_native_id()})
        try:
            while True:
                for message in self.control.pause(poll):
                    if message["do"] == "give up":
                        if message["turn"] == number:
                            self.stage.take_notice()  # of what threads did while this one was not let run
                            return bool(happened())
                    else:
                        self.stage.mark(message["do"], message["task"], message["pid"])
                self.stage.take_notice()
                if happened():
                    return True
        finally:
            self.control.send({"do": "going on"})

    def take_census(self) -> bool:
        """Drop everything, and see whether the client is as it was before; True if it is."""
        self.stage.drop_everything()
        gc.collect()
        remains = _Remains()
        if self.left_over() is not None:
            self.wait_until(lambda: remains.final(self.left_over()), _REPOLL)
        left = self.left_over()
        if left is not None:
            self.recorder.write(left)
        return left is None

    def left_over(self) -> Leftover | None:
        """What there is beyond the baseline, or None."""
        gc.collect()  # a thread that ended since may have been the last to hold a cycle
        current = census.take()
        threads = current.threads - self.baseline.threads
        processes = current.processes - self.baseline.processes
        descriptors = 0
        if current.descriptors is not None and self.baseline.descriptors is not None:
            descriptors = max(0, len(current.descriptors) - len(self.baseline.descriptors))
        semaphores = max(0, (current.semaphores or 0) - (self.baseline.semaphores or 0))
        if not (threads or processes or descriptors or semaphores):
            return None
        return Leftover(
            at=now(),
            threads=tuple(sorted(thread.name for thread in threading.enumerate() if thread.ident in threads)),
            processes=tuple(census.describe(pid) for pid in sorted(processes)),
            descriptors=descriptors,
            semaphores=semaphores,
        )


class _Remains:
    """Watches what is left behind: gone, still changing, or there to stay, though it may poll."""

    def __init__(self) -> None:
        self._seen: tuple[object, ...] | None = None
        self._since = 0
        self._looks = 0

    def final(self, left: Leftover | None) -> bool:
        """Whether it is gone, or has not changed for so long, and so many looks, that it will stay."""
        if left is None:
            return True
        seen = (left.threads, left.processes, left.descriptors, left.semaphores)
        if seen != self._seen:
            self._seen, self._since, self._looks = seen, left.at, 0
        self._looks += 1
        return self._looks > _LOOKS and left.at - self._since > _LASTING


class _Listener(logging.Handler):
    """Turns log records into events."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()[:200]
        except Exception:  # noqa: BLE001 - what it is about may refuse to be shown; logging passes over that
            message = str(record.msg)[:200]
        self._recorder.write(Logged(at=now(), message=message))


def _listen(recorder: Recorder) -> None:
    """Catch what would otherwise scroll by: log records and exceptions nobody handled."""
    logger = logging.getLogger("concurrent.futures")
    logger.addHandler(_Listener(recorder))
    logger.propagate = False
    others = logging.getLogger()  # an executor may have a logger of its own
    others.addHandler(_Listener(recorder))
    if logging.lastResort is not None:  # what it says still comes to stderr, where EXIT-02 sees it
        others.addHandler(logging.lastResort)

    def hook(
        where: str,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> Event:
        lines = traceback.format_exception(kind, value, trace)
        name = kind.__name__ if kind is not None else "?"
        return Uncaught(
            at=now(), where=where, error=name, message=text_of(value), trace="".join(lines)[-1500:]
        )

    def in_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "a thread"
        recorder.write(hook(f"thread {name}", args.exc_type, args.exc_value, args.exc_traceback))

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        recorder.write(hook("a finaliser", args.exc_type, args.exc_value, args.exc_traceback))

    threading.excepthook = in_thread
    sys.unraisablehook = unraisable


def start_helpers(program: Program) -> None:
    """Start multiprocessing's helper processes before the baseline, so that they are not taken for a leak."""
    for pool in program.pools:
        if pool.start in ("spawn", "forkserver"):
            from multiprocessing import resource_tracker  # noqa: PLC0415 - thread pools need none of this

            resource_tracker.ensure_running()
        if pool.start == "forkserver":
            from multiprocessing import forkserver  # noqa: PLC0415 - as above

            forkserver.ensure_running()


def _run(message: dict[str, Any], control: Control, recorder: Recorder) -> dict[str, object]:
    program = Program.from_json(message["program"])
    start_helpers(program)
    stage = Stage(program, Blueprint(message["target"]), recorder, control.wake)
    stage.is_worker = census.is_below
    stage.run, stage.address, stage.key = message["run"], message["address"], message["key"]
    if message["remote"]:
        stage.open_remotely = lambda gate: control.send({"do": "open", "gate": gate})
    baseline = census.take()
    puppet.open_theatre(stage.run, stage)
    try:
        stage.raise_curtain()
    except BaseException as error:  # noqa: BLE001 - reported as a sentence
        return {"do": "done", "clean": False, "trouble": f"{type(error).__name__}: {error}"}
    clean = Player(stage, control, recorder, baseline).play(program)
    puppet.open_theatre(stage.run, None)
    return {"do": "done", "clean": clean}


def serve(run: Callable[[dict[str, Any], Control, Recorder], dict[str, object]]) -> None:
    """Serve the harness until it hangs up; `run` is what runs a program.

    The arguments are the descriptor of the control line, the file of events and the file of stacks.
    """
    control = Control(int(sys.argv[1]))
    recorder = Recorder(sys.argv[2])
    stacks: IO[str] = Path(sys.argv[3]).open("a", encoding="utf-8")  # noqa: SIM115 - faulthandler needs it for ever
    faulthandler.register(STACK_SIGNAL, file=stacks, all_threads=True)
    _listen(recorder)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in the background
    gc.collect()
    gc.freeze()  # what is here now stays: collections between programs look at their own objects only
    while (message := control.receive()) is not None:
        match message["do"]:
            case "run":
                control.send(run(message, control, recorder))
            case "probe":
                control.send({"do": "done", **probe.probe(message["target"], control.send)})
            case _:  # a gate's news that came after its program was over
                continue
    os._exit(0)


def main() -> None:
    """Serve the harness, in the real arena."""
    serve(_run)
