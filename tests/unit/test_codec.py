"""Every value of the closed vocabulary survives its JSON, and nothing else is taken for one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.values import operation
from harness.values import program as programs
from harness.values.codec import DecodeError, decode, decode_union, encode, tag_of
from harness.values.deviation import Deviation
from harness.values.history import Event, History
from harness.values.operation import Operation, Submit
from harness.values.outcome import Outcome
from harness.values.program import Ending, Lane, Program, Return, Script
from harness.values.rule import Capability, Draft, Rule
from harness.values.stored import Stored, read_stored
from harness.values.subject import Subject
from harness.values.token import Token
from harness.values.verdict import Judgement, Witness
from tests.unit.vocabulary import shaped, values_of

UNIONS: dict[str, Any] = {"operation": Operation, "outcome": Outcome, "event": Event, "ending": Ending}
CLASSES: tuple[type, ...] = (
    Program, History, Token, Judgement, Witness, Subject, Stored, Deviation, Rule, Draft, Capability,
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=6), parts, max_size=3),
    max_leaves=8,
)
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)

ROOT = Path(__file__).parents[2]


def _through_text(value: object) -> object:
    return json.loads(json.dumps(encode(value), sort_keys=True))


@pytest.mark.parametrize("name", UNIONS)
def test_tags_tell_the_members_of_a_union_apart(name: str) -> None:
    """No two members of a union travel under the same tag."""
    tags = [tag_of(member) for member in typing.get_args(UNIONS[name])]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize(
    "member",
    [member for union in UNIONS.values() for member in typing.get_args(union)],
    ids=lambda member: member.__name__,
)
@few
@given(data=st.data())
def test_a_member_of_the_vocabulary_survives_its_json(member: type, data: st.DataObject) -> None:
    """An operation, an outcome, an event or an ending reads back as it was written."""
    value = data.draw(values_of(member))
    assert decode(member, _through_text(value)) == value


@pytest.mark.parametrize("name", UNIONS)
@few
@given(data=st.data())
def test_a_union_finds_the_class_by_its_tag(name: str, data: st.DataObject) -> None:
    """A value of a union reads back with its class, though two classes may have the same fields."""
    value = data.draw(shaped(UNIONS[name]))
    read = decode_union(UNIONS[name], _through_text(value))
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@few
@given(data=st.data())
def test_a_whole_value_survives_its_json(cls: type, data: st.DataObject) -> None:
    """Programs, histories, tokens, judgements, subjects and rules read back as they were written."""
    value = data.draw(values_of(cls))
    assert decode(cls, _through_text(value)) == value


@pytest.mark.parametrize("cls", [Program, History, Stored], ids=lambda cls: cls.__name__)
@few
@given(data=st.data())
def test_the_canonical_text_is_a_fixed_point(cls: Any, data: st.DataObject) -> None:  # noqa: ANN401 - has from_json
    """Reading the canonical text and writing it again gives the same text, on one line."""
    value: Any = data.draw(values_of(cls))
    text = value.to_json()
    assert cls.from_json(text).to_json() == text
    assert "\n" not in text


@few
@given(program=values_of(Program))
def test_the_repr_of_a_program_can_be_run(program: Program) -> None:
    """A printed program can be pasted into a test."""
    names = vars(operation) | vars(programs)
    assert eval(repr(program), names) == program  # noqa: S307 - our own text


def test_what_holds_its_default_is_left_out() -> None:
    """Only what differs from the default is written, so a new field does not change old texts."""
    assert encode(Script(task="t0")) == {"is": "script", "task": "t0"}
    assert encode(Script(task="t0", ending=Return(size=1)))["ending"] == {"is": "return", "size": 1}


@few
@given(data=JSON)
def test_foreign_json_is_no_program(data: object) -> None:
    """Whatever JSON a stranger sends, the answer is a program or a `DecodeError`, never another exception."""
    with contextlib.suppress(DecodeError):
        assert isinstance(decode(Program, data), Program)


@few
@given(program=values_of(Program), foreign=JSON, data=st.data())
def test_a_program_with_one_foreign_part_is_read_or_refused(
    program: Program, foreign: object, data: st.DataObject
) -> None:
    """A program in which one part was replaced is still a program, or is refused with a sentence."""
    whole = _through_text(program)
    places = list(_places(whole))
    holder, key = data.draw(st.sampled_from(places)) if places else ({}, "is")
    holder[key] = foreign
    with contextlib.suppress(DecodeError):
        assert isinstance(decode(Program, whole), Program)


def _places(part: Any) -> Any:  # noqa: ANN401 - JSON
    """Every place of a JSON value that can be assigned to."""
    if isinstance(part, dict | list):
        for key in part if isinstance(part, dict) else range(len(part)):
            yield part, key
            yield from _places(part[key])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "Program is not a program"),
        ({"is": "lane"}, "Program is not a program"),
        ({"speed": 1}, "Program has the unknown field 'speed'"),
        ({"lanes": {}}, "Program.lanes must be a list, not {}"),
        ({"tasks": [{"is": "script"}]}, "Program.tasks[0] lacks the field 'task'"),
        ({"tasks": [{"task": 3}]}, "Program.tasks[0].task must be str, not 3"),
        ({"tasks": [{"task": "t", "argument": True}]}, "Program.tasks[0].argument must be int, not True"),
        ({"pools": [{"start": "swim"}]}, "Program.pools[0].start has the unexpected value 'swim'"),
        (
            {"lanes": [{"operations": [{"is": "sleep"}]}]},
            "Program.lanes[0].operations[0] has the unknown kind 'sleep'",
        ),
        (
            {"lanes": [{"operations": [{"is": "result", "future": "f0", "timeout": float("inf")}]}]},
            "Program.lanes[0].operations[0].timeout has the unexpected value inf",
        ),
    ],
)
def test_a_refusal_names_the_place(data: object, message: str) -> None:
    """The message says which part of the program is wrong, and how."""
    with pytest.raises(DecodeError) as caught:
        decode(Program, data)
    assert str(caught.value) == message


def test_a_long_foreign_value_is_not_repeated_whole() -> None:
    """A message shows the beginning of what it refuses, not a megabyte of it."""
    with pytest.raises(DecodeError) as caught:
        decode(Script, {"task": ["x" * 10_000]})
    assert re.fullmatch(r".{,200}", str(caught.value))


def test_a_value_that_is_no_pair_is_refused() -> None:
    """A tuple of fixed length takes that many items."""
    with pytest.raises(DecodeError, match=r"components\[0\] must have 2 items, not 1"):
        decode(Subject, {"name": "a", "target": "b", "kind": "thread", "components": [["wait"]]})


def test_the_canonical_text_does_not_depend_on_hash_seeds() -> None:
    """Another `PYTHONHASHSEED` gives the same text and the same digest."""
    script = (
        "from harness.values.stored import Stored\n"
        "from harness.values.subject import Subject\n"
        "from harness.values.history import History\n"
        "from harness.values.program import Program, Script\n"
        "names = frozenset(map(str, range(40)))\n"
        "subject = Subject(name='n', target='t', kind='thread', capabilities=tuple(sorted(names)))\n"
        "program = Program(tasks=tuple(Script(task=name) for name in sorted(names)))\n"
        "print(Stored(subject=subject, history=History(program=program)).to_json(), program.digest)\n"
    )
    texts = {_run(script, seed) for seed in ("0", "1", "2")}
    assert len(texts) == 1


def _run(script: str, seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own script


def test_a_stored_history_is_read_from_its_file(tmp_path: Path) -> None:
    """A file with a subject and a history is read; one with something else is a `ValueError`."""
    stored = Stored(
        subject=Subject(name="n", target="m:C", kind="thread", capabilities=("a", "b")),
        history=History(
            program=Program(lanes=(Lane(operations=(Submit(executor="e0", future="f0", task="t0"),)),))
        ),
    )
    path = tmp_path / "one.json"
    path.write_text(stored.to_json(), encoding="utf-8")
    assert read_stored(path) == stored
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="Stored is not a stored"):
        read_stored(path)


def test_values_are_frozen() -> None:
    """Nobody changes a value after it was made."""
    classes = [*CLASSES, *(member for union in UNIONS.values() for member in typing.get_args(union))]
    loose = [
        cls.__name__ for cls in classes if not cls.__dataclass_params__.frozen or "__slots__" not in vars(cls)
    ]
    assert loose == []
    with pytest.raises(dataclasses.FrozenInstanceError):
        Lane().operations = ()  # type: ignore[misc]  # the point of the test
