"""Thread pools that break one promise each about `shutdown` and the `with` statement."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tests.mutants.base import PlainThreadPool
from tests.mutants.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")


class Shd01(PlainThreadPool):
    """The first `shutdown(wait=True)` does not wait; a later one, and the end of a `with` block, do."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down; return at once unless the pool is shut down already."""
        with self._work.changed:
            first = not self._work.closed
            self._work.close()
        super().shutdown(wait and not first, cancel_futures=cancel_futures)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        """Shut down and wait."""
        super().shutdown(wait=True)
        return None


class Shd02(PlainThreadPool):
    """`shutdown(wait=False)` waits."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down, and wait until the workers are gone."""
        del wait
        super().shutdown(wait=True, cancel_futures=cancel_futures)


class Shd03(PlainThreadPool):
    """`cancel_futures=True` cancels nothing."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down and have everything executed that is queued."""
        del cancel_futures
        super().shutdown(wait)


class Shd04(PlainThreadPool):
    """Raises when it is shut down again."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down, once."""
        with self._work.changed:
            if self._work.closed:
                raise RuntimeError("already shut down")
            # Closed within the lock: of two threads at once one is the second.
            self._work.close()
        super().shutdown(wait, cancel_futures=cancel_futures)


class Shd05(PlainThreadPool):
    """Only the first `shutdown` counts: after one that did not wait, none waits."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down, and wait if nobody else has shut down before."""
        with self._work.changed:
            first = not self._work.closed
            self._work.close()
        super().shutdown(wait and first, cancel_futures=cancel_futures)


class Shd06(PlainThreadPool):
    """Leaving a `with` block does not shut down if the block raises."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        """Shut down unless an exception goes through."""
        if exc_type is None:
            return super().__exit__(exc_type, exc_val, exc_tb)
        return None


class Shd07(PlainThreadPool):
    """Shut down without ever having been used, it leaves a thread that waits for ever."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down, and if there was no worker start something that never ends."""
        with self._work.changed:
            unused = not self._work.threads and not self._work.closed
            self._work.close()
        if unused:
            # A daemon, so that the interpreter can exit all the same.
            threading.Thread(target=threading.Event().wait, name="left behind", daemon=True).start()
        super().shutdown(wait, cancel_futures=cancel_futures)


class Shd09(Executor):
    """What is queued is cancelled when nobody keeps the executor after `shutdown(wait=False)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the pool checks them
        """Make the pool that does the work."""
        self._pool = PlainThreadPool(*args, **kwargs)
        # The pool lives as long as it has work; this shell lives as long as a client keeps it.
        weakref.finalize(self, cancel_if_closed, self._pool).atexit = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call."""
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut the pool down."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def cancel_if_closed(pool: PlainThreadPool) -> None:
    """Cancel what a pool has queued, if it is shut down."""
    if pool._work.closed:  # noqa: SLF001 - mutants are made from the pool's insides
        pool.shutdown(wait=False, cancel_futures=True)


class Shd10(PlainThreadPool):
    """`shutdown(cancel_futures=True)` never returns if a task is being executed."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down, and wait for ever if that should cancel while a worker is busy."""
        with self._work.changed:
            busy = self._work.idle < len(self._work.threads)
        super().shutdown(wait=wait and not (busy and cancel_futures), cancel_futures=cancel_futures)
        if busy and cancel_futures:
            threading.Event().wait()


class Shd11(PlainThreadPool):
    """A shutdown that cancels, and does not wait, puts that off until the client comes back."""

    _put_off = False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down; cancel what an earlier call should have cancelled."""
        now = cancel_futures and wait
        super().shutdown(wait, cancel_futures=now or self._put_off)
        self._put_off = cancel_futures and not wait


class Shd08(PlainThreadPool):
    """Cannot be shut down by its own workers, waiting or not."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down, unless a worker asks for it."""
        if threading.current_thread() in self._work.threads and not wait:
            raise RuntimeError("a worker cannot shut down its pool")
        super().shutdown(wait, cancel_futures=cancel_futures)


class Shd12(PlainThreadPool):
    """Tells a worker that waits for its own end that it cannot."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Shut down; if a worker waits, fail."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait and threading.current_thread() in self._work.threads:
            raise RuntimeError("cannot join current thread")


NOTES = {
    "SHD-01": "The first shutdown(wait=True) returns while a task is still being executed.",
    "SHD-02": "shutdown(wait=False) returns only when the tasks are over.",
    "SHD-03": "cancel_futures=True is ignored: what is queued is executed.",
    "SHD-04": "The second shutdown raises RuntimeError.",
    "SHD-05": "shutdown(wait=True) after shutdown(wait=False) returns while a task is still being executed.",
    "SHD-06": "A with block that raises is left without a shutdown: submit goes on, workers stay.",
    "SHD-07": "Shut down unused, it leaves a thread.",
    "SHD-09": "Dropped after shutdown(wait=False), it cancels what is queued.",
    "SHD-11": "Dropped after shutdown(wait=False, cancel_futures=True), it executes what is queued.",
    "SHD-10": "shutdown(cancel_futures=True) with a task being executed never returns.",
    "SHD-08": "shutdown(wait=False) raises in a worker of the pool.",
    "SHD-12": "shutdown(wait=True) raises in a worker of the pool.",
}

MUTANTS: tuple[Mutant, ...] = tuple(
    Mutant(
        rule=rule, target=f"tests.mutants.closing:{rule.title().replace('-', '')}", kind="thread", note=note
    )
    for rule, note in NOTES.items()
)
