"""Runs each schedule twice: if the two runs differ, something escapes control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated.actor import Diverged, Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import A


class Twice:
    """Chooses like another strategy in every other run, and the same once more in the run after it.

    Whoever runs it compares the digests of the two. `again` tells whether the present run is the second of
    the pair; its seed is not used. Choices are kept by number, not as a schedule, so that this check does not
    rest on what the default is.
    """

    def __init__(self, inner: Strategy) -> None:
        """Choose like this strategy in every first run."""
        self.name = f"twice {inner.name}"
        self.again = True
        self._inner = inner
        self._chosen: list[int] = []
        self._count = 0

    def begin(self, seed: int) -> None:
        """A first run, or the second after a first one."""
        self.again = not self.again
        self._count = 0
        if not self.again:
            self._chosen.clear()
            self._inner.begin(seed)

    def choose(self, ready: Sequence[A], current: A | None) -> A:
        """Whoever the other strategy chooses, or chose.

        Raises:
            Diverged: in the second run, whoever went in the first is not ready, or has nobody beside it.
        """
        at = self._count
        self._count += 1
        if not self.again:
            chosen = self._inner.choose(ready, current)
            self._chosen.append(chosen.index)
            return chosen
        index = self._chosen[at] if at < len(self._chosen) else None
        for actor in ready:
            if actor.index == index:
                return actor
        self._count = len(self._chosen)
        expected = "nobody (the first run was over)" if index is None else f"actor {index}"
        raise Diverged(at, expected, "only " + ", ".join(f"{actor.role} ({actor.index})" for actor in ready))

    def end(self, steps: int, choices: int) -> None:
        """The run is over; the other strategy hears of first runs only.

        Raises:
            Diverged: a second run that is shorter than the first.
        """
        if not self.again:
            self._inner.end(steps, choices)
        elif self._count < len(self._chosen):
            raise Diverged(
                self._count, f"actor {self._chosen[self._count]}", "nobody, since the second run was over"
            )
