"""Plays a program inside the world: the client's lanes as tasks, puppets, gates and the census.

The modules that make the calls (`stage`, `perform`, `puppet`, `ledger`) are the ones of the real arena,
copied into the world. What is different here: nobody waits for a pool to settle, so that everything
interleaves; gates are the kernel's own, since a worker may be killed while it waits at one; and workers
report directly.
"""

from __future__ import annotations

import contextlib
import re
import types
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.arenas.simulated import garbage, kernel
from harness.arenas.simulated.backends import Over
from harness.arenas.simulated.thread_layer import Primitive
from harness.values.history import Answered, Called, Finished, Leftover, Logged, Started, Uncaught
from harness.values.operation import AsCompleted, Census, Kill, Map
from harness.values.outcome import Facts
from harness.values.program import Lane, Program, bare_futures_of, epilogue, futures_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.arenas.simulated.importer import Importer
    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Task
    from harness.values.history import Event
    from harness.values.operation import Operation, Resource

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_PAUSES = (5_000_000, 20_000_000, 100_000_000, 400_000_000)
"""Virtual nanoseconds for which the census waits when something is left: half a second, for who polls."""


class Notebook:
    """What the recorder is in the real arena: the events of the run in progress."""

    def __init__(self) -> None:
        """Be empty."""
        self.notes: list[Note] = []

    def write(self, event: Event) -> None:
        """Add an event; what happens when the run is over does not count."""
        k = kernel.running
        if k is not None and not k.over:
            self.notes.append(event)


Note: TypeAlias = Any
"""An event, or a call in short: when, which, lane, outcome (None when it begins), thread."""


def event_of(note: Note) -> Event:
    """The event that a note stands for. Most runs are like another: their notes are never spelled out."""
    if not isinstance(note, tuple):
        return note  # type: ignore[no-any-return]  # an event
    at, call, lane, outcome, thread = note
    if outcome is None:
        return Called(at=at, call=call, lane=lane)
    return Answered(at=at, call=call, outcome=outcome, lane=lane, thread=thread)


def now() -> int:
    """The virtual time, never the same twice."""
    k = kernel.running
    return 0 if k is None else k.stamp()


def make_recorder() -> types.ModuleType:
    """A module to be imported as the real arena's recorder."""
    module = types.ModuleType("recorder")
    vars(module).update(Recorder=Notebook, now=now)
    return module


class Gate(Primitive):
    """A gate at which tasks wait; nothing is held there, so that a kill does no harm."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        """Be closed."""
        super().__init__()
        self._open = False

    def set(self) -> None:
        """Open it."""
        k = kernel.running
        if k is None or k.over:
            return
        k.point("open", self.serial)
        self.swing(k)

    def swing(self, k: Kernel) -> None:
        """Be open from now on."""
        self._open = True
        k.touch(self.serial)
        for task in self._waiters:
            k.wake(task)
        self._waiters.clear()  # opened once more, it must not wake those who wait for something else by then

    def wait(self) -> None:
        """Return once it is open."""
        k = kernel.running
        if k is None:
            return
        k.point("gate", self.serial)
        while not self._open:
            k.block("gate", self, self._waiters, None)


class Worker:
    """A puppet's way home from a simulated worker process: `puppet._Line` without a socket."""

    pid = 0  # of no process: so that it is asked for anew by each task
    run = ""

    def __init__(self, stage: Any, k: Kernel) -> None:  # noqa: ANN401 - a stage of the world
        """Report to this stage."""
        self._stage = stage
        self._kernel = k

    def started(self, task: str, *, intact: bool) -> None:
        """A task entered its body."""
        me = self._kernel.current
        self._stage.recorder.write(
            Started(at=now(), task=task, pid=me.process.pid, thread=me.ident, intact=intact)
        )
        self._stage.mark("started", task, me.process.pid)
        for gate in self._stage.opened_by(task):
            gate.swing(self._kernel)  # in the real arena the harness does it, who hears that the task started

    def finished(self, task: str) -> None:
        """A task is about to leave its body."""
        pid = self._kernel.current.process.pid
        self._stage.recorder.write(Finished(at=now(), task=task, pid=pid))
        self._stage.mark("finished", task, pid)

    def pass_gate(self, gate: str) -> None:
        """Wait at a gate."""
        self._stage.gates[gate].wait()

    def made(self, task: str, thing: object) -> None:
        """Objects do not keep their identity across processes."""

    def run_errand(self, task: str) -> None:
        """There is no executor in a worker process."""


class Handover:
    """Futures that one lane makes and another uses: the other waits until the call that makes it is over."""

    def __init__(self, program: Program, k: Kernel) -> None:
        """Find out which lane makes what."""
        self._kernel = k
        self._over = [0] * len(program.lanes)  # calls that are over, by lane
        self._waiting: list[Task] = []
        self._made_by: dict[str, tuple[int, int]] = {}
        for lane, each in enumerate(program.lanes):
            for call, step in enumerate(each.operations):
                alone = Program(lanes=(Lane(operations=(step,)),))
                for name in (*futures_of(alone), *bare_futures_of(alone)):
                    self._made_by[name] = (lane, call)

    def receive(self, step: Operation, lane: int) -> None:
        """Wait for the futures that an operation of this lane needs."""
        for name in (getattr(step, "future", ""), getattr(step, "like", ""), *getattr(step, "futures", ())):
            maker, call = self._made_by.get(name, (lane, 0))
            while maker != lane and self._over[maker] <= call:
                self._kernel.block("await a lane", None, self._waiting, None)

    def pass_on(self, lane: int) -> None:
        """A call of this lane is over: let those go on who waited for it."""
        self._over[lane] += 1
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            self._kernel.wake(task)


_last: tuple[Program, tuple[Operation, ...]] | None = None


def _ending_of(program: Program) -> tuple[Operation, ...]:
    """The epilogue of a program; that of the last one is at hand, since it is run many times."""
    global _last  # noqa: PLW0603 - a memory of one
    if _last is None or _last[0] is not program:
        _last = program, epilogue(program)
    return _last[1]


@contextlib.contextmanager
def _starved_of(k: Kernel, what: Resource) -> Iterator[None]:
    """Have every start fail that the current task attempts meanwhile."""
    me = k.current
    me.starved_of = what
    try:
        yield
    finally:
        me.starved_of = ""


class Performance:
    """One run of one program."""

    def __init__(self, program: Program, target: str, importer: Importer, k: Kernel) -> None:
        """Prepare the stage."""
        self._program = program
        self._kernel = k
        self._puppet: Any = importer.load("harness.arenas.real.puppet")
        self._perform: Any = importer.load("harness.arenas.real.perform")
        stage_module: Any = importer.load("harness.arenas.real.stage")
        self.notebook = Notebook()
        self._blueprint = stage_module.Blueprint(target)
        self._make_stage = stage_module.Stage
        self._stage: Any = None
        self._timeouts: dict[str, float | None] = {}  # of iterators
        self._handover = Handover(program, k) if len(program.lanes) > 1 else None
        k.uncaught = self._uncaught

    def play(self) -> None:
        """The main task: all lanes, then the epilogue."""
        k = self._kernel
        stage = self._stage = self._make_stage(self._program, self._blueprint, self.notebook, lambda: None)
        stage.gates = {name: Gate() for name in stage.gates}
        stage.run = "r"
        stage.starved_of = partial(_starved_of, k)
        self._puppet.open_theatre("r", stage)
        worker = Worker(stage, k)
        self._puppet._Line = lambda _ticket: worker  # noqa: SLF001 - the world's own copy of the module
        self._puppet._lines = types.SimpleNamespace()  # noqa: SLF001 - the same: a new line each time
        stage.raise_curtain()
        first, *others = self._program.lanes
        lanes = [
            k.spawn(partial(self._perform_all, lane.operations, number, 0), f"lane{number}", k.client)
            for number, lane in enumerate(others, start=1)
        ]
        self._perform_all(first.operations, 0, 0)
        for lane in lanes:
            self._join(lane)
        self._perform_all(_ending_of(self._program), 0, len(first.operations))

    def _join(self, lane: Task) -> None:
        k = self._kernel
        waiters: list[Task] = []
        lane.at_end.append(lambda: [k.wake(task) for task in waiters])
        while lane.state != "ended":
            k.block("join lane", None, waiters, None)

    def _perform_all(self, operations: tuple[Operation, ...], lane: int, first: int) -> None:
        notes, k = self.notebook.notes, self._kernel
        me = k.current
        for call, step in enumerate(operations, start=first):
            if self._handover is not None:
                self._handover.receive(step, lane)
            if isinstance(step, Kill):
                self._await_victim(step)
            notes.append((now(), call, lane, None, 0))
            if isinstance(step, Census):
                self._take_census()
                outcome: Any = Facts(lines=())
            else:
                me.due = self._due(step)
                outcome = self._perform.perform(self._stage, step)
                me.due = None
            if k.over:
                raise Over  # which `perform` took for the answer
            notes.append((now(), call, lane, outcome, k.current.ident))
            if self._handover is not None:
                self._handover.pass_on(lane)

    def _due(self, step: Operation) -> int | None:
        """When the timeout of a call is over that begins now, or of the iterator that it draws from."""
        timeout = getattr(step, "timeout", None)
        name = getattr(step, "iterator", "")
        if isinstance(step, Map | AsCompleted):
            self._timeouts[name], timeout = timeout, None
        elif name:
            timeout = self._timeouts.get(name)
        return None if timeout is None else self._kernel.deadline(timeout)

    def _await_victim(self, step: Kill) -> None:
        """A kill is aimed at somebody: wait until there is somebody, or nobody gets anywhere any more."""
        self._stage.take_notice()
        ledger = self._stage.ledgers[step.executor]
        if step.task is not None and step.task not in ledger.inside:
            self._kernel.settle(moving=True)

    def _take_census(self) -> None:
        self._stage.drop_everything()
        k = self._kernel
        k.settle()
        if self._left_over() is not None:
            garbage.collect()
            k.settle()
        for pause in _PAUSES:
            if self._left_over() is None:
                return
            # Workers may poll: they see that they are not needed any more when some time has passed.
            k.block("census", None, None, k.now + pause)
            k.settle()
        left = self._left_over()
        if left is not None:
            self.notebook.write(left)

    def _left_over(self) -> Leftover | None:
        k = self._kernel
        threads = [
            task for task in k.client.tasks[1:]
            if task.state not in ("ended", "killed") and not task.role.startswith("lane")
        ]  # fmt: skip
        processes = [each for each in k.processes[1:] if each.exitcode is None]
        if not threads and not processes:
            return None
        return Leftover(
            at=now(),
            threads=tuple(task.role for task in threads),
            processes=tuple(f"pid {each.pid}: {each.name}" for each in processes),
        )

    def _uncaught(self, task: Task, error: BaseException) -> None:
        self.notebook.write(
            Uncaught(
                at=now(),
                where=f"thread {task.role}",
                error=type(error).__name__,
                message=plain(str(error))[:200],
            )
        )

    def unraisable(self, args: Any) -> None:  # noqa: ANN401 - what `sys.unraisablehook` is given
        """An exception in a finaliser."""
        if not isinstance(args.exc_value, Over):
            name, text = type(args.exc_value).__name__, plain(str(args.exc_value))
            self.notebook.write(Uncaught(at=now(), where="a finaliser", error=name, message=text[:200]))

    def log(self, message: str) -> None:
        """A record of the ``concurrent.futures`` logger."""
        self.notebook.write(Logged(at=now(), message=plain(message)[:200]))


def plain(text: str) -> str:
    """A text without addresses, which differ from run to run."""
    return _ADDRESS.sub("0x", text)
