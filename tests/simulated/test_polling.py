"""Where a GIL build can switch threads: the labels, held against what the interpreter really does.

An asynchronous exception is raised at the next poll of the eval breaker, as a request for the GIL is honoured
at the next poll. So ``-arm`` asks for one, in C and without a poll of its own, and ``+look`` counts, in the
same way, what was touched before it came. No thread, no clock and no luck are needed to see where the polls
are.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
import threading
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from harness.arenas.simulated.instrument import instrument
from harness.arenas.simulated.polling import POLLING_BUILTINS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.arenas.simulated.instrument import Point
    from harness.values.granularity import Granularity


class Polled(BaseException):
    """Raised where the eval breaker is polled."""


class Arm:
    """``-arm`` is 1, and `Polled` will be raised in this thread at the next poll."""

    __neg__ = staticmethod(
        partial(
            ctypes.pythonapi.PyThreadState_SetAsyncExc,
            ctypes.c_ulong(threading.get_ident()),
            ctypes.py_object(Polled),
        )
    )


def _looker() -> Any:  # noqa: ANN401 - only its operator is of interest
    """``+look`` and ``next(look)`` are the number of looks so far, and never false."""
    look = staticmethod(itertools.count(1).__next__)
    return type("Look", (), {"__pos__": look, "__next__": look})()


class Case(NamedTuple):
    """A function of `arm` and `look`, the text of the point, and the looks before the poll.

    `looks` is what it takes for a switch at the point to be possible. `knowable` says that the label has to
    agree with what was observed; otherwise it may be False although a switch was possible this time.
    """

    name: str
    source: str
    point: str
    looks: int = 0
    knowable: bool = True
    granularity: Granularity = "statement"


CASES = (
    Case("nothing between", "-arm\n+look", "+look"),
    Case("a local variable", "-arm\nx = y = 1\nx, y = y, x\n+look", "+look"),
    Case("before a local statement", "-arm\nx = 1\n+look", "x = 1"),
    Case("a condition", "-arm\nif look is None:\n    pass\n+look", "+look"),
    Case("entry", "def inner():\n    +look\n-arm\ninner()", "+look"),
    Case("entry when decorated", "@staticmethod\ndef inner():\n    +look\n-arm\ninner()", "+look"),
    Case("entry of a method", "class A:\n    def m(self):\n        +look\na = A()\n-arm\na.m()", "+look"),
    Case("entry with a cell", "def inner(x):\n    +look\n    return lambda: x\n-arm\ninner(1)", "+look"),
    Case("a return", "def inner():\n    -arm\ninner()\n+look", "+look"),
    Case("a call of Python", "def inner(x):\n    x = x\ninner(-arm)\n+look", "+look", knowable=False),
    Case("a method of C", "[].extend((-arm,))\n+look", "+look", knowable=False),
    Case("a list's append", "x = []\nx.append(-arm)\n+look", "+look", knowable=False),
    Case("a while's next look", "while +look:\n    -arm", "while +look: again", looks=1),
    Case("its last statement", "while +look:\n    -arm\n    x = 1", "x = 1", looks=1),
    Case("a for's next look", "for x in counter:\n    -arm\n    x = +look", "for x in counter: again", 1),
    Case("a continue", "for x in counter:\n    if x > 0:\n        +look\n    -arm\n    continue", "continue"),
    Case("an endless loop", "while True:\n    -arm\n    x = 1", "x = 1"),
    Case("a finally", "try:\n    -arm\nfinally:\n    +look", "+look"),
    Case("a finally after an error", "try:\n    [][-arm]\nfinally:\n    +look", "+look"),
    Case("a handler", "try:\n    [][-arm]\nexcept IndexError:\n    +look", "+look"),
    Case("a builtin on both ways", "if arm:\n    repr(-arm)\nelse:\n    repr(look)\n+look", "+look"),
    Case("a builtin on one way", "if arm:\n    -arm\nelse:\n    repr(look)\n+look", "+look"),
    Case("a builtin on one way before", "if arm:\n    -arm\nelse:\n    repr(look)\nx = 1\n+look", "+look"),
    Case("a poll on one way", "while True:\n    -arm\n    if look is None:\n        continue\n    +look",
         "if look is None:"),
    Case("a builtin that an error skips", "try:\n    [][-arm]\n    repr(1)\nfinally:\n    +look", "+look"),
    Case("a builtin is an access first", "-arm\nnext(look)", "next(look)"),
    Case("a builtin of another meaning", "def repr(x):\n    -arm\nrepr(1)\n+look", "+look"),
    Case("a builtin that is not the last", "repr(1) + (-arm).real.__str__()\n+look", "+look", knowable=False),
    Case("len", "len((-arm,))\n+look", "+look", knowable=False),
    Case("isinstance", "isinstance(-arm, int)\n+look", "+look", knowable=False),
)  # fmt: skip

BUILTINS = (
    "getattr(-arm, 'real')", "hasattr(-arm, 'real')", "iter((-arm,))", "max(-arm, 0)", "min(-arm, 0)",
    "next(counter, -arm)", "print(end='', flush=-arm < 0)", "repr(-arm)", "setattr(box, 'x', -arm)",
    "sorted((-arm,))", "x = max(-arm, 0)",
)  # fmt: skip


def _function(code: CodeType, counter: object, box: object) -> Callable[[object, object], object]:
    space: dict[str, Any] = {"counter": counter, "box": box}
    exec(code, space)  # noqa: S102 - the subject of this test is generated code
    made = space["program"]
    assert isinstance(made, FunctionType)
    return made


def _source(body: str) -> str:
    return "def program(arm, look):\n" + "".join(f"    {line}\n" for line in body.splitlines())


def _point(source: str, case: Case) -> Point:
    points = instrument(source, filename="f", module="m", granularity=case.granularity, hook="@point").points
    named = {f"{each.text} {each.moment}".replace(" before", ""): each for each in points}
    return named[case.point]


def _polled_in_time(case: Case, *, warm: int = 0) -> bool:
    """Run the code as it was written, and tell whether a poll came before one look too many."""
    program = _function(_plain(case.source), itertools.count(), SimpleNamespace())
    for _ in range(warm):
        program(1, 0)
    look = _looker()
    _run_until_polled(partial(program, Arm(), look))
    return bool(+look - 1 <= case.looks)


def _plain(source: str) -> CodeType:
    return compile(_source(source), "f", "exec", dont_inherit=True)


def _run_until_polled(program: Callable[[], object]) -> None:
    try:
        with suppress(IndexError):  # some cases are about errors
            program()
        for _ in (1, 2):
            pass
    except Polled:
        return
    pytest.fail("the eval breaker was not polled at all")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_label_says_only_what_the_interpreter_does(case: Case) -> None:
    """A point is labelled possible if, and unless calls hide it only if, there is a poll in time."""
    possible, observed = _point(_source(case.source), case).gil, _polled_in_time(case)
    assert observed >= possible
    assert possible == observed or not case.knowable


def test_some_switches_are_possible_and_some_are_not() -> None:
    """The table has both, so that neither answer could be given always."""
    assert {_polled_in_time(case) for case in CASES if case.knowable} == {True, False}


@pytest.mark.parametrize("call", BUILTINS)
@pytest.mark.parametrize("warm", [0, 200])
def test_the_builtins_that_are_said_to_poll_do(call: str, warm: int) -> None:
    """After them a switch is possible, also when the interpreter has specialised the call."""
    case = Case("", f"{call}\n+look", "+look")
    assert _point(_source(case.source), case).gil
    assert _polled_in_time(case, warm=warm)


def test_all_of_them_are_tried() -> None:
    """No builtin is in the list without a call here."""
    assert {call.removeprefix("x = ").partition("(")[0] for call in BUILTINS} == POLLING_BUILTINS


@pytest.mark.parametrize("name", sorted(POLLING_BUILTINS))
@pytest.mark.parametrize("binding", [
    "from somewhere import {}", "from somewhere import *", "def {}(x): ...", "for {} in (): ...",
    "class {}: ...",
    "def f({}): ...", "try: ...\nexcept ValueError as {}: ...", "match 1:\n    case {}: ...", "import {}.x",
    "match 1:\n    case [*{}]: ...", "match 1:\n    case {{**{}}}: ...", "match 1:\n    case [1 as {}]: ...",
])  # fmt: skip
def test_a_name_that_is_bound_anywhere_is_no_builtin(name: str, binding: str) -> None:
    """Whatever else a name may mean in a module, it is not taken for the builtin."""
    source = f"def program(arm, look):\n    {name}(arm)\n    +look\n"
    case = Case("", "", "+look")
    assert _point(source, case).gil
    assert not _point(f"{binding.format(name)}\n{source}", case).gil


STORES = (
    ("box.n += -arm", False),
    ("box.n = box.n + -arm", False),
    ("box.n = max(-arm, box.n)", True),
    ("box.d['x'] += -arm", False),
    ("box.d['x'] = max(-arm, box.n)", True),
    ("box.m.n = max(-arm, box.n)", True),
)


@pytest.mark.parametrize(("source", "possible"), STORES)
def test_a_switch_between_reading_and_writing_needs_a_call(source: str, possible: bool) -> None:  # noqa: FBT001 - a table
    """``self.n += 1`` is atomic under the lock, and what calls a builtin before it writes is not."""
    box = SimpleNamespace(n=5, d={"x": 5}, m=SimpleNamespace(n=5))
    before = repr(box)
    _run_until_polled(partial(_function(_plain(source), None, box), Arm(), None))
    assert (repr(box) == before) == possible
    store = Case("", source, f"{source} store", granularity="access")
    assert _point(_source(source), store).gil == possible


SHARED = "turn = 0\ndef other():\n    global turn\n    turn = 1\n"


def test_a_global_that_a_function_rebinds_is_an_access() -> None:
    """Reading such a name after the poll makes the switch before the next statement impossible."""
    source = "def program(arm, look):\n    repr(1)\n    if turn is None: pass\n    +look\n"
    assert _point(f"turn = 0\n{source}", Case("", "", "+look")).gil
    assert not _point(SHARED + source, Case("", "", "+look")).gil


def test_what_the_compiler_drops_is_not_possible() -> None:
    """A point at a statement that is not in the bytecode has nowhere to switch."""
    source = "def program(arm, look):\n    return 1\n    x = 1\n"
    assert _point(source, Case("", "", "return 1")).gil
    assert not _point(source, Case("", "", "x = 1")).gil


PAIR = """
def impossible(box):
    first = box.n
    second = box.n
    return first == second

def possible(box):
    first = box.n
    repr(None)
    second = box.n
    return first == second
"""
TURNS, ENOUGH = 5_000_000, 100_000


@pytest.fixture
def counting() -> Iterator[SimpleNamespace]:
    """An object whose `n` another thread changes all the time, at the smallest switch interval."""
    box, interval = SimpleNamespace(n=0, on=True), sys.getswitchinterval()

    def change() -> None:
        while box.on:
            box.n += 1

    thread = threading.Thread(target=change)
    sys.setswitchinterval(1e-6)
    thread.start()
    yield box
    box.on = False
    thread.join()
    sys.setswitchinterval(interval)


def _label(function: str) -> bool:
    """The label of the point before the second reading."""
    points = instrument(PAIR, filename="f", module="m", granularity="statement", hook="@point").points
    start = PAIR[: PAIR.index(f"def {function}")].count("\n") + 1
    return next(each.gil for each in points if each.line > start and each.text.startswith("second"))


def _pair(name: str) -> Callable[[object], bool]:
    space: dict[str, Any] = {}
    exec(PAIR, space)  # noqa: S102 - the subject of this test is generated code
    function: Callable[[object], bool] = space[name]
    return function


def test_real_threads_switch_where_it_is_possible(counting: SimpleNamespace) -> None:
    """At a point with the label, another thread was seen to get in between."""
    possible = _pair("possible")
    assert _label("possible")
    assert any(not possible(counting) for _ in range(TURNS))


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no lock")
def test_real_threads_never_switch_where_it_is_not(counting: SimpleNamespace) -> None:
    """At a point without it, however often the other thread had its turn elsewhere."""
    impossible = _pair("impossible")
    assert not _label("impossible")
    turns = itertools.takewhile(lambda _: counting.n < ENOUGH, range(TURNS))
    assert all(impossible(counting) for _ in turns)
    assert counting.n > 0
