"""Simulated pipes: 64 KiB, end of file and broken pipe by their open ends, `Connection` on top of them.

A message is written and read as the standard library does it: a header, then the body, in as many pieces as
the pipe has room for. A process that is killed in between leaves a torn message behind.
"""

from __future__ import annotations

import errno
import io
import struct
from multiprocessing import BufferTooShort
from typing import TYPE_CHECKING, Any, Final, Self

from harness.arenas.simulated import kernel
from harness.arenas.simulated.facades import refuse, refuse_use
from harness.arenas.simulated.pickling import ForkingPickler
from harness.arenas.simulated.thread_layer import Primitive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Process, Task

CAPACITY: Final = 65_536
ATOMIC: Final = 4_096  # PIPE_BUF: a write of so many bytes happens at once or not at all
_ONE_PIECE: Final = 16_384  # a message up to this size is written together with its header
_FIRST_DESCRIPTOR: Final = 1_000


class Pipe:
    """The bytes between two ends, and how many hold these ends."""

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


class End:
    """A process's descriptor of one end of a pipe.

    As in the system, a call that is under way keeps the end open when it is closed.
    """

    __slots__ = ("calls", "is_open", "pipe", "process", "writes")

    def __init__(self, pipe: Pipe, process: Process, *, writes: bool) -> None:
        """Open an end in a process."""
        self.pipe = pipe
        self.process = process
        self.writes = writes
        self.is_open = True
        self.calls = 0
        process.ends.append(self)
        self._count(1)

    def close(self) -> None:
        """Close it: by its owner, or by the system when the process ends."""
        self.is_open = False
        if not self.calls or self.process.ended:
            self._vanish()

    def wait(self, k: Kernel, op: str) -> None:
        """Wait for a change of the pipe, in a call that keeps the end open."""
        self.calls += 1
        k.block(op, self.pipe, self.pipe.waiters, None)
        self.pipe.waiters.remove(k.current)
        self.calls -= 1
        if not self.calls and not self.is_open:
            self._vanish()

    def is_readable(self) -> bool:
        """Whether a call here would not block, or fail at once; for an end to write to, only the latter."""
        pipe = self.pipe
        return not pipe.readers if self.writes else bool(pipe.content) or not pipe.writers

    def _vanish(self) -> None:
        self.process.ends.remove(self)
        self._count(-1)
        k = kernel.running
        if k is not None:
            self.pipe.stir(k)

    def _count(self, change: int) -> None:
        k = kernel.running
        if k is not None:
            k.touch(self.pipe.serial)
        if self.writes:
            self.pipe.writers += change
        else:
            self.pipe.readers += change


class Connection(Primitive):
    """One end of a pipe, in one process: `multiprocessing.connection.Connection`, one way."""

    __slots__ = ("_end", "_pipe", "_readable", "_writable")

    def __init__(self, pipe: Pipe, process: Process, *, writes: bool) -> None:
        """Open an end in a process."""
        super().__init__()
        self._pipe = pipe
        self._end: End | None = End(pipe, process, writes=writes)
        self._readable = not writes
        self._writable = writes

    def copy_into(self, process: Process) -> Connection:
        """The same end in another process, as `fork` and pickling hand it over."""
        return Connection(self._pipe, process, writes=self._opened().writes)

    # State.

    @property
    def waiters(self) -> list[Task]:
        """Who waits for the pipe."""
        return self._pipe.waiters

    @property
    def target(self) -> int:
        """The number of the pipe, which operations at both ends name."""
        return self._pipe.serial

    @property
    def closed(self) -> bool:
        """Whether this end was closed."""
        return self._end is None

    @property
    def readable(self) -> bool:
        """Whether one can receive here."""
        return self._readable

    @property
    def writable(self) -> bool:
        """Whether one can send here."""
        return self._writable

    def fileno(self) -> int:
        """A number for the end."""
        self._opened()
        return _FIRST_DESCRIPTOR + self.serial

    def is_readable(self) -> bool:
        """Whether it is ready for `wait`; one that was closed meanwhile stays what it was."""
        return self._end is not None and self._end.is_readable()

    def close(self) -> None:
        """Close this end."""
        k = kernel.running
        if k is None or k.over or self._epoch is not k or self._end is None:
            return
        k.point("close", self._pipe.serial)
        self._let_go()

    def __del__(self) -> None:
        """Close it with the last reference to it."""
        k = kernel.running
        if k is not None and not k.over and self._epoch is k:
            self._let_go()

    def _let_go(self) -> None:
        end, self._end = self._end, None
        if end is not None and end.is_open:
            end.close()

    def _opened(self) -> End:
        end = self._end
        if end is None or self._epoch is not kernel.running:
            raise OSError("handle is closed")
        return end

    def _check_readable(self) -> None:
        self._opened()
        if not self._readable:
            raise OSError("connection is write-only")

    def _check_writable(self) -> None:
        self._opened()
        if not self._writable:
            raise OSError("connection is read-only")

    # Sending.

    def send_bytes(self, buf: Any, offset: int = 0, size: int | None = None) -> None:  # noqa: ANN401 - any buffer
        """Send a message."""
        self._check_writable()
        view = memoryview(buf)
        if view.itemsize > 1:
            view = view.cast("B")
        if offset < 0:
            raise ValueError("offset is negative")
        if view.nbytes < offset:
            raise ValueError("buffer length < offset")
        if size is None:
            size = view.nbytes - offset
        elif size < 0:
            raise ValueError("size is negative")
        elif offset + size > view.nbytes:
            raise ValueError("buffer length < offset + size")
        self._send(bytes(view[offset : offset + size]))

    def send(self, obj: object) -> None:
        """Send a pickled object."""
        self._check_writable()
        self._send(bytes(ForkingPickler.dumps(obj)))

    def _send(self, body: bytes) -> None:
        header = struct.pack("!i", len(body))
        if len(body) > _ONE_PIECE:
            self._write(header)
            self._write(body)
        else:
            self._write(header + body)

    def _write(self, data: bytes) -> None:
        k = kernel.running
        if k is None or k.over:
            return  # a finaliser's last message
        rest = memoryview(data)
        while rest:
            k.point("write", self._pipe.serial)
            if self._end is None:  # closed by another thread since the check
                raise TypeError("'NoneType' object cannot be interpreted as an integer")
            rest = rest[self._write_some(k, self._end, rest) :]

    def _write_some(self, k: Kernel, end: End, data: memoryview) -> int:
        """The system call: returns when something was written, and how much of it."""
        pipe = end.pipe
        while True:
            if not pipe.readers:
                raise BrokenPipeError(errno.EPIPE, "Broken pipe")
            room = CAPACITY - len(pipe.content)
            if room and (len(data) > ATOMIC or len(data) <= room):
                break
            end.wait(k, "write")
        pipe.content += data[:room]
        pipe.stir(k)
        return room

    # Receiving.

    def recv_bytes(self, maxlength: int | None = None) -> bytes:
        """Receive a message, waiting for it."""
        self._check_readable()
        if maxlength is not None and maxlength < 0:
            raise ValueError("negative maxlength")
        message = self._receive(maxlength)
        if message is None:
            self.close()
            raise OSError("bad message length")
        return message

    def recv_bytes_into(self, buf: Any, offset: int = 0) -> int:  # noqa: ANN401 - any buffer
        """Receive a message into a buffer; returns its length in bytes."""
        self._check_readable()
        with memoryview(buf) as view, view.cast("B") as place:
            if offset < 0:
                raise ValueError("negative offset")
            if offset > place.nbytes:
                raise ValueError("offset too large")
            message = self._receive() or b""
            if place.nbytes < offset + len(message):
                raise BufferTooShort(message)
            place[offset : offset + len(message)] = message
            return len(message)

    def recv(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Receive a pickled object."""
        self._check_readable()
        return ForkingPickler.loads(self._receive() or b"")

    def _receive(self, maxlength: int | None = None) -> bytes | None:
        (size,) = struct.unpack("!i", self._read(4))
        if maxlength is not None and size > maxlength:
            return None
        return self._read(size)

    def _read(self, size: int) -> bytes:
        k = kernel.running
        if k is None or k.over:
            raise OSError("handle is closed")
        end = self._opened()
        got = io.BytesIO()
        missing = size
        while missing:
            k.point("read", end.pipe.serial)
            if not end.is_open:  # closed by another thread since the check
                raise OSError(errno.EBADF, "Bad file descriptor")
            part = self._read_some(k, end, missing)
            if not part and missing == size:
                raise EOFError
            if not part:
                raise OSError("got end of file during message")
            got.write(part)
            missing -= len(part)
        return got.getvalue()

    def _read_some(self, k: Kernel, end: End, most: int) -> bytes:
        """The system call: returns what there is, nothing at the end of the file."""
        pipe = end.pipe
        while not pipe.content:
            if not pipe.writers:
                return b""
            end.wait(k, "read")
        part = bytes(pipe.content[:most])
        del pipe.content[:most]
        pipe.stir(k)
        return part

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether there is something to receive, or the end of it; waits up to `timeout` seconds."""
        self._check_readable()
        return bool(wait([self], timeout))

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Say which end it is; without an address, since those differ from run to run."""
        return f"<Connection {'writer' if self._writable else 'reader'} of pipe {self._pipe.serial}>"


def make_pipe(duplex: bool = True) -> tuple[Connection, Connection]:  # noqa: FBT001, FBT002 - as `multiprocessing`
    """`multiprocessing.Pipe`, one way."""
    if duplex:
        refuse("a two-way pipe cannot be simulated; Pipe(duplex=False) can")
    k = kernel.running
    if k is None:
        refuse("a pipe cannot be made outside of a run of the simulated world")
    process = k.current.process
    pipe = Pipe(k.serial())
    return Connection(pipe, process, writes=False), Connection(pipe, process, writes=True)


class Sentinel(int):
    """What becomes ready when a process ends: a number, as it is on POSIX, where it is a descriptor's.

    It is ready as soon as the process's descriptors are closed, before its parent can see its exit code; with
    `shows_exitcode` only then, since a fork server sends the exit code through it.
    """

    process: Process
    shows_exitcode: bool

    def __new__(cls, process: Process, *, shows_exitcode: bool) -> Self:
        """Stand for the end of a process."""
        sentinel = super().__new__(cls, process.pid)
        sentinel.process = process
        sentinel.shows_exitcode = shows_exitcode
        return sentinel

    @property
    def waiters(self) -> list[Task]:
        """Who waits for the end of the process."""
        return self.process.joiners if self.shows_exitcode else self.process.waiters

    @property
    def target(self) -> int:
        """The number of the process as an object of operations."""
        return self.process.serial

    def fileno(self) -> int:
        """A number for it."""
        return int(self)

    def is_readable(self) -> bool:
        """Whether the process has ended."""
        return self.process.exitcode is not None if self.shows_exitcode else self.process.ended

    def __repr__(self) -> str:
        """Name the process."""
        return f"<sentinel of {self.process.name}>"


def wait(object_list: Sequence[Any], timeout: float | None = None) -> list[Any]:
    """`multiprocessing.connection.wait`: those connections and sentinels that are ready, in their order."""
    k = kernel.running
    if k is None:
        refuse("one cannot wait for pipes outside of a run of the simulated world")
    things = list(object_list)
    for thing in things:
        if not isinstance(thing, Connection | Sentinel):
            refuse_use(f"waiting for {thing!r}")
    at_once = timeout is not None and timeout <= 0
    k.point("try" if at_once else "wait", things[0].target if len(things) == 1 else 0)
    for thing in things:
        thing.fileno()  # which it has no more if it was closed
        k.touch(thing.target)
    places = [thing.waiters for thing in things]
    deadline = None if timeout is None else k.deadline(timeout)
    ready = [thing for thing in things if thing.is_readable()]
    while not ready and not at_once and _wait_at(k, places, deadline):
        for thing in things:
            k.touch(thing.target)
        ready = [thing for thing in things if thing.is_readable()]
    k.current.spins += not ready and at_once
    return ready or [thing for thing in things if thing.is_readable()]


def _wait_at(k: Kernel, places: list[list[Task]], deadline: int | None) -> bool:
    """Wait until one of several things changes; False after the deadline."""
    me = k.current
    for place in places:
        place.append(me)
    in_time = k.block("wait", None, None, deadline)
    for place in places:
        place.remove(me)
    return in_time
