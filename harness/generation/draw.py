"""Draws programs: the same theme, shape and seed always give the same ones, whatever becomes of them."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import unittest
from functools import lru_cache
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test

from harness.generation.surroundings import without_surroundings
from harness.generation.themes import ALIKE, THEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from harness.generation.composer import Shape
    from harness.generation.machines import ProgramMachine
    from harness.values.operation import Operation
    from harness.values.program import Program

STEPS = 14  # operations drawn for one program, at most
_STRIDE = 1_000_003  # between the seeds of two rounds

_BASE = settings(
    deadline=None,
    derandomize=False,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],
    print_blob=False,
)


class Offence(Exception):  # noqa: N818 - it is one
    """Raised, at one place, for a program that breaks a rule, so that Hypothesis keeps and shrinks it."""


class Enough(BaseException):
    """Ends a search at once; Hypothesis does not catch it."""


@lru_cache(maxsize=32)  # drawing takes a second and more, and subjects of one shape get the same programs
def draw(theme: str, shape: Shape, number: int, count: int) -> tuple[Program, ...]:
    """Draw at most `count` distinct programs of a theme; `number` is the seed."""
    found: dict[str, Program] = {}
    name = _gist if theme in ALIKE else _digest
    machine = _machine(theme, shape, lambda program: found.setdefault(name(program), program))
    drawn = settings(_BASE, max_examples=_examples(theme, count))
    with without_surroundings():
        run_state_machine_as_test(seed(number)(machine), settings=drawn)
    return tuple(found.values())[:count]


def _digest(program: Program) -> str:
    return program.digest


def _gist(program: Program) -> str:
    """What every client does, in whatever order, however often.

    Hypothesis draws many variations of what it drew before.
    """
    kinds = (sorted(set(map(_kind, lane.operations))) for lane in program.lanes)
    return "; ".join(" ".join(each) for each in kinds)


def _kind(step: Operation) -> str:
    """What an operation is; to wait for the first is another thing than to wait for all."""
    return type(step).__name__ + getattr(step, "return_when", "")


def _examples(theme: str, count: int) -> int:
    """How many to draw: more of those of which what has the same gist is left out."""
    return count * (3 if theme in ALIKE else 1)


def rounds(theme: str, shape: Shape, number: int, count: int) -> Iterator[tuple[int, tuple[Program, ...]]]:
    """Draw round after round, without end: the seed of each, the first being `number`, and its programs."""
    for each in itertools.count(number, _STRIDE):
        yield each, draw(theme, shape, each, count)


def recall(theme: str, shape: Shape, folder: Path) -> tuple[Program, ...]:
    """The programs that failed in earlier runs, from Hypothesis's database in `folder`."""
    if not folder.is_dir():
        return ()
    found: dict[str, Program] = {}

    def offend(program: Program) -> None:
        found.setdefault(program.digest, program)
        raise Offence  # kept: an example that does not fail would be deleted from the database

    machine = _machine(theme, shape, offend)
    kept = settings(_BASE, database=DirectoryBasedExampleDatabase(folder), phases=[Phase.reuse])
    with contextlib.suppress(Offence, HypothesisException, unittest.SkipTest):  # the last: nothing was kept
        run_state_machine_as_test(machine, settings=kept)
    return tuple(found.values())


def shrink(  # noqa: PLR0913, PLR0917 - a search has this many sides
    theme: str, shape: Shape, number: int, count: int, offends: Callable[[Program], bool], folder: Path | None
) -> None:
    """Draw the same programs again and let Hypothesis shrink the first that offends.

    `offends` remembers verdicts, so that the programs before the first failing one cost nothing, and collects
    what it sees; it may raise `Enough`. With a `folder`, the failing examples are kept there for later runs.
    """

    def sink(program: Program) -> None:
        if offends(program):
            raise Offence from None

    machine = _machine(theme, shape, sink)
    kept = settings(
        _BASE,
        max_examples=_examples(theme, count),
        database=None if folder is None else DirectoryBasedExampleDatabase(folder),
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
    )
    # `seed` switches the database off, so the number goes to the machine only, beside settings that keep it.
    seeded = seed(number)(machine)
    with without_surroundings(), contextlib.suppress(Offence, Enough, HypothesisException):
        run_state_machine_as_test(seeded, settings=kept)


def digest_of(programs: Iterable[Program]) -> str:
    """Twelve hexadecimal digits that name a sequence of programs."""
    text = " ".join(program.digest for program in programs)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _machine(theme: str, shape: Shape, sink: Callable[[Program], object]) -> type[ProgramMachine]:
    base = THEMES[theme]
    return type(
        base.__name__, (base,), {"shape": shape, "sink": staticmethod(sink), "__module__": base.__module__}
    )
