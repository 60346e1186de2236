"""The theme of deadlines: calls with timeouts that run out, and what has become of the time before that.

Only for the simulated world: there seconds cost nothing, and whoever is late is late by itself. A bare future
that nobody ends is what makes time pass: to read it with a timeout is to sleep.
"""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from harness.generation.machines import OFTEN_FALSE, WHENS, WHICH, ProgramMachine, has_futures, pick
from harness.values import operation as op
from harness.values.program import Pool, Raise, Return

_TIMEOUTS: Final = (2.0, 4.0, 3.0, 2.0, 0.0)  # seconds of virtual time
_PAUSES: Final = (1.5, 2.5, 1.5, 3.5)
_TASKS: Final = 6
_VALID: Final = tuple(when for when in WHENS if when != "NONSENSE")
_NEVER: Final = "b0"  # nobody ends it


class Deadlines(ProgramMachine):
    """`map`, `as_completed`, `wait` and reads with timeouts, with pauses between them."""

    @initialize(workers=st.sampled_from([1, 2, 2]), another=st.booleans())
    def begin(self, workers: int, another: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """One task that is held, and a future that nobody ends; perhaps a second client."""
        composer = self.composer
        composer.pools = [Pool(workers=1 if self.shape.single else workers)]
        if another and self.shape.lanes > 1:
            composer.lanes.append([])
        future = composer.submit("e0", composer.task(gated=True, ending=Return()))
        composer.add(op.Fresh(future=_NEVER, like=future))
        self.home: dict[str, int] = {}  # which lane an iterator belongs to

    def room(self) -> bool:
        """Whether another task fits in."""
        return len(self.composer.scripts) < _TASKS

    def turn_to(self, lane: int) -> None:
        """The next operation is of this lane."""
        self.composer.lane = lane % len(self.composer.lanes)

    @rule(lane=WHICH, how_long=WHICH)
    def pause(self, lane: int, how_long: int) -> None:
        """Let time pass."""
        self.turn_to(lane)
        self.composer.add(op.Result(future=_NEVER, timeout=pick(_PAUSES, how_long)))

    @precondition(lambda self: len(self.composer.scripts) < _TASKS - 1)
    @rule(
        lane=WHICH, count=st.sampled_from((2, 3, 2)), gates=st.sampled_from(range(8)), timeout=WHICH,
        pause=st.sampled_from((None, 0, 0, 1)), drawn=st.booleans(),
    )  # fmt: skip
    def map(self, lane: int, count: int, gates: int, timeout: int, pause: int | None, drawn: bool) -> None:  # noqa: FBT001, PLR0913, PLR0917 - drawn by Hypothesis
        """Map over tasks of which some are held; perhaps draw from it after a while."""
        self.turn_to(lane)
        composer = self.composer
        tasks = tuple(
            composer.task(gated=bool(gates >> place & 1), ending=Return()) for place in range(count)
        )
        options = {"timeout": pick(_TIMEOUTS, timeout)} if "map_timeout" in self.shape.capabilities else {}
        composer.map("e0", tasks, **options)
        self._go_on(pause, drawn=drawn)

    @rule(
        lane=WHICH, held=st.booleans(), timeout=WHICH, pause=st.sampled_from((None, 0, 0, 1)),
        drawn=st.booleans(),
    )  # fmt: skip
    def as_completed(self, lane: int, held: bool, timeout: int, pause: int | None, drawn: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Iterate over all, and perhaps over one that never ends; perhaps draw from it after a while."""
        self.turn_to(lane)
        names = (*self.composer.futures, _NEVER) if held else tuple(self.composer.futures)
        name = f"i{len(self.composer.iterators)}"
        self.composer.iterators.append(name)
        self.composer.add(op.AsCompleted(iterator=name, futures=names, timeout=pick(_TIMEOUTS, timeout)))
        self._go_on(pause, drawn=drawn)

    def _go_on(self, pause: int | None, *, drawn: bool) -> None:
        """Draw once from the latest iterator, pause, and draw all; or leave some of that out."""
        composer = self.composer
        iterator = composer.iterators[-1]
        self.home[iterator] = composer.lane
        if drawn:
            composer.draw(iterator, all_of_it=False)
        if pause is not None:
            composer.add(op.Result(future=_NEVER, timeout=pick(_PAUSES, pause)))
            composer.draw(iterator, all_of_it=True)

    @precondition(lambda self: self.composer.iterators)
    @rule(which=WHICH, all_of_it=st.booleans())
    def draw(self, which: int, all_of_it: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Draw from an iterator."""
        name = pick(self.composer.iterators, which)
        if name in self.home:
            self.composer.lane = self.home[name]
            self.composer.draw(name, all_of_it=all_of_it)

    @precondition(has_futures)
    @rule(lane=WHICH, which=WHICH, error=OFTEN_FALSE, timeout=WHICH)
    def read(self, lane: int, which: int, error: bool, timeout: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Read an outcome, for so long."""
        self.turn_to(lane)
        kind = op.Error if error else op.Result
        self.composer.add(kind(future=self.future(which), timeout=pick(_TIMEOUTS, timeout)))

    @rule(lane=WHICH, held=st.booleans(), when=WHICH, timeout=WHICH)
    def wait(self, lane: int, held: bool, when: int, timeout: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Wait for all, and perhaps for one that never ends."""
        self.turn_to(lane)
        names = (*self.composer.futures, _NEVER) if held else tuple(self.composer.futures)
        chosen = pick(_VALID, when)
        self.composer.add(op.Wait(futures=names, return_when=chosen, timeout=pick(_TIMEOUTS, timeout)))

    @precondition(room)
    @rule(lane=WHICH, gated=OFTEN_FALSE, raising=OFTEN_FALSE)
    def submit_from(self, lane: int, gated: bool, raising: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Submit a task."""
        self.turn_to(lane)
        ending = Raise() if raising else Return()
        self.composer.submit("e0", self.composer.task(gated=gated, ending=ending))
