"""Which expressions can touch what another thread sees, read from the syntax tree."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.While | ast.For | ast.AsyncFor

_ACCESSES = (ast.Attribute, ast.Subscript, ast.MatchClass, ast.MatchMapping, ast.MatchSequence)


def shared_names(tree: ast.AST) -> frozenset[str]:
    """The variables that some function declares `global` or `nonlocal`: it may rebind them for others."""
    return frozenset(
        name for node in ast.walk(tree) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names
    )


def bound_names(tree: ast.AST) -> frozenset[str]:
    """Every name that is given a value anywhere in a module; ``*`` if any name may be."""
    return frozenset(name for node in ast.walk(tree) for name in _binds(node))


def _binds(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=other):
            yield other or name.partition(".")[0]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case _:
            pass


def evaluated(statement: ast.stmt) -> list[ast.AST]:  # noqa: PLR0911 - a table, one row for each kind
    """The parts that a statement evaluates itself: of a compound one the header, never the blocks.

    Annotations of variables are left out, since functions do not evaluate them.
    """
    match statement:
        case ast.If(test=test) | ast.While(test=test):
            return [test]
        case ast.For(target=target, iter=source) | ast.AsyncFor(target=target, iter=source):
            return [target, source]
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return [*items]
        case ast.Match(subject=subject, cases=cases):
            return [subject, *(part for case in cases for part in (case.pattern, case.guard) if part)]
        case (
            ast.FunctionDef(decorator_list=decorators, args=args)
            | ast.AsyncFunctionDef(decorator_list=decorators, args=args)
        ):
            return [*decorators, *args.defaults, *(each for each in args.kw_defaults if each)]
        case ast.ClassDef(decorator_list=decorators, bases=bases, keywords=keywords):
            return [*decorators, *bases, *keywords]
        case ast.AnnAssign(target=target, value=value):
            return [target, value] if value else []
        case ast.Try() | ast.TryStar():
            return []
        case _:
            return [statement]


def touches(nodes: Iterable[ast.AST], shared: frozenset[str]) -> bool:
    """Whether evaluating these nodes reads, writes or deletes an attribute, a subscript or a shared name."""
    return any(_touches(node, shared) for node in nodes)


def _touches(node: ast.AST, shared: frozenset[str]) -> bool:
    if isinstance(node, _ACCESSES) or (isinstance(node, ast.Name) and node.id in shared):
        return True
    # What a lambda does, it does when it is called.
    inner = _defaults(node.args) if isinstance(node, ast.Lambda) else ast.iter_child_nodes(node)
    return touches(inner, shared)


def _defaults(args: ast.arguments) -> Iterator[ast.AST]:
    yield from args.defaults
    yield from (each for each in args.kw_defaults if each)
