"""Turns Python source into code with preemption points.

The simulated world runs this code on greenlets, the steered rung on real threads. A point is a call
``hook(n)``; what `n` stands for is in the table that comes with the code. How points are put in, and what
they do not cover, is said in `insertion`; where a build with a global lock could really switch, in `polling`.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.arenas.simulated.insertion import Insertion
from harness.arenas.simulated.polling import Polling
from harness.arenas.simulated.sharing import shared_names

if TYPE_CHECKING:
    from types import CodeType

    from harness.arenas.simulated.site import Moment, Site
    from harness.values.granularity import Granularity

_WIDTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place where a thread can be preempted.

    `line` counts from 1, `column` from 0 in UTF-8 bytes, both of the statement; `text` is its first line,
    shortened; `gil` says that a build with a global lock surely can switch threads here. False means that it
    cannot, or that this is not known. `file` is the module's, as far as it matters.
    """

    module: str
    file: str
    line: int
    column: int
    text: str
    moment: Moment
    gil: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrumented:
    """The code of a module, and its points: ``points[i]`` has the number ``first + i``."""

    code: CodeType
    points: tuple[Point, ...]


@lru_cache(maxsize=256)
def instrument(  # noqa: PLR0913 - a source, the three things it is known by, and two about its points
    source: str, *, filename: str, module: str, granularity: Granularity, hook: str, first: int = 1
) -> Instrumented:
    """Compile a module so that its functions call `hook` at each point.

    `hook` is looked up as a global name, in the module or among its builtins, and is called with the point's
    number; what it returns is ignored, what it raises comes out of the function. It may be a name that no
    source can spell, as ``@point``. Numbers begin with `first`, so that several modules can share one table;
    0 is left for "nowhere".

    The same arguments give the same object. Code at the granularity of synchronisation is unchanged.

    Raises:
        SyntaxError: the source does not compile.
        ValueError: the name of the hook would be mangled inside a class.
    """
    if hook.startswith("__") and not hook.endswith("__"):
        raise ValueError(f"the hook {hook!r} needs a name that does not change inside a class")
    code = _quietly(source, filename)
    if granularity == "synchronisation":
        return Instrumented(code=code, points=())
    tree = _quietly(source, filename, ast.PyCF_ONLY_AST)
    polling, shared = Polling(code, tree), shared_names(tree)
    insertion = Insertion(hook=hook, first=first, accesses=granularity == "access", shared=shared)
    changed = _quietly(insertion.visit(tree), filename)
    lines = source.encode().splitlines()
    file = filename.replace("\\", "/").rpartition("/lib/")[2] or filename
    points = (_point(site, module, file, lines, gil=polling.can_switch(site)) for site in insertion.sites)
    return Instrumented(code=changed, points=tuple(points))


def _quietly(source: str | ast.Module, filename: str, flags: int = 0) -> Any:  # noqa: ANN401 - depends on flags
    """Compile without a word: the compiler's warnings are for those who write the source, not for us."""
    with warnings.catch_warnings(action="ignore"):
        return compile(source, filename, "exec", flags, dont_inherit=True)


def _point(site: Site, module: str, file: str, lines: list[bytes], *, gil: bool) -> Point:
    line, column = site.statement.start
    text = _text(site, lines)
    return Point(
        module=module, file=file, line=line, column=column, text=text, moment=site.moment, gil=gil
    )  # fmt: skip


def _text(site: Site, lines: list[bytes]) -> str:
    """The first line of a statement, without what stands before it and, if it is short, all that follows."""
    (line, column), (last, end) = site.statement
    text = lines[line - 1][column : end if last == line else None].decode(errors="replace").strip()
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
