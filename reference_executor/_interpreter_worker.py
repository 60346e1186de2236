"""What runs in the interpreters of an interpreter pool."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: What the last call raised, for `take_exception`. Each interpreter has this module to itself.
_raised: list[bytes] = []


def call_here(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    """Make a call; keep its exception, which does not cross over of itself."""
    try:
        return fn(*args, **kwargs)
    except BaseException as error:
        _keep(error)
        _show(error)
        raise


def call_packed(packed: bytes) -> Any:  # noqa: ANN401 - whatever it returns
    """Unpickle a call and make it."""
    try:
        fn, args, kwargs = pickle.loads(packed)  # noqa: S301 - our own interpreter sent it
    except BaseException as error:
        _keep(error)
        _show(error)
        raise
    return call_here(fn, args, kwargs)


def _keep(error: BaseException) -> None:
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)  # noqa: S301 - our own; some exceptions can be pickled, but not unpickled
    except BaseException:  # noqa: BLE001 - foreign code; the caller then has the text of the traceback only
        return
    _raised.append(packed)


class HiddenError(Exception):
    """Takes the place of an exception that cannot be shown; its message is the name of that one's class."""


def _show(error: BaseException) -> None:
    """See that an exception can be shown.

    An interpreter that cannot show what it is left by takes the whole process with it (Python 3.14, 3.15).

    Raises:
        HiddenError: It cannot.
    """
    try:
        str(error)
    except BaseException:  # noqa: BLE001 - foreign code
        raise HiddenError(type(error).__qualname__) from error


def take_exception() -> bytes | None:
    """Return the pickled exception of the last call, if it could be pickled."""
    return _raised.pop() if _raised else None
