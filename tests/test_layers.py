"""Layers: each package imports only from those above it, and effects live where their names say so.

What a module imports is read from its source with `ast`; imports in functions and for types count as well.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

LAYERS: tuple[tuple[str, ...], ...] = (
    ("harness.__init__",),
    ("harness.values",),
    ("harness.specs",),  # reads values from files
    ("harness.model",),
    ("harness.judge",),
    ("harness.specs_lint",),  # knows the judge's patterns
    ("harness.generation",),
    ("harness.arenas",),
    ("harness.check", "harness.report"),
    ("harness.plugin", "harness.workshop", "harness.venues", "harness.progress", "harness.suite"),
)
"""The pipeline from values to users: a module imports from its own layer and from those before it."""

EFFECTS = frozenset({
    "asyncio", "concurrent", "multiprocessing", "sched", "select", "selectors", "signal", "socket",
    "socketserver", "subprocess", "threading", "time", "_thread",
})  # fmt: skip
"""Modules for threads, clocks and processes."""

OWNERS: dict[str, tuple[str, ...]] = {
    "hypothesis": ("harness.generation",),
    "pytest": ("harness.plugin", "harness.workshop", "harness.progress", "harness.suite"),
    "_pytest": (),
} | dict.fromkeys(EFFECTS, ("harness.arenas",))
"""Who may import what."""

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("harness.check.compare", "time"): "comparing takes a share of an item's time",
    ("harness.check.search", "time"): "a search ends when its share of the budget is spent",
    ("harness.check.replay", "time"): "tells how long the tries took and when to stop repeating",
    ("harness.workshop", "time"): "divides the budget of the run among its items",
    ("harness.progress", "threading"): "the main thread may sit in one program for a minute",
}
"""Effects outside the arenas, each with its reason."""

LATE = {("harness.plugin", "harness.workshop"): "the plugin does nothing, loads nothing, unless asked"}
"""Imports inside functions that would close a cycle if they stood at the top."""

CHILD = tuple(
    f"harness.arenas.real.{name}"
    for name in (
        "launch",
        "child",
        "line",
        "stage",
        "perform",
        "ledger",
        "recorder",
        "census",
        "probe",
        "puppet",
        "elsewhere",
        "body",
        "litter",
        "drive",
    )
) + tuple(f"harness.arenas.steered.{name}" for name in ("launch", "hooks", "host"))
"""What runs in the sacrificial child and in its workers."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module; `typing` if only a type checker sees it."""

    module: str
    name: str
    typing: bool

    @property
    def package(self) -> str:
        """The top of the imported module's path."""
        return self.module.partition(".")[0]


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _walk(node: ast.AST, *, typing: bool = False) -> Iterator[Import]:
    """Every import below a node."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                yield from (Import(each.name, "", typing) for each in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (Import(module, each.name, typing) for each in names)
            case ast.ImportFrom():
                raise AssertionError("relative imports hide their layer")
            case _:
                yield from _walk(child, typing=typing or _is_typing(child))


def _modules(package: str) -> dict[str, Path]:
    """The source files of a package by module name, its own `__init__` under that name."""
    files = sorted((ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


MODULES = _modules("harness")


@cache
def _imports(module: str) -> tuple[Import, ...]:
    return tuple(_resolved(each) for each in _walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


def _resolved(found: Import) -> Import:
    """``from package import module`` names a module; ``from package import name`` its `__init__`."""
    if f"{found.module}.{found.name}" in MODULES:
        return Import(f"{found.module}.{found.name}", "", found.typing)
    if f"{found.module}.__init__" in MODULES:
        return Import(f"{found.module}.__init__", found.name, found.typing)
    return found


def _layer(module: str) -> int:
    for number, packages in enumerate(LAYERS):
        if any(module == package or module.startswith(f"{package}.") for package in packages):
            return number
    raise AssertionError(f"{module} belongs to no layer")


def _below(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _ours(module: str) -> Iterator[Import]:
    return (each for each in _imports(module) if each.package == "harness")


def test_every_module_has_a_layer() -> None:
    """A new package takes its place in the pipeline before anybody uses it."""
    assert {_layer(module) for module in MODULES} == set(range(len(LAYERS)))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_its_layer_and_above(module: str) -> None:
    """No import leads from a layer to a later one."""
    wrong = [each.module for each in _ours(module) if _layer(each.module) > _layer(module)]
    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_effects_live_where_their_names_say_so(module: str) -> None:
    """Hypothesis, pytest, threads, clocks and processes have their owners, and exceptions with a reason."""
    used = {each.package for each in _imports(module) if each.package in OWNERS}
    wrong = {
        package
        for package in used
        if not _below(module, OWNERS[package]) and (module, package) not in EXCEPTIONS
    }
    assert wrong == set()


def test_every_exception_is_still_needed() -> None:
    """An exception whose import is gone is gone, too."""
    used = {(module, each.package) for module in MODULES for each in _imports(module)}
    assert set(EXCEPTIONS) - used == set()
    edges = {(module, each.module) for module in MODULES for each in _ours(module)}
    assert set(LATE) - edges == set()


@pytest.mark.parametrize("module", MODULES)
def test_nobody_imports_from_an_init(module: str) -> None:
    """Packages are folders: only `harness.__version__` comes from an `__init__`."""
    wrong = [
        (each.module, each.name)
        for each in _ours(module)
        if each.module.endswith("__init__")
        and (each.module, each.name) != ("harness.__init__", "__version__")
    ]
    assert wrong == []


def test_there_are_no_cycles() -> None:
    """Modules can be put in an order in which each comes after all that it imports."""
    waits_for = {
        module: {each.module for each in _ours(module) if (module, each.module) not in LATE} - {module}
        for module in MODULES
    }
    assert _in_cycles(waits_for) == {}


def _in_cycles(waits_for: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is left when those that wait for nobody, and those that nobody waits for, are taken away."""
    while True:
        awaited = {other for others in waits_for.values() for other in others}
        kept = {module for module, others in waits_for.items() if others and module in awaited}
        if kept == set(waits_for):
            return waits_for
        waits_for = {module: waits_for[module] & kept for module in kept}


def test_the_child_imports_the_standard_library_only() -> None:
    """What runs in the sacrificial child needs nothing but Python, directly or not."""
    waiting, seen, foreign = list(CHILD), set(CHILD), set()
    while waiting:
        module = waiting.pop()
        for each in _imports(module):
            if each.typing:
                continue
            if each.package != "harness":
                foreign |= {(module, each.package)} if each.package not in sys.stdlib_module_names else set()
            elif each.module not in seen:
                seen.add(each.module)
                waiting.append(each.module)
    assert foreign == set()
    assert seen > set(CHILD)


def test_the_reference_executor_imports_the_standard_library_only() -> None:
    """The reference executor can be used without the harness, and without anything else."""
    files = _modules("reference_executor")
    packages = {
        each.package for file in files.values() for each in _walk(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert packages - sys.stdlib_module_names == {"reference_executor"}
