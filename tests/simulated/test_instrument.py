"""Instrumented code does what the original does, on the same lines; the points are where they should be."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arenas.simulated.instrument import Instrumented, instrument

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.values.granularity import Granularity

FINE: tuple[Granularity, ...] = ("statement", "access")


def _instrument(source: str, granularity: Granularity = "statement", first: int = 1) -> Instrumented:
    return instrument(
        source, filename="subject.py", module="subject", granularity=granularity, hook="@point", first=first
    )


def _run(source: str, granularity: Granularity, hook: Callable[[int], object]) -> object:
    """What ``program()`` of this module returns."""
    space: dict[str, Any] = {"__name__": "subject", "@point": hook}
    exec(_instrument(dedent(source), granularity).code, space)  # noqa: S102 - the subject is generated code
    return space["program"]()


SNIPPETS = {
    "docstring and future": '''
        """Module."""
        from __future__ import annotations
        class A:
            """Class."""
            x: Undefined = 1
            def f(self) -> Undefined:
                """Function."""
        def g():
            "Only this."
        def h(): ...
        def program():
            "Doc."
            docs = __doc__, A.__doc__, A.f.__doc__, g.__doc__, program.__doc__
            return docs, h(), A().f(), A.__annotations__
    ''',
    "global and nonlocal": """
        total = 0
        def program():
            global total
            seen = 1
            def add():
                nonlocal seen
                global total
                seen += 1
                total += seen
                seen = total = seen + total
                return seen
            return add(), add(), seen, total
    """,
    "classes in functions": """
        def program():
            class A:
                n = 1
                if n:
                    n += 1
                def __init__(self):
                    self.__hidden = 1
                    self.__hidden += 1
                    self.__hidden = self.__hidden * 2
                @property
                def value(self):
                    return self.__hidden
                @staticmethod
                def s(): return A
            class B(A):
                def __init__(self):
                    super().__init__()
                    self.b = super().value
            return A.n, B().value, B().b, vars(B()), A.s().__qualname__, B.__init__.__qualname__
    """,
    "decorators and defaults": """
        def twice(f):
            def run(*a, **k): return f(*a, **k) * 2
            return run
        def program():
            @twice
            @twice
            def f(x, /, y=[1].copy(), *, z=dict(a=1)["a"]):
                return [x, *y, z]
            return f(0), f(1, y=[2], z=3)
    """,
    "loops": """
        def program():
            log = []
            class C: n = 3
            while C.n:
                C.n -= 1
                if C.n == 1:
                    continue
                log.append(C.n)
            else:
                log.append("else")
            while True:
                if len(log) > 4: break
                log.append("x")
            else:
                log.append("never")
            for x in range(5):
                if x == 1: continue
                if x == 3: break
                log.append(x)
            else:
                log.append("never")
            for log[0], (y, *z) in [(1, (2, 3, 4))]: pass
            while C.n < 2: C.n += 1
            return log, y, z, C.n
    """,
    "branches": """
        class A: x, y = 0, 1
        def f(a):
            if a.x: return 1
            elif a.y:
                b = 2
            elif a.z: b = 3
            else: b = 4
            return b
        def program():
            b = A(); b.y = 0; b.z = 0
            return f(A()), f(b)
    """,
    "match": """
        class P:
            __match_args__ = ("x", "y")
            def __init__(self, x, y): self.x, self.y = x, y
        class K: one = 1
        def f(v):
            match v:
                case K.one: return "one"
                case P(x, y=0) if x > 1: return x
                case {"a": [a, *rest], **more}: return a, rest, more
                case [1, 2, _] | "both": return "seq"
                case str() as s: return s
                case _: pass
            return None
        def program():
            return [f(v) for v in (1, P(2, 0), P(0, 0), {"a": [1, 2], "b": 3}, [1, 2, 3], "both", "s", 4)]
    """,
    "errors": """
        class Box: n = 0
        def program():
            log = []
            try:
                Box.n += 1
                Box.n.x += 1
            except AttributeError as error:
                log.append(str(error))
            else:
                log.append("no")
            finally:
                log.append(Box.n)
            try:
                raise ExceptionGroup("g", [ValueError(1), KeyError(2), OSError(3)])
            except* ValueError as group:
                Box.n += 5
                log.append(group.exceptions)
            except* (KeyError, OSError) as group:
                log.append([type(each) for each in group.exceptions])
            try:
                try:
                    Box.n += "x"
                finally:
                    Box.n += 1
            except TypeError as error:
                log.append((str(error), error.__context__))
            try:
                missing += 1
            except UnboundLocalError as error:
                log.append(type(error))
            return repr(log), Box.n
    """,
    "with": """
        class Context:
            log = []
            def __init__(self, name, quiet=False): self.name, self.quiet = name, quiet
            def __enter__(self): self.log.append("+" + self.name); return self
            def __exit__(self, *error): self.log.append("-" + self.name); return self.quiet
        def program():
            with Context("a") as a, Context(a.name * 2, quiet=True) as a.inner, Context("c"):
                a.inner.n = 1
                a.inner.n += 1
                1 / 0
            with (Context("d"), Context("e")): return Context.log, a.inner.n
    """,
    "generators": """
        class Box: n = 0
        def numbers():
            got = yield 1
            while got:
                Box.n += yield got
                got = yield Box.n
            try:
                yield "wait"
            except ValueError as error:
                Box.n = yield str(error)
            return (yield from inner())
        def inner():
            yield "inner"
            return "end"
        def program():
            g = numbers()
            log = [next(g), g.send(2), g.send(3), g.send(0), g.throw(ValueError("v")), g.send(7)]
            try: next(g)
            except StopIteration as end: log.append(end.value)
            return log, Box.n, list(x * y for x in range(3) if x for y in [Box.n])
    """,
    "coroutines": """
        class Box: n = 0
        class Twice:
            async def __aenter__(self): Box.n += 1; return self
            async def __aexit__(self, *error): Box.n *= 10
            def __aiter__(self): self.k = 2; return self
            async def __anext__(self):
                self.k -= 1
                if self.k < 0: raise StopAsyncIteration
                return self.k
        async def give(x): return x
        async def generate():
            for x in (1, 2):
                Box.n += await give(x)
                yield Box.n
        async def main():
            async with Twice() as t, Twice():
                log = [x async for x in t]
                async for x in t:
                    if x: continue
                    log.append(x)
                else:
                    log.append("else")
            Box.n += await give(1)
            async for x in generate(): log.append(x)
            return log, Box.n
        def program():
            try: main().send(None)
            except StopIteration as end: return end.value
    """,
    "comprehensions and lambdas": """
        class A: k = [1, 2, 3]
        def program():
            a = A()
            f = lambda x, *, y=a.k[0]: [x + y + z for z in a.k if (w := z) > 1]
            a.k = [f(x) for x in a.k] + [w for w in {i: j for i, j in enumerate(a.k)}.values()]
            g = (x for x in a.k)
            return next(g), a.k, {*(str(x) for x in g)}
    """,
    "order of evaluation": """
        log = []
        class Logged:
            def __init__(self, name): object.__setattr__(self, "name", name)
            def __getattr__(self, key): log.append(f"get {self.name}.{key}"); return Logged(self.name + key)
            def __setattr__(self, key, value): log.append(f"set {self.name}.{key} = {value.name}")
            def __getitem__(self, key): log.append(f"get {self.name}[{key}]"); return Logged(f"item {key}")
            def __setitem__(self, key, value): log.append(f"set {self.name}[{key}] = {value.name}")
            def __iadd__(self, other): log.append(f"{self.name} += {other.name}"); return Logged("sum")
            def __add__(self, other): log.append(f"{self.name} + {other.name}"); return Logged("plus")
            __imatmul__ = __iadd__
        def call(name): log.append(f"call {name}"); return Logged(name)
        def key(k): log.append(f"key {k}"); return k
        def program():
            a = call("a")
            call("b").x += call("c").y
            call("b")[key(1)] += call("c")[key(2)]
            call("b")[key(1):key(2)] += call("c").x
            call("b")[key(1), key(2):key(3)] += call("c").x
            call("b")[key(1), key(2)] @= call("c").x
            call("b").x.y[key(1)].z += (a := call("d")).e
            a.x = a.y = call("e").f
            call("f").x, call("g")[key(1)], *log[3:3] = call("i").x + a, a.y, "a", "b"
            call("j").x: call("never") = call("k").x
            a.z: int
            a[(k := key(5))] += Logged(str(k))
            return log
    """,
    "in-place operators": """
        class Box: pass
        def program():
            box, kept = Box(), []
            box.l = box.m = kept
            box.l += [1]
            box.l += box.m
            box.d = {"k": kept}
            box.d["k"] += (2,)
            box.d["k"][0] += 1
            box.l[1:2] += [9, 9]
            box.n = 7
            box.n -= 1; box.n *= 2; box.n //= 5; box.n **= 3; box.n <<= 2; box.n |= 1; box.n ^= 3; box.n %= 19
            box.s = {1}
            other = box.s
            box.s |= {2}
            box.t = (1,)
            box.t += (2,)
            return kept, box.l is box.m is kept, box.n, other is box.s, box.s, box.t
    """,
    "properties": """
        class A:
            log = []
            @property
            def x(self): self.log.append("get"); return 1
            @x.setter
            def x(self, value): self.log.append(value)
            @x.deleter
            def x(self): self.log.append("del")
        def program():
            a = A()
            a.x += 1
            a.x = a.x + 4
            del a.x
            return A.log
    """,
    "lifetimes": """
        import weakref
        class Box:
            def __init__(self): self.n, self.d = 0, {}
            def __hash__(self): return 1
        gone = []
        def make():
            box = Box()
            weakref.finalize(box, gone.append, len(gone))
            return box
        def fail(): raise ValueError
        def program():
            log = []
            make().n += 1
            log.append(list(gone))
            make().d[make()] = [make().n]
            log.append(list(gone))
            make().d.setdefault(1, []).append(2)
            try: make().n += fail()
            except ValueError: log.append(list(gone))
            try: make().d[make()] += 1
            except KeyError as error: log.append(list(gone)); del error
            log.append(list(gone))
            box = make()
            box.old = make()
            box.old = box.n
            log.append(list(gone))
            return log
    """,
    "locals": """
        class Box: n = 0
        def program():
            Box.n += 1
            Box.n = Box.n + 1
            try: Box.n += ""
            except TypeError: pass
            return locals()
    """,
    "deletion and assertion": """
        class Box: pass
        def program():
            box = Box(); box.a = box.b = 1; d = {1: 2, 3: 4}
            del box.a, d[1]
            assert d[3] == 4, d[9]
            try:
                assert d[3] == 5, d[3]
            except AssertionError as error:
                return vars(box), d, error.args
    """,
    "imports in functions": """
        def program():
            import os.path as path, json
            from collections import deque as d, OrderedDict
            return path.join("a", "b"), json.dumps([1]), list(d([1])), OrderedDict.__name__
    """,
    "main": """
        def helper():
            return 5
        if __name__ == "subject":
            def program():
                return helper()
        else:
            program = None
    """,
    "one line": "def program(): x = [1]; x[0] += 1; return x\n",
}


@pytest.mark.parametrize("granularity", FINE)
@pytest.mark.parametrize("name", SNIPPETS)
def test_instrumented_code_means_the_same(name: str, granularity: Granularity) -> None:
    """A function returns what it would have returned, and passes its points."""
    passed: list[int] = []
    expected = _run(SNIPPETS[name], "synchronisation", passed.append)
    assert passed == []
    assert repr(_run(SNIPPETS[name], granularity, passed.append)) == repr(expected)
    count = len(_instrument(dedent(SNIPPETS[name]), granularity).points)
    assert set(passed) <= set(range(1, count + 1))
    assert bool(passed) == bool(count)


POINTS = """
n = 1
class A:
    y = n.x                         # a class body
    def f(self): return 1           #: b, -
def what_does_nothing():
    "doc"
    global n, m
    pass
    "constant"
    ...
    try:
        x = 1                       #: b, -
    finally: pass
def branches(a):
    if a:                           #: b, -
        x = 1                       #: b, -
    elif a.b:                       #: b, b
        x = a[0]                    #: b, b
    else:
        x = 2                       #: b, -
def a_spin(a):
    while a.x: pass                 #: ba, ba
def an_endless_spin():
    while True: pass                #: ba, -
def an_endless_loop(a):
    while True:                     #: b, -
        a.x()                       #: b, b
def a_loop_that_leaves(a):
    for x in a.y:                   #: b, b
        if x:                       #: b, -
            continue                #: b, b
        break
def a_loop_over_what_is_local(a):
    for x in a:                     #: ba, -
        if x: continue              #: bb, -
        a.b(x)                      #: b, b
def an_inner_loop(a):
    while a[0]:                     #: ba, ba
        while True:                 #: b, -
            if a: continue          #: b, -
def a_loop_with_an_else(a):
    for x in (): pass               #: ba, -
    else:
        a.b(x)                      #: b, b
def inner_functions(a):
    g = lambda: a.b                 #: b, -
    h = lambda x=a.b: x             #: b, b
    def i(x=a.c):                   #: b, b
        return x.d                  #: b, b
    @a.b
    def j():                        #: b, b
        return 1                    #: b, -
    class B(a.C):                   #: b, b
        d = a.d
        def f(self): return self.d  #: b, b
def annotations(a):
    x: a.b = 1                      #: b, -
    a.x: int = a.b                  #: b, bs
    a.y: int                        #: b, -
def headers(a):
    with a.b, a:                    #: b, b
        x = 1                       #: b, -
    match a.c:                      #: b, b
        case 1:
            x = 2                   #: b, -
    match a:                        #: b, b
        case a.D: pass
    match a:                        #: b, -
        case 1 if a: x = 3          #: b, -
def reading_and_writing(a, x):
    a.n += 1                        #: b, bs
    a.n = a.n + 1                   #: b, bs
    a.n = 1                         #: b, b
    x = a.n                         #: b, b
    a[1:2] += x                     #: b, b
    a[x] += x                       #: b, bs
    x += 1                          #: b, -
    x += a.n                        #: b, b
    del a[x]                        #: b, b
def shared_names(x):
    global n
    n += x                          #: b, bs
    if m:                           #: b, b
        return n                    #: b, b
    return x                        #: b, -
"""
"""A module, and the points of each line: before, again, store; for statements and for accesses."""


def _expected(line: str) -> tuple[str, str]:
    statements, _, accesses = line.partition("#: ")[2].partition(", ")
    return statements, accesses.strip("-")


def _found(granularity: Granularity) -> list[str]:
    found = [""] * (len(POINTS.splitlines()) + 1)
    for each in _instrument(POINTS, granularity).points:
        found[each.line] += each.moment[0]
    return found[1:]


def test_points_are_where_they_should_be() -> None:
    """Each granularity has its points, in the order of the source."""
    lines = POINTS.splitlines()
    expected = [_expected(line) for line in lines]
    for number, granularity in enumerate(FINE):
        found = _found(granularity)
        assert found == [each[number] for each in expected]
    assert _instrument(POINTS, "synchronisation").points == ()


def test_a_point_tells_its_place() -> None:
    """Module, line, column in bytes and the first line of the statement, shortened."""
    source = f'def f(a):\n    if "é": a.long_call({", ".join("argument" * 9)})\n    return [\n        1]\n'
    first, second, third = _instrument(source).points
    assert (first.module, first.line, first.column) == ("subject", 2, 4)
    assert first.text.startswith('if "é": a.long_call(a, r,')
    assert first.text.endswith("…")
    assert (second.line, second.column, second.text[:11]) == (2, 13, "a.long_call")
    assert (third.line, third.text) == (3, "return [")


def test_numbers_begin_where_the_caller_says() -> None:
    """Several modules share one table of points."""
    passed: list[int] = []
    space: dict[str, Any] = {"@point": passed.append}
    exec(_instrument("def f():\n    x = 1\n    return x\n", first=40).code, space)  # noqa: S102 - generated code
    assert space["f"]() == 1
    assert passed == [40, 41]


def test_a_hook_may_be_a_builtin_and_may_raise() -> None:
    """What the hook raises comes out of the function, from the line of the statement."""

    def stop(number: int) -> None:
        raise InterruptedError(number)

    space: dict[str, Any] = {"__builtins__": {"@point": stop}}
    exec(_instrument("def f():\n    try:\n        x = 1\n    finally: pass\n").code, space)  # noqa: S102 - generated code
    with pytest.raises(InterruptedError, match="1") as caught:
        space["f"]()
    assert [each.lineno for each in traceback.extract_tb(caught.tb)][1:-1] == [3]


def test_the_same_source_is_compiled_once() -> None:
    """Worlds are made by the thousand; their code is made once."""
    source = "def f(): return 1\n"
    assert _instrument(source) is _instrument(source[:4] + source[4:])
    assert _instrument(source) is not _instrument(source, "access")


def test_our_own_future_imports_do_not_leak() -> None:
    """The subject's annotations are evaluated as its own source says."""
    space: dict[str, Any] = {"@point": id}
    exec(_instrument("def f(x: int) -> None:\n    return None\n").code, space)  # noqa: S102 - generated code
    assert space["f"].__annotations__ == {"x": int, "return": None}


def test_a_name_that_would_be_mangled_is_refused() -> None:
    """Inside a class ``__hook`` is another name."""
    with pytest.raises(ValueError, match="'__hook' needs a name that does not change inside a class"):
        instrument("", filename="f", module="m", granularity="statement", hook="__hook")
    assert instrument("", filename="f", module="m", granularity="statement", hook="__hook__").points == ()


def test_a_compiler_that_warns_is_not_heard() -> None:
    """Warnings are errors here, and a subject's dubious line is not ours to judge."""
    points = _instrument("def f(x):\n    return x is 1, '\\d'\n").points
    assert [each.text for each in points] == ["return x is 1, '\\d'"]


def test_a_source_with_a_mistake_says_where() -> None:
    """A subject that does not compile is the caller's to hear of."""
    with pytest.raises(SyntaxError) as caught:
        _instrument("def f(:\n")
    assert (caught.value.filename, caught.value.lineno) == ("subject.py", 1)


# --- lines, for programs that nobody thought of ---


@dataclass(slots=True)
class Trial:
    """What a generated program calls: `step` says true or false by its own list, and fails at one step."""

    fails_at: int
    log: list[int]

    def __call__(self, number: int) -> int:
        """One step of the program."""
        self.log.append(number)
        if len(self.log) == self.fails_at:
            raise LookupError(number)
        if len(self.log) > self.fails_at + 40:
            raise TimeoutError
        return (number * 7 + len(self.log) * 5) % 3 % 2


SHAPES = tuple(
    tuple(dedent(shape).strip().splitlines())
    for shape in (
        "if step(0):\n    ONE\nelse:\n    TWO",
        "if box.n:\n    ONE\nelif (step(0) or\n  step(1)):\n    TWO",
        "while step(0):\n    ONE\nelse:\n    TWO",
        "while (box.n and\n  step(0)):\n    ONE\n    if step(1): continue\n    TWO",
        "for box.x in range(step(0) + 2):\n    ONE\n    if step(1): break\nelse:\n    TWO",
        "try:\n    ONE\nexcept ValueError:\n    TWO",
        "try:\n    ONE\nexcept LookupError:\n    TWO\n    raise",
        "try:\n    ONE\nfinally:\n    TWO",
        "with Context(step(0)):\n    ONE\n    with Context(step(1)) as box.x, Context(0):\n        TWO",
        "match step(0):\n    case 1:\n        ONE\n    case _:\n        TWO",
        "def inner():\n    ONE\nfor y in (inner(), inner()):\n    TWO",
    )
)
"""Compound statements, and where two blocks go."""


def _filled(shape: tuple[str, ...], one: list[str], two: list[str]) -> list[str]:
    blocks = {"ONE": one, "TWO": two}
    lines = []
    for line in shape:
        margin = line[: len(line) - len(line.lstrip())]
        lines += [margin + each for each in blocks.get(line.strip(), [line.strip()])]
    return lines


SIMPLE = st.sampled_from([
    ["step(0)"], ["box.n += step(0)"], ["box.d[step(0)] += step(1)"],
    ["box.n = (box.n +", "         step(0))"],
    ["box.d[", "    step(0)", "] = box.n"], ["x = box.n"], ["return step(0)"], ["box.d['no'] += 1"], ["pass"],
    ["box.n = step(0); box.n -= 1"], ["box.a, box.b = box.n, step(1)"], ["del box.a"],
    ["raise ValueError(step(0))"],
])  # fmt: skip


def _block(statements: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.lists(statements, min_size=1, max_size=3).map(
        lambda parts: [line for part in parts for line in part]
    )


def _compound(statements: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.builds(_filled, st.sampled_from(SHAPES), _block(statements), _block(statements))


BODIES = _block(st.recursive(SIMPLE, _compound, max_leaves=12))

PRELUDE = """
class Box:
    n, a, b, x, d = 1, 1, 1, 1, {0: 0}
class Context:
    def __init__(self, quiet): self.quiet = quiet
    def __enter__(self): return self
    def __exit__(self, *error): return self.quiet and error[0] is LookupError
def program():
    box = Box()
"""


def _outcome(source: str, granularity: Granularity, fails_at: int) -> tuple[object, ...]:
    """What a program did, and the lines of its traceback, columns included where they are the original's."""
    trial = Trial(fails_at, [])
    space: dict[str, Any] = {"step": trial, "@point": id}
    exec(_instrument(source, granularity).code, space)  # noqa: S102 - the subject is generated code
    try:
        return trial.log, space["program"](), None
    except (LookupError, ValueError, TimeoutError, AttributeError, RecursionError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [(each.lineno, each.end_lineno, each.colno, each.end_colno) for each in frames[1:]]
        return trial.log, type(error), lines
    finally:
        space.clear()


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(body=BODIES, fails_at=st.integers(1, 12))
def test_a_traceback_has_the_lines_of_the_original(body: list[str], fails_at: int) -> None:
    """Wherever a program fails, at whatever step, the traceback is the same, columns included."""
    source = PRELUDE + indent("\n".join(body), "    ") + "\n"
    plain = _outcome(source, "synchronisation", fails_at)
    assert _outcome(source, "statement", fails_at) == plain
    assert _outcome(source, "access", fails_at) == plain
