"""What a process gets from its parent.

Under ``fork`` the objects are shared, except what holds a state of its own in each process: ends of pipes and
queues, which are cloned as pickling would. Under ``spawn`` and ``forkserver`` everything is really pickled,
and unpickled by the child. Not simulated: locks that are held during a fork, and ends of pipes that a forked
process inherits without being given them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.simulated import kernel, pipes
from harness.arenas.simulated.facades import refuse
from harness.arenas.simulated.pickling import ForkingPickler
from harness.arenas.simulated.thread_layer import Primitive

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.simulated.tasks import Process

_MODULE_OF_QUEUES: Final = "multiprocessing.queues"
_OF_THE_PARENT: Final = frozenset({"_parent", "_popen", "_sentinel"})


class Spawning:
    """Which process is being started: `Queue.__getstate__` insists on there being one."""

    process: Process | None = None


def assert_spawning(thing: object) -> None:
    """`multiprocessing.context.assert_spawning`."""
    if Spawning.process is None:
        raise RuntimeError(
            f"{type(thing).__name__} objects should only be shared between processes through inheritance"
        )


def prepare(own: Any, child: Process, start_method: str) -> Callable[[], Any]:  # noqa: ANN401 - any class of process
    """Make what gives a new process its view of itself, of its process object in the parent.

    Raises:
        Exception: something cannot be pickled.
    """
    state = {name: value for name, value in vars(own).items() if name not in _OF_THE_PARENT}
    before, Spawning.process = Spawning.process, child
    try:
        if start_method == "fork":
            view = _view(type(own), {name: _clone(value, child) for name, value in state.items()})
            return lambda: view
        packed = bytes(ForkingPickler.dumps((type(own), state)))
        return lambda: _view(*ForkingPickler.loads(packed))
    finally:
        Spawning.process = before


def _view(cls: type, state: dict[str, Any]) -> Any:  # noqa: ANN401 - any class of process
    view: Any = object.__new__(cls)
    Primitive.__init__(view)
    vars(view).update(state, _parent=None, _popen=None)
    return view


def _clone(thing: Any, child: Process) -> Any:  # noqa: ANN401 - whatever a process is given, a row for each kind
    """The same for a forked process."""
    kind = type(thing)
    if kind is pipes.Connection:
        return thing.copy_into(child)
    if kind in (tuple, list):
        return kind(_clone(part, child) for part in thing)
    if kind is dict:
        return {key: _clone(value, child) for key, value in thing.items()}
    if kind is functools.partial:
        args, keywords = _clone(thing.args, child), _clone(thing.keywords, child)
        return functools.partial(_clone(thing.func, child), *args, **keywords)
    if any(base.__module__.endswith(_MODULE_OF_QUEUES) for base in kind.__mro__):
        copy = object.__new__(kind)
        copy.__setstate__(_clone(thing.__getstate__(), child))
        return copy
    return thing


def _reduce_connection(connection: pipes.Connection) -> tuple[Callable[[int], Any], tuple[int]]:
    """Pickle an end of a pipe for the process that is being started, which gets a copy."""
    k = kernel.running
    if Spawning.process is None or k is None:
        refuse("a connection that is sent to another process cannot be simulated")
    return _claim, (k.leave_luggage(connection.copy_into(Spawning.process)),)


def _claim(number: int) -> Any:  # noqa: ANN401 - whatever was left
    """What was left for the process; it belongs to whoever claims it."""
    k = kernel.running
    assert k is not None  # noqa: S101 - for mypy: processes start in a run only
    return k.luggage.pop(number)


ForkingPickler.register(pipes.Connection, _reduce_connection)
