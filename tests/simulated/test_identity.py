"""Identities in the world: numbers in the order of asking, which keep nothing alive."""

from __future__ import annotations

import gc
import weakref

import pytest

from harness.arenas.simulated.identity import Identities
from harness.arenas.simulated.strategies.random_walk import RandomWalk
from harness.arenas.simulated.world import World
from harness.values import operation as op
from harness.values.history import Leftover
from harness.values.program import Lane, Program, Script
from tests.simulated.worlds import make_run


class Thing:
    """What has an identity."""


def test_numbers_follow_the_order_of_asking() -> None:
    """Whatever they are, and however often one asks; a new run begins at one."""
    identities, things = Identities(), (Thing(), None, (), "text", Thing())
    assert [identities.number(each) for each in things * 2] == [1, 2, 3, 4, 5] * 2
    identities.clear()
    assert identities.number(things[-1]) == 1


def test_what_has_a_number_can_go() -> None:
    """Nobody else gets its number, at whatever address they are."""
    identities = Identities()
    for number in range(1, 10):
        thing = Thing()
        assert identities.number(thing) == number
        gone = weakref.ref(thing)
        del thing
        gc.collect()
        assert gone() is None


FORGOTTEN = Program(
    tasks=(Script(task="t0"), Script(task="t1")),
    lanes=(
        Lane(
            operations=(
                op.Submit(executor="e0", future="f0", task="t0"),
                op.AddCallback(future="f0", callback="c0", deed="submit", executor="e0", task="t1"),
                op.Forget(executor="e0"),
                op.Result(future="f0"),
            )
        ),
    ),
)
"""A callback knows the executor; the epilogue prints its future."""


@pytest.mark.parametrize(
    "target", ["concurrent.futures:ThreadPoolExecutor", "tests.safe.executors:SingleThread"]
)
def test_a_printed_future_keeps_no_forgotten_executor_alive(target: str) -> None:
    """Its workers go home, as they do on real threads."""
    world = World(target)
    for seed in range(5):
        run = make_run(world, FORGOTTEN, RandomWalk(), seed)
        assert run.ending == "done"
        assert not [each for each in run.history.events if isinstance(each, Leftover)]
