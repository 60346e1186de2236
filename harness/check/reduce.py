"""Reduces a failing program as a value: fewer operations, plainer tasks, smaller pools, the same broken rule.

It works on any program, whatever it came from: a search, a token of a stranger, a schedule of the simulated
world. Candidates that are no fair test (a symbol without meaning, a call that may rightly wait for ever) are
not tried.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.model.progress import objection
from harness.values import operation as op
from harness.values.program import Lane, Pool, Program, Return, Script, initializers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_BESIDE = 3  # tasks beside the operation of a sketch: one that runs, one it may be about, one that is queued


def sketch(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Find a tiny program that still `fails`, or give the program back.

    Few faults need more than one operation beside a few tasks. Tiny programs run fast, and most show nothing:
    where a failure means to wait for a hang, many of these cost less than one step from a large program.
    """
    return _first_that_fails(_sketches(program), fails, {program.digest}) or program


def reduce(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Find a smaller program that still `fails`; stops when no candidate does.

    `fails` may raise to end the search; whoever calls keeps the best it has seen.
    """
    current, tried = program, {program.digest}
    while smaller := _first_that_fails(candidates(current), fails, tried):
        current = smaller
    return current


def _first_that_fails(
    proposed: Iterator[Program], fails: Callable[[Program], bool], tried: set[str]
) -> Program | None:
    for candidate in proposed:
        if candidate.digest in tried or objection(candidate, lanes=len(candidate.lanes)):
            continue
        tried.add(candidate.digest)
        if fails(candidate):
            return candidate
    return None


def _sketches(program: Program) -> Iterator[Program]:
    """One operation and what it needs, alone or beside the first tasks, on pools of one worker."""
    if len(program.lanes) > 1:
        return
    small = replace(program, pools=tuple(replace(pool, workers=1) for pool in program.pools))
    steps = program.lanes[0].operations
    submits = [place for place, step in enumerate(steps) if isinstance(step, op.Submit)]
    for beside in range(_BESIDE + 1):
        for place in range(len(steps)):
            kept = sorted({*submits[:beside], *_needed(steps, place)})
            found = tidy(_with_lane(small, 0, tuple(steps[each] for each in kept)))
            if weight(found) < weight(program):
                yield found


def _needed(steps: tuple[op.Operation, ...], place: int) -> set[int]:
    """The places of an operation and of those that make what it uses."""
    kept, wanted = {place}, _uses(steps[place])
    for earlier in range(place - 1, -1, -1):
        if _makes(steps[earlier]) & wanted:
            kept.add(earlier)
            wanted |= _uses(steps[earlier])
    return kept


def _uses(step: op.Operation) -> set[str]:
    named = (getattr(step, name, None) for name in ("future", "like", "iterator"))
    return {each for each in (*named, *getattr(step, "futures", ())) if each is not None}


def weight(program: Program) -> tuple[int, int, int]:
    """What "smaller" means: operations first, then tasks, then the length of the text."""
    return program.size, len(program.tasks), len(program.to_json())


def candidates(program: Program) -> Iterator[Program]:
    """Smaller programs to try, the most promising first."""
    for found in _proposals(program):
        tidied = tidy(found)
        if weight(tidied) < weight(program):
            yield tidied


def _proposals(program: Program) -> Iterator[Program]:
    for number in range(len(program.lanes)):
        yield from _shorter_lanes(program, number)
    for place, script in enumerate(program.tasks):
        for simpler in _plainer_scripts(script):
            tasks = (*program.tasks[:place], simpler, *program.tasks[place + 1 :])
            yield replace(program, tasks=tasks)
    for place, pool in enumerate(program.pools):
        for smaller in _plainer_pools(pool):
            yield replace(program, pools=(*program.pools[:place], smaller, *program.pools[place + 1 :]))


def _shorter_lanes(program: Program, number: int) -> Iterator[Program]:
    """Fewer operations: a beginning of the lane, the lane less a part, the lane with a plainer operation."""
    steps = program.lanes[number].operations
    size = len(steps)
    for keep in (size // 4, size // 2, 3 * size // 4):
        yield _with_lane(program, number, steps[:keep])
    width = max(1, size // 2)
    while width:
        for start in range(0, size, width):
            yield _with_lane(program, number, (*steps[:start], *steps[start + width :]))
        width //= 2
    for place, step in enumerate(steps):
        for plainer in _plainer_steps(step):
            yield _with_lane(program, number, (*steps[:place], plainer, *steps[place + 1 :]))


def _with_lane(program: Program, number: int, steps: tuple[op.Operation, ...]) -> Program:
    lanes = (*program.lanes[:number], Lane(operations=steps), *program.lanes[number + 1 :])
    return replace(program, lanes=lanes)


def _plainer_steps(step: op.Operation) -> Iterator[op.Operation]:
    match step:
        case op.Wait(futures=futures) if len(futures) > 1:
            for name in futures:
                yield replace(step, futures=tuple(each for each in futures if each != name))
        case op.AsCompleted(futures=futures) if len(futures) > 1:
            for name in futures:
                yield replace(step, futures=tuple(each for each in futures if each != name))
        case op.Map(tasks=tasks) if tasks:
            yield replace(step, tasks=tasks[:-1])
        case _:
            pass
    yield from _plainer_forms(step)


def _plainer_forms(step: op.Operation) -> Iterator[op.Operation]:
    """The same operation in its most usual form."""
    match step:
        case op.Wait() | op.AsCompleted() if step.form != "list":
            yield replace(step, form="list")
        case op.Map() if step.shorter is not None:
            yield replace(step, shorter=None)
        case op.Submit(keywords=True):
            yield replace(step, keywords=False)
        case op.AddCallback() if step.deed not in ("record", "submit"):
            yield replace(step, deed="record", executor=None)
        case op.SetResult() if step.value != "parcel":
            yield replace(step, value="parcel")
        case op.SetException() if step.error != "ValueError":
            yield replace(step, error="ValueError")
        case op.Observe(times=times) if times > 1:
            yield replace(step, times=1)
        case op.Shutdown(cancel_futures=True):
            yield replace(step, cancel_futures=False)
        case _:
            pass


def _plainer_scripts(script: Script) -> Iterator[Script]:
    if script.gates:
        yield replace(script, gates=())
    if script.opens:
        yield replace(script, opens=())
    if script.ending != Return():
        yield replace(script, ending=Return())
    if script.argument:
        yield replace(script, argument=0)
    if script.errand:
        yield replace(script, errand="", hands_in=None)


def _plainer_pools(pool: Pool) -> Iterator[Pool]:
    if pool.initializer is not None:
        yield replace(pool, initializer=None)
        for simpler in _plainer_scripts(pool.initializer):
            yield replace(pool, initializer=simpler)
    if pool.tasks_per_worker is not None:
        yield replace(pool, tasks_per_worker=None)
    if pool.start is not None:
        yield replace(pool, start=None)
    if pool.named:
        yield replace(pool, named=False)
    if pool.workers > 1:
        yield replace(pool, workers=1)


def tidy(program: Program) -> Program:
    """Drop what refers to things that are no longer made: operations, tasks nobody submits, unused pools."""
    lanes = list(program.lanes)
    before: list[Lane] = []
    while lanes != before:  # what goes from one lane may leave operations of another without their future
        before = lanes
        lanes = [
            _tidy_lane(lane, _made_by(lanes[:place] + lanes[place + 1 :])) for place, lane in enumerate(lanes)
        ]
    used = {name for lane in lanes for step in lane.operations for name in _tasks(step)}
    others = [(script.task, script.hands_in) for script in program.tasks]
    used |= {other for task, other in others if task in used and other is not None}
    scripts = [script for script in program.tasks if script.task in used]
    gates = {gate for script in (*scripts, *initializers_of(program)) for gate in script.gates}
    lanes = [
        Lane(operations=tuple(
            step for step in lane.operations if not (isinstance(step, op.Open) and step.gate not in gates)
        )) for lane in lanes
    ]  # fmt: skip
    pools = {getattr(step, "executor", None) for lane in lanes for step in lane.operations}
    kept_pools = tuple(pool for pool in program.pools if pool.executor in pools) or program.pools[:1]
    tasks = tuple(script for script in program.tasks if script.task in used)
    return Program(pools=kept_pools, tasks=tasks, lanes=tuple(lanes))


def _tidy_lane(lane: Lane, elsewhere: set[str]) -> Lane:
    """A lane without what refers to things that neither it has made by then nor another lane makes at all."""
    made = set(elsewhere)
    steps: list[op.Operation] = []
    for step in lane.operations:
        kept = _keep(step, made)
        if kept is not None:
            steps.append(kept)
            made |= _makes(kept)
    return Lane(operations=tuple(steps))


def _made_by(lanes: list[Lane]) -> set[str]:
    return {name for lane in lanes for step in lane.operations for name in _makes(step)}


def _makes(step: op.Operation) -> set[str]:
    match step:
        case op.Submit(future=future) | op.Fresh(future=future):
            return {future}
        case op.AddCallback(deed="submit", callback=callback):
            return {f"f.{callback}"}
        case op.Map(iterator=iterator) | op.AsCompleted(iterator=iterator):
            return {iterator}
        case _:
            return set()


def _tasks(step: op.Operation) -> tuple[str, ...]:
    task = getattr(step, "task", None)
    return (*getattr(step, "tasks", ()), *((task,) if task is not None else ()))


def _keep(step: op.Operation, made: set[str]) -> op.Operation | None:
    """The operation without what is gone, or None if nothing of it makes sense."""
    if isinstance(step, op.Wait | op.AsCompleted):
        return replace(step, futures=tuple(name for name in step.futures if name in made))
    if isinstance(step, op.Fresh):
        return step if step.like in made else None
    if not isinstance(step, op.Submit) and getattr(step, "future", None) not in (None, *made):
        return None
    if isinstance(step, op.Next | op.Drain | op.Close | op.Drop) and step.iterator not in made:
        return None
    return step
