"""What the tests of the reference executor call in worker processes, and gates that hold it there."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import multiprocessing.queues


class Gate:
    """Two named pipes: at the one a task says that it has begun, at the other it waits to be let through."""

    def __init__(self, path: Path) -> None:
        """Make the pipes."""
        self._begun = f"{path}.begun"
        self._open = f"{path}.open"
        os.mkfifo(self._begun)
        os.mkfifo(self._open)

    def pass_through(self) -> int:
        """Tell the pid of this process, wait, and return it. For tasks."""
        self.announce()
        with Path(self._open).open() as pipe:
            pipe.read()
        return os.getpid()

    def announce(self) -> None:
        """Tell the pid, and wait for nothing. For tasks."""
        with Path(self._begun).open("w") as pipe:
            pipe.write(str(os.getpid()))

    def wait_until_reached(self) -> int:
        """Wait until a task is at the gate; return its pid."""
        with Path(self._begun).open() as pipe:
            return int(pipe.read())

    def open(self) -> None:
        """Let the task through, which must have reached the gate or be about to."""
        with Path(self._open).open("w"):
            pass


def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


def add(left: int, right: int = 0) -> int:
    """Return the sum."""
    return left + right


def fail(text: str) -> NoReturn:
    """Raise a ValueError from another error."""
    try:
        raise KeyError("inner")  # noqa: TRY301 - the chain is what is wanted
    except KeyError as error:
        raise ValueError(text) from error


def fail_at(number: int, bad: int) -> int:
    """Return the number, or raise a ValueError if it is the bad one."""
    if number == bad:
        raise ValueError(number)
    return number


def leave_at_once(code: int) -> NoReturn:
    """End the process without a word."""
    os._exit(code)


def kill_self(number: int) -> None:
    """End the process by a signal, without the traceback that pytest has faulthandler write."""
    import faulthandler  # noqa: PLC0415 - interpreters other than the main one do not have it

    faulthandler.disable()
    os.kill(os.getpid(), number)
    threading.Event().wait()


def pid() -> int:
    """Return the pid."""
    return os.getpid()


def call_hostile(error: type[BaseException]) -> NoReturn:
    """Raise something that is no Exception."""
    raise error


def payload(size: int) -> bytes:
    """Return so many bytes."""
    return bytes(size)


def size_of(data: bytes) -> int:
    """Return how many bytes there are."""
    return len(data)


def make(cls: type[Any]) -> Any:  # noqa: ANN401 - of that class
    """Return an instance."""
    return cls()


def raise_keyword_only() -> NoReturn:
    """Raise an exception that can be pickled, but not unpickled."""
    raise KeywordOnlyError(reason="pickled without it")


class HiddenError(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> NoReturn:
        """Refuse."""
        raise ArithmeticError("this exception refuses to be shown")

    __repr__ = __str__


def raise_hidden() -> NoReturn:
    """Raise an exception that cannot be shown."""
    raise HiddenError("no")


def raise_unpicklable() -> NoReturn:
    """Raise an exception that cannot be pickled."""
    raise UnpicklableError(lambda: None)


def ignore_sigterm(gate: Gate) -> int:
    """Wait at a gate, deaf to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return gate.pass_through()


def wait_for_interrupt(gate: Gate) -> NoReturn:
    """Wait for SIGINT.

    Not in `signal.pause`: a signal that comes just before that call would be waited for once more.
    """
    awake, asleep = os.pipe()
    os.set_blocking(asleep, False)
    before = signal.set_wakeup_fd(asleep)
    try:
        gate.announce()
        os.read(awake, 1)
        raise AssertionError("a signal came, and no exception with it")
    finally:
        signal.set_wakeup_fd(before)
        os.close(awake)
        os.close(asleep)


class KeywordOnlyError(Exception):
    """Pickles with its positional arguments, which are not enough to make it again."""

    def __init__(self, *, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)


class UnpicklableError(Exception):
    """Holds what cannot be pickled."""


class NoPickle:
    """Cannot be pickled."""

    def __reduce__(self) -> NoReturn:
        """Refuse."""
        raise TypeError("not to be pickled")


class NoUnpickle:
    """Can be pickled, but not unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Become something that raises."""
        return fail, ("not to be unpickled",)


class ExitOnUnpickle:
    """Ends the interpreter where it is unpickled — or would, if that were let happen."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Become a call of sys.exit."""
        return sys.exit, (3,)


class HeldInPickle:
    """Waits at a gate while it is pickled."""

    def __init__(self, gate: Gate) -> None:
        """Keep the gate."""
        self.gate = gate

    def __reduce__(self) -> tuple[Any, ...]:
        """Wait."""
        self.gate.pass_through()
        return int, (1,)


class HeldInUnpickle:
    """Waits at a gate while it is unpickled."""

    def __init__(self, gate: Gate) -> None:
        """Keep the gate."""
        self.gate = gate

    def __reduce__(self) -> tuple[Any, ...]:
        """Become the number of the process that waited."""
        return Gate.pass_through, (self.gate,)


class FalsyError(Exception):
    """An exception that is false."""

    def __bool__(self) -> bool:
        """Say so."""
        return False


def raise_falsy() -> NoReturn:
    """Raise a falsy exception."""
    raise FalsyError("seen")


initialized: list[Any] = []


def initialize(*values: object) -> None:
    """Be an initializer that leaves a trace."""
    initialized.extend(values)


def tell_and_fail(queue: multiprocessing.queues.Queue[str]) -> NoReturn:
    """Be an initializer that fails, with something to say that is still under way."""
    queue.put("told")
    raise ValueError("bad start")


def fail_and_stay(gate: Gate) -> NoReturn:
    """Be an initializer that fails, and leaves a thread behind for which the process waits at its end."""
    threading.Thread(target=gate.pass_through).start()
    raise ValueError("bad start")


def initialized_with() -> list[Any]:
    """Return what the initializer was called with."""
    return initialized


def fork_and_stay(gate: Gate) -> int:
    """Leave a child behind that has no business with the pool, and end when the gate opens."""
    child = os.fork()
    if child == 0:
        gate.pass_through()
        os._exit(0)
    return child
