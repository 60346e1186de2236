"""Simulated processes: `multiprocessing`'s `Process`, as its parent and as it sees itself.

All simulated processes share the modules of the world, as processes that were forked share what they do not
write to. What a process works on is handed over (`handover`).
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from harness.arenas.real.starvation import error_of
from harness.arenas.simulated import finalizers, handover, kernel, pipes
from harness.arenas.simulated.backends import Over
from harness.arenas.simulated.facades import refuse
from harness.arenas.simulated.thread_layer import Primitive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Process as SimulatedProcess

_STATUS: int = 0xFF  # of an exit code the system keeps so many bits


class BaseProcess(Primitive):
    """`multiprocessing.process.BaseProcess`."""

    _start_method: ClassVar[str] = "fork"

    def __init__(  # noqa: PLR0913 - as `multiprocessing`
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        """Prepare a process."""
        super().__init__()
        _insist(group is None, "group argument must be None for now")
        k = kernel.running
        parent = self._parent = None if k is None else k.current.process
        self._config: dict[str, Any] = {"semprefix": "/mp"}
        self._identity: tuple[int, ...] = ()
        if parent is not None:
            parent.started += 1
            self._config = dict(current_process()._config)  # noqa: SLF001 - another of this class
            self._identity = (*current_process()._identity, parent.started)  # noqa: SLF001 - the same
        self._popen: SimulatedProcess | None = None
        self._closed = False
        self._target = target
        self._args = tuple(args)
        self._kwargs = dict(kwargs or {})
        self._name = name or f"{type(self).__name__}-{':'.join(map(str, self._identity))}"
        if daemon is not None:
            self.daemon = daemon

    def run(self) -> None:
        """Call the target, in this process; a subclass may do something else."""
        if self._target:
            self._target(*self._args, **self._kwargs)

    def start(self) -> None:
        """Start it."""
        self._check_closed()
        k = _run()
        parent = k.current.process
        _insist(self._popen is None, "cannot start a process twice")
        _insist(self._parent is parent, "can only start a process object created by current process")
        _insist(not current_process().daemon, "daemonic processes are not allowed to have children")
        k.point("start", 0)
        active_children()
        if k.current.starved_of == "processes":
            raise error_of("processes")
        child = k.add_process(f"P{len(k.processes)}")
        try:
            view = handover.prepare(self, child, self._start_method)
        except BaseException:
            k.remove_process(child)
            raise
        self._popen = child
        self._sentinel = pipes.Sentinel(child, shows_exitcode=self._start_method == "forkserver")
        self.holder = k.spawn(lambda: _live(view), child.name, child)
        if self._start_method == "fork":
            self.holder.locals = {number: dict(own) for number, own in k.current.locals.items()}
        parent.children.append(self)
        del self._target, self._args, self._kwargs  # as `multiprocessing` does, against cycles

    # Its end.

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        self._check_closed()
        k = _run()
        process = self._popen
        _insist(self._parent is k.current.process, "can only join a child process")
        if process is None:
            raise AssertionError("can only join a started process")
        k.point("join", process.serial)
        if timeout is not None and not self._await_sentinel(k, timeout):
            return
        if not timeout and timeout is not None and process.exitcode is None:
            return
        while process.exitcode is None:
            k.block("join", process, process.joiners, None)
            process.joiners.remove(k.current)
        self._forget()

    def _await_sentinel(self, k: Kernel, timeout: float) -> bool:
        deadline = k.deadline(timeout)
        sentinel = self._sentinel
        while not sentinel.is_readable():
            if timeout <= 0 or not k.block("join", sentinel.process, sentinel.waiters, deadline):
                return _leave_queue(k, sentinel)
            sentinel.waiters.remove(k.current)
        return True

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        self._check_closed()
        k = _run()
        if self is k.current.process.handle:
            return True
        _insist(self._parent is k.current.process, "can only test a child process")
        if self._popen is None:
            return False
        if self._poll() is None:
            return True
        self._forget()
        return False

    @property
    def exitcode(self) -> int | None:
        """How it ended; None while it has not."""
        self._check_closed()
        return self._poll()

    def _poll(self) -> int | None:
        """Look for its exit code; another step of others may show it."""
        process = self._popen
        if process is None:
            return None
        k = kernel.running
        if k is not None and not k.over and process.exitcode is None:
            k.point("try", process.serial)
            k.current.spins += process.exitcode is None
        return process.exitcode

    def _forget(self) -> None:
        if self._parent is not None and self in self._parent.children:
            self._parent.children.remove(self)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._strike("terminate", signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._strike("kill", signal.SIGKILL)

    def _strike(self, name: str, number: signal.Signals) -> None:
        self._check_closed()
        k, process = _run(), self._popen
        if process is None:
            raise AttributeError(f"'NoneType' object has no attribute {name!r}")
        k.point("signal", 0)
        if not process.ended:
            k.assassinate(process, number)

    def close(self) -> None:
        """Let go of it."""
        if self._popen is not None:
            if self._poll() is None:
                raise ValueError(
                    "Cannot close a process while it is still running. "
                    "You should first call join() or terminate()."
                )
            self._popen = None
            del self._sentinel
            self._forget()
        self._closed = True

    def _check_closed(self) -> None:
        if self._closed:
            raise ValueError("process object is closed")

    # What it is called.

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        _insist(isinstance(name, str), "name must be a string")
        self._name = name

    @property
    def daemon(self) -> bool:
        """Whether its parent ends it before it ends itself."""
        return bool(self._config.get("daemon", False))

    @daemon.setter
    def daemon(self, daemonic: bool) -> None:
        _insist(self._popen is None, "process has already started")
        self._config["daemon"] = daemonic

    @property
    def pid(self) -> int | None:
        """Its number; None before it has started."""
        self._check_closed()
        k = kernel.running
        if k is not None and self is k.current.process.handle:
            return k.current.process.pid
        return None if self._popen is None else self._popen.pid

    ident = pid

    @property
    def sentinel(self) -> pipes.Sentinel:
        """What `connection.wait` takes."""
        self._check_closed()
        try:
            return self._sentinel
        except AttributeError:
            raise ValueError("process not started") from None

    def __repr__(self) -> str:
        """Name it."""
        return f"<{type(self).__name__} name={self._name!r}>"


class MainProcess(BaseProcess):
    """The client."""

    def __init__(self, process: SimulatedProcess) -> None:
        """Be the client, of this number."""
        Primitive.__init__(self)
        self._parent = None
        self._popen = None
        self._closed = False
        self._identity = ()
        self._name = "MainProcess"
        self._config = {"semprefix": "/mp"}
        process.handle = self


class ParentProcess:
    """`multiprocessing.parent_process`: a parent as its child sees it."""

    def __init__(self, process: SimulatedProcess) -> None:
        """Stand for it."""
        self.name = "MainProcess" if process.handle is None else process.handle.name
        self.pid = self.ident = process.pid
        self._sentinel = pipes.Sentinel(process, shows_exitcode=False)

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not pipes.wait([self._sentinel], timeout=0)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        pipes.wait([self._sentinel], timeout=timeout)


def _run() -> Kernel:
    k = kernel.running
    if k is None:
        refuse("a process cannot be used outside of a run of the simulated world")
    return k


def _insist(condition: bool, message: str) -> None:  # noqa: FBT001 - it is what is insisted on
    if not condition:
        raise AssertionError(message)


def _leave_queue(k: Kernel, sentinel: pipes.Sentinel) -> bool:
    """The deadline has come: whether the sentinel is ready all the same."""
    if k.current in sentinel.waiters:
        sentinel.waiters.remove(k.current)
    return sentinel.is_readable()


# A process's own life.


def _live(make_view: Callable[[], BaseProcess]) -> NoReturn:
    """The life of a process's main thread: `BaseProcess._bootstrap`, and what comes after it."""
    k = _run()
    process = k.current.process
    try:
        status = _work(k, make_view)
        finalizers.join_threads(k)
        if finalizers.THREADS_FIRST:
            finalizers.finish(k)
    except Over:
        raise
    except BaseException:  # noqa: BLE001 - it dies of whatever it is
        status = 1
    k.point("exit", 0)
    k.end_process(process, status & _STATUS)
    k.leave()
    raise AssertionError("a process that has ended goes on")


def _work(k: Kernel, make_view: Callable[[], BaseProcess]) -> int:
    """Do what it was started for; returns its exit status."""
    try:
        view = k.current.process.handle = make_view()
        try:
            view.run()
        finally:
            if not finalizers.THREADS_FIRST and not k.over:
                finalizers.finish(k)
    except Over:
        raise
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - which the real one prints
        return 1
    return 0


def current_process() -> BaseProcess:
    """The process of the current task."""
    process = _run().current.process
    handle: BaseProcess = process.handle or MainProcess(process)
    return handle


def parent_process() -> ParentProcess | None:
    """Who started the process of the current task."""
    parent = _run().current.process.parent
    return None if parent is None else ParentProcess(parent)


def active_children() -> list[BaseProcess]:
    """The children that have not ended; joins the others."""
    process = _run().current.process
    process.children[:] = [child for child in process.children if child._popen.exitcode is None]  # noqa: SLF001 - without a step
    return list(process.children)
