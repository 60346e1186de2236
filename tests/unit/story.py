"""Histories written by hand: what a client called and heard, and what its tasks did in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from harness.values.history import Answered, Called, Event, Finished, History, Started
from harness.values.operation import Operation, Submit
from harness.values.outcome import Outcome, Raised, Returned, Submitted
from harness.values.program import Lane, Pool, Program, Script
from harness.values.subject import Kind, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

Line: TypeAlias = "tuple[Operation, Outcome | None] | Callable[[int], Event]"
"""A call with its outcome (None if it never returns), or an event that wants its stamp."""

YES, NO, NONE = Returned(value="True"), Returned(value="False"), Returned(value="None")


def submit(number: int) -> Line:
    """``f<number> = e0.submit(t<number>)``, accepted."""
    return Submit(executor="e0", future=f"f{number}", task=f"t{number}"), Submitted(is_future=True)


def starts(number: int) -> Line:
    """The task enters its body."""
    return lambda at: Started(at=at, task=f"t{number}", pid=1, thread=number)


def ends(number: int) -> Line:
    """The task leaves its body."""
    return lambda at: Finished(at=at, task=f"t{number}", pid=1)


def raised(error: type[BaseException], *, task: str | None = None, message: str = "") -> Raised:
    """What a call that raised this is described as."""
    bases = tuple(each.__name__ for each in error.__mro__[:-1])
    return Raised(error=error.__name__, bases=bases, task=task, message=message)


def story(*lines: Line, workers: int = 1) -> History:
    """The history of these lines, in this order, and of the beginning of the epilogue."""
    steps = [line[0] for line in lines if isinstance(line, tuple)]
    tasks = [Script(task=step.task, gates=("g0",)) for step in steps if isinstance(step, Submit)]
    program = Program(
        pools=(Pool(workers=workers),), tasks=tuple(tasks), lanes=(Lane(operations=tuple(steps)),)
    )
    events: list[Event] = []
    calls = 0
    for at, line in enumerate(lines, start=1):
        if isinstance(line, tuple):
            events.append(Called(at=10 * at, call=calls))
            if line[1] is not None:
                events.append(Answered(at=10 * at + 5, call=calls, outcome=line[1]))
            calls += 1
        else:
            events.append(line(10 * at))
    last = 10 * len(lines) + 10
    events += [Called(at=last, call=calls), Answered(at=last + 5, call=calls, outcome=NONE)]
    return History(program=program, events=tuple(events))


def an_executor(kind: Kind = "thread", name: str = "mine", prefetch: int = 0) -> Subject:
    """A subject of this kind."""
    return Subject(name=name, target=f"{name}:Pool", kind=kind, prefetch=prefetch)
