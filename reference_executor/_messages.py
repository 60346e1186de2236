"""What travels between the pool and its workers, and how it is packed.

To a worker travel calls, and `LEAVE`. Back travel its answers — one of the classes below for each call —
and, when it leaves, its pid; or the news that its initializer failed. Everything that may go wrong in
packing and unpacking is the task's own misfortune: it becomes the outcome of that task and of no other.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import traceback
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from types import FunctionType
from typing import Any, Final, NamedTuple

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Returned(NamedTuple):
    """The call returned this."""

    value: Any


class Raised(NamedTuple):
    """The call raised this.

    The exception is packed on its own: where it cannot be unpacked, the traceback still tells what happened.
    """

    exception: bytes
    traceback: str


class RemoteTraceback(Exception):  # noqa: N818 - named like the standard library's own
    """The traceback of an exception in a worker, as text: the cause of what comes out of the future."""

    def __init__(self, tb: str) -> None:
        """Keep the text."""
        super().__init__(tb)
        self.tb = tb

    def __str__(self) -> str:
        """Return the text, set apart from the local traceback that follows it."""
        return self.tb


def pack(message: object) -> bytes:
    """Pickle with the reducers of `multiprocessing`, so that its queues, locks and connections can travel."""
    # Not `ForkingPickler.dumps`: it returns a view, and while a view is exported its buffer cannot be freed
    # in any order.
    buffer = io.BytesIO()
    ForkingPickler(buffer).dump(message)
    return buffer.getvalue()


def is_being_imported(thing: object) -> bool:
    """Whether the module that a function or class lives in is being imported at the moment."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def pack_by_name(message: object) -> bytes:
    """Pickle without importing the modules that are being imported.

    Pickling imports the module of a function once more. In another thread that waits for the import to end,
    which may wait for the call; and so does unpickling in a worker that was forked meanwhile.
    """
    buffer = io.BytesIO()
    _NamePickler(buffer).dump(message)
    return buffer.getvalue()


class _NamePickler(ForkingPickler):
    def reducer_override(self, thing: Any) -> Any:  # noqa: ANN401 - as pickle has it
        """Have such functions and classes found by their names.

        Raises:
            pickle.PicklingError: this is something else than what has its name.
        """
        if not isinstance(thing, type | FunctionType) or not is_being_imported(thing):
            return NotImplemented
        place = thing.__module__, thing.__qualname__
        if _find(*place) is not thing:
            raise pickle.PicklingError(f"Can't pickle {thing!r}: it is not {'.'.join(place)}")
        return _find, place


def _find(module: str, name: str) -> object:
    """What has this name in a module; one that is there, if only half, is not imported again."""
    found: object = sys.modules.get(module) or importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def unpack(packed: bytes) -> Any:  # noqa: ANN401 - it may be anything
    """Undo `pack`."""
    return ForkingPickler.loads(packed)


#: The message that sends a worker home.
LEAVE: Final = pack(None)

#: The first message of a worker: it is initialized and takes calls.
READY: Final = b""

#: How the message begins that the initializer failed. No pickle begins so: whoever receives it need not
#: unpack it.
_FAILURE: Final = b"!"


def pack_failure(error: BaseException) -> bytes:
    """Pack the news that the initializer raised this."""
    return _FAILURE + format_remote(error).encode(errors="backslashreplace")


def failure_in(packed: bytes) -> str | None:
    """Return the traceback of the initializer, if that is what the message is about."""
    return packed[1:].decode() if packed[:1] == _FAILURE else None


def pack_raised(error: BaseException) -> bytes:
    """Pack an exception; if that is impossible, pack the exception that says why."""
    text = format_remote(error)
    try:
        return pack(Raised(pack(error), text))
    except BaseException as reason:  # noqa: BLE001 - pickling runs foreign code, which may raise anything
        return pack(Raised(_pack_reason(reason), text))


def _pack_reason(reason: BaseException) -> bytes:
    try:
        return pack(reason)
    except BaseException:  # noqa: BLE001 - the same
        return pack(RuntimeError(f"an exception that cannot be pickled: {type(reason).__name__}"))


def format_remote(error: BaseException) -> str:
    """Return the traceback with its chain, between quotes that set it apart from the local one."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as reason:  # noqa: BLE001 - the exception's own text is foreign code, too
        text = f"{type(error).__name__}, whose traceback cannot be shown: {type(reason).__name__}\n"
    return f'\n"""\n{text}"""'


def unpack_raised(raised: Raised) -> BaseException:
    """Return a task's exception, or one that says why it cannot be had; with its remote traceback."""
    try:
        unpacked = unpack(raised.exception)
    except BaseException as reason:  # noqa: BLE001 - unpickling runs foreign code, which may raise anything
        unpacked = reason.with_traceback(None)
    if isinstance(unpacked, BaseException):
        error = unpacked
    else:
        error = TypeError(f"an exception that became a {type(unpacked).__name__} when unpickled")
    error.__cause__ = RemoteTraceback(raised.traceback)
    return error
