"""Every rule that counts as tested has a mutant; that rule catches it at the quick profile's size."""

from __future__ import annotations

import importlib
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.arena import Patience, RealArena
from harness.arenas.real.journal import Journal
from harness.arenas.simulated.arena import SimulatedArena
from harness.arenas.simulated.plan import Plan
from harness.check.profile import PROFILES
from harness.check.resolve import resolve, shape_of
from harness.generation.draw import draw, rounds
from harness.generation.themes import themes_for
from harness.judge.judge import judge
from harness.specs import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.values.subject import Subject
    from tests.mutants.mutant import Mutant

MODULES = (
    "futures",
    "results",
    "callbacks",
    "waiting",
    "submitting",
    "mapping",
    "closing",
    "workers",
    "deaths",
    "pickling",
    "signals",
    "limits",
    "endings",
)
SEED = 7
ROOT = Path(__file__).resolve().parents[2]

# Mutants that wait for vocabulary which does not exist yet; the number may only fall.
WAITING = {
    "Asc03": "its rule is a draft",
    "Pool04": "its rule is a draft",
    "Map10": "its rule is a draft",
    "Xop04": "its rule is a draft",
}


def mutants() -> list[Mutant]:
    """All mutants, in the order of their modules."""
    return [each for name in MODULES for each in importlib.import_module(f"tests.mutants.{name}").MUTANTS]


def name_of(mutant: Mutant) -> str:
    """The class that breaks the rule."""
    return mutant.target.partition(":")[2].removesuffix(".Executor")


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealArena]:
    """One arena for all mutants of a process."""
    folder = tmp_path_factory.mktemp("mutants")
    journal = Journal(folder / "journal")
    with RealArena(folder, journal, import_from=(str(ROOT),)) as made:
        yield made
    journal.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedArena]:
    """The same for those that need two clients and a schedule."""
    folder = tmp_path_factory.mktemp("races")
    journal = Journal(folder / "journal")
    with SimulatedArena(folder, journal, import_from=(str(ROOT),)) as made:
        yield made
    journal.close()


# Where to look first; elsewhere in "lifecycle".
LIKELY = {"WAIT": "waiting", "ASC": "waiting", "MAP": "map", "BRK": "death", "SUB-05": "death"}
LIKELY |= dict.fromkeys(
    ("FUT-11", "FUT-12", "FUT-13", "FUT-14", "FUT-15", "FUT-21", "FUT-22", "FUT-23"), "futures"
)
LIKELY |= dict.fromkeys(
    ("POOL-05", "POOL-06", "Cb10Break", "GC-03", "SHD-09", "SHD-11", "POOL-10", "SUB-10"), "beginnings"
)
LIKELY |= dict.fromkeys(("BRK-09", "BRK-13"), "signals")
LIKELY |= dict.fromkeys(("PKL-03", "PKL-04", "PKL-05", "PKL-08"), "payloads")
LIKELY |= dict.fromkeys(("CB-11", "SUB-07", "SHD-08", "SHD-12", "MAP-15", "MAP-16"), "leeway")
LIKELY |= {"EXIT": "endings", "GC-07": "endings"}
LIKELY |= dict.fromkeys(("Asc04", "Asc04Anew", "Map05", "RES-06"), "deadlines")
LIKELY |= dict.fromkeys(("Fut18", "Res04Waiter"), "handoffs")


def likely_theme(mutant: Mutant) -> str:
    """Where a mutant most likely shows."""
    keys = (name_of(mutant), mutant.rule, mutant.rule.partition("-")[0])
    return next((LIKELY[key] for key in keys if key in LIKELY), "lifecycle")


def themes(mutant: Mutant, subject: Subject) -> list[str]:
    """The themes of a subject, the likely one first."""
    likely = likely_theme(mutant)
    return sorted(themes_for(shape_of(subject)), key=lambda theme: theme != likely)


def programs_until_caught(arena: RealArena, subject: Subject, mutant: Mutant) -> int:
    """How many programs it takes until a witness names the rule; 0 if the quick profile is not enough."""
    count, quick = 0, PROFILES["quick"]
    for theme in themes(mutant, subject):
        drawn = islice(rounds(theme, shape_of(subject), SEED, quick.programs), quick.rounds)
        for program in chain.from_iterable(programs for _, programs in drawn):
            count += 1
            judgement = judge(arena.run(subject, program, Patience()), subject, load_rules())
            if any(witness.rule == mutant.rule for witness in judgement.witnesses):
                return count
    return 0


def programs_until_raced(world: SimulatedArena, subject: Subject, mutant: Mutant) -> int:
    """The same in the simulated arena, for the likely theme, under the schedules of the `ci` profile."""
    ci = PROFILES["ci"]
    drawn = draw(likely_theme(mutant), shape_of(subject, "simulated"), SEED, ci.simulated)
    for count, program in enumerate(drawn, start=1):
        for seen in world.explore(subject, program, Plan(schedules=ci.schedules, seed=SEED)):
            judgement = judge(seen.history, subject, load_rules())
            if any(witness.rule == mutant.rule for witness in judgement.witnesses):
                return count
    return 0


@pytest.mark.parametrize("mutant", mutants(), ids=name_of)
def test_a_mutant_is_caught_by_its_rule(mutant: Mutant, arena: RealArena, world: SimulatedArena) -> None:
    """The generic generators find the mutant, and the rule that it breaks is the one that is named."""
    if name_of(mutant) in WAITING:
        pytest.skip(f"waits for {WAITING[name_of(mutant)]}")
    subject = resolve(arena, mutant.target)
    if mutant.arena == "simulated":
        assert programs_until_raced(world, subject, mutant) > 0
    else:
        assert programs_until_caught(arena, subject, mutant) > 0


def test_every_released_rule_has_a_mutant() -> None:
    """A rule counts as tested only if there is a mutant that it catches."""
    covered = {mutant.rule for mutant in mutants() if name_of(mutant) not in WAITING}
    assert sorted(set(load_rules()) - covered) == []
