"""Places in source text, as the syntax tree and the bytecode both know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import ast

Moment: TypeAlias = Literal["before", "again", "store"]
"""When a point is passed, seen from its statement.

``before`` it begins; ``again``, before a loop looks at its condition or its iterator once more; ``store``,
when a statement has computed what it writes and has not written it yet.
"""

Position: TypeAlias = tuple[int, int]
"""Line, counted from 1, and column, in UTF-8 bytes from 0."""


class Span(NamedTuple):
    """A stretch of source text, the end not included."""

    start: Position
    end: Position

    @classmethod
    def of(cls, first: ast.stmt | ast.expr, last: ast.stmt | ast.expr | None = None) -> Span:
        """From the beginning of a node to its end, or to that of another."""
        last = last or first
        return cls(
            (first.lineno, first.col_offset), (last.end_lineno or last.lineno, last.end_col_offset or 0)
        )

    def covers(self, other: Span) -> bool:
        """Whether the other one lies within this one."""
        return self.start <= other.start and other.end <= self.end


class Owner(NamedTuple):
    """The function a statement belongs to, under the name and first line of its code object."""

    name: str
    line: int

    @classmethod
    def of(cls, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Owner:
        """A decorated function begins at its first decorator."""
        return cls(node.name, min(each.lineno for each in (node, *node.decorator_list)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a point was put.

    `part` is the statement itself for ``before``, the body of the loop for ``again``, and the targets that
    are about to be written for ``store``; `rmw` says that the statement reads them first, as ``+=`` does.
    """

    owner: Owner
    moment: Moment
    statement: Span
    part: Span
    rmw: bool = False
