"""Loads the sources of pools and of the subject with the simulated world's preemption points in them."""

from __future__ import annotations

import builtins
import sys
import threading
from importlib.machinery import ModuleSpec, SourceFileLoader
from typing import TYPE_CHECKING, Final

from harness.arenas.simulated import identity
from harness.arenas.simulated.importer import COPIED
from harness.arenas.simulated.instrument import instrument
from harness.arenas.simulated.source_text import HOOK, name_of
from harness.arenas.steered import thread_layer
from harness.arenas.steered.steering import point

if TYPE_CHECKING:
    import types
    from collections.abc import Sequence
    from types import CodeType

    from harness.values.granularity import Granularity

_AS_WRITTEN: Final = frozenset({"threading"})
"""Modules whose operations have points, but not their statements."""

_identities: Final = identity.Identities()


class Loader(SourceFileLoader):
    """Loads one module."""

    def __init__(self, fullname: str, path: str, granularity: Granularity, names: list[str]) -> None:
        """Load the source at a path; `names` are of the points that there are already."""
        super().__init__(fullname, path)
        self._granularity = granularity
        self._names = names

    def get_code(self, fullname: str) -> CodeType:
        """The source's code, with points."""
        source = self.get_source(fullname) or ""
        made = instrument(
            source, filename=self.path, module=fullname, hook=HOOK, first=len(self._names),
            granularity=self._granularity,
        )  # fmt: skip
        self._names += [name_of(each) for each in made.points]
        return made.code

    def exec_module(self, module: types.ModuleType) -> None:
        """Execute it, with the world's hashes and identities, and hook what it takes from the C layer."""
        vars(module)["__builtins__"] = {
            **vars(builtins), "id": _identities.number, "__build_class__": identity.build_class,
        }  # fmt: skip
        super().exec_module(module)
        if module.__name__ == "queue":
            thread_layer.hook_queue(module)


class Finder:
    """Finds the modules that are to be loaded like that; leaves all others to the import system."""

    def __init__(self, granularity: Granularity) -> None:
        """Have points at this granularity."""
        self._granularity = granularity
        self._names = [""]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`."""
        if not _is_ours(name):
            return None
        for finder in sys.meta_path:
            found = None if finder is self else finder.find_spec(name, path, target)
            if found is not None:
                if type(found.loader) is SourceFileLoader:
                    found.loader = Loader(name, found.loader.path, self._granularity, self._names)
                return found
        return None

    def hook(self, number: int) -> None:
        """What instrumented code calls before a statement."""
        point(self._names[number])


def _is_ours(name: str) -> bool:
    """Whether the simulated world has a copy of its own of this module."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return name in COPIED and name not in _AS_WRITTEN
    return top not in {"harness", "greenlet", "__main__"}


def restart() -> None:
    """Count identities from the beginning, and let go of what has one."""
    _identities.clear()
    identity.restart()


def install(granularity: Granularity) -> None:
    """From now on modules are loaded with points."""
    finder = Finder(granularity)
    vars(builtins)[HOOK] = finder.hook
    identity.give_stable_hash(threading.Thread)
    for name in [each for each in sys.modules if _is_ours(each)]:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
