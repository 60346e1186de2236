"""Races that are planted in a copy of the standard library, which is then put in front of the real one."""

from __future__ import annotations

import concurrent.futures
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.values import operation as op
from harness.values.history import Answered, CalledBack, Event, Started, Stuck
from harness.values.outcome import Raised, Returned
from harness.values.program import Lane, Pool, Program, Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

THREADS: Final = "concurrent.futures:ThreadPoolExecutor"
PROCESSES: Final = "concurrent.futures:ProcessPoolExecutor"


class Seen:
    """What a run of a program showed, whatever ran it: nothing else decides whether the fault was found.

    `hung` says that a call would never have returned; `answers` is what each call, by lane and number,
    returned or raised; `answered` and `started` are the stamps of calls and tasks; `called_back` counts.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        """Sort the events of a run."""
        answers = [each for each in events if isinstance(each, Answered)]
        self.hung = any(isinstance(each, Stuck) for each in events)
        self.answers = {(each.lane, each.call): _spelt(each) for each in answers}
        self.answered = {(each.lane, each.call): each.at for each in answers}
        self.started = {each.task: each.at for each in events if isinstance(each, Started)}
        self.called_back = Counter(each.callback for each in events if isinstance(each, CalledBack))


def _spelt(answer: Answered) -> str:
    match answer.outcome:
        case Returned(value=value):
            return value
        case Raised(error=error):
            return error
        case _:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A fault: which texts of a file of `concurrent.futures` become which, and a program to show it.

    `shows` says whether what a run showed is the fault; what the rules say of it is for other tests. None of
    the programs shows it as long as threads are only switched where they have to be.
    """

    key: str
    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    program: Program
    shows: Callable[[Seen], bool]

    @property
    def target(self) -> str:
        """The executor that it is in."""
        return PROCESSES if self.file == "process.py" else THREADS

    def put(self, folder: Path, *, mended: bool = False) -> Path:
        """Copy `concurrent.futures` below a folder, with the fault or, mended, without; returns it."""
        package = folder / "concurrent" / "futures"
        original = Path(concurrent.futures.__file__ or "").parent
        shutil.copytree(original, package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(original.parent / "__init__.py", package.parent)
        file = package / self.file
        text = file.read_text()
        for before, after in () if mended else self.changes:
            assert text.count(before) == 1, f"{self.name} finds no place in this Python"
            text = text.replace(before, after)
        file.write_text(text)
        return folder


def _submit(number: int) -> op.Submit:
    return op.Submit(executor="e0", future=f"f{number}", task=f"t{number}")


def _result(number: int) -> op.Result:
    return op.Result(future=f"f{number}")


_SHUTDOWN: Final = op.Shutdown(executor="e0")


def _program(*lanes: tuple[op.Operation, ...], tasks: int = 2, workers: int = 1) -> Program:
    return Program(
        pools=(Pool(workers=workers),),
        tasks=tuple(Script(task=f"t{number}") for number in range(tasks)),
        lanes=tuple(Lane(operations=operations) for operations in lanes),
    )


def _hangs(seen: Seen) -> bool:
    return seen.hung


CANCEL: Final = Plant(
    key="cancel",
    name="cancel checks the state before it takes the lock",
    file="_base.py",
    changes=(
        (
            """        with self._condition:
            if self._state in [RUNNING, FINISHED]:
                return False

            if self._state in [CANCELLED, CANCELLED_AND_NOTIFIED]:
""",
            """        if self._state in [RUNNING, FINISHED]:
            return False
        with self._condition:
            if self._state in [CANCELLED, CANCELLED_AND_NOTIFIED]:
""",
        ),
    ),
    program=_program((_submit(0), _submit(1), op.Cancel(future="f1"))),
    shows=lambda seen: "t1" in seen.started and seen.answers.get((0, 2)) == "True",
)

RUNNING: Final = Plant(
    key="running",
    name="a worker looks whether its task was cancelled before it takes the lock",
    file="_base.py",
    changes=(
        (
            """        with self._condition:
            if self._state == CANCELLED:
                self._state = CANCELLED_AND_NOTIFIED
""",
            """        cancelled = self._state == CANCELLED
        with self._condition:
            if cancelled:
                self._state = CANCELLED_AND_NOTIFIED
""",
        ),
    ),
    program=_program((_submit(0), op.Cancel(future="f0"), _submit(1), _result(1))),
    shows=_hangs,
)

CALLBACK: Final = Plant(
    key="callback",
    name="add_done_callback looks whether the future is done before it takes the lock",
    file="_base.py",
    changes=(
        (
            """        with self._condition:
            if self._state not in [CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED]:
                self._done_callbacks.append(fn)
                return
""",
            """        if self._state not in [CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED]:
            with self._condition:
                self._done_callbacks.append(fn)
                return
""",
        ),
    ),
    program=_program((_submit(0), op.AddCallback(future="f0", callback="c0")), tasks=1),
    shows=lambda seen: not seen.hung and not seen.called_back["c0"],
)

TOLD: Final = Plant(
    key="told",
    name="set_result tells the waiters before the future is finished",
    file="_base.py",
    changes=(
        (
            """            self._result = result
            self._state = FINISHED
            for waiter in self._waiters:
                waiter.add_result(self)
            self._condition.notify_all()
""",
            """            self._result = result
            for waiter in self._waiters:
                waiter.add_result(self)
            self._condition.notify_all()
        with self._condition:
            self._state = FINISHED
""",
        ),
    ),
    program=_program((_submit(0), _result(0)), tasks=1),
    shows=lambda seen: seen.hung or seen.answers.get((0, 1)) == "TimeoutError",
)

ONE: Final = Plant(
    key="one",
    name="set_result wakes up one of those who wait",
    file="_base.py",
    changes=(
        (
            """                waiter.add_result(self)
            self._condition.notify_all()
""",
            """                waiter.add_result(self)
            self._condition.notify()
""",
        ),
    ),
    program=Program(
        pools=(Pool(workers=1),),
        tasks=(Script(task="t0", gates=("g0",)), Script(task="t1")),
        lanes=(
            Lane(operations=(_submit(0), _submit(1), op.Open(gate="g0"), _result(1))),
            Lane(operations=(_result(0), _result(1))),
        ),
    ),
    shows=_hangs,
)

WAIT: Final = Plant(
    key="wait",
    name="wait installs its waiters after it let go of the futures",
    file="_base.py",
    changes=(
        (
            """        waiter = _create_and_install_waiters(fs, return_when)

    waiter.event.wait(timeout)
""",
            """    waiter = _create_and_install_waiters(fs, return_when)

    waiter.event.wait(timeout)
""",
        ),
    ),
    program=_program((_submit(0), op.Wait(futures=("f0",))), tasks=1),
    shows=_hangs,
)

AS_COMPLETED: Final = Plant(
    key="as-completed",
    name="as_completed clears its event after it looked who has finished",
    file="_base.py",
    changes=(
        (
            """                waiter.finished_futures = []
                waiter.event.clear()
""",
            """                waiter.finished_futures = []
            waiter.event.clear()
""",
        ),
    ),
    program=_program(
        (
            _submit(0),
            _submit(1),
            op.AsCompleted(iterator="i0", futures=("f0", "f1")),
            op.Drain(iterator="i0"),
        )
    ),
    shows=_hangs,
)

SHUTDOWN: Final = Plant(
    key="shutdown",
    name="submit looks whether the pool was shut down before it takes the lock",
    file="thread.py",
    changes=(
        (
            """        with self._shutdown_lock, _global_shutdown_lock:
            if self._broken:
""",
            """        closed = self._shutdown
        with self._shutdown_lock, _global_shutdown_lock:
            if self._broken:
""",
        ),
        (
            """            if self._shutdown:
                raise RuntimeError('cannot schedule new futures after shutdown')
""",
            """            if closed:
                raise RuntimeError('cannot schedule new futures after shutdown')
""",
        ),
    ),
    program=_program((_submit(0), _SHUTDOWN), (_result(0), _submit(1))),
    shows=_hangs,
)

EARLY: Final = Plant(
    key="early",
    name="submit lets go of the lock before it starts a thread",
    file="thread.py",
    changes=(
        (
            """            self._adjust_thread_count()
            return f
""",
            """        self._adjust_thread_count()
        return f
""",
        ),
    ),
    program=Program(
        pools=(Pool(workers=1), Pool(executor="e1", workers=1)),
        tasks=(Script(task="t0"), Script(task="t1")),
        lanes=(
            Lane(operations=(_submit(0),)),
            Lane(operations=(op.Submit(executor="e1", future="f1", task="t1"), _SHUTDOWN)),
        ),
    ),
    shows=lambda seen: (
        "t0" in seen.started and (1, 1) in seen.answered and seen.answered[1, 1] < seen.started["t0"]
    ),
)

NUMBER: Final = Plant(
    key="number",
    name="submit reads the number of its task before it takes the lock",
    file="process.py",
    changes=(
        (
            """        with self._shutdown_lock:
            if self._broken:
                raise BrokenProcessPool(self._broken)
""",
            """        number = self._queue_count
        with self._shutdown_lock:
            if self._broken:
                raise BrokenProcessPool(self._broken)
""",
        ),
        (
            """            self._pending_work_items[self._queue_count] = w
            self._work_ids.put(self._queue_count)
            self._queue_count += 1
""",
            """            self._pending_work_items[number] = w
            self._work_ids.put(number)
            self._queue_count = number + 1
""",
        ),
    ),
    program=_program((_submit(0),), (_submit(1),)),
    shows=_hangs,
)

ORDER: Final = Plant(
    key="order",
    name="submit hands on the number of its task before there is a task of that number",
    file="process.py",
    changes=(
        (
            """            self._pending_work_items[self._queue_count] = w
            self._work_ids.put(self._queue_count)
""",
            """            self._work_ids.put(self._queue_count)
            self._pending_work_items[self._queue_count] = w
""",
        ),
    ),
    program=_program((_submit(0), _submit(1), _result(1))),
    shows=lambda seen: seen.hung or seen.answers.get((0, 2)) == "BrokenProcessPool",
)

FLAG: Final = Plant(
    key="flag",
    name="shutdown wakes up the manager before it says why",
    file="process.py",
    changes=(
        (
            """            self._shutdown_thread = True
            if self._executor_manager_thread_wakeup is not None:
                # Wake up queue management thread
                self._executor_manager_thread_wakeup.wakeup()
""",
            """            if self._executor_manager_thread_wakeup is not None:
                # Wake up queue management thread
                self._executor_manager_thread_wakeup.wakeup()
        with self._shutdown_lock:
            self._shutdown_thread = True
""",
        ),
    ),
    program=_program((_submit(0), _result(0), _SHUTDOWN), tasks=1),
    shows=_hangs,
)

PLANTS: Final = (
    CANCEL, RUNNING, CALLBACK, TOLD, ONE, WAIT, AS_COMPLETED, SHUTDOWN, EARLY,
    NUMBER, ORDER, FLAG,
)  # fmt: skip
