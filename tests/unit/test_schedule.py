"""A schedule brings its decisions back from its text; a text that is none is refused with one sentence."""

from __future__ import annotations

import json
import re
import shlex
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values.codec import decode, encode
from harness.values.schedule import Decision, Schedule, ScheduleError

LONGEST = 160  # characters of a shrunk schedule
LOOKS = "a schedule looks like 2:1fMT1-A3,4P2-MT1R1"
few = settings(max_examples=200, deadline=None, database=None)

numbers = st.integers(min_value=0, max_value=40)
roots = st.one_of(st.just("main"), numbers.map("lane{}".format), numbers.map("P{}".format))
threads = st.builds(
    lambda root, path: "/".join([root, *(f"T{number}" for number in path)]),
    roots,
    st.lists(numbers, max_size=3),
)
oddities = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
near_misses = st.sampled_from(
    ["main1", "main/T01", "lane", "P", "Main", "kill clock", "main//T1", "T1", ".", "a.b", "%41"]
)
roles = st.one_of(threads, threads.map("kill {}".format), st.just("clock"), oddities, near_misses)
ops = st.one_of(st.sampled_from(["acquire", "statement", "put", "settle", "go on"]), oddities)


@st.composite
def decisions(draw: st.DrawFn, at: int) -> Decision:
    """A decision at a choice point, with or without a label."""
    role = draw(roles)
    if draw(st.booleans()):
        return Decision(at=at, role=role)
    return Decision(at=at, role=role, instead=draw(roles), op=draw(ops), nth=draw(st.integers(1, 3000)))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule."""
    first = draw(st.integers(0, 2000))
    gaps = draw(st.lists(st.integers(1, 2000), max_size=11))
    places = list(accumulate(gaps, initial=first)) if draw(st.booleans()) or gaps else []
    return Schedule(decisions=tuple(draw(decisions(at)) for at in places))


@few
@given(schedule=schedules())
def test_a_schedule_reads_back_from_its_text(schedule: Schedule) -> None:
    """The text is one word that no shell touches, and its inverse is exact, also with blanks around it."""
    text = schedule.to_text()
    assert Schedule.from_text(f" {text}\n") == schedule
    assert shlex.split(text) == [text]
    assert re.fullmatch(r"[-.:,%_0-9A-Za-z]+", text)


@few
@given(schedule=schedules())
def test_a_schedule_reads_back_from_json(schedule: Schedule) -> None:
    """A schedule can be part of a token."""
    assert decode(Schedule, json.loads(json.dumps(encode(schedule)))) == schedule


def _read(text: str) -> Schedule | str:
    """What a text is read as: a schedule, or the sentence that refuses it."""
    try:
        return Schedule.from_text(text)
    except ScheduleError as error:
        return str(error)


@few
@given(schedule=schedules(), data=st.data())
def test_a_text_cut_short_loses_no_decision(schedule: Schedule, data: st.DataObject) -> None:
    """No beginning of a schedule is read as a schedule with fewer decisions."""
    text = schedule.to_text()
    read = _read(text[: data.draw(st.integers(0, len(text) - 1))])
    if isinstance(read, Schedule):
        assert len(read) == len(schedule)
    else:
        assert re.fullmatch(r".{20,300}", read)


@few
@given(text=st.text(st.sampled_from("019az:,.-%KMLPTCARS"), max_size=20))
def test_any_text_is_a_schedule_or_is_refused(text: str) -> None:
    """Damage never shows as anything but a sentence, and what is read has a text."""
    read = _read(text)
    if isinstance(read, Schedule):
        assert Schedule.from_text(read.to_text()) == read
    else:
        assert re.fullmatch(r".{20,300}", read)


def test_a_text_is_as_its_docstring_says() -> None:
    """The format is what it was: texts are kept by people."""
    schedule = Schedule(
        decisions=(
            Decision(at=51, role="main/T1", instead="main", op="acquire", nth=3),
            Decision(at=55, role="P2", instead="main/T1", op="release", nth=1),
            Decision(at=60, role="kill P2/T1", instead="lane1", op="go on", nth=40),
            Decision(at=61, role="clock"),
        )
    )
    text = "4:1fMT1-A3,4P2-R1,5KP2T1-L1.go%20on.14,1C"
    assert schedule.to_text() == text
    assert Schedule.from_text(text) == schedule
    assert Schedule().to_text() == "0"
    assert Schedule.from_text("0") == Schedule()


def test_ten_labelled_decisions_are_short() -> None:
    """Ten decisions with labels, a choice point of hundreds apart, fit into 160 characters."""
    roles = ("main/T1", "main/T2", "P1", "kill P2", "main")
    schedule = Schedule(
        decisions=tuple(
            Decision(at=150 * n, role=roles[n % 5], instead=roles[(n + 2) % 5], op="acquire", nth=40 + n)
            for n in range(10)
        )
    )
    assert len(schedule.to_text()) <= LONGEST


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", f"'' is no schedule: {LOOKS}"),
        ("exh1.000000.abc", f"'exh1.000000.abc' is no schedule: {LOOKS}"),
        (
            "2:1fMT1",
            "the schedule is damaged: it should have 2 decisions, and there are 1; copy it again, whole",
        ),
        ("1:1f", "decision 1 of the schedule, '1f', is damaged: a decision looks like 4P2-MT1R1"),
        ("1:fM-", "decision 1 of the schedule, 'fM-', is damaged: a decision looks like 4P2-MT1R1"),
        ("1:fM-A0", "decision 1 of the schedule, 'fM-A0', is damaged: it counts from 1 what is preempted"),
        (
            "2:1fM,0P1",
            "decision 2 of the schedule, '0P1', is damaged: it stands where the one before stands",
        ),
    ],
)
def test_a_damaged_text_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    """Whoever copied half a schedule is told so."""
    with pytest.raises(ScheduleError) as caught:
        Schedule.from_text(text)
    assert str(caught.value) == sentence


def test_what_cannot_be_is_no_value() -> None:
    """Decisions are in order, name a role, and have whole labels."""
    with pytest.raises(ValueError, match="order of their choice points"):
        Schedule(decisions=(Decision(at=2, role="main"), Decision(at=2, role="P1")))
    with pytest.raises(ValueError, match="whole or missing"):
        Decision(at=2, role="main", op="acquire")
    with pytest.raises(ValueError, match="names a role"):
        Decision(at=2, role="")
    with pytest.raises(ValueError, match="choice point 0 or later"):
        Decision(at=-1, role="main")


def test_the_schedule_of_a_run_has_labels() -> None:
    """An operation that is put off twice before it is done has the same label each time."""
    went = [("main", "put"), ("P1", "get"), ("P2", "get"), ("main", "put"), ("P1", "put")]
    schedule = Schedule.of_run(went, {1: ("main", "put"), 2: ("main", "put"), 4: ("main", "put")})
    assert schedule.to_text() == "3:1P1-U2,1P2-MU2,2P1-MU3"


def test_a_bare_schedule_has_no_labels() -> None:
    """By number alone, the decisions are the same."""
    schedule = Schedule(decisions=(Decision(at=3, role="P1", instead="main", op="put", nth=2),))
    assert schedule.bare == Schedule(decisions=(Decision(at=3, role="P1"),))
    assert (schedule.decisions[0].labelled, schedule.bare.decisions[0].labelled) == (True, False)
