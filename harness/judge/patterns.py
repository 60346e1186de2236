"""The closed vocabulary of deviation patterns: small questions about one witness in its case.

A pattern may only excuse a witness that a rule has already found; it never finds anything. Each is as narrow
as the known fault, so that another fault under the same rule stays red.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case, timed_out
from harness.judge.endings import turn_of
from harness.judge.lateness import TOLERANCE
from harness.judge.leeway import exits
from harness.values import operation as op
from harness.values.outcome import Drained, Raised, Returned, Struck, Submitted
from harness.values.program import FALSY, UNPICKLABLE, Raise, Return, fresh_pools, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.values.program import Script
    from harness.values.verdict import Witness

_TRIPPED = (("AssertionError", ""), ("RuntimeError", "release unlocked lock"))  # what `Thread.join` may raise
_CLOSED = ("OSError", "handle is closed")  # what the manager of a process pool dies of without its results
_TAKEN_AWAY = tuple(f"'NoneType' object has no attribute '{name}'" for name in ("join", "close", "wakeup"))
_NO_WORKERS = "object of type 'NoneType' has no len()"  # what it dies of where they were taken away
_UNDECIDED = "this exception is neither true nor false"
_CRASHED = -11  # the status of a process that died of a segmentation fault
_SECOND = 1_000_000_000
_AMPLE = 2.0  # seconds: a timeout that does not run out on a pool that does what it should
_PIPE = 1 << 16  # bytes a pipe holds: a larger result is written in several pieces


def _calls(case: Case, witness: Witness) -> list[Call]:
    return [call for call in case.calls if call.index in witness.calls]


def _missed(case: Case, witness: Witness) -> tuple[str, ...]:
    """The futures that a witness is about, or all that were waited for by its calls."""
    if witness.futures:
        return witness.futures
    steps = [call.step for call in _calls(case, witness)]
    iterators = {step.iterator for step in steps if isinstance(step, op.Next | op.Drain)}
    steps += [
        call.step for call in case.of(op.AsCompleted) if getattr(call.step, "iterator", "") in iterators
    ]
    return tuple(name for step in steps for name in getattr(step, "futures", ()))


def missed_future_was_cancelled_unnoticed(case: Case, witness: Witness) -> bool:
    """Every future that was missed is cancelled, and no worker has taken its work item up since."""
    if witness.shape == "late":
        return False
    names = _missed(case, witness)
    cancelled = [
        name
        for name in names
        if name in case.tracks and _cancelled(case, name) and not _taken_up(case, case.tracks[name].executor)
    ]
    return bool(cancelled) and (not witness.futures or len(cancelled) == len(witness.futures))


def _cancelled(case: Case, name: str) -> bool:
    track = case.tracks[name]
    return (
        not track.task.starts
        and min(case.cancelled_since[name], case.cancelling_since(track.executor)) < FOREVER
    )


def _taken_up(case: Case, executor: str) -> bool:
    """Whether the workers surely have taken up all that was queued: nothing moves, and none has work.

    Not where something happened to them or to the queue, or where one may be inside a callback for good.
    """
    disturbed = (
        min(case.deaths[executor], case.cancelling_since(executor)) < FOREVER
        or case.pools[executor].tasks_per_worker is not None
        or case.pools[executor].initializer is not None
        or any(track.task.script.argument < 0 for track in case.tracks.values())
        or bool(case.inside)
    )
    mine = [case.tasks[name] for name, owner in case.owners.items() if owner == executor]
    began = any(task.starts for task in mine)
    busy = any(len(task.starts) > len(task.finishes) for task in mine)
    return case.stuck is not None and began and not disturbed and not busy


def missed_future_was_cancelled_by_a_shutdown(case: Case, witness: Witness) -> bool:
    """Every future that was missed was queued when a shutdown with `cancel_futures` began."""
    if witness.shape == "late":
        return False
    names = _missed(case, witness)
    mine = [name for name in names if name in case.tracks and not case.tracks[name].task.starts]
    return any(case.cancelling_since(case.tracks[name].executor) < FOREVER for name in mine)


def waited_for_everything_already(case: Case, witness: Witness) -> bool:
    """All futures given to the `wait` with the invalid argument were done, or there were none."""
    return witness.shape == "satisfied" and all(
        isinstance(call.step, op.Wait) and call.step.return_when == "NONSENSE"
        for call in _calls(case, witness)
    )


def exception_is_falsy(case: Case, witness: Witness) -> bool:
    """The task raised an exception that is false, and `result` returned None instead of raising it."""
    return any(isinstance(call.step, op.Result) for call in _reads_without_the_falsy(case, witness))


def exception_is_falsy_across_processes(case: Case, witness: Witness) -> bool:
    """The task raised an exception that is false, and the outcome says that it returned None."""
    return bool(_reads_without_the_falsy(case, witness))


def _reads_without_the_falsy(case: Case, witness: Witness) -> list[Call]:
    """The reads that gave None for a task that raised an exception that is false."""
    return [
        call
        for call in _calls(case, witness)
        if isinstance(call.step, op.Result | op.Error)
        and isinstance(call.outcome, Returned)
        and call.outcome.value == "None"
        and getattr(case.tracks[call.step.future].task.script.ending, "error", "") in FALSY
    ]


def all_were_done_before_the_first_step(case: Case, witness: Witness) -> bool:
    """What came first was done before the iterator gave its first item, though not yet when it was made."""
    made = next((call for call in _calls(case, witness) if isinstance(call.step, op.AsCompleted)), None)
    if made is None or witness.shape == "cancelled":
        return False
    steps = case.steps_of(getattr(made.step, "iterator", ""))
    early = [name for name in witness.futures if name in case.tracks]
    others = [name for name in getattr(made.step, "futures", ()) if name in case.tracks and name not in early]
    late = [name for name in others if case.tracks[name].task.left > made.end]
    return bool(steps and late) and any(
        min(case.tracks[name].task.left, case.done_since[name]) < _first_item(steps[0]) for name in late
    )


def _first_item(step: Call) -> int:
    """When the first step of an iterator gave its first item: it had looked at the futures before."""
    return step.outcome.at[0] if isinstance(step.outcome, Drained) and step.outcome.at else step.end


def earlier_shutdown_did_not_wait(case: Case, witness: Witness) -> bool:
    """A `shutdown(wait=False)` came before the end of the waiting one that returned too soon."""
    first = min(_calls(case, witness), key=lambda call: call.begin, default=None)
    if first is None or witness.shape != "not waited":
        return False
    return _returns_early(case, getattr(first.step, "executor", ""), first)


def _returns_early(case: Case, executor: str, shutdown: Call) -> bool:
    """Whether a shutdown does not wait, or began when one that did not wait had begun."""
    quick = any(
        call.begin < shutdown.end and isinstance(call.step, op.Shutdown) and not call.step.wait
        for call in case.shutdowns(executor)
    )
    return quick or case.shut_by_callback(executor) < shutdown.end


def another_client_was_joining(case: Case, witness: Witness) -> bool:
    """A shutdown that waits failed in `Thread.join` while another client's waited for the same threads."""
    return any((error.error, error.message) in _TRIPPED for error in _met_another_shutdown(case, witness))


def another_client_was_shutting_down(case: Case, witness: Witness) -> bool:
    """A shutdown found None where it had just looked, while another client's took away what there was."""
    return any(
        error.error == "AttributeError" and error.message in _TAKEN_AWAY
        for error in _met_another_shutdown(case, witness)
    )


def another_client_closed_the_results(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """The manager died of a closed queue, and a waiting shutdown overlapped one in another thread.

    That other one does not wait: it had taken the manager away, which the first was to join before it closes
    the queue.
    """
    died = any((event.error, event.message) == _CLOSED for event in case.uncaught)
    return died and any(
        begin < one.end and one.begin < end and not waits
        for executor in case.pools
        for one in case.shutdowns(executor) if getattr(one.step, "wait", True)
        for begin, end, waits in _shutdowns_beside(case, one)
    )  # fmt: skip


def _met_another_shutdown(case: Case, witness: Witness) -> Iterator[Raised]:
    """What the shutdowns of the witness raised that one in another thread overlapped."""
    for call in _calls(case, witness):
        if isinstance(call.outcome, Raised) and any(
            begin < call.end and call.begin < end for begin, end, _ in _shutdowns_beside(case, call)
        ):
            yield call.outcome


def _shutdowns_beside(case: Case, call: Call) -> Iterator[tuple[int, int, bool]]:
    """When other lanes, and callbacks in other threads, were shutting this executor down, and who waits."""
    executor = getattr(call.step, "executor", "")
    for other in case.shutdowns(executor):
        if other.lane != call.lane:
            yield other.begin, other.end, getattr(other.step, "wait", True)
    closing = {
        each.step.callback: each.step.deed == "close"
        for each in case.of(op.AddCallback)
        if isinstance(each.step, op.AddCallback)
        and (each.step.deed, each.step.executor) in (("shutdown", executor), ("close", executor))
    }
    for event in case.callbacks:
        if event.callback in closing and event.thread != call.thread:
            yield event.at, event.until, closing[event.callback]


def later_shutdown_forgot_to_cancel(case: Case, witness: Witness) -> bool:
    """A shutdown without `cancel_futures` came after the one that had it."""
    calls = [call for call in _calls(case, witness) if isinstance(call.step, op.Shutdown | op.Leave)]
    forgot = len(calls) > 1 and not getattr(calls[-1].step, "cancel_futures", False)
    return witness.shape == "undone" and forgot


def cancelling_took_effect_late(case: Case, witness: Witness) -> bool:
    """The cancelling shutdown, or one before it, did not wait, and what ran nevertheless was next in line.

    Nothing that was cancelled had been submitted before a task that ran; and since the manager was seen at
    work after the shutdown no more began than were on their way to workers by then.
    """
    first = next((call for call in _calls(case, witness) if isinstance(call.step, op.Shutdown)), None)
    executor = getattr(first and first.step, "executor", "")
    if first is None or witness.shape or not _returns_early(case, executor, first):
        return False
    queued = [
        track for track in sorted(case.tracks.values(), key=lambda track: track.accepted)
        if track.executor == executor and track.task.script.argument >= 0
        and track.task.began > first.end and case.cancelled_since[track.name] == FOREVER
    ]  # fmt: skip
    started = [bool(track.task.starts) for track in queued]
    awake = _manager_at_work(case, executor, first.end)
    late = sum(awake < track.task.began < FOREVER for track in queued)
    return started == sorted(started, reverse=True) and late <= _under_way(case, executor)


def _manager_at_work(case: Case, executor: str, since: int) -> int:
    """When a future was first seen done whose task left its body after a shutdown; `FOREVER` if never.

    The manager takes a result, ends the future, and then looks for shutdowns, if somebody keeps the executor.
    """
    seen = [
        case.done_since[track.name]
        for track in case.tracks.values()
        if track.executor == executor and since < track.task.left < FOREVER
    ]
    first = min(seen, default=FOREVER)
    return first if first < case.forgotten_since(executor) else FOREVER


def _under_way(case: Case, executor: str) -> int:
    """How many tasks that have not begun the manager may have handed on: in the call queue, in workers."""
    workers = case.pools[executor].workers
    return (workers + 1) + workers


def shutdown_began_before_the_death_was_seen(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A worker died, and a shutdown began, before or after, while no future had yet failed for it."""
    return any(
        since < FOREVER
        and case.shut_since(executor) < min(_break_seen(case, executor), _waited_in_vain(case, executor))
        for executor, since in case.deaths.items()
    )


def _waited_in_vain(case: Case, executor: str) -> int:
    """When a client first gave up an ample wait for a task whose worker had been killed; `FOREVER` if never.

    By then the manager must have seen the death, if it sees it at all.
    """
    victims = [
        (kill, track)
        for kill in case.of(op.Kill)
        for track in case.tracks.values()
        if track.executor == executor
        and any(start.pid == case.struck(kill) and start.at < kill.begin for start in track.task.starts)
    ]
    return min(
        (
            call.end
            for kill, track in victims
            for call in track.calls
            if call.begin > kill.end
            and (getattr(call.step, "timeout", None) or 0) >= _AMPLE
            and timed_out(call.outcome, None)
        ),
        default=FOREVER,
    )


def _break_seen(case: Case, executor: str) -> int:
    """When the client first got `BrokenExecutor` from a pool; `FOREVER` if never."""
    stamps = [FOREVER]
    for call in case.calls:
        outcome = call.outcome.error if isinstance(call.outcome, Returned) else call.outcome
        if isinstance(outcome, Raised) and outcome.breaks:
            track = case.tracks.get(getattr(call.step, "future", ""))
            if getattr(call.step, "executor", track.executor if track else "") == executor:
                stamps.append(call.end)
    return min(stamps)


def worker_died_after_a_cancel(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A queued future was cancelled before the manager of a pool that broke had come to it.

    That is so if cancel() said True: afterwards it says False.
    """
    return any(
        max(case.deaths[track.executor], case.cancelled_since[track.name]) < FOREVER and not track.task.starts
        for track in case.tracks.values()
    )


def worker_died_while_sending(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A worker died when a large result was on its way: the task was left, the future not yet done."""
    for track in case.tracks.values():
        since = case.deaths[track.executor]
        large = getattr(track.task.script.ending, "size", 0) >= _PIPE
        if large and track.task.starts and since < FOREVER and case.done_since[track.name] > since:
            return True
    return False


def submitted_after_a_death(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """`submit` accepted a task, or hung, after a worker had died and before anybody had noticed."""
    return any(
        (isinstance(call.step, op.Submit) or getattr(call.step, "deed", "") == "submit")
        and (isinstance(call.outcome, Submitted) or call.end == FOREVER)
        and case.deaths[getattr(call.step, "executor", "")] < call.end
        for call in case.calls
    )


def something_unpicklable_met_the_end(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A task whose argument cannot be pickled was not known to have failed when its pool began to end."""
    return any(
        track.task.script.argument == UNPICKLABLE
        and case.done_since[track.name] > _beginning_of_the_end(case, track.executor)
        for track in case.tracks.values()
    )


def _beginning_of_the_end(case: Case, executor: str) -> int:
    """From when on a pool may have been about to end: shut down, broken, or forgotten."""
    return min(case.shut_since(executor), case.deaths[executor], case.forgotten_since(executor))


def the_feeder_waits_for_the_manager(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """The thread that feeds the workers stands where it reports what cannot be pickled."""
    return case.stuck is not None and "_on_queue_feeder_error" in case.stuck.stacks


def an_argument_did_not_load(case: Case, witness: Witness) -> bool:
    """The pool broke, though no worker was killed, after an argument that a worker cannot unpickle."""
    return _broke_by(case, witness, lambda script: script.obstacle == "unloadable argument")


def an_outcome_did_not_load(case: Case, witness: Witness) -> bool:
    """The pool broke, though no worker was killed, after an outcome that the client cannot unpickle."""
    awkward = (Return(gift="unloadable"), Raise(error="Unloadable"))
    return _broke_by(case, witness, lambda script: script.ending in awkward)


def _broke_by(case: Case, witness: Witness, is_guilty: Callable[[Script], bool]) -> bool:
    """Whether a pool broke that met such a task."""
    steps = [call.step for call in _calls(case, witness)]
    pools = {getattr(step, "executor", "") for step in steps}
    pools |= {case.tracks[name].executor for name in witness.futures if name in case.tracks}
    return witness.shape == "broken" and any(
        is_guilty(track.task.script) and case.killed[track.executor] == FOREVER
        for track in case.tracks.values()
        if track.executor in pools
    )


def waited_for_a_falsy_exception(case: Case, witness: Witness) -> bool:
    """A `wait` for the first exception was given a future whose task had raised one that is false."""
    return any(
        isinstance(call.step, op.Wait)
        and call.step.return_when == "FIRST_EXCEPTION"
        and any(
            getattr(case.tracks[name].task.script.ending, "error", "") in FALSY
            and case.tracks[name].task.left < FOREVER
            for name in call.step.futures
            if name in case.tracks
        )
        for call in _calls(case, witness)
    )


def an_interpreter_was_left_by_what_cannot_be_shown(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """The client died of a segmentation fault after a task raised an exception that cannot be shown."""
    crashed = case.gone is not None and case.gone.status == _CRASHED
    return crashed and any(
        task.starts and getattr(task.script.ending, "error", "") == "Unprintable"
        for task in case.tasks.values()
    )


def an_idle_worker_was_interrupted(case: Case, witness: Witness) -> bool:
    """A worker that had nothing to do got SIGINT, and then the pool broke."""
    calls = _calls(case, witness)
    idle = any(isinstance(call.step, op.Interrupt) and call.step.task is None for call in calls)
    return idle and any(isinstance(call.outcome, Raised) and call.outcome.breaks for call in calls)


def an_interrupted_worker_left_twice(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """The manager died when it took leave a second time of a worker that had got SIGINT."""
    interrupted = {str(case.struck(call)) for call in case.of(op.Interrupt)}
    return any(event.error == "KeyError" and event.message in interrupted for event in case.uncaught)


def a_suspended_worker_was_to_leave(case: Case, witness: Witness) -> bool:
    """A call with nothing to wait for was made when a pool was shut, and an idle worker of it suspended."""
    return any(
        isinstance(call.step, op.Submit | op.Shutdown)
        and not getattr(call.step, "wait", False)
        and case.shut_since(call.step.executor) < call.begin
        and _is_suspended(case, call.step.executor, call.begin)
        for call in _calls(case, witness)
    )


def _is_suspended(case: Case, executor: str, at: int) -> bool:
    """Whether an idle worker of an executor was suspended then."""
    since = [
        call.end
        for call in case.of(op.Suspend)
        if call.step == op.Suspend(executor=executor) and case.struck(call) is not None and call.end < at
    ]
    resumed = [
        call.begin
        for call in case.of(op.Resume, op.Release)
        if call.begin < at and getattr(call.step, "executor", executor) == executor
    ]
    return max(since, default=-1) > max(resumed, default=-1)


def exception_refuses_to_be_asked(case: Case, witness: Witness) -> bool:
    """The task raised an exception that cannot be asked whether it is true, and was asked."""
    return any(
        getattr(case.tracks[name].task.script.ending, "error", "") == "Undecided"
        and (
            _asked(call)
            or any(_UNDECIDED in event.trouble for event in case.callbacks if event.future == name)
        )
        for call in _calls(case, witness)
        for name in [getattr(call.step, "future", "")]
        if name in case.tracks
    )


def _asked(call: Call) -> bool:
    return isinstance(call.outcome, Raised) and call.outcome.message == _UNDECIDED


def work_items_changed_under_the_manager(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A thread died of a dictionary that changed while it went through it."""
    return any(
        (event.error, event.message) == ("RuntimeError", "dictionary changed size during iteration")
        for event in case.uncaught
    )


def shutdown_cancels_futures(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A shutdown with `cancel_futures` is part of the program."""
    return any(case.cancelling_since(executor) < FOREVER for executor in case.pools)


def worker_was_idle_once(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A task had left its body before the last one was submitted: a worker went idle and was counted."""
    submits = [call.begin for call in case.of(op.Submit, op.Map)]
    return any(task.left < submits[-1] for task in case.tasks.values()) if submits else False


def hangs(case: Case, witness: Witness) -> bool:
    """The witness is a call that never returned."""
    return case.stuck is not None and any(call.end == FOREVER for call in _calls(case, witness))


def hangs_or_idles(case: Case, witness: Witness) -> bool:
    """The witness is a call that never returned, or tasks that did not start although nothing moved."""
    return hangs(case, witness) or (witness.shape == "idle" and not witness.calls)


def left_behind(case: Case, witness: Witness) -> bool:
    """The witness is about what the census found, or about a callback that stays in a thread it found."""
    return bool(case.leftovers) and (not witness.calls or witness.rule == "CB-08")


def callback_uses_the_pool_while_it_breaks(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A callback that calls back into a pool whose worker died was entered, and not left."""
    died = any(since < FOREVER for since in case.deaths.values())
    return died and case.stalled_callback() in ("submit", "shutdown")


def a_failing_initializer_met_a_cancelled_future(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """An initializer failed, and its thread died of a future that was cancelled already."""
    return any(map(case.raises_at_first, case.pools)) and any(
        event.error == "InvalidStateError" and event.message.startswith("CANCELLED")
        for event in case.uncaught
    )


def initializer_failed_after_the_pool_was_forgotten(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """An initializer raised, perhaps when nobody kept its executor any more.

    It had reported its end, at most, before that; what it raises is dealt with later, and nobody had got a
    `BrokenExecutor` yet.
    """
    return any(
        case.raises_at_first(executor)
        and beginning.left < FOREVER
        and case.forgotten_since(executor) < _break_seen(case, executor)
        for executor, beginning in case.beginnings.items()
    )


def no_worker_could_be_started(case: Case, witness: Witness) -> bool:
    """The task was submitted at a limit of the system, and was refused, or its future failed, for that."""
    refused = any(
        isinstance(call.outcome, Raised) and call.index in case.starved for call in _calls(case, witness)
    )
    tracks = [case.tracks[name] for name in witness.futures if name in case.tracks]
    return refused or any(map(case.may_fail_unstarted, tracks))


def a_submit_could_start_no_thread(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A submit was made when no thread could be started; in a process pool one is to be the manager."""
    return any(step == op.Starve(of="threads") for step in (call.step for call in case.of(op.Starve)))


def a_shutdown_did_not_wait(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A shutdown with ``wait=False`` is part of the program, or a callback that does one."""
    return any(
        case.shut_by_callback(executor) < FOREVER
        or any(isinstance(call.step, op.Shutdown) and not call.step.wait for call in case.shutdowns(executor))
        for executor in case.pools
    )


def a_worker_had_served_its_tasks(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A worker had served as many tasks as one may."""
    return any(case.worn_out(executor) for executor in case.pools)


def the_manager_lost_its_workers(case: Case, witness: Witness) -> bool:
    """The manager thread died when it was to count workers that a shutdown had taken away.

    Where the process is about to exit, nobody sees that.
    """
    seen = [witness.text, *(event.message for event in case.uncaught if event.error == "TypeError")]
    return place_of(case.program) is not None or any(_NO_WORKERS in text for text in seen)


def a_worker_that_left_was_counted_as_idle(case: Case, witness: Witness) -> bool:
    """A worker had served as many tasks as one may, and not only one, or nobody may have kept the executor.

    After each task but its last a worker is counted as idle; for each that is, one that leaves gets no
    successor. Nor does one that leaves when its executor is gone, or the interpreter about to be.
    """
    alone = place_of(case.program) is not None or a_limited_pool_was_forgotten(case, witness)
    return any(
        case.worn_out(executor) and (alone or pool.tasks_per_worker != 1)
        for executor, pool in case.pools.items()
    )


def a_limited_pool_was_forgotten(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A worker had served as many tasks as one may, and nobody kept its executor any more."""
    return any(
        case.worn_out(executor) and case.forgotten_since(executor) < FOREVER for executor in case.pools
    )


def a_worker_was_killed_that_had_served_its_tasks(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A kill struck a worker that had begun as many tasks as one may, and was about to leave."""
    return any(
        limit is not None and served >= limit
        for executor, pool in case.pools.items()
        for limit, served in [(pool.tasks_per_worker, _served_when_struck(case, executor))]
    )


def _served_when_struck(case: Case, executor: str) -> int:
    """The most tasks that a worker had begun when it was killed."""
    begun = [
        sum(
            start.pid == call.outcome.pid and start.at < call.end
            for name, owner in case.owners.items() if owner == executor
            for start in case.tasks[name].starts
        )
        for call in case.of(op.Kill)
        if isinstance(call.outcome, Struck) and call.outcome.pid is not None
    ]  # fmt: skip
    return max(begun, default=0)


def callback_uses_the_pool_while_it_cancels(case: Case, witness: Witness) -> bool:
    """A callback that calls back into the pool was entered, and not left, inside a cancelling shutdown."""
    return case.stalled_callback() in ("submit", "shutdown") and shutdown_cancels_futures(case, witness)


def one_broken_exception_for_all(case: Case, witness: Witness) -> bool:
    """Two futures of a pool that broke share one exception object."""
    errors = [call.outcome.error for call in _calls(case, witness) if isinstance(call.outcome, Returned)]
    return len({error.serial for error in errors if isinstance(error, Raised)}) == 1


def finaliser_submits_inside_a_submit(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """The finaliser that does not come back was called in the middle of a `submit`."""
    name = case.stalled_finaliser()
    return any(
        event.callback == name and call.begin < event.at < call.end
        for event in case.inside
        for call in case.calls
        if isinstance(call.step, op.Submit)
    )


def waits_for_an_inherited_pool(case: Case, witness: Witness) -> bool:
    """In a forked child, a call waits for what was submitted there to a pool of its parent."""
    turn = turn_of(case)
    fresh = fresh_pools(case.program)
    return turn is not None and any(
        track.submitted > turn.begin and track.executor not in fresh and not track.task.starts
        for track in case.tracks.values()
        if track.name in witness.futures or not witness.futures
    )


def workers_of_the_parent_are_joined(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """`multiprocessing` complains that a forked child cannot join the processes of its parent."""
    return witness.shape == "output" and "can only join a child process" in witness.text


def collected_when_modules_are_gone(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """An executor that lives until modules are taken apart complains that it has no `multiprocessing`."""
    return witness.shape == "output" and "'NoneType' object has no attribute 'util'" in witness.text


def refused_for_want_of_a_thread(case: Case, witness: Witness) -> bool:
    """`submit` raised because no thread can be started any more, when it had queued the task already."""
    return any(
        isinstance(call.outcome, Raised) and "can't create new thread" in call.outcome.message
        for call in _calls(case, witness)
    )


def task_of_the_module_waits_for_its_import(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - as above
    """What was submitted in the body of a module, a function of that module, never starts."""
    turn = turn_of(case)
    return turn is not None and any(
        track.submitted > turn.begin and not track.task.starts for track in case.tracks.values()
    )


def a_callback_left_a_thread_of_the_pool(case: Case, witness: Witness) -> bool:
    """A callback raised `SystemExit` in a thread that is no client's, and the pool lacks a thread since."""
    clients = {call.thread for call in case.calls}
    left = {step.callback for step in exits(case)}
    return witness.shape in ("hang", "idle", "left") and any(
        event.callback in left and event.thread not in clients for event in case.callbacks
    )


def a_callback_before_it_left(case: Case, witness: Witness) -> bool:
    """The callback that is not called was added after one that raised `SystemExit`."""
    return witness.shape == "skipped" and any(
        isinstance(earlier.step, op.AddCallback)
        and earlier.step.deed == "exit"
        and earlier.step.future in witness.futures
        and earlier.begin < call.begin
        for call in _calls(case, witness)
        for earlier in case.of(op.AddCallback)
    )


def a_thread_waited_for_itself(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """A shutdown that waits was called in a thread of the pool, which cannot be joined there."""
    return witness.shape == "RuntimeError: cannot join current thread"


def its_time_began_with_its_first_step(case: Case, witness: Witness) -> bool:
    """An iterator is late by its call, and in time if it counts from its first step."""
    calls = _calls(case, witness)
    made = next((call for call in calls if isinstance(call.step, op.AsCompleted)), None)
    if witness.shape != "late" or made is None or not isinstance(made.step, op.AsCompleted):
        return False
    first = min((call.begin for call in case.steps_of(made.step.iterator)), default=FOREVER)
    patience = int((made.step.timeout or 0) * _SECOND) + TOLERANCE
    return made.end < first and max(call.end for call in calls) < first + patience


def iterator_was_never_advanced(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """The iterator was dropped before anybody had advanced it."""
    return witness.shape == "never advanced"


def the_whole_chunk_was_lost(case: Case, witness: Witness) -> bool:  # noqa: ARG001 - one signature for all
    """Of the chunk with the item that raised nothing was delivered, and all before it."""
    return witness.shape == "whole chunk"


PATTERNS: dict[str, Callable[[Case, Witness], bool]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        missed_future_was_cancelled_unnoticed,
        waited_for_everything_already,
        exception_is_falsy,
        exception_is_falsy_across_processes,
        all_were_done_before_the_first_step,
        earlier_shutdown_did_not_wait,
        another_client_was_joining,
        another_client_was_shutting_down,
        another_client_closed_the_results,
        later_shutdown_forgot_to_cancel,
        cancelling_took_effect_late,
        missed_future_was_cancelled_by_a_shutdown,
        callback_uses_the_pool_while_it_cancels,
        callback_uses_the_pool_while_it_breaks,
        a_failing_initializer_met_a_cancelled_future,
        initializer_failed_after_the_pool_was_forgotten,
        no_worker_could_be_started,
        a_submit_could_start_no_thread,
        a_shutdown_did_not_wait,
        a_worker_had_served_its_tasks,
        the_manager_lost_its_workers,
        a_worker_that_left_was_counted_as_idle,
        a_limited_pool_was_forgotten,
        a_worker_was_killed_that_had_served_its_tasks,
        shutdown_began_before_the_death_was_seen,
        worker_died_after_a_cancel,
        worker_died_while_sending,
        submitted_after_a_death,
        something_unpicklable_met_the_end,
        the_feeder_waits_for_the_manager,
        an_argument_did_not_load,
        an_outcome_did_not_load,
        an_interpreter_was_left_by_what_cannot_be_shown,
        waited_for_a_falsy_exception,
        an_idle_worker_was_interrupted,
        an_interrupted_worker_left_twice,
        a_suspended_worker_was_to_leave,
        exception_refuses_to_be_asked,
        work_items_changed_under_the_manager,
        shutdown_cancels_futures,
        worker_was_idle_once,
        hangs,
        hangs_or_idles,
        left_behind,
        one_broken_exception_for_all,
        finaliser_submits_inside_a_submit,
        waits_for_an_inherited_pool,
        workers_of_the_parent_are_joined,
        refused_for_want_of_a_thread,
        collected_when_modules_are_gone,
        task_of_the_module_waits_for_its_import,
        a_callback_left_a_thread_of_the_pool,
        a_callback_before_it_left,
        a_thread_waited_for_itself,
        its_time_began_with_its_first_step,
        iterator_was_never_advanced,
        the_whole_chunk_was_lost,
    )
}
"""The patterns by the names that `specs/deviations` uses."""
