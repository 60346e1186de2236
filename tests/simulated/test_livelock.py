"""A run that goes round in circles is found out, and one that only takes long is not taken for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from harness.arenas.simulated import backends
from harness.arenas.simulated.strategies.replay import Guided, Replay
from harness.arenas.simulated.strategies.sticky import Sticky
from harness.arenas.simulated.world import Run, World
from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.history import Answered, Stuck
from harness.values.outcome import Raised, Struck
from harness.values.program import Lane, Pool, Program, Script
from tests.unit.story import an_executor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A, Strategy
    from harness.values.verdict import Judgement

PROGRAM: Final = Program(
    pools=(Pool(workers=1),),
    tasks=(Script(task="t0"),),
    lanes=(
        Lane(
            operations=(op.Submit(executor="e0", future="f0", task="t0"), op.Shutdown(executor="e0")),
        ),
    ),
)
HURRIED: Final = Program(
    pools=(Pool(workers=1),),
    tasks=(Script(task="t0", gates=("g0",)),),
    lanes=(
        Lane(
            operations=(
                op.Submit(executor="e0", future="f0", task="t0"), op.Result(future="f0", timeout=2.0),
            )
        ),
    ),
)  # fmt: skip
_LIMIT: Final = 3_000  # steps: enough for one overtime


def _run(
    name: str,
    strategy: Strategy,
    *,
    backend: str = "greenlets",
    limit: int = _LIMIT,
    program: Program = PROGRAM,
) -> Run:
    made = backends.Threads if backend == "threads" else backends.best
    world = World(f"tests.simulated.circles:{name}", backend=made)
    strategy.begin(0)
    run = world.run(program, strategy, limit=limit)
    strategy.end(len(run.trace.log), len(run.trace.went))
    world.close()
    return run


def _judged(run: Run) -> Judgement:
    return judge(run.history, an_executor(), load_rules())


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Polls", "SHD-01"),
        ("PollsWithTimeout", "SHD-01"),
        ("PollsAndNotesWhen", "SHD-01"),
        ("Spins", "SHD-01"),
        ("LooksOnceMore", "SHD-01"),
        ("LeavesOneBehind", "GC-01"),
    ],
)
def test_whoever_goes_round_in_circles_is_found_out(name: str, rule: str) -> None:
    """The call that does not return breaks its rule, and the witness says that it is a livelock."""
    run = _run(name, Sticky())
    assert (run.ending, run.detail) == ("livelock", "nothing new in 1500 steps in which everybody had turns")
    (witness,) = _judged(run).witnesses
    assert witness.rule == rule
    assert witness.text.startswith("livelock: whoever in the client or its workers still moves goes round")
    stuck = run.events[-1]
    assert isinstance(stuck, Stuck)
    assert "goes round in circles" in stuck.stacks


@pytest.mark.parametrize(
    "name",
    [
        "Counts", "CountsInAnAttribute", "Loops", "WorksOff", "AddsUp",
    ],
)  # fmt: skip
def test_whoever_gets_somewhere_is_not_accused(name: str) -> None:
    """A count, a list, a loop, a sum: the run is too long to tell, and that is all."""
    run = _run(name, Sticky())
    assert run.ending == "unfinished"
    judgement = _judged(run)
    assert judgement.witnesses == ()
    assert judgement.inconclusive == f"too slow to tell: more than {_LIMIT} steps"


def test_a_worker_of_a_restless_pool_can_be_killed() -> None:
    """Who waits for a victim does not wait for a thread that gets nowhere: the kill strikes, and it shows."""
    steps = (
        op.Submit(executor="e0", future="f0", task="t0"), op.Kill(executor="e0", task="t0"),
        op.Open(gate="g0"), op.Result(future="f0"),
    )  # fmt: skip
    program = replace(HURRIED, lanes=(Lane(operations=steps),))
    run = _run("Restless", Sticky(), limit=20_000, program=program)
    told = {event.call: event.outcome for event in run.events if isinstance(event, Answered)}
    assert isinstance(told[1], Struck)
    assert isinstance(told[3], Raised)
    assert told[3].breaks
    assert (run.ending, run.detail[:11]) == ("livelock", "nothing new")


def test_a_quiet_stretch_is_no_end() -> None:
    """Two thousand steps without an event, then the run goes on as if nothing had been asked."""
    run = _run("TakesItsTime", Sticky())
    assert run.ending == "done"
    assert len(run.trace.log) > 2_000  # noqa: PLR2004 - the steps that it takes
    assert _judged(run).witnesses == ()


@pytest.mark.parametrize("name", ["WaitsUntil", "GetsTiredOfWaiting"])
def test_whoever_waits_for_a_time_is_given_it(name: str) -> None:
    """Years pass before anybody is accused of waiting in vain."""
    run = _run(name, Sticky(), limit=20_000)
    assert run.ending == "done"
    assert _judged(run).witnesses == ()


def test_whoever_goes_on_long_after_a_timeout_is_found_out() -> None:
    """Though its state is a new one each time that time passes."""
    run = _run("OverlooksTimeouts", Sticky(), limit=20_000, program=HURRIED)
    assert (run.ending, run.detail) == ("livelock", "the timeout of main was over long ago")
    (witness,) = _judged(run).witnesses
    assert witness.rule == "RES-05"


def test_whoever_looks_at_the_clock_now_and_then_is_not_late() -> None:
    """A quarter of a second is no matter, although the run was exact: nobody else had anything to do."""
    run = _run("LooksNowAndThen", Sticky(), limit=20_000, program=HURRIED)
    assert run.ending == "done"
    assert run.history.exact
    assert _judged(run).witnesses == ()


class _Hasty:
    """Lets time pass whenever it can."""

    name = "hasty"

    def begin(self, seed: int) -> None:
        """Nothing is drawn."""

    def choose(self, ready: Sequence[A], current: A | None) -> A:  # noqa: ARG002 - nobody else has a say
        """The clock, where it can tick, or the client."""
        return ready[0]

    def end(self, steps: int, choices: int) -> None:
        """Nothing is learned."""


def test_where_time_was_hurried_nobody_is_late() -> None:
    """Then whoever is late may have been kept from going on."""
    run = _run("LooksNowAndThen", _Hasty(), limit=20_000, program=HURRIED)
    assert run.ending == "done"
    assert not run.history.exact


class _OutOfStep:
    """Lets two threads take turns such that each always finds that the other was faster."""

    name = "out of step"

    def begin(self, seed: int) -> None:
        """Nothing is drawn."""

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """Whoever is about to try something lets another go first."""
        if current is not None and current.op != "try":
            return current
        others = [each for each in ready if each is not current and each.index >= 0]
        return others[0] if others else ready[0]

    def end(self, steps: int, choices: int) -> None:
        """Nothing is learned."""


def test_bad_luck_is_no_livelock() -> None:
    """An unfair order that keeps two threads from ever getting on is given up for a fair one, and they do."""
    run = _run("Backs", _OutOfStep(), limit=20_000)
    assert run.ending == "done"
    assert len(run.trace.log) > 2_000  # noqa: PLR2004 - that it came to that


@pytest.mark.parametrize("name", ["LooksOnceMore", "Backs"])
def test_overtime_is_the_same_each_time(name: str) -> None:
    """It follows from the schedule: on both backends, and in a replay, exact or by labels."""
    first = _run(name, _OutOfStep())
    schedule = first.trace.schedule()
    runs = [
        _run(name, _OutOfStep(), backend="threads"),
        _run(name, Replay(schedule)),
        _run(name, Guided(schedule.decisions)),
    ]
    assert {each.trace.digest() for each in runs} == {first.trace.digest()}
    assert all(each.events == first.events for each in runs[1:])
