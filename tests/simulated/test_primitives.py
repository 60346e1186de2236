"""Simulated primitives, called one after another, answer as the real ones do."""

from __future__ import annotations

import _queue
import _thread
import json
import os
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arenas.simulated import backends, simple_queue, thread_layer
from harness.arenas.simulated.strategies.random_walk import RandomWalk
from tests.simulated import litmus_real
from tests.simulated.call_sequences import KINDS, attempt, transcript
from tests.simulated.call_table import TABLE
from tests.simulated.litmus_world import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulated.call_sequences import Kind

_MOST: Final = 14  # calls in a row


@cache
def stage() -> Stage:
    """One world for all."""
    return Stage()


def in_the_world(body: Callable[[], object]) -> object:
    """What a function returns as the only task of a run."""
    strategy = RandomWalk(early=0.0)
    strategy.begin(0)
    returned, kernel = stage().run(body, strategy, backends.best())
    kernel.forget()
    return returned


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_a_sequence_of_calls_is_answered_as_by_the_real_one(kind: Kind, data: st.DataObject) -> None:
    """Values, errors and their messages."""
    calls = data.draw(st.lists(st.sampled_from(kind.calls), max_size=_MOST))
    simulated = in_the_world(lambda: transcript(kind.make, calls, stage().modules))
    assert simulated == transcript(kind.make, calls, litmus_real.modules())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_call_alone_is_answered_as_by_the_real_one(kind: Kind) -> None:
    """None is left to chance."""
    for each in kind.calls:
        simulated = in_the_world(lambda: transcript(kind.make, [each] * 3, stage().modules))  # noqa: B023 - it is over
        assert simulated == transcript(kind.make, [each] * 3, litmus_real.modules()), each


@cache
def real_answers() -> dict[str, object]:
    """What the table gives for real; in a process of its own, since it forks."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulated.call_table"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    answers: dict[str, object] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("name", TABLE)
def test_a_function_answers_as_the_real_one(name: str) -> None:
    """Threads and processes too early and too late, exit codes, waiting, the order of finalizers."""
    simulated = in_the_world(lambda: attempt(lambda: TABLE[name](stage().modules)))
    assert json.loads(json.dumps(simulated)) == real_answers()[name]


def test_no_name_of_the_c_layer_is_unknown() -> None:
    """A new Python announces itself here: a name in `_thread` or `_queue` that nobody has thought about."""
    assert thread_layer.unknown_names() == set()
    assert simple_queue.unknown_names() == set()


def test_an_unknown_name_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that do not exist yet."""
    monkeypatch.setattr(_thread, "start_tomorrow", None, raising=False)
    monkeypatch.setattr(_queue, "ComplexQueue", None, raising=False)
    assert thread_layer.unknown_names() == {"start_tomorrow"}
    assert simple_queue.unknown_names() == {"ComplexQueue"}


@pytest.mark.parametrize(
    ("simulated", "real"),
    [
        (thread_layer.Lock, type(_thread.allocate_lock())),
        (thread_layer.RLock, _thread.RLock),
        (simple_queue.SimpleQueue, _queue.SimpleQueue),
        (thread_layer.ThreadHandle, getattr(_thread, "_ThreadHandle", None)),
    ],
)  # fmt: skip
def test_a_simulated_type_has_the_methods_of_the_real_one(simulated: type, real: type | None) -> None:
    """No public method is missing, and none of another Python is there."""
    if real is None:
        pytest.skip("this Python has no such type")
    theirs = {name for name in dir(real) if not name.startswith("__")}
    ours = {name for name in dir(simulated) if not name.startswith("_")}
    assert theirs <= set(dir(simulated))
    assert ours - theirs <= {"c_name", "check_new", "belongs_to", "give_back", "holder", "let_go", "serial"}
