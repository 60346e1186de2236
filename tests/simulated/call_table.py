"""Functions of the C layer, called too early, too late or with the wrong things, and how processes end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from tests.simulated.call_sequences import SHORT, attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulated.litmus import Modules


def _pipe(m: Modules) -> Any:  # noqa: ANN401 - two connections
    return m.context.Pipe(duplex=False)


def _not_started(m: Modules) -> Any:  # noqa: ANN401 - a process
    return m.context.Process(target=m.step, name="it")


def _joined(m: Modules) -> Any:  # noqa: ANN401 - a process
    process = _not_started(m)
    process.start()
    process.join()
    return process


def _ended_by(target: Callable[[Modules], object]) -> Callable[[Modules], object]:
    def ended_by(m: Modules) -> object:
        process = m.context.Process(target=target, args=(m,))
        process.start()
        process.join()
        return process.exitcode

    return ended_by


def _raise(error: BaseException) -> Callable[[Modules], None]:
    def throw(_: Modules) -> None:
        raise error

    return throw


class _Own:
    """Makes a process of a subclass that does what it likes."""

    def __init__(self, m: Modules) -> None:
        self.m = m

    def exitcode(self) -> object:
        m = self.m

        class Own(m.context.Process):  # type: ignore[misc,name-defined]  # modules have no types
            def run(self) -> None:
                m.os._exit(11)  # noqa: SLF001 - it is public

        process = Own()
        process.start()
        process.join()
        return process.exitcode


def _exit_in_thread(m: Modules) -> None:
    thread = m.threading.Thread(target=m.os._exit, args=(12,))  # noqa: SLF001 - it is public
    thread.start()
    thread.join()


def _child_that_joins(m: Modules, get: Callable[[Modules], Any], method: str) -> object:
    """What a method of a process object does in another process than its parent."""
    reader, writer = _pipe(m)
    process = get(m)

    def try_it() -> None:
        writer.send(attempt(getattr(process, method)))

    other = m.context.Process(target=try_it)
    other.start()
    answer = reader.recv()
    other.join()
    return answer


def _grandchild_of_a_daemon(m: Modules) -> object:
    reader, writer = _pipe(m)

    def try_it() -> None:
        writer.send(attempt(_not_started(m).start))

    daemon = m.context.Process(target=try_it, daemon=True)
    daemon.start()
    answer = reader.recv()
    daemon.join()
    return answer


def _about_children(m: Modules) -> object:
    reader, writer = _pipe(m)
    process = m.context.Process(target=reader.recv)
    process.start()
    before = [each is process for each in m.multiprocessing.active_children()]
    writer.send(None)
    process.join()
    return before, m.multiprocessing.active_children()


def _names(m: Modules) -> object:
    process = _not_started(m)
    process.name = "other"
    return (
        process.name,
        process.daemon,
        process.exitcode,
        process.pid,
        m.multiprocessing.current_process().name,
    )


def _default_name(m: Modules) -> object:
    name = m.context.Process().name
    return name.rstrip("0123456789")


def _finalizers(m: Modules) -> object:
    """A process runs its finalizers by priority, the youngest first, and only those that have one."""
    reader, writer = _pipe(m)

    def register() -> None:
        for number, priority in enumerate((1, 10, -5, None, 1)):
            m.util.Finalize(writer, writer.send, args=((number, priority),), exitpriority=priority)

    process = m.context.Process(target=register)
    process.start()
    process.join()
    return [reader.recv() for _ in range(4)], reader.poll(0)


def _order(m: Modules) -> object:
    pairs = [_pipe(m) for _ in range(3)]
    for _, writer in pairs[::-2]:
        writer.send(1)
    readers = [reader for reader, _ in pairs]
    return [readers.index(each) for each in m.connection.wait(readers[::-1], 0)]


TABLE: Final[dict[str, Callable[[Modules], object]]] = {
    "sleep less than nothing": lambda m: m.time.sleep(-1),
    "sleep for a word": lambda m: m.time.sleep("long"),
    "sleep for no number": lambda m: m.time.sleep(float("nan")),
    "sleep for nothing": lambda m: m.time.sleep(0),
    "start a thread without a function": lambda m: m.thread.start_new_thread(None, ()),
    "start a thread without a tuple": lambda m: m.thread.start_new_thread(print, []),
    "start a thread with a list of names": lambda m: m.thread.start_new_thread(print, (), []),
    "join a thread before its start": lambda m: m.threading.Thread().join(),
    "join oneself": lambda m: m.threading.current_thread().join(),
    "start a thread twice": lambda m: [each() for each in [m.threading.Thread(target=int).start] * 2],
    "a local with arguments": lambda m: m.threading.local(1),
    "what things are": lambda m: [
        type(each).__name__ for each in (m.threading.Lock(), m.threading.RLock(), m.queue.SimpleQueue())
    ],
    "a generic queue": lambda m: str(m.queue.SimpleQueue[int]).rpartition(".")[2],
    "exit a thread": lambda m: m.thread.exit.__name__ != "",
    "a signal to nobody": lambda m: m.os.kill(2**22 + 1, 9),
    "a finalizer without anything": lambda m: m.util.Finalize(None, print),
    "a finalizer with a wrong priority": lambda m: m.util.Finalize(None, print, exitpriority="high"),
    "finalizers in order": _finalizers,
    # Processes that have not started, or have ended.
    "join too early": lambda m: _not_started(m).join(),
    "kill too early": lambda m: _not_started(m).kill(),
    "terminate too early": lambda m: _not_started(m).terminate(),
    "the sentinel too early": lambda m: _not_started(m).sentinel,
    "alive too early": lambda m: _not_started(m).is_alive(),
    "close too early": lambda m: _not_started(m).close(),
    "names": _names,
    "a default name": _default_name,
    "a name that is none": lambda m: setattr(_not_started(m), "name", 1),
    "a daemon too late": lambda m: setattr(_joined(m), "daemon", True),
    "start again": lambda m: _joined(m).start(),
    "join again": lambda m: _joined(m).join(0),
    "alive too late": lambda m: _joined(m).is_alive(),
    "kill too late": lambda m: _joined(m).kill(),
    "a group": lambda m: m.context.Process(group="group"),
    "closed, then asked": lambda m: [(p.close(), p.close(), p.is_alive()) for p in [_joined(m)]],
    "an unknown context": lambda m: m.multiprocessing.get_context("telepathy"),
    "children": _about_children,
    "join the child of another": lambda m: _child_that_joins(m, _joined, "join"),
    "ask about the child of another": lambda m: _child_that_joins(m, _joined, "is_alive"),
    "start the child of another": lambda m: _child_that_joins(m, _not_started, "start"),
    "daemons have no children": _grandchild_of_a_daemon,
    # How they end.
    "ended by its return": _ended_by(lambda _: 5),
    "ended by an error": _ended_by(_raise(ValueError("it"))),
    "ended by an exit": _ended_by(_raise(SystemExit())),
    "ended by an exit with a number": _ended_by(_raise(SystemExit(3))),
    "ended by an exit with a great number": _ended_by(_raise(SystemExit(259))),
    "ended by an exit with a negative number": _ended_by(_raise(SystemExit(-1))),
    "ended by an exit with a word": _ended_by(_raise(SystemExit("word"))),
    "ended by an interrupt": _ended_by(_raise(KeyboardInterrupt())),
    "ended by _exit": _ended_by(lambda m: m.os._exit(7)),  # noqa: SLF001 - it is public
    "ended by _exit with a great number": _ended_by(lambda m: m.os._exit(263)),  # noqa: SLF001 - the same
    "ended by _exit in a thread": _ended_by(_exit_in_thread),
    "ended by a signal to itself": _ended_by(lambda m: m.os.kill(m.os.getpid(), 9)),
    "ended by a softer signal": _ended_by(lambda m: m.os.kill(m.os.getpid(), 15)),
    "not ended by a signal that is ignored": _ended_by(lambda m: m.os.kill(m.os.getpid(), 18)),
    "ended by a subclass": lambda m: _Own(m).exitcode(),
    # Waiting.
    "wait for nothing": lambda m: m.connection.wait([], 0),
    "wait for what is not there": lambda m: m.connection.wait([_pipe(m)[0]], SHORT) is not None,
    "wait for what is closed": lambda m: [(r.close(), m.connection.wait([r], 0)) for r, _ in [_pipe(m)]],
    "wait for a writer": lambda m: [m.connection.wait([w], 0) for _, w in [_pipe(m)]],
    "wait for a writer of a broken pipe": lambda m: [
        (r.close(), m.connection.wait([w], 0) == [w]) for r, w in [_pipe(m)]
    ],
    "wait in order": _order,
}


def main() -> None:
    """Print what all of them give for real, as JSON."""
    from tests.simulated.litmus_real import modules  # noqa: PLC0415 - only here

    made_of = modules()
    json.dump({name: attempt(lambda each=each: each(made_of)) for name, each in TABLE.items()}, sys.stdout)  # type: ignore[misc]  # a default


if __name__ == "__main__":
    main()
