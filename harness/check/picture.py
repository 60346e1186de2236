"""Draws a history for a person: a column for the client, one for every worker, time going down."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from harness.judge.case import Case
from harness.judge.spelling import answer, spell
from harness.values.history import CalledBack, Finished, Started
from harness.values.program import UNLOADABLE, UNPICKLABLE, Return, initializers_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.judge.case import Call
    from harness.values.history import History
    from harness.values.program import Pool, Script
    from harness.values.subject import Subject
    from harness.values.verdict import Witness

_WIDEST = 78

_Row: TypeAlias = tuple[int, str, str, str]
"""A stamp, the number of the call, what stands in the client's column, what in that of the workers."""

_ERRANDS = {
    "submit": "submits {} to its own executor",
    "shutdown": "shuts its own executor down, not waiting",
    "close": "shuts its own executor down, and waits",
}


def draw_picture(history: History, subject: Subject, witness: Witness) -> tuple[str, ...]:
    """The rows of the picture; the calls that the witness is about are marked with (!)."""
    case = Case(history, subject)
    rows: list[_Row] = []
    cut = False
    moments = [each.at for each in history.events if isinstance(each, Started | Finished | CalledBack)]
    for call in case.calls:
        if call.ours and call.index not in witness.calls:
            cut = True
            continue
        mark = " (!)" if call.index in witness.calls else ""
        number = call.number + ("*" if call.ours else "")
        rows += _call_rows(call, number, mark, moments)
    for event in history.events:
        match event:
            case Started(task=task):
                rows.append((event.at, "", "", f"{task} started{' (!)' if task in witness.tasks else ''}"))
            case Finished(task=task):
                rows.append((event.at, "", "", f"{task} finished"))
            case CalledBack(callback=callback, future=future):
                rows.append((event.at, "", f"    callback {callback} of {future} is called", ""))
            case _:
                pass
    rows.sort(key=lambda row: row[0])
    width = min(_WIDEST, max((len(row[2]) for row in rows), default=10))
    lines = [f"{'#':>4} | {'client':<{width}} | workers"]
    lines += [f"{number:>4} | {left[:_WIDEST]:<{width}} | {right}" for _, number, left, right in rows]
    lines += [f"     {_pool(pool)}" for pool in case.program.pools]
    scripts = (*initializers_of(case.program), *(task.script for task in case.tasks.values()))
    lines += [line for line in map(_script, scripts) if line]
    if cut or any("*" in row[1] for row in rows):
        lines.append("     * the epilogue of every program; the parts that show nothing are left out")
    return tuple(line.rstrip() for line in lines)


def _call_rows(call: Call, number: str, mark: str, moments: Iterable[int]) -> list[_Row]:
    """A row for a call; two, if between its beginning and its end something happened that has a row."""
    said = answer(call.outcome)
    if not said or not any(call.begin < at < call.end for at in moments):
        return [(call.begin, number, f"{spell(call.step)} {said}{mark}", "")]
    if call.outcome is None:
        return [(call.begin, number, f"{spell(call.step)} ... {said}{mark}", "")]
    return [
        (call.begin, number, f"{spell(call.step)} ...", ""),
        (call.end, "", f"    ... {said}{mark}", ""),
    ]


def _pool(pool: Pool) -> str:
    """What an executor is made with."""
    text = f"{pool.executor}: {pool.workers} worker{'s' if pool.workers > 1 else ''}"
    if pool.start is not None:
        text += f", started by {pool.start}"
    if pool.tasks_per_worker is not None:
        text += f", each for at most {pool.tasks_per_worker} task{'s' if pool.tasks_per_worker > 1 else ''}"
    if pool.initializer is not None:
        text += f", each calls {pool.initializer.task} first"
    return text


_ARGUMENTS = {UNPICKLABLE: "cannot be pickled", UNLOADABLE: "cannot be unpickled"}


def _script(script: Script) -> str:
    """What a task does, if that is worth a line."""
    parts = [f"waits at {', '.join(script.gates)}"] if script.gates else []
    parts += [_ERRANDS[script.errand].format(script.hands_in)] if script.errand else []
    parts += [f"opens {', '.join(script.opens)}"] if script.opens else []
    if script.argument:
        parts.append(
            "gets an argument that " + _ARGUMENTS.get(script.argument, f"has {script.argument} bytes")
        )
    ending = script.ending
    kind = type(ending).__name__.lower()
    detail = (
        getattr(ending, "error", None)
        or getattr(ending, "gift", None)
        or f"status {getattr(ending, 'status', '')}"
    )
    size = ending.size if isinstance(ending, Return) else 0
    if (kind, detail) != ("return", "parcel") or size:
        parts.append(f"ends with {kind} {detail}{f' of {size} bytes' if size else ''}")
    return f"     {script.task}: {', '.join(parts)}" if parts else ""
