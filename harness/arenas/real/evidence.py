"""Evidence that nothing moves any more: the difference between a hang and a slow run.

A process tree is *still* when, between two looks, no thread used the processor or was switched, and every
thread sleeps in a wait that has no deadline of its own: then only the harness could wake it. Where the
system does not tell what a thread waits for, a thread that sleeps might be sleeping for a while, and only a
long window counts.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from harness.arenas.real.census import descendants

# System calls that can wait with a deadline: number -> (place of the argument, what "no deadline" looks
# like). FUTEX, PSELECT and PPOLL take a pointer to a time, POLL and EPOLL milliseconds, NANOSLEEP always
# has one.
_FOREVER = {0x0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}
_DEADLINE_ARGUMENT: dict[str, dict[int, int]] = {
    "x86_64": {202: 3, 270: 4, 271: 2, 7: 2, 23: 4, 232: 3, 281: 3, 230: 2, 35: 0},
    "aarch64": {98: 3, 72: 4, 73: 2, 22: 3, 115: 2, 101: 0},
}
_ARGUMENTS = _DEADLINE_ARGUMENT.get(platform.machine(), {})

# Running, about to, or stopped by somebody who may let it go on.
_BUSY = ("R", "D", "T", "t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a process tree.

    `marks` hold, for every thread, counters that grow when it runs; `busy` says that some thread was running,
    about to or stopped; `dated` that some thread sleeps with a deadline, or that what it waits for cannot be
    told; `spent` is the processor time of all of them, in seconds.
    """

    marks: frozenset[tuple[str, ...]]
    busy: bool
    dated: bool
    spent: float = 0.0


def look(pid: int, *, without: int = 0) -> Look:
    """Look at a process and its descendants; the thread `without` is left out (one of our own)."""
    marks: set[tuple[str, ...]] = set()
    busy = dated = False
    ticks = 0
    for member in (pid, *descendants(pid)):
        for thread in _threads(member):
            if thread == str(without):
                continue
            state, counters = _counters(member, thread)
            marks.add((thread, state, *counters))
            ticks += sum(map(int, counters[:2]))
            busy = busy or state in _BUSY
            dated = dated or (state == "S" and _has_deadline(member, thread))
    return Look(marks=frozenset(marks), busy=busy, dated=dated, spent=ticks / os.sysconf("SC_CLK_TCK"))


def still(first: Look, second: Look) -> bool:
    """Whether nothing moved between two looks, and nothing will by itself."""
    return not second.busy and not second.dated and first.marks == second.marks


def spent_by(pid: int) -> float:
    """The processor time that the first thread of a process has used, in seconds."""
    _, counters = _counters(pid, str(pid))
    return sum(map(int, counters[:2])) / os.sysconf("SC_CLK_TCK")


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - looked at every few milliseconds
    except OSError:
        return []


def _counters(pid: int, thread: str) -> tuple[str, tuple[str, ...]]:
    folder = Path(f"/proc/{pid}/task/{thread}")
    try:
        fields = (
            folder.joinpath("stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        status = folder.joinpath("status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "X", ()
    switches = tuple(line.split()[1] for line in status.splitlines() if "ctxt_switches" in line)
    return fields[0], (fields[11], fields[12], *switches)


def _has_deadline(pid: int, thread: str) -> bool:
    try:
        fields = Path(f"/proc/{pid}/task/{thread}/syscall").read_text(encoding="ascii").split()
    except OSError:
        return True  # unknown: it might wake by itself
    if not _ARGUMENTS or not fields or not fields[0].lstrip("-").isdigit():
        return True
    place = _ARGUMENTS.get(int(fields[0]))
    return place is not None and int(fields[1 + place], 16) not in _FOREVER
