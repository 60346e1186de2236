"""What a process gets from its parent.

Under ``fork`` the objects are shared, except what holds a state of its own in each process: ends of pipes and
queues, which are cloned as pickling would. Under ``spawn`` and ``forkserver`` everything is really pickled,
and unpickled by the child. Not simulated: locks that are held during a fork, and ends of pipes that a forked
process inherits without being given them.
"""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any, Final

from harness.arenas.simulated import kernel, pipes
from harness.arenas.simulated.facades import refuse
from harness.arenas.simulated.pickling import ForkingPickler
from harness.arenas.simulated.thread_layer import Primitive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
            view = _view(type(own), _Fork(child).clone(state))
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


class _Fork:
    """Clones what holds a state of its own in each process, wherever a process has got it from.

    Looked into are containers, `functools.partial`, bound methods, and what a nested function refers to.
    """

    def __init__(self, child: Process) -> None:
        """Clone for this process."""
        self._child = child
        self._known: dict[int, Any] = {}  # by address; also what is just being cloned

    def clone(self, thing: Any) -> Any:  # noqa: ANN401 - whatever a process is given
        """The same for the child; the very same if there is nothing to clone in it."""
        if id(thing) not in self._known:
            self._known[id(thing)] = thing
            self._known[id(thing)] = self._clone(thing)
        return self._known[id(thing)]

    def _clone(self, thing: Any) -> Any:  # noqa: ANN401, PLR0911 - whatever it is, a row for each kind
        match thing:
            case pipes.Connection():
                return thing if thing.closed else thing.copy_into(self._child)
            case tuple() | list() if type(thing) in (tuple, list):
                return self._all(thing, thing, type(thing))
            case dict() if type(thing) is dict:
                return self._all(
                    thing, list(thing.values()), lambda values: dict(zip(thing, values, strict=True))
                )
            case functools.partial():
                parts = [thing.func, thing.args, thing.keywords]
                return self._all(thing, parts, lambda new: functools.partial(new[0], *new[1], **new[2]))
            case types.MethodType():
                return self._all(
                    thing, [thing.__self__], lambda new: types.MethodType(thing.__func__, new[0])
                )
            case types.FunctionType() if thing.__closure__:
                return self._clone_function(thing)
            case _ if any(base.__module__.endswith(_MODULE_OF_QUEUES) for base in type(thing).__mro__):
                copy = object.__new__(type(thing))
                copy.__setstate__(self.clone(thing.__getstate__()))
                return copy
            case _:
                return thing

    def _all(self, thing: object, parts: Sequence[Any], remake: Callable[[list[Any]], Any]) -> Any:  # noqa: ANN401 - as `thing`
        clones = [self.clone(part) for part in parts]
        return (
            remake(clones) if any(new is not old for new, old in zip(clones, parts, strict=True)) else thing
        )

    def _clone_function(self, function: types.FunctionType) -> types.FunctionType:
        cells = function.__closure__ or ()
        new = tuple(self._clone_cell(cell) for cell in cells)
        if all(each is cell for each, cell in zip(new, cells, strict=True)):
            return function
        clone = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, new
        )
        clone.__kwdefaults__ = function.__kwdefaults__
        return clone

    def _clone_cell(self, cell: types.CellType) -> types.CellType:
        try:
            content = cell.cell_contents
        except ValueError:  # nothing is in it yet
            return cell
        clone = self.clone(content)
        return cell if clone is content else types.CellType(clone)


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
