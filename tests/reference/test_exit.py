"""The end of the interpreter, and forks (EXIT): each test runs a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """
import atexit, multiprocessing, os, signal, sys, threading
sys.path.insert(0, {root!r})
from tests.reference import reference_tasks as tasks
from reference_executor import *
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Forking beside threads is what is tested.
"""

POOLS = {
    "threads": "ThreadPoolExecutor(2)",
    "fork": 'ProcessPoolExecutor(2, multiprocessing.get_context("fork"))',
    "forkserver": 'ProcessPoolExecutor(2, multiprocessing.get_context("forkserver"))',
    "spawn": 'ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))',
}

ANY_POOL = pytest.mark.parametrize("pool", POOLS)


def program(tmp_path: Path, pool: str, body: str) -> list[str]:
    """Write a program; return the command that runs it. In its body, `make()` makes a pool."""
    path = tmp_path / "program.py"
    main = textwrap.indent(textwrap.dedent(body), "    ")
    root = str(Path(__file__).parents[2])
    text = PRELUDE.format(root=root) + f"def make():\n    return {POOLS[pool]}\n"
    path.write_text(f"{text}def double(n):\n    return 2 * n\nif __name__ == '__main__':\n{main}\n")
    return [sys.executable, str(path)]


def run(tmp_path: Path, pool: str, body: str) -> str:
    """Run a program, which must end with status 0 and nothing on stderr; return what it prints."""
    done = subprocess.run(  # noqa: S603 - our own program
        program(tmp_path, pool, body), capture_output=True, text=True, timeout=15, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


@ANY_POOL
def test_the_interpreter_waits_for_the_work(tmp_path: Path, pool: str) -> None:
    """EXIT-01, EXIT-02: everything submitted is done, without a shutdown, also functions of `__main__`."""
    output = run(
        tmp_path,
        pool,
        """
        pool = make()
        futures = [pool.submit(double, n) for n in range(20)]
        for future in futures:
            future.add_done_callback(lambda f: os.write(1, b"%d\\n" % f.result()))
        """,
    )
    assert sorted(map(int, output.split())) == [2 * n for n in range(20)]


@ANY_POOL
def test_submitting_at_exit_is_refused(tmp_path: Path, pool: str) -> None:
    """EXIT-03: with RuntimeError, also on a pool that was never used."""
    output = run(
        tmp_path,
        pool,
        """
        pool, unused = make(), make()
        pool.submit(double, 1).result()
        def late():
            for each in (pool, unused):
                try:
                    each.submit(double, 2)
                except RuntimeError as error:
                    print(error)
        atexit.register(late)
        """,
    )
    assert output == "cannot schedule new futures after interpreter shutdown\n" * 2


def test_a_pool_that_appears_during_the_exit_is_seen(tmp_path: Path) -> None:
    """EXIT-01 (CF-39): a thread that outlives the main one gets either its results or a RuntimeError."""
    output = run(
        tmp_path,
        "threads",
        """
        def outlive(pools):
            threading.main_thread().join()
            try:
                while True:
                    pools.append(make())
                    pools[-1].submit(double, 1).result()
            except RuntimeError as error:
                print(error)
        threading.Thread(target=outlive, args=([make()],)).start()
        """,
    )
    assert output == "cannot schedule new futures after interpreter shutdown\n"


@ANY_POOL
def test_a_forked_child_can_exit_and_make_a_pool(tmp_path: Path, pool: str) -> None:
    """EXIT-04 (CF-40, CF-42): the inherited pool refuses work instead of hanging; a new one works."""
    output = run(
        tmp_path,
        pool,
        """
        pool = make()
        pool.submit(double, 1).result()
        child = os.fork()
        if child == 0:
            try:
                pool.submit(double, 1)
            except RuntimeError as error:
                print(error)
            pool.shutdown(wait=True)
            with make() as own:
                print(own.submit(double, 2).result(), flush=True)
            sys.exit(0)
        print(os.waitpid(child, 0)[1], pool.submit(double, 3).result())
        """,
    )
    assert "forked child" in output
    assert output.endswith("4\n0 6\n")


def test_a_fork_while_the_pool_is_busy(tmp_path: Path) -> None:
    """EXIT-04 (CF-42, CF-43): whatever lock another thread holds at that moment, the child can exit."""
    run(
        tmp_path,
        "threads",
        """
        pool = make()
        stop = threading.Event()
        def submit():
            while not stop.is_set():
                pool.submit(double, 1)
        thread = threading.Thread(target=submit)
        thread.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                pool.shutdown()
                os._exit(0)
            os.waitpid(child, 0)
        stop.set()
        thread.join()
        pool.shutdown(cancel_futures=True)
        """,
    )


@pytest.mark.parametrize("pool", ["fork", "forkserver", "spawn"])
def test_pools_in_children_of_multiprocessing(tmp_path: Path, pool: str) -> None:
    """EXIT-01: such a child joins its children before its threads; its pool must be closed by then."""
    output = run(
        tmp_path,
        pool,
        """
        def child():
            global kept
            kept = make()
            print(kept.submit(tasks.double, 1).result(), flush=True)
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
        print(process.exitcode)
        """,
    )
    assert output == "2\n0\n"


@pytest.mark.parametrize("pool", ["fork", "forkserver", "spawn"])
def test_workers_end_with_their_parent(tmp_path: Path, pool: str) -> None:
    """EXIT-06: when the parent is killed, idle workers see the end of their pipes and leave."""
    command = program(
        tmp_path,
        pool,
        """
        pool = make()
        first = [pool.submit(tasks.pid) for _ in range(10)]
        print(*{future.result() for future in first} | set(pool._processes), flush=True)
        signal.pause()
        """,
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603 - our own program
        assert parent.stdout is not None
        workers = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
        assert workers
        parent.kill()
        for worker in workers:
            _wait_for_death(worker)


def _wait_for_death(pidfd: int) -> None:
    import select  # noqa: PLC0415 - one use

    ready, _, _ = select.select([pidfd], [], [], 30)
    os.close(pidfd)
    assert ready


@ANY_POOL
def test_interrupting_a_wait(tmp_path: Path, pool: str) -> None:
    """EXIT-05: SIGINT to a process that waits raises KeyboardInterrupt there, and the program can be left."""
    output = run(
        tmp_path,
        pool,
        """
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored in a background job
        gate = tasks.Gate("gate")
        pool = make()
        future = pool.submit(gate.pass_through)
        gate.wait_until_reached()
        try:
            threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
            future.result()
        except KeyboardInterrupt:
            print("interrupted")
        gate.open()
        """.replace('"gate"', repr(str(tmp_path / "gate"))),
    )
    assert output == "interrupted\n"


@pytest.mark.parametrize("pool", ["fork", "forkserver", "spawn"])
def test_interrupting_the_whole_group(tmp_path: Path, pool: str) -> None:
    """BRK-13: Ctrl-C that the main thread handles does not break a pool with idle workers."""
    output = run(
        tmp_path,
        pool,
        """
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored in a background job
        os.setpgrp()
        with make() as pool:
            print(pool.submit(tasks.double, 1).result())
            try:
                os.killpg(0, signal.SIGINT)
                signal.pause()
            except KeyboardInterrupt:
                print("interrupted")
            print(pool.submit(tasks.double, 2).result())
        """,
    )
    assert output == "2\ninterrupted\n4\n"


def test_a_pool_in_the_body_of_a_module(tmp_path: Path) -> None:
    """EXIT-07 (CF-18): a function of the module that is being imported can be called in the pool."""
    (tmp_path / "being_imported.py").write_text(
        textwrap.dedent(
            """
            import multiprocessing
            from reference_executor import ProcessPoolExecutor
            def triple(n):
                return 3 * n
            pool = ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
            answer = pool.submit(triple, 2).result(30)
            error = type(pool.submit(triple, lambda: None).exception(30)).__name__
            pool.shutdown()
            """
        )
    )
    output = run(
        tmp_path, "fork", "import being_imported\nprint(being_imported.answer, being_imported.error)"
    )
    assert output.startswith("6 ")


def test_exit_while_limited_workers_are_replaced(tmp_path: Path) -> None:
    """EXIT-01 (CF-10, CF-27, CF-38): replacing workers works while the interpreter ends."""
    output = run(
        tmp_path,
        "spawn",
        """
        pool = ProcessPoolExecutor(1, max_tasks_per_child=1)
        for n in range(3):
            pool.submit(double, n).add_done_callback(lambda f: print(f.result()))
        """,
    )
    assert output == "0\n2\n4\n"


def test_sigkill_is_named(tmp_path: Path) -> None:
    """EXIT-02: a broken pool leaves nothing on stderr and does not hold up the exit."""
    output = run(
        tmp_path,
        "fork",
        """
        pool = make()
        future = pool.submit(tasks.kill_self, signal.SIGKILL)
        print(type(future.exception()).__name__)
        """,
    )
    assert output == "BrokenProcessPool\n"
