"""Odd but correct executors, which a conformance harness must not accuse.

Each goes its own way about who runs a task, when, and in which thread its callbacks are called, and
keeps every promise of the catalogue that can be kept that way. What it cannot keep by construction
stands in its `Safe.note`.

An executor here is a shell around a *crew*: the queue, the threads and the processes. A crew knows
nothing of its executor, so an executor that nobody holds can be collected, and its crew then finishes
what is queued and goes home.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import queue
import threading
import time
import traceback
import weakref
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    Call = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

T = TypeVar("T")
P = ParamSpec("P")

LOGGER = logging.getLogger("concurrent.futures")
AFTER_SHUTDOWN = "cannot schedule new futures after shutdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Safe:
    """One odd but correct executor, and what the harness has to know about it.

    Attributes:
        target: Where the class is, as "module:class".
        kind: What its workers are.
        runs_inline: Its `submit` runs the task before it returns.
        order: "fifo" if one worker starts tasks in the order of submission.
        workers: How many workers it has whatever it is asked for; None if it has as many as asked for.
        deaths: What the death of a worker does: the pool "breaks", or it "heals".
        forgettable: Its threads end when it is dropped, which is no MUST. GC-03 tells of those that stay.
        note: What is odd about it, and what it cannot keep by construction.
    """

    target: str
    kind: Literal["thread", "process"]
    runs_inline: bool = False
    order: Literal["fifo", "other"] = "fifo"
    workers: int | None = None
    deaths: Literal["breaks", "heals"] = "breaks"
    forgettable: bool = True
    note: str = ""


class SettledFuture(Future[T]):
    """A future that tells its waiters of a cancellation at once, and raises exceptions that are falsy."""

    def cancel(self) -> bool:
        """Cancel the future if its task has not been started, and tell everybody who waits."""
        with self._condition:
            if self.running():
                return False
            if self.done():
                return self.cancelled()
            # "CANCELLED" is nothing that a waiter sees: one step more, before anybody can look.
            self._state = "CANCELLED"
            super().set_running_or_notify_cancel()
            self._condition.notify_all()
        self._invoke_callbacks()
        return True

    def set_running_or_notify_cancel(self) -> bool:
        """Mark the future as running, unless it is cancelled."""
        with self._condition:
            return not self.cancelled() and super().set_running_or_notify_cancel()

    def result(self, timeout: float | None = None) -> T:
        """Return what the task returned, or raise what it raised."""
        error = None
        try:
            error = self.exception(timeout)
            if error is not None:
                raise error
            return cast("T", self._result)
        finally:
            # The error's traceback holds this frame: the frame must not hold the error.
            del error, self

    def __repr__(self) -> str:
        """Tell the state without asking the result or the exception for anything."""
        with self._condition:
            if self._state != "FINISHED":
                what = self._state.lower().removesuffix("_and_notified")
            elif self._exception is not None:
                what = f"finished raised {type(self._exception).__name__}"
            else:
                what = f"finished returned {type(self._result).__name__}"
        return f"<{type(self).__name__} at {id(self):#x} state={what}>"

    if TYPE_CHECKING:
        # What `concurrent.futures.Future` has, and the type stubs do not mention.
        def _invoke_callbacks(self) -> None: ...


def call_here(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the task returns
    """Call the task in this thread."""
    return fn(*args, **kwargs)


class Work:
    """One submitted call and the future that waits for it."""

    def __init__(
        self,
        future: Future[Any],
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        call: Call,
    ) -> None:
        """Keep the call, and how it is to be made."""
        self.future = future
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self._call = call

    def run(self) -> None:
        """Make the call unless it was cancelled, and settle the future; never raise."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._call(self.fn, self.args, self.kwargs)
        except BaseException as error:  # noqa: BLE001 - whatever the task raises is its outcome
            self.fail(error)
            # The error's traceback holds this frame: the frame must not hold the future.
            del self
        else:
            self.finish(result)

    def finish(self, result: object) -> None:
        """Settle the future with a result; a callback that raises anything at all is only logged."""
        try:
            self.future.set_result(result)
        except BaseException:
            LOGGER.exception("a callback raised")

    def fail(self, error: BaseException) -> None:
        """Settle the future with an error; a callback that raises anything at all is only logged."""
        try:
            self.future.set_exception(error)
        except BaseException:
            LOGGER.exception("a callback raised")
        finally:
            del error, self


class Crew(ABC):
    """The part of an executor that does the work and knows nothing of the executor."""

    def __init__(self, *, ends_with_program: bool = True) -> None:
        """Begin open, without any work.

        Args:
            ends_with_program: Whether the crew is closed when the interpreter is about to exit.
        """
        self.lock = threading.RLock()
        self.joining = threading.Lock()
        self.closed = False
        self.dropping = False
        self.pid = os.getpid()
        self.futures: weakref.WeakSet[Future[Any]] = weakref.WeakSet()
        if ends_with_program:
            CREWS.add(self)

    def accept(self, work: Work) -> None:
        """Take work, or refuse it with `RuntimeError` once closed."""
        with self.lock:
            if self.closed:
                raise RuntimeError(AFTER_SHUTDOWN)
            self.futures.add(work.future)
            self.put(work)

    def do(self, work: Work) -> None:
        """Do one piece of work, which after `close(cancel=True)` means to cancel it."""
        if self.dropping:
            work.future.cancel()
        work.run()

    def close(self, *, cancel: bool = False) -> None:
        """Accept nothing more, and go home once all is done; with `cancel`, cancel what has not begun."""
        with self.lock:
            first, self.closed = not self.closed, True
            self.dropping = self.dropping or cancel
            if first:  # at once: whoever joins must find the one who is told by this to go home
                self.put(None)
        if cancel:
            for future in list(self.futures):
                future.cancel()

    def join_for_clients(self, threads: list[threading.Thread]) -> None:
        """Wait for threads, one client at a time: up to Python 3.12 two of them may trip in `Thread.join`."""
        with self.joining:
            join_others(threads)

    @abstractmethod
    def put(self, work: Work | None) -> None:
        """Pass work on to whoever does it; None says that nothing more will come."""

    @abstractmethod
    def join(self) -> None:
        """Wait until everything is done and everybody has gone home."""


CREWS: weakref.WeakSet[Crew] = weakref.WeakSet()


def _end_of_program() -> None:
    # A crew inherited over a fork has no threads here, and its lock may be held by one of them.
    crews = [crew for crew in CREWS if crew.pid == os.getpid()]
    for crew in crews:
        crew.close()
    # Waiting here, and not for the threads later, lets them use the standard library's pools to the end.
    for crew in crews:
        crew.join()


# The standard library's own hook: it runs before the interpreter waits for the threads that are left. A
# function registered with `atexit` would run after that wait, which idle workers would make endless.
threading._register_atexit(_end_of_program)  # type: ignore[attr-defined] # noqa: SLF001 - nothing public does this


def join_others(threads: list[threading.Thread]) -> None:
    """Wait for the end of all these threads, the calling one excepted."""
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join()


def processors() -> int:
    """How many processors this process may use, as this Python counts them."""
    count: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
    return count() or 1


class CrewExecutor(Executor):
    """An executor that leaves everything to its crew."""

    def __init__(self, max_workers: int | None = None, thread_name_prefix: str = "") -> None:
        """Hire a crew.

        Args:
            max_workers: How many tasks may run at once; None for as many as the standard library would take.
            thread_name_prefix: What the names of the threads that run tasks begin with.
        """
        if max_workers is None:
            max_workers = min(32, processors() + 4)
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._crew = self._hire(max_workers, thread_name_prefix or type(self).__name__)
        weakref.finalize(self, self._crew.close).atexit = False

    def _hire(self, workers: int, prefix: str) -> Crew:
        raise NotImplementedError

    def _future(self) -> Future[Any]:
        return SettledFuture()

    def _call(self) -> Call:
        return call_here

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Leave the call to the crew and return its future."""
        future = self._future()
        self._crew.accept(Work(future, fn, args, kwargs, self._call()))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as documented
        """Send the crew home, and wait until it has gone."""
        self._crew.close(cancel=cancel_futures)
        if wait:
            self._crew.join()


class Line(Crew):
    """Threads that wait at one queue, started as they are needed; an idle one is never left for a new one."""

    def __init__(
        self,
        workers: int,
        prefix: str,
        *,
        last_first: bool = False,
        ends_with_program: bool = True,
        at_end: Callable[[], None] | None = None,
    ) -> None:
        """Begin with an empty queue and no thread.

        Args:
            workers: How many threads there may be.
            prefix: What their names begin with.
            last_first: Start the work that came last first.
            ends_with_program: Whether the crew is closed when the interpreter is about to exit.
            at_end: Called when the last thread has nothing left to do.
        """
        super().__init__(ends_with_program=ends_with_program)
        # One reentrant lock: a finaliser may close the crew in the middle of anything that this thread does.
        self._arrival = threading.Condition(self.lock)
        self._waiting: deque[Work] = deque()
        self._take = self._waiting.pop if last_first else self._waiting.popleft
        self._workers = workers
        self._prefix = prefix
        self._at_end = at_end
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._serving = 0

    def put(self, work: Work | None) -> None:
        """Queue work and see that somebody does it."""
        with self._arrival:
            if work is not None:
                self._waiting.append(work)
                if self._idle < len(self._waiting) and len(self._threads) < self._workers:
                    self._hire_or_drop(work)
            self._arrival.notify_all()
            over = work is None and not self._serving
        if over and self._at_end is not None:
            self._at_end()

    def warm(self) -> None:
        """Start a thread if there is none."""
        with self.lock:
            if not self._threads:
                self._start_thread()

    def _hire_or_drop(self, work: Work) -> None:
        try:
            self._start_thread()
        except RuntimeError:
            # Without a new thread the ones that are there will do it; if there are none, nobody ever would.
            if not self._threads:
                self._waiting.remove(work)
                raise

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"{self._prefix}_{len(self._threads)}")
        thread.start()
        self._threads.append(thread)
        self._serving += 1

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            self.do(work)
            del work
        with self.lock:
            self._serving -= 1
            last = not self._serving
        if last and self._at_end is not None:
            self._at_end()

    def _next(self) -> Work | None:
        with self._arrival:
            while not self._waiting:
                if self.closed:
                    return None
                self._idle += 1
                self._arrival.wait()
                self._idle -= 1
            return self._take()

    def join(self) -> None:
        """Wait for the threads."""
        self.join_for_clients(self._threads)


class SingleThread(CrewExecutor):
    """One thread does everything, however many are allowed."""

    def _hire(self, workers: int, prefix: str) -> Crew:
        del workers
        return Line(1, prefix)


class Lifo(CrewExecutor):
    """What was submitted last is started first."""

    def _hire(self, workers: int, prefix: str) -> Crew:
        return Line(workers, prefix, last_first=True)


class EventFuture(SettledFuture[T]):
    """A future whose readers wait at an event of its own, not at the condition of the standard library's."""

    def __init__(self) -> None:
        """Begin pending."""
        super().__init__()
        self._over = threading.Event()

    def _invoke_callbacks(self) -> None:
        self._over.set()
        super()._invoke_callbacks()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the task raised, or None."""
        # A future is done a moment before its event is set, and a done one must not time out.
        if not self.done() and not self._over.wait(timeout) and not self.done():
            raise TimeoutError
        return super().exception(0)


class OwnFutureLock(CrewExecutor):
    """Its futures wait at a lock of their own."""

    def _hire(self, workers: int, prefix: str) -> Crew:
        return Line(workers, prefix)

    def _future(self) -> Future[Any]:
        return EventFuture()


class DispatchedFuture(SettledFuture[T]):
    """A future that has a finished task's callbacks called in another thread, in the order added."""

    def __init__(self, desk: Line) -> None:
        """Begin pending.

        Args:
            desk: The one thread that calls callbacks.
        """
        super().__init__()
        self._desk = desk

    def _invoke_callbacks(self) -> None:
        if self.cancelled():
            super()._invoke_callbacks()
        else:
            self._desk.put(Work(Future(), super()._invoke_callbacks, (), {}, call_here))


class DeskLine(Line):
    """Threads that do the work, and a desk whose one thread calls the callbacks."""

    def __init__(self, workers: int, prefix: str) -> None:
        """Begin without any thread."""
        # Only the last worker closes the desk: closed any earlier, callbacks would be lost.
        self.desk = Line(1, f"{prefix}-callbacks", ends_with_program=False)
        super().__init__(workers, prefix, at_end=self.desk.close)

    def _start_thread(self) -> None:
        # Later might be too late: while the interpreter exits no thread can be started.
        self.desk.warm()
        super()._start_thread()

    def join(self) -> None:
        """Wait for the threads, and until every callback was called."""
        super().join()
        self.desk.join()


class CallbackDispatcher(CrewExecutor):
    """One thread calls the callbacks of finished tasks; those of cancelled ones are called by `cancel`."""

    _crew: DeskLine

    def _hire(self, workers: int, prefix: str) -> Crew:
        return DeskLine(workers, prefix)

    def _future(self) -> Future[Any]:
        return DispatchedFuture(self._crew.desk)


class Helped(Crew):
    """A crew with a helper thread that takes the work in order of arrival and passes it on."""

    def __init__(self, workers: int, prefix: str) -> None:
        """Begin without any thread.

        Args:
            workers: How many tasks may run at once.
            prefix: What the names of the threads begin with.
        """
        super().__init__()
        self._workers = workers
        self._prefix = prefix
        self._inbox: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._helper: threading.Thread | None = None
        self._threads: list[threading.Thread] = []

    def put(self, work: Work | None) -> None:
        """Leave the work to the helper, who comes with the first of it."""
        if work is not None or self._helper is not None:
            self.come_and_take(work)

    def come_and_take(self, work: Work | None) -> None:
        """Put work into the helper's inbox, and see that there is a helper."""
        if self._helper is None:
            helper = threading.Thread(target=self._help, name=f"{self._prefix}-helper")
            helper.start()
            self._helper = helper
        self._inbox.put(work)

    def _help(self) -> None:
        while (work := self._inbox.get()) is not None:
            self.pass_on(work)
            del work
        self.leave()

    @abstractmethod
    def pass_on(self, work: Work) -> None:
        """Have somebody do the work, as soon as somebody can."""

    @abstractmethod
    def leave(self) -> None:
        """Send everybody home once all is done, and wait for that."""

    def start_thread(self, target: Callable[[T], None], what: T) -> None:
        """Start a thread that does something, or do it here if there can be no more threads."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=target, args=(what,), name=f"{self._prefix}_{len(self._threads)}")
        try:
            thread.start()
        except RuntimeError:
            target(what)
        else:
            self._threads.append(thread)

    def join(self) -> None:
        """Wait for the helper, who waits for all others; one of these cannot wait for its own end."""
        if self._helper is not None and threading.current_thread() not in self._threads:
            self.join_for_clients([self._helper])


Box: TypeAlias = "queue.SimpleQueue[Work | None]"


class LazyCrew(Helped):
    """The helper starts the workers, and hands the work to whoever is idle."""

    def __init__(self, workers: int, prefix: str) -> None:
        """Begin without any worker."""
        super().__init__(workers, prefix)
        self._idle: queue.SimpleQueue[Box] = queue.SimpleQueue()

    def pass_on(self, work: Work) -> None:
        """Hand the work to an idle worker, or a new one, or the first that becomes idle."""
        try:
            box = self._idle.get_nowait()
        except queue.Empty:
            if len(self._threads) < self._workers:
                box = queue.SimpleQueue()
                # In the box and not among the thread's arguments, which live as long as the thread.
                box.put(work)
                self.start_thread(self._work, box)
                return
            box = self._idle.get()
        box.put(work)

    def _work(self, box: Box) -> None:
        while (work := box.get()) is not None:
            self.do(work)
            del work
            if threading.current_thread() is self._helper:
                return
            self._idle.put(box)

    def leave(self) -> None:
        """Send each worker home when it is idle."""
        for _ in self._threads:
            self._idle.get().put(None)
        join_others(self._threads)


class LazyThreads(CrewExecutor):
    """Its workers are started by a thread of its own, not by `submit`."""

    def _hire(self, workers: int, prefix: str) -> Crew:
        return LazyCrew(workers, prefix)


class PerTaskCrew(Helped):
    """The helper starts a thread for each task, when one of the places is free."""

    def __init__(self, workers: int, prefix: str) -> None:
        """Begin with every place free."""
        super().__init__(workers, prefix)
        self._places = threading.Semaphore(workers)

    def pass_on(self, work: Work) -> None:
        """Start the work's own thread when there is a place."""
        self._places.acquire()
        self.start_thread(self._work, work)

    def _work(self, work: Work) -> None:
        try:
            self.do(work)
        finally:
            self._places.release()

    def leave(self) -> None:
        """Wait for the last threads."""
        join_others(self._threads)


class ThreadPerTask(CrewExecutor):
    """Each task has a new thread."""

    def _hire(self, workers: int, prefix: str) -> Crew:
        return PerTaskCrew(workers, prefix)


class PollingCrew(Crew):
    """All threads start at once, look for work every few milliseconds, and take their time to begin."""

    PAUSE = 0.005

    def __init__(self, workers: int, prefix: str) -> None:
        """Begin without any thread."""
        super().__init__()
        # No `SimpleQueue`: its `get` may outwait its timeout for ever if another was quicker (3.11, 3.12).
        self._inbox: deque[Work] = deque()
        self._workers = workers
        self._prefix = prefix
        self._threads: list[threading.Thread] = []

    def put(self, work: Work | None) -> None:
        """Leave the work where a thread will look."""
        if work is None:
            return
        if not self._threads:
            self._start_threads()
        self._inbox.append(work)

    def _start_threads(self) -> None:
        for number in range(self._workers):
            thread = threading.Thread(target=self._serve, name=f"{self._prefix}_{number}")
            try:
                thread.start()
            except RuntimeError:
                if not self._threads:
                    raise
                return
            self._threads.append(thread)

    def _serve(self) -> None:
        while True:
            # Looked at first: nothing comes after the closing, so what is not there now will never be.
            last_look = self.closed
            try:
                work = self._inbox.popleft()
            except IndexError:
                if last_look:
                    return
                time.sleep(self.PAUSE)
                continue
            time.sleep(self.PAUSE)
            self.do(work)
            del work

    def join(self) -> None:
        """Wait for the threads."""
        self.join_for_clients(self._threads)


class Slow(CrewExecutor):
    """Its workers poll, and are slow to begin."""

    def _hire(self, workers: int, prefix: str) -> Crew:
        return PollingCrew(workers, prefix)


class CallerCrew(Crew):
    """Whoever submits does the work, one at a time; what a task submits is done after that task."""

    def __init__(self) -> None:
        """Begin with nobody at work."""
        super().__init__()
        self._turn = threading.Condition(self.lock)
        self._turns_owner: int | None = None
        self._work: deque[Work] = deque()

    def accept(self, work: Work) -> None:
        """Do the work before returning, or after the task that submits it."""
        me = threading.get_ident()
        with self._turn:
            self._turn.wait_for(lambda: self.closed or self._turns_owner in {None, me})
            if self.closed:
                raise RuntimeError(AFTER_SHUTDOWN)
            self.futures.add(work.future)
            self._work.append(work)
            if self._turns_owner == me:
                return
            self._turns_owner = me
        try:
            while self._work:
                self.do(self._work.popleft())
        finally:
            with self._turn:
                self._turns_owner = None
                self._turn.notify_all()

    def put(self, work: Work | None) -> None:
        """Wake whoever waits for their turn, which will not come any more."""
        del work
        with self._turn:
            self._turn.notify_all()

    def join(self) -> None:
        """Wait until nobody else is at work."""
        with self._turn:
            self._turn.wait_for(lambda: self._turns_owner in {None, threading.get_ident()})


class Inline(CrewExecutor):
    """Runs each task in `submit`, in the caller's thread."""

    def _hire(self, workers: int, prefix: str) -> Crew:
        del workers, prefix
        return CallerCrew()


class DelegatingCrew(Crew):
    """A private pool of the standard library does the work, on behalf of futures that it does not know."""

    def __init__(self, workers: int, prefix: str) -> None:
        """Begin with an unused pool."""
        super().__init__()
        self._pool = ThreadPoolExecutor(workers, prefix)

    def put(self, work: Work | None) -> None:
        """Leave the work to the pool."""
        if work is None:
            self._pool.shutdown(wait=False)
            return
        try:
            self._pool.submit(self.do, work)
        except BaseException:
            # The pool may have queued it all the same (CF-59).
            work.future.cancel()
            raise

    def join(self) -> None:
        """Wait for the pool."""
        self._pool.shutdown(wait=True)


class Delegating(CrewExecutor):
    """Leaves everything to a private `ThreadPoolExecutor`."""

    def _hire(self, workers: int, prefix: str) -> Crew:
        return DelegatingCrew(workers, prefix)


class RemoteTracebackError(Exception):
    """The traceback of a worker process, as text: the cause of the error that it raised."""

    def __str__(self) -> str:
        """Show the traceback."""
        return f'\n"""\n{self.args[0]}"""'


@dataclass(frozen=True, slots=True)
class Returned:
    """What a task in a worker process returned."""

    value: object


@dataclass(frozen=True, slots=True)
class Raised:
    """What a task in a worker process raised."""

    error: BaseException
    text: str


def packed_call(call: Callable[[], Any]) -> bytes:
    """Make a call in a worker process and pack its outcome: what cannot be packed is an outcome too."""
    outcome: Returned | Raised
    try:
        outcome = Returned(call())
    except BaseException as error:  # noqa: BLE001 - whatever the task raises is its outcome
        outcome = _raised(error)
    try:
        return bytes(ForkingPickler.dumps(outcome))
    except BaseException as error:  # noqa: BLE001 - pickling runs the task's own code
        return bytes(ForkingPickler.dumps(_raised(error)))


def _raised(error: BaseException) -> Raised:
    return Raised(error, "".join(traceback.format_exception(error)))


def _called(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    return packed_call(lambda: fn(*args, **kwargs))


def opened(packed: bytes) -> Returned | Raised:
    """Unpack an outcome: what cannot be unpacked is an outcome too."""
    try:
        outcome: Returned | Raised = ForkingPickler.loads(packed)
    except BaseException as error:  # noqa: BLE001 - unpickling runs the task's own code
        return Raised(error, "")
    if isinstance(outcome, Raised):
        outcome.error.__cause__ = RemoteTracebackError(outcome.text)
    return outcome


class DelegatingProcessCrew(Helped):
    """A private process pool does the work; it is only given what it can begin with at once."""

    def __init__(self, workers: int, context: BaseContext | None) -> None:
        """Begin with an unused pool."""
        super().__init__(workers, "DelegatingProcess")
        self._pool = ProcessPoolExecutor(workers, mp_context=context)
        self._places = threading.Semaphore(workers)
        self._used = False
        self._broken = ""
        self._settling: set[int] = set()

    def accept(self, work: Work) -> None:
        """Take work unless the pool is broken or closed."""
        if self._broken or self._pool._broken:  # noqa: SLF001 - no public way to ask
            raise BrokenProcessPool(self._broken or "a worker died")
        super().accept(work)

    def put(self, work: Work | None) -> None:
        """Leave the work to the helper, but the first: then the pool forks, and there must be no thread."""
        if work is not None and not self._used:
            self._used = True
            self.pass_on(work)
        elif work is not None:
            self.come_and_take(work)
        elif self._used:
            self._close()
        else:
            self._pool.shutdown()

    def _close(self) -> None:
        try:
            self.come_and_take(None)
        except RuntimeError:
            # The interpreter exits and starts no thread any more: the pool itself sends its processes home.
            manager = self._pool._executor_manager_thread  # noqa: SLF001 - no public way to wait for it
            self._helper = manager  # type: ignore[assignment] # the stubs take it for something else
            self._pool.shutdown(wait=False)

    def pass_on(self, work: Work) -> None:
        """Give the work to the pool when it can begin with it at once."""
        self._places.acquire()
        if self.dropping:
            work.future.cancel()
        if not work.future.set_running_or_notify_cancel():
            self._places.release()
            return
        try:
            inner = self._pool.submit(_called, work.fn, work.args, work.kwargs)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the future has to be told
            self._settle(work, Raised(error, ""))
        else:
            inner.add_done_callback(partial(self._end, work))

    def _end(self, work: Work, inner: Future[bytes]) -> None:
        error = inner.exception()
        self._settle(work, opened(inner.result()) if error is None else Raised(error, ""))

    def _settle(self, work: Work, outcome: Returned | Raised) -> None:
        self._settling.add(threading.get_ident())
        try:
            if isinstance(outcome, Returned):
                work.finish(outcome.value)
            elif isinstance(outcome.error, BrokenProcessPool) and not outcome.text:
                self._broken = str(outcome.error)
                work.fail(BrokenProcessPool(self._broken))
            else:
                work.fail(outcome.error)
        finally:
            self._settling.discard(threading.get_ident())
            self._places.release()

    def leave(self) -> None:
        """Send the processes home once every place is free."""
        for _ in range(self._workers):
            self._places.acquire()
        self._pool.shutdown()

    def join(self) -> None:
        """Wait for the helper; a callback, which the pool's own thread calls, cannot."""
        if threading.get_ident() not in self._settling:
            super().join()


class DelegatingProcess(CrewExecutor):
    """Leaves everything to a private `ProcessPoolExecutor`, and packs the outcomes itself."""

    def __init__(self, max_workers: int | None = None, mp_context: BaseContext | None = None) -> None:
        """Hire a crew.

        Args:
            max_workers: How many processes there may be; None for as many as there are processors.
            mp_context: How they are started.
        """
        self._context = mp_context
        super().__init__(processors() if max_workers is None else max_workers)

    def _hire(self, workers: int, prefix: str) -> Crew:
        del prefix
        return DelegatingProcessCrew(workers, self._context)


# `multiprocessing` looks after its children whenever one is started, and two threads must not do so at once.
STARTING = threading.Lock()


def _new_lock() -> None:
    global STARTING  # noqa: PLW0603 - whoever holds the old lock does not exist after a fork
    STARTING = threading.Lock()


os.register_at_fork(after_in_child=_new_lock)


def _answer(line: Connection) -> None:
    call = line.recv_bytes()

    def unpack_and_call() -> object:
        fn, args, kwargs = ForkingPickler.loads(call)
        return fn(*args, **kwargs)

    line.send_bytes(packed_call(unpack_and_call))


def call_in_process(
    context: BaseContext, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:  # noqa: ANN401 - whatever the task returns
    """Call the task in a process of its own, and wait for its end."""
    packed = _ask(context, bytes(ForkingPickler.dumps((fn, args, kwargs))))
    outcome = opened(packed)
    try:
        if isinstance(outcome, Raised):
            raise outcome.error
        return outcome.value
    finally:
        # The error's traceback holds this frame: the frame must not hold the error.
        del outcome


def _ask(context: BaseContext, call: bytes) -> bytes:
    here, there = context.Pipe()
    process = context.Process(target=_answer, args=(there,))  # type: ignore[attr-defined] # every context has one
    answer = None
    with here:
        with there, STARTING:
            process.start()
        # An end of file, or a broken pipe: the process has died.
        with contextlib.suppress(EOFError, OSError):
            here.send_bytes(call)
            connection.wait([here, process.sentinel])
            answer = here.recv_bytes() if here.poll() else None
        process.join()
    code = process.exitcode
    with STARTING:
        process.close()
    if answer is None:
        raise BrokenProcessPool(f"the process of this task died, exit code {code}")
    return answer


class ProcessPerTask(CrewExecutor):
    """Each task has a new process; if it dies, only its own future fails."""

    def __init__(self, max_workers: int | None = None, mp_context: BaseContext | None = None) -> None:
        """Hire a crew.

        Args:
            max_workers: How many processes there may be; None for as many as there are processors.
            mp_context: How they are started. A thread must not fork, so "fork" is read as "forkserver".
        """
        if mp_context is None or mp_context.get_start_method() == "fork":
            mp_context = multiprocessing.get_context("forkserver")
        self._context = mp_context
        super().__init__(processors() if max_workers is None else max_workers)

    def _hire(self, workers: int, prefix: str) -> Crew:
        return Line(workers, prefix)

    def _call(self) -> Call:
        return partial(call_in_process, self._context)


class PlainSubclassThread(ThreadPoolExecutor):
    """The standard library's thread pool under another name."""


class PlainSubclassProcess(ProcessPoolExecutor):
    """The standard library's process pool under another name."""


SAFE: tuple[Safe, ...] = (
    Safe(
        target="tests.safe.executors:Inline",
        kind="thread",
        runs_inline=True,
        workers=1,
        note="One task at a time; what a task or a callback submits begins when that task is over.",
    ),
    Safe(
        target="tests.safe.executors:SingleThread", kind="thread", workers=1, note="POOL-02: one at a time."
    ),
    Safe(
        target="tests.safe.executors:LazyThreads",
        kind="thread",
        note="A helper thread starts the workers: submit returns before there is one.",
    ),
    Safe(
        target="tests.safe.executors:Lifo",
        kind="thread",
        order="other",
        note="Last submitted, first started.",
    ),
    Safe(
        target="tests.safe.executors:Slow",
        kind="thread",
        note="Workers poll, so it never looks hung; all of them start with the first task.",
    ),
    Safe(target="tests.safe.executors:Delegating", kind="thread", note="A private ThreadPoolExecutor works."),
    Safe(
        target="tests.safe.executors:DelegatingProcess",
        kind="process",
        forgettable=False,
        note="A private ProcessPoolExecutor works, without prefetch; a death can hang it as it hangs that.",
    ),
    Safe(
        target="tests.safe.executors:ThreadPerTask",
        kind="thread",
        note="POOL-04: no thread is ever idle, so none is reused.",
    ),
    Safe(
        target="tests.safe.executors:OwnFutureLock", kind="thread", note="Readers wait at the future's event."
    ),
    Safe(
        target="tests.safe.executors:CallbackDispatcher",
        kind="thread",
        forgettable=False,
        note="One thread calls the callbacks of finished tasks, so a stalled one holds up the others.",
    ),
    Safe(
        target="tests.safe.executors:PlainSubclassThread",
        kind="thread",
        note="Has the standard library's deviations, component by component.",
    ),
    Safe(
        target="tests.safe.executors:PlainSubclassProcess",
        kind="process",
        note="Has the standard library's deviations, component by component.",
    ),
    Safe(
        target="tests.safe.executors:ProcessPerTask",
        kind="process",
        deaths="heals",
        note="POOL-04: no process is ever idle, so none is reused; the forkserver stays.",
    ),
)
