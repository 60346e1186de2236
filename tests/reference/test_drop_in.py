# ruff: noqa: PLR2004 - the numbers of a test speak for themselves; it may look inside
"""Code that was written for `concurrent.futures` runs on the reference executor unchanged (XOP, API)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import inspect
import math
import multiprocessing
import sys
from typing import TYPE_CHECKING, Any

import pytest

import reference_executor
from reference_executor import CancelledError, Future, ThreadPoolExecutor
from tests.reference import reference_tasks as tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reference.conftest import MakePool
    from tests.reference.reference_tasks import Gate

pytestmark = pytest.mark.filterwarnings(
    # The tests run beside the timer thread of pytest-timeout.
    "ignore:.*multi-threaded, use of fork.*:DeprecationWarning"
)


def test_public_names() -> None:
    """API-01: every public name of the standard library's module that is not of its own making is here."""
    theirs = {name for name in concurrent.futures.__all__ if name != "InterpreterPoolExecutor"}
    assert theirs <= set(reference_executor.__all__) <= set(dir(reference_executor))
    for name in ("CancelledError", "TimeoutError", "BrokenExecutor", "InvalidStateError", "ALL_COMPLETED"):
        assert getattr(reference_executor, name) is getattr(concurrent.futures, name)
    assert (
        reference_executor.BrokenThreadPool
        is importlib.import_module("concurrent.futures.thread").BrokenThreadPool
    )
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        reference_executor.Nothing  # noqa: B018 - the look-up is what is tested


@pytest.mark.parametrize("name", ["thread", "process", "interpreter"])
def test_documented_modules(name: str) -> None:
    """API-01: what is documented in `concurrent.futures.process` is in `reference_executor.process`."""
    if name == "interpreter" and sys.version_info < (3, 14):
        pytest.skip("there are interpreter pools from Python 3.14 on")
    ours = importlib.import_module(f"reference_executor.{name}")
    theirs = importlib.import_module(f"concurrent.futures.{name}")
    broken, pool = f"Broken{name.title()}Pool", f"{name.title()}PoolExecutor"
    assert getattr(ours, broken) is getattr(theirs, broken)
    assert getattr(ours, pool) is getattr(reference_executor, pool)
    assert issubclass(getattr(ours, pool), getattr(theirs, pool))


@pytest.mark.parametrize("name", ["ThreadPoolExecutor", "ProcessPoolExecutor"])
def test_signatures(name: str) -> None:
    """API-01: parameters as documented, in order and with their kinds."""
    ours, theirs = getattr(reference_executor, name), getattr(concurrent.futures, name)
    for method in ("submit", "shutdown", "map", "__init__"):
        wanted = inspect.signature(getattr(theirs, method)).parameters
        have = inspect.signature(getattr(ours, method)).parameters
        for parameter in wanted.values():
            if parameter.kind is not parameter.VAR_KEYWORD or parameter.name in have:
                assert have[parameter.name].kind is parameter.kind
                assert have[parameter.name].default == parameter.default


def test_the_standard_library_waits_for_our_futures(fork_pool: MakePool) -> None:
    """XOP-04: with its own `wait` and `as_completed`, cancelled ones and mixed executors included."""
    with ThreadPoolExecutor(1) as threads, fork_pool() as processes:
        cancelled = Future[int]()
        cancelled.cancel()
        pending = Future[int]()
        futures: list[concurrent.futures.Future[int]] = [
            threads.submit(int, 1),
            processes.submit(tasks.double, 1),
            cancelled,
        ]
        assert concurrent.futures.wait(futures, 30).done == set(futures)
        assert set(concurrent.futures.as_completed(futures, 30)) == set(futures)
        assert concurrent.futures.wait([*futures, pending], 0) == (set(futures), {pending})
        first = concurrent.futures.wait([pending, cancelled], None, concurrent.futures.FIRST_COMPLETED)
        assert first.done == {cancelled}


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_asyncio_runs_calls_in_it(kind: str, fork_pool: MakePool) -> None:
    """XOP-01: `run_in_executor` and `wrap_future`, results and exceptions."""
    pool = ThreadPoolExecutor(2) if kind == "threads" else fork_pool(2)

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(pool, tasks.double, n) for n in range(5)]
        wrapped = asyncio.wrap_future(pool.submit(tasks.fail, "no"))
        results = await asyncio.gather(*calls, wrapped, return_exceptions=True)
        return list(results)

    with pool:
        results = asyncio.run(main())
    assert results[:5] == [0, 2, 4, 6, 8]
    assert isinstance(results[5], ValueError)


def test_asyncio_takes_it_as_its_default() -> None:
    """XOP-01: `set_default_executor` asks for a thread pool of the standard library's class."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        result: int = await asyncio.to_thread(tasks.double, 2)
        await loop.shutdown_default_executor()
        return result

    assert asyncio.run(main()) == 4


def test_cancelling_on_the_side_of_asyncio_cancels() -> None:
    """XOP-01: a pending future is cancelled with the asyncio future that wraps it."""

    async def main() -> Future[int]:
        future: Future[int] = Future()
        wrapped = asyncio.wrap_future(future)
        wrapped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wrapped
        return future

    assert asyncio.run(main()).cancelled()


PRIMES = [112272535095293, 112582705942171, 115280095190773, 115797848077099, 1099726899285419]


def is_prime(number: int) -> bool:
    """Tell whether a number is prime, as in the documentation's example (smaller steps do here)."""
    if number < 2 or number % 2 == 0:
        return number == 2
    return all(number % divisor for divisor in range(3, min(math.isqrt(number), 3000) + 1, 2))


def test_the_example_of_the_process_pool(make_pool: MakePool) -> None:
    """The documentation's `ProcessPoolExecutor` example: a map over primes."""
    with make_pool(2) as executor:
        for number, prime in zip(PRIMES, executor.map(is_prime, PRIMES), strict=True):
            assert prime == is_prime(number)


def test_the_example_of_the_thread_pool() -> None:
    """The documentation's `ThreadPoolExecutor` example: futures to urls, read as they complete."""

    def load_url(url: str, timeout: int) -> bytes:
        if url.startswith("http://nonexistent"):
            raise OSError(timeout)
        return url.encode()

    urls = ["http://www.foxnews.com/", "http://nonexistent-subdomain.python.org/"]
    seen = {}
    with reference_executor.ThreadPoolExecutor(max_workers=5) as executor:
        future_to_url: dict[concurrent.futures.Future[bytes], str] = {
            executor.submit(load_url, url, 60): url for url in urls
        }
        for future in reference_executor.as_completed(future_to_url):
            try:
                seen[future_to_url[future]] = len(future.result())
            except OSError as error:
                seen[future_to_url[future]] = error.args[0]
    assert seen == {urls[0]: len(urls[0]), urls[1]: 60}


def test_isinstance_and_except_of_the_standard_library(
    fork_pool: MakePool, make_gate: Callable[[], Gate]
) -> None:
    """API-01: what a program catches and asks for is what it gets."""
    gate = make_gate()
    pool = fork_pool()
    assert issubclass(type(pool), concurrent.futures.ProcessPoolExecutor)
    future = pool.submit(gate.pass_through)
    gate.wait_until_reached()
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(timeout=0)
    pool.kill_workers()
    with pytest.raises(concurrent.futures.BrokenExecutor):
        future.result()
    other = Future[int]()
    other.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        other.result()
    assert CancelledError is concurrent.futures.CancelledError


def test_queues_and_locks_travel_by_the_initializer(server_pool: MakePool) -> None:
    """The objects of `multiprocessing` can be shared with the workers in the documented way."""
    queue = multiprocessing.get_context("forkserver").SimpleQueue()
    with server_pool(1, initializer=queue.put, initargs=("from the worker",)) as pool:
        pool.submit(tasks.pid).result()
        assert queue.get() == "from the worker"
    queue.close()
