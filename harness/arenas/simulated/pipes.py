"""Simulated pipes: 64 KiB, end of file and broken pipe by their open ends, `Connection` on top of them.

A message is written and read as the standard library does it: a header, then the body, in as many pieces as
the pipe has room for. A process that is killed in between leaves a torn message behind.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, Final, Self

from harness.arenas.simulated import kernel
from harness.arenas.simulated.thread_layer import Primitive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Process, Task

CAPACITY: Final = 65_536
_ONE_PIECE: Final = 16_384  # a message up to this size is written together with its header


class Pipe:
    """The bytes between two ends, and who holds these ends."""

    __slots__ = ("content", "readers", "serial", "waiters", "writers")

    def __init__(self, serial: int) -> None:
        """Be empty, with no ends."""
        self.serial = serial
        self.content = bytearray()
        self.readers = 0
        self.writers = 0
        self.waiters: list[Task] = []

    def stir(self, k: Kernel) -> None:
        """Something has changed: let all who wait look again."""
        for task in self.waiters:
            k.wake(task)


class Connection(Primitive):
    """One end of a pipe, in one process: `multiprocessing.connection.Connection`, one way."""

    __slots__ = ("_open", "_pipe", "_process", "_writes")

    def __init__(self, pipe: Pipe, process: Process, *, writes: bool) -> None:
        """Open an end in a process."""
        super().__init__()
        self._pipe = pipe
        self._process = process
        self._writes = writes
        self._open = True
        process.ends.append(self)
        if writes:
            pipe.writers += 1
        else:
            pipe.readers += 1

    def copy_into(self, process: Process) -> Connection:
        """The same end in another process, as `fork` and pickling hand it over."""
        self._check()
        return Connection(self._pipe, process, writes=self._writes)

    # State.

    @property
    def waiters(self) -> list[Task]:
        """Who waits for the pipe."""
        return self._pipe.waiters

    @property
    def closed(self) -> bool:
        """Whether this end was closed."""
        return not self._open

    @property
    def readable(self) -> bool:
        """Whether one can receive here."""
        return not self._writes

    @property
    def writable(self) -> bool:
        """Whether one can send here."""
        return self._writes

    def fileno(self) -> int:
        """A number for the end."""
        self._check()
        return 1_000 + self.serial

    def close(self) -> None:
        """Close this end."""
        k = kernel.running
        if k is None or k.over or self._epoch is not k or not self._open:
            return
        k.point("close", self._pipe.serial)
        if self._open:
            self.vanish()

    def vanish(self) -> None:
        """Close this end as the system does it when the process ends."""
        self._open = False
        self._process.ends.remove(self)
        if self._writes:
            self._pipe.writers -= 1
        else:
            self._pipe.readers -= 1
        k = kernel.running
        if k is not None:
            self._pipe.stir(k)

    def _check(self) -> None:
        if not self._open:
            raise OSError("handle is closed")

    # Sending.

    def send_bytes(self, buf: Any, offset: int = 0, size: int | None = None) -> None:  # noqa: ANN401 - any buffer
        """Send a message."""
        view = memoryview(buf).cast("B")
        body = bytes(view[offset:] if size is None else view[offset : offset + size])
        self._check()
        if not self._writes:
            raise OSError("connection is read-only")
        header = struct.pack("!i", len(body))
        if len(body) > _ONE_PIECE:
            self._write(header)
            self._write(body)
        else:
            self._write(header + body)

    def send(self, obj: object) -> None:
        """Send a pickled object."""
        from multiprocessing.reduction import ForkingPickler  # noqa: PLC0415 - not needed by thread pools

        self.send_bytes(ForkingPickler.dumps(obj))

    def _write(self, data: bytes) -> None:
        k, pipe = self._run(), self._pipe
        if k.over:
            return  # a finaliser's last message
        rest = memoryview(data)
        while rest:
            k.point("write", pipe.serial)
            while True:
                self._check()
                if not pipe.readers:
                    raise BrokenPipeError(32, "Broken pipe")
                room = CAPACITY - len(pipe.content)
                if room:
                    break
                self._await(k, "write", None)
            pipe.content += rest[:room]
            rest = rest[room:]
            pipe.stir(k)

    # Receiving.

    def recv_bytes(self, maxlength: int | None = None) -> bytes:
        """Receive a message, waiting for it."""
        self._check()
        if self._writes:
            raise OSError("connection is write-only")
        (size,) = struct.unpack("!i", self._read(4))
        if maxlength is not None and size > maxlength:
            raise OSError("bad message length")
        return self._read(size)

    def recv(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Receive a pickled object."""
        from multiprocessing.reduction import ForkingPickler  # noqa: PLC0415 - not needed by thread pools

        return ForkingPickler.loads(self.recv_bytes())

    def _read(self, size: int) -> bytes:
        k, pipe = self._run(), self._pipe
        got = io.BytesIO()
        missing = size
        while missing:
            k.point("read", pipe.serial)
            while not pipe.content:
                self._check()
                if not pipe.writers:
                    if missing == size:
                        raise EOFError
                    raise OSError("got end of file during message")
                self._await(k, "read", None)
            part = pipe.content[:missing]
            del pipe.content[:missing]
            got.write(part)
            missing -= len(part)
            pipe.stir(k)
        return got.getvalue()

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether there is something to receive, or the end of it; waits up to `timeout` seconds."""
        self._check()
        k = self._run()
        k.point("poll" if timeout != 0 else "try", self._pipe.serial)
        deadline = None if timeout is None or timeout < 0 else k.deadline(timeout)
        while not self.is_readable():
            if timeout == 0 or not self._await(k, "poll", deadline):
                k.current.spins += 1
                return False
        return True

    def is_readable(self) -> bool:
        """Whether reading would not block."""
        return bool(self._pipe.content) or not self._pipe.writers

    def _await(self, k: Kernel, op: str, deadline: int | None) -> bool:
        me, waiters = k.current, self._pipe.waiters
        in_time = k.block(op, self._pipe, waiters, deadline)
        waiters.remove(me)
        return in_time

    def _run(self) -> Kernel:
        k = kernel.running
        if k is None or self._epoch is not k:
            raise OSError("handle is closed")
        return k

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Say which end it is; without an address, since those differ from run to run."""
        return f"<Connection {'writer' if self._writes else 'reader'} of pipe {self._pipe.serial}>"


def make_pipe(*, duplex: bool = True) -> tuple[Connection, Connection]:
    """`multiprocessing.Pipe`, one way."""
    if duplex:
        raise NotImplementedError("the simulated world has no two-way pipes: use Pipe(duplex=False)")
    k = kernel.running
    if k is None:
        raise RuntimeError("a pipe can only be made in a run")
    process = k.current.process
    pipe = Pipe(k.serial())
    return Connection(pipe, process, writes=False), Connection(pipe, process, writes=True)


class Sentinel(int):
    """What becomes ready when a process ends: a number, as it is on POSIX, where it is a descriptor's."""

    process: Process

    def __new__(cls, process: Process) -> Self:
        """Stand for the end of a process."""
        sentinel = super().__new__(cls, process.pid)
        sentinel.process = process
        return sentinel

    @property
    def waiters(self) -> list[Task]:
        """Who waits for the end of the process."""
        return self.process.waiters

    def is_readable(self) -> bool:
        """Whether the process has ended."""
        return self.process.exitcode is not None

    def __repr__(self) -> str:
        """Name the process."""
        return f"<sentinel of {self.process.name}>"


def wait(object_list: Sequence[Any], timeout: float | None = None) -> list[Any]:
    """`multiprocessing.connection.wait`, for connections and sentinels."""
    k = kernel.running
    if k is None:
        return []
    things = list(object_list)
    k.point("wait", 0)
    deadline = None if timeout is None else k.deadline(timeout)
    me = k.current
    places = [thing.waiters for thing in things]
    while True:
        ready = [thing for thing in things if thing.is_readable()]
        if ready or (timeout is not None and timeout <= 0):
            return ready
        for place in places:
            place.append(me)
        in_time = k.block("wait", None, None, deadline)
        for place in places:
            if me in place:
                place.remove(me)
        if not in_time:
            return [thing for thing in things if thing.is_readable()]
