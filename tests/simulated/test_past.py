"""Runs that differ only in the order of independent steps are run once, and nothing is missed by that."""

from __future__ import annotations

from typing import Final

import pytest

from harness.arenas.simulated.fingerprint import fingerprint
from harness.arenas.simulated.past import Past
from harness.arenas.simulated.strategies.exhaustive import Bounds, Exhaustive
from harness.arenas.simulated.world import World
from harness.values import operation as op
from harness.values.program import Lane, Pool, Program, Script

_SUBMIT: Final = op.Submit(executor="e0", future="f0", task="t0")
_LATER: Final = op.Submit(executor="e0", future="f1", task="t1")
_KILL, _SHUTDOWN = op.Kill(executor="e0"), op.Shutdown(executor="e0")
_KILLED: Final = Bounds(preemptions=0, kills=1, detours=0)
_PREEMPTED: Final = Bounds(preemptions=2, detours=0)


def _explore(target: str, lanes: tuple[tuple[op.Operation, ...], ...], strategy: Exhaustive) -> set[int]:
    """The histories of all schedules, each by its number."""
    program = Program(
        pools=(Pool(workers=2),),
        tasks=(Script(task="t0"), Script(task="t1")),
        lanes=tuple(Lane(operations=operations) for operations in lanes),
    )
    world = World(target)
    found: set[int] = set()
    while not strategy.exhausted:
        strategy.begin(0)
        run = world.run(program, strategy)
        strategy.end(len(run.trace.log), len(run.trace.went))
        if run.ending != "pruned":
            found.add(fingerprint(run.events))
    world.close()
    return found


@pytest.mark.parametrize(
    ("target", "lanes", "bounds"),
    [
        ("reference_executor:ThreadPoolExecutor", ((_SUBMIT, op.Cancel(future="f0")),), _PREEMPTED),
        ("concurrent.futures:ThreadPoolExecutor", ((_SUBMIT, _LATER, op.Cancel(future="f1")),), _PREEMPTED),
        (
            "concurrent.futures:ThreadPoolExecutor",
            ((_SUBMIT, _SHUTDOWN), (op.Observe(future="f0"),)),
            _PREEMPTED,
        ),
        ("reference_executor:ProcessPoolExecutor", ((_SUBMIT, _KILL),), _KILLED),
        ("concurrent.futures:ProcessPoolExecutor", ((_SUBMIT, _KILL, _SHUTDOWN),), _KILLED),
    ],
    ids=["reference", "cancel", "lanes", "kill", "kill at shutdown"],
)
def test_what_is_given_up_is_known(
    target: str, lanes: tuple[tuple[op.Operation, ...], ...], bounds: Bounds
) -> None:
    """All histories are found, by fewer runs that come to an end, and no others."""
    pruning, plain = Exhaustive(bounds, Past()), Exhaustive(bounds)
    assert _explore(target, lanes, pruning) == _explore(target, lanes, plain)
    assert pruning.schedules - pruning.pruned < plain.schedules
    assert plain.pruned == 0
