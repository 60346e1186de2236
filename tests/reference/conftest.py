"""Fixtures for the tests of the reference executor."""

from __future__ import annotations

import itertools
import multiprocessing
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from reference_executor import ProcessPoolExecutor
from tests.reference.reference_tasks import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class MakePool(Protocol):
    """Makes a process pool with the start method of the test."""

    def __call__(self, max_workers: int = 1, **options: Any) -> ProcessPoolExecutor:  # noqa: ANN401 - of the pool
        """Make it."""


@pytest.fixture(params=["fork", "forkserver", "spawn"])
def start_method(request: pytest.FixtureRequest) -> str:
    """Each way of starting processes."""
    return str(request.param)


@pytest.fixture
def make_pool(start_method: str) -> Iterator[MakePool]:
    """A maker of process pools, for each way of starting processes; they are shut down at the end."""
    yield from _pools(start_method)


@pytest.fixture
def fork_pool() -> Iterator[MakePool]:
    """A maker of process pools with "fork": for tests that do not depend on the way of starting."""
    yield from _pools("fork")


@pytest.fixture
def server_pool() -> Iterator[MakePool]:
    """A maker of process pools with "forkserver", for what "fork" cannot do."""
    yield from _pools("forkserver")


def _pools(method: str) -> Iterator[MakePool]:
    made: list[ProcessPoolExecutor] = []

    def make(max_workers: int = 1, **options: Any) -> ProcessPoolExecutor:  # noqa: ANN401 - of the pool
        made.append(ProcessPoolExecutor(max_workers, multiprocessing.get_context(method), **options))
        return made[-1]

    yield make
    for pool in made:
        pool.kill_workers()
        pool.shutdown(wait=True)


@pytest.fixture
def make_gate(tmp_path: Path) -> Callable[[], Gate]:
    """A maker of gates."""
    numbers = itertools.count()
    return lambda: Gate(tmp_path / f"gate-{next(numbers)}")
