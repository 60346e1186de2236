"""Does a program make progress? Decided before it runs: a hang is a fault only where it must not happen.

A call that waits is *safe* if it returns on every executor that keeps its promises, whatever the order in
which tasks start: the tasks it waits for have no gate that may stay closed, and tasks that may stand at
closed gates cannot take up all workers. A gate that another task opens is sure to open if that task is sure
to start. The analysis errs on the safe side: a cancelled task still counts as one that may hold a worker,
and a task that waits for others as one that waits for good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.model.driven import Driven
from harness.model.form import malformation
from harness.values import operation as op
from harness.values.program import Exit, Raise, Return

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.values.program import Program, Script


@dataclass(slots=True, kw_only=True)
class Progress:
    """What is known of a program up to some operation: which tasks are where, which gates are open."""

    workers: dict[str, int]
    scripts: dict[str, Script]
    initializers: dict[str, Script] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    task_of: dict[str, str] = field(default_factory=dict)
    given_to: dict[str, set[str]] = field(default_factory=dict)
    items_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    futures_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)  # tasks that perhaps never start
    over: set[str] = field(default_factory=set)  # tasks whose end was waited for
    starving: bool = False  # the next call can start no worker
    lean: bool = False  # some call could not: there may be a worker less than there should be
    gone: set[str] = field(default_factory=set)  # executors that nobody can use any more
    suspended: set[str] = field(
        default_factory=set
    )  # executors of which a worker goes on only after a signal
    closing: set[str] = field(default_factory=set)  # executors that perhaps take no more tasks
    joining: set[str] = field(default_factory=set)  # executors whose end a task or callback of theirs awaits
    driven: Driven = field(default_factory=Driven)
    drawn: dict[str, int] = field(default_factory=dict)  # how often an iterator was asked for one more

    @staticmethod
    def of(program: Program) -> Progress:
        """The beginning of a program."""
        driven = Driven()
        if len(program.lanes) > 1:
            driven.foresee(program)
        known = Progress(
            workers={pool.executor: pool.workers for pool in program.pools},
            scripts={script.task: script for script in program.tasks},
            initializers={
                pool.executor: pool.initializer for pool in program.pools if pool.initializer is not None
            },
            given_to={pool.executor: set() for pool in program.pools},
            driven=driven,
        )
        for executor in known.initializers:
            if known.fails_to_begin(executor):
                known.closing.add(executor)
        return known

    def fails_to_begin(self, executor: str) -> bool:
        """Whether the workers of an executor raise, or end, before their first task."""
        initializer = self.initializers.get(executor)
        return initializer is not None and not isinstance(initializer.ending, Return)

    def stalls(self, executor: str) -> bool:
        """Whether the workers of an executor stand at a closed gate before their first task."""
        initializer = self.initializers.get(executor)
        return initializer is not None and not self.opened.issuperset(initializer.gates)

    def held(self, task: str) -> bool:
        """Whether a task, once started, stands at a gate that its client has not opened."""
        return task not in self.over and not self.opened.issuperset(self.scripts[task].gates)

    def ends(self, task: str) -> bool:
        """Whether a task that was submitted ends on every executor that keeps its promises."""
        owner = self._owner(task)
        if owner is None or owner in self.suspended or not self.passes(task):
            return False
        return self.spare_workers(owner) > 0

    def passes(self, task: str) -> bool:
        """Whether all the gates of a task are open, or opened by tasks that are sure to start."""
        closed = [gate for gate in self.scripts[task].gates if gate not in self.opened]
        return not closed or all(self._is_opened(gate, task) for gate in closed)

    def _is_opened(self, gate: str, waiting: str) -> bool:
        """Whether a task other than the one that waits there is sure to open a gate."""
        return any(
            gate in self.scripts[other].opens
            and other not in self.doubtful
            and self._starts_beside_all(other)
            for tasks in self.given_to.values()
            for other in tasks
            if other != waiting
        )

    def _starts_beside_all(self, task: str) -> bool:
        """Whether there is a worker for a task even while everybody is held who may be."""
        owner = self._owner(task)
        free = owner is not None and self.free_workers(owner, beside=task) > 0
        return free and owner not in self.suspended

    def free_workers(self, executor: str, *, beside: str = "") -> int:
        """How many workers no held task can take up, one task not counted."""
        if self.stalls(executor):
            return 0
        held = sum(self.held(task) for task in self.given_to[executor] if task != beside)
        if self.lean and held:
            return 0
        return max(0, self.workers[executor] - held)

    def spare_workers(self, executor: str) -> int:
        """How many workers no task can take up for good."""
        if self.stalls(executor):
            return 0
        staying = sum(self.held(task) and not self.passes(task) for task in self.given_to[executor])
        if self.lean and staying:
            return 0
        return max(0, self.workers[executor] - staying)

    def _owner(self, task: str) -> str | None:
        """The executor that a task was given to."""
        return next((name for name, tasks in self.given_to.items() if task in tasks), None)

    def all_end(self, tasks: Iterable[str]) -> bool:
        """Whether all of these end."""
        return all(self.ends(task) for task in tasks)

    def returns(self, step: op.Operation) -> bool:  # noqa: PLR0911 - one table, a row for each kind of call
        """Whether this call, made now, is safe."""
        match step:
            case op.Result(future=future, timeout=None) | op.Error(future=future, timeout=None):
                return self._comes_to_its_end(future)
            case op.Wait(timeout=None, futures=futures, return_when=when):
                return self._wait_returns(futures, when)
            case op.Next(iterator=iterator) | op.Drain(iterator=iterator):
                given = self.futures_of.get(iterator, ())
                waited = self.items_of.get(iterator) or tuple(
                    self.task_of[name] for name in given if name in self.task_of
                )
                return self._some_are_told(given, step) and self.all_end(waited)
            case op.Shutdown(wait=True, executor=executor) | op.Leave(executor=executor):
                return self._shutdown_returns(
                    executor, cancelling=isinstance(step, op.Shutdown) and step.cancel_futures
                )
            case op.AddCallback(deed="close", future=future, executor=str(executor)):
                return self._may_wait_inside(executor, self.task_of.get(future, ""))
            case op.Submit(executor=executor, task=task) if self._errand(task) == "close":
                return self._may_wait_inside(executor, task)
            case op.Submit(executor=executor, task=task):
                return executor not in self.joining or not self._stands(task)
            case op.Map(executor=executor, tasks=tasks):
                return executor not in self.joining or not any(map(self._stands, tasks))
            case _:
                return True

    def _errand(self, task: str) -> str:
        """What a task has to do at its executor."""
        script = self.scripts.get(task)
        return "" if script is None else script.errand

    def _stands(self, task: str) -> bool:
        """Whether a task that may be new will stand at a closed gate."""
        return task in self.scripts and self.held(task)

    def _may_wait_inside(self, executor: str, task: str) -> bool:
        """Whether a task, or a callback of its future, may wait for the end of its own executor.

        One may, and if nobody else stands at a gate there: two would wait for each other.
        """
        others = self.given_to[executor] - {task}
        return executor not in self.joining and not any(map(self.held, others))

    def _shutdown_returns(self, executor: str, *, cancelling: bool) -> bool:
        """Whether the workers of an executor are sure to come to their ends."""
        held = [task for task in self.given_to[executor] if self.held(task)]
        if executor in self.suspended:
            return False
        if self.stalls(executor) or cancelling:  # which cancels who would open gates
            return not self.stalls(executor) and not held
        return self.all_end(held)

    def _comes_to_its_end(self, future: str) -> bool:
        """Whether a future is sure to be done, by its task or because its client has ended it."""
        if future in self.driven.bare:
            return future in self.driven.over
        return future in self.task_of and self.ends(self.task_of[future])

    def _some_are_told(self, given: tuple[str, ...], step: op.Next | op.Drain) -> bool:
        """Whether an iterator over these futures has one more for this step, as far as bare ones matter."""
        bare = {name for name in given if name in self.driven.bare}
        open_ones = sum(not self.driven.told(name) for name in bare)
        if not open_ones or isinstance(step, op.Drain):
            return not open_ones
        return len(set(given)) - open_ones > self.drawn.get(step.iterator, 0)

    def _wait_returns(self, futures: tuple[str, ...], when: op.ReturnWhen) -> bool:
        """Whether the condition of a `wait` over these futures is sure to be met."""
        tasks = [self.task_of[name] for name in futures if name in self.task_of]
        bare = [name for name in futures if name in self.driven.bare]
        ends = [task for task in tasks if self.ends(task)]
        told = [name for name in bare if self.driven.told(name)]
        if when == "NONSENSE" or len(ends) + len(told) == len(tasks) + len(bare):
            return True
        raises = any(isinstance(self.scripts[task].ending, Raise) for task in ends)
        raises = raises or any(map(self.driven.failed, told))
        return {"FIRST_COMPLETED": bool(ends or told), "FIRST_EXCEPTION": raises}.get(when, False)

    def after(self, step: op.Operation) -> None:
        """Take note of an operation."""
        self._doubt_after(step)
        self.driven.after(step)
        self._halt_after(step)
        match step:
            case op.Submit(executor=executor, future=future, task=task):
                self._give(executor, future, task)
            case (
                op.AddCallback(deed="submit", executor=str(executor), task=str(task), callback=name)
                | op.Litter(executor=executor, task=task, litter=name)
            ):
                self._give(executor, f"f.{name}", task)
            case op.Map(executor=executor, iterator=iterator, tasks=tasks, shorter=shorter, timeout=timeout):
                used = tasks[: len(tasks) - (shorter or 0)]
                self.given_to[executor].update(used)
                self.items_of[iterator] = used if timeout is None else ()  # with a timeout, drawing returns
            case op.AsCompleted(iterator=iterator, futures=futures, timeout=timeout):
                self.futures_of[iterator] = futures if timeout is None else ()
            case op.Next(iterator=iterator):
                self.drawn[iterator] = self.drawn.get(iterator, 0) + 1
            case op.Result(future=future, timeout=None) | op.Error(future=future, timeout=None):
                self.over.update({self.task_of.get(future, "")} - self.doubtful)
            case op.Open(gate=gate):
                self.opened.add(gate)
            case op.Release():
                scripts = (*self.scripts.values(), *self.initializers.values())
                self.opened.update(gate for script in scripts for gate in script.gates)
            case op.Turn(to=place):
                self._turn(place)
            case _:
                pass

    def _halt_after(self, step: op.Operation) -> None:
        """Take note of workers that stop for a while."""
        match step:
            case op.Suspend(executor=executor):
                self.suspended.add(executor)
            case op.Resume(executor=executor):
                self.suspended.discard(executor)
            case op.Release():
                self.suspended.clear()
            case _:
                pass

    def _turn(self, place: op.Place) -> None:
        """Take note of where the lane goes on: what was submitted before a fork never ends in the child."""
        if place == "a forked child":
            for tasks in self.given_to.values():
                tasks.clear()
        elif place != "a module body":  # the interpreter is about to exit, and may take nothing more
            for executor in self.workers:
                self._doubt(executor, cancelling=False)
            if place != "a late thread":
                self.opened.update(gate for script in self.scripts.values() for gate in script.gates)

    def _doubt_after(self, step: op.Operation) -> None:
        """Take note of what an operation makes uncertain."""
        match step:
            case op.Cancel(future=future) if future in self.task_of:
                self.doubtful.add(self.task_of[future])
            case op.AddCallback(deed="submit", task=str(task)) | op.Litter(task=task):
                self.doubtful.add(task)
            case (
                op.AddCallback(deed="shutdown" | "close", executor=str(executor))
                | op.Leave(executor=executor)
            ):
                self._doubt(executor, cancelling=False)
                if isinstance(step, op.AddCallback) and step.deed == "close":
                    self.joining.add(executor)
            case op.Shutdown(executor=executor, cancel_futures=cancelling):
                self._doubt(executor, cancelling=cancelling)
            case op.Kill(executor=executor) | op.Interrupt(executor=executor):
                self._doubt(executor, cancelling=True)
            case op.Forget(executor=executor):
                self.gone.add(executor)
            case op.Starve():
                self.starving = self.lean = True
            case op.Map(tasks=tasks):
                self.doubtful.update(tasks)
            case _:
                pass

    def expect_everything(self, program: Program) -> None:
        """Count with every task that is given to an executor anywhere: other lanes may have been faster."""
        for lane in program.lanes:
            for step in lane.operations:
                executor = getattr(step, "executor", None)
                tasks = (getattr(step, "task", None), *getattr(step, "tasks", ()))
                tasks += tuple(self.scripts[task].hands_in for task in tasks if task in self.scripts)
                if executor in self.given_to and not isinstance(step, op.Kill | op.Interrupt | op.Suspend):
                    self.given_to[executor].update(task for task in tasks if task in self.scripts)
                    self.doubtful.update(task for task in tasks if task in self.scripts)

    def refuse(self, task: str) -> None:
        """Take note that a task was not accepted."""
        self.doubtful.add(task)

    def _give(self, executor: str, future: str, task: str) -> None:
        self.task_of[future] = task
        self.given_to[executor].add(task)
        script = self.scripts.get(task)
        if script is None:
            return
        if isinstance(script.ending, Exit) or script.strains:  # its worker dies, and perhaps others with it
            self._doubt(executor, cancelling=True)
        self._expect_errand(executor, script)
        if executor in self.closing or script.argument < 0 or self.starving:
            self.doubtful.add(task)
        self.starving = False

    def _expect_errand(self, executor: str, script: Script) -> None:
        """A task with an errand hands in another, or closes its executor, whenever it comes to that."""
        if script.hands_in is not None:
            self.doubtful.add(script.hands_in)
            self._give(executor, f"f.{script.task}", script.hands_in)
        elif script.errand:
            self._doubt(executor, cancelling=False)
            if script.errand == "close":
                self.joining.add(executor)

    def _doubt(self, executor: str, *, cancelling: bool) -> None:
        """An executor closes or breaks: it takes nothing more, and perhaps drops what it has."""
        self.closing.add(executor)
        if cancelling:
            self.doubtful.update(self.given_to.get(executor, ()))


def objection(program: Program, *, lanes: int = 1) -> str:
    """Why a program is no fair test: its form, a symbol used before it exists, a call that may rightly hang.

    With several lanes, each goes on as far as it can for sure, until all have ended or none can go on. It
    does not matter in which order they are tried: every task that any lane submits may hold a worker from
    the beginning, and what the others do can only open gates.

    Args:
        program: The program.
        lanes: How many lanes the arena can run.

    Returns:
        One sentence, empty if there is nothing to object to.
    """
    if wrong := malformation(program, lanes=lanes):
        return wrong
    known = Progress.of(program)
    if len(program.lanes) > 1:
        known.expect_everything(program)
    places = [0] * len(program.lanes)
    reasons = [""] * len(program.lanes)
    moved = True
    while moved:
        moved = False
        for number, lane in enumerate(program.lanes):
            while places[number] < len(lane.operations):
                step = lane.operations[places[number]]
                reasons[number] = obstacle(step, known)
                if reasons[number]:
                    break
                known.after(step)
                places[number] += 1
                moved = True
    for number, (place, reason) in enumerate(zip(places, reasons, strict=True)):
        if reason:
            where = f" of lane {number + 1}" if len(program.lanes) > 1 else ""
            return f"operation {place}{where} {reason}"
    return ""


def obstacle(step: op.Operation, known: Progress) -> str:
    """Why an operation, made now, is not sure to come back."""
    unknown = _unknown(step, known)
    if unknown:
        return f"names {unknown}, which does not exist"
    return "" if known.returns(step) else "may rightly wait for ever"


def _unknown(step: op.Operation, known: Progress) -> str:
    """A symbol that stands for nothing at this point."""
    iterators = known.items_of.keys() | known.futures_of.keys()
    futures = known.task_of.keys() | known.driven.bare
    if isinstance(step, op.Fresh):
        return "" if step.like in futures else step.like
    if not isinstance(step, op.Submit) and getattr(step, "future", None) not in (None, *futures):
        return str(getattr(step, "future", ""))
    if isinstance(step, op.Next | op.Drain | op.Close | op.Drop) and step.iterator not in iterators:
        return step.iterator
    if getattr(step, "executor", None) not in (None, *known.workers.keys() - known.gone):
        return str(getattr(step, "executor", ""))
    tasks = [task for task in (getattr(step, "task", None), *getattr(step, "tasks", ())) if task is not None]
    strange = [task for task in tasks if task not in known.scripts]
    strange += [name for name in getattr(step, "futures", ()) if name not in futures]
    return next(iter(strange), "")
