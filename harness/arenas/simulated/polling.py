"""Where an interpreter with a global lock (GIL) can switch threads, read from the bytecode.

A thread gives up the lock when it polls the *eval breaker*. CPython 3.11 to 3.15 does that

* when a function is entered or goes on after a `yield` (``RESUME`` with an argument below 2);
* when it jumps backward (``JUMP_BACKWARD``, and the conditional backward jumps of 3.11, when taken), though
  not at ``JUMP_BACKWARD_NO_INTERRUPT``;
* after a call of a C function. Not after a call of a Python function: that polls when it is *entered*, and
  its ``return`` does not.

What is called is seldom known from the source, so a call counts as a poll only for a few builtins whose names
the module never binds. Everything that may touch what others see, from an attribute to the truth of a value,
counts as an access; what an instruction does that is not listed here is unknown, and unknown is an access.

A switch between two statements is possible if a poll lies between the last access before and the first
access after that place, on every path: then nobody can tell the difference. The answer errs in one direction.
``True`` means that such a switch is possible; ``False`` that it is not, or that this module cannot tell.
One thing is left out: a finaliser that runs when a variable is overwritten or a result is dropped.
"""

from __future__ import annotations

import ast
import dis
import re
from types import CodeType
from typing import TYPE_CHECKING, Literal, TypeAlias

from harness.arenas.simulated.sharing import bound_names, shared_names
from harness.arenas.simulated.site import Owner, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.arenas.simulated.site import Site

_Effect: TypeAlias = Literal["local", "poll", "access"]

POLLING_BUILTINS = frozenset({
    "getattr", "hasattr", "iter", "max", "min", "next", "print", "repr", "setattr", "sorted",
})  # fmt: skip
"""Builtins after whose call every interpreter polls. Not `len`, `isinstance` and the like, which have
instructions of their own that do not, nor `any` and `all`, which newer compilers turn into loops."""

_LOCAL = frozenset({
    "BUILD_LIST", "BUILD_TUPLE", "CACHE", "COPY", "COPY_FREE_VARS", "EXTENDED_ARG", "IS_OP", "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_FORWARD", "KW_NAMES", "LOAD_CLOSURE", "LOAD_COMMON_CONSTANT",
    "LOAD_CONST", "LOAD_SMALL_INT", "MAKE_CELL", "MAKE_FUNCTION", "NOP", "NOT_TAKEN", "POP_TOP", "PRECALL",
    "PUSH_NULL", "RETURN_GENERATOR", "SET_FUNCTION_ATTRIBUTE", "SWAP",
})  # fmt: skip
"""What touches nothing but the frame itself."""

_LOCAL_FAMILIES = re.compile(r"LOAD_FAST|STORE_FAST|POP_JUMP_.*NONE$")
"""The same, with all their variants and combinations."""

_NO_WAY_ON = frozenset({
    "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_FORWARD", "RAISE_VARARGS", "RERAISE", "RETURN_CONST",
    "RETURN_VALUE",
})  # fmt: skip

_TRUTH_IS_AN_ACCESS = "TO_BOOL" not in dis.opmap
"""Before 3.13 a conditional jump asks any object for its truth; since then it gets a `bool`."""

_AFTER_YIELD_FROM = 2
_RESUME_KIND = 3


class Polling:
    """The answers for one module, as it was written."""

    def __init__(self, code: CodeType, tree: ast.Module) -> None:
        """The code and the tree are of the same source, and the tree is unchanged."""
        calls, shared = frozenset(_polling_calls(tree)), shared_names(tree)
        self._flows = {
            Owner(each.co_name, each.co_firstlineno): _Flow(each, calls, shared) for each in _codes(code)
        }

    def can_switch(self, site: Site) -> bool:
        """Whether a GIL build surely can switch threads at this site."""
        flow = self._flows.get(site.owner)  # none if the compiler has dropped the function
        return flow is not None and flow.can_switch(site)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _polling_calls(tree: ast.Module) -> Iterator[Span]:
    bound = bound_names(tree)
    known = frozenset() if "*" in bound else POLLING_BUILTINS - bound
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            yield Span.of(node)


class _Flow:
    """The instructions of one function, and which can follow which."""

    def __init__(self, code: CodeType, calls: frozenset[Span], shared: frozenset[str]) -> None:
        self._instructions = tuple(dis.get_instructions(code))
        self._spans = _spans(self._instructions)
        self._effects = tuple(
            _effect(each, polls=span in calls, shared=shared)
            for each, span in zip(self._instructions, self._spans, strict=True)
        )
        numbers = {each.offset: number for number, each in enumerate(self._instructions)}
        self._after = [dict(self._successors(number, numbers)) for number in range(len(numbers))]
        self._before: list[dict[int, bool]] = [{} for _ in self._after]
        for number, after in enumerate(self._after):
            for successor, polls in after.items():
                self._before[successor][number] = polls
        self._handlers = {
            numbers[entry.target]: [numbers[each] for each in numbers if entry.start <= each < entry.end]
            for entry in dis.Bytecode(code).exception_entries  # type: ignore[attr-defined] # only typeshed lacks it
        }
        self._polled = self._fixpoint(self._is_polled)
        self._will_poll = self._fixpoint(self._is_going_to_poll)

    def can_switch(self, site: Site) -> bool:
        """Whether, on every path, a poll lies between the last access before and the next one after."""
        ways = [way for number in self._anchors(site) for way in self._ways(number, site)]
        return bool(ways) and all(ways)

    def _anchors(self, site: Site) -> Iterator[int]:
        """The instructions that may be the first after the site."""
        for number, span in enumerate(self._spans):
            if site.rmw:
                named = self._instructions[number].opname.startswith("STORE_")
                if named and site.part.covers(span):
                    yield number
            elif site.moment == "again":
                if site.statement.covers(span) and not site.part.covers(span):
                    yield number
            elif site.part.covers(span):
                yield number

    def _ways(self, number: int, site: Site) -> Iterator[bool]:
        """For each way that leads through the site to this instruction, whether there is a poll in time."""
        for source, polls in self._before[number].items():
            if self._crosses(source, site):
                yield polls or self._leaves_polled(self._polled, source) or self._will_poll[number]
        for source in self._handlers.get(number, ()):
            if self._crosses(source, site):
                yield self._will_poll[number]

    def _crosses(self, source: int, site: Site) -> bool:
        """Whether the site lies between this instruction and an anchor that follows it."""
        return site.rmw or site.part.covers(self._spans[source]) == (site.moment == "again")

    def _successors(self, number: int, numbers: dict[int, int]) -> Iterator[tuple[int, bool]]:
        """What may be executed next, and whether the way there polls."""
        instruction = self._instructions[number]
        if instruction.opname not in _NO_WAY_ON and number + 1 < len(numbers):
            yield number + 1, False
        if instruction.opcode in dis.hasjrel:
            name = instruction.opname
            yield numbers[instruction.argval], "BACKWARD" in name and "NO_INTERRUPT" not in name

    def _fixpoint(self, step: Callable[[list[bool], int], bool]) -> list[bool]:
        """The largest solution: what holds on all paths, loops included."""
        found = [True] * len(self._effects)
        while True:
            before = list(found)
            for number in range(len(found)):
                found[number] = step(found, number)
            if found == before:
                return found

    def _is_polled(self, found: list[bool], number: int) -> bool:
        """Whether there was a poll since the last access when this instruction begins."""
        ways = self._before[
            number
        ]  # none at the beginning, and after an exception, which may come from anywhere
        return bool(ways) and all(polls or self._leaves_polled(found, each) for each, polls in ways.items())

    def _leaves_polled(self, found: list[bool], number: int) -> bool:
        effect = self._effects[number]
        return effect == "poll" or (effect == "local" and found[number])

    def _is_going_to_poll(self, found: list[bool], number: int) -> bool:
        """Whether there is a poll before the next access when this instruction begins."""
        if self._effects[number] == "poll":
            # A call is an access before it is a poll.
            return self._instructions[number].opname == "RESUME"
        ways = self._after[number]
        return (
            self._effects[number] == "local"
            and bool(ways)
            and all(polls or found[each] for each, polls in ways.items())
        )


def _spans(instructions: tuple[dis.Instruction, ...]) -> tuple[Span, ...]:
    """Where each instruction comes from; one without a place has that of the one before."""
    spans = [Span((0, 0), (0, 0))]
    for each in instructions:
        place = each.positions
        if place is None or place.lineno is None or place.col_offset is None:
            spans.append(spans[-1])
        else:
            end = place.end_lineno or place.lineno, place.end_col_offset or 0
            spans.append(Span((place.lineno, place.col_offset), end))
    return tuple(spans[1:])


def _effect(instruction: dis.Instruction, *, polls: bool, shared: frozenset[str]) -> _Effect:
    """What an instruction does to, or for, other threads."""
    name = instruction.opname
    if name == "RESUME":
        return "poll" if (instruction.arg or 0) & _RESUME_KIND < _AFTER_YIELD_FROM else "local"
    if name.startswith("CALL") and polls:
        return "poll"
    if name in _LOCAL or _LOCAL_FAMILIES.match(name):
        return "local"
    if name == "LOAD_GLOBAL":
        return "access" if instruction.argval in shared else "local"
    if name in {"POP_JUMP_IF_FALSE", "POP_JUMP_IF_TRUE"} and not _TRUTH_IS_AN_ACCESS:
        return "local"
    return "access"
