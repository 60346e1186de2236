# ruff: noqa: SLF001 - what the arena does between two looks cannot be seen from outside
"""Whatever an executor does, the real arena gives a history, and nothing of the program outlives its run."""

from __future__ import annotations

import re
import selectors
import signal
import socket
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import pytest

from harness.arenas.real import arena as real_arena
from harness.arenas.real.arena import Patience, RealArena, SubjectError, _Watch
from harness.arenas.real.child import Player
from harness.arenas.real.evidence import Look, still
from harness.arenas.real.perform import perform
from harness.arenas.real.stage import Stage
from harness.values import operation as op
from harness.values.history import (
    Answered,
    Called,
    Finished,
    Gone,
    History,
    Leftover,
    Logged,
    Slow,
    Started,
    Stuck,
)
from harness.values.outcome import Raised, Returned, Skipped, Struck, Submitted
from harness.values.program import Exit, Fault, Lane, Pool, Program, Raise, Script, epilogue
from harness.values.subject import Subject

if TYPE_CHECKING:
    from harness.values.outcome import Outcome

THREADS = "concurrent.futures:ThreadPoolExecutor"
PROCESSES = "concurrent.futures:ProcessPoolExecutor"
BADLY = "tests.subjects.badly:"
ODDITIES = "tests.arena.oddities:"
StartMethod = Literal["fork", "forkserver", "spawn"]
T = TypeVar("T")

FREE, HELD = Script(task="t0"), Script(task="t1", gates=("g1",))
SUBMIT_FREE = op.Submit(executor="e0", future="f0", task="t0")
SUBMIT_HELD = op.Submit(executor="e0", future="f1", task="t1")


def _program(*steps: op.Operation, start: StartMethod | None = None, free: Script = FREE) -> Program:
    return Program(pools=(Pool(start=start),), tasks=(free, HELD), lanes=(Lane(operations=steps),))


def _run(arena: RealArena, target: str, program: Program, patience: Patience | None = None) -> History:
    kind: Literal["thread", "process"] = "process" if target == PROCESSES else "thread"
    return arena.run(Subject(name=target, target=target, kind=kind), program, patience or Patience())


def _only(history: History, kind: type[T]) -> T:
    """The one event of a kind."""
    (found,) = [event for event in history.events if isinstance(event, kind)]
    return found


def _answer(history: History, call: int) -> Outcome:
    (found,) = [each.outcome for each in history.events if isinstance(each, Answered) and each.call == call]
    return found


def _came_to_its_end(history: History) -> bool:
    """Whether every call of the program and of its epilogue was made and answered."""
    steps = len(history.program.lanes[0].operations) + len(epilogue(history.program))
    answered = [each.call for each in history.events if isinstance(each, Answered)]
    called = [each.call for each in history.events if isinstance(each, Called)]
    return called == answered == list(range(steps))


def _is_gone(pid: int) -> bool:
    """Whether a process has ended: it is not there, or only waits for its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


@pytest.mark.parametrize("target", [THREADS, PROCESSES])
def test_tasks_meet(arena: RealArena, target: str) -> None:
    """Each of two tasks opens the gate at which the other waits: both are in their bodies at once."""
    program = Program(
        tasks=(
            Script(task="t0", gates=("g1",), opens=("g0",)), Script(task="t1", gates=("g0",), opens=("g1",)),
        ),
        lanes=(Lane(operations=(SUBMIT_FREE, SUBMIT_HELD, op.Result(future="f0"))),),
    )  # fmt: skip
    history = _run(arena, target, program)
    assert _came_to_its_end(history)
    starts = [event.at for event in history.events if isinstance(event, Started)]
    finishes = [event.at for event in history.events if isinstance(event, Finished)]
    assert max(starts) < min(finishes)


def test_a_worker_serves_as_many_tasks_as_it_may(arena: RealArena) -> None:
    """The limit reaches the executor: after each task comes another process."""
    free = tuple(Script(task=f"t{number}") for number in range(2))
    steps = [
        step
        for number in range(2)
        for step in (
            op.Submit(executor="e0", future=f"f{number}", task=f"t{number}"), op.Result(future=f"f{number}"),
        )
    ]  # fmt: skip
    pool = Pool(workers=1, start="forkserver", tasks_per_worker=1)
    history = _run(
        arena, PROCESSES, Program(pools=(pool,), tasks=free, lanes=(Lane(operations=tuple(steps)),))
    )
    assert len({event.pid for event in history.events if isinstance(event, Started)}) == len(free)


def test_a_program_on_the_standard_library_runs_to_its_end() -> None:
    """The helper that decides it is not blind: a history without events did not come to its end."""
    assert not _came_to_its_end(History(program=_program(SUBMIT_FREE)))


@pytest.mark.parametrize("target", [THREADS, PROCESSES])
def test_a_good_run_is_told_in_order(arena: RealArena, target: str) -> None:
    """Every call begins and ends; the task starts in a process of its pool, and its result arrives whole."""
    history = _run(arena, target, _program(SUBMIT_FREE, op.Result(future="f0")))
    assert _came_to_its_end(history)
    stamps = [event.at for event in history.events]
    assert stamps == sorted(stamps)
    assert _answer(history, 1) == Returned(
        value="parcel t0 whole 0", same=True if target == THREADS else None
    )
    assert _only(history, Started).intact
    assert _only(history, Finished).pid == _only(history, Started).pid
    assert (_only(history, Started).pid == history.client) is (target == THREADS)


def test_a_clean_child_is_kept(arena: RealArena) -> None:
    """Programs that leave nothing behind share one client process."""
    program = _program(SUBMIT_FREE, op.Result(future="f0"))
    clients = {_run(arena, target, program).client for target in (THREADS, PROCESSES, THREADS)}
    assert len(clients) == 1


@pytest.mark.parametrize(
    "target", [BADLY + "HangsInSubmit", ODDITIES + "LeavesThread", BADLY + "ExitsInSubmit"]
)
def test_a_spoilt_child_is_replaced(arena: RealArena, target: str) -> None:
    """After a hang, a leftover or an exit, the next program has a fresh client process, and runs well."""
    spoilt = _run(arena, target, _program(SUBMIT_FREE))
    fresh = _run(arena, THREADS, _program(SUBMIT_FREE))
    assert fresh.client != spoilt.client
    assert _came_to_its_end(fresh)
    assert _is_gone(spoilt.client)


def test_a_hang_ends_with_the_stacks_of_all_threads(arena: RealArena) -> None:
    """A call that never returns stays open, and the stacks show who waits where, worker threads included."""
    history = _run(arena, THREADS, _program(SUBMIT_HELD, op.Result(future="f1")))
    assert isinstance(history.events[-1], Stuck)
    assert [each.call for each in history.events if isinstance(each, Called)] == [0, 1]
    assert [each.call for each in history.events if isinstance(each, Answered)] == [0]
    stacks = _only(history, Stuck).stacks
    assert "in pass_gate" in stacks  # the worker, at its gate
    assert re.search(r"in result\n.*\n?.*perform", stacks)  # the client, in its call


def test_a_hang_in_the_subject_is_seen(arena: RealArena) -> None:
    """A `submit` that never returns ends the run, with the subject's own frame in the stacks."""
    history = _run(arena, BADLY + "HangsInSubmit", _program(SUBMIT_FREE))
    assert re.search(r"badly\.py\", line \d+ in submit", _only(history, Stuck).stacks)


def test_a_second_shutdown_that_hangs_is_seen(arena: RealArena) -> None:
    """The hang is found where it is: the first shutdown is answered, the second is not."""
    program = _program(op.Shutdown(executor="e0"), op.Shutdown(executor="e0"))
    history = _run(arena, BADLY + "HangsInSecondShutdown", program)
    assert [each.call for each in history.events if isinstance(each, Answered)] == [0]
    assert isinstance(history.events[-1], Stuck)


@pytest.mark.parametrize(("name", "status"), [("ExitsInSubmit", 0), ("Crashes", -signal.SIGSEGV)])
def test_a_client_that_ends_is_a_result(arena: RealArena, name: str, status: int) -> None:
    """`os._exit` and a crash give a history that says how the client ended, in the middle of a call."""
    history = _run(arena, BADLY + name, _program(SUBMIT_FREE))
    assert isinstance(history.events[-1], Gone)
    assert _only(history, Gone).status == status
    assert [each.call for each in history.events if isinstance(each, Answered)] == []


@pytest.mark.parametrize("target", [THREADS, PROCESSES])
def test_a_task_that_exits(arena: RealArena, target: str) -> None:
    """`os._exit` in a task ends its process: the client in a thread pool, a worker in a process pool."""
    program = _program(SUBMIT_FREE, op.Error(future="f0"), free=Script(task="t0", ending=Exit(status=7)))
    history = _run(arena, target, program)
    if target == THREADS:
        assert _only(history, Gone).status == 7  # noqa: PLR2004 - as the script says
    else:
        broken = _answer(history, 1)
        assert isinstance(broken, Returned)
        assert broken.error is not None
        assert "BrokenExecutor" in broken.error.bases


@pytest.mark.parametrize("name", ["FloodsStdout", "Forks"])
def test_what_leaves_nothing_is_no_leftover(arena: RealArena, name: str) -> None:
    """Floods of output, and a fork that ends, do not disturb the run, and nothing is said to be left."""
    history = _run(arena, BADLY + name, _program(SUBMIT_FREE, SUBMIT_HELD, op.Result(future="f0")))
    assert _came_to_its_end(history)
    assert not [event for event in history.events if isinstance(event, Leftover | Gone | Stuck | Slow)]


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (BADLY + "LeaksDescriptors", "descriptors"),
        (BADLY + "LeavesHelper", "processes"),
        (ODDITIES + "LeavesThread", "threads"),
        (ODDITIES + "LeavesStranger", "processes"),
        (ODDITIES + "ForksAndStays", "processes"),
    ],
)
def test_what_is_left_behind_is_told_and_killed(arena: RealArena, target: str, what: str) -> None:
    """Threads, processes and descriptors that stay are counted by the census, and do not outlive the run."""
    history = _run(arena, target, _program(SUBMIT_FREE, op.Result(future="f0")))
    assert _came_to_its_end(history)
    left = _only(history, Leftover)
    found = {name: getattr(left, name) for name in ("descriptors", "processes", "threads")}
    assert found[what]
    assert all(_is_gone(int(text.split(":")[0].removeprefix("pid "))) for text in left.processes)


def test_an_orphan_does_not_outlive_the_arena(arena: RealArena) -> None:
    """A process whose parent is gone is nobody's descendant, and is found by its mark (by the fixture)."""
    assert _came_to_its_end(_run(arena, ODDITIES + "LeavesOrphan", _program(SUBMIT_FREE)))


@pytest.mark.parametrize("start", ["fork", "forkserver", "spawn"])
def test_gates_hold_tasks_in_worker_processes(arena: RealArena, start: StartMethod) -> None:
    """A task in a worker process waits at its gate until the program opens it, under every start method."""
    held, opened = op.Observe(future="f1", times=1), op.Open(gate="g1")
    history = _run(arena, PROCESSES, _program(SUBMIT_HELD, held, opened, op.Result(future="f1"), start=start))
    assert _came_to_its_end(history)
    began = {each.call: each.at for each in history.events if isinstance(each, Called)}
    assert _only(history, Started).at < began[1]
    assert _only(history, Finished).at > began[2]
    assert _answer(history, 3) == Returned(value="parcel t1 whole 0")
    assert not [event for event in history.events if isinstance(event, Leftover)]


@pytest.mark.parametrize("start", ["fork", "forkserver", "spawn"])
def test_a_worker_can_be_killed_by_its_task(arena: RealArena, start: StartMethod) -> None:
    """`Kill` strikes the very process in which a task stands at its gate."""
    history = _run(
        arena,
        PROCESSES,
        _program(SUBMIT_HELD, op.Kill(executor="e0", task="t1"), op.Result(future="f1"), start=start),
    )
    assert _answer(history, 1) == Struck(pid=_only(history, Started).pid)
    outcome = _answer(history, 2)
    assert isinstance(outcome, Raised)
    assert outcome.error == "BrokenProcessPool"
    assert not [event for event in history.events if isinstance(event, Finished)]


def test_a_worker_can_be_interrupted_in_its_task(arena: RealArena) -> None:
    """`Interrupt` strikes the process of a task, which leaves its body; the gate of the next stays closed."""
    held = replace(FREE, gates=("g0",))
    steps = (SUBMIT_HELD, op.Interrupt(executor="e0", task="t1"), op.Result(future="f1"), op.Open(gate="g1"))
    program = _program(*steps, SUBMIT_FREE, op.Result(future="f0", timeout=0.05), free=held)
    history = _run(arena, PROCESSES, replace(program, pools=(Pool(workers=1),)))
    assert _came_to_its_end(history)
    first, second = [event for event in history.events if isinstance(event, Started)]
    assert _answer(history, 1) == Struck(pid=first.pid)
    interrupted, waiting = _answer(history, 2), _answer(history, 5)
    assert isinstance(interrupted, Raised)
    assert isinstance(waiting, Raised)
    assert (interrupted.error, waiting.error) == ("KeyboardInterrupt", "TimeoutError")
    assert second.pid == first.pid


def test_a_worker_can_be_stopped_for_a_while(arena: RealArena) -> None:
    """`Suspend` keeps a task from going on, be its gate open, until `Resume` or the end of the program."""
    suspend, impatient = op.Suspend(executor="e0", task="t1"), op.Result(future="f1", timeout=0.05)
    steps = (SUBMIT_HELD, suspend, op.Open(gate="g1"), impatient)
    for end in ((op.Resume(executor="e0"), op.Result(future="f1")), ()):
        history = _run(arena, PROCESSES, _program(*steps, *end))
        assert _came_to_its_end(history)
        assert _answer(history, 1) == Struck(pid=_only(history, Started).pid)
        outcome = _answer(history, 3)
        assert isinstance(outcome, Raised)
        assert outcome.error == "TimeoutError"
        calls = [event for event in history.events if isinstance(event, Answered)]
        assert _only(history, Finished).at > calls[len(steps) - 1].at


def test_an_exception_that_bears_nothing_is_told_all_the_same(arena: RealArena) -> None:
    """The harness neither compares, prints nor asks what a task raised, and logs of it what it can."""
    faults: tuple[Fault, ...] = ("Undecided", "Unequal", "Unprintable")
    for fault in faults:
        raises = replace(FREE, ending=Raise(error=fault), gates=("g0",))
        callback = op.AddCallback(future="f0", callback="c0", deed="raise")
        steps = (SUBMIT_FREE, callback, op.Open(gate="g0"), op.Error(future="f0"))
        history = _run(arena, THREADS, _program(*steps, free=raises))
        assert _came_to_its_end(history)
        outcome = _answer(history, 3)
        assert isinstance(outcome, Returned)
        assert outcome.error is not None
        assert (outcome.value, outcome.error.same) == (f"exception {fault}Error", True)
        assert _only(history, Logged)


def test_what_a_failed_call_should_have_made_is_skipped(arena: RealArena) -> None:
    """A call on a future that does not exist, because `submit` raised, is not made."""
    history = _run(arena, THREADS, _program(op.Shutdown(executor="e0"), SUBMIT_FREE, op.Done(future="f0")))
    assert isinstance(_answer(history, 1), Raised)
    assert _answer(history, 2) == Skipped(missing="f0")


def _raised_in_submit(arena: RealArena, name: str) -> str:
    outcome = _answer(_run(arena, ODDITIES + name, _program(SUBMIT_FREE)), 0)
    assert isinstance(outcome, Raised)
    return outcome.message


def test_every_logger_is_heard(arena: RealArena) -> None:
    """No sentence says which logger an executor must use: its own will do."""
    history = _run(arena, ODDITIES + "HasItsOwnLogger", _program(SUBMIT_FREE, free=FREE))
    assert _only(history, Logged).message == "submitted"


def test_the_child_imports_the_standard_library_and_the_subject(arena: RealArena) -> None:
    """Neither Hypothesis nor pytest nor anything else foreign is loaded beside the subject."""
    plain = "import sys; print(*sys.modules)"
    command = [sys.executable, "-c", plain]
    brought = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603 - our own
    told = set(_raised_in_submit(arena, "TellsModules").split(", "))
    assert told - {name.partition(".")[0] for name in brought} == {"harness", "tests"}


def test_the_child_has_no_thread_of_its_own(arena: RealArena) -> None:
    """The client's process has its main thread and those that the subject starts."""
    assert _raised_in_submit(arena, "TellsThreads") == "1"


def test_a_run_that_still_moves_is_slow_and_not_stuck(arena: RealArena) -> None:
    """A wait that will end by itself proves nothing when patience ends before it."""
    program = _program(SUBMIT_HELD, op.Result(future="f1", timeout=1000.0))
    history = _run(arena, THREADS, program, Patience(slow=0.6))
    assert isinstance(history.events[-1], Slow)
    assert _only(history, Slow).reason == "a call has not returned after 0.6 s"


@pytest.mark.parametrize(
    ("target", "kind"), [(THREADS, "thread"), (PROCESSES, "process")], ids=["thread", "process"]
)
def test_a_probe_tells_the_kind(arena: RealArena, target: str, kind: str) -> None:
    """A probe finds out where tasks run, and that the pool is the standard library's own."""
    found = arena.probe(target)
    assert found["kind"] == kind
    assert found["components"][f"{kind} pool"] == "cpython"
    assert not found["inline"]
    assert "cancel_futures" in found["capabilities"]


@pytest.mark.parametrize(("name", "whose"), [("MakesFutures", "cpython"), ("MakesDeafFutures", "own")])
def test_a_future_is_cpythons_if_its_outcome_is(arena: RealArena, name: str, whose: str) -> None:
    """A subclass that locks or counts around CPython's methods hands the outcome out as CPython does."""
    assert arena.probe(ODDITIES + name)["components"]["Future"] == whose


@pytest.mark.parametrize(("name", "alone"), [("MakesFutures", True), ("MakesTiedFutures", False)])
def test_a_future_that_needs_its_executor_is_not_made_without(
    arena: RealArena,
    name: str,
    alone: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Only executors make futures: a class that is tied to them is no class for bare futures."""
    bare = op.Fresh(future="b", like="f0"), op.SetResult(future="b", mark="b")
    history = _run(arena, ODDITIES + name, _program(SUBMIT_FREE, *bare))
    made, ended = _answer(history, 1), _answer(history, 2)
    assert isinstance(made, Submitted if alone else Raised)
    assert isinstance(ended, Returned if alone else Skipped)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("tests.subjects.badly:Missing", "cannot import tests.subjects.badly:Missing"),
        ("no_such_module:Missing", "cannot import no_such_module:Missing"),
        (BADLY + "NotAnExecutor", "is no executor: it has no submit and no map"),
        (BADLY + "RaisesInConstructor", "fails: LookupError: no 2 workers to be had"),
        ("tests.subjects.badly:READ_TO_END", "is not a class or a factory"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(arena: RealArena, target: str, sentence: str) -> None:
    """A target that is no executor, or cannot be built, is refused with one line that names it."""
    with pytest.raises(SubjectError) as caught:
        arena.probe(target)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["HangsInSubmit", "ExitsInSubmit", "Crashes"])
def test_a_probe_survives_what_it_probes(arena: RealArena, name: str) -> None:
    """An executor that can be built is not refused for what its `submit` does: that is for the judge."""
    assert arena.probe(BADLY + name)["kind"] == "thread"


def test_a_constructor_that_fails_in_a_run_is_told(arena: RealArena) -> None:
    """A run of a subject that cannot be built is no history."""
    with pytest.raises(SubjectError, match="cannot be built: LookupError: no 2 workers to be had"):
        _run(arena, BADLY + "RaisesInConstructor", _program(SUBMIT_FREE))


def test_nobody_is_killed_who_is_no_worker(arena: RealArena) -> None:
    """An executor may name any number, and that of a dead worker may be somebody else's by now."""
    history = _run(arena, f"{ODDITIES}ClaimsStrangers", _program(op.Kill(executor="e0")))
    assert _answer(history, 0) == Struck(pid=None)
    assert _came_to_its_end(history)


@dataclass
class _Believer:
    """A watch that finds everything still at once; just before, a puppet said something."""

    puppet: socket.socket
    patience: Patience = field(default_factory=Patience)
    turn: int | None = 1
    said: bool = False

    def is_still(self, _child: object) -> bool:
        """Yes, always."""
        if not self.said:
            self.said = True
            self.puppet.send(b"!")
        return True

    def moved(self) -> None:
        """What was heard is of no interest."""

    def begin(self) -> None:
        """Nor is when."""


def test_whoever_works_on_after_a_timeout_is_no_slow_machine(arena: RealArena) -> None:
    """Half a second of the processor after the end of a timeout is evidence; who comes back is left alone."""
    hurried = _program(
        op.Submit(executor="e0", future="f0", task=HELD.task), op.Result(future="f0", timeout=0.1)
    )
    goes_on = _run(arena, "tests.simulated.circles:OverlooksTimeouts", hurried, Patience(slow=1.0))
    assert _only(goes_on, Stuck).livelock
    assert _came_to_its_end(_run(arena, "tests.simulated.circles:LooksNowAndThen", hurried))


def test_what_was_said_before_all_was_still_is_heard_first(arena: RealArena) -> None:
    """On a busy machine the harness may see the stillness before it has read what a puppet said last."""
    happened: list[object] = []
    ours, theirs = socket.socketpair()
    child = SimpleNamespace(
        pid=0, line=None, send=lambda message: happened.append(message["do"]),
        exit_status=lambda: 0 if "give up" in happened else None, read_output=str,
    )  # fmt: skip
    arena._selector.register(ours, selectors.EVENT_READ, lambda: happened.append(ours.recv(1)))
    arena._watch = cast("Any", _Believer(theirs))
    with ours, theirs:
        arena._attend(cast("Any", child), Program())
        arena._selector.unregister(ours)
    assert happened == [b"!", "give up"]


@pytest.mark.parametrize("deed", ["submit", "add"])
def test_a_callback_that_comes_late_brings_nothing_back(deed: op.Deed) -> None:
    """The client has dropped everything: the futures that the callback makes or knows must not be kept."""
    stage = Stage(_program(SUBMIT_FREE), cast("Any", None), cast("Any", None), lambda: None)
    stage.recorder = stage.blueprint = cast("Any", SimpleNamespace(write=lambda _event: None, future=Future))
    future: Future[object] = Future()
    stage.futures["f0"] = future
    stage.executors["e0"] = SimpleNamespace(submit=lambda *_call, **_keywords: Future())
    step = op.AddCallback(future="f0", callback="c0", deed=deed, executor="e0", task="t0")
    perform(stage, step)
    stage.drop_everything()
    future.set_result(None)
    assert stage.futures == {}


def test_what_threads_did_counts_before_a_wait_is_given_up() -> None:
    """A task started, and the client was not let run to notice before it was told that nothing moves."""
    stage = Stage(_program(SUBMIT_FREE), cast("Any", None), cast("Any", None), lambda: None)
    stage.owner["t0"] = "e0"
    ledger = stage.ledgers["e0"]
    ledger.accept("t0")

    def pause(_poll: float | None) -> list[dict[str, object]]:
        stage.mark("started", "t0", 1)
        stage.mark("finished", "t0", 1)
        return [{"do": "give up", "turn": 1}]

    control = SimpleNamespace(next_turn=lambda: 1, send=lambda _message: None, pause=pause)
    player = Player(stage, cast("Any", control), cast("Any", None), cast("Any", None))
    assert player.wait_until(lambda: ledger.settled(set()), None)


@pytest.mark.parametrize("told", ["by a message", "by an event"])
@pytest.mark.parametrize(("stall", "believed"), [(0.1, 4.0), (3.0, 9.0)], ids=["polls", "stalls"])
def test_who_has_stalled_before_is_given_more_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
    stall: float,
    believed: float,
) -> None:
    """Whoever waits with deadlines hangs when it has been silent for much longer than ever before."""
    clock = [0.0]
    asleep = Look(marks=frozenset(), busy=False, dated=True)
    monkeypatch.setattr(real_arena, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(
        real_arena, "evidence", SimpleNamespace(look=lambda *_, **_without: asleep, still=still)
    )
    child = cast("Any", SimpleNamespace(pid=0, events=tmp_path / "events"))
    child.events.write_bytes(b"")
    watch = _Watch(patience=Patience(idle=4.0))

    def is_still_after(seconds: float) -> bool:
        end = clock[0] + seconds
        while clock[0] < end and not watch.is_still(child):
            clock[0] += 0.05
        return clock[0] < end

    for number in range(5):
        assert not is_still_after(stall)
        if told == "by a message":
            watch.moved()
        else:
            child.events.write_bytes(b"." * (number + 1))
            assert not is_still_after(0.1)
    last = clock[0]
    assert is_still_after(60.0)
    assert clock[0] - last == pytest.approx(believed, abs=0.6)
