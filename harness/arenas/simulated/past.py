"""What a run has come to, as a number: the same for runs that differ only in the order of independent steps.

Lamport: Time, Clocks, and the Ordering of Events in a Distributed System (CACM 1978). Each step is named by
the step before it of whoever takes it, by what it does, and by the last steps on all that it touches; so the
last steps of everybody name a partial order, and with it the state that the run is in. That holds as far as
what threads share is reached through locks, queues and pipes: a variable that is read without its lock
is not seen here. Nor is how long anything took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.arenas.simulated import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.arenas.simulated.actor import Actor
    from harness.arenas.simulated.kernel import Kernel


class Past:
    """The run in progress so far."""

    def __init__(self) -> None:
        """No run yet."""
        self._seen = 0
        self._actors: dict[str, int] = {}  # the last step of each role
        self._objects: dict[int, int] = {}  # and on each object

    def begin(self) -> None:
        """A run has come to its first choice; until there it is the same in every run of a program."""
        k = _run()
        k.touched = {}
        self._seen = len(k.log)
        self._actors.clear()
        self._objects.clear()

    def number(self, ready: Sequence[Actor], current: Actor | None) -> int:
        """Names the state of the run, in which these are ready and the current one has come to a point."""
        k = _run()
        for place in range(self._seen, len(k.log)):
            self._take(k, place)
        self._seen = len(k.log)
        about_to = tuple((each.role, each.op, each.target, each.spins) for each in ready)
        return hash((frozenset(self._actors.items()), about_to, current and current.role))

    def _take(self, k: Kernel, place: int) -> None:
        who, op, target = k.log[place]
        touched = (k.touched or {}).get(place, [])
        if op == "gone":
            role, before = f"gone {target}", self._of_process(k.trace.processes[target])
        else:
            role, before = k.trace.roles[who], self._actors.get(k.trace.roles[who], 0)
            touched = [target, *touched] if target else touched
        step = hash((role, before, op, *((each, self._objects.get(each, 0)) for each in touched)))
        self._actors[role] = step
        self._objects.update(dict.fromkeys(touched, step))

    def _of_process(self, name: str) -> int:
        """The last steps of its threads: a kill may come before or after each of them."""
        own = (each for each in self._actors.items() if each[0].partition("/")[0] == name)
        return hash(frozenset(own))


def _run() -> Kernel:
    k = kernel.running
    if k is None:
        raise RuntimeError("there is no run to be named")
    return k
