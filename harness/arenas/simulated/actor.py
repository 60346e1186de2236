"""Who may go next, and who decides it: the two protocols between the kernel and the strategies.

All nondeterminism of a run is the answer to one question, asked again and again: which of the ready actors
takes the next step? An actor is a simulated thread, a pending kill, or the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

CLOCK: Final = -1
"""The index of the clock. Since ready actors come in order of index, a ready clock is the first of them."""

PATIENCE: Final = 3
"""So many failed tries of everybody, and time passes by default."""


class Actor(Protocol):
    """Something that can take a step.

    Attributes:
        index: the number in order of creation, the same in every run of a schedule; the clock has `CLOCK`.
        role: a name that outlives small changes of the program: ``main``, ``lane1``, ``main/T1`` (the first
            thread that main started), ``P1``, ``kill P1``, ``clock``; no two ready actors have the same.
        op: what it is about to do: ``acquire``, ``put``, ``statement``, ..., ``kill``, ``tick``.
        target: the serial number of the object that it is about to touch, 0 if none. Two pending operations
            race if their targets are equal and not 0.
        where: the label of the statement at which it stands, 0 at other granularities.
        spins: how many tries (a non-blocking acquire, a `put_nowait`, a poll) failed since it last did
            anything else.
        passive: a kill or the clock; what it does need not happen.
    """

    @property
    def index(self) -> int: ...  # noqa: D102 - described above
    @property
    def role(self) -> str: ...  # noqa: D102 - described above
    @property
    def op(self) -> str: ...  # noqa: D102 - described above
    @property
    def target(self) -> int: ...  # noqa: D102 - described above
    @property
    def where(self) -> int: ...  # noqa: D102 - described above
    @property
    def spins(self) -> int: ...  # noqa: D102 - described above
    @property
    def passive(self) -> bool: ...  # noqa: D102 - described above


A = TypeVar("A", bound=Actor)


class Strategy(Protocol):
    """Decides who goes next.

    The same sequence of `begin`, `choose` and `end` gets the same answers, in every process and with every
    hash seed: whatever is drawn comes from the seeds.
    """

    @property
    def name(self) -> str:
        """What reports call it."""

    def begin(self, seed: int) -> None:
        """A new run starts; all that is drawn in it derives from the seed."""

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """Name one of the ready actors; at a choice point there are at least two, in order of index.

        `current` is the actor whose choice point it is, if it could go on (then it is ready as well); None
        after it blocked or ended.

        Raises:
            Diverged: what has to go next is not ready.
        """

    def end(self, steps: int, choices: int) -> None:
        """The run is over; it had so many steps, and so many choice points.

        Raises:
            Diverged: it was over before all that had been decided was done. (Not if `choose` said so before.)
        """


class CutShort(Exception):  # noqa: N818 - named after what the reader should conclude
    """A strategy does not want a run to go on; the message says why, `ending` is what it is called."""

    ending: ClassVar[Literal["diverged", "pruned"]]


class Diverged(CutShort):
    """A schedule cannot be followed in this run."""

    ending = "diverged"

    def __init__(self, at: int, expected: str, actual: str) -> None:
        """At choice point `at` the role `expected` should have gone next; `actual` says who could."""
        super().__init__(f"at choice point {at}, {expected} should go next, but there is {actual}")
        self.at = at
        self.expected = expected
        self.actual = actual


class Pruned(CutShort):
    """All that may come of this run is known from another one."""

    ending = "pruned"

    def __init__(self) -> None:
        """There is one reason only."""
        super().__init__("the rest was run before")


def default(ready: Sequence[A], current: A | None) -> A:
    """Who goes next unless somebody decides otherwise: whoever is at it.

    After the current actor blocked or ended, it is the first that is not passive; if all are, a kill before
    the clock. The exception are failed tries: an actor that spins makes way for the one that spun least, and
    if everybody spins, for the clock. Without that the default schedule of a program that polls would never
    end, and each round of the poll would need a decision of its own.

    The kernel notes the decisions that differ from this function, and replaying falls back on it; so both
    have to call it.
    """
    if current is not None and not current.spins:
        return current
    least = None
    for actor in ready:
        if not actor.passive and (least is None or _sooner(actor, least, current)):
            least = actor
    if least is None:
        return ready[1 if ready[0].index == CLOCK and len(ready) > 1 else 0]
    if least.spins >= PATIENCE and current is not None and ready[0].index == CLOCK:
        return ready[0]
    return least


def _sooner(actor: A, other: A, current: A | None) -> bool:
    """Whether an actor makes way for less than another, which stands before it."""
    return actor.spins < other.spins or (actor.spins == other.spins and other is current)
