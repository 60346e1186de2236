"""Reducing programs as values: fewer operations, and the same answer of whoever judges them."""

from __future__ import annotations

from harness.check.reduce import reduce, sketch
from harness.values import operation as op
from harness.values.program import Lane, Pool, Program, Script

SUBMITS = tuple(op.Submit(executor="e0", future=f"f{number}", task=f"t{number}") for number in range(6))
CROWDED = Program(
    pools=(Pool(workers=2),),
    tasks=tuple(Script(task=f"t{number}", gates=("g0",)) for number in range(6)),
    lanes=(
        Lane(
            operations=(
                *SUBMITS[:4],
                op.Wait(futures=("f0", "f3"), timeout=0.01),
                op.Cancel(future="f2"),
                *SUBMITS[4:],
                op.Shutdown(executor="e0", wait=False),
                op.Observe(future="f5"),
            )
        ),
    ),
)


FEW, MANY = 3, 5  # tasks
LOOKS = 40


def tasks_of(program: Program) -> int:
    """How many tasks are submitted."""
    return sum(isinstance(step, op.Submit) for step in program.lanes[0].operations)


def drops_queued(program: Program) -> bool:
    """Whether something is queued when the executor is shut down without waiting."""
    steps = program.lanes[0].operations
    return tasks_of(program) > program.pools[0].workers and op.Shutdown(executor="e0", wait=False) in steps


def cancels_one_of_few(program: Program) -> bool:
    """Whether few tasks are submitted and one of the futures is cancelled."""
    return tasks_of(program) == FEW and op.Cancel(future="f2") in program.lanes[0].operations


def needs_many(program: Program) -> bool:
    """Whether many tasks are submitted."""
    return tasks_of(program) >= MANY


def test_a_sketch_is_one_operation_beside_the_first_tasks() -> None:
    """It has one worker, and a task in front of the one that it queues; a handful of looks finds it."""
    looks = []

    def fails(program: Program) -> bool:
        looks.append(program)
        return drops_queued(program)

    found = sketch(CROWDED, fails)
    assert tasks_of(found) + 1 == found.size == FEW
    assert [pool.workers for pool in found.pools] == [1]
    assert len(looks) < LOOKS


def test_a_sketch_has_what_its_operation_needs() -> None:
    """The future that is cancelled is there, although it is not among the first."""
    assert sketch(CROWDED, cancels_one_of_few).lanes[0].operations == (*SUBMITS[:3], op.Cancel(future="f2"))


def test_a_program_without_a_sketch_is_given_back() -> None:
    """Where no tiny program fails, there is the one that does; it is reduced step by step."""
    assert sketch(CROWDED, needs_many) is CROWDED
    assert reduce(CROWDED, needs_many).size == MANY
