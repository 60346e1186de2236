"""The real arena: a program and a subject in, a history out, whatever the subject does."""

from __future__ import annotations

import contextlib
import json
import selectors
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from harness.arenas.real import evidence
from harness.arenas.real.custody import Child
from harness.arenas.real.gatehouse import Gatehouse
from harness.values.codec import decode_union
from harness.values.history import (
    Answered,
    Called,
    Event,
    Finished,
    Gone,
    History,
    Slow,
    Started,
    Stuck,
)
from harness.values.operation import AsCompleted, Drain, Map, Next
from harness.values.program import initializers_of, place_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness.arenas.real.journal import Journal
    from harness.values.program import Program
    from harness.values.subject import Subject


_STALLS = 3  # times as long as any silence that ended by itself
_POLLING = 0.2  # of a processor: more than a thread that polls needs, less than one that works
_SECOND = 1_000_000_000
# Of a call that goes on after its timeout: for how long that must be over, as a part of the time that makes a
# run slow; how much of the processor its thread then gets without coming back, and how soon, in seconds.
_OVERDUE = 0.25
_ENOUGH = 0.5
_WINDOW = 4.0
_LAST_WORDS = 200  # rounds; a puppet that never falls silent is not waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to look before a verdict, in seconds.

    `glance` between two looks that must agree; `settle` how long nothing may move before a wait of our own is
    given up; `hang` the same for a call of the subject; `slow` when a run that still moves is abandoned as
    inconclusive. With an `idle` limit, a run that only polls counts as still: nothing was heard so long, and
    its processes used less than a fifth of a processor. Only a second look has one, and the looks at an
    executor that such a look has shown to poll.
    """

    glance: float = 0.04
    settle: float = 0.12
    hang: float = 0.25
    slow: float = 8.0
    idle: float | None = None

    def longer(self, factor: float) -> Patience:
        """More of the same, for a second look at what was too slow to tell."""
        return Patience(
            glance=self.glance,
            settle=self.settle * factor,
            hang=self.hang * factor,
            slow=self.slow * factor,
            idle=self.slow,
        )


class SubjectError(Exception):
    """The subject cannot be imported or built at all; the message is one sentence."""


@dataclass(slots=True, kw_only=True)
class Spending:
    """Where the time went, in seconds."""

    running: float = 0.0
    stillness: float = 0.0


# How long nothing may move during a probe, in seconds, before and after the subject was built.
_STILL_UNBUILT = 5.0
_STILL_BUILT = 1.0


class RealArena:
    """Runs programs in a child that is kept from one to the next, and replaced when it is no longer clean."""

    def __init__(self, scratch: Path, journal: Journal, *, import_from: tuple[str, ...] = ()) -> None:
        """Prepare; the child is started when first needed.

        Args:
            scratch: A folder for the child's files of events, stacks and output.
            journal: Where the program in flight is written down.
            import_from: Extra folders for the child's imports.
        """
        self._scratch = scratch
        self._journal = journal
        self._import_from = import_from
        self._command: tuple[str, ...] = ("harness.arenas.real.launch",)
        self._selector = selectors.DefaultSelector()
        self._gatehouse = self._open_gatehouse()
        self._child: Child | None = None
        self._opens: dict[str, tuple[str, ...]] = {}  # the gates that tasks open by being in their bodies
        self._runs = 0
        self._pauses: dict[str, float] = {}  # by executor: the longest silence that ended, in seconds
        self._watch = _Watch(patience=Patience())
        self.spending = Spending()

    def __enter__(self) -> Self:
        """Nothing to do yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""
        self.close()

    def close(self) -> None:
        """End the child and all its offspring."""
        self._end_child()
        self._gatehouse.close()
        self._selector.close()

    def probe(self, target: str, patience: float = 30.0) -> dict[str, Any]:
        """Ask a fresh look at the subject: what it can do, as far as it survived being asked.

        Raises:
            SubjectError: it cannot be imported or built; the message is one sentence for the user.
        """
        child = self._ready_child()
        child.send({"do": "probe", "target": target})
        limit = time.monotonic() + patience
        watch = _Watch(patience=Patience(hang=_STILL_UNBUILT))
        known: dict[str, Any] | None = None
        done = False
        while not done and time.monotonic() < limit and child.exit_status() is None:
            for message in self._serve(watch.patience.glance):
                known, done = message, message["do"] == "done"
                watch = _Watch(patience=Patience(hang=_STILL_BUILT))
            if watch.is_still(child):
                break
        status = child.exit_status()
        for message in self._serve(0.0):  # what it said before it went
            known = message
        self._end_child()
        if known is None:
            what = "does not answer" if status is None else f"ends the process (status {status})"
            raise SubjectError(f"{target} {what} while it is imported or constructed")
        if known.get("trouble"):
            raise SubjectError(str(known["trouble"]))
        return known

    def run(self, subject: Subject, program: Program, patience: Patience) -> History:
        """Run one program.

        Raises:
            SubjectError: the subject's constructor fails.
        """
        return self._run(subject, program, patience, {})

    def _run(
        self, subject: Subject, program: Program, patience: Patience, more: dict[str, object]
    ) -> History:
        """Run one program; `more` is for the child."""
        begun = time.monotonic()
        child = self._ready_child()
        self._runs += 1
        run = f"r{self._runs}"
        text = program.to_json()
        self._journal.note(subject.target, text)
        child.forget_output()
        child.events.write_bytes(b"")
        self._gatehouse.begin(run)
        scripts = (*program.tasks, *initializers_of(program))
        self._opens = {script.task: script.opens for script in scripts}
        self._watch = _Watch(patience=patience, pause=self._pauses.get(subject.target, 0.0))
        child.send({
            "do": "run", "run": run, "target": subject.target, "program": text,
            "address": self._gatehouse.address, "key": self._gatehouse.key,
            "remote": subject.kind != "thread", **more,
        })  # fmt: skip
        ending, answer = self._attend(child, program)
        self._hear_the_rest()
        events = [*_read_events(child), *self._watch.events, *ending]
        pid = child.pid
        if answer is None or not answer["clean"]:
            self._end_child()
        self._pauses[subject.target] = self._watch.pause
        self.spending.running += time.monotonic() - begun
        self.spending.stillness += self._watch.stillness
        if answer is not None and answer.get("trouble"):
            raise SubjectError(f"{subject.target} cannot be built: {answer['trouble']}")
        return History(program=program, client=pid, events=tuple(sorted(events, key=lambda event: event.at)))

    def _attend(self, child: Child, program: Program) -> tuple[list[Event], dict[str, Any] | None]:
        """Serve the child until it is done, gone, stuck or too slow."""
        watch = self._watch
        limit = time.monotonic() + watch.patience.slow
        while True:
            for message in self._serve(watch.patience.glance):
                if message["do"] == "done":
                    return [], message
                self._obey(message)
                watch.moved()
            self._tend()
            status = child.exit_status()
            if status is not None:
                return [Gone(at=time.monotonic_ns(), status=status, output=child.read_output())], None
            if watch.is_still(child) and not self._has_something_to_read():
                if watch.turn is None:
                    return [Stuck(at=time.monotonic_ns(), stacks=self._stacks(child))], None
                child.send({"do": "give up", "turn": watch.turn})
                watch.begin()
            elif time.monotonic() > limit:
                if watch.turn is None and self._goes_on_after_its_timeout(child, program):
                    return [Stuck(at=time.monotonic_ns(), stacks=self._stacks(child), livelock=True)], None
                doing = "a call has not returned" if watch.turn is None else "the pool has not settled"
                return [Slow(at=time.monotonic_ns(), reason=f"{doing} after {watch.patience.slow:g} s")], None

    def _goes_on_after_its_timeout(self, child: Child, program: Program) -> bool:
        """Whether the client works on and on in a call whose timeout was over long ago: a livelock.

        A machine may be slow, but whoever has got half a second of it in which to come back had enough.
        """
        begun = _timed_call(_read_events(child), program)
        overdue = _OVERDUE * self._watch.patience.slow
        if begun is None or time.monotonic_ns() - begun[1] < overdue * _SECOND:
            return False
        before, limit = evidence.spent_by(child.pid), time.monotonic() + _WINDOW
        while evidence.spent_by(child.pid) - before < _ENOUGH:
            if self._serve(self._watch.patience.glance) or time.monotonic() > limit:
                return False
        return _timed_call(_read_events(child), program) == begun

    def _has_something_to_read(self) -> bool:
        """Whether somebody said something before all was still: a busy machine may let us read it late."""
        return bool(self._selector.select(0))

    def _hear_the_rest(self) -> None:
        """Read what puppets said before they ended: it is in the sockets, whoever sent it may be dead."""
        for _ in range(_LAST_WORDS):
            if not any(key.data is not None for key, _ in self._selector.select(0)):
                return
            self._serve(0)

    def _serve(self, timeout: float) -> list[dict[str, Any]]:
        """Wait for whatever comes next; the child's messages are returned, puppets are served here."""
        messages: list[dict[str, Any]] = []
        for key, _ in self._selector.select(timeout):
            if key.data is not None:
                key.data()
            elif self._child is not None and key.fileobj is self._child.line:
                messages += self._child.receive()
        return messages

    def _obey(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "waiting":
                self._watch.turn, self._watch.waiter = message["turn"], message["thread"]
            case "going on":
                self._watch.turn = None
            case "open":
                self._gatehouse.open(message["gate"])
            case _:
                raise AssertionError(message)

    def _tend(self) -> None:
        """Called again and again while a program runs."""

    def _open_gatehouse(self) -> Gatehouse:
        return Gatehouse(self._selector, self._hear_puppet, self._scratch)

    def _hear_puppet(self, message: dict[str, Any]) -> None:
        """A task in a worker process reports: note it, and tell the client."""
        task, pid, at = message["task"], message["pid"], message["at"]
        if message["do"] == "started":
            event: Event = Started(
                at=at, task=task, pid=pid, thread=message["thread"], intact=message["intact"],
                launched=message["launched"],
            )  # fmt: skip
            for gate in self._opens.get(task, ()):
                self._gatehouse.open(gate)
        else:
            event = Finished(at=at, task=task, pid=pid)
        self._watch.events.append(event)
        self._watch.moved()
        if self._child is not None:
            self._child.send({"do": message["do"], "task": task, "pid": pid})

    def _stacks(self, child: Child) -> str:
        """The stacks of all the child's threads, for the report."""
        child.ask_for_stacks()
        previous = ""
        for _ in range(20):
            self._serve(0.01)
            text = child.read_stacks()
            if text and text == previous:
                break
            previous = text
        return previous

    def _ready_child(self) -> Child:
        if self._child is not None and self._child.exit_status() is not None:
            self._end_child()
        if self._child is None:
            self._child = Child(self._scratch, keep_paths=self._import_from, command=self._command)
            self._selector.register(self._child.line, selectors.EVENT_READ, None)
            if self._child.pidfd is not None:
                self._selector.register(self._child.pidfd, selectors.EVENT_READ, _nothing)
        return self._child

    def _end_child(self) -> None:
        if self._child is not None:
            self._selector.unregister(self._child.line)
            if self._child.pidfd is not None:
                self._selector.unregister(self._child.pidfd)
            self._child.end()
            self._child = None
        self._gatehouse.hang_up()


class _Watch:
    """What one run's waiting knows: whether the child waits for us, and since when nothing moved."""

    def __init__(self, *, patience: Patience, pause: float = 0.0) -> None:
        self.patience = patience
        self.pause = pause  # the longest silence so far that ended by itself
        self.turn: int | None = None
        self.waiter = 0  # the thread of ours that waits, in the child or in one that it forked
        self.events: list[Event] = []
        self.stillness = 0.0
        self._written = 0  # bytes of the client's events
        self.begin()

    def begin(self) -> None:
        """Whatever was seen before does not count."""
        self._last: evidence.Look | None = None
        self._first: evidence.Look | None = None  # since something was heard
        self._since = self._heard = time.monotonic()

    def moved(self) -> None:
        """Something was heard."""
        self._end_pause(time.monotonic())
        self.begin()

    def _end_pause(self, now: float) -> None:
        self.pause = max(self.pause, now - self._heard)
        self._heard = now

    def is_still(self, child: Child) -> bool:
        """Whether nothing has moved for long enough; looks at most once a glance."""
        now = time.monotonic()
        if now - self._since < self.patience.glance:
            return False
        seen = evidence.look(child.pid, without=self.waiter if self.turn is not None else 0)
        self._first = self._first or seen
        if self._only_polls(child, seen, now):
            return True
        if self._last is None or not evidence.still(self._last, seen):
            self._last, self._since = seen, now
            return False
        window = self.patience.hang if self.turn is None else self.patience.settle
        if now - self._since < window:
            return False
        self.stillness += now - self._since
        return True

    def _only_polls(self, child: Child, seen: evidence.Look, now: float) -> bool:
        """Whether nothing was heard for so long, while hardly anything was done, that it is a hang, too.

        Much longer, that is, than this executor ever was silent before it went on: it may stall.
        """
        idle = self.patience.idle
        if idle is None or self._first is None:
            return False
        written = child.events.stat().st_size
        if written != self._written:  # its calls come back, though it has nothing to ask
            self._written, self._first = written, seen
            self._end_pause(now)
        if now - self._heard < max(idle, _STALLS * self.pause):
            return False
        self.stillness += now - self._heard
        return not seen.busy and seen.spent - self._first.spent < _POLLING * (now - self._heard)


def _nothing() -> None:
    """The child's end only has to wake the loop."""


def _timed_call(events: list[Event], program: Program) -> tuple[int, int] | None:
    """The call of the first lane that is open, if it has a timeout: its number, and when that is over."""
    called = [event for event in events if isinstance(event, Called) and not event.lane]
    ended = {event.call for event in events if isinstance(event, Answered) and not event.lane}
    steps = program.lanes[0].operations
    if (
        not called
        or called[-1].call in ended
        or called[-1].call >= len(steps)
        or place_of(program) is not None
    ):
        return None
    step = steps[called[-1].call]
    makers = {each.iterator: each for each in steps if isinstance(each, Map | AsCompleted)}
    maker = makers.get(step.iterator) if isinstance(step, Next | Drain) else step
    timeout = (
        None if isinstance(maker, Map | AsCompleted) and maker is step else getattr(maker, "timeout", None)
    )
    return None if timeout is None else (called[-1].call, called[-1].at + int(timeout * _SECOND))


def _read_events(child: Child) -> list[Event]:
    """The events the client wrote; a last line that a crash cut short is left out."""
    found: list[Event] = []
    for line in child.events.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError):
            if line:
                found.append(decode_union(Event, json.loads(line)))
    return found
