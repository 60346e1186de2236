"""Every state that two workers and three futures can come to, by the tables of `harness/model/future.py`.

The walk takes every step from every state: what a client may ask, what a worker does, what happens silently.
It is small enough to be complete, so what holds in all its states holds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple, get_args

import pytest

from harness.judge.states import TABLE
from harness.model.future import (
    CLAIMED,
    INSIDE,
    PENDING,
    Body,
    Circumstances,
    Phase,
    Question,
    State,
    answers,
    finished,
    silently,
    started,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS, FUTURES = 2, 3


class Scene(NamedTuple):
    """Three futures; whether a cancelling shutdown has begun, and whether a worker has died."""

    futures: tuple[State, ...] = (PENDING,) * FUTURES
    cancelling: bool = False
    breaking: bool = False

    @property
    def inside(self) -> int:
        """How many bodies are being executed."""
        return sum(state == INSIDE for state in self.futures)

    @property
    def over(self) -> bool:
        """Whether all futures are done."""
        return all(state.done for state in self.futures)


class Step(NamedTuple):
    """What happened, to which future (-1: to the pool), and what it led to."""

    what: str
    future: int
    onward: Scene


def steps(scene: Scene, *, ahead: int) -> Iterator[Step]:
    """All that can happen; a pool claims up to `ahead` futures more than it has workers, in their order."""
    yield Step("shutdown", -1, scene._replace(cancelling=True))
    yield Step("death", -1, scene._replace(breaking=True))
    claimed = sum(state.phase is Phase.RUNNING for state in scene.futures)
    for place, state in enumerate(scene.futures):
        first = all(earlier.phase is not Phase.PENDING for earlier in scene.futures[:place])
        around = Circumstances(
            may_start=first and claimed < WORKERS + ahead,
            may_cancel=scene.cancelling,
            may_break=scene.breaking,
        )
        moves = [("cancel", to) for _, to in answers(state, "cancel")]
        moves += [("silent", to) for to in silently(state, around)]
        # A worker is seen to start what it has claimed; unless it died, it has one body at a time.
        if state == CLAIMED and scene.inside < WORKERS and not scene.breaking:
            moves += [("start", to) for to in started(state)]
        moves += [("finish", to) for to in finished(state)]
        for what, to in moves:
            yield Step(
                what, place, scene._replace(futures=(*scene.futures[:place], to, *scene.futures[place + 1 :]))
            )


@cache
def walk(ahead: int) -> dict[Scene, tuple[Step, ...]]:
    """Every reachable scene with the steps that lead on from it."""
    found: dict[Scene, tuple[Step, ...]] = {}
    waiting = [Scene()]
    while waiting:
        scene = waiting.pop()
        if scene not in found:
            found[scene] = tuple(steps(scene, ahead=ahead))
            waiting += [step.onward for step in found[scene]]
    return found


each_pool = pytest.mark.parametrize("ahead", [0, 1], ids=["thread pool", "process pool"])


@each_pool
def test_the_walk_sees_all_that_a_future_can_be(ahead: int) -> None:
    """Every phase and every place of the body come about, and no step leads out of what was walked."""
    scenes = walk(ahead)
    single = {state for scene in scenes for state in scene.futures}
    assert {state.phase for state in single} == set(Phase)
    assert {state.body for state in single} == set(Body)
    assert all(step.onward in scenes for onward in scenes.values() for step in onward)


@each_pool
def test_done_is_for_ever(ahead: int) -> None:
    """No step leads a future from a final phase to another."""
    for scene, onward in walk(ahead).items():
        for step in onward:
            for before, after in zip(scene.futures, step.onward.futures, strict=True):
                assert not before.done or after.phase is before.phase


@each_pool
def test_a_cancelled_future_is_never_executed(ahead: int) -> None:
    """Its body is never entered, before or after; and nothing in its body can be cancelled."""
    for scene in walk(ahead):
        for state in scene.futures:
            assert state.phase is not Phase.CANCELLED or state.body is Body.AHEAD


@each_pool
def test_a_finished_future_was_executed_once_to_its_end(ahead: int) -> None:
    """It is finished only with its body behind it, and a body is entered at most once."""
    for scene, onward in walk(ahead).items():
        for state in scene.futures:
            assert state.phase is not Phase.FINISHED or state.body is Body.BEHIND
        for step in onward:
            if step.what == "start":
                assert scene.futures[step.future].body is Body.AHEAD
                assert step.onward.futures[step.future] == INSIDE


@each_pool
def test_no_more_bodies_than_workers(ahead: int) -> None:
    """Two workers execute two tasks at most, however many are claimed."""
    scenes = walk(ahead)
    assert max(scene.inside for scene in scenes) == WORKERS
    most = max(sum(state.phase is Phase.RUNNING for state in scene.futures) for scene in scenes)
    assert most == WORKERS + ahead


@each_pool
def test_tasks_start_in_the_order_of_their_submission(ahead: int) -> None:
    """When a task starts, every earlier one is claimed, or it is done and will not start."""
    for scene, onward in walk(ahead).items():
        for step in onward:
            if step.what == "start":
                earlier = scene.futures[: step.future]
                assert all(state.phase is not Phase.PENDING for state in earlier)


@each_pool
def test_the_answers_of_a_future_agree_with_each_other(ahead: int) -> None:
    """In one state nothing is both running and done; cancelled is done; a read ends only when done."""
    for state in {state for scene in walk(ahead) for state in scene.futures}:
        said = {
            question: {answer for answer, _ in answers(state, question)} for question in get_args(Question)
        }
        assert not (said["running"] == {"yes"} and said["done"] == {"yes"})
        assert said["cancelled"] != {"yes"} or said["done"] == {"yes"}
        assert bool(said["read"]) == state.done == (said["done"] == {"yes"})
        assert ("yes" in said["cancel"]) == (state.phase in (Phase.PENDING, Phase.CANCELLED))


@each_pool
def test_nothing_is_ever_stuck(ahead: int) -> None:
    """From every scene all futures can become done by the workers alone: nobody has to cancel or to kill."""
    scenes = walk(ahead)
    good = {scene for scene in scenes if scene.over}
    while True:
        more = {
            scene
            for scene, onward in scenes.items()
            if scene not in good
            and any(step.what in ("start", "finish", "silent") and step.onward in good for step in onward)
        }
        if not more:
            break
        good |= more
    assert good == set(scenes)


@each_pool
def test_a_broken_pool_leaves_no_future_undone(ahead: int) -> None:
    """Once a worker has died, every future can become done without any further execution."""
    for scene, onward in walk(ahead).items():
        if scene.breaking:
            broken = {
                step.future for step in onward if step.onward.futures[step.future].phase is Phase.BROKEN
            }
            undone = {place for place, state in enumerate(scene.futures) if not state.done}
            assert undone <= broken


def test_the_rules_forbid_nothing_that_the_model_allows() -> None:
    """Each row of the judge's table names an answer that no state of the row may give."""
    for row in TABLE:
        for state in row.states & {state for scene in walk(1) for state in scene.futures}:
            assert row.wrong not in {answer for answer, _ in answers(state, row.question)}, row
