"""What a deadlock looks like: who waits for what, who has that, and where everybody stands."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from harness.arenas.simulated.backends import Backend
    from harness.arenas.simulated.tasks import Task

_OWN: Final = "arenas/simulated/"
_DEPTH: Final = 8  # innermost frames that are shown


def describe_blocked(tasks: Iterable[Task], backend: Backend) -> str:
    """One paragraph for each task that waits: for what, whose it is, and its stack, innermost line last."""
    return "\n\n".join(_describe(task, backend) for task in tasks if task.state in ("blocked", "lazy"))


def describe_livelock(tasks: Iterable[Task], circling: Container[Task], backend: Backend) -> str:
    """The same for each task that goes round in circles, and then for each that waits."""
    tasks = [task for task in tasks if task.state not in ("ended", "killed")]
    round_and_round = [task for task in tasks if task in circling]
    waiting = [task for task in tasks if task not in circling]
    return "\n\n".join(
        [_describe(task, backend, "goes round in circles") for task in round_and_round]
        + [_describe(task, backend) for task in waiting]
    )


def _describe(task: Task, backend: Backend, does: str = "waits") -> str:
    head = f"{task.role} {does} ({task.op}{f' of object {task.target}' if task.target else ''}){_whose(task)}"
    frame = backend.frame(task.carrier) or sys._getframe()  # noqa: SLF001 - only the last to stop has none yet
    lines = [
        f"  {each.filename.rpartition('/lib/')[2] or each.filename}:{each.lineno} in {each.name}: {each.line}"
        for each in carried(traceback.extract_stack(frame))
    ]
    return "\n".join([head, *lines[-_DEPTH:]])


def carried(stack: Sequence[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """The frames of the subject: what stands between the world's own first frame and its own last one.

    A real thread that carries a task begins in `threading`, and may still be there because it starts another.
    """
    own = [place for place, each in enumerate(stack) if _OWN in each.filename.replace("\\", "/")]
    return [stack[place] for place in range(own[0], own[-1]) if place not in own] if own else []


def _whose(task: Task) -> str:
    if task.state == "ready":
        return ""
    holder: Task | None = getattr(task.waits_for, "holder", None)
    if holder is None:
        return ""
    if holder.state in ("ended", "killed"):
        return f": {holder.role} had it, which {'was killed' if holder.state == 'killed' else 'has ended'}"
    return f": {'its own' if holder is task else holder.role + ' has it'}"
