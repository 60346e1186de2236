"""What a call answered, as a plain value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An exception, raised by the call or (inside `Returned`) handed over as its value.

    `bases` are the names of its class and that class's bases; `task` the task that says it made it, if any;
    `same` whether it is the very object that the task made (None where that cannot be known); `serial`
    numbers the exception objects of a run, so that equal numbers mean the same object; `remote` says that
    its cause tells of the task's own frames, as text from another process, and `chained` that it tells of
    the `KeyError` behind it.
    """

    error: str
    bases: tuple[str, ...] = ()
    message: str = ""
    task: str | None = None
    same: bool | None = None
    serial: int = 0
    remote: bool = False
    chained: bool = False

    @property
    def breaks(self) -> bool:
        """Whether it tells of a broken pool; a task may raise the same class for itself."""
        return "BrokenExecutor" in self.bases and self.task is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The call returned; `value` describes what (``parcel t0 whole``, ``None``, ``True``).

    `same` says whether it is the very object that the task made (None where that cannot be known); `error`
    tells more of a value that is an exception.
    """

    value: str
    same: bool | None = None
    error: Raised | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """What ``running()``, ``cancelled()``, ``done()`` said, in this order: a string of 0 and 1 each time."""

    seen: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What `wait` returned: the futures by name, and whether it was a named pair of sets."""

    done: tuple[str, ...]
    not_done: tuple[str, ...]
    sets: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What an iterator gave until it ended: item descriptions or future names, and how it ended.

    `end` is None for a clean end. `at` are the stamps at which the items came.
    """

    items: tuple[str, ...] = ()
    end: Raised | None = None
    stopped: bool = True
    at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What `submit` returned: whether it is a `concurrent.futures.Future`."""

    is_future: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """`map` returned an iterator after it had pulled `pulled` items from its first iterable."""

    pulled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """Where a `Kill` went; `pid` is None if there was no such worker."""

    pid: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an `Inspect` or `Construct` found, as ``name=value`` lines."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The call was not made: `missing` was never created, because an earlier call raised."""

    missing: str


Outcome: TypeAlias = (
    Returned | Raised | Skipped | States | Split | Drained | Submitted | Mapped | Struck | Facts
)
