"""FUT rules about order: does the state machine of a future explain the calls on it, in some order?

Each future is judged on its own (linearizability is local), so the cost stays near linear. A configuration is
a state and, for every call in progress, the questions it has still to ask and what it heard so far. Between
two events anything may happen that the model allows. When no configuration is left, the table below names the
rule.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from harness.judge.case import FOREVER, Call, Case, Track, timed_out
from harness.judge.tally import Tally
from harness.model.future import (
    CLAIMED,
    INSIDE,
    PENDING,
    Answer,
    Body,
    Circumstances,
    Phase,
    Question,
    State,
    answers,
    closure,
    finished,
    silently,
    started,
)
from harness.values import operation as op
from harness.values.outcome import Raised, Returned, States

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CANCELLED = frozenset(State(Phase.CANCELLED, body) for body in Body)
_FINISHED = frozenset(State(Phase.FINISHED, body) for body in Body)
_DONE = _CANCELLED | _FINISHED | frozenset(State(Phase.BROKEN, body) for body in Body)


class Row(NamedTuple):
    """If the future was surely in one of `states`, then `question` must not answer `wrong`."""

    rule: str
    states: frozenset[State]
    question: Question
    wrong: str
    text: str


TABLE = (
    Row(
        "FUT-01",
        frozenset({PENDING, CLAIMED}),
        "done",
        "yes",
        "the task cannot have run, and yet its future is done",
    ),
    Row(
        "FUT-04", frozenset({PENDING}), "cancel", "no", "the future is pending, and yet cancel() is not True"
    ),
    Row("FUT-04", _CANCELLED, "cancelled", "no", "after cancel() was True, cancelled() is not"),
    Row("FUT-04", _CANCELLED, "done", "no", "after cancel() was True, done() is not"),
    Row(
        "FUT-05",
        frozenset({INSIDE}),
        "cancel",
        "yes",
        "the task is inside its body, and yet cancel() says True",
    ),
    Row("FUT-06", _FINISHED, "cancel", "yes", "the future is finished, and yet cancel() says True"),
    Row("FUT-07", _CANCELLED, "cancel", "no", "the future is cancelled, and cancel() does not say so again"),
    Row(
        "FUT-10",
        frozenset({INSIDE}),
        "running",
        "no",
        "the task is inside its body, and yet running() is not True",
    ),
    Row("FUT-02", frozenset({PENDING, CLAIMED, INSIDE}), "cancelled", "yes", "nobody cancelled this future"),
    Row(
        "FUT-02",
        frozenset({INSIDE}),
        "done",
        "yes",
        "the task is still inside its body, and its future is done",
    ),
    Row("FUT-02", _DONE, "done", "no", "done() was True, and now it is not"),
    Row("FUT-03", _DONE, "running", "yes", "the future is done, and yet running() is True"),
    Row("FUT-02", _FINISHED, "cancelled", "yes", "a finished future became cancelled"),
)


class Pending(NamedTuple):
    """A call in progress: what it has still to ask, and what it heard, with the state that answered."""

    call: int
    ahead: tuple[Question, ...]
    heard: tuple[tuple[str, State], ...] = ()


Configuration: TypeAlias = tuple[State, tuple[Pending, ...]]


def judge_states(case: Case, tally: Tally) -> None:
    """Judge every future of the case by its state machine."""
    for track in case.tracks.values():
        # There nearly always is an explanation, found faster among what agrees with all answers.
        explained = Tally(case)
        if _Explainer(case, explained, track, agreeing=True).explain():
            tally.met.update(explained.met)
        else:
            _Explainer(case, tally, track).explain()


def unexplained(case: Case) -> tuple[str, ...]:
    """The futures for which no order of what was seen agrees with the model, be there a rule or not."""
    return tuple(
        track.name
        for track in case.tracks.values()
        if not _Explainer(case, Tally(case), track, agreeing=True).explain()
    )


def foretold(case: Case, track: Track) -> dict[int, tuple[Answer, ...]]:
    """The calls about a future, by number, to which the model knows one answer only, with that answer.

    What was seen before counts; where it cannot be explained, nothing is foretold any more.
    """
    explainer = _Explainer(case, Tally(case), track)
    explainer.explain()
    return explainer.foretold


def phases_during(case: Case, track: Track, call: Call) -> frozenset[Phase]:
    """The phases in which a future may have been during a call about something else; none if unexplained."""
    return _Explainer(case, Tally(case), track).phases_during(call)


class _Explainer:
    """Walks along the events of one future with all the configurations that explain them so far.

    With `agreeing`, a configuration is given up as soon as it hears what the call in progress will not say;
    without, only when the call ends, so that it can be told what would have been possible.
    """

    def __init__(self, case: Case, tally: Tally, track: Track, *, agreeing: bool = False) -> None:
        self.case = case
        self.tally = tally
        self.track = track
        self.now: frozenset[Configuration] = frozenset({(PENDING, ())})
        self.foretold: dict[int, tuple[Answer, ...]] = {}
        self.answers: dict[int, tuple[Answer, ...]] = (
            {call.index: answers_of(call, track) for call in track.calls if call.answered} if agreeing else {}
        )
        self.may_fail_unstarted = case.may_fail_unstarted(track)

    def explain(self) -> bool:
        """Follow the events until they end, or (then the answer is False) something cannot be explained."""
        return self._follow(self._events()) is not None

    def phases_during(self, call: Call) -> frozenset[Phase]:
        """The phases that are possible from the beginning of a call to its end."""
        events = self._events()
        previous = self._follow(event for event in events if event[0] < call.begin)
        if previous is None or call.begin < self.track.submitted:
            return frozenset()
        self._let_happen(previous, call.begin)
        phases = self._phases()
        previous = self._follow((event for event in events if call.begin <= event[0] < call.end), call.begin)
        if previous is None:
            return frozenset()
        self._let_happen(previous, call.end)
        return phases | self._phases()

    def _phases(self) -> frozenset[Phase]:
        return frozenset(state.phase for state, _ in self.now)

    def _follow(self, events: Iterable[tuple[int, str, Call | None]], since: int | None = None) -> int | None:
        """Follow events; returns the stamp of the last, or None if there was one that cannot be explained."""
        previous = self.track.submitted if since is None else since
        for at, kind, call in events:
            self._let_happen(previous, at)
            previous = at
            if kind == "begin" and call is not None:
                asked = Pending(call.index, questions(call))
                self.now = frozenset((state, (*pending, asked)) for state, pending in self.now)
                self._let_happen(at, at)
            elif kind == "end" and call is not None:
                self._hear(call)
            else:
                self._task_event(kind)
            if not self.now:
                return None
        return previous

    def _events(self) -> list[tuple[int, str, Call | None]]:
        found: list[tuple[int, str, Call | None]] = []
        for call in self.track.calls:
            if questions(call):
                found.append((call.begin, "begin", call))
                if call.answered:
                    found.append((call.end, "end", call))
        found += [(event.at, "started", None) for event in self.track.task.starts[:1]]
        found += [(event.at, "finished", None) for event in self.track.task.finishes[:1]]
        return sorted(found, key=lambda event: event[0])

    def _around(self, begin: int, end: int) -> Circumstances:
        """What may happen silently in this stretch of time."""
        executor = self.track.executor
        free = not self.case.all_held(executor, begin, end)
        return Circumstances(
            may_start=free or self.case.subject.prefetch > 0 or self.case.subject.kind != "thread",
            may_cancel=self.case.cancelling_since(executor) <= end,
            may_break=self.case.deaths[executor] <= end,
            may_fail_unstarted=self.may_fail_unstarted,
        )

    def _let_happen(self, begin: int, end: int) -> None:
        around = self._around(begin, end)
        if all(not pending for _, pending in self.now):
            self.now = _let_pass(self.now, around)
            return
        found = set(self.now)
        waiting = list(self.now)
        while waiting:
            for onward in self._onward(waiting.pop(), around):
                if onward not in found:
                    found.add(onward)
                    waiting.append(onward)
        self.now = frozenset(found)

    def _onward(self, configuration: Configuration, around: Circumstances) -> Iterator[Configuration]:
        state, pending = configuration
        for later in silently(state, around):
            yield later, pending
        for index, asked in enumerate(pending):
            if asked.ahead:
                agreed = self.answers.get(asked.call)
                for heard, later in answers(state, asked.ahead[0], stops=self.case.stops):
                    if agreed is not None and agreed[len(asked.heard)] != heard:
                        continue
                    known = Pending(asked.call, asked.ahead[1:], (*asked.heard, (heard, state)))
                    yield later, (*pending[:index], known, *pending[index + 1 :])

    def _hear(self, call: Call) -> None:
        """A call ended: keep what agrees with its answers, or name the rule."""
        heard = answers_of(call, self.track)
        through = {
            (state, _find(pending, call.index).heard, _without(pending, call.index))
            for state, pending in self.now
            if not _find(pending, call.index).ahead
        }
        possible = {tuple(word for word, _ in each[1]) for each in through}
        if len(possible) == 1:
            self.foretold[call.index] = next(iter(possible))
        kept = {each for each in through if tuple(word for word, _ in each[1]) == heard}
        for place, (question, word) in enumerate(zip(questions(call), heard, strict=True)):
            so_far = [each for each in through if tuple(said for said, _ in each[1][:place]) == heard[:place]]
            before = frozenset(each[1][place][1] for each in (kept or so_far))
            self._consult(call, question, word, before, impossible=not kept)
            if not kept and not any(each[1][place][0] == word for each in so_far):
                break
        self.now = frozenset((state, pending) for state, _, pending in kept)

    def _consult(
        self, call: Call, question: Question, word: str, before: frozenset[State], *, impossible: bool
    ) -> None:
        """Which rules of the table did this answer meet or break?"""
        for row in TABLE:
            if row.question != question or not before or not before <= row.states:
                continue
            if word != row.wrong:
                self.tally.hold(row.rule)
            elif impossible:
                text = f"{row.text} (possible: {_spelled(before)})"
                self.tally.blame(row.rule, text, call, future=self.track.name)
                return
        if impossible and (question, word) == ("cancel", "yes") and self._has_started():
            task = self.track.task.script.task
            text = (
                f"{task} was executed, and yet cancel() said True; a cancel() before its start would have "
                f"kept it from starting, a later one would have said False (possible: {_spelled(before)})"
            )
            self.tally.blame("FUT-08", text, call, future=self.track.name, task=task)

    def _has_started(self) -> bool:
        """Whether the task is known to have entered its body by now."""
        return all(state.body is not Body.AHEAD for state, _ in self.now)

    def _task_event(self, kind: str) -> None:
        step = started if kind == "started" else finished
        onward = {(later, pending) for state, pending in self.now for later in step(state)}
        if not onward and kind == "started" and self.now:
            self._blame_start()
        self.now = frozenset(onward)

    def _blame_start(self) -> None:
        """A task started although its future was done: cancelled by its client, or ended some other way."""
        if all(state.phase is Phase.CANCELLED for state, _ in self.now):
            by_client = self.case.cancelled_since[self.track.name] < FOREVER
            rule, how = (
                ("FUT-08", "cancel() said True") if by_client else ("FUT-19", "a shutdown had cancelled it")
            )
            self.tally.blame(
                rule, f"{self.track.task.script.task} started although {how}", *self._cancels(),
                future=self.track.name, task=self.track.task.script.task,
            )  # fmt: skip
        elif all(state.phase is Phase.FINISHED for state, _ in self.now):
            name = self.track.task.script.task
            self.tally.blame(
                "FUT-19", f"{name} started after its future was done", future=self.track.name, task=name
            )

    def _cancels(self) -> list[Call]:
        return [
            call for call in self.track.calls if isinstance(call.step, op.Cancel) and call.value == "True"
        ]


def _spelled(states: Iterable[State]) -> str:
    return ", ".join(sorted(f"{state.phase} ({state.body} of its body)" for state in states))


@functools.cache
def _let_pass(now: frozenset[Configuration], around: Circumstances) -> frozenset[Configuration]:
    """Where a future may get to by itself while no call is in progress; there are few such sets."""
    return frozenset((state, ()) for state in closure(frozenset(state for state, _ in now), around))


_QUESTIONS: dict[type[op.Operation], tuple[Question, ...]] = {
    op.Cancel: ("cancel",),
    op.Running: ("running",),
    op.Cancelled: ("cancelled",),
    op.Done: ("done",),
}


def questions(call: Call) -> tuple[Question, ...]:
    """What a call asks the future's state machine."""
    match call.step:
        case op.Observe(times=times):
            return ("running", "cancelled", "done") * times
        case op.Result(timeout=timeout) | op.Error(timeout=timeout):
            return ("read" if timeout is None else "read in time",)
        case step:
            return _QUESTIONS.get(type(step), ())


def answers_of(call: Call, track: Track) -> tuple[str, ...]:
    """What a call heard, in the words of the model."""
    outcome = call.outcome
    if isinstance(outcome, States):
        return tuple("yes" if bit == "1" else "no" for each in outcome.seen for bit in each)
    if isinstance(call.step, op.Result | op.Error):
        return (_ending(outcome, track.task.script.task),)
    return ("yes",) if isinstance(outcome, Returned) and outcome.value == "True" else ("no",)


def _ending(outcome: object, task: str) -> str:
    """How a read ended."""
    if isinstance(outcome, Returned) and outcome.error is not None:
        return "broken" if outcome.error.breaks else "outcome"
    if isinstance(outcome, Raised):
        if outcome.task == task:
            return "outcome"
        if timed_out(outcome, task):
            return "timeout"
        if "CancelledError" in outcome.bases:
            return "cancelled"
        if outcome.breaks:
            return "broken"
    return "outcome"


def _find(pending: tuple[Pending, ...], call: int) -> Pending:
    return next(each for each in pending if each.call == call)


def _without(pending: tuple[Pending, ...], call: int) -> tuple[Pending, ...]:
    return tuple(each for each in pending if each.call != call)
