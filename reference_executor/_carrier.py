"""A carrier: the thread that carries call items to one worker at a time, and its answers back.

What stalls for one task stalls here: pickling its arguments, a full pipe, a stopped worker, unpickling its
result, its callbacks. The other carriers and the management thread go on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from reference_executor._messages import (
    Raised,
    is_being_imported,
    pack,
    pack_by_name,
    unpack,
    unpack_raised,
)
from reference_executor._worker_process import WorkerLostError, WorkerProcess

if TYPE_CHECKING:
    from reference_executor._management import Pool
    from reference_executor._work import WorkItem


class Carrier(threading.Thread):
    """One of the pool's places for a worker. When a limited worker has left, the next one takes its place."""

    def __init__(self, pool: Pool, worker: WorkerProcess) -> None:
        """Make a carrier for this worker, which is already started."""
        super().__init__(name=f"{type(self).__name__}-{worker.process.name}", daemon=False)
        self._pool = pool
        self._worker: WorkerProcess | None = worker
        self._wait_until_ready = worker.wait_until_ready

    def run(self) -> None:
        """Carry until told to stop; then send the worker home."""
        try:
            self._wait_until_ready()
            while (work_id := self._pool.next_call()) is not None:
                self._carry(work_id)
            if self._worker is not None:
                self._worker.dismiss()
                self._release(self._worker)
        except WorkerLostError:
            self._pool.report_lost(self._worker)

    def _carry(self, work_id: int) -> None:
        item = self._pool.work_items.get(work_id)
        if item is None:
            return  # The pool broke.
        try:
            call = _pack_call(item)
            worker = self._worker = self._worker or self._pool.next_worker()
        except WorkerLostError:
            raise
        except BaseException as error:  # noqa: BLE001 - pickling runs foreign code; a start may fail
            del item  # The traceback keeps this frame: future and exception must form no cycle.
            self._pool.settle(work_id, None, error)
            return
        del item
        answer = worker.ask(call)
        del call
        self._pool.settle(work_id, *_outcome(answer))
        del answer
        if worker.left:
            self._release(worker)

    def _release(self, worker: WorkerProcess) -> None:
        """Let go of a worker that was told, or has announced, to leave."""
        self._worker = None
        self._pool.bury(worker)


def _pack_call(item: WorkItem[Any]) -> bytes:
    """Pack the call, and let go of it, since the worker has its own copy."""
    call = item.take_call()
    return pack_by_name(call) if is_being_imported(call[0]) else pack(call)


def _outcome(answer: bytes) -> tuple[Any, BaseException | None]:
    """Return the result and the exception in an answer."""
    try:
        message = unpack(answer)
    except BaseException as error:  # noqa: BLE001 - unpickling runs foreign code, and what fails is this task only
        return None, error
    if isinstance(message, Raised):
        return None, unpack_raised(message)
    return message.value, None
