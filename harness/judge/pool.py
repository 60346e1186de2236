"""SUB, SHD, POOL, INV, API rules: the executor as a whole."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from harness.judge.case import FOREVER, Call, Case, Track
from harness.judge.leeway import closes_itself
from harness.judge.life import rule_for_forgotten
from harness.values import operation as op
from harness.values.outcome import Facts, Raised, Returned, States, Submitted
from harness.values.program import FALSY

if TYPE_CHECKING:
    from harness.judge.tally import Tally
    from harness.values.history import Quiet

_METHODS = {"ForkProcess": "fork", "ForkServerProcess": "forkserver", "SpawnProcess": "spawn"}
"""The start methods by the classes of the processes that they launch."""


def judge_submits(case: Case, tally: Tally) -> None:
    """SUB-02, SUB-04, SUB-05, SUB-10, BRK-04, POOL-06, POOL-10: when `submit` accepts; it does not wait."""
    broken_since = {executor: _seen_broken(case, executor) for executor in case.pools}
    for call in case.of(op.Submit):
        step = call.step
        if not isinstance(step, op.Submit):
            continue
        executor = step.executor
        shut = any(each.end < call.begin for each in case.shutdowns(executor) if each.answered)
        broken = broken_since[executor] < call.begin
        refused = isinstance(call.outcome, Raised)
        _judge_ghost(case, tally, call, step, shut=shut)
        if (shut or broken) and (_unheard(step, call) or call.index in case.starved):
            continue
        if shut:
            _judge_late(case, tally, call, step)
        elif broken:
            _judge_told(case, tally, call, executor)
        elif call.index in case.starved:
            tally.hold("POOL-10")
        elif _should_go_on(case, call, executor) and not _unheard(step, call):
            tally.check(
                "BRK-04", not refused, "a worker died, and the pool does not heal: submit fails", call
            )
        elif refused and case.shut_since(executor) > call.end and case.deaths[executor] > call.end:
            tally.blame("SUB-01" if step.keywords else "SUB-02", "submit on an open pool raises", call)
        elif isinstance(call.outcome, Submitted) and case.held(executor, call.begin, call.end):
            tally.hold("SUB-02")


def _should_go_on(case: Case, call: Call, executor: str) -> bool:
    """Whether a worker of a pool that should survive that has died, and `submit` should go on."""
    return (
        case.subject.death in ("heals", "retries")
        and case.killed[executor] < call.begin
        and case.shut_since(executor) > call.end
        and executor not in case.beginnings
    )


def _judge_told(case: Case, tally: Tally, call: Call, executor: str) -> None:
    """SUB-05, BRK-04, POOL-06: a client that knows the pool to be broken is told so again."""
    right = isinstance(call.outcome, Raised) and call.outcome.breaks
    if case.raises_at_first(executor):
        tally.check("POOL-06", right, "an initializer failed, and submit does not say so", call)
    if case.subject.death == "breaks":
        tally.check("SUB-05", right, "submit on a broken pool does not raise BrokenExecutor", call)
        tally.check("BRK-04", right, "after a future has failed with BrokenExecutor, submit goes on", call)


def _judge_ghost(case: Case, tally: Tally, call: Call, step: op.Submit, *, shut: bool) -> None:
    """SUB-10: a task that was refused is not executed; after a shutdown that is SUB-04's business."""
    if isinstance(call.outcome, Raised) and not shut:
        ran = bool(case.tasks[step.task].starts)
        text = f"{step.task} was refused by an exception, and is executed nevertheless"
        tally.check("SUB-10", not ran, text, call, task=step.task)


def _judge_late(case: Case, tally: Tally, call: Call, step: op.Submit) -> None:
    """SUB-04, SHD-06: the pool was shut down before."""
    right = isinstance(call.outcome, Raised) and "RuntimeError" in call.outcome.bases
    tally.check("SUB-04", right, "submit after shutdown does not raise RuntimeError", call)
    block = [
        each
        for each in case.shutdowns(step.executor)
        if isinstance(each.step, op.Leave) and each.end < call.begin
    ]
    if block and not isinstance(call.outcome, Raised):
        tally.blame("SHD-06", "leaving the with block did not shut the executor down", block[-1], call)
    if case.tasks[step.task].starts:
        tally.blame("SUB-04", f"{step.task} was refused after shutdown, and ran", call)


def _unheard(step: op.Submit, call: Call) -> bool:
    """Whether a keyword that `submit` keeps for itself was in the way (SUB-01): the pool said nothing."""
    return step.keywords and isinstance(call.outcome, Raised) and call.outcome.error == "TypeError"


def _seen_broken(case: Case, executor: str) -> int:
    """From when on a client has seen a future of this executor fail with `BrokenExecutor`."""
    stamps = [FOREVER]
    for track in case.tracks.values():
        if track.executor == executor:
            for call in track.calls:
                error = call.outcome.error if isinstance(call.outcome, Returned) else call.outcome
                if isinstance(error, Raised) and error.breaks:
                    stamps.append(call.end)
    return min(stamps)


def judge_order(case: Case, tally: Tally) -> None:
    """SUB-03: one worker serves tasks in the order they were submitted."""
    for name, pool in case.pools.items():
        if pool.workers != 1 or not case.subject.fifo:
            continue
        tracks = [track for track in case.tracks.values() if track.executor == name and track.task.starts]
        for first, second in pairwise(tracks):
            if first.accepted < second.submitted:
                right = first.task.began < second.task.began
                earlier, later = first.task.script.task, second.task.script.task
                text = f"{later} starts before {earlier}, which was submitted earlier"
                tally.check("SUB-03", right, text, task=later)


def judge_starts(case: Case, tally: Tally) -> None:
    """SUB-09, POOL-01, POOL-02, POOL-09, POOL-13: that tasks start, how many at once, and where."""
    for quiet in case.quiet:
        if quiet.queued:
            _blame_quiet(case, tally, quiet)
    for name, pool in case.pools.items():
        _judge_crowd(case, tally, name, pool.workers)
        if pool.tasks_per_worker is not None:
            _judge_served(case, tally, name, pool.tasks_per_worker)
        if pool.named and case.subject.kind == "thread":
            _judge_names(case, tally, name)
        if pool.start is not None:
            _judge_launches(case, tally, name, pool.start)


def _blame_quiet(case: Case, tally: Tally, quiet: Quiet) -> None:
    """MAP-03, POOL-02, POOL-07, RES-13, SUB-09: nothing moves any more, and tasks that could start do not."""
    if case.may_stall(quiet.executor, quiet.at) or case.starved_since < quiet.at:
        return  # who is to begin, when, and in how many workers at once, is not promised
    if quiet.held >= case.pools[quiet.executor].workers:
        return  # what does not move is a task in its body: of those that wait, none could start
    names = ", ".join(quiet.queued)
    left = case.left_by_exception(quiet.executor)
    if case.worn_out(quiet.executor):
        text = f"workers have served their tasks, nothing moves, and yet {names} does not start"
        tally.blame("POOL-07", text, shape="idle")
    elif left:
        tally.blame("RES-13", f"{left} raised to leave its thread, and now {names} does not start")
    elif case.forgotten_since(quiet.executor) < quiet.at:
        text = f"nobody keeps {quiet.executor}, nothing moves, and yet {names} does not start"
        tally.blame(rule_for_forgotten(case, quiet.executor), text, shape="idle")
    elif _mapped(case).issuperset(quiet.queued):
        tally.blame("MAP-03", f"map has returned, and nothing moves, and yet {names} does not start")
    elif quiet.held == 0:
        text = f"nothing runs and nothing moves, and yet {names} does not start"
        tally.blame("SUB-09", text, shape="idle")
    else:
        workers = case.pools[quiet.executor].workers
        text = f"{names} does not start, although only {quiet.held} of {workers} workers are taken"
        tally.blame("POOL-02", text, shape="idle")


def _judge_crowd(case: Case, tally: Tally, executor: str, workers: int) -> None:
    """POOL-01, POOL-02, SUB-09: how many tasks were inside their bodies at once, at most."""
    mine = [task for task, owner in case.owners.items() if owner == executor]
    steps = sorted(step for task in mine for step in _steps(case, task))
    most = max(accumulate((change for _, change in steps), initial=0))
    if most:
        text = f"{most} tasks were inside their bodies at once, with {workers} workers"
        tally.check("POOL-01", most <= workers, text)
        tally.hold("SUB-09")
    if most == workers:
        tally.hold("POOL-02")


def _judge_served(case: Case, tally: Tally, executor: str, limit: int) -> None:
    """POOL-07: how many tasks one process has begun, at most. A chunk of `map` is one task to the pool."""
    served = case.served(executor)
    chunked = any(getattr(call.step, "chunksize", 1) != 1 for call in case.of(op.Map))
    if served and not chunked:
        most = max(served.values())
        text = f"{most} tasks were served by one worker, which may serve {limit}"
        tally.check("POOL-07", most <= limit, text)


def _mapped(case: Case) -> set[str]:
    """The tasks that were given to `map`."""
    return {task for call in case.of(op.Map) for task in getattr(call.step, "tasks", ())}


def _steps(case: Case, task: str) -> list[tuple[int, int]]:
    """When a task entered and left its body; one whose worker died is left out, not to count for ever."""
    track = case.tasks[task]
    if len(track.starts) != len(track.finishes):
        return []
    return [(start.at, 1) for start in track.starts] + [(end.at, -1) for end in track.finishes]


def _judge_names(case: Case, tally: Tally, executor: str) -> None:
    for task, owner in case.owners.items():
        if owner == executor:
            for start in case.tasks[task].starts:
                right = start.name.startswith(f"puppet-{executor}")
                tally.check("POOL-09", right, f"{task} runs in a thread named {start.name!r}", task=task)


def _judge_launches(case: Case, tally: Tally, executor: str, method: str) -> None:
    """POOL-13: by which start method the workers were launched, where their class tells it."""
    if method == "fork":  # a careful pool takes a safer one: where threads are, nobody should fork
        return
    for task, owner in case.owners.items():
        for start in case.tasks[task].starts if owner == executor else ():
            if start.launched in _METHODS:
                right = _METHODS[start.launched] == method
                text = f"{task} runs in a worker that is a {start.launched}, in spite of mp_context"
                tally.check("POOL-13", right, text, task=task)


def judge_counts(case: Case, tally: Tally) -> None:
    """INV-01, INV-02: sums over all futures."""
    for executor, pool in case.pools.items():
        _judge_refusals(case, tally, executor, pool.workers)
    for track in case.tracks.values():
        _judge_one_ending(case, tally, track)


def _judge_refusals(case: Case, tally: Tally, executor: str, workers: int) -> None:
    """INV-01: how many unfinished futures refuse to be cancelled, while no task leaves its body."""
    if case.deaths[executor] < FOREVER:
        return
    bound = workers + case.subject.prefetch
    stretch: list[Call] = []
    leaves = sorted(task.left for task in case.tasks.values())
    for call in case.of(op.Cancel):
        track = case.tracks.get(getattr(call.step, "future", ""))
        if track is None or track.executor != executor or call.end > case.shut_since(executor):
            continue
        if stretch and any(stretch[0].begin < left < call.end for left in leaves):
            stretch = []
        known = {each.step for each in stretch}
        unfinished = (
            call.step not in known
            and track.task.left > call.end
            and case.done_since[track.name] > call.begin
            and not case.may_fail_unstarted(track)
        )
        if unfinished:
            stretch.append(call)
        refused = [each for each in stretch if each.value == "False"]
        if len(stretch) > bound and call is stretch[-1]:
            circumstances = f"with {workers} workers and a prefetch of {case.subject.prefetch}"
            text = f"{len(refused)} unfinished futures refuse to be cancelled, {circumstances}"
            if len(refused) <= bound:
                tally.hold("INV-01")
            elif len(refused) == bound + 1:
                tally.blame("INV-01", text, *refused)


def _judge_one_ending(case: Case, tally: Tally, track: Track) -> None:
    """INV-02: what `result`, `exception`, `cancelled` and `done` say in the end is one story."""
    late = [call for call in track.calls if call.ours and call.answered]
    kinds = {type(call.step): call for call in late}
    result, error, states = kinds.get(op.Result), kinds.get(op.Error), kinds.get(op.Observe)
    if result is None or error is None or states is None or not isinstance(states.outcome, States):
        return
    if getattr(track.task.script.ending, "error", "") in (*FALSY, "Undecided"):
        return  # RES-11 and RES-02 judge what becomes of it
    told = _story(result), _story(error)
    if getattr(track.task.script.ending, "error", "") == "CancelledError" and "cancelled" in told:
        return  # the task raised one itself, and RES-12 judges whether it is that one
    if states.outcome.seen[-1][2] != "1":
        return  # not done yet when it was asked: that is judged elsewhere
    cancelled = states.outcome.seen[-1][1] == "1"
    sweeping = case.cancelling_since(track.executor) < states.end
    if not cancelled and sweeping and case.done_since[track.name] >= states.begin:
        cancelled = told[0] == "cancelled"  # a shutdown may have cancelled it between the two questions
    agree = told[0] == told[1] and (told[0] == "cancelled") == cancelled
    tally.check(
        "INV-02", agree, f"{track.name} ends in two ways at once", states, result, error, future=track.name
    )


def _story(call: Call) -> str:
    """Which way a future ended, according to one read."""
    outcome = call.outcome
    error = outcome.error if isinstance(outcome, Returned) and isinstance(call.step, op.Error) else outcome
    if isinstance(error, Raised):
        if "CancelledError" in error.bases and error.task is None:
            return "cancelled"
        return "broken" if error.breaks else "raised"
    return "returned"


def judge_shutdowns(case: Case, tally: Tally) -> None:
    """SHD-01 to SHD-07 and SHD-10."""
    for executor in case.pools:
        calls = [call for call in case.shutdowns(executor) if call.answered]
        for call in calls:
            earlier = [each for each in calls if each.end < call.begin]
            _judge_return(case, tally, executor, earlier, call)
            _judge_waited(case, tally, executor, earlier, call)
            _judge_cancelling(case, tally, executor, call)
        _judge_everything_done(case, tally, executor, calls)
        unused = executor not in case.owners.values()
        if unused and calls and case.complete():
            left = case.leftovers and not case.owners  # or another executor, one that was used, has left it
            clean = not left and not isinstance(calls[0].outcome, Raised)
            tally.check(
                "SHD-07",
                clean,
                "an executor that was never used leaves something or fails to shut down",
                calls[0],
            )


def _waits(call: Call) -> bool:
    return isinstance(call.step, op.Leave) or bool(getattr(call.step, "wait", False))


def _judge_return(case: Case, tally: Tally, executor: str, earlier: list[Call], call: Call) -> None:
    """SHD-02, SHD-04, SHD-06, SHD-10: it returns, and raises nothing."""
    raised = isinstance(call.outcome, Raised)
    if raised and closes_itself(case, executor, call.end):
        tally.blame("SHD-12", "beside one from within, shutdown fails", call)
        return
    if isinstance(call.step, op.Leave):
        swallowed = call.value == "swallowed"
        tally.check(
            "SHD-06",
            not raised and not swallowed,
            "leaving the with block fails or swallows its exception",
            call,
        )
    if earlier:
        tally.check("SHD-04", not raised, "shutting down again fails", earlier[0], call)
    elif raised:
        tally.blame("SHD-01" if _waits(call) else "SHD-02", "shutdown fails", call)
    if not _waits(call) and case.held(executor, call.begin, call.end):
        tally.hold("SHD-02")
    if getattr(call.step, "cancel_futures", False) and not raised:
        tally.hold("SHD-10")


def _judge_waited(case: Case, tally: Tally, executor: str, earlier: list[Call], call: Call) -> None:
    """SHD-01, SHD-05, SHD-06: after a shutdown that waits, every future is done, no task in its body."""
    if not _waits(call) or isinstance(call.outcome, Raised):
        return
    if any(_waits(each) for each in earlier):
        return
    rule, shape = _waiting_rule(case, executor, call)
    for name, owner in case.owners.items():
        if owner == executor and call.end < case.tasks[name].left < FOREVER:
            text = f"{name} was still in its body, or had not begun, when this returned"
            tally.blame(rule, text, call, shape=shape, task=name)
            return
    for track in case.tracks.values():
        undone = _seen_undone(track, call) if track.executor == executor else None
        if undone is not None:
            text = f"{track.name} is not done after this returned"
            tally.blame(rule, text, call, undone, shape=shape, future=track.name)
            return
    tally.hold(rule)


def _waiting_rule(case: Case, executor: str, call: Call) -> tuple[str, str]:
    """The rule by which this shutdown has to wait, and the shape of a witness against it."""
    others = [each.begin for each in case.shutdowns(executor) if each is not call]
    if min([case.shut_by_callback(executor), *others]) < call.end:
        return "SHD-05", "not waited"
    return ("SHD-06" if isinstance(call.step, op.Leave) else "SHD-01"), ""


def _seen_undone(track: Track, call: Call) -> Call | None:
    """A later look at a future that found it not done."""
    looks = (each for each in track.calls if each.begin > call.end)
    return next(
        (each for each in looks if isinstance(each.outcome, States) and each.outcome.seen[0][2] == "0"), None
    )


def _judge_cancelling(case: Case, tally: Tally, executor: str, call: Call) -> None:
    """SHD-03: with cancel_futures, what certainly was pending is cancelled, and what is running is not."""
    if not getattr(call.step, "cancel_futures", False) or case.deaths[executor] < FOREVER:
        return
    stretch = case.all_held(executor, call.begin, call.end)
    later = [
        each
        for each in case.shutdowns(executor)
        if each.begin > call.end and not getattr(each.step, "cancel_futures", False)
    ]
    shape = "undone" if later else ""
    queued = [
        track for track in case.tracks.values()
        if track.executor == executor and track.accepted < call.begin and track.task.began > call.end
        and case.done_since[track.name] > call.begin and not case.may_fail_unstarted(track)
    ]  # fmt: skip
    spare = case.subject.prefetch
    ran = [track for track in queued if track.task.starts]
    if stretch and len(queued) > spare:
        names = ", ".join(track.task.script.task for track in ran)
        dropped = call.end < case.forgotten_since(executor) < FOREVER
        rule = "SHD-05" if later and shape == "undone" else "SHD-11" if dropped else "SHD-03"
        text = f"{names} were queued behind a prefetch of {spare}, and ran after cancel_futures"
        tally.check(rule, len(ran) <= spare, text, call, *later[:1], shape=shape)
    for track in case.tracks.values():
        stopped = case.stops and case.cancelled_since[track.name] < FOREVER  # by its client
        if track.executor == executor and track.task.inside(call.begin, call.end) and not stopped:
            reads = [
                each
                for each in track.calls
                if isinstance(each.step, op.Result) and each.begin > call.end and each.answered
            ]
            lost = [each for each in reads if _story(each) == "cancelled"]
            tally.check("SHD-03", not lost, f"{track.name} was running, and is cancelled", call, *lost[:1])


def _judge_everything_done(case: Case, tally: Tally, executor: str, calls: list[Call]) -> None:
    """SHD-02: what was submitted before a shutdown that did not wait still gets its outcome."""
    quick = [call for call in calls if not _waits(call)]
    if not quick or case.cancelling_since(executor) < FOREVER or case.deaths[executor] < FOREVER:
        return
    for track in case.tracks.values():
        if (
            track.executor != executor
            or track.accepted > quick[0].begin
            or case.done_since[track.name] < quick[0].begin
        ):
            continue
        own = case.cancelled_since[track.name] < FOREVER
        reads = [
            call for call in track.calls if isinstance(call.step, op.Result) and call.ours and call.answered
        ]
        if reads and not own:
            lost = _story(reads[-1]) in ("cancelled", "broken")
            dropped = quick[0].end < case.forgotten_since(executor) < FOREVER
            tally.check(
                "SHD-09" if dropped else "SHD-02",
                not lost,
                f"{track.name} was submitted before, and never ran",
                quick[0],
                reads[-1],
            )


def judge_construction(case: Case, tally: Tally) -> None:
    """POOL-03, POOL-08, POOL-11, POOL-12, API-01, XOP-02: what can be seen without running a task."""
    for call in case.of(op.Construct):
        if isinstance(call.step, op.Construct):
            _judge_arguments(case, tally, call, call.step)
    for call in case.of(op.Inspect):
        if isinstance(call.outcome, Facts):
            facts = dict(line.partition("=")[::2] for line in call.outcome.lines)
            tally.check(
                "XOP-02",
                facts["executor"] == "True",
                "it is no instance of concurrent.futures.Executor",
                call,
            )
            positional = "/" in facts["submit"] or facts["submit"].startswith("(*args")
            documented = (
                positional
                and _takes(facts["shutdown"], "wait")
                and _takes(facts["shutdown"], "cancel_futures")
            )
            text = f"submit{facts['submit']}, shutdown{facts['shutdown']} are not as documented"
            tally.check("API-01", documented, text, call)


def _takes(signature: str, name: str) -> bool:
    return name in signature or "**" in signature


def _judge_arguments(case: Case, tally: Tally, call: Call, step: op.Construct) -> None:
    raised = call.outcome if isinstance(call.outcome, Raised) else None
    match step.arguments:
        case "zero workers" | "negative workers":
            rule = "POOL-03" if case.subject.kind == "process" else "POOL-11"
            right = raised is not None and "ValueError" in raised.bases
            tally.check(rule, right, "max_workers below 1 is accepted, or raises something else", call)
        case "bad initializer" if "initializer" in case.subject.capabilities:
            right = raised is not None and "TypeError" in raised.bases
            tally.check("POOL-08", right, "an initializer that cannot be called is accepted", call)
        case "default workers":
            tally.check("POOL-12", raised is None, "max_workers=None is refused", call)
        case _:
            pass
