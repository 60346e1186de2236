"""Litmus programs of processes: pipes, semaphores, kills, and how a process ends."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from tests.simulated.litmus import SECOND, SOON, STUCK, Catalogue, Modules, Scenario, answer

if TYPE_CHECKING:
    from collections.abc import Callable

CATALOGUE: Final = Catalogue()
litmus = CATALOGUE.litmus

_BIG: Final = 100_000  # bytes, more than a pipe holds
_SMALL_HEADER: Final = struct.pack("!i", 3) + b"odd"  # the beginning of a body that looks like a message
_KILLED: Final = -9


def _start(m: Modules, target: Callable[..., object], *args: object) -> Any:  # noqa: ANN401 - a process, real or of the world
    process = m.context.Process(target=target, args=args)
    process.start()
    return process


def _send(writer: Any, message: bytes = b"message") -> None:  # noqa: ANN401 - a connection, real or of the world
    writer.send_bytes(message)


def _received(reader: Any) -> object:  # noqa: ANN401 - a connection, real or of the world
    return answer(reader.recv_bytes)


# Ends.


@litmus({(None, 0), (0, 0)}, preemptions=2, kills=1)
def a_sentinel_is_ready_before_the_exit_code_shows(m: Modules) -> Scenario:
    """The system closes the descriptors first."""

    def watch() -> tuple[object, object]:
        process = _start(m, m.step)
        m.connection.wait([process.sentinel])
        early = process.exitcode
        process.join()
        return early, process.exitcode

    return Scenario((watch,), lambda said: said[0])


@litmus({(True, _KILLED), (False, _KILLED)}, preemptions=2, kills=1)
def a_kill_takes_its_time(m: Modules) -> Scenario:
    """Killed is not dead yet."""
    reader, writer = m.context.Pipe(duplex=False)

    def kill() -> tuple[bool, object]:
        process = _start(m, _receive_for_ever, reader)
        process.kill()
        alive = process.is_alive()
        process.join()
        writer.close()
        return alive, process.exitcode

    return Scenario((kill,), lambda said: said[0])


def _receive_for_ever(reader: Any) -> None:  # noqa: ANN401 - a connection, real or of the world
    while True:
        reader.recv_bytes()


@litmus({0, _KILLED}, preemptions=2, kills=1)
def a_kill_may_come_too_late(m: Modules) -> Scenario:
    """The process ends by itself."""

    def kill() -> object:
        process = _start(m, m.step)
        process.kill()
        process.join()
        return process.exitcode

    return Scenario((kill,), lambda said: said[0])


@litmus({("EOFError", _KILLED)}, preemptions=2, kills=1)
def nothing_comes_after_a_kill_of_oneself(m: Modules) -> Scenario:
    """It strikes before `os.kill` returns."""

    def die(writer: Any) -> None:  # noqa: ANN401 - a connection, real or of the world
        m.os.kill(m.os.getpid(), 9)
        _send(writer)

    return Scenario((_received_from(m, die),), lambda said: said[0])


def _received_from(
    m: Modules, target: Callable[[Any], object], *, early: Callable[[Any], None] = lambda _process: None
) -> Callable[[], tuple[object, object]]:
    """Start a process with the end of a pipe; what is received at the other end, and its exit code."""

    def run() -> tuple[object, object]:
        reader, writer = m.context.Pipe(duplex=False)
        process = _start(m, target, writer)
        writer.close()
        early(process)
        got = _received(reader)
        process.join()
        return got, process.exitcode

    return run


@litmus({(b"message", 0)}, preemptions=2, kills=1)
def a_process_waits_for_its_threads(m: Modules) -> Scenario:
    """What a thread that is no daemon sends, arrives."""

    def leave(writer: Any) -> None:  # noqa: ANN401 - a connection, real or of the world
        m.threading.Thread(target=_send, args=(writer,), daemon=False).start()

    return Scenario((_received_from(m, leave),), lambda said: said[0])


@litmus({(b"message", 0), ("EOFError", 0)}, preemptions=2, kills=1)
def a_process_does_not_wait_for_daemons(m: Modules) -> Scenario:
    """What a thread that is a daemon sends, arrives or not."""

    def leave(writer: Any) -> None:  # noqa: ANN401 - a connection, real or of the world
        m.threading.Thread(target=_send, args=(writer,), daemon=True).start()

    return Scenario((_received_from(m, leave),), lambda said: said[0])


@litmus({(b"message", 5), ("EOFError", 5)}, preemptions=2, kills=1)
def any_thread_can_end_its_process(m: Modules) -> Scenario:
    """`os._exit` in a thread, while the main one sends."""

    def leave(writer: Any) -> None:  # noqa: ANN401 - a connection, real or of the world
        thread = m.threading.Thread(target=m.os._exit, args=(5,))  # noqa: SLF001 - it is public
        thread.start()
        _send(writer)
        thread.join()

    return Scenario((_received_from(m, leave),), lambda said: said[0])


@litmus({"item"}, preemptions=2, kills=1)
def what_was_put_is_flushed_at_the_end(m: Modules) -> Scenario:
    """A queue's feeder thread is a daemon, but a finalizer joins it."""

    def put_and_get() -> object:
        queue = m.context.Queue()
        process = _start(m, _put, queue)
        item = queue.get()
        process.join()
        return item

    return Scenario((put_and_get,), lambda said: said[0])


def _put(queue: Any) -> None:  # noqa: ANN401 - a queue, real or of the world
    queue.put("item")


# Pipes.


@litmus({("r",), ("r", "s")}, preemptions=2, kills=1)
def data_are_there_before_the_sentinel(m: Modules) -> Scenario:
    """A process sends, then ends: never is its end seen without the data."""

    def watch() -> tuple[str, ...]:
        reader, writer = m.context.Pipe(duplex=False)
        process = _start(m, _send, writer)
        ready = m.connection.wait([reader, process.sentinel])
        names = tuple("r" if each is reader else "s" for each in ready)
        process.join()
        return names

    return Scenario((watch,), lambda said: tuple(sorted(said[0])))  # type: ignore[call-overload]


@litmus({b"message", "EOFError"}, preemptions=2, kills=1)
def a_message_was_sent_before_the_kill_or_not(m: Modules) -> Scenario:
    """A small message arrives whole or not at all."""
    run = _received_from(m, _send, early=lambda process: process.kill())
    return Scenario((run,), lambda said: said[0][0])  # type: ignore[index]


@litmus({"EOFError", "OSError"}, preemptions=2, kills=1)
def a_big_message_is_torn_by_a_kill(m: Modules) -> Scenario:
    """It does not fit into the pipe, and nobody reads before the kill."""

    def tear() -> object:
        reader, writer = m.context.Pipe(duplex=False)
        process = _start(m, _send, writer, b"x" * _BIG)
        writer.close()
        process.kill()
        process.join()
        return _received(reader)

    return Scenario((tear,), lambda said: said[0])


@litmus({"whole", b"odd", "EOFError"}, preemptions=2, kills=1)
def a_reader_that_is_killed_leaves_the_rest(m: Modules) -> Scenario:
    """Nothing, the header or all of a message may be gone; what is left is read as if it were a message."""
    body = _SMALL_HEADER.ljust(5_000, b".")

    def leave() -> object:
        reader, writer = m.context.Pipe(duplex=False)
        process = _start(m, reader.recv_bytes)
        _send(writer, body)
        process.kill()
        process.join()
        writer.close()
        got = _received(reader)
        return "whole" if got == body else got

    return Scenario((leave,), lambda said: said[0])


@litmus({(b"message", False, "EOFError")}, preemptions=2, kills=1)
def a_pipe_ends_with_its_last_writer(m: Modules) -> Scenario:
    """One of two writers has ended: the pipe is empty, but not at its end."""

    def watch() -> tuple[object, bool, object]:
        reader, writer = m.context.Pipe(duplex=False)
        gate, opener = m.context.Pipe(duplex=False)
        first = _start(m, _send, writer)
        second = _start(m, _hold, gate, writer)
        writer.close()
        first.join()
        got, ended = _received(reader), reader.poll(0)
        _send(opener)
        second.join()
        return got, ended, _received(reader)

    return Scenario((watch,), lambda said: said[0])


def _hold(gate: Any, end: Any) -> None:  # noqa: ANN401 - connections, real or of the world
    gate.recv_bytes()
    end.close()


@litmus({(b"message", "open")}, preemptions=2)
def a_process_closes_its_own_ends_only(m: Modules) -> Scenario:
    """Those that it knows from the function in which its own was made as well."""

    def close() -> tuple[object, str]:
        reader, writer = m.context.Pipe(duplex=False)
        ends = [reader, {"writer": writer}]

        def send_and_close() -> None:
            _send(writer)
            reader.close()
            ends[1]["writer"].close()

        process = _start(m, send_and_close)
        process.join()
        return reader.recv_bytes(), "closed" if reader.closed or writer.closed else "open"

    return Scenario((close,), lambda said: said[0])


@litmus({"BrokenPipeError"}, preemptions=2, kills=1)
def a_pipe_breaks_without_readers(m: Modules) -> Scenario:
    """The only reader has ended."""

    def send() -> object:
        reader, writer = m.context.Pipe(duplex=False)
        process = _start(m, reader.poll, 0)
        reader.close()
        process.join()
        return answer(lambda: _send(writer))

    return Scenario((send,), lambda said: said[0])


@litmus({"BrokenPipeError"}, preemptions=2, kills=1)
def a_writer_that_waits_learns_that_a_pipe_breaks(m: Modules) -> Scenario:
    """The only reader is killed while another fills the pipe."""

    def send() -> object:
        reader, writer = m.context.Pipe(duplex=False)
        gate, opener = m.context.Pipe(duplex=False)
        process = _start(m, _hold, gate, reader)
        reader.close()
        process.kill()
        got = answer(lambda: _send(writer, b"x" * _BIG))
        process.join()
        opener.close()
        return got

    return Scenario((send,), lambda said: said[0])


@litmus({(b"a", b"b"), (b"b", b"a")}, preemptions=2, kills=1)
def small_messages_do_not_mix(m: Modules) -> Scenario:
    """Two write to a pipe without a lock."""

    def read() -> tuple[object, object]:
        reader, writer = m.context.Pipe(duplex=False)
        both = [_start(m, _send, writer, name) for name in (b"a", b"b")]
        got = _received(reader), _received(reader)
        for process in both:
            process.join()
        return got

    return Scenario((read,), lambda said: said[0])


@litmus({True, False}, preemptions=1, ticks=1)
def a_poll_may_give_up(m: Modules) -> Scenario:
    """Something comes, but perhaps not soon."""
    reader, writer = m.context.Pipe(duplex=False)
    return Scenario((lambda: reader.poll(SOON), lambda: _send(writer)), lambda said: said[0])


@litmus({"message", "OSError"}, real=False)
def a_read_that_has_begun_survives_a_close(m: Modules) -> Scenario:
    """Another thread closes the end. Once it waits, what comes is read, but then it is a bad descriptor."""
    reader, writer = m.context.Pipe(duplex=False)

    return Scenario(
        (lambda: reader.recv_bytes().decode(), reader.close, lambda: _send(writer)), lambda said: said[0]
    )


# Semaphores.


@litmus({"ab", "ba"}, preemptions=1)
def a_lock_keeps_processes_apart(m: Modules) -> Scenario:
    """Each writes two parts under the lock."""

    def read() -> str:
        reader, writer = m.context.Pipe(duplex=False)
        lock = m.context.Lock()
        both = [_start(m, _send_twice, lock, writer, name) for name in (b"a", b"b")]
        got = b"".join(reader.recv_bytes() for _ in range(4)).decode()
        for process in both:
            process.join()
        return got[0] + got[2] if got[0] == got[1] and got[2] == got[3] else f"mixed: {got}"

    return Scenario((read,), lambda said: said[0])


def _send_twice(lock: Any, writer: Any, part: bytes) -> None:  # noqa: ANN401 - a lock and a connection
    with lock:
        writer.send_bytes(part)
        writer.send_bytes(part)


@litmus({True, False}, preemptions=2, kills=1)
def a_lock_is_lost_with_its_holder(m: Modules) -> Scenario:
    """Killed while it has the lock, or before, or after."""

    def kill() -> bool:
        lock = m.context.Lock()
        process = _start(m, _use, lock)
        process.kill()
        process.join()
        free: bool = lock.acquire(timeout=SOON)
        return free

    return Scenario((kill,), lambda said: said[0])


@litmus({True}, preemptions=2, kills=1)
def a_lock_of_threads_is_not_lost_with_another_process(m: Modules) -> Scenario:
    """A process has its own, even of one that it knows from its parent."""

    def kill() -> bool:
        lock = m.threading.Lock()
        process = _start(m, _use_for_a_while, m, lock)
        process.kill()
        process.join()
        free: bool = lock.acquire(timeout=SECOND)
        return free

    return Scenario((kill,), lambda said: said[0])


def _use_for_a_while(m: Modules, lock: Any) -> None:  # noqa: ANN401 - a lock, real or of the world
    with lock:
        m.step()


@litmus({(False, "MainThread", True)}, preemptions=1)
def the_first_thread_of_a_process_is_its_main_thread(m: Modules) -> Scenario:
    """Though another one started it."""

    def look(queue: Any) -> None:  # noqa: ANN401 - a queue, real or of the world
        here, main = m.threading.current_thread(), m.threading.main_thread()
        queue.put((main.ident is None, "MainThread" if here is main else here.name, here.is_alive()))

    def ask() -> object:
        queue = m.context.SimpleQueue()
        process = _start(m, look, queue)
        seen = queue.get()
        process.join()
        return seen

    return Scenario((ask,), lambda said: said[0])


def _use(lock: Any) -> None:  # noqa: ANN401 - a lock, real or of the world
    with lock:
        pass


@litmus(
    {("EOFError", True), ("EOFError", False), (b"message", False), (b"message", True)}, preemptions=2, kills=1
)
def a_message_may_arrive_and_its_lock_be_lost(m: Modules) -> Scenario:
    """Killed after the write and before the release: the writer of a shared pipe, seen from both sides."""

    def kill() -> tuple[object, bool]:
        reader, writer = m.context.Pipe(duplex=False)
        lock = m.context.Lock()
        process = _start(m, _send_with, lock, writer)
        writer.close()
        process.kill()
        process.join()
        return _received(reader), lock.acquire(timeout=SOON)

    return Scenario((kill,), lambda said: said[0])


def _send_with(lock: Any, writer: Any) -> None:  # noqa: ANN401 - a lock and a connection
    with lock:
        _send(writer)


@litmus({"done"}, preemptions=2, kills=1)
def a_semaphore_hands_on_between_processes(m: Modules) -> Scenario:
    """One process waits for another."""

    def run() -> str:
        semaphore = m.context.Semaphore(0)
        waiting = _start(m, semaphore.acquire)
        posting = _start(m, semaphore.release)
        waiting.join()
        posting.join()
        return "done"

    return Scenario((run,), lambda said: said[0])


@litmus({(True, 0)}, preemptions=2, kills=1)
def an_event_is_shared_by_processes(m: Modules) -> Scenario:
    """Set by the child."""

    def run() -> tuple[bool, object]:
        event = m.context.Event()
        process = _start(m, event.set)
        seen = event.wait()
        process.join()
        return seen, process.exitcode

    return Scenario((run,), lambda said: said[0])


@litmus({STUCK, "done"}, preemptions=1, kills=1)
def a_lock_that_is_lost_stops_the_others(m: Modules) -> Scenario:
    """The killed holder's survivor waits for ever, and so does whoever joins it."""

    def run() -> str:
        lock = m.context.Lock()
        victim, survivor = _start(m, _use, lock), _start(m, _use, lock)
        victim.kill()
        survivor.join()
        return "done"

    return Scenario((run,), lambda said: said[0])
