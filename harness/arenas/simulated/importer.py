"""Private copies of modules, through a private ``__import__``.

Nothing global is patched. A module of the world has its own builtins, in which `__import__` gives simulated
modules for the C layer, private copies of the real sources for what is built on it and for the subject, and
the real module for everything else. The sources are those that the import system would give: also a copy of
`concurrent.futures` that was put in front.
"""

from __future__ import annotations

import builtins
import importlib.util
import sys
import types
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from harness.arenas.simulated import kernel
from harness.arenas.simulated.facades import Uncontrolled, refuse, refuse_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

COPIED: Final = frozenset({
    "concurrent",
    "concurrent.futures",
    "concurrent.futures._base",
    "concurrent.futures.thread",
    "concurrent.futures.process",
    "multiprocessing.queues",
    "multiprocessing.synchronize",
    "queue",
    "threading",
})  # fmt: skip
"""Modules of the standard library that are copied; their C layer is simulated."""

PUPPETS: Final = frozenset({
    "harness.arenas.real.canary",
    "harness.arenas.real.drive",
    "harness.arenas.real.ledger",
    "harness.arenas.real.perform",
    "harness.arenas.real.puppet",
    "harness.arenas.real.stage",
})  # fmt: skip
"""Our own modules that play inside the world, as they play in a child of the real arena."""

BEYOND_CONTROL: Final = frozenset({
    "_posixsubprocess", "_socket", "asyncio", "ctypes", "select", "selectors", "socket", "socketserver",
    "ssl", "subprocess",
})  # fmt: skip
"""Modules that may be imported, but not used: they block or start things where the world cannot see it."""


class Importer:
    """The modules of one world."""

    def __init__(
        self,
        prefix: str,
        simulated: Mapping[str, types.ModuleType],
        *,
        compiler: Callable[[str, str, str], types.CodeType],
        special: Mapping[str, object],
    ) -> None:
        """Prepare; nothing is imported yet.

        Args:
            prefix: What the names of the private modules begin with in `sys.modules`.
            simulated: The modules that take the place of real ones.
            compiler: Makes code of a source, its file name, and the module's name.
            special: What takes the place of builtins.
        """
        self.prefix = prefix
        self.modules: dict[str, types.ModuleType] = {}
        self._simulated = simulated
        self._compiler = compiler
        self._builtins = {**vars(builtins), **special, "__import__": self.import_name}
        sys.modules[prefix] = types.ModuleType(prefix)  # pickling imports by the full name, from the top
        self.loaded: Callable[[types.ModuleType], None] = lambda _module: None

    def import_name(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - as the builtin
        locals: Mapping[str, Any] | None = None,  # noqa: A002, ARG002 - as the builtin
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:  # noqa: ANN401 - a module of whatever kind
        """`__import__`, as the modules of the world see it."""
        if level:
            package = str((globals or {}).get("__package__") or "")
            name = importlib.util.resolve_name("." * level + name, package)
        name = name.removeprefix(f"{self.prefix}.")
        if not self.is_ours(name):
            return self._from_outside(name, tuple(fromlist or ()))
        module = self.load(name)
        if not fromlist:
            return self.load(name.partition(".")[0])
        for item in fromlist:
            if item != "*" and not hasattr(module, item) and hasattr(module, "__path__"):
                self._load_if_there(f"{name}.{item}")
        return module

    def _from_outside(self, name: str, fromlist: tuple[str, ...]) -> Any:  # noqa: ANN401 - a module of whatever kind
        """A real module; what is ours among its parts is ours."""
        real = builtins.__import__(name, None, None, fromlist, 0)
        ours = [item for item in fromlist if self.is_ours(f"{name}.{item}")]
        if not ours:
            return real
        parts = {item: getattr(real, item) for item in fromlist if item not in ours}
        return types.SimpleNamespace(**parts, **{item: self.load(f"{name}.{item}") for item in ours})

    def import_module(self, name: str, package: str | None = None) -> types.ModuleType:
        """`importlib.import_module`, as the modules of the world see it."""
        del package
        if self.is_ours(name):
            return self.load(name)
        return importlib.import_module(name)

    def is_ours(self, name: str) -> bool:
        """Whether the world has a module of its own for this name."""
        if name in self._simulated or name in COPIED or name in PUPPETS or name in BEYOND_CONTROL:
            return True
        top = name.partition(".")[0]
        if top == "harness":
            return False
        if top in sys.stdlib_module_names:
            return any(each.startswith(f"{name}.") for each in self._simulated)
        return top not in {"greenlet", "__main__"}

    def load(self, name: str) -> types.ModuleType:
        """The world's module of this name, with its parents."""
        known = self.modules.get(name)
        if known is not None:
            return known
        parent, _, last = name.rpartition(".")
        outer = self.load(parent) if parent and self.is_ours(parent) else None
        if name in self.modules:  # the parent imported it
            return self.modules[name]
        module = self._make(name, outer)
        if outer is not None:
            setattr(outer, last, module)
        return module

    def _load_if_there(self, name: str) -> None:
        parent = self.modules[name.rpartition(".")[0]]
        if name in self._simulated or _find(name, parent.__path__) is not None:
            self.load(name)

    def _make(self, name: str, outer: types.ModuleType | None) -> types.ModuleType:
        if name in self._simulated:
            return self._adopt(name, self._simulated[name])
        if name in BEYOND_CONTROL:
            return self._adopt(name, _Untouchable(name))
        spec = _find(name, getattr(outer, "__path__", None))
        if spec is None and name not in PUPPETS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if spec is None:
            spec = importlib.util.find_spec(name)
        assert spec is not None  # noqa: S101 - for mypy: our own modules are there
        return self._copy(name, spec)

    def _adopt(self, name: str, module: types.ModuleType) -> types.ModuleType:
        self.modules[name] = module
        sys.modules[f"{self.prefix}.{name}"] = module
        return module

    def _copy(self, name: str, spec: ModuleSpec) -> types.ModuleType:
        """Execute a module's source once more, in a namespace of its own."""
        full = f"{self.prefix}.{name}"
        module = self._adopt(name, types.ModuleType(full))
        module.__file__ = spec.origin
        module.__builtins__ = self._builtins  # type: ignore[attr-defined]  # a module is an open namespace
        if spec.submodule_search_locations is not None:
            module.__path__ = list(spec.submodule_search_locations)
            module.__package__ = full
        else:
            module.__package__ = full.rpartition(".")[0]
        source = _source(name, spec)
        try:
            if source is None:  # a namespace package runs nothing; finders look at the real one for its parts
                importlib.import_module(name)
            else:
                with _before_the_run():
                    exec(self._compiler(source, spec.origin or name, name), vars(module))  # noqa: S102 - that is an import
        except BaseException:
            del self.modules[name], sys.modules[full]
            raise
        self.loaded(module)
        return module

    def close(self) -> None:
        """Forget the modules."""
        for name in self.modules:
            sys.modules.pop(f"{self.prefix}.{name}", None)
        sys.modules.pop(self.prefix, None)


class _Untouchable(types.ModuleType):
    """A module that may be imported, but whose functions are refused."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the real one has
        real = getattr(importlib.import_module(self.__name__), name)
        if isinstance(real, type) and issubclass(real, BaseException):
            return real
        if isinstance(real, int | str | bytes | list) or name.startswith("__"):
            return real
        if isinstance(real, type):
            return type(name, (_RefusedClass,), {"__module__": self.__name__})
        return _Refused(f"{self.__name__}.{name}")


class _RefusedClass:
    """A class that may be named, in annotations above all, but has no instances in the world."""

    def __new__(cls, *_args: object, **_kwargs: object) -> NoReturn:
        refuse_use(f"{cls.__module__}.{cls.__name__}")

    def __class_getitem__(cls, _item: object) -> type:
        return cls


class _Refused:
    """Something that cannot be used in the world."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *_args: object, **_kwargs: object) -> None:
        refuse_use(self._name)

    def __iter__(self) -> Iterator[Any]:
        refuse_use(self._name)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the real one has
        refuse_use(f"{self._name}.{name}")


@contextmanager
def _before_the_run() -> Iterator[None]:
    """What is imported in the middle of a run is as if it had been there before: later runs find it so."""
    run, kernel.running = kernel.running, None
    try:
        yield
    except Uncontrolled as error:
        if run is not None:
            run.stop("uncontrolled", str(error))
        raise
    finally:
        kernel.running = run


def _find(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """What the import system finds, without importing parents."""
    for finder in sys.meta_path:
        found = finder.find_spec(name, path)
        if found is not None:
            return found
    return None


def _source(name: str, spec: ModuleSpec) -> str | None:
    """The source of a module; None for a namespace package."""
    if spec.loader is None or spec.origin is None:
        return None
    if isinstance(spec.loader, ExtensionFileLoader):  # whoever has the same in Python can fall back on that
        text = f"{name} is written in C, which the simulated world cannot control"
        raise ImportError(text, name=name)  # noqa: TRY004 - the type of its loader is not the matter
    find: Callable[[str], str | None] = getattr(spec.loader, "get_source", lambda _name: None)
    source = find(name)
    if source is None and spec.origin.endswith(".py"):  # a loader that keeps it to itself, as pytest's does
        source = importlib.util.decode_source(Path(spec.origin).read_bytes())
    if source is None:
        refuse(f"there is no source of {name}, and the simulated world needs one")
    return source
