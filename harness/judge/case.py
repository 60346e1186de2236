"""A history, looked at from every side the rules need: calls with their ends, tasks with bodies, deaths.

Everything here is by *interval*: "before" means that one thing had ended when the other began. What cannot
be ordered is not guessed; a rule whose premise rests on it is then not exercised.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from harness.judge.spelling import answer, spell
from harness.model.progress import Progress
from harness.values import operation as op
from harness.values.history import (
    Acted,
    Answered,
    Called,
    CalledBack,
    Entered,
    Finalised,
    Finished,
    Gone,
    History,
    Leftover,
    Logged,
    Quiet,
    Slow,
    Started,
    Stuck,
    Uncaught,
)
from harness.values.outcome import (
    Drained,
    Outcome,
    Raised,
    Returned,
    Skipped,
    Split,
    States,
    Struck,
    Submitted,
)
from harness.values.program import Exit, Pool, Raise, Return, Script, epilogue, first_number
from harness.values.verdict import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.values.subject import Subject

E = TypeVar("E")

FOREVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation as it happened. `end` is `FOREVER` if it never returned; `fair` if it had to return.

    `index` is its number in the whole program, `place` the one in its lane.
    """

    index: int
    place: int
    lane: int = 0
    step: op.Operation
    begin: int
    end: int
    outcome: Outcome | None
    thread: int = 0
    fair: bool = True
    ours: bool = False  # part of the epilogue

    @property
    def answered(self) -> bool:
        """Whether the call was made and came back."""
        return self.outcome is not None and not isinstance(self.outcome, Skipped)

    @property
    def number(self) -> str:
        """How a person counts it: from one, other lanes' with a letter in front."""
        return f"{chr(ord('a') + self.lane) if self.lane else ''}{self.place + 1}"

    @property
    def value(self) -> str:
        """What it returned, as described; nothing if it raised."""
        return self.outcome.value if isinstance(self.outcome, Returned) else ""


@dataclass(slots=True, kw_only=True)
class Task:
    """One task: its script, and the stamps at which it was seen to start and finish."""

    script: Script
    starts: list[Started] = field(default_factory=list)
    finishes: list[Finished] = field(default_factory=list)

    @property
    def began(self) -> int:
        """When the body was first entered."""
        return self.starts[0].at if self.starts else FOREVER

    @property
    def left(self) -> int:
        """When the body was first left."""
        return self.finishes[0].at if self.finishes else FOREVER

    def inside(self, begin: int, end: int) -> bool:
        """Whether the task was in its body during this whole interval, as far as it can be known."""
        return self.began < begin and end < self.left


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One future: the call that made it, its task, and all calls about it, in order."""

    name: str
    task: Task
    executor: str
    submitted: int  # when `submit` was called
    accepted: int  # when it had returned; another lane may have used the future before
    calls: tuple[Call, ...]
    waited: tuple[Call, ...]


class Case:
    """Everything the judge knows of one run."""

    def __init__(self, history: History, subject: Subject) -> None:
        """Sort the events out."""
        self.history = history
        self.subject = subject
        self.program = history.program
        self.pools: dict[str, Pool] = {pool.executor: pool for pool in self.program.pools}
        self.tasks = {script.task: Task(script=script) for script in self.program.tasks}
        self.beginnings = {
            pool.executor: Task(script=pool.initializer)
            for pool in self.program.pools
            if pool.initializer is not None
        }
        self._by_kind: dict[type, list[Any]] = {}
        for event in history.events:
            self._by_kind.setdefault(type(event), []).append(event)
        self.callbacks = self._events(CalledBack)
        self.entered = self._events(Entered)
        self.finalised = self._events(Finalised)
        self.acted = {event.task: event for event in self._events(Acted)}
        self.quiet = self._events(Quiet)
        self.logged = self._events(Logged)
        self.uncaught = self._events(Uncaught)
        self.leftovers = self._events(Leftover)
        self.gone = self._last(Gone)
        self.stuck = self._last(Stuck)
        self.slow = self._last(Slow)
        self._fill()
        self.calls = self._pair()
        self.tracks = {track.name: track for track in self._follow()}
        self.bare = tuple(  # a class that wants arguments cannot be made
            call.step.future
            for call in self.calls
            if isinstance(call.step, op.Fresh) and isinstance(call.outcome, Submitted)
        )

    def _events(self, kind: type[E]) -> list[E]:
        """All events of one kind, in order."""
        return self._by_kind.get(kind, [])

    def _last(self, kind: type[E]) -> E | None:
        """The last event of one kind, if there is any."""
        return self._events(kind)[-1] if kind in self._by_kind else None

    def _fill(self) -> None:
        """Give every task, and every initializer, the events of its body."""
        bodies = self.tasks | {task.script.task: task for task in self.beginnings.values()}
        for started in self._events(Started):
            if started.task in bodies:
                bodies[started.task].starts.append(started)
        for finished in self._events(Finished):
            if finished.task in bodies:
                bodies[finished.task].finishes.append(finished)

    def _pair(self) -> tuple[Call, ...]:
        """Bring the beginnings and ends of the calls together with the operations they are."""
        lanes = [lane.operations for lane in self.program.lanes]
        own = len(lanes[0])
        lanes[0] = (*lanes[0], *epilogue(self.program))
        numbers = [first_number(self.program, lane) for lane in range(len(lanes))]
        ended = {(event.lane, event.call): event for event in self._events(Answered)}
        found = []
        for event in self._events(Called):
            lane, place = event.lane, event.call
            step = lanes[lane][place]
            answer = ended.get((lane, place))
            found.append(
                Call(
                    index=numbers[lane] + place,
                    place=place,
                    lane=lane,
                    step=step,
                    begin=event.at,
                    end=answer.at if answer else FOREVER,
                    outcome=answer.outcome if answer else None,
                    thread=answer.thread if answer else 0,
                    ours=lane == 0 and place >= own,
                )
            )
        if len(ended) == len(found):
            return tuple(found)
        # A call that is open in the end had to return if it had to after all that other lanes did meanwhile.
        progress = Progress.of(self.program)
        for call in found:
            if call.answered or not isinstance(call.step, op.Result | op.Error):  # else nothing has ended
                progress.after(call.step)
            if isinstance(call.step, op.Submit) and isinstance(call.outcome, Raised):
                progress.refuse(call.step.task)
        return tuple(
            call if call.end < FOREVER else replace(call, fair=progress.returns(call.step)) for call in found
        )

    def _follow(self) -> Iterator[Track]:
        for call in self.calls:
            match call.step:
                case op.Submit(future=future, task=task, executor=executor) if not isinstance(
                    call.outcome, Raised
                ):
                    if call.answered:
                        yield self._track(future, task, executor, call.begin, call.end)
                case op.AddCallback(deed="submit", callback=callback, task=str(task), executor=str(executor)):
                    times = [each for each in self.callbacks if each.callback == callback]
                    made = times[0] if len(times) == 1 else None  # called twice, it made two futures
                    if made is not None and not made.trouble:
                        yield self._track(f"f.{callback}", task, executor, made.at, made.until)
                case op.Litter(litter=litter, task=task, executor=executor):
                    for event in self.finalised:
                        if event.litter == litter and not event.trouble:
                            yield self._track(f"f.{litter}", task, executor, event.since, event.at)
                case _:
                    pass
        yield from self._follow_errands()

    def _follow_errands(self) -> Iterator[Track]:
        """The futures that tasks have made."""
        for script in self.program.tasks:
            done = self.acted.get(script.task)
            if script.hands_in is not None and done is not None and not done.trouble:
                since = self.errand_begun(script.task)
                owner = self.owners[script.task]
                yield self._track(f"f.{script.task}", script.hands_in, owner, since, done.at)

    def errand_begun(self, task: str) -> int:
        """When a task turned to its executor."""
        return min((event.at for event in self.entered if event.callback == task), default=FOREVER)

    def _track(self, name: str, task: str, executor: str, submitted: int, accepted: int) -> Track:
        return Track(
            name=name,
            task=self.tasks[task],
            executor=executor,
            submitted=submitted,
            accepted=accepted,
            calls=tuple(self._about.get(name, ())),
            waited=tuple(self._about_several.get(name, ())),
        )

    def about(self, name: str) -> list[Call]:
        """The calls about one future that were made, in order, but for the one that made it."""
        return self._about.get(name, [])

    @functools.cached_property
    def calls_by_index(self) -> dict[int, Call]:
        """The calls by their number in the whole program."""
        return {call.index: call for call in self.calls}

    @functools.cached_property
    def _about(self) -> dict[str, list[Call]]:
        """The calls about each future that were made, but for the one that made it."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            name = getattr(call.step, "future", None)
            if (
                name is not None
                and not isinstance(call.step, op.Submit | op.Fresh)
                and not isinstance(call.outcome, Skipped)
            ):
                found.setdefault(name, []).append(call)
        return found

    @functools.cached_property
    def _about_several(self) -> dict[str, list[Call]]:
        """The calls to which each future was handed, perhaps among others."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            for name in dict.fromkeys(getattr(call.step, "futures", ())):
                found.setdefault(name, []).append(call)
        return found

    def steps_of(self, iterator: str) -> list[Call]:
        """The calls about an iterator, in order, but for the one that made it."""
        return self._steps_of.get(iterator, [])

    @functools.cached_property
    def _steps_of(self) -> dict[str, list[Call]]:
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            name = getattr(call.step, "iterator", None)
            if name is not None and not isinstance(call.step, op.Map | op.AsCompleted):
                found.setdefault(name, []).append(call)
        return found

    # Questions that several rules ask.

    def of(self, *kinds: type[op.Operation]) -> Iterator[Call]:
        """The calls of these kinds of operation that were made and came back."""
        if len(kinds) == 1:
            return (call for call in self._calls_of.get(kinds[0], ()) if call.answered)
        return (call for call in self.calls if isinstance(call.step, kinds) and call.answered)

    @functools.cached_property
    def _calls_of(self) -> dict[type[op.Operation], list[Call]]:
        """All calls by their kind, in order."""
        found: dict[type[op.Operation], list[Call]] = {}
        for call in self.calls:
            found.setdefault(type(call.step), []).append(call)
        return found

    def open_calls(self) -> list[Call]:
        """The calls that never returned, those of the first lane first; more than one if there are lanes."""
        return sorted((call for call in self.calls if call.end == FOREVER), key=lambda call: call.lane)

    def shutdowns(self, executor: str) -> list[Call]:
        """All calls that shut this executor down, in order, the open ones included."""
        return self._shutdowns.get(executor, [])

    @functools.cached_property
    def _shutdowns(self) -> dict[str, list[Call]]:
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            if isinstance(call.step, op.Shutdown | op.Leave):
                found.setdefault(call.step.executor, []).append(call)
        return found

    @functools.cached_property
    def starved(self) -> frozenset[int]:
        """The calls, by their index, that were made when no thread, or no process, could be started."""
        return frozenset(call.index + 1 for call in self.of(op.Starve))

    @functools.cached_property
    def _starved_submits(self) -> frozenset[int]:
        """When the submits began that were made at a limit."""
        return frozenset(call.begin for call in self.of(op.Submit) if call.index in self.starved)

    def may_fail_unstarted(self, track: Track) -> bool:
        """Whether a future may fail though its task never began: it cannot be sent, or nobody was there."""
        return track.task.script.argument < 0 or track.submitted in self._starved_submits

    @functools.cached_property
    def starved_since(self) -> int:
        """From when on a worker may be missing, because it could not be started."""
        return min((call.begin for call in self.of(op.Starve)), default=FOREVER)

    def forgotten_since(self, executor: str) -> int:
        """From when on the client may have no reference to an executor."""
        calls = [call.begin for call in self.of(op.Forget) if getattr(call.step, "executor", "") == executor]
        return min(calls, default=FOREVER)

    def shut_since(self, executor: str) -> int:
        """From when on a shutdown may have taken effect."""
        return self._shut_since[executor]

    @functools.cached_property
    def _shut_since(self) -> dict[str, int]:
        return {
            executor: min([
                self.shut_by_callback(executor), *(call.begin for call in self.shutdowns(executor))
            ])
            for executor in self.pools
        }  # fmt: skip

    def shut_by_callback(self, executor: str) -> int:
        """When a callback, or a task, first shut this executor down."""
        stamps = [FOREVER]
        for task, owner in self.owners.items():
            if owner == executor and self.tasks[task].script.errand in ("shutdown", "close"):
                stamps.append(self.errand_begun(task))
        for call in self.of(op.AddCallback):
            step = call.step
            if (
                isinstance(step, op.AddCallback)
                and step.deed in ("shutdown", "close")
                and step.executor == executor
            ):
                if step.deed == "close":  # the other one does not wait
                    stamps += [event.at for event in self.entered if event.callback == step.callback]
                stamps += [event.at for event in self.callbacks if event.callback == step.callback]
        return min(stamps)

    def cancelling_since(self, executor: str) -> int:
        """From when on queued futures may be cancelled by a shutdown."""
        return self._cancelling_since[executor]

    @functools.cached_property
    def _cancelling_since(self) -> dict[str, int]:
        found = dict.fromkeys(self.pools, FOREVER)
        for executor in self.pools:
            for call in self.shutdowns(executor):
                if getattr(call.step, "cancel_futures", False):
                    found[executor] = min(found[executor], call.begin)
        return found

    @functools.cached_property
    def deaths(self) -> dict[str, int]:
        """From when on workers of each executor may be dead, or the pool may be broken all the same."""
        found = {executor: min(since, self.interrupted[executor]) for executor, since in self.killed.items()}
        for track in self.tracks.values():
            executor, script = track.executor, track.task.script
            if script.strains and self.subject.kind != "thread" and executor in self._told_broken:
                since = track.submitted if script.argument < 0 else track.task.began
                found[executor] = min(found[executor], since)
        for executor in self._told_broken.intersection(found):  # perhaps by what could not be started
            found[executor] = min(found[executor], self.starved_since)
        return found

    @functools.cached_property
    def interrupted(self) -> dict[str, int]:
        """From when on workers of each executor may have been interrupted by a signal."""
        found = dict.fromkeys(self.pools, FOREVER)
        for call in self.calls:
            if isinstance(call.step, op.Interrupt) and self.struck(call) is not None:
                found[call.step.executor] = min(found[call.step.executor], call.begin)
        return found

    @staticmethod
    def struck(call: Call) -> int | None:
        """The process that a signal was sent to."""
        return call.outcome.pid if isinstance(call.outcome, Struck) else None

    @functools.cached_property
    def interrupted_tasks(self) -> set[str]:
        """The tasks to which the signal may have come: inside their bodies, or the next in that process."""
        found = set()
        for call in self.of(op.Interrupt):
            there = [
                (start.at, name)
                for name, task in self.tasks.items()
                for start in task.starts
                if start.pid == self.struck(call) and task.left > call.begin
            ]
            found |= {name for at, name in there if at < call.end}
            found |= {name for _, name in sorted(each for each in there if each[0] >= call.end)[:1]}
        return found

    @functools.cached_property
    def _told_broken(self) -> set[str]:
        """The executors of which some call was told that they are broken."""
        found = set()
        for call in self.calls:
            error = call.outcome.error if isinstance(call.outcome, Returned) else call.outcome
            error = error.end if isinstance(error, Drained) else error
            if isinstance(error, Raised) and error.breaks:
                name = getattr(call.step, "future", "")
                owner = self.tracks[name].executor if name in self.tracks else next(iter(self.pools))
                found.add(str(getattr(call.step, "executor", owner)))
        return found

    @functools.cached_property
    def killed(self) -> dict[str, int]:
        """From when on workers of each executor may be dead, or break it because their initializer fails."""
        found = dict.fromkeys(self.pools, FOREVER)
        for call in self.calls:
            struck = isinstance(call.outcome, Struck) and call.outcome.pid is not None
            if isinstance(call.step, op.Kill) and (struck or call.end == FOREVER):
                found[call.step.executor] = min(found[call.step.executor], call.begin)
        for name, executor in self.owners.items():
            task = self.tasks[name]
            if isinstance(task.script.ending, Exit):
                found[executor] = min(found[executor], task.began)
        for executor, beginning in self.beginnings.items():
            if not isinstance(beginning.script.ending, Return):
                found[executor] = min(found[executor], beginning.began)
        return found

    def raises_at_first(self, executor: str) -> bool:
        """Whether the initializer of an executor raises: then it breaks, and no worker need have died."""
        beginning = self.beginnings.get(executor)
        return beginning is not None and isinstance(beginning.script.ending, Raise)

    def may_stall(self, executor: str, at: int) -> bool:
        """Whether workers may stand at a closed gate of their initializer at some moment."""
        if executor not in self.beginnings:
            return False
        opened = {getattr(call.step, "gate", "") for call in self.of(op.Open) if call.begin < at}
        released = any(call.begin < at for call in self.of(op.Release))
        return not released and not opened.issuperset(self.beginnings[executor].script.gates)

    @functools.cached_property
    def owners(self) -> dict[str, str]:
        """Which executor each task was given to."""
        found: dict[str, str] = {}
        for call in self.calls:
            match call.step:
                case op.Submit(task=task, executor=executor) | op.Litter(task=task, executor=executor):
                    found[task] = executor
                case op.AddCallback(task=str(task), executor=str(executor)):
                    found[task] = executor
                case op.Map(tasks=tasks, executor=executor):
                    found.update(dict.fromkeys(tasks, executor))
                case _:
                    pass
        errands = [(script.task, script.hands_in) for script in self.program.tasks]
        found.update({other: found[task] for task, other in errands if other is not None and task in found})
        return found

    def held(self, executor: str, begin: int, end: int) -> list[str]:
        """The tasks of an executor that were in their bodies during the whole interval."""
        stamps, inside = self._bodies[executor]
        return [name for name in inside[bisect_left(stamps, begin)] if self.tasks[name].left > end]

    def all_held(self, executor: str, begin: int, end: int) -> bool:
        """Whether every worker was in the body of a task during the whole interval."""
        return len(self.held(executor, begin, end)) >= self.pools[executor].workers

    @functools.cached_property
    def _bodies(self) -> dict[str, tuple[list[int], list[tuple[str, ...]]]]:
        """For each executor: when tasks entered or left their bodies, and who was inside until then."""
        found = {}
        for executor in self.pools:
            mine = [name for name, owner in self.owners.items() if owner == executor]
            changes = [(self.tasks[name].began, name) for name in mine if self.tasks[name].starts]
            changes += [(self.tasks[name].left, name) for name in mine if self.tasks[name].finishes]
            changes.sort()
            inside: dict[str, None] = {}
            until: list[tuple[str, ...]] = [()]
            for stamp, name in changes:
                if stamp == self.tasks[name].began:
                    inside[name] = None
                else:
                    inside.pop(name, None)
                until.append(tuple(inside))
            found[executor] = ([stamp for stamp, _ in changes], until)
        return found

    @functools.cached_property
    def tasks_left(self) -> int:
        """How many tasks left their bodies."""
        return sum(task.left < FOREVER for task in self.tasks.values())

    @functools.cached_property
    def done_since(self) -> dict[str, int]:
        """From when on each future is proved to be done, by an answer that says so."""
        found = dict.fromkeys((*self.tracks, *self.bare), FOREVER)
        for call in self.calls:
            if call.answered:
                for name in proved_done(call):
                    if name in found:
                        found[name] = min(found[name], call.end)
        return found

    @functools.cached_property
    def cancelled_since(self) -> dict[str, int]:
        """From when on each future is proved to be cancelled by its client (``cancel()`` said True)."""
        found = dict.fromkeys((*self.tracks, *self.bare), FOREVER)
        for call in self.of(op.Cancel):
            name = getattr(call.step, "future", "")
            if call.value == "True" and name in found:
                found[name] = min(found[name], call.end)
        return found

    def worn_out(self, executor: str) -> bool:
        """Whether a worker has served as many tasks as one may, and another should be in its place."""
        limit = self.pools[executor].tasks_per_worker
        return limit is not None and max(self.served(executor).values(), default=0) >= limit

    def served(self, executor: str) -> Counter[int]:
        """How many tasks each process has begun for this executor."""
        mine = (name for name, owner in self.owners.items() if owner == executor)
        return Counter(start.pid for name in mine for start in self.tasks[name].starts)

    def short_of_workers(self, executor: str) -> bool:
        """Whether, as things were left, tasks were in their bodies, and others waited in vain for workers."""
        inside, queued = self._left_waiting(executor)
        return bool(queued) and 0 < len(inside) < self.pools[executor].workers

    def left_queued(self, executor: str) -> bool:
        """Whether, as things were left, tasks waited in vain for a worker."""
        return bool(self._left_waiting(executor)[1])

    def needs_workers(self, executor: str) -> bool:
        """Whether those in their bodies needed some of those that waited in vain for a worker."""
        inside, queued = self._left_waiting(executor)
        needed = {gate for track in inside for gate in track.task.script.gates}
        offered = {gate for track in queued for gate in track.task.script.opens}
        return not needed.isdisjoint(offered) and self.short_of_workers(executor)

    def _left_waiting(self, executor: str) -> tuple[list[Track], list[Track]]:
        """Who was left in its body, and who never got there.

        Of these nobody if they may have been cancelled, or lost with a worker.
        """
        mine = [track for track in self.tracks.values() if track.executor == executor]
        inside = [track for track in mine if track.task.starts and not track.task.finishes]
        if min(self.deaths[executor], self.cancelling_since(executor)) < FOREVER:
            return inside, []
        return inside, [
            track
            for track in mine
            if not track.task.starts
            and track.task.script.argument >= 0
            and self.cancelled_since[track.name] == FOREVER
        ]

    def left_by_exception(self, executor: str) -> str:
        """A task that ended with an exception meant to end its thread (`SystemExit`, …), if one did."""
        for name, owner in self.owners.items():
            task = self.tasks[name]
            leaving = getattr(task.script.ending, "error", "") in ("SystemExit", "KeyboardInterrupt")
            if owner == executor and leaving and task.left < FOREVER:
                return name
        return ""

    def stalled_callback(self) -> str:
        """What a callback, or a task, that was entered and never left was about to do."""
        for event in self.inside:
            if event.callback in self.tasks:
                return f"task: {self.tasks[event.callback].script.errand}"
            for call in self.of(op.AddCallback):
                if getattr(call.step, "callback", "") == event.callback:
                    return str(getattr(call.step, "deed", ""))
        return ""

    def waits_for_room(self) -> bool:
        """Whether a client, callback or task is in a `submit()` that may wait for room, perhaps for ever."""
        submitting = any(isinstance(call.step, op.Submit | op.Map) for call in self.open_calls())
        deed = self.stalled_callback()
        return "submit_may_block" in self.subject.capabilities and (
            submitting or deed.removeprefix("task: ") == "submit"
        )

    def stalled_finaliser(self) -> str:
        """A finaliser that was entered and never left, if there is one."""
        litter = {call.step.litter for call in self.calls if isinstance(call.step, op.Litter)}
        return next((event.callback for event in self.inside if event.callback in litter), "")

    @functools.cached_property
    def inside(self) -> list[Entered]:
        """The callbacks, finalisers and errands that were entered and never left."""
        left = {event.callback for event in self.callbacks} | {event.litter for event in self.finalised}
        left |= self.acted.keys()
        return [event for event in self.entered if event.callback not in left]

    @property
    def stops(self) -> bool:
        """Whether `cancel()` may be True for a task that runs."""
        return "cancels_running" in self.subject.capabilities

    def may_be_lost(self, executor: str, error: object) -> bool:
        """Whether an error may come from the death of a worker of a pool that does not break."""
        return (
            self.subject.death != "breaks"
            and self.killed[executor] < FOREVER
            and isinstance(error, Raised)
            and error.task is None
            and "CancelledError" not in error.bases
        )

    @property
    def exited(self) -> bool:
        """Whether the program is about the end of its process, and came to that by itself."""
        return self.gone is not None and bool(self.calls) and isinstance(self.calls[-1].step, op.End)

    def complete(self) -> bool:
        """Whether the run came to its end: nothing hung, crashed or was given up."""
        return self.gone is None and self.stuck is None and self.slow is None

    def say(self, call: Call) -> str:
        """A call and its answer, as evidence."""
        return f"#{call.number} {spell(call.step)} {answer(call.outcome)}"

    def witness(
        self, rule: str, text: str, *calls: Call, shape: str = "", timed: bool = False, **names: str
    ) -> Witness:
        """Evidence for one violation, from the calls involved."""
        evidence = "; ".join(self.say(call) for call in calls)
        return Witness(
            rule=rule,
            text=f"{text}: {evidence}" if evidence else text,
            calls=tuple(call.index for call in calls),
            futures=tuple(names[key] for key in names if key.startswith("future")),
            tasks=tuple(names[key] for key in names if key.startswith("task")),
            shape=shape,
            timed=timed,
        )


def proved_done(call: Call) -> tuple[str, ...]:  # noqa: PLR0911 - one table, a row for each kind of proof
    """The futures that a call's answer proves to be done."""
    step = call.step
    match step, call.outcome:
        case op.Result(future=name) | op.Error(future=name), outcome if not timed_out(outcome, None):
            return (name,)
        case op.Cancel(future=name) | op.Done(future=name) | op.Cancelled(future=name), Returned(
            value="True"
        ):
            return (name,)
        case op.Observe(future=name), States(seen=seen) if any(each[2] == "1" for each in seen):
            return (name,)
        case op.SetResult(future=name) | op.SetException(future=name), Returned():
            return (name,)
        case (op.Wait(), Split(done=names)) | (op.Drain(), Drained(items=names)):
            return names
        case op.Next(), Returned(value=value):
            return (value,)
        case _:
            return ()


def timed_out(outcome: Outcome | None, task: str | None) -> bool:
    """Whether a read ended at its timeout (and not with a `TimeoutError` that the task itself raised)."""
    return (
        isinstance(outcome, Raised)
        and "TimeoutError" in outcome.bases
        and (outcome.task is None or (task is not None and outcome.task != task))
    )
