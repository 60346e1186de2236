"""What differs is a divergence if no rule decides and it differs again; each program counts once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from harness.check.compare import Archive, Peers, Seen
from harness.check.finding import Comparison, Divergence, merged
from harness.check.law import Law
from harness.judge.excuse import excuse
from harness.judge.judge import judge
from harness.specs import load_rules
from harness.values import operation as op
from harness.values.outcome import Facts
from harness.values.token import Token
from tests.unit.story import NO, NONE, YES, Line, an_executor, ends, starts, story, submit

if TYPE_CHECKING:
    from harness.arenas.real.arena import Patience, RealArena
    from harness.values.history import History
    from harness.values.program import Program
    from harness.values.subject import Subject

RULES = load_rules()
MINE, PEER = an_executor(name="mine"), an_executor(name="peer")
LOOK = op.Construct(arguments="default workers")
FOUR: tuple[Line, ...] = ((LOOK, Facts(lines=("built", "workers=None", "cpus=4"))),)
FIVE: tuple[Line, ...] = ((LOOK, Facts(lines=("built", "workers=None", "cpus=5"))),)


@dataclass
class Stage:
    """Stands in for an arena: gives prepared histories, those of each executor in turn."""

    prepared: dict[str, list[History]]
    asked: list[str] = field(default_factory=list)

    def run(self, subject: Subject, program: Program, patience: Patience) -> History:
        """The next history of this executor."""
        del program, patience
        self.asked.append(subject.name)
        return self.prepared[subject.name].pop(0)


def seen(history: History, subject: Subject = MINE) -> Seen:
    """A run, judged."""
    witnesses = judge(history, subject, RULES).witnesses
    return Seen(history=history, pairs=tuple(excuse(witnesses, history, subject, ())))


def peers(stage: Stage, archive: Archive | None = None) -> Peers:
    """A comparison of `MINE` with `PEER` that sees what is prepared."""
    return Peers(
        arena=cast("RealArena", stage), subject=MINE, law=Law(rules=RULES),
        archive=archive or Archive(), find=lambda: (PEER,),
    )  # fmt: skip


def counted(comparison: Comparison) -> dict[str, int]:
    """The counts that are not zero."""
    names = ("programs", "alike", "forbidden", "known", "diverging", "passing")
    return {name: count for name in names if (count := getattr(comparison, name))}


def test_what_differs_twice_and_breaks_no_rule_is_a_divergence() -> None:
    """It is shown with both outcomes and a token of its program."""
    ours = story(*FOUR)
    stage = Stage({"mine": [ours], "peer": [story(*FIVE), story(*FIVE)]})
    comparing = peers(stage)
    comparing.look(seen(ours))
    (found,) = comparing.comparisons()
    assert counted(found) == {"programs": 1, "diverging": 1}
    (divergence,) = found.divergences
    assert (divergence.ours, divergence.theirs) == ("cpus=4", "cpus=5")
    assert Token.from_text(divergence.token).program == ours.program
    assert stage.asked == ["peer", "mine", "peer"]


def test_a_divergence_counts_a_program_once_however_many_calls_show_it() -> None:
    """Two calls of the same kind that differ are one divergence of one program."""
    ours, theirs = story(*FOUR, *FOUR), story(*FIVE, *FIVE)
    comparing = peers(Stage({"mine": [ours], "peer": [theirs, theirs]}))
    comparing.look(seen(ours))
    (found,) = comparing.comparisons()
    assert counted(found) == {"programs": 1, "diverging": 1}
    assert [divergence.programs for divergence in found.divergences] == [1]


def test_what_differs_once_is_chance() -> None:
    """A difference that is gone when both run again is counted apart, and not shown."""
    ours = story(*FOUR)
    comparing = peers(Stage({"mine": [ours], "peer": [story(*FIVE), story(*FOUR)]}))
    comparing.look(seen(ours))
    (found,) = comparing.comparisons()
    assert counted(found) == {"programs": 1, "passing": 1}
    assert found.divergences == ()


def test_a_difference_that_a_rule_forbids_is_no_divergence() -> None:
    """Where the subject breaks a rule, the rule says so: FUT-04 forbids what cancel() answers here."""
    common: tuple[Line, ...] = (submit(1), starts(1), submit(2))
    last: tuple[Line, ...] = ((op.Open(gate="g0"), NONE), ends(1))
    right = story(*common, (op.Cancel(future="f2"), YES), *last)
    wrong = story(*common, (op.Cancel(future="f2"), NO), *last)
    comparing = peers(Stage({"peer": [right]}))
    comparing.look(seen(wrong))
    assert counted(comparing.comparisons()[0]) == {"programs": 1, "forbidden": 1}
    comparing = peers(Stage({"peer": [wrong]}))
    comparing.look(seen(right))
    assert counted(comparing.comparisons()[0]) == {"programs": 1, "known": 1}


def test_a_peer_that_was_seen_on_this_program_is_not_run_again() -> None:
    """What one item of a run has seen serves the others."""
    archive, stage = Archive(), Stage({})
    archive.keep(PEER.target, seen(story(*FOUR), PEER))
    comparing = peers(stage, archive)
    comparing.look(seen(story(*FOUR)))
    assert counted(comparing.comparisons()[0]) == {"programs": 1, "alike": 1}
    assert stage.asked == []
    assert archive.find(MINE.target, story(*FOUR).program) is not None


def test_comparisons_of_several_items_add_up() -> None:
    """Counts are summed for each peer, and a divergence of the same kind is shown once."""
    one, other = (
        Comparison(
            peer="peer", programs=3, alike=2, forbidden=0, known=0, diverging=1, passing=0,
            divergences=(
                Divergence(call=f"{name}.cancel()", ours="a", theirs="b", programs=1, token=name, short=name),
            ),
        )
        for name in ("f1", "f2")
    )  # fmt: skip
    (found,) = merged((one, other))
    assert counted(found) == {"programs": 6, "alike": 4, "diverging": 2}
    assert [each.programs for each in found.divergences] == [2]
