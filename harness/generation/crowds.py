"""The theme of crowds: more tasks than a pool takes on, all at gates, when something befalls it.

Which tasks are with workers, which on their way and which still queued makes the difference in a pool. Here
many of each are there when the pool is shut down, when they are cancelled, or when a worker is killed; and
the client looks at the consequences while the gates are still closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from harness.generation.choices import CORES, Choices
from harness.generation.composer import AMPLE, SHORT
from harness.generation.machines import OFTEN_FALSE, WHICH, ProgramMachine, pick
from harness.values import operation as op
from harness.values.program import Pool, Return

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST: Final = 14  # tasks in one program, but for those that a pool takes on at once
DEEPEST: Final = 40  # who takes on more than that is not filled up: each task is a call, a gate and a look
FEW: Final = 4  # one in so many is otherwise
WORKERS: Final = (2, 1, 1, 2, 3)
LIMITS: Final = (*[0] * 10, 1)
EVENTS: Final = (
    "", "closed", "closed", "closed", "cancelled", "struck", "struck", "cancelled and struck",
    "mapped", "mapped",
)  # fmt: skip


def goes_on(machine: Crowds) -> bool:
    """Whether there is more to come."""
    return not machine.plain


class Crowds(ProgramMachine):
    """Pools with a crowd before them: cancelled one by one, by a shutdown, or struck by a death."""

    @initialize(core=CORES, plain=st.sampled_from([True, True, True, False]))
    def begin(self, core: int, plain: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Hold all workers, and submit more than can be on their way; mostly something happens at once.

        Mostly each task has a gate of its own; a flock rushes through once there is a worker for it. A
        `plain` program stays as it begins.
        """
        choose = Choices(core)
        method: Any = choose.one_of(self.shape.starts)
        workers = 1 if self.shape.single else choose.one_of(WORKERS)
        limit = choose.one_of(LIMITS)
        flock = not choose.one_of(range(FEW))
        self.plain = plain
        self.composer.pools = [self.limited(Pool(workers=workers, start=method), limit)]
        extra = choose.one_of((1, 2, 3))
        for place in range(workers + min(self.shape.prefetch, DEEPEST) + extra):
            gated = not flock or place < workers
            self.composer.submit("e0", self.composer.task(gated=gated, ending=Return()))
        if choose.one_of(range(FEW)):
            self.settle()
        self.befall(choose.one_of(EVENTS), choose.one_of(range(workers)), extra)

    def befall(self, event: str, which: int, extra: int) -> None:
        """Let something happen to the pool, or to one of its workers and some of what is queued."""
        if event == "closed":
            self.shut_down_and_look(which)
        elif event == "cancelled":
            self.cancel_each(self.composer.futures)
        elif event == "mapped":
            self.map_many(extra + 1)
        elif event and self.shape.dies:
            self.cancel_each(self.composer.futures[-extra:] if event == "cancelled and struck" else ())
            self.strike(which, signal="KILL", alone=False)

    def room(self) -> bool:
        """Whether another task fits in."""
        return len(self.composer.scripts) < MOST and not self.plain

    def settle(self) -> None:
        """Wait a moment for the last, for which it is too soon: meanwhile the pool takes on what it can."""
        self.composer.add(op.Result(future=self.future(0), timeout=SHORT))

    def shut_down_and_look(self, which: int) -> None:
        """Cancel what is queued by a shutdown; see whether it has been when the next task goes through."""
        self.composer.shut_down("e0", wait=False, cancel=True)
        self.let_go(which)

    def cancel_each(self, names: Sequence[str]) -> None:
        """Cancel several, one by one."""
        for name in names:
            self.composer.cancel(name)

    def map_many(self, chunksize: int) -> None:
        """Let all go, and map over as many in chunks; the last chunk may be a smaller one."""
        for gate in list(self.composer.closed):
            self.composer.open(gate)
        tasks = tuple(self.composer.task(gated=False, ending=Return()) for _ in self.composer.futures)
        options = {"chunksize": chunksize} if "map_chunksize" in self.shape.capabilities else {}
        self.composer.map("e0", tasks, **options)
        self.composer.draw(self.composer.iterators[-1], all_of_it=True)

    def let_go(self, which: int) -> None:
        """Open the gate of one of the tasks that have workers, and read its outcome."""
        task = pick(self.composer.running, which)
        self.composer.open(f"g{task[1:]}")
        self.composer.add(op.Result(future=f"f{task[1:]}", timeout=AMPLE))

    def strike(self, which: int, *, signal: op.Signal, alone: bool) -> None:
        """Kill any of the workers; open all gates, or the victim's alone, and wait for its outcome."""
        victim = pick(self.composer.running, which)
        self.composer.add(op.Kill(executor="e0", task=victim, signal=signal))
        self.composer.killed = True
        self.composer.running.clear()
        for gate in [f"g{victim[1:]}"] if alone else list(self.composer.closed):
            self.composer.open(gate)
        self.composer.read(f"f{victim[1:]}", error=False, patience=2)

    @precondition(goes_on)
    @rule(which=WHICH, error=st.booleans(), patience=st.sampled_from(range(5)))
    def read(self, which: int, error: bool, patience: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Read an outcome."""
        self.composer.read(self.future(which), error=error, patience=patience)

    @precondition(goes_on)
    @rule(which=WHICH)
    def look(self, which: int) -> None:
        """Ask a future for its state."""
        self.composer.add(op.Observe(future=self.future(which)))

    @precondition(goes_on)
    @rule(count=st.sampled_from([1, 2, 3, MOST]), first=OFTEN_FALSE)
    def cancel_several(self, count: int, first: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Cancel the last few, or the first, or all."""
        names = [name for name in self.composer.futures if name not in self.composer.doubtful]
        self.cancel_each(names[:count] if first else names[-count:])

    @precondition(goes_on)
    @rule(cancel=st.sampled_from([True, True, False]), wait=OFTEN_FALSE)
    def shut_down(self, cancel: bool, wait: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down, mostly cancelling."""
        self.composer.shut_down("e0", wait=wait, cancel=cancel)

    @precondition(lambda self: goes_on(self) and self.composer.running)
    @rule(which=WHICH)
    def let_one_go(self, which: int) -> None:
        """Open the gate of a task that has a worker, and read its outcome."""
        self.let_go(which)

    def may_lose_a_worker(self) -> bool:
        """Whether there is a worker to be killed, of a pool that is open."""
        return self.shape.dies and bool(self.composer.running) and not self.composer.shut

    @precondition(lambda self: goes_on(self) and self.may_lose_a_worker())
    @rule(which=WHICH, terminate=OFTEN_FALSE, alone=OFTEN_FALSE)
    def kill(self, which: int, terminate: bool, alone: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Kill any of the workers, while the pool is open, and look."""
        self.strike(which, signal="TERM" if terminate else "KILL", alone=alone)
