"""The process pool's engine: work items, the call queue, the carriers, and the management thread.

    submit -> work items by id -> queue of work ids -> call queue -> carrier == pipe ==> worker process
                     ^                                                 |    <== pipe ==
                     +--------------------- settled -------------------+
                                                      management thread: has anybody died? is everything done?

It is the classic design of a process pool, with one change. The classic pool has one call queue and one
result queue that all workers share, and so locks that a killed worker can take to its grave, and messages
that it can leave torn in the middle. Here each worker has two pipes of its own, and a *carrier*: a thread
that takes call items to that worker and brings answers back. The management thread is left with life and
death. It waits for the wake-up channel and for every worker's sentinel, and nothing that a task does can
hold it up.

Two locks: `Pool.lock` guards the state below and is never held while foreign code runs (callbacks,
pickling, the start of a process); a worker's `talking` is held while its carrier talks with it. Nobody
takes the second while holding the first.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections import deque
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, util
from multiprocessing import process as multiprocessing_process
from typing import TYPE_CHECKING, Any, Final

from reference_executor import _residents
from reference_executor._carrier import Carrier
from reference_executor._wake_up import WakeUpChannel
from reference_executor._work import (
    Settled,
    WorkItem,
    call_back_all,
    call_back_in_worker,
    cancel_all,
    fail_all,
)
from reference_executor._worker_process import WorkerLostError, WorkerPlan, WorkerProcess, forget_fork_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.process import BaseProcess

#: Calls in the call queue beyond one for each worker: a carrier that comes back finds its next call ready.
#: What is in the call queue counts as running and can no longer be cancelled, so there should be few.
EXTRA_QUEUED_CALLS: Final = 1

_BROKEN: Final = (
    "A process in the process pool was terminated abruptly while the future was running or pending"
)


class Pool:
    """What executor, carriers and management thread of a pool share. It does not know the executor."""

    def __init__(self, size: int, plan: WorkerPlan) -> None:
        """Make a pool without workers."""
        # Re-entrant: a finaliser that submits may run anywhere, also in the middle of `submit`.
        self.lock = threading.RLock()
        self.work_items: dict[
            int, WorkItem[Any]
        ] = {}  # Neither settled nor, with the lock released, cancelled.
        self.processes: dict[int, BaseProcess] = {}
        self.cause: str | None = None  # Why the pool is broken.
        self.manager: threading.Thread | None = None
        self._size = size
        self._plan = plan
        self._ids = itertools.count()
        self._work_ids: deque[int] = deque()
        self._call_queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._room = (
            size + EXTRA_QUEUED_CALLS
        )  # In the call queue, which holds its calls until they are answered.
        self._carriers: set[Carrier] = set()
        self._workers: set[WorkerProcess] = set()
        self._lost: set[WorkerProcess] = set()  # Reported by their carriers.
        self._starting = 0  # Workers being started. The lock is free meanwhile.
        # Until 3.12, two threads that join a third at once can trip over each other, in `Thread._stop`.
        self._joining = threading.RLock()
        self._changed = threading.Condition(self.lock)  # Notified when workers were started, or are gone.
        self._stalled = 0  # Carriers that are calling callbacks.
        self._closing = False
        self._dismissed = False
        self._abandoned = False
        self._failed: Settled = []  # Whose callbacks the management thread has still to call.
        self._wake_up: WakeUpChannel | None = None
        # Once there are threads, a forked child would inherit the locks that they hold: then fork all, or
        # none.
        self._forks = plan.context.get_start_method(allow_none=False) == "fork"

    # What the executor asks for.

    def accept(self, item: WorkItem[Any]) -> None:
        """Queue a piece of work, or raise and leave nothing behind."""
        hired = False
        while True:
            with self.lock:
                self._check_open()
                if hired or not self._missing():
                    work_id = next(self._ids)
                    self.work_items[work_id] = item
                    self._work_ids.append(work_id)
                    self._move_work()
                    return
            # The workers first, so that one that cannot be started leaves no work behind.
            self._hire()
            hired = True  # As far as possible. If some could not be started, work waits for the others.

    def close(self, *, cancel_futures: bool = False) -> None:
        """Accept no more work; the workers leave when the rest is done, or cancelled."""
        cancelled: Settled = []
        with self.lock:
            self._closing = True
            if cancel_futures:
                cancelled = cancel_all([self.work_items.pop(work_id) for work_id in self._work_ids])
                self._work_ids.clear()
            self._move_work()
            self._wake()
        call_back_all(cancelled)

    def join(self) -> None:
        """Wait until the workers are gone; in a thread of this pool, do not."""
        with self._changed:
            if self._is_inside():
                return
            self._changed.wait_for(lambda: self._starting == 0)
            manager = self.manager
        if manager is not None:
            with self._joining:
                manager.join()

    def _is_inside(self) -> bool:
        """Whether this is a thread of the pool, which cannot wait for its own end. Wants the lock."""
        return threading.current_thread() in {self.manager, *self._carriers}

    def terminate(self) -> None:
        """Close, cancel what has not begun, and send SIGTERM to every worker."""
        self.close(cancel_futures=True)
        with self._changed:
            self._changed.wait_for(lambda: self._starting == 0)
            for worker in self._workers:
                worker.process.terminate()

    def kill(self) -> None:
        """Close, cancel what has not begun, kill every worker, and wait until they are dead."""
        self.close(cancel_futures=True)
        with self._changed:
            self._changed.wait_for(lambda: self._starting == 0)
            for worker in list(self._workers):
                worker.kill()
                self.report_lost(worker)
            if not self._is_inside():
                # Those that had left already are their carriers' business, who may be stalled in a callback.
                self._changed.wait_for(lambda: all(worker.left for worker in self._workers))

    def owner_is_gone(self, _: object) -> None:
        """Close: nobody is left to submit more. Called by the garbage collector, anywhere."""
        with self.lock:
            self._closing = True
            self._move_work()
            self._wake()

    def abandon(self) -> None:
        """In a forked child: nothing of this is ours, and some other thread may have held the locks."""
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._joining = threading.RLock()
        self._abandoned = True
        self._starting = 0
        self._wake_up = self.manager = None
        # The child would wait for them at its end, and fail, since they are not its children.
        children: set[BaseProcess] = multiprocessing_process._children  # type: ignore[attr-defined]  # noqa: SLF001
        children.difference_update(self.processes.values())
        self.processes.clear()
        self._workers.clear()
        forget_fork_server()

    def _check_open(self) -> None:
        if self._abandoned:
            raise RuntimeError("cannot schedule new futures in a forked child: the workers are the parent's")
        if self.cause is not None:
            raise BrokenProcessPool(self.cause)
        if self._closing:
            raise RuntimeError(_residents.refusal_of_closed())
        if not self._carriers:
            _residents.check_not_ending()

    # Work: from the queue of work ids to the call queue to its end. `_move_work` wants the lock.

    def _move_work(self) -> None:
        """Fill the call queue, marking its calls as running; when nothing is left, send the workers home."""
        while self._room and self._work_ids:
            work_id = self._work_ids.popleft()
            if self.work_items[work_id].future._start():  # noqa: SLF001 - ours
                self._room -= 1
                self._call_queue.put(work_id)
            else:
                del self.work_items[work_id]
        if self._closing and not self.work_items:
            self._dismiss()

    def _dismiss(self) -> None:
        if not self._dismissed:
            self._dismissed = True
            self._call_queue.put(None)
            self._wake()  # It may be over already: a limited worker leaves before its last call is settled.

    def next_call(self) -> int | None:
        """Wait for a call; None when there will be no more."""
        work_id = self._call_queue.get()
        if work_id is None:
            self._call_queue.put(None)  # For the next carrier.
        return work_id

    def settle(self, work_id: int, result: object, exception: BaseException | None) -> None:
        """Settle a work item with its outcome, unless the pool broke meanwhile."""
        with self.lock:
            item = self.work_items.pop(work_id, None)
            self._room += 1
            self._move_work()
        if item is None:
            return
        callbacks = item.future._settle("finish", result, exception)  # noqa: SLF001 - ours
        if callbacks:
            with self._stalling():
                call_back_in_worker(item.future, callbacks)

    @contextmanager
    def _stalling(self) -> Iterator[None]:
        """Count a carrier as busy while it calls callbacks: for what is submitted, another is needed."""
        with self.lock:
            self._stalled += 1
        try:
            yield
        finally:
            with self.lock:
                self._stalled -= 1

    # Workers: hired, replaced, buried.

    def _missing(self) -> int:
        """How many workers are to be started, for the work that is there and one call more."""
        present = len(self._carriers) + self._starting
        if self._forks:
            return 0 if present else self._size
        needed = len(self.work_items) + self._stalled + 1
        return max(0, min(self._size, needed) - present)

    def _hire(self) -> None:
        """Start the workers that are missing; raise only if there is none at all afterwards."""
        stranded: Settled = []
        with self.lock:
            count = self._missing()
            self._starting += count
        workers, error = self._start_processes(count)
        with self.lock:
            self._starting -= count
            for worker in workers:
                error = self._employ(worker) or error
            if error is not None and not self._carriers and not self._starting and self.work_items:
                stranded = self._break(f"{_BROKEN}: no process could be started ({error!r})")
            self._changed.notify_all()
            self._wake()
            nobody = not self._carriers
        call_back_all(stranded)
        try:
            if error is not None and nobody:
                raise error
        finally:
            del error  # Or it would form a cycle with its traceback, which keeps this frame.

    def _start_processes(self, count: int) -> tuple[list[WorkerProcess], BaseException | None]:
        workers: list[WorkerProcess] = []
        try:
            while len(workers) < count:
                workers.append(WorkerProcess(self._plan))
        except BaseException as error:  # noqa: BLE001 - as in `_start_processes`
            return workers, error
        return workers, None

    def _employ(self, worker: WorkerProcess) -> BaseException | None:
        """Give a new worker a carrier, and the first one a management thread. Wants the lock."""
        carrier = Carrier(self, worker)
        try:
            self._start_management()
            carrier.start()
        except BaseException as error:  # noqa: BLE001 - as in `_start_processes`
            if not carrier.is_alive():
                _end(worker)
                return error
        self._carriers.add(carrier)
        self._add_worker(worker)
        return None

    def _add_worker(self, worker: WorkerProcess) -> None:
        if self.cause is not None:
            _end(worker)
        else:
            self._workers.add(worker)
            self.processes[worker.pid] = worker.process

    def next_worker(self) -> WorkerProcess:
        """Start a worker in the place of one that has left."""
        worker = WorkerProcess(self._plan)
        with self.lock:
            self._add_worker(worker)
            self._wake()
            if self.cause is not None:
                raise WorkerLostError
        worker.wait_until_ready()
        return worker

    def bury(self, worker: WorkerProcess) -> None:
        """See a worker off that was sent home, or left of its own accord."""
        if not worker.left:
            raise WorkerLostError
        worker.process.join()
        self._remove(worker)

    def _remove(self, worker: WorkerProcess) -> None:
        with (
            worker.talking
        ):  # Or a carrier that is still reading would read from whatever gets the number next.
            worker.close()
        with self.lock:
            self._workers.discard(worker)
            self.processes.pop(worker.pid, None)
            self._changed.notify_all()
            self._wake()

    def report_lost(self, worker: WorkerProcess | None) -> None:
        """Tell the management thread of a worker whose pipes have ended; it may know already."""
        with self.lock:
            if worker is not None:
                self._lost.add(worker)
            self._wake()

    # Management: life and death.

    def _start_management(self) -> None:
        if self.manager is not None:
            return
        self._wake_up = wake_up = WakeUpChannel(self._plan.context)
        # In a process that `multiprocessing` started, its children are waited for before the threads are.
        at_exit = util.Finalize(None, _residents.wait_for_all, exitpriority=10)
        arguments = (wake_up, at_exit)
        self.manager = threading.Thread(
            target=self._manage, args=arguments, name="ManagementThread", daemon=False
        )
        _residents.residents.add(self)
        try:
            self.manager.start()
        except Exception:
            self.manager = None
            self._move_out(*arguments)
            raise

    def _wake(self) -> None:
        if self._wake_up is not None:
            self._wake_up.ring()

    def _manage(self, wake_up: WakeUpChannel, at_exit: util.Finalize) -> None:
        """Be the management thread."""
        while not self._is_over():
            for worker in self._wait_for_deaths(wake_up):
                self._examine(worker)
        for future, callbacks in self._failed:
            call_back_in_worker(future, callbacks)
        self._failed.clear()
        for carrier in list(self._carriers):
            carrier.join()
        self._move_out(wake_up, at_exit)

    def _move_out(self, wake_up: WakeUpChannel, at_exit: util.Finalize) -> None:
        """Leave nothing behind."""
        with self.lock:
            self._wake_up = None
            wake_up.close()
            self._carriers.clear()  # A cycle less: a pool that is dropped is freed, with all that it holds.
        at_exit.cancel()
        _residents.residents.discard(self)

    def _is_over(self) -> bool:
        with self.lock:
            ending = self.cause is not None or (self._closing and not self.work_items)
            return ending and not self._workers and not self._starting

    def _wait_for_deaths(self, wake_up: WakeUpChannel) -> list[WorkerProcess]:
        """Wait for a sentinel or the wake-up channel; return the workers that may have died."""
        with self.lock:
            watched = {worker.process.sentinel: worker for worker in self._workers if not worker.left}
        ready = connection.wait([wake_up.reader, *watched])
        wake_up.clear()
        with self.lock:
            lost, self._lost = self._lost, set()
        return [watched[each] for each in ready if isinstance(each, int) and each in watched] + list(lost)

    def _examine(self, worker: WorkerProcess) -> None:
        """Break the pool if a worker ended without a farewell."""
        with worker.talking:
            if worker.left:
                return  # Its carrier buries it.
            words = worker.last_words()
        with self.lock:
            if self.cause is None:
                self._failed += self._break(f"{_BROKEN}: of process {worker.pid}, {words}")
            workers = list(self._workers)
        # SIGKILL, to all before waiting for any: a task may ignore SIGTERM, or the process be stopped.
        for each in workers:
            each.kill()
        for each in workers:
            if not each.left:
                each.end()
                self._remove(each)

    def _break(self, cause: str) -> Settled:
        """Fail every unfinished future, each with an exception of its own. Wants the lock.

        Returns:
            The futures whose callbacks are to be called when the lock is free.
        """
        self.cause = cause
        failed = fail_all(self.work_items.values(), lambda: BrokenProcessPool(cause))
        self.work_items.clear()
        self._work_ids.clear()
        self._dismiss()
        return failed


def _end(worker: WorkerProcess) -> None:
    worker.end()
    worker.close()
