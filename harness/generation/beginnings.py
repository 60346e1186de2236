"""How workers begin: initializers that work, fail, or stand at a gate, perhaps to fail then."""

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


CONDITIONS: tuple[op.ReturnWhen, ...] = ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")


class Beginnings(ProgramMachine):
    """Workers that call an initializer before their first task."""

    @initialize(
        workers=st.sampled_from([2, 1, 1, 2, 3]),
        limit=st.sampled_from([0] * 6 + [1, 2]),
        start=WHICH,
        without=OFTEN_FALSE,
        gated=st.booleans(),
        ending=WHICH,
        tasks=st.sampled_from([0, 1, 1, 2, 3]),
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
    ) -> None:
        """Choose the pool and what its workers do first; submit the first tasks."""
        method: Any = pick(self.shape.starts, start)
        workers = 1 if self.shape.single else workers
        first = None if without else self.initializer(gated=gated, ending=ending)
        pool = Pool(workers=workers, start=method, initializer=first)
        self.composer.pools = [self.limited(pool, limit)]
        for _ in range(tasks):
            self.composer.submit("e0", self.composer.task(gated=False, ending=Return()))

    def initializer(self, *, gated: bool, ending: int) -> Script | None:
        """What workers do first, if the executor can be told."""
        if "initializer" not in self.shape.capabilities:
            return None
        gates = ("g.b0",) if gated and not self.shape.inline else ()
        self.composer.closed += gates
        endings = LEAVING if self.shape.dies else BEGINNINGS
        return Script(task="b0", gates=gates, ending=pick(endings, ending))

    @precondition(has_futures)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        """Cancel."""
        self.composer.cancel(self.future(which))

    @precondition(has_futures)
    @rule(which=WHICH, error=st.booleans(), patience=st.sampled_from(range(5)))
    def read(self, which: int, error: bool, patience: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Read an outcome."""
        self.composer.read(self.future(which), error=error, patience=patience)

    @precondition(has_futures)
    @rule(which=WHICH)
    def look(self, which: int) -> None:
        """Ask a future for its state."""
        self.composer.add(op.Observe(future=self.future(which)))

    @precondition(has_futures)
    @rule(which=WHICH, deed=WHICH)
    def add_callback(self, which: int, deed: int) -> None:
        """Add a done callback that does something."""
        self.composer.add_callback(self.future(which), pick(DEEDS, deed))

    @precondition(has_futures)
    @rule(mask=MASKS, when=WHICH, hurried=OFTEN_FALSE)
    def wait(self, mask: int, when: int, hurried: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Wait for some."""
        self.composer.wait(self.some_futures(mask), pick(CONDITIONS, when), "list", hurried=hurried)

    @rule(wait=st.booleans(), cancel=OFTEN_FALSE)
    def shut_down(self, wait: bool, cancel: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Shut down."""
        cancel = cancel and "cancel_futures" in self.shape.capabilities
        self.composer.shut_down("e0", wait=wait, cancel=cancel)
