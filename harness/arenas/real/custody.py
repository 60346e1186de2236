"""The child's life: started in a session of its own, watched by pid, killed with everything it ever started.

Whatever a subject starts inherits a random mark in its environment. The mark holds the pid and start time
of the harness process that owns it, so that a later run can sweep up after one that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from harness.arenas.real.census import descendants, stat

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "EXECUTOR_HARNESS_MARK"
_ROOM_FOR_SOCKETS = 60  # bytes of a folder: `multiprocessing` makes another in it, and a socket in that
_MOST_OUTPUT = 2000  # bytes of it that are read
_ROUNDS = 50  # a fork bomb needs more than one
_DYING = 2000  # milliseconds for a process to come to its end after SIGKILL


class Child:
    """A sacrificial process and the line to it."""

    def __init__(
        self,
        folder: Path,
        *,
        keep_paths: tuple[str, ...] = (),
        command: tuple[str, ...] = ("harness.arenas.real.launch",),
    ) -> None:
        """Start it. Its output goes to files in `folder`: a leaked worker would keep a pipe open.

        The `command` is the child's main module, and arguments that follow the usual ones.
        """
        self.mark = f"{os.getpid()}.{start_time(os.getpid())}.{secrets.token_hex(8)}"
        self.events = Path(tempfile.mkstemp(prefix="events-", dir=folder)[1])
        self.stacks = self.events.with_name(self.events.name.replace("events", "stacks"))
        self.output = self.events.with_name(self.events.name.replace("events", "output"))
        ours, theirs = socket.socketpair()
        self.line = ours
        self._buffer = b""
        self._heard = 0
        environment = dict(os.environ) | {
            MARK: self.mark,
            "PYTHONPATH": os.pathsep.join(search_path(keep_paths)),
        }
        if len(os.fsencode(folder)) <= _ROOM_FOR_SOCKETS:
            # What the child leaves there goes with the folder: it may be killed before it has cleaned up.
            environment["TMPDIR"] = str(folder)
        with self.output.open("ab") as output, theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [
                    sys.executable, "-P", "-m", command[0],
                    str(theirs.fileno()), str(self.events), str(self.stacks), *command[1:],
                ],
                env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        self.pid = self.process.pid
        self.pidfd: IO[bytes] | None = None
        if hasattr(os, "pidfd_open"):
            self.pidfd = os.fdopen(os.pidfd_open(self.pid), "rb", buffering=0)

    def send(self, message: dict[str, object]) -> None:
        """Say something; a child that is gone is noticed elsewhere."""
        with contextlib.suppress(OSError):
            self.line.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, object]]:
        """The messages that have arrived; call it when the line is readable."""
        with contextlib.suppress(OSError):
            self._buffer += self.line.recv(1 << 16)
        *complete, self._buffer = self._buffer.split(b"\n")
        return [json.loads(text) for text in complete]

    def exit_status(self) -> int | None:
        """The status of a child that ended, negative for a signal; None while it lives."""
        return self.process.poll()

    def ask_for_stacks(self) -> None:
        """Make the child write the stacks of all its threads, as soon as it gets the processor."""
        self.stacks.write_bytes(b"")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR2)

    def read_stacks(self) -> str:
        """The stacks written so far."""
        return self.stacks.read_text(encoding="utf-8", errors="replace")

    def forget_output(self) -> None:
        """What was written so far is not to be read any more."""
        self._heard = self.output.stat().st_size

    def read_output(self) -> str:
        """What the child has written since, to either stream; of much only the end."""
        with self.output.open("rb") as file:
            file.seek(max(self._heard, self.output.stat().st_size - _MOST_OUTPUT))
            return file.read().decode(errors="replace")

    def end(self) -> None:
        """Kill the child, its family and all that carries its mark, until none is left.

        The line stays open until then: a child that sees it closed ends by itself, and a family that has lost
        its head cannot be found any more.
        """
        _kill_family(self.pid)
        self.process.kill()
        self.process.wait()
        self.line.close()
        sweep(self.mark)
        if self.pidfd is not None:
            self.pidfd.close()
        for path in (self.events, self.stacks, self.output):
            path.unlink(missing_ok=True)


def search_path(extra: tuple[str, ...] = ()) -> list[str]:
    """Where the child looks for modules: where we do, in the same order, then in the folders given here."""
    paths = [path for path in sys.path if path]
    return list(dict.fromkeys([*paths, *extra, str(Path.cwd())]))


def sweep(mark: str) -> int:
    """Kill every process with this mark until none is left; returns how many there were."""
    killed = 0
    for _ in range(_ROUNDS):
        found = [pid for pid, theirs in marked() if theirs == mark]
        if not found:
            break
        for pid in found:
            killed += _kill_if_marked(pid, mark)
    return killed


def sweep_the_dead() -> int:
    """Kill what runs left behind whose harness process is gone; returns how many there were."""
    dead = {mark for _, mark in marked() if not owner_lives(mark)}
    return sum(sweep(mark) for mark in dead)


def marked() -> Iterator[tuple[int, str]]:
    """All processes of this machine that carry a mark, as far as we may look."""
    for pid in _all_processes():
        if mark := _mark_of(pid):
            yield pid, mark


def _all_processes() -> Iterator[int]:
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - a machine has thousands of these
    except OSError:
        return
    yield from (int(name) for name in names if name.isdigit())


def _mark_of(pid: int) -> str:
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
        state = stat(pid)[0]
    except OSError:
        return ""
    if state in "ZX":  # already dead, waiting for its parent
        return ""
    prefix = f"{MARK}=".encode()
    return next((entry[len(prefix) :].decode() for entry in raw.split(b"\0") if entry.startswith(prefix)), "")


def _kill_family(leader: int) -> None:
    """Kill all descendants of a process that leads a session, and all members of that session.

    Some may have got rid of the mark. All are stopped first, so that nobody starts another meanwhile. The
    leader is our own child, stays until we collect it, and keeps its pid and its session's from being reused.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGSTOP)
    held: dict[int, int] = {}
    for _ in range(_ROUNDS):
        strange = [pid for pid in _family(leader) if pid not in held]
        if not strange or not hasattr(os, "pidfd_open"):
            break
        for pid in strange:
            with contextlib.suppress(OSError):
                held[pid] = os.pidfd_open(pid)
        for pid in set(strange).intersection(held) - _family(leader):
            os.close(held.pop(pid))  # it ended, and its pid may have been given to another
        for pid in set(strange).intersection(held):
            _signal(held[pid], signal.SIGSTOP)
    for descriptor in held.values():
        _signal(descriptor, signal.SIGKILL)
    for descriptor in held.values():
        _await_death(descriptor)
        os.close(descriptor)


def _family(leader: int) -> set[int]:
    """The living descendants of a process and the members of its session, itself left out."""
    return {*descendants(leader), *_members(leader)} - {leader}


def _members(session: int) -> Iterator[int]:
    """The living processes of a session: an orphan is related in no other way."""
    for pid in _all_processes():
        with contextlib.suppress(OSError):
            state, _, _, theirs, *_ = stat(pid)
            if theirs == str(session) and state not in "ZX":
                yield pid


def _await_death(descriptor: int) -> None:
    """Return when a process that was sent SIGKILL has ended; one that is stuck in the system is given up."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    waiting.poll(_DYING)


def _signal(descriptor: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(descriptor, number)


def _kill_if_marked(pid: int, mark: str) -> int:
    """Kill through a descriptor of the process: its pid may have been given to another meanwhile."""
    if not hasattr(os, "pidfd_open"):
        return 0
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return 0
    try:
        if _mark_of(pid) != mark:
            return 0
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        _await_death(descriptor)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return 1


def owner_lives(mark: str) -> bool:
    """Whether the harness process that a mark names is still there."""
    pid, _, rest = mark.partition(".")
    return pid.isdigit() and start_time(int(pid)) == rest.partition(".")[0]


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot; pid and start time together are never reused.

    One that is dead and only waits for its parent has no start any more.
    """
    try:
        fields = stat(pid)
    except OSError:
        return "0"
    return "0" if fields[0] in "ZX" else fields[19]
