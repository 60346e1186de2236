"""Calls on one primitive, one after another: what each of them returns or raises.

Values that differ from run to run or from world to world (numbers of descriptors and threads, addresses) are
never part of an answer.
"""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.simulated.play import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.simulated.litmus import Modules

SHORT: Final = 0.001
"""A timeout that always runs out, since there is nobody else."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method, or a function of the primitive, and its arguments."""

    method: str | Callable[[Any], object]
    args: tuple[object, ...] = ()
    kwargs: tuple[tuple[str, object], ...] = ()

    def __repr__(self) -> str:
        """As it is written."""
        if not isinstance(self.method, str):
            return self.method.__name__
        named = [f"{name}={value!r}" for name, value in self.kwargs]
        return f"{self.method}({', '.join([*map(repr, self.args), *named])})"

    def on(self, primitive: Any) -> object:  # noqa: ANN401 - whatever is tested
        """Make the call."""
        if not isinstance(self.method, str):
            return self.method(primitive)
        return getattr(primitive, self.method)(*self.args, **dict(self.kwargs))


def call(method: str, *args: object, **kwargs: object) -> Call:
    """Write a call as one would."""
    return Call(method, args, tuple(kwargs.items()))


def transcript(make: Callable[[Modules], Any], calls: Iterable[Call], modules: Modules) -> list[object]:
    """What each call on a new primitive returns or raises."""
    primitive = make(modules)
    return [attempt(lambda each=each: each.on(primitive)) for each in calls]  # type: ignore[misc]  # a default


def attempt(function: Callable[[], object]) -> object:
    """The answer of a call: what it returns, or type and message of what it raises."""
    try:
        value = function()
    except Exception as error:  # noqa: BLE001 - it is the answer
        return type(error).__name__, plain(str(error))
    return (
        value
        if isinstance(value, int | float | str | bytes | tuple | list | dict | None)
        else type(value).__name__
    )


# What can be called.

_TIMEOUTS_OF_LOCKS: Final = tuple(
    call("acquire", blocking, timeout)
    for blocking, timeout in (
        (False, -1), (False, 0), (False, 1), (False, -3), (True, 0), (True, SHORT), (True, -2), (True, -0.5),
        (True, 1e30), (True, float("nan")), (True, "soon"), (True, None),
    )
)  # fmt: skip


def pickled(thing: object) -> object:
    """Pickle it."""
    return pickle.dumps(thing)


def copied(thing: object) -> object:
    """Copy it."""
    return copy.copy(thing)


_LOCK: Final = (
    call("acquire", 0), call("acquire", blocking=False), call("acquire", timeout=SHORT), *_TIMEOUTS_OF_LOCKS,
    call("release"), call("release"), call("locked"), call("acquire_lock", 0), call("release_lock"),
    call("locked_lock"), call("__exit__", None, None, None), call("_at_fork_reinit"),
    Call(pickled), Call(copied),
)  # fmt: skip

_RLOCK: Final = (
    call("acquire"), call("acquire", 0), call("acquire", timeout=SHORT), *_TIMEOUTS_OF_LOCKS,
    call("release"), call("release"), call("release"), call("__enter__"), call("__exit__", None, None, None),
    call("_is_owned"), call("_recursion_count"), call("_at_fork_reinit"), Call(pickled), Call(copied),
    *([call("locked")] if sys.version_info >= (3, 14) else []),
)  # fmt: skip


def save_and_restore(lock: Any) -> object:  # noqa: ANN401 - a lock
    """What a condition does around its wait: how deep a lock was held before, if meanwhile, if after."""
    saved = lock._release_save()  # noqa: SLF001 - as conditions do
    meanwhile = lock._is_owned()  # noqa: SLF001 - the same
    lock._acquire_restore(saved)  # noqa: SLF001 - the same
    return saved[0], meanwhile, lock._is_owned()  # noqa: SLF001 - the same


_SIMPLE_QUEUE: Final = (
    call("put", 1), call("put", 2, 1, None), call("put", 3, timeout=-1), call("put_nowait", 4),
    call("get", 0), call("get", block=False, timeout=-1), call("get", timeout=SHORT), call("get", 1, -1),
    call("get", timeout="soon"), call("get", timeout=float("nan")), call("get_nowait"), call("empty"),
    call("qsize"), Call(pickled), Call(copied),
)  # fmt: skip


def _set(name: str, value: object) -> Call:
    return call("__setattr__", name, value)


def names(local: object) -> object:
    """The attributes, in order."""
    return dict(vars(local))


def missing(local: Any) -> object:  # noqa: ANN401 - a local
    """Get an attribute that may be missing."""
    return local.a


def lost(local: Any) -> object:  # noqa: ANN401 - a local
    """Delete an attribute that may be missing."""
    del local.a
    return None


_LOCAL: Final = (
    _set("a", 1), _set("b", 2), _set("__dict__", {}), Call(names), Call(missing), Call(lost),
    call("__delattr__", "b"),
    call("__getattribute__", "a"), call("__delattr__", "__dict__"), Call(pickled), Call(copied),
)  # fmt: skip

_SEMLOCK: Final = (
    call("acquire", 0), call("acquire", block=False, timeout=5), call("acquire", 1, SHORT),
    call("acquire", 1, -1), call("acquire", timeout="soon"), call("acquire", timeout=0), call("release"),
    call("release"), call("release"), call("__exit__", None, None, None), call("__repr__"), call("get_value"),
    Call(pickled),
)  # fmt: skip

_EVENT: Final = (call("is_set"), call("set"), call("clear"), call("wait", SHORT), call("wait", 0))


# Pipes: a pair of ends is the primitive.


def _at(end: int, method: str, *args: object, **kwargs: object) -> Call:
    def at_an_end(pair: Any) -> object:  # noqa: ANN401 - two connections
        return getattr(pair[end], method)(*args, **kwargs)

    at_an_end.__name__ = f"{('reader', 'writer')[end]}.{call(method, *args, **kwargs)!r}"
    return Call(at_an_end)


def _state(end: int, name: str) -> Call:
    def state(pair: Any) -> object:  # noqa: ANN401 - two connections
        return getattr(pair[end], name)

    state.__name__ = f"{('reader', 'writer')[end]}.{name}"
    return Call(state)


def _when_readable(method: str, *args: object) -> Call:
    """Receive, if that does not mean to wait for ever."""

    def when_readable(pair: Any) -> object:  # noqa: ANN401 - two connections
        if not pair[0].closed and not pair[0].poll(0):
            return "nothing there"
        return getattr(pair[0], method)(*args)

    when_readable.__name__ = f"reader.{call(method, *args)!r}"
    return Call(when_readable)


def receive_into_little(pair: Any) -> object:  # noqa: ANN401 - two connections
    """Receive into a buffer of four bytes, from the second on."""
    buffer = bytearray(4)
    if not pair[0].closed and not pair[0].poll(0):
        return "nothing there"
    return pair[0].recv_bytes_into(buffer, 1), bytes(buffer)


def send_what_cannot_be_pickled(pair: Any) -> object:  # noqa: ANN401 - two connections
    """Send a function without a name."""
    return pair[1].send(lambda: None).__name__


_PIPE: Final = (
    _at(1, "send_bytes", b""), _at(1, "send_bytes", b"abc"), _at(1, "send_bytes", b"x" * 5_000),
    _at(1, "send_bytes", b"abcdef", 2), _at(1, "send_bytes", b"abcdef", 2, 3),
    _at(1, "send_bytes", b"abc", -1),
    _at(1, "send_bytes", b"abc", 4), _at(1, "send_bytes", b"abc", 0, -1), _at(1, "send_bytes", b"abc", 2, 2),
    _at(1, "send_bytes", "text"), _at(1, "send", {"a": 1}), Call(send_what_cannot_be_pickled),
    _at(1, "recv"), _at(1, "recv_bytes"), _at(1, "poll"), _at(0, "send", 1), _at(0, "send_bytes", b""),
    _at(0, "poll"), _at(0, "poll", SHORT), _at(0, "poll", -1),
    _when_readable("recv_bytes"), _when_readable("recv"),
    _when_readable("recv_bytes", 3), _when_readable("recv_bytes", -1), Call(receive_into_little),
    _at(0, "close"), _at(1, "close"), _state(0, "closed"), _state(1, "closed"), _state(0, "readable"),
    _state(0, "writable"), _state(1, "readable"), _state(1, "writable"),
    _at(0, "__exit__", None, None, None), _at(0, "recv_bytes_into", bytearray(2), -1),
    _at(0, "recv_bytes_into", bytearray(2), 3),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of primitive: how one is made, and what can be called."""

    name: str
    make: Callable[[Modules], Any]
    calls: tuple[Call, ...]


_SUBCLASS: Final = "initialised"


def _own_local(modules: Modules) -> Any:  # noqa: ANN401 - a local of a class of its own
    class Own(modules.threading.local):  # type: ignore[misc,name-defined]  # modules have no types
        def __init__(self, value: int) -> None:
            self.a = value

        @property
        def b(self) -> str:
            return _SUBCLASS

    return Own(7)


KINDS: Final = (
    Kind("Lock", lambda m: m.threading.Lock(), _LOCK),
    Kind("RLock", lambda m: m.threading.RLock(), (*_RLOCK, Call(save_and_restore))),
    Kind("SimpleQueue", lambda m: m.queue.SimpleQueue(), _SIMPLE_QUEUE),
    Kind("local", lambda m: m.threading.local(), _LOCAL),
    Kind("a subclass of local", _own_local, _LOCAL),
    Kind("Event", lambda m: m.threading.Event(), _EVENT),
    Kind("multiprocessing.Lock", lambda m: m.context.Lock(), _SEMLOCK),
    Kind("multiprocessing.RLock", lambda m: m.context.RLock(), _SEMLOCK),
    Kind("multiprocessing.Semaphore", lambda m: m.context.Semaphore(2), _SEMLOCK),
    Kind("multiprocessing.BoundedSemaphore", lambda m: m.context.BoundedSemaphore(2), _SEMLOCK),
    Kind("multiprocessing.Event", lambda m: m.context.Event(), _EVENT),
    Kind("multiprocessing.Pipe", lambda m: m.context.Pipe(duplex=False), _PIPE),
)
