"""Composes a program operation by operation, so that every step makes sense and every waiting call is safe.

It knows what the model knows and nothing of any run: the whole program exists before anything is executed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.model.progress import Progress, objection, obstacle
from harness.values import operation as op
from harness.values.program import Ending, Errand, Exit, Lane, Pool, Program, Return, Script

SHORT = 0.01  # seconds: a timeout that may well run out
AMPLE = 2.0  # seconds: a timeout that should not run out; the call returns as soon as it can


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What programs for a subject may contain."""

    kind: str = "thread"
    inline: bool = False
    single: bool = False
    lanes: int = 1  # client threads, at most
    prefetch: int = 0
    starts: tuple[str | None, ...] = (None,)
    capabilities: frozenset[str] = frozenset()
    dies: bool = False  # workers may be killed
    leaves: bool = False  # the process may fork, end, or be interrupted by its collector


@dataclass(slots=True)
class Composer:
    """A program in the making."""

    shape: Shape
    pools: list[Pool] = field(default_factory=lambda: [Pool()])
    scripts: list[Script] = field(default_factory=list)
    lanes: list[list[op.Operation]] = field(default_factory=lambda: [[]])
    lane: int = 0  # the one to which operations are added
    futures: list[str] = field(default_factory=list)
    iterators: list[str] = field(default_factory=list)
    callbacks: int = 0
    closed: list[str] = field(default_factory=list)  # gates that are still shut
    running: list[str] = field(default_factory=list)  # tasks that surely stand at a closed gate in a worker
    shut: set[str] = field(default_factory=set)
    entered: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)  # futures that may be cancelled
    ended: set[str] = field(default_factory=set)  # iterators that were closed
    killed: bool = False
    _progress: Progress | None = field(default=None, init=False)

    @property
    def progress(self) -> Progress:
        """What the model knows so far."""
        if self._progress is None:
            self._progress = Progress.of(Program(pools=tuple(self.pools), tasks=()))
        return self._progress

    def program(self) -> Program:
        """The program as it stands."""
        lanes = tuple(Lane(operations=tuple(steps)) for steps in self.lanes if steps) or (Lane(),)
        return Program(pools=tuple(self.pools), tasks=tuple(self.scripts), lanes=lanes)

    @property
    def steps(self) -> list[op.Operation]:
        """The operations of the lane to which others are added."""
        return self.lanes[self.lane]

    def add(self, step: op.Operation) -> bool:
        """Append an operation, unless it might rightly wait for ever, or make one of another lane do so.

        Nor is one appended that needs what another would have made, which was not appended itself.
        """
        if obstacle(step, self.progress):
            return False
        self.steps.append(step)
        if len(self.lanes) > 1 and objection(self.program(), lanes=len(self.lanes)):
            self.steps.pop()
            return False
        self.progress.after(step)
        return True

    def task(
        self, *, gated: bool, ending: Ending, argument: int = 0, errand: Errand = "", other: str | None = None
    ) -> str:
        """Write a script; in an executor that runs tasks in `submit`, nothing may wait.

        A task may have an `errand` at its executor; one that submits hands in the `other`.
        """
        name = f"t{len(self.scripts)}"
        gates: tuple[str, ...] = ()
        if gated and not self.shape.inline:
            gates = (f"g{len(self.scripts)}",)
            self.closed.append(gates[0])
        script = Script(
            task=name, gates=gates, ending=ending, argument=argument, errand=errand, hands_in=other
        )
        self.scripts.append(script)
        self.progress.scripts[name] = script
        return name

    def submit(self, executor: str, task: str, *, keywords: bool = False) -> str:
        """Submit a task."""
        future = f"f{len(self.futures)}"
        self.futures.append(future)
        script = self.scripts[int(task[1:])]
        workers = self.progress.workers[executor]
        alone = all(
            not self.progress.held(other)
            for other in self.progress.given_to[executor]
            if other not in self.running
        )
        mine = [other for other in self.running if other in self.progress.given_to[executor]]
        sure = alone and executor not in self.shut and self._begins(executor) and not self.killed
        if any(gate in self.closed for gate in script.gates) and sure and len(mine) < workers:
            self.running.append(task)
        self.add(op.Submit(executor=executor, future=future, task=task, keywords=keywords))
        return future

    def _begins(self, executor: str) -> bool:
        """Whether the workers of an executor surely get to their first task by themselves."""
        known = self.progress
        return not (known.stalls(executor) or known.fails_to_begin(executor) or known.lean)

    def starve(self, executor: str, task: str, of: op.Resource) -> None:
        """Submit a task at a limit of the system; from then on a worker may be missing."""
        self.add(op.Starve(of=of))
        self.doubtful.add(self.submit(executor, task))

    def meet(self, executor: str, size: int) -> None:
        """Submit so many tasks each of which waits until all of them are in their bodies."""
        first = len(self.scripts)
        gates = [f"g{first + place}" for place in range(size)]
        for place, mine in enumerate(gates):
            name = f"t{first + place}"
            others = tuple(gate for gate in gates if gate != mine)
            script = Script(task=name, gates=others, opens=(mine,))
            self.scripts.append(script)
            self.progress.scripts[name] = script
        for place in range(size):
            self.submit(executor, f"t{first + place}")

    def open(self, gate: str) -> None:
        """Open a gate."""
        self.closed.remove(gate)
        task = f"t{gate[1:]}"
        if task in self.running:
            self.running.remove(task)
        self.add(op.Open(gate=gate))

    def cancel(self, future: str) -> None:
        """Cancel a future; from now on nobody knows whether it is."""
        self.doubtful.add(future)
        self.add(op.Cancel(future=future))

    def read(self, future: str, *, error: bool, patience: int) -> None:
        """Read an outcome: for as long as it takes where that is safe, with a timeout otherwise."""
        kind = op.Error if error else op.Result
        safe = self.progress.returns(kind(future=future))
        if safe and patience > 1 and not (self.killed and future in self.doubtful):
            self.add(kind(future=future))
        elif safe:
            self.add(kind(future=future, timeout=AMPLE if patience else 0.0))
        else:
            self.add(kind(future=future, timeout=SHORT if patience % 3 else 0.0 if patience else -1.0))

    def add_callback(self, future: str, deed: op.Deed) -> None:
        """Add a callback; one that submits brings its task."""
        executor = self.pools[0].executor
        name = f"c{self.callbacks}"
        self.callbacks += 1
        if deed == "submit":
            task = self.task(gated=False, ending=Return())
            step = op.AddCallback(future=future, callback=name, deed=deed, executor=executor, task=task)
            if self.add(step):
                self.futures.append(f"f.{name}")
            return
        if deed in ("shutdown", "close"):
            self.shut.add(executor)
            self.add(op.AddCallback(future=future, callback=name, deed=deed, executor=executor))
            return
        self.add(op.AddCallback(future=future, callback=name, deed=deed))

    def wait(self, names: tuple[str, ...], when: op.ReturnWhen, form: op.Form, *, hurried: bool) -> None:
        """Wait for several; with a timeout where one may be cancelled.

        Without one, that hangs on every CPython (gh-92001).
        """
        unhurried = op.Wait(futures=names, return_when=when, form=form)
        if hurried or self.doubtful.intersection(names) or not self.progress.returns(unhurried):
            self.add(op.Wait(futures=names, return_when=when, form=form, timeout=SHORT))
        else:
            self.add(unhurried)

    def as_completed(self, names: tuple[str, ...], form: op.Form, *, hurried: bool) -> None:
        """Make an iterator over several; with a timeout under the same conditions as `wait`."""
        name = f"i{len(self.iterators)}"
        self.iterators.append(name)
        ends = all(
            self.progress.ends(self.progress.task_of[each]) for each in names if each in self.progress.task_of
        )
        timeout = SHORT if hurried or self.doubtful.intersection(names) or not ends else None
        self.add(op.AsCompleted(iterator=name, futures=names, form=form, timeout=timeout))

    def map(self, executor: str, tasks: tuple[str, ...], **options: object) -> None:
        """Map over new tasks."""
        name = f"i{len(self.iterators)}"
        self.iterators.append(name)
        self.add(op.Map(executor=executor, iterator=name, tasks=tasks, **options))  # type: ignore[arg-type]  # fields of Map

    def draw(self, iterator: str, *, all_of_it: bool) -> None:
        """Draw from an iterator, if that is sure to return."""
        if iterator not in self.ended:
            self.add(op.Drain(iterator=iterator) if all_of_it else op.Next(iterator=iterator))

    def close(self, iterator: str) -> None:
        """Close an iterator."""
        self.ended.add(iterator)
        self.add(op.Close(iterator=iterator))

    def drop(self, iterator: str) -> None:
        """Drop an iterator."""
        self.ended.add(iterator)
        self.add(op.Drop(iterator=iterator))

    def send(self, executor: str, errand: Errand, *, gated: bool) -> None:
        """Submit a task with an errand at its executor."""
        other = self.task(gated=False, ending=Return()) if errand == "submit" else None
        task = self.task(gated=gated, ending=Return(), errand=errand, other=other)
        future = self.submit(executor, task)
        if other is not None:
            self.futures.append(f"f.{task}")
        if errand in ("shutdown", "close"):
            self.shut.add(executor)
            self.doubtful.add(future)

    def shut_down(self, executor: str, *, wait: bool, cancel: bool) -> None:
        """Shut down; without waiting where that might take for ever; cancelling only where one can ask."""
        cancel = cancel and "cancel_futures" in self.shape.capabilities
        if cancel:
            self.doubtful.update(self.futures)
        self.shut.add(executor)
        if not self.add(op.Shutdown(executor=executor, wait=wait, cancel_futures=cancel)):
            self.add(op.Shutdown(executor=executor, wait=False, cancel_futures=cancel))

    def add_pool(self, pool: Pool) -> None:
        """Have one more executor."""
        self.progress.workers[pool.executor] = pool.workers
        self.progress.given_to[pool.executor] = set()
        self.pools.append(pool)

    def litter(self, executor: str, after: int) -> None:
        """Drop a cycle that submits a task when it is collected, in the middle of the next call."""
        name = f"z{sum(isinstance(step, op.Litter) for step in self.steps)}"
        task = self.task(gated=False, ending=Return())
        self.add(op.Litter(executor=executor, litter=name, task=task, after=after))
        self.futures.append(f"f.{name}")

    def turn(self, place: op.Place) -> None:
        """Go on elsewhere."""
        self.running.clear()
        if place in ("the end", "exit functions"):
            self.closed.clear()
        self.add(op.Turn(to=place))

    def enter_or_leave(self, executor: str, *, raising: bool) -> None:
        """Enter a with block, or leave the one that is open."""
        if executor not in self.entered:
            self.entered.add(executor)
            self.add(op.Enter(executor=executor))
        elif self.add(op.Leave(executor=executor, raising=raising)):
            self.entered.discard(executor)
            self.shut.add(executor)

    def kill(self, executor: str, *, idle: bool, signal: op.Signal) -> None:
        """Kill a worker: one that surely runs a task, or an idle one; then the pool is expected to break."""
        busy = [task for task in self.running if task in self.progress.given_to[executor]]
        if idle or not busy:
            self.add(op.Kill(executor=executor, signal=signal))
        else:
            self.add(op.Kill(executor=executor, task=busy[-1], signal=signal))
            self._see_it_break(busy[-1])
        self.killed = True
        self.running.clear()

    def interrupt(self, executor: str, *, idle: bool) -> None:
        """Interrupt a worker: one that surely runs a task, or an idle one; then the pool may break."""
        task = None if idle else self._busy(executor)
        self.add(op.Interrupt(executor=executor, task=task))
        self.killed = True
        self.running.clear()

    def suspend(self, executor: str, *, idle: bool) -> None:
        """Stop a worker: one that surely runs a task, or an idle one."""
        self.add(op.Suspend(executor=executor, task=None if idle else self._busy(executor)))

    def _busy(self, executor: str) -> str | None:
        """The latest task that surely stands at a closed gate in a worker."""
        busy = [task for task in self.running if task in self.progress.given_to[executor]]
        return busy[-1] if busy else None

    def exit_task(self, executor: str, status: int) -> None:
        """Submit a task that ends its worker."""
        self.submit(executor, self.task(gated=False, ending=Exit(status=status)))
        self.killed = True

    def _see_it_break(self, victim: str) -> None:
        """Read the victim's future with a timeout that it should not need: now the client knows."""
        future = next(name for name, task in self.progress.task_of.items() if task == victim)
        if len(self.steps) % 2:
            self.add(op.Result(future=future, timeout=AMPLE))
