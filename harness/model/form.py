"""Is a program well formed? A token is data from strangers, a candidate of the reducer may lack its parts.

Every symbol is made once, and what an operation cannot do without is there. What would hurt the machine
instead of testing an executor (thousands of workers, gigabytes of payload) is no program.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from harness.values import operation as op
from harness.values.program import Return, bare_futures_of, futures_of, initializers_of, since_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.values.program import Program

MOST_LANES = 4  # of a program that an arena with lanes can run
MOST_WORKERS = 64
LARGEST_PAYLOAD = 1 << 26  # bytes
MOST_LOOKS = 10_000  # of one `Observe`


def malformation(program: Program, *, lanes: int = 1) -> str:
    """What is wrong with the form of a program: one sentence, empty if nothing is.

    `lanes` is how many client lanes the arena can run: the real one runs one, the simulated one `MOST_LANES`.
    """
    problems = chain(
        _of_lanes(program, lanes),
        _of_forgetting(program),
        _of_starving(program),
        _of_pools(program),
        _of_tasks(program),
        _of_names(program),
        _of_operations(program),
    )
    return next(problems, "")


def _of_lanes(program: Program, most: int) -> Iterator[str]:
    if not program.lanes or len(program.lanes) > most:
        can_be_run = "this arena runs one" if most == 1 else f"between 1 and {most} can be run"
        yield f"it has {len(program.lanes)} client lanes; {can_be_run}"
    yield from _of_turns(program)
    made = [{name for step in lane.operations for name in _makes(step)} for lane in program.lanes]
    for number, lane in enumerate(program.lanes):
        for step in lane.operations:
            name = getattr(step, "iterator", None)
            if any(name in others for place, others in enumerate(made) if place != number):
                yield f"{name} is used by two lanes, which no iterator bears"


def _of_turns(program: Program) -> Iterator[str]:
    turns = [step for lane in program.lanes for step in lane.operations if isinstance(step, op.Turn)]
    if len(turns) > 1:
        yield "it turns elsewhere twice"
    if turns and len(program.lanes) > 1:
        yield "it turns elsewhere, and has several lanes"
    if turns and turns[0].to == "the end" and since_turn(program):
        yield "it goes on after its end"


def _of_forgetting(program: Program) -> Iterator[str]:
    if len(program.lanes) > 1:
        for lane in program.lanes:
            for step in lane.operations:
                if isinstance(step, op.Forget):
                    yield f"{step.executor} is forgotten, and other lanes may be about to use it"


def _of_starving(program: Program) -> Iterator[str]:
    for lane in program.lanes:
        for step, following in pairwise((*lane.operations, None)):
            if isinstance(step, op.Starve) and not isinstance(following, op.Submit):
                yield f"no {step.of} can be started, and no submit follows at once"


def _of_pools(program: Program) -> Iterator[str]:
    if not program.pools:
        yield "it has no executor"
    for pool in program.pools:
        if pool.initializer is not None and pool.initializer.argument < 0:
            yield f"the initializer of {pool.executor} has an argument that cannot be pickled"
        if not 1 <= pool.workers <= MOST_WORKERS:
            yield f"{pool.executor} has {pool.workers} workers; between 1 and {MOST_WORKERS} can be run"


def _of_tasks(program: Program) -> Iterator[str]:
    for script in (*program.tasks, *initializers_of(program)):
        size = script.ending.size if isinstance(script.ending, Return) else 0
        if max(size, script.argument) > LARGEST_PAYLOAD:
            yield f"{script.task} carries more than {LARGEST_PAYLOAD} bytes"
        if (script.errand == "submit") != (script.hands_in in {each.task for each in program.tasks}):
            yield f"{script.task} hands in a task that is none, or hands one in without that errand"


def _of_operations(program: Program) -> Iterator[str]:
    for lane in program.lanes:
        for index, step in enumerate(lane.operations):
            if lacking := _lacks(step):
                yield f"operation {index} {lacking}"


def _of_names(program: Program) -> Iterator[str]:
    steps = [step for lane in program.lanes for step in lane.operations]
    made = [pool.executor for pool in program.pools]
    made += [script.task for script in (*program.tasks, *initializers_of(program))]
    made += [name for step in steps for name in _makes(step)]
    made += futures_of(program)
    made += bare_futures_of(program)
    yield from (f"{name} is made twice" for name, times in Counter(made).items() if times > 1)
    handed = Counter(name for step in steps for name in _hands_in(step))
    handed.update(script.hands_in for script in program.tasks if script.hands_in is not None)
    yield from (f"{name} is handed in twice" for name, times in handed.items() if times > 1)


def _makes(step: op.Operation) -> Iterable[str]:
    match step:
        case (
            op.Map(iterator=name)
            | op.AsCompleted(iterator=name)
            | op.AddCallback(callback=name)
            | op.Litter(litter=name)
        ):
            return (name,)
        case _:
            return ()


def _hands_in(step: op.Operation) -> Iterable[str]:
    match step:
        case op.Submit(task=task) | op.AddCallback(deed="submit", task=str(task)) | op.Litter(task=task):
            return (task,)
        case op.Map(tasks=tasks):
            return tasks
        case _:
            return ()


def _lacks(step: op.Operation) -> str:
    """Why an operation cannot be performed as it stands, whatever came before it."""
    match step:
        case op.Release() | op.Census() | op.End():
            return "belongs to the end of every program"
        case op.AddCallback(deed="submit", executor=executor, task=task) if executor is None or task is None:
            return "submits a task that it does not name"
        case op.AddCallback(deed="shutdown" | "close", executor=None):
            return "shuts down an executor that it does not name"
        case op.Map(tasks=tasks, shorter=int(shorter)) if not 0 <= shorter <= len(tasks):
            return "makes an iterable of less than no items"
        case op.Observe(times=times) if times > MOST_LOOKS:
            return f"looks more than {MOST_LOOKS} times"
        case _:
            return ""
