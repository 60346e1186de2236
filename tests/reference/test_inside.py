# ruff: noqa: PLR2004, SLF001 - the numbers of a test speak for themselves; it may look inside
"""What is seen from inside only, or happens in processes that report no coverage: forks, exits."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import signal
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from reference_executor import Future, ProcessPoolExecutor, ThreadPoolExecutor, _residents
from reference_executor._carrier import Carrier
from reference_executor._management import Pool
from reference_executor._messages import format_remote, pack_by_name, unpack
from reference_executor._waiting import _Arrivals, _completions, _take_off
from reference_executor._work import WorkItem
from reference_executor._worker import Chunk
from reference_executor._worker_process import (
    WorkerLostError,
    WorkerPlan,
    WorkerProcess,
    _restore_main,
    _sigint_blocked,
    forget_fork_server,
)
from tests.reference import reference_tasks as tasks


class Guest:
    """Something that lives in this process: a pool, or the end of a pipe. It notes what is done to it."""

    def __init__(self) -> None:
        """Make it."""
        self.noted: list[str] = []

    def close(self) -> None:
        """Note it."""
        self.noted.append("close")

    def join(self) -> None:
        """Note it."""
        self.noted.append("join")

    def abandon(self) -> None:
        """Note it."""
        self.noted.append("abandon")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter with no residents that is not ending."""
    monkeypatch.setattr(_residents, "_ending", threading.Event())
    monkeypatch.setattr(_residents, "residents", set())
    monkeypatch.setattr(_residents, "pipe_ends", set())


@pytest.mark.usefixtures("house")
def test_the_end_of_the_interpreter_waits_for_all_residents() -> None:
    """EXIT-01, EXIT-03: all are closed before any is waited for; nobody can move in afterwards."""
    _residents.check_not_ending()
    assert _residents.refusal_of_closed() == "cannot schedule new futures after shutdown"
    guests = {Guest(), Guest()}
    _residents.residents.update(guests)
    _residents.wait_for_all()
    assert [guest.noted for guest in guests] == [["close", "join"]] * 2
    assert not _residents.residents
    with pytest.raises(RuntimeError, match="after interpreter shutdown"):
        _residents.check_not_ending()
    pool = ThreadPoolExecutor(1)
    with pytest.raises(RuntimeError, match="after interpreter shutdown"):
        pool.submit(int)


@pytest.mark.usefixtures("house")
def test_a_forked_child_lets_go() -> None:
    """EXIT-04, EXIT-06: of every pool, and of every pipe but those that it was forked for."""
    pool, end, kept = Guest(), Guest(), Guest()
    _residents.residents.add(pool)
    _residents.pipe_ends.update((end, kept))
    _residents.fork_keeping((kept,), _residents._let_go_in_child)
    assert (pool.noted, end.noted, kept.noted) == (["abandon"], ["close"], [])
    assert not _residents.residents
    assert _residents.pipe_ends == {kept}
    _residents._let_go_in_child()
    assert kept.noted == ["close"]


def test_abandoned_pools_refuse_work_and_can_be_shut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """EXIT-04 (CF-40): a RuntimeError says why, instead of a future that nobody would ever settle."""
    monkeypatch.delitem(sys.modules, "multiprocessing.forkserver", raising=False)
    threads, processes = ThreadPoolExecutor(1), ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
    threads._crew.abandon()
    processes._pool.abandon()
    for pool in (threads, processes):
        with pytest.raises(RuntimeError, match="in a forked child"):
            pool.submit(int)
        pool.shutdown()


@pytest.mark.parametrize("started", [False, True])
def test_a_forked_child_forgets_the_fork_server(monkeypatch: pytest.MonkeyPatch, started: bool) -> None:  # noqa: FBT001
    """EXIT-04: the server is the parent's child; the child's own pools need one of their own."""
    closed: list[int] = []

    class Server:
        def __init__(self) -> None:
            self._forkserver_alive_fd: int | None = None
            self._preload_modules = ["__main__"]

        def set_forkserver_preload(self, modules: list[str]) -> None:
            self._preload_modules = modules

    server = Server()
    server._preload_modules = ["mine"]
    if started:
        server._forkserver_alive_fd = 1234
    module: Any = ModuleType("forkserver")
    module._forkserver = server
    monkeypatch.setitem(sys.modules, "multiprocessing.forkserver", module)
    monkeypatch.setattr("os.close", closed.append)
    forget_fork_server()
    assert closed == [1234] * started
    assert server._forkserver_alive_fd is None
    assert server._preload_modules == ["mine"]


def test_a_forgotten_main_program_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """EXIT-01: functions of `__main__` are found by workers that start after the main program's end."""
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", "kept.py", raising=False)
    _restore_main("other.py")
    assert main.__file__ == "kept.py"
    monkeypatch.delattr(main, "__file__")
    _restore_main(None)
    assert not hasattr(main, "__file__")
    _restore_main("program.py")
    assert main.__file__ == "program.py"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, "unknown reason"),
        (3, "exit code 3"),
        (-9, "killed by SIGKILL (signal 9)"),
        (-250, "killed by signal 250"),
    ],
)
def test_every_end_can_be_described(code: int | None, text: str) -> None:
    """BRK-12: also one that nobody knows the reason of."""
    worker: WorkerProcess = object.__new__(WorkerProcess)
    worker.process = SimpleNamespace(exitcode=code)  # type: ignore[assignment]
    assert text in worker._describe_exit()


def test_sigint_is_blocked_for_the_start() -> None:
    """BRK-13: with the fork server SIGINT is not blocked, lest others inherit that."""
    for method, expected in (("fork", True), ("spawn", True), ("forkserver", False)):
        with _sigint_blocked(multiprocessing.get_context(method)) as blocked:
            assert blocked is expected


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_calls_of_a_module_that_is_being_imported_travel_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """EXIT-07 (CF-18): its functions and classes are found where they are; what fails fails the future."""
    monkeypatch.setattr(tasks.__spec__, "_initializing", True, raising=False)
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        assert pool.submit(tasks.double, 1).result() == 2
        assert isinstance(pool.submit(tasks.make, tasks.NoPickle()).exception(), TypeError)  # type: ignore[arg-type]
    call = pack_by_name((tasks.double, (tasks.NoPickle,), {}))
    assert unpack(call) == (tasks.double, (tasks.NoPickle,), {})
    assert b"_find" in call


class Elsewhere:
    """A place that notes the calls made there."""

    calls: list[Any]
    fails = False

    def __init__(self) -> None:
        """Open it, or fail to."""
        if self.fails:
            raise OSError("no room")

    def call(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever it is
        """Make a call."""
        self.calls.append(fn)
        return fn(*args, **kwargs)

    def close(self) -> None:
        """Note it."""
        self.calls.append("closed")


@pytest.mark.parametrize("fails", [False, True])
def test_threads_may_make_their_calls_elsewhere(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:  # noqa: FBT001
    """IPE-01, POOL-06: initializer and tasks are called there; failing to open it breaks the pool."""
    monkeypatch.setattr(Elsewhere, "calls", [], raising=False)
    monkeypatch.setattr(Elsewhere, "fails", fails)

    class Pool(ThreadPoolExecutor):
        _open_place = Elsewhere

    with Pool(1, initializer=bool) as pool:
        future = pool.submit(int)
        assert (future.exception() is None) is not fails
    assert Elsewhere.calls == ([] if fails else [bool, int, "closed"])


def test_a_future_that_arrives_twice_is_yielded_once() -> None:
    """ASC-01: the standard library's futures tell of a cancellation twice."""
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    other: concurrent.futures.Future[int] = concurrent.futures.Future()
    last: concurrent.futures.Future[int] = concurrent.futures.Future()
    future.cancel()
    futures = _completions({future, other, last}, None)
    assert next(futures) is future
    other.cancel()
    other.set_running_or_notify_cancel()
    assert next(futures) is other
    last.cancel()
    assert list(futures) == [last]


def test_taking_off_a_waiter_that_does_not_hang_is_harmless() -> None:
    """WAIT-12: as after an interrupt in the middle of hanging."""
    future: Future[int] = Future()
    _take_off(_Arrivals(), future)
    assert future._waiters == []


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_what_a_pool_that_broke_does_with_late_news() -> None:
    """BRK-01: answers, calls and new workers that come after the break are dropped."""
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
    assert pool.submit(tasks.double, 1).result() == 2
    engine = pool._pool
    assert pool.submit(tasks.leave_at_once, 1).exception() is not None
    pool.shutdown()
    engine.settle(0, None, None)
    worker: Any = SimpleNamespace(process=SimpleNamespace(name="late"), ended=0, wait_until_ready=int)
    worker.end = worker.close = lambda: setattr(worker, "ended", worker.ended + 1)
    engine._add_worker(worker)
    assert worker.ended == 2
    Carrier(engine, worker)._carry(0)
    with pytest.raises(WorkerLostError):
        engine.next_worker()
    carrier = Carrier(engine, worker)
    carrier._worker = None
    engine.work_items[0] = WorkItem(Future(), (tasks.double, (1,), {}))
    with pytest.raises(WorkerLostError):
        carrier._carry(0)
    engine.report_lost(None)
    assert engine.next_call() is None


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_an_interrupt_right_after_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """EXIT-05: Ctrl-C between the start of a thread and its return leaves a pool that works."""
    start = threading.Thread.start

    def start_and_raise(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(Carrier, "start", start_and_raise)
            pool.submit(tasks.double, 1).result()
        assert pool.submit(tasks.double, 2).result() == 4


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_killing_from_a_callback() -> None:
    """BRK-10, CB-08: in a thread of the pool `kill_workers` does not wait."""
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
    killed = threading.Event()

    def kill(_: Future[int]) -> None:
        pool.kill_workers()
        killed.set()

    future = pool.submit(tasks.leave_at_once, 1)
    future.add_done_callback(kill)
    killed.wait()
    pool.shutdown()


def test_a_chunk_calls_for_every_item() -> None:
    """MAP-07: in the worker."""
    assert Chunk(tasks.add)([(1, 2), (3, 4)]) == [3, 7]


def test_a_traceback_that_cannot_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """RES-14: the exception arrives all the same."""

    def refuse(_: BaseException) -> list[str]:
        raise SystemExit

    monkeypatch.setattr("traceback.format_exception", refuse)
    assert "ValueError, whose traceback cannot be shown: SystemExit" in format_remote(ValueError())


def test_a_death_leaves_those_that_have_left_to_their_carriers() -> None:
    """BRK-01: the rest of the workers end with the one that died; who said farewell is buried only once."""
    plan = WorkerPlan(multiprocessing.get_context("fork"), None, (), None, None)
    pool, dead, leaving = Pool(2, plan), WorkerProcess(plan), WorkerProcess(plan)
    pool._workers = {dead, leaving}
    leaving.left = True
    dead.kill()
    pool._examine(dead)
    assert pool.cause is not None and str(dead.pid) in pool.cause  # noqa: PT018 - one for mypy
    assert pool._workers == {leaving}
    pool.bury(leaving)
    assert leaving.process.exitcode == -signal.SIGKILL
    assert not pool._workers
