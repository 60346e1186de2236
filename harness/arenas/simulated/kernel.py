"""The kernel of the simulated world: who may run, who does, and what is written down of it.

One run is a set of *actors* of which one acts at a time. Most are tasks (simulated threads, each with a
greenlet or a thread of its own); a pending kill is an actor whose one act is the kill, and the clock is one
whose act is to move virtual time to the next timer. So there is a single kind of choice, *who goes next*, and
a run is determined by the program and the answers to it.

Before each operation that others can see, a task calls `Kernel.point`. If more than one actor is ready
there, that is a *choice point*: the strategy names one of them. An operation that cannot proceed calls
`Kernel.block` and is tried again once somebody has called `Kernel.wake`.

Time is virtual: a step takes a microsecond, and nothing else takes any time but waiting for a timer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeAlias

from harness.arenas.simulated.actor import CutShort, default
from harness.arenas.simulated.backends import Over
from harness.arenas.simulated.deadlock import describe_blocked, describe_livelock
from harness.arenas.simulated.livelock import CALM, Overtime
from harness.arenas.simulated.tasks import Process, Task
from harness.arenas.simulated.trace import Trace
from harness.arenas.simulated.virtual_time import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.actor import Strategy
    from harness.arenas.simulated.backends import Backend

Ending: TypeAlias = Literal[
    "done", "deadlock", "livelock", "unfinished", "diverged", "pruned", "uncontrolled", "gone"
]

STEP: Final = 1_000  # nanoseconds of virtual time
OVERSHOOT: Final = 1_000  # past a deadline, since `as_completed` asks for less than nothing left
_FIRST_PID: Final = 1_000
_LAST_STEPS: Final = 5_000
_EVENTS: Final = -1  # the number of what is observed, in which everything has its place
_QUIET: Final = 1_000  # steps without an event that make one look
_GLANCES: Final = 3  # looks at the clock that are nothing special
_FASTEST: Final = 14  # then each takes twice as long as the one before, up to 16 ms

running: Kernel | None = None
"""The run in progress. Outside of one (while modules are imported) primitives work for their one caller."""


class Clock:
    """The actor that makes the next timer go off."""

    index = -1
    role = "clock"
    op = "tick"
    target = 0
    where = 0
    spins = 0
    passive = True

    def act(self, kernel: Kernel) -> None:
        """Move time past the next deadline, and wake whom it concerns."""
        timers = kernel.timers
        kernel.hasty = kernel.hasty or not all(actor.passive for actor in kernel.ready)
        now = max(kernel.now, min(timers.values()) + OVERSHOOT)
        kernel.now = now
        for task in [task for task, deadline in timers.items() if deadline <= now]:
            if kernel.wake(task):
                task.timed_out = True
            else:
                kernel.unwatch(task)


class Assassin:
    """A pending kill."""

    op = "kill"
    where = 0
    spins = 0
    passive = True

    def __init__(self, index: int, victim: Process, signal: int) -> None:
        """Be about to kill a process."""
        self.index = index
        victim.strikes += 1
        self.role = f"kill {victim.name}" + (f" {victim.strikes}" if victim.strikes > 1 else "")
        self.target = 0
        self.victim = victim
        self.signal = signal

    def act(self, kernel: Kernel) -> None:
        """Strike."""
        kernel.withdraw(self)
        if not self.victim.ended:
            kernel.end_process(self.victim, -self.signal)


class Undertaker:
    """Lets the parent of a process that has ended see how; unlike a kill, this does happen."""

    op = "reap"
    where = 0
    spins = 0
    passive = False

    def __init__(self, index: int, process: Process, exitcode: int) -> None:
        """Be about to show an exit code."""
        self.index = index
        self.role = f"reap {process.name}"
        self.target = process.serial
        self.process = process
        self.exitcode = exitcode

    def act(self, kernel: Kernel) -> None:
        """Show it, and wake who waits for it."""
        kernel.withdraw(self)
        kernel.touch(self.target)
        self.process.exitcode = self.exitcode
        for task in self.process.joiners:
            kernel.wake(task)


Actor: TypeAlias = Task | Clock | Assassin | Undertaker


@dataclass(slots=True)
class Outcome:
    """What became of a run."""

    ending: Ending = "done"
    detail: str = ""
    blocked: str = ""
    status: int = 0


class Kernel:
    """One run."""

    def __init__(self, strategy: Strategy, backend: Backend, *, limit: int = 20_000) -> None:
        """Prepare a run of at most `limit` steps, and some more in overtime."""
        self._strategy = strategy
        self._ask = strategy.choose
        self.backend = backend
        self.limit = limit
        self.now = 0
        self.hasty = False  # time has passed for those who wait while others could go on
        self.ready: list[Actor] = []
        self.timers: dict[Task, int] = {}
        self.tasks: list[Task] = []
        self.processes: list[Process] = []
        self.lazy: list[Task] = []
        self._content = False  # whether those need not wait for whoever goes round in circles
        self.trace = Trace()
        self.log = self.trace.log
        self._went = self.trace.went
        self._stood = self.trace.stood
        self.over = False
        self.outcome = Outcome()
        self.unwinding = 0
        self.uncaught: Callable[[Task, BaseException], None] = lambda _task, _error: None
        self.luggage: dict[int, Any] = {}  # what pickles refer to by number
        self._pieces = 0
        self._serial = 0
        self._actors = 0
        self._pids = 0
        self.touched: dict[int, list[int]] | None = None  # by place in the log, where anybody asks for it
        self.stamps = 0  # so many events were seen, or nearly seen
        self._stamps_seen = -1
        self._quiet = self._next_look = _QUIET
        self._overtime: Overtime | None = None
        self._glances = 0  # so many times in a row somebody has looked at the clock
        self._glanced_at = -1
        self._clock = Clock()
        self.client = self.add_process("client")
        self.current: Task = self._add_task("main", self.client)

    # Who there is.

    def serial(self) -> int:
        """The next number for an object that operations name."""
        self._serial += 1
        return self._serial

    def leave_luggage(self, thing: object) -> int:
        """Keep something for a process that is being started; returns the number to claim it by."""
        self._pieces += 1  # not the number of those that are left: some have been claimed
        number = self._pieces
        self.luggage[number] = thing
        return number

    def add_process(self, name: str) -> Process:
        """Make a process without tasks."""
        parent = self.current.process if self.processes else None
        process = Process(_FIRST_PID + self._pids, name, parent, self.serial())
        self._pids += 1
        self.trace.processes[process.pid] = name
        self.processes.append(process)
        return process

    def remove_process(self, process: Process) -> None:
        """Undo `add_process`: it could not be started."""
        for end in list(process.ends):
            end.close()
        self.processes.remove(process)

    def _next_index(self) -> int:
        self._actors += 1
        return self._actors - 1

    def _add_task(self, role: str, process: Process, *, daemon: bool = False) -> Task:
        task = Task(self._next_index(), role, process, daemon=daemon)
        self.trace.roles[task.index] = role
        self.tasks.append(task)
        process.tasks.append(task)
        if process.main is None:
            process.main = task
        self._insert(task)
        return task

    def spawn(self, body: Callable[[], object], role: str, process: Process, *, daemon: bool = False) -> Task:
        """Make a task that is ready to run `body`."""
        task = self._add_task(role, process, daemon=daemon)
        task.carrier = self.backend.carrier(lambda: self._live(task, body))
        return task

    def assassinate(self, victim: Process, signal: int) -> None:
        """From now on the victim may be struck at any moment."""
        assassin = Assassin(self._next_index(), victim, signal)
        self.trace.roles[assassin.index] = assassin.role
        self._insert(assassin)

    def withdraw(self, actor: Actor) -> None:
        """An actor has nothing more to do."""
        self.ready.remove(actor)

    def _insert(self, actor: Actor) -> None:
        """Keep `ready` in order of index; mostly the end is the place."""
        ready = self.ready
        place = len(ready)
        while place and ready[place - 1].index > actor.index:
            place -= 1
        ready.insert(place, actor)

    # The run.

    def run(self, body: Callable[[], None]) -> Outcome:
        """Run `body` as the main task of the client; returns when it has ended, or nothing can go on."""
        global running  # noqa: PLW0603 - primitives have no other way to the run they are used in
        main = self.tasks[0]
        main.carrier = self.backend.carrier(lambda: self._live(main, body))
        running = self
        try:
            while not self.over:
                chosen = self._choose(None)
                if chosen is None:
                    self._give_up()
                    break
                self.current = chosen
                self.backend.enter(chosen.carrier)
        except Over:
            pass  # the strategy could not go on when a task had ended
        finally:
            self.over = True
            self._unwind()
            running = None
        return self.outcome

    def forget(self) -> None:
        """Take the run apart, so that it goes without the garbage collector."""
        for task in self.tasks:
            task.at_end.clear()
            task.forget_locals()
            task.waits_for = None
            del task.carrier
        for process in self.processes:
            for things in (process.tasks, process.ends, process.children, process.finalizers):
                things.clear()
            process.main = process.parent = process.handle = None
        for parts in (self.tasks, self.processes, self.ready, self.lazy, self.luggage):
            parts.clear()
        self.uncaught = lambda _task, _error: None

    def _live(self, task: Task, body: Callable[[], object]) -> None:
        """A task's life, from its first step to its end."""
        try:
            self.log.append((task.index, "begin", 0))
            self._do(task, body)
            task.forget_locals()
            if task is not self.tasks[0]:
                self.point("end", 0)  # others may find it alive after all that it did
        except Over:
            return
        if not self.over:
            self._end_task(task)
            self.over = task is self.tasks[0]

    def _do(self, task: Task, body: Callable[[], object]) -> None:
        try:
            body()
        except (Over, SystemExit):
            if self.over:
                raise Over from None
        except BaseException as error:  # noqa: BLE001 - whatever a thread dies of is an observation
            if self.over:
                raise Over from None
            if task.process is self.client:
                self.uncaught(task, error)

    def _end_task(self, task: Task) -> None:
        task.state = "ended"
        self.ready.remove(task)
        for act in task.at_end:
            act()

    def _unwind(self) -> None:
        """Take the tasks that are left off the stage. Nothing that they still do counts."""
        for task in self.tasks:
            self.backend.discard(task.carrier)

    # What tasks call.

    def point(self, op: str, target: int) -> None:
        """A choice point of the current task, before it does `op` on the object numbered `target`."""
        if self.over:
            raise Over
        me = self.current
        me.op = op
        me.target = target
        if me.spins and op != "try":
            me.spins = 0
        self.now += STEP
        if len(self.ready) > 1:
            self._offer(me, op)
        log = self.log
        log.append((me.index, op, target))
        if len(log) > self._next_look:
            self._look_for_progress()

    def statement(self, number: int, op: str) -> None:
        """A choice point before a statement of instrumented code."""
        me = self.current
        me.op = op
        me.target = 0
        me.where = number
        self.now += STEP
        if len(self.ready) > 1:
            self._offer(me, op)
        log = self.log
        self._stood[len(log)] = number
        log.append((me.index, op, 0))
        if len(log) > self._next_look:
            self._look_for_progress()

    def _look_for_progress(self) -> None:
        """From time to time: was there any event? If not, everybody gets turns and is watched."""
        steps = len(self.log)
        quiet = self.stamps == self._stamps_seen
        if self._overtime is not None:
            if quiet and not self._overtime.watch(self.current, steps, self._actors, self.now):
                passing = self._overtime.leap(steps)
                self.now += passing
                self.hasty = self.hasty or passing > 0
                return
            self._end_overtime(self._overtime, quiet=quiet)
        elif steps > self.limit:
            self.stop("unfinished", f"more than {self.limit} steps")
        elif quiet:
            self._overtime = Overtime(steps)
            self._ask, self._went = self._overtime.choose, []  # nothing is decided: it follows from what was
            self._next_look = 0
            return
        self._stamps_seen = self.stamps
        self._next_look = min(steps + self._quiet, self.limit)

    def _end_overtime(self, overtime: Overtime, *, quiet: bool) -> None:
        """There was an event, or it can be told that there will be none, or it cannot be told."""
        circling = quiet and overtime.in_circles(len(self.log))
        if circling and self.lazy and self._content:
            self._rouse()
        elif circling:
            self.outcome.blocked = describe_livelock(self.tasks, overtime.circling, self.backend)
            late = ", ".join(task.role for task in overtime.overdue)
            calm = f"nothing new in {CALM} steps in which everybody had turns"
            self.stop("livelock", f"the timeout of {late} was over long ago" if late else calm)
        if quiet:
            self._quiet *= 4  # look less often
        self._overtime = None
        self._ask, self._went = self._strategy.choose, self.trace.went

    def unwind(self) -> None:
        """A task that is taken off the stage still does something: let it, for a while."""
        self.unwinding += 1
        if self.unwinding > _LAST_STEPS:
            raise Over

    def block(self, op: str, thing: Any, waiters: list[Task] | None, deadline: int | None) -> bool:  # noqa: ANN401 - a primitive
        """Stop the current task until it is woken; False if its deadline (virtual nanoseconds) came first.

        `thing` is what it waits for, with a number (`serial`) and perhaps a `holder`.
        """
        if self.over:
            raise Over
        me = self.current
        me.op = op
        me.target = target = 0 if thing is None else thing.serial
        me.waits_for = thing
        me.state = "blocked"
        me.timed_out = False
        me.deadline = deadline
        self.ready.remove(me)
        if waiters is not None:
            waiters.append(me)
        if deadline is not None:
            self._set_timer(me, deadline)
        chosen = self._choose(None)
        self._go(me, chosen)
        self.log.append((me.index, "go on", target))
        return not me.timed_out

    def wake(self, task: Task) -> bool:
        """Make a blocked task ready again; False if it is not blocked (or was killed)."""
        if task.state != "blocked":
            return False
        task.state = "ready"
        self._drop_timer(task)
        self._insert(task)
        return True

    def rest(self, task: Task) -> None:
        """Undo `wake`: what the task waits for was taken by another."""
        task.state = "blocked"
        self.ready.remove(task)
        if task.deadline is not None:
            self._set_timer(task, task.deadline)

    def watch(self, task: Task) -> None:
        """Let the deadline of a task pass that was woken before it: it may be slow to go on."""
        if task.deadline is not None:
            self._set_timer(task, task.deadline)

    def unwatch(self, task: Task) -> None:
        """Undo `watch`."""
        self._drop_timer(task)

    def settle(self, *, moving: bool = False) -> None:
        """Let the current task wait until no other can go on without the clock.

        Or, if those may be `moving`, until whoever can go on goes round in circles.
        """
        if self.over:
            raise Over
        me = self.current
        me.op, me.target, me.state = "settle", 0, "lazy"
        self.ready.remove(me)
        self.lazy.append(me)
        self._content = moving
        self._go(me, self._choose(None))

    def glance(self) -> int:
        """The present virtual time, for a task that looks at a clock.

        Time flies for whoever does nothing but that, and others get their turn: a loop that waits for a time
        to come has an end.
        """
        if len(self.log) != self._glanced_at:
            self._glances = 0
        self._glances += 1
        if self._glances > _GLANCES and not self.over:
            self.now += STEP << min(self._glances, _FASTEST)
            self.hasty = True
            self.current.spins += 1
            self.point("try", 0)
        self._glanced_at = len(self.log)
        return self.now

    def stamp(self) -> int:
        """The present virtual time, never the same twice."""
        self.now += 1
        self.stamps += 1
        if self.touched is not None:
            self.touch(_EVENTS)
        return self.now

    def touch(self, thing: int) -> None:
        """What the step in progress changes or depends on, besides what it names: by its serial number."""
        if self.touched is not None:
            self.touched.setdefault(len(self.log) - 1, []).append(thing)

    def end_process(self, process: Process, exitcode: int) -> None:
        """End a process as the system does: its tasks stop where they are, its ends of pipes close.

        What it held in the way of locks stays held, but for those of which it had copies. Whoever
        waits for its sentinel can go on; its exit code shows later.
        """
        process.ended = True
        self.log.append((-1, "gone", process.pid))
        self.touch(process.serial)
        if process is self.client:
            self.outcome.status = exitcode
            self.stop("gone", f"the client ended with exit code {exitcode}")
        for task in process.tasks:
            self._kill_task(task)
        for end in list(process.ends):
            end.close()
        for lock in process.borrowed:
            lock.give_back(self, process)
        for task in process.waiters:
            self.wake(task)
        undertaker = Undertaker(self._next_index(), process, exitcode)
        self.trace.roles[undertaker.index] = undertaker.role
        self._insert(undertaker)

    def _kill_task(self, task: Task) -> None:
        """It stops where it is, whether it could go on or not."""
        if task.state == "ended":
            return
        if task.state == "ready":
            self.ready.remove(task)
        elif task.state == "lazy":
            self.lazy.remove(task)
        self._drop_timer(task)
        task.state = "killed"

    def leave(self) -> None:
        """The current task is no more: never returns."""
        self._go(self.current, self._choose(None))
        raise Over

    # Choosing.

    def _offer(self, me: Task, op: str) -> None:
        """Let the strategy choose between the current task and others; returns when it is this one's turn."""
        try:
            chosen = self._ask(self.ready, me)
        except CutShort as error:
            self.stop(error.ending, str(error))
        if chosen is me and not me.spins:
            self._went.append((me.role, op))
            return
        self._note(chosen, me)
        self._go(me, chosen if isinstance(chosen, Task) else self._after(chosen, me))

    def _note(self, chosen: Actor, me: Task | None) -> None:
        """Write down who was chosen, and in whose place."""
        if self._overtime is not None:
            return
        usual = me if me is not None and not me.spins else default(self.ready, me)
        if chosen is not usual:
            self.trace.preempted[len(self._went)] = (usual.role, usual.op)
            self.trace.cuts.append(len(self.log))
        self._went.append((chosen.role, chosen.op))

    def _after(self, other: Clock | Assassin | Undertaker, me: Task | None) -> Task | None:
        """Let an actor act that is no task, and choose again."""
        self.now += STEP
        self.log.append((other.index, other.op, 0))
        other.act(self)
        # The one who was about to go on may have been struck.
        return self._choose(me if me is not None and me.state == "ready" else None)

    def _choose(self, me: Task | None) -> Task | None:
        """Who goes on: let the strategy choose, do what passive actors do, until it is a task."""
        ready = self.ready
        while True:
            if len(ready) > 1:
                try:
                    chosen = self._ask(ready, me)
                except CutShort as error:
                    self.stop(error.ending, str(error))
                self._note(chosen, me)
            elif ready and not (self.lazy and ready[0] is self._clock):
                chosen = ready[0]
            elif self.lazy:
                self._rouse()
                continue
            else:
                return None
            return chosen if isinstance(chosen, Task) else self._after(chosen, me)

    def _rouse(self) -> None:
        for task in self.lazy:
            task.state = "ready"
            self._insert(task)
        self.lazy.clear()

    def _go(self, me: Task, chosen: Task | None) -> None:
        """Hand over to another task; returns when this one is chosen again."""
        if chosen is me:
            return
        if chosen is None:
            self._give_up()
            self.backend.leave(me.carrier)
        else:
            self.current = chosen
            self.backend.switch(me.carrier, chosen.carrier)
        if self.over:
            raise Over

    def _give_up(self) -> None:
        """Nobody can go on."""
        self.over = True
        self.outcome.ending = "deadlock"
        self.outcome.blocked = describe_blocked(self.tasks, self.backend)

    def stop(self, ending: Ending, detail: str) -> NoReturn:
        """End the run here and now."""
        self.over = True
        self.outcome.ending, self.outcome.detail = ending, detail
        raise Over

    # Time.

    def _set_timer(self, task: Task, deadline: int) -> None:
        if not self.timers:
            self.ready.insert(0, self._clock)
        self.timers[task] = deadline

    def _drop_timer(self, task: Task) -> None:
        if self.timers.pop(task, None) is not None and not self.timers:
            self.ready.remove(self._clock)

    def deadline(self, timeout: float) -> int:
        """The virtual time that is `timeout` seconds from now."""
        return self.now + int(timeout * SECOND)
