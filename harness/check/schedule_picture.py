"""Draws a schedule for a person: a column for every thread and process, the decisions marked.

Between decisions everybody does what they do by default, so most steps are only counted. Statements are named
by file and line; what they say stands below.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.values.course import Statement, Step

_AROUND: Final = 2  # steps before and after a decision that are shown
_MOST: Final = 12  # stretches of others' steps between two decisions
_WIDEST: Final = 26
_NARROWEST: Final = 10
_LINE: Final = 112

_Row: TypeAlias = "tuple[str, str, str]"
"""What stands at the left, whose column it is, and what is in the column."""


def draw_schedule(steps: Sequence[Step]) -> tuple[str, ...]:
    """The rows of the picture; none if there are no steps.

    A step that was decided on (by default another would have gone on) is marked with ``>``. Below the
    columns is the text of the statements that are shown.
    """
    if not steps:
        return ()
    shown = _shown(steps)
    rows = list(_rows(steps, shown))
    columns = list(dict.fromkeys(column for _, column, _ in rows))
    widest = max(len(cell) for _, _, cell in rows)
    fair = (_LINE - 10) // len(columns) - 3
    width = max(_NARROWEST, min(widest, _WIDEST, fair), *map(len, columns))
    lines = [_line("step", columns, width)]
    for left, column, cell in rows:
        lines.append(_line(left, [cell if each == column else "" for each in columns], width))
    return (*lines, *_legend(steps, shown))


def _line(left: str, cells: Iterable[str], width: int) -> str:
    return f"{left:>8} | {' | '.join(f'{_cut(cell, width):<{width}}' for cell in cells)}".rstrip(" |")


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def _shown(steps: Sequence[Step]) -> set[int]:
    """The places of the steps that are drawn one by one."""
    return {
        place
        for at, step in enumerate(steps)
        if step.chosen
        for place in range(at - _AROUND, at + _AROUND + 1)
    }


def _rows(steps: Sequence[Step], shown: set[int]) -> Iterator[_Row]:
    for visible, part in groupby(enumerate(steps), key=lambda each: each[0] in shown):
        stretches = [
            (role, list(stretch)) for role, stretch in groupby(part, key=lambda each: _column(each[1]))
        ]
        for role, stretch in stretches if visible else stretches[:_MOST]:
            if not visible and len(stretch) > 1:
                yield "", role, f"… {len(stretch)} steps"
                continue
            for at, step in stretch:
                yield f"{'> ' if step.chosen else ''}{at + 1}", role, _spelt(step)
        if not visible and (rest := stretches[_MOST:]):
            yield "", rest[0][0], f"… {sum(len(stretch) for _, stretch in rest)} of all in turns"


def _legend(steps: Sequence[Step], shown: set[int]) -> Iterator[str]:
    """What the statements say that are shown, in the order of their first appearance."""
    told = dict.fromkeys(
        step.statement for at, step in enumerate(steps) if at in shown and step.statement is not None
    )
    for each in told:
        yield f"{_named(each)}  {each.text}  ({each.file})"


def _named(statement: Statement) -> str:
    """A statement by its place."""
    moment = {"again": " again", "store": " stores"}.get(statement.moment, "")
    return f"{statement.file.rpartition('/')[2]}:{statement.line}{moment}"


def _column(step: Step) -> str:
    """Whose column a step stands in: a kill in that of its victim."""
    return step.role.removeprefix("kill ").split(" ")[0]


def _spelt(step: Step) -> str:
    match step.op:
        case "kill":
            return "is killed"
        case "gone":
            return "is gone"
        case "tick":
            return "the next timer goes off"
        case "go on":
            return "goes on" + (f" with {step.target}" if step.target else "")
        case _ if step.statement is not None:
            return _named(step.statement)
        case _:
            return step.op + (f" {step.target}" if step.target else "")
