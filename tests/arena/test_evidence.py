"""A hang is told from a slow run by evidence: what runs, or will wake by itself, is not still."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.evidence import Look, look, still

if TYPE_CHECKING:
    from collections.abc import Iterator

READY = "import sys, threading, time, os, select, signal, subprocess; print('ready', flush=True); "
FOR_EVER = {
    "reading": "sys.stdin.read()",
    "a lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "an event": "threading.Event().wait()",
    "select": "select.select([sys.stdin], [], [])",
    "a process that waits for ever": "subprocess.run([sys.executable, '-c', 'import sys; sys.stdin.read()'])",
    "two threads": "threading.Thread(target=threading.Event().wait).start()",
}
NOT_FOR_EVER = {
    "running": "\nwhile True: pass",
    "sleeping": "time.sleep(1000)",
    "an event with a deadline": "threading.Event().wait(1000)",
    "a lock with a deadline": "lock = threading.Lock(); lock.acquire(); lock.acquire(timeout=1000)",
    "select with a deadline": "select.select([sys.stdin], [], [], 1000)",
    "a thread that sleeps": "threading.Thread(target=time.sleep, args=(1000,)).start()",
    "a process that sleeps": "subprocess.run([sys.executable, '-c', 'import time; time.sleep(1000)'])",
    "a process that runs": "subprocess.run([sys.executable, '-c', 'while True: pass'])",
    "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
}
PAUSE = 0.02  # seconds between two looks


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has begun with its script; whatever it started ends with it."""
    command = [sys.executable, "-c", READY + request.param]
    with subprocess.Popen(  # noqa: S603 - our own scripts
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _looks(pid: int, count: int) -> Iterator[tuple[Look, Look]]:
    """Pairs of looks, one after the other, a little apart."""
    last = look(pid)
    for _ in range(count):
        select.select([], [], [], PAUSE)  # a distance between two samples: nothing depends on its length
        last, before = look(pid), last
        yield before, last


@pytest.mark.parametrize("started", FOR_EVER.values(), ids=FOR_EVER.keys(), indirect=True)
def test_what_waits_for_ever_becomes_still(started: subprocess.Popen[bytes]) -> None:
    """A process tree in which everybody waits without a deadline is still, once it has come to that."""
    assert any(still(before, after) for before, after in _looks(started.pid, 500))


@pytest.mark.parametrize("started", NOT_FOR_EVER.values(), ids=NOT_FOR_EVER.keys(), indirect=True)
def test_what_moves_or_will_move_is_never_still(started: subprocess.Popen[bytes]) -> None:
    """A process tree in which one thread runs, or sleeps with a deadline, or is stopped, is not still."""
    pairs = list(_looks(started.pid, 25))
    assert not still(*pairs[-1])
    assert pairs[-1][1].busy or pairs[-1][1].dated


@pytest.mark.parametrize("started", [FOR_EVER["reading"]], indirect=True)
def test_what_moved_meanwhile_is_not_still(started: subprocess.Popen[bytes]) -> None:
    """Two looks that differ are not stillness, however quiet each of them is."""
    _, after = next(pair for pair in _looks(started.pid, 500) if still(*pair))
    moved = Look(marks=frozenset({("1", "S", "1")}), busy=False, dated=False)
    assert not still(moved, after)
    assert still(after, after)


@pytest.mark.parametrize("started", [NOT_FOR_EVER["sleeping"]], indirect=True)
def test_one_thread_can_be_left_out(started: subprocess.Popen[bytes]) -> None:
    """The client's own thread, which waits for us with a deadline, does not count as moving."""
    assert any(after.dated for _, after in _looks(started.pid, 100))
    assert not look(started.pid, without=started.pid).dated
