"""The first thread of a process is its main thread, also in the eyes of the world's `threading`.

The real module puts itself right after a fork; but simulated processes share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.arenas.simulated import kernel

if TYPE_CHECKING:
    import types

    from harness.arenas.simulated.kernel import Kernel
    from harness.arenas.simulated.tasks import Task


def let_processes_have_main_threads(threading: types.ModuleType) -> None:
    """Change `current_thread` and `main_thread` of the world's `threading`."""
    current_thread, main_thread = threading.current_thread, threading.main_thread

    def find_current() -> Any:  # noqa: ANN401 - a thread of the world's
        k = kernel.running
        if k is not None and _is_first(k) and k.current.ident not in threading._active:  # noqa: SLF001 - as it does itself
            return _make(threading, k.current)
        return current_thread()

    def find_main() -> Any:  # noqa: ANN401 - a thread of the world's
        k = kernel.running
        if k is None or k.current.process is k.client:
            return main_thread()
        first = k.current.process.main
        assert first is not None  # noqa: S101 - for mypy: the current task has a process, which began
        return threading._active.get(first.ident) or _make(threading, first)  # noqa: SLF001 - as above

    vars(threading).update(current_thread=find_current, main_thread=find_main)


def _is_first(k: Kernel) -> bool:
    process = k.current.process
    return process is not k.client and k.current is process.main


def _make(threading: Any, task: Task) -> Any:  # noqa: ANN401 - a module and a thread of the world's
    """A main thread, as `threading._MainThread` makes it, but without a step that others could see."""
    thread = threading.Thread.__new__(threading._MainThread)  # noqa: SLF001 - there is no other way
    threading.Thread.__init__(thread, name="MainThread", daemon=False)
    thread._started._flag = True  # noqa: SLF001 - the same
    thread._ident = thread._native_id = task.ident  # noqa: SLF001 - the same
    if hasattr(threading, "_make_thread_handle"):
        thread._handle = threading._make_thread_handle(task.ident)  # noqa: SLF001 - the same
    else:
        thread._tstate_lock = threading.Lock()  # noqa: SLF001 - the same
        thread._tstate_lock.acquire()  # noqa: SLF001 - the same
    threading._active[task.ident] = thread  # noqa: SLF001 - the same
    return thread
