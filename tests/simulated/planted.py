"""Races that are planted in a copy of the standard library, which is then put in front of the real one."""

from __future__ import annotations

import concurrent.futures
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.values import operation as op
from harness.values.program import Lane, Pool, Program, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A fault: which texts of a file of `concurrent.futures` become which, and a program to show it."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    program: Program

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


def _program(*lanes: tuple[op.Operation, ...], tasks: int = 2, workers: int = 1) -> Program:
    return Program(
        pools=(Pool(workers=workers),),
        tasks=tuple(Script(task=f"t{number}") for number in range(tasks)),
        lanes=tuple(Lane(operations=operations) for operations in lanes),
    )


CANCEL: Final = Plant(
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
)

SHUTDOWN: Final = Plant(
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
    program=_program((_submit(0), op.Shutdown(executor="e0")), (_submit(1),)),
)

CALLBACK: Final = Plant(
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
)

WAIT: Final = Plant(
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
)

PLANTS: Final = (CANCEL, SHUTDOWN, CALLBACK, WAIT)
