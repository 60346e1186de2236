"""Which calls may wait, and which programs are fair: decided before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.model.form import LARGEST_PAYLOAD, MOST_LOOKS, MOST_WORKERS
from harness.model.progress import Progress, objection
from harness.values import operation as op
from harness.values.program import Exit, Lane, Pool, Program, Raise, Return, Script

if TYPE_CHECKING:
    from collections.abc import Iterable

FREE, OTHER = Script(task="free"), Script(task="other")
HELD, ALSO = Script(task="held", gates=("g0",)), Script(task="also", gates=("g1", "g0"))
FAILS = Script(task="fails", ending=Raise())
ONE, TWO = Script(task="one", gates=("g3",), opens=("g2",)), Script(task="two", gates=("g2",), opens=("g3",))
LEAVES = Script(task="leaves", ending=Exit())
SCRIPTS = (FREE, OTHER, HELD, ALSO, FAILS, ONE, TWO, LEAVES)


def _submit(task: str) -> op.Submit:
    return op.Submit(executor="e0", future=f"f.{task}", task=task)


def _program(*steps: op.Operation, workers: int = 2, scripts: Iterable[Script] = SCRIPTS) -> Program:
    pools = (Pool(workers=workers), Pool(executor="e1", workers=workers))
    return Program(pools=pools, tasks=tuple(scripts), lanes=(Lane(operations=steps),))


def _returns(*steps: op.Operation, workers: int = 2) -> bool:
    """Whether the last of these calls is safe."""
    known = Progress.of(_program(workers=workers))
    for step in steps[:-1]:
        known.after(step)
    return known.returns(steps[-1])


RESULT = op.Result(future="f.free")
ALL = op.Wait(futures=("f.free", "f.held"))
FIRST = op.Wait(futures=("f.free", "f.held"), return_when="FIRST_COMPLETED")
FAILED = op.Wait(futures=("f.free", "f.held"), return_when="FIRST_EXCEPTION")
OPEN = op.Open(gate="g0")
ITEMS = op.Map(executor="e0", iterator="i0", tasks=("free", "held"))
COMPLETED = op.AsCompleted(iterator="i0", futures=("f.free", "f.held"))
WITH_DEADLINE = op.AsCompleted(iterator="i0", futures=("f.held",), timeout=0.1)
DRAIN = op.Drain(iterator="i0")
DOWN = op.Shutdown(executor="e0")
MEETING = (_submit("one"), _submit("two"))
MET = op.Result(future="f.one")

SAFE: dict[str, tuple[op.Operation, ...]] = {
    "a free task": (_submit("free"), RESULT),
    "its exception": (_submit("free"), op.Error(future="f.free")),
    "a held task, with a timeout": (_submit("held"), op.Result(future="f.held", timeout=0.1)),
    "a held task whose gate was opened": (_submit("held"), OPEN, op.Result(future="f.held")),
    "a free task whose worker was stopped and goes on": (
        _submit("free"),
        op.Suspend(executor="e0", task="free"),
        op.Resume(executor="e0"),
        RESULT,
    ),
    "a free task whose worker is stopped, with a timeout": (
        _submit("free"),
        op.Suspend(executor="e0", task="free"),
        op.Result(future="f.free", timeout=0.1),
    ),
    "after the release": (_submit("also"), op.Release(), op.Result(future="f.also")),
    "a free task beside a held one": (_submit("held"), _submit("free"), RESULT),
    "two held tasks in another pool": (
        op.Submit(executor="e1", future="f.held", task="held"),
        op.Submit(executor="e1", future="f.also", task="also"),
        _submit("free"),
        RESULT,
    ),
    "the first of a free and a held one": (_submit("free"), _submit("held"), FIRST),
    "the first exception, which comes": (
        _submit("fails"),
        _submit("held"),
        op.Wait(futures=("f.fails", "f.held"), return_when="FIRST_EXCEPTION"),
    ),
    "nothing to wait for": (op.Wait(futures=()),),
    "a condition that is none": (_submit("held"), op.Wait(futures=("f.held",), return_when="NONSENSE")),
    "waiting with a timeout": (_submit("free"), _submit("held"), op.Wait(futures=("f.held",), timeout=0.1)),
    "an iterator with a deadline": (_submit("held"), WITH_DEADLINE, DRAIN),
    "map over free tasks": (op.Map(executor="e0", iterator="i0", tasks=("free", "other")), DRAIN),
    "map whose held task is cut off": (
        op.Map(executor="e0", iterator="i0", tasks=("free", "held"), shorter=1),
        DRAIN,
    ),
    "shutdown without waiting": (_submit("held"), op.Shutdown(executor="e0", wait=False)),
    "shutdown of the other pool": (_submit("held"), op.Shutdown(executor="e1")),
    "shutdown after the gate was opened": (_submit("held"), OPEN, DOWN),
    "cancelling": (_submit("held"), op.Cancel(future="f.held")),
    "asking": (_submit("held"), op.Observe(future="f.held")),
    "tasks that need each other": (*MEETING, MET),
    "shutdown over tasks that need each other": (*MEETING, DOWN),
    "tasks that need each other, in two pools": (
        _submit("one"),
        op.Submit(executor="e1", future="f.two", task="two"),
        MET,
    ),
    "a free task behind tasks that need each other": (*MEETING, _submit("free"), RESULT),
    "a task that needs another, when its gate was opened": (_submit("one"), op.Open(gate="g3"), MET),
    "tasks that need each other, after a shutdown": (*MEETING, op.Shutdown(executor="e0", wait=False), MET),
    "what a callback submits": (
        _submit("free"),
        op.AddCallback(future="f.free", callback="c0", deed="submit", executor="e0", task="other"),
        op.Result(future="f.c0"),
    ),
}
UNSAFE: dict[str, tuple[op.Operation, ...]] = {
    "a held task": (_submit("held"), op.Result(future="f.held")),
    "one of two gates open": (_submit("also"), OPEN, op.Result(future="f.also")),
    "a free task behind two held ones": (_submit("held"), _submit("also"), _submit("free"), RESULT),
    "a free task, while some worker is stopped": (_submit("free"), op.Suspend(executor="e0"), RESULT),
    "a shutdown that waits, while some worker is stopped": (_submit("free"), op.Suspend(executor="e0"), DOWN),
    "a future nobody made": (RESULT,),
    "all of a free and a held one": (_submit("free"), _submit("held"), ALL),
    "the first exception, which never comes": (_submit("free"), _submit("held"), FAILED),
    "the first of two held ones": (
        _submit("held"),
        _submit("also"),
        op.Wait(futures=("f.held", "f.also"), return_when="FIRST_COMPLETED"),
    ),
    "a cancelled task still counts": (
        _submit("held"),
        _submit("also"),
        op.Cancel(future="f.also"),
        _submit("free"),
        RESULT,
    ),
    "map over a held task": (ITEMS, DRAIN),
    "the next item of such a map": (ITEMS, op.Next(iterator="i0")),
    "as_completed over a held future": (_submit("free"), _submit("held"), COMPLETED, DRAIN),
    "shutdown over a held task": (_submit("held"), DOWN),
    "leaving a with block over one": (_submit("held"), op.Leave(executor="e0")),
    "shutdown over the held task of a map": (ITEMS, DOWN),
    "a task that needs another, which is not submitted": (_submit("one"), MET),
    "tasks that need each other, beside a held one": (_submit("held"), *MEETING, MET),
    "a task that needs one that may be cancelled": (*MEETING, op.Cancel(future="f.two"), MET),
    "a task that needs one that may be refused": (
        _submit("one"),
        op.Shutdown(executor="e0", wait=False),
        _submit("two"),
        MET,
    ),
    "a task that needs one that a callback submits": (
        _submit("free"),
        _submit("one"),
        op.AddCallback(future="f.free", callback="c0", deed="submit", executor="e0", task="two"),
        MET,
    ),
    "tasks that need each other, in a pool that loses a worker": (*MEETING, op.Kill(executor="e0"), MET),
    "tasks that need each other, beside one that ends its worker": (*MEETING, _submit("leaves"), MET),
    "tasks that need each other, and a shutdown that cancels": (
        *MEETING,
        op.Shutdown(executor="e0", wait=False, cancel_futures=True),
        MET,
    ),
    "a shutdown that cancels over tasks that need each other": (
        *MEETING,
        op.Shutdown(executor="e0", cancel_futures=True),
    ),
}


@pytest.mark.parametrize("steps", SAFE.values(), ids=SAFE.keys())
def test_a_call_that_must_return_is_safe(steps: tuple[op.Operation, ...]) -> None:
    """A call is safe if every executor that keeps its promises returns from it, whatever starts first."""
    assert _returns(*steps)


@pytest.mark.parametrize("steps", UNSAFE.values(), ids=UNSAFE.keys())
def test_a_call_that_may_rightly_hang_is_not(steps: tuple[op.Operation, ...]) -> None:
    """A call is not safe if a closed gate, or workers taken up by closed gates, may hold it for ever."""
    assert not _returns(*steps)


@pytest.mark.parametrize(("workers", "safe"), [(1, False), (2, True), (3, True)])
def test_held_tasks_matter_by_the_number_of_workers(workers: int, *, safe: bool) -> None:
    """One held task leaves a free one alone only if there is a second worker."""
    assert _returns(_submit("held"), _submit("free"), RESULT, workers=workers) is safe


@pytest.mark.parametrize("steps", SAFE.values(), ids=SAFE.keys())
def test_a_fair_program_meets_no_objection(steps: tuple[op.Operation, ...]) -> None:
    """What is safe and names only what exists can be run; only the end of a program releases all gates."""
    if not any(isinstance(step, op.Release) for step in steps):
        assert objection(_program(*steps)) == ""


def test_an_unfair_program_is_told_so() -> None:
    """The operation that may wait for ever is named."""
    assert objection(_program(*UNSAFE["a held task"])) == "operation 1 may rightly wait for ever"


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (op.Cancel(future="f9"), "f9"),
        (op.Wait(futures=("f9",)), "f9"),
        (op.Wait(futures=("free",)), "free"),  # a task is no future
        (op.AsCompleted(iterator="i0", futures=("f9",)), "f9"),
        (op.Next(iterator="i9"), "i9"),
        (op.Close(iterator="i9"), "i9"),
        (op.Shutdown(executor="e9"), "e9"),
        (op.Submit(executor="e9", future="f0", task="free"), "e9"),
        (op.Submit(executor="e0", future="f0", task="t9"), "t9"),
        (op.Map(executor="e0", iterator="i0", tasks=("free", "t9")), "t9"),
        (op.Kill(executor="e0", task="t9"), "t9"),
    ],
)
def test_a_symbol_that_stands_for_nothing_is_named(step: op.Operation, name: str) -> None:
    """A program may use only what it has made."""
    assert objection(_program(step)) == f"operation 0 names {name}, which does not exist"


def test_a_future_is_not_used_before_it_is_made() -> None:
    """The order counts: what a later operation makes does not exist yet."""
    assert objection(_program(op.Cancel(future="f.free"), _submit("free"))).startswith(
        "operation 0 names f.free"
    )


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (Program(lanes=()), "it has 0 client lanes; this arena runs one"),
        (Program(lanes=(Lane(), Lane())), "it has 2 client lanes; this arena runs one"),
        (Program(pools=()), "it has no executor"),
        (Program(pools=(Pool(workers=0),)), f"e0 has 0 workers; between 1 and {MOST_WORKERS} can be run"),
        (
            Program(pools=(Pool(workers=10**9),)),
            f"e0 has {10**9} workers; between 1 and {MOST_WORKERS} can be run",
        ),
        (Program(pools=(Pool(), Pool())), "e0 is made twice"),
        (_program(scripts=(FREE, FREE)), "free is made twice"),
        (
            _program(scripts=(Script(task="t", ending=Return(size=10**12)),)),
            f"t carries more than {LARGEST_PAYLOAD} bytes",
        ),
        (
            _program(scripts=(Script(task="t", argument=10**12),)),
            f"t carries more than {LARGEST_PAYLOAD} bytes",
        ),
        (
            _program(_submit("free"), op.Submit(executor="e0", future="f.free", task="other")),
            "f.free is made twice",
        ),
        (
            _program(_submit("free"), op.Submit(executor="e0", future="f0", task="free")),
            "free is handed in twice",
        ),
        (_program(op.Map(executor="e0", iterator="i0", tasks=("free", "free"))), "free is handed in twice"),
        (_program(ITEMS, op.AsCompleted(iterator="i0", futures=())), "i0 is made twice"),
        (_program(op.Census()), "operation 0 belongs to the end of every program"),
        (
            _program(_submit("free"), op.AddCallback(future="f.free", callback="c0", deed="submit")),
            "operation 1 submits a task that it does not name",
        ),
        (
            _program(_submit("free"), op.AddCallback(future="f.free", callback="c0", deed="shutdown")),
            "operation 1 shuts down an executor that it does not name",
        ),
        (
            _program(op.Map(executor="e0", iterator="i0", tasks=("free",), shorter=2)),
            "operation 0 makes an iterable of less than no items",
        ),
        (
            _program(_submit("free"), op.Observe(future="f.free", times=10**9)),
            f"operation 1 looks more than {MOST_LOOKS} times",
        ),
    ],
)
def test_a_malformed_program_is_told_what_is_wrong(program: Program, sentence: str) -> None:
    """What cannot be run, or would hurt the machine, is refused with one sentence."""
    assert objection(program) == sentence


def test_the_empty_program_is_fair() -> None:
    """A program without operations makes an executor and shuts it down."""
    assert objection(Program()) == ""
