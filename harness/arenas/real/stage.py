"""The live side of one program: executors, futures, gates and what the tasks made, under their symbols."""

from __future__ import annotations

import importlib
import os
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from harness.arenas.real import puppet, starvation
from harness.arenas.real.ledger import Ledger
from harness.arenas.real.recorder import now
from harness.values.history import Acted, Entered, Finished, Started
from harness.values.outcome import Raised, Returned, Submitted
from harness.values.program import Exit, Pool, Program, Raise, Return, Script, fresh_pools, initializers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from harness.arenas.real.recorder import Recorder
    from harness.values.operation import Litter, Resource


NOTHING = Returned(value="None")


class Blueprint:
    """Where executors come from: a subject's factory, with the `wait` and `as_completed` that go with it."""

    def __init__(self, target: str) -> None:
        """Import ``package.module:Name``.

        Raises:
            ImportError, AttributeError: there is no such thing.
        """
        module_name, _, path = target.partition(":")
        holder: Any = importlib.import_module(module_name)
        *outer, last = path.split(".")
        for name in outer:
            holder = getattr(holder, name)
        self.factory: Any = getattr(holder, last)  # whether it can be called is for the probe to say
        futures = importlib.import_module("concurrent.futures")
        self.future: type = futures.Future
        self.wait: Callable[..., Any] = getattr(holder, "wait", futures.wait)
        self.as_completed: Callable[..., Iterator[Any]] = getattr(
            holder, "as_completed", futures.as_completed
        )

    def build(self, pool: Pool, beginning: puppet.Ticket | None = None) -> Any:  # noqa: ANN401 - an executor of whatever class
        """Make an executor as the program wants it; `beginning` is the ticket of its initializer."""
        options: dict[str, object] = {}
        if beginning is not None:
            options |= {"initializer": puppet.play, "initargs": (beginning, *puppet.arguments(beginning)[0])}
        if pool.start is not None:
            options["mp_context"] = importlib.import_module("multiprocessing").get_context(pool.start)
        if pool.named:
            options["thread_name_prefix"] = f"puppet-{pool.executor}"
        if pool.tasks_per_worker is not None:
            options["max_tasks_per_child"] = pool.tasks_per_worker
        return self.factory(max_workers=pool.workers, **options)


class Stage:
    """Everything alive that a program's symbols stand for."""

    def __init__(
        self, program: Program, blueprint: Blueprint, recorder: Recorder, wake: Callable[[], None]
    ) -> None:
        """Prepare gates and ledgers; executors are made by `raise_curtain`."""
        self.program = program
        self.blueprint = blueprint
        self.recorder = recorder
        self.scripts = {script.task: script for script in (*program.tasks, *initializers_of(program))}
        self.executors: dict[str, Any] = {}
        self.futures: dict[str, Any] = {}
        self.rehearsed: set[type] = set()  # classes whose futures work on their own
        self.iterators: dict[str, Iterator[Any]] = {}
        self.owner: dict[str, str] = {}  # which executor a task was given to
        self.task_of: dict[str, str] = {}  # which task a future stands for
        self.gates: dict[str, threading.Event] = {}
        self.opened: set[str] = set()
        self.ledgers: dict[str, Ledger] = {}
        self.prepare()
        self.litter: list[Litter] = []  # to be dropped before the next call
        self.hunger: Resource | None = None  # what the next call can start none of
        self.starved_of: Callable[[Resource], AbstractContextManager[None]] = starvation.starved_of
        self.play: Callable[..., object] = puppet.play  # what is submitted
        self.run = ""
        self.address = ""
        self.key = ""
        self.open_remotely: Callable[[str], None] = lambda _gate: None
        self.is_worker: Callable[[object], bool] = lambda _pid: True  # and not whoever has its number by now
        self._wake = wake
        self._marks: deque[tuple[str, str, int]] = deque()
        self._dropped = False
        self._made: dict[str, object] = {}
        self._errors: list[BaseException] = []
        self._begun = threading.local()

    def prepare(self) -> None:
        """Make gates and ledgers; a forked child makes them anew, for the old ones may be locked for ever."""
        self.gates = {gate: threading.Event() for script in self.scripts.values() for gate in script.gates}
        self.ledgers = {
            pool.executor: Ledger(workers=pool.workers, scripts=self.scripts, initializer=pool.initializer)
            for pool in self.program.pools
        }
        for gate in self.opened.intersection(self.gates):
            self.gates[gate].set()

    def raise_curtain(self, *, fresh: bool = False) -> None:
        """Make the program's executors; those that a forked child makes for itself (`fresh`) only there."""
        theirs = fresh_pools(self.program)
        for pool in self.program.pools:
            if (pool.executor in theirs) == fresh:
                first = pool.initializer
                beginning = None if first is None else self.ticket(first.task, pool.executor, "plain")
                self.executors[pool.executor] = self.blueprint.build(pool, beginning)

    def forget(self, executor: str) -> None:
        """Let go of an executor, also in the frames that exceptions have kept."""
        self._let_go_of_frames()
        del self.executors[executor]

    def drop_iterator(self, iterator: str) -> None:
        """Let go of an iterator, also in the frames that exceptions have kept."""
        self._let_go_of_frames()
        del self.iterators[iterator]

    def _let_go_of_frames(self) -> None:
        for error in self._errors:
            error.__traceback__ = None

    def drop_everything(self) -> list[weakref.ref[Any]]:
        """Let go of every live object; weak references to the executors remain."""
        self._dropped = True
        shadows = []
        for executor in self.executors.values():
            try:
                shadows.append(weakref.ref(executor))
            except TypeError:  # a class with slots and without __weakref__
                continue
        for holder in (self.executors, self.futures, self.iterators, self._made):
            holder.clear()
        self._errors.clear()
        return shadows

    # What puppets in this process call, in the threads of the executor.

    def started(self, task: str, *, intact: bool) -> None:
        """Record that a task entered its body in a thread of this process."""
        thread = threading.current_thread()
        pid = os.getpid()
        self.recorder.write(
            Started(
                at=now(), task=task, pid=pid, thread=threading.get_ident(), intact=intact, name=thread.name,
                again=self._again(task),
            )
        )  # fmt: skip
        self.mark("started", task, pid)
        for gate in self.opened_by(task):
            gate.set()

    def _again(self, task: str) -> bool:
        """Whether this very thread was initialized before; the number of one that ended may come again."""
        if not any(pool.initializer is self.scripts[task] for pool in self.program.pools):
            return False
        before: tuple[str, ...] = getattr(self._begun, "names", ())
        self._begun.names = (*before, task)
        return task in before

    def finished(self, task: str) -> None:
        """Record that a task leaves its body in a thread of this process."""
        self.recorder.write(Finished(at=now(), task=task, pid=os.getpid()))
        self.mark("finished", task, os.getpid())

    def opened_by(self, task: str) -> list[threading.Event]:
        """The gates that a task opens by being in its body; those that nobody passes are none."""
        return [self.gates[gate] for gate in self.scripts[task].opens if gate in self.gates]

    def pass_gate(self, gate: str) -> None:
        """Wait until the gate is open."""
        self.gates[gate].wait()

    def made(self, task: str, thing: object) -> None:
        """Remember the very object that a task returns or raises."""
        self._made[task] = thing

    def run_errand(self, task: str) -> None:
        """Do what a task has to do at its own executor, unless nobody has that any more."""
        executor = self.executors.get(self.owner[task])
        if executor is None:
            return
        self.recorder.write(Entered(at=now(), callback=task, future=""))
        trouble = ""
        try:
            self._do_errand(self.scripts[task], executor)
        except Exception as error:  # noqa: BLE001 - what fails is an observation
            trouble = f"{type(error).__name__}: {error}"
        self.recorder.write(Acted(at=now(), task=task, trouble=trouble))

    def _do_errand(self, script: Script, executor: Any) -> None:  # noqa: ANN401 - a live one
        if script.errand == "submit" and script.hands_in is not None:
            ticket = self.ticket(script.hands_in, self.owner[script.task], "plain")
            self.hand_in(executor, f"f.{script.task}", ticket)
        elif script.errand in ("shutdown", "close"):
            executor.shutdown(wait=script.errand == "close")

    def hand_in(self, executor: Any, name: str, ticket: puppet.Ticket) -> Submitted:  # noqa: ANN401 - a live one
        """Submit a task; its future gets a name. Called from any thread of this process."""
        args, keywords = puppet.arguments(ticket)
        self.task_of[name] = ticket.task
        future = executor.submit(self.play, ticket, *args, **keywords)
        if not self._dropped:  # a callback may come late: what it makes must keep nothing alive
            self.futures[name] = future
        self.mark("accepted", ticket.task, 0)
        return Submitted(is_future=isinstance(future, self.blueprint.future))

    def mark(self, what: str, task: str, pid: int) -> None:
        """Note a task's step and wake the client; called from any thread."""
        self._marks.append((what, task, pid))
        self._wake()

    # What the client's own thread calls.

    def take_notice(self) -> None:
        """Carry the steps noted so far into the ledgers."""
        while self._marks:
            what, task, pid = self._marks.popleft()
            ledger = self.ledgers[self.owner.get(task, self.program.pools[0].executor)]
            match what:
                case "started":
                    ledger.started(task, pid)
                    self.opened.update(self.scripts[task].opens)
                case "finished":
                    ledger.finished(task)
                case "accepted":
                    ledger.accept(task)
                case _:
                    ledger.forget(task)

    def open_gate(self, gate: str) -> None:
        """Let the tasks at this gate go on, in whichever process they wait."""
        if gate in self.gates:
            self.opened.add(gate)
            self.gates[gate].set()
            self.open_remotely(gate)

    def open_all_gates(self) -> None:
        """Let all tasks go on."""
        for gate in self.gates:
            self.open_gate(gate)

    def ticket(self, task: str, executor: str, call: str) -> puppet.Ticket:
        """The ticket of a task, and a note of who got it."""
        script = self.scripts[task]
        self.owner[task] = executor
        return puppet.Ticket(
            run=self.run, task=task, gates=script.gates, ending=_ending(script), argument=script.argument,
            call=call, address=self.address, key=self.key, errand=script.errand,
        )  # fmt: skip

    def name_of(self, future: object) -> str:
        """The symbol of a live future."""
        return next((name for name, known in self.futures.items() if known is future), "?")

    def describe(self, value: object) -> Returned:
        """A returned value as a plain one."""
        if isinstance(value, BaseException):
            raised = self.describe_error(value)
            return Returned(value=f"exception {raised.error}", same=raised.same, error=raised)
        if isinstance(value, puppet.Parcel):
            state = "whole" if value.whole() else "damaged"
            return Returned(
                value=f"parcel {value.task} {state} {len(value.body)}", same=self._same(value.task, value)
            )
        if value is None:
            return NOTHING
        if isinstance(value, bool | int | str):
            return Returned(value=repr(value))
        maker = next((task for task, thing in self._made.items() if thing is value), None)
        return Returned(value=f"{type(value).__name__} of {maker}", same=None if maker is None else True)

    def describe_error(self, error: BaseException) -> Raised:
        """An exception as a plain value."""
        task = str(error.args[0]) if error.args and str(error.args[0]) in self.scripts else None
        if not any(known is error for known in self._errors):
            self._errors.append(error)
        cause = "" if error.__cause__ is None else str(error.__cause__)
        serial = next(index for index, known in enumerate(self._errors) if known is error)
        return Raised(
            error=type(error).__name__,
            bases=tuple(base.__name__ for base in type(error).__mro__[:-1]),
            message=text_of(error),
            task=task,
            same=None if task is None else self._same(task, error),
            serial=serial,
            remote=f"in {puppet.PLAY}" in cause,
            chained=task is not None and f"cause of {task}" in cause,
        )

    def _same(self, task: str, thing: object) -> bool | None:
        return None if task not in self._made else self._made[task] is thing


def text_of(error: BaseException | None) -> str:
    """What an exception says, as far as it bears to be asked."""
    try:
        return str(error)[:200]
    except Exception:  # noqa: BLE001 - a hostile exception may raise anything
        return ""


def _ending(script: Script) -> tuple[str, str, int]:
    match script.ending:
        case Return(gift=gift, size=size):
            return ("return", gift, size)
        case Raise(error=error):
            return ("raise", error, 0)
        case Exit(status=status):
            return ("exit", "none", status)
