"""Programs with several lanes in the world: what one hands to another, and what they do to each other."""

from __future__ import annotations

import pytest

from harness.arenas.simulated.strategies.sticky import Sticky
from harness.arenas.simulated.world import World
from harness.values import operation as op
from harness.values.history import Answered, Called
from harness.values.outcome import Raised, Skipped
from harness.values.program import Lane, Pool, Program, Script
from tests.simulated.worlds import make_run

ONE = op.Submit(executor="e0", future="f0", task="t0")
TWO_SHUTDOWNS = Program(
    pools=(Pool(workers=1),),
    tasks=(Script(task="t0"),),
    lanes=(
        Lane(operations=(ONE, op.Shutdown(executor="e0"))),
        Lane(operations=(op.Result(future="f0"), op.Shutdown(executor="e0"))),
    ),
)


@pytest.mark.parametrize("target", ["ThreadPoolExecutor", "ProcessPoolExecutor"])
def test_two_clients_that_shut_the_reference_down_at_once_both_succeed(target: str) -> None:
    """In CPython's pools up to 3.12 they trip over each other in `Thread.join`, now and then."""
    world = World(f"reference_executor:{target}")
    strategy = Sticky()
    for seed in range(250):
        run = make_run(world, TWO_SHUTDOWNS, strategy, seed)
        outcomes = [event.outcome for event in run.events if isinstance(event, Answered)]
        assert [each for each in outcomes if isinstance(each, Raised)] == []
        assert run.ending == "done"


def test_a_lane_waits_for_what_another_makes() -> None:
    """A call about another lane's future is made when there is one: after the call that makes it."""
    world = World("reference_executor:ThreadPoolExecutor")
    strategy = Sticky()
    for seed in range(50):
        events = make_run(world, TWO_SHUTDOWNS, strategy, seed).events
        made = next(
            each.at for each in events if isinstance(each, Answered) and (each.lane, each.call) == (0, 0)
        )
        used = next(each.at for each in events if isinstance(each, Called) and each.lane == 1)
        assert made < used
        assert not any(isinstance(each.outcome, Skipped) for each in events if isinstance(each, Answered))
