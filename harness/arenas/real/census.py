"""What an executor left behind in the client: threads, processes, descriptors, semaphores."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """A count of everything at one moment.

    Attributes:
        threads: The identifiers of the living threads.
        processes: The pids of all descendants but multiprocessing's own helpers.
        descriptors: Number and target of every open descriptor; None where the system does not tell.
        semaphores: How many named semaphores and shared memories are mapped; None as above.
    """

    threads: frozenset[int]
    processes: frozenset[int]
    descriptors: frozenset[str] | None
    semaphores: int | None


def take() -> Inventory:
    """Count what this process holds now, its descendants included."""
    return Inventory(
        threads=frozenset(thread.ident for thread in threading.enumerate() if thread.ident is not None),
        processes=frozenset(descendants(os.getpid())) - helpers(),
        descriptors=_descriptors(),
        semaphores=_semaphores(),
    )


def helpers() -> frozenset[int]:
    """The pids of multiprocessing's own helper processes: resource tracker and fork server."""
    return frozenset(_of_helpers("_pid", "_forkserver_pid"))


def _of_helpers(of_tracker: str, of_server: str) -> Iterator[int]:
    """An attribute of each resource tracker and fork server; some packages have copies of their own."""
    known = {
        "resource_tracker": ("_resource_tracker", "ResourceTracker", of_tracker),
        "forkserver": ("_forkserver", "ForkServer", of_server),
    }
    for path, module in tuple(sys.modules.items()):
        holder, kind, name = known.get(path.rpartition(".")[2], ("", "", ""))
        helper = vars(module).get(holder) if holder else None
        number = getattr(helper, name, None) if type(helper).__name__ == kind else None
        if isinstance(number, int):
            yield number


def descendants(pid: int) -> list[int]:
    """The pids of all living descendants of a process, as far as `/proc` tells (Linux)."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def is_below(pid: object) -> bool:
    """Whether this is a living descendant of this process; True also where the system does not tell."""
    return pid in descendants(os.getpid()) or not _PROC.is_dir()


_PROC = Path("/proc/self/task")


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - one Path a thread costs
            text = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
            children += map(int, text.split())
    except OSError:
        return children
    return children


def stat(pid: int) -> list[str]:
    """What `/proc` tells of a process after its name: state, parent, group, session and more.

    Raises:
        OSError: it is gone, or the system does not tell.
    """
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return text.rpartition(")")[2].split()


def describe(pid: int) -> str:
    """A process as a person would name it."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return f"pid {pid}"
    return f"pid {pid}: {raw.replace(bytes(1), b' ').decode(errors='replace').strip()[:120]}"


def _descriptors() -> frozenset[str] | None:
    try:
        names = os.listdir("/proc/self/fd")  # noqa: PTH208 - runs twice a program, as below
    except OSError:
        return None
    alive = set()
    for name in set(names) - _helper_lines():
        try:
            alive.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")  # noqa: PTH115
        except OSError:  # the descriptor of the listing itself
            continue
    return frozenset(alive)


def _helper_lines() -> set[str]:
    """The descriptors that lead to multiprocessing's helper processes, whoever started those."""
    return set(map(str, _of_helpers("_fd", "_forkserver_alive_fd")))


def _semaphores() -> int | None:
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return maps.count("/dev/shm/sem.") + maps.count("/dev/shm/psm_")  # noqa: S108 - named, not opened
