"""Puts preemption points into a syntax tree.

A point is a statement ``HOOK(n)``. It stands before statements, never inside an expression: what an
expression reads and writes is one step, and so is what happens between two items of a `with`. Only functions
get points; module and class bodies run at import, where there is one thread.

Statements that do nothing to others get none: `pass`, `break`, `global`, `nonlocal`, a constant, and `try`,
whose body begins with a point of its own. Loops look at their condition or iterator again and again, so each
turn ends with a point, and `continue` has one. Not covered: the moment in which the classes of an `except` or
the `__exit__` of a `with` are looked up, and what the operators of one expression do one after the other.

At the granularity of accesses, a statement that reads and then writes what is shared is taken apart::

    self.n += f()       @owner = @value = None
                        try:
                            @owner = self
                            @value = @owner.n
                            @value += f()
                            HOOK(n)
                            @owner.n = @value
                        finally:
                            del @owner, @value

Order of evaluation, in-place operators, lines and lifetimes are those of the original; the names cannot
clash, for no source can spell them. Augmented assignments to slices stay whole.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeVar

from harness.arenas.simulated.sharing import Function, Loop, evaluated, touches
from harness.arenas.simulated.site import Owner, Site, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.site import Moment

_Node = TypeVar("_Node", bound=ast.AST)

_LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_IDLE = (ast.Pass, ast.Break, ast.Global, ast.Nonlocal, ast.Try, ast.TryStar)


class Insertion(ast.NodeTransformer):
    """Visits a module once, changes it in place, and keeps the sites of the points in their order."""

    def __init__(self, *, hook: str, first: int, accesses: bool, shared: frozenset[str]) -> None:
        """The points call `hook` with numbers from `first`; with `accesses`, fewer and finer ones."""
        self._hook = hook
        self._first = first
        self._accesses = accesses
        self._shared = shared
        self._owner: Owner | None = None
        self._rereads = False  # the innermost loop looks at something again before its next turn
        self.sites: list[Site] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """A function has points, whatever it is in."""
        self._function(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        """So has a coroutine."""
        self._function(node)
        return node

    def _function(self, node: Function) -> None:
        outer, self._owner = self._owner, Owner.of(node)
        node.body = self._block(node.body)  # a docstring stays the first: there is no point before a constant
        self._owner = outer

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [each for statement in body for each in self._statement(statement)]

    def _statement(self, statement: ast.stmt) -> list[ast.stmt]:
        before = [self._point("before", statement, Span.of(statement))] if self._stops(statement) else []
        if isinstance(statement, Function | ast.ClassDef):
            self.visit(statement)
        elif isinstance(statement, Loop):
            self._loop(statement)
        else:
            self._blocks(statement)
        return [*before, *self._parts(statement)]

    def _stops(self, statement: ast.stmt) -> bool:
        """Whether there is a point before this statement."""
        if isinstance(statement, ast.Continue):
            return self._rereads
        if isinstance(statement, _IDLE) or _is_constant(statement):
            return False
        return not self._accesses or touches(evaluated(statement), self._shared)

    def _blocks(self, statement: ast.stmt) -> None:
        """Go into the blocks of a compound statement that is no loop."""
        for part in (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            for name in ("body", "orelse", "finalbody"):
                if hasattr(part, name):
                    setattr(part, name, self._block(getattr(part, name)))

    def _loop(self, loop: Loop) -> None:
        outer, self._rereads = self._rereads, self._looks_again(loop)
        body = Span.of(loop.body[0], loop.body[-1])
        falls_through = not isinstance(loop.body[-1], _LEAVES)
        loop.body = self._block(loop.body)
        if self._rereads and falls_through:
            loop.body.append(self._point("again", loop, body))
        self._rereads = outer
        loop.orelse = self._block(loop.orelse)

    def _looks_again(self, loop: Loop) -> bool:
        """Whether something that others may change is looked at between two turns.

        ``while True`` looks at nothing; it gets the point only if its turns would otherwise have none.
        """
        if self._accesses:
            return touches(evaluated(loop), self._shared)
        endless = isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant)
        return not (endless and any(map(self._stops, loop.body)))

    def _parts(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statement, taken apart if it reads and writes what is shared."""
        if not self._accesses:
            return [statement]
        match statement:
            case ast.AugAssign(target=target) if self._touches(target) and not _is_slice(target):
                return self._augmented(statement)
            case ast.Assign(value=value, targets=targets) if self._touches(value) and self._touches(*targets):
                return self._assigned(statement, targets)
            case ast.AnnAssign(value=ast.expr() as value, target=target) if self._touches(
                value
            ) and self._touches(target):
                return self._assigned(statement, [target])
            case _:
                return [statement]

    def _touches(self, *nodes: ast.AST) -> bool:
        return touches(nodes, self._shared)

    def _assigned(self, statement: ast.Assign | ast.AnnAssign, targets: Sequence[ast.expr]) -> list[ast.stmt]:
        """``target = value`` in two steps."""
        assert statement.value is not None  # noqa: S101 - the caller has looked
        value = _set("@value", statement.value)
        statement.value = _like(_load("@value"), statement.value)
        point = self._point("store", statement, Span.of(targets[0], targets[-1]))
        return _scoped(statement, ["@value"], [value, point, statement])

    def _augmented(self, statement: ast.AugAssign) -> list[ast.stmt]:
        """``target += value`` in two steps."""
        target = statement.target
        kept, load, store = _twice(target)
        steps: list[ast.stmt] = [*kept, _set("@value", load)]
        steps.append(
            ast.AugAssign(target=_like(_store("@value"), target), op=statement.op, value=statement.value)
        )
        steps.append(self._point("store", statement, Span.of(target), rmw=True))
        steps.append(ast.Assign(targets=[store], value=_like(_load("@value"), target)))
        names = [name for each in kept for name in _targets(each)]
        return _scoped(statement, [*names, "@value"], steps)

    def _point(self, moment: Moment, statement: ast.stmt, part: Span, *, rmw: bool = False) -> ast.stmt:
        assert self._owner is not None  # noqa: S101 - only functions have blocks that are gone through
        number = self._first + len(self.sites)
        self.sites.append(
            Site(owner=self._owner, moment=moment, statement=Span.of(statement), part=part, rmw=rmw)
        )
        call = ast.Call(func=_load(self._hook), args=[ast.Constant(number)], keywords=[])
        return _like(ast.Expr(call), statement)


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_slice(target: ast.expr) -> bool:
    """Whether the subscript is no expression that could be kept in a variable."""
    return isinstance(target, ast.Subscript) and any(
        isinstance(node, ast.Slice) for node in ast.walk(target.slice)
    )


def _like(node: _Node, old: ast.AST) -> _Node:
    """A new node at the place of an old one, with all that is below it."""
    return ast.fix_missing_locations(ast.copy_location(node, old))


def _load(name: str) -> ast.Name:
    return ast.Name(id=name, ctx=ast.Load())


def _store(name: str) -> ast.Name:
    return ast.Name(id=name, ctx=ast.Store())


def _set(name: str, value: ast.expr) -> ast.Assign:
    return _like(ast.Assign(targets=[_store(name)], value=value), value)


def _targets(statement: ast.Assign) -> list[str]:
    return [target.id for target in statement.targets if isinstance(target, ast.Name)]


def _twice(target: ast.Name | ast.Attribute | ast.Subscript) -> tuple[list[ast.Assign], ast.expr, ast.expr]:
    """What to keep of a target, so that it can be read and then written; the reading; the writing."""
    match target:
        case ast.Name(id=name):
            return [], _like(_load(name), target), _like(_store(name), target)
        case ast.Attribute(value=owner, attr=attr):
            kept = [_set("@owner", owner)]
            load: ast.expr = ast.Attribute(value=_like(_load("@owner"), owner), attr=attr, ctx=ast.Load())
            store: ast.expr = ast.Attribute(value=_like(_load("@owner"), owner), attr=attr, ctx=ast.Store())
        case ast.Subscript(value=owner, slice=key):
            kept = [_set("@owner", owner), _set("@key", key)]
            load, store = (
                ast.Subscript(value=_like(_load("@owner"), owner), slice=_like(_load("@key"), key), ctx=ctx)
                for ctx in (ast.Load(), ast.Store())
            )
    return kept, _like(load, target), _like(store, target)


def _scoped(statement: ast.stmt, names: list[str], steps: list[ast.stmt]) -> list[ast.stmt]:
    """Steps that use names of ours, which hold nothing afterwards however the steps end."""
    nothing = ast.Assign(targets=[_store(name) for name in names], value=ast.Constant(None))
    forget = ast.Delete(targets=[ast.Name(id=name, ctx=ast.Del()) for name in names])
    scope = ast.Try(body=[_like(step, statement) if step is not statement else step for step in steps],
                    handlers=[], orelse=[], finalbody=[_like(forget, statement)])  # fmt: skip
    return [_like(nothing, statement), _like(scope, statement)]
