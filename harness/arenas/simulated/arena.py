"""The simulated arena: a program and a subject in; what it does under many schedules out."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from harness.arenas.real.custody import Child
from harness.values.codec import decode, decode_union, encode
from harness.values.course import Course, Observation, Step
from harness.values.history import Event, History

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.arenas.real.journal import Journal
    from harness.arenas.simulated.plan import Plan
    from harness.values.program import Program
    from harness.values.subject import Subject

_Message: TypeAlias = "dict[str, Any]"

_HOST: Final = "harness.arenas.simulated.host"
_GLANCE: Final = 0.2  # seconds between two looks at whether the child is still there
_LONGEST: Final = 10.0  # seconds without a sign of life; a run has thousands of steps, a second at most


class RefusedError(Exception):
    """The simulated world cannot control this subject; the message is one sentence that says why."""


@dataclass(slots=True, kw_only=True)
class Effort:
    """What was run.

    Of the `schedules`, so many were `distinct` (no two had the same steps), in so many `classes` (the order
    of steps on each object), and showed so many different `histories`; all counted for each program apart.
    `exhausted` counts the programs all of whose schedules, within bounds, were run.
    """

    schedules: int = 0
    distinct: int = 0
    classes: int = 0
    histories: int = 0
    exhausted: int = 0


class SimulatedArena:
    """Runs programs in a child that holds simulated worlds, and is replaced when one gets out of hand."""

    def __init__(
        self, scratch: Path, journal: Journal, *, import_from: tuple[str, ...] = (), backend: str = ""
    ) -> None:
        """Prepare; the child is started when first needed.

        Args:
            scratch: A folder for the child's files.
            journal: Where the program in flight is written down.
            import_from: Extra folders for the child's imports.
            backend: What carries simulated threads: ``greenlets``, ``threads``, or the best there is.
        """
        self._scratch = scratch
        self._journal = journal
        self._import_from = import_from
        self._backend = backend
        self._child: Child | None = None
        self._selector = selectors.DefaultSelector()
        self._busy = False

    def __enter__(self) -> Self:
        """Nothing to do yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""
        self.close()

    def close(self) -> None:
        """End the child."""
        self._end_child()
        self._selector.close()

    def explore(
        self, subject: Subject, program: Program, plan: Plan, effort: Effort | None = None
    ) -> Iterator[Observation]:
        """Run a program as planned; what comes is judged while the child goes on.

        Whoever has seen enough closes the iterator. What was run is added to the `effort`.

        Raises:
            RefusedError: the world cannot control the subject.
        """
        if subject.kind == "interpreter":
            raise RefusedError("a world has one interpreter, and this executor makes more of them")
        effort = effort if effort is not None else Effort()
        child = self._ready_child()
        text = program.to_json()
        self._journal.note(subject.target, text)
        child.send({
            "do": "explore", "target": subject.target, "program": text, "plan": encode(plan),
            "backend": self._backend,
        })  # fmt: skip
        self._busy = True
        messages = self._messages(child, effort)
        try:
            for message in messages:
                match message["do"]:
                    case "seen":
                        yield _observation(program, message)
                    case "refused":
                        raise RefusedError(str(message["reason"]))
                    case "lost":
                        yield Observation(History(program=program), doubt=str(message["reason"]))
                    case _:
                        pass
        finally:
            if self._busy:
                child.send({"do": "enough"})
                for _ in messages:  # the same: it may have received more than it gave out
                    pass

    def _messages(self, child: Child, effort: Effort) -> Iterator[_Message]:
        """What the child says, until it has done what it was asked for, or cannot any more."""
        limit = time.monotonic() + _LONGEST
        while self._busy:
            readable = {key.fileobj for key, _ in self._selector.select(_GLANCE)}
            status = child.exit_status()
            messages = child.receive() if child.line in readable else []
            for message in messages:
                if message["do"] in ("explored", "refused"):
                    self._busy = False
                    _add(effort, message)
                yield message
            if messages:  # whatever took so long, it was not the child
                limit = time.monotonic() + _LONGEST
            elif status is not None:
                yield self._lose(f"it ended the process that held the simulated world (status {status})")
            elif time.monotonic() > limit:
                yield self._lose(f"too slow to tell: no run came to an end for {_LONGEST:g} s")

    def _lose(self, reason: str) -> _Message:
        """The child is of no more use."""
        self._busy = False
        self._end_child()
        return {"do": "lost", "reason": reason}

    def _ready_child(self) -> Child:
        if self._child is not None and (self._busy or self._child.exit_status() is not None):
            self._end_child()
        if self._child is None:
            self._child = Child(self._scratch, command=(_HOST,), keep_paths=self._import_from)
            self._selector.register(self._child.line, selectors.EVENT_READ)
            if self._child.pidfd is not None:
                self._selector.register(self._child.pidfd, selectors.EVENT_READ)
        return self._child

    def _end_child(self) -> None:
        if self._child is not None:
            self._selector.unregister(self._child.line)
            if self._child.pidfd is not None:
                self._selector.unregister(self._child.pidfd)
            self._child.end()
            self._child = None


def _observation(program: Program, message: _Message) -> Observation:
    events = tuple(decode_union(Event, each) for each in message["events"])
    return Observation(
        history=History(program=program, client=message["client"], events=events, exact=message["exact"]),
        course=decode(Course, message["course"]),
        doubt=message["doubt"],
        steps=tuple(decode(Step, each) for each in message.get("steps", ())),
    )


def _add(effort: Effort, message: _Message) -> None:
    if message["do"] == "explored":
        effort.schedules += message["schedules"]
        effort.distinct += message["distinct"]
        effort.classes += message["classes"]
        effort.histories += message["histories"]
        effort.exhausted += message["exhausted"]
