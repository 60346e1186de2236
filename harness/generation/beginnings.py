"""How workers begin, and how an executor is let go: initializers that work, fail or wait; forgetting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from harness.generation.machines import (
    DEEDS,
    MASKS,
    OFTEN_FALSE,
    WHICH,
    ProgramMachine,
    Reader,
    has_futures,
    pick,
)
from harness.values import operation as op
from harness.values.program import Exit, Pool, Raise, Return, Script

if TYPE_CHECKING:
    from harness.values.program import Ending

BEGINNINGS: tuple[Ending, ...] = (
    Return(), Return(), Return(), Return(), Raise(), Raise(), Raise(), Raise(error="SystemExit"),
)  # fmt: skip
LEAVING: tuple[Ending, ...] = (*BEGINNINGS, Exit(status=0))  # where workers are processes


PLAIN: tuple[op.Deed, ...] = ("record", "raise", "query", "add")  # that do not use the executor
CONDITIONS: tuple[op.ReturnWhen, ...] = ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")


def is_kept(machine: ProgramMachine) -> bool:
    """Whether the executor has not been forgotten."""
    return "e0" not in machine.composer.progress.gone


class Beginnings(Reader):
    """Workers that call an initializer before their first task; executors that are forgotten."""

    @initialize(
        workers=st.sampled_from([2, 1, 1, 2, 3]),
        limit=st.sampled_from([0] * 6 + [1, 2]),
        start=WHICH,
        without=OFTEN_FALSE,
        gated=st.booleans(),
        ending=WHICH,
        tasks=st.sampled_from([0, 1, 1, 2, 3, 8]),
        held=OFTEN_FALSE,
        starved=OFTEN_FALSE,
    )
    def begin(  # noqa: PLR0913, PLR0917 - the dimensions of another beginning
        self,
        workers: int,
        limit: int,
        start: int,
        without: bool,  # noqa: FBT001 - drawn by Hypothesis
        gated: bool,  # noqa: FBT001 - drawn by Hypothesis
        ending: int,
        tasks: int,
        held: bool,  # noqa: FBT001 - drawn by Hypothesis
        starved: bool,  # noqa: FBT001 - drawn by Hypothesis
    ) -> None:
        """Choose the pool and what its workers do first; submit the first tasks."""
        method: Any = pick(self.shape.starts, start)
        workers = 1 if self.shape.single else workers
        first = None if without else self.initializer(gated=gated, ending=ending)
        pool = Pool(workers=workers, start=method, initializer=first)
        self.composer.pools = [self.limited(pool, limit)]
        if starved and not self.shape.inline:
            self.starve(gated=False, processes=ending % 2 == 0, more=True)
        for place in range(workers + tasks if held else tasks):
            gated = held and place < workers
            self.composer.submit("e0", self.composer.task(gated=gated, ending=Return()))

    def initializer(self, *, gated: bool, ending: int) -> Script | None:
        """What workers do first, if the executor can be told."""
        if "initializer" not in self.shape.capabilities:
            return None
        gates = ("g.b0",) if gated and not self.shape.inline else ()
        self.composer.closed += gates
        endings = LEAVING if self.shape.dies else BEGINNINGS
        return Script(task="b0", gates=gates, ending=pick(endings, ending))

    @precondition(lambda self: is_kept(self) and self.room())
    @rule(gated=st.booleans())
    def submit(self, gated: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a plain task."""
        self.composer.submit("e0", self.composer.task(gated=gated, ending=Return()))

    @precondition(lambda self: not is_kept(self) or not self.room())
    @rule()
    def rest(self) -> None:
        """Do nothing: Hypothesis needs a step that is always possible."""

    @precondition(is_kept)
    @rule(quickly=st.booleans(), cancel=st.booleans())
    def forget(self, quickly: bool, cancel: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Drop the executor, perhaps just after a shutdown that does not wait."""
        if quickly:
            self.composer.shut_down("e0", wait=False, cancel=cancel)
        self.composer.add(op.Forget(executor="e0"))

    @precondition(lambda self: is_kept(self) and self.room() and not self.shape.inline)
    @rule(gated=OFTEN_FALSE, processes=st.booleans(), more=st.booleans())
    def submit_at_a_limit(self, gated: bool, processes: bool, more: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit when no worker can be started, perhaps once more when one can."""
        self.starve(gated=gated, processes=processes, more=more)

    def starve(self, *, gated: bool, processes: bool, more: bool) -> None:
        """Submit at a limit of the system."""
        of: op.Resource = "processes" if processes and self.shape.kind == "process" else "threads"
        self.composer.starve("e0", self.composer.task(gated=gated, ending=Return()), of)
        if more and self.room():
            self.composer.submit("e0", self.composer.task(gated=False, ending=Return()))

    @precondition(has_futures)
    @rule(which=WHICH, deed=WHICH)
    def add_callback(self, which: int, deed: int) -> None:
        """Add a done callback that does something."""
        self.composer.add_callback(self.future(which), pick(DEEDS if is_kept(self) else PLAIN, deed))

    @precondition(has_futures)
    @rule(mask=MASKS, when=WHICH, hurried=OFTEN_FALSE)
    def wait(self, mask: int, when: int, hurried: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Wait for some."""
        self.composer.wait(self.some_futures(mask), pick(CONDITIONS, when), "list", hurried=hurried)

    @precondition(is_kept)
    @rule(wait=st.booleans(), cancel=OFTEN_FALSE)
    def shut_down(self, wait: bool, cancel: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down."""
        self.composer.shut_down("e0", wait=wait, cancel=cancel)
