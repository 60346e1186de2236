"""A program goes on where it says: at the exit, in a fork, in an import; litter is collected in a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from harness.arenas.real.arena import Patience
from harness.values import operation as op
from harness.values.history import Answered, Called, Entered, Finalised, Finished, Gone, Started, Stuck
from harness.values.outcome import Raised, Returned
from harness.values.program import Lane, Pool, Program, Script, epilogue
from harness.values.subject import Subject

if TYPE_CHECKING:
    from harness.arenas.real.arena import RealArena
    from harness.values.history import History
    from harness.values.outcome import Outcome

THREADS = "reference_executor:ThreadPoolExecutor"
PROCESSES = "reference_executor:ProcessPoolExecutor"
TASKS = (Script(task="t0", gates=("g0",)), Script(task="t1"), Script(task="t2"))
HELD, FREE = (op.Submit(executor="e0", future=f"f{number}", task=f"t{number}") for number in range(2))

each_pool = pytest.mark.parametrize("target", [THREADS, PROCESSES])


def _run(arena: RealArena, target: str, *steps: op.Operation) -> History:
    kind: Literal["thread", "process"] = "process" if target == PROCESSES else "thread"
    pools = (Pool(workers=1), Pool(executor="e1", workers=1))
    program = Program(pools=pools, tasks=TASKS, lanes=(Lane(operations=steps),))
    return arena.run(Subject(name=target, target=target, kind=kind), program, Patience())


def _submit(executor: str) -> op.Submit:
    return op.Submit(executor=executor, future="f2", task="t2")


def _answer(history: History, call: int) -> Outcome:
    (found,) = [each.outcome for each in history.events if isinstance(each, Answered) and each.call == call]
    return found


def _left(history: History) -> list[str]:
    """The tasks that left their bodies, in order."""
    return [each.task for each in history.events if isinstance(each, Finished)]


def _ends_well(history: History) -> bool:
    """Whether the last call is the end, and the process left with status 0 and without a word."""
    last = max(each.call for each in history.events if isinstance(each, Called))
    (gone,) = [each for each in history.events if isinstance(each, Gone)]
    steps = len(history.program.lanes[0].operations) + len(epilogue(history.program))
    return (last, gone.status, gone.output) == (steps - 1, 0, "")


@each_pool
def test_the_main_program_ends_with_work_pending(arena: RealArena, target: str) -> None:
    """A task at a gate, and one behind it, are done while the interpreter exits."""
    history = _run(arena, target, HELD, FREE, op.Turn(to="the end"))
    assert _ends_well(history)
    assert _left(history) == ["t0", "t1"]


@each_pool
def test_exit_functions_go_on(arena: RealArena, target: str) -> None:
    """A submit is refused there, and what was accepted before is done."""
    history = _run(arena, target, HELD, op.Turn(to="exit functions"), op.Observe(future="f0"), _submit("e0"))
    assert _ends_well(history)
    refusal = _answer(history, 3)
    assert isinstance(refusal, Raised)
    assert refusal.error == "RuntimeError"
    assert _left(history) == ["t0"]


@each_pool
def test_a_late_thread_goes_on(arena: RealArena, target: str) -> None:
    """No executor has been told yet that the interpreter exits: what it accepts is done."""
    history = _run(arena, target, HELD, op.Turn(to="a late thread"), _submit("e0"))
    assert _ends_well(history)
    assert not isinstance(_answer(history, 2), Raised)
    assert _left(history) == ["t0", "t2"]


@each_pool
def test_a_forked_child_goes_on(arena: RealArena, target: str) -> None:
    """An executor that nobody used before the fork is the child's own; one that was in use refuses."""
    inherited = _run(arena, target, HELD, op.Turn(to="a forked child"), _submit("e0"))
    assert isinstance(_answer(inherited, 2), Raised)
    own = _run(arena, target, HELD, op.Turn(to="a forked child"), _submit("e1"), op.Result(future="f2"))
    assert isinstance(_answer(own, 3), Returned)
    assert _ends_well(inherited)
    assert _ends_well(own)
    assert "t2" in _left(own)


def test_a_forked_child_that_waits_in_vain_is_seen_to(arena: RealArena) -> None:
    """Its parent, which only waits for it, and its own wait for news do not count as the subject's."""
    history = _run(
        arena, "concurrent.futures:ThreadPoolExecutor", FREE, op.Result(future="f1"),
        op.Turn(to="a forked child"), _submit("e0"),
    )  # fmt: skip
    calls = [each.call for each in history.events if isinstance(each, Called)]
    open_calls = set(calls) - {each.call for each in history.events if isinstance(each, Answered)}
    assert open_calls == {5}  # the epilogue's read of f2
    assert isinstance(history.events[-1], Stuck)


@each_pool
def test_a_module_body_goes_on(arena: RealArena, target: str) -> None:
    """What is submitted there is a function of the module; then the child serves the next program."""
    steps = (op.Turn(to="a module body"), FREE, op.Result(future="f1"))
    histories = [_run(arena, target, *steps) for _ in range(2)]
    assert [_answer(each, 2) for each in histories] == [
        Returned(value="parcel t1 whole 0", same=True if target == THREADS else None)
    ] * 2
    assert histories[0].client == histories[1].client


def test_litter_is_collected_in_the_next_call(arena: RealArena) -> None:
    """Its finaliser submits a task, between the beginning and the end of that call at the latest."""
    litter = op.Litter(executor="e0", litter="z0", task="t2", after=2)
    history = _run(arena, THREADS, litter, FREE)
    entered, left = (
        next(each.at for each in history.events if isinstance(each, kind)) for kind in (Entered, Finalised)
    )
    begin = next(each.at for each in history.events if isinstance(each, Called) and each.call == 1)
    end = next(each.at for each in history.events if isinstance(each, Answered) and each.call == 1)
    assert begin < entered < left < end
    assert {each.task for each in history.events if isinstance(each, Started)} == {"t1", "t2"}


def test_what_is_said_at_the_end_is_read(arena: RealArena) -> None:
    """What an executor writes while the interpreter exits, and nothing that was written before."""
    loud = "tests.arena.oddities:Loud"
    _run(arena, loud, FREE)
    history = _run(arena, loud, FREE, op.Turn(to="the end"))
    (gone,) = [each for each in history.events if isinstance(each, Gone)]
    assert gone.output.split() == ["built", "built", "closed", "closed", "closed", "closed"]
