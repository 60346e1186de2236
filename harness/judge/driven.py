"""Bare futures: does the sequential state machine explain all calls on one, in some order?

Nothing happens to a bare future but by calls of the program, so every answer is foretold up to the order of
calls that overlap. As in `states`, each future is judged on its own: a configuration is a state and how far
each call in progress has got; when none is left, the call that was just heard is to blame, and what it asked
in which phase names the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from harness.judge.case import FOREVER, Call, Case, timed_out
from harness.model.driven import NEW, Phase, State, cancel, claim, finish, look
from harness.values import operation as op
from harness.values.outcome import Raised, Returned, Split, States

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.judge.tally import Tally

_RULES: Final[dict[tuple[str, Phase], str]] = {
    ("claim", Phase.PENDING): "FUT-11",
    ("claim", Phase.RUNNING): "FUT-11",
    ("claim", Phase.CANCELLED): "FUT-11",
    ("claim", Phase.FINISHED): "FUT-11",
    ("set", Phase.PENDING): "FUT-13",
    ("set", Phase.RUNNING): "FUT-22",
    ("set", Phase.CANCELLED): "FUT-12",
    ("set", Phase.FINISHED): "FUT-12",
    ("cancel", Phase.PENDING): "FUT-04",
    ("cancel", Phase.RUNNING): "FUT-21",
    ("cancel", Phase.CANCELLED): "FUT-07",
    ("cancel", Phase.FINISHED): "FUT-06",
    ("look", Phase.PENDING): "FUT-23",
    ("look", Phase.RUNNING): "FUT-11",
    ("look", Phase.CANCELLED): "FUT-04",
    ("look", Phase.FINISHED): "FUT-22",
    ("read", Phase.CANCELLED): "RES-04",
    ("read", Phase.FINISHED): "FUT-22",
}
"""Which rule says what an answer must be, by what is asked and the phase in which it is asked."""

_SETTING = (op.SetResult, op.SetException)


class Question(NamedTuple):
    """One thing that a call asks or does, and how it was answered."""

    kind: str
    detail: str
    answer: str


Pending: TypeAlias = tuple[int, int]
"""A call in progress by its number, and how many of its questions are answered."""

Configuration: TypeAlias = tuple[State, frozenset[Pending]]


def judge_driven(case: Case, tally: Tally) -> None:
    """FUT-04, FUT-06, FUT-07, FUT-11 to FUT-15, FUT-21 to FUT-23, RES-04 and more, on every bare future."""
    for name in case.bare:
        _Explainer(case, tally, name).explain()
    for call in case.of(op.Wait):
        if isinstance(call.step, op.Wait) and isinstance(call.outcome, Split):
            _judge_members(case, tally, call, call.outcome)


class _Explainer:
    """Walks along the calls on one bare future with all the configurations that explain them so far."""

    def __init__(self, case: Case, tally: Tally, name: str) -> None:
        self.case = case
        self.tally = tally
        self.name = name
        self.calls = {call.index: call for call in case.about(name) if _asks(call)}
        self.questions = {index: _questions(call) for index, call in self.calls.items()}
        self.cancels_running = "cancels_running" in case.subject.capabilities
        self.now: frozenset[Configuration] = frozenset({(NEW, frozenset())})

    def explain(self) -> None:
        """Follow the calls until they end, or one of them cannot be explained."""
        for _, begins, call in sorted(self._events(), key=lambda event: event[0]):
            if begins:
                self.now = frozenset((state, pending | {(call.index, 0)}) for state, pending in self.now)
                self._let_happen()
            elif not self._hear(call):
                return

    def _events(self) -> Iterator[tuple[int, bool, Call]]:
        for call in self.calls.values():
            yield call.begin, True, call
            if call.end < FOREVER:
                yield call.end, False, call

    def _let_happen(self) -> None:
        """Let calls in progress take effect, in every order."""
        found = set(self.now)
        waiting = list(self.now)
        while waiting:
            state, pending = waiting.pop()
            for index, place in pending:
                for later in self._steps(state, index, place):
                    onward = (later, pending - {(index, place)} | {(index, place + 1)})
                    if onward not in found:
                        found.add(onward)
                        waiting.append(onward)
        self.now = frozenset(found)

    def _steps(self, state: State, index: int, place: int) -> tuple[State, ...]:
        asked = self.questions[index]
        if place == len(asked):
            return ()
        call = self.calls[index]
        if call.end == FOREVER:  # it may have taken effect, whatever it would have said
            return _silently(state, call)
        return self._answered(state, call, asked[place])

    def _answered(self, state: State, call: Call, asked: Question) -> tuple[State, ...]:
        """Where a question that was answered so leads to; nowhere if it cannot be answered so."""
        match asked.kind:
            case "cancel":
                return cancel(state, asked.answer, cancels_running=self.cancels_running)
            case "claim":
                return claim(state, asked.answer)
            case "set":
                return finish(state, asked.answer, call.index)
            case "look":
                return look(state, asked.detail, asked.answer)
            case "repr":
                return (state,) if state.phase in asked.answer else ()
            case _:
                return (state,) if self._reads(state, call) else ()

    def _reads(self, state: State, call: Call) -> bool:
        """Whether a read may end as it did."""
        match state.phase:
            case Phase.CANCELLED:
                return isinstance(call.outcome, Raised) and call.outcome.error == "CancelledError"
            case Phase.FINISHED:
                return gives(self.case.calls_by_index[state.by], call)
            case _:
                return timed_out(call.outcome, None) and getattr(call.step, "timeout", None) is not None

    def _hear(self, call: Call) -> bool:
        """A call ended: keep what agrees with it, or name the rule."""
        asked = self.questions[call.index]
        kept = {
            (state, pending - {(call.index, len(asked))})
            for state, pending in self.now
            if (call.index, len(asked)) in pending
        }
        if not kept:
            self._blame(call)
            return False
        self._credit(call, {state.phase for state, _ in self.now})
        self.now = frozenset(kept)
        return True

    def _credit(self, call: Call, phases: set[Phase]) -> None:
        """The rule was met if there was one phase only in which the call can have been answered."""
        asked = self.questions[call.index][0]
        before = phases if asked.kind in ("look", "read", "repr") else self._phases_before(call)
        if len(before) == 1:
            self.tally.hold(self._rule(call, asked, next(iter(before))))
        for rule in self._raced(call):
            self.tally.hold(rule)

    def _phases_before(self, call: Call) -> set[Phase]:
        """The phases in which the call has not yet taken effect."""
        return {state.phase for state, pending in self.now if (call.index, 0) in pending}

    def _blame(self, call: Call) -> None:
        asked = self.questions[call.index]
        place = max(place for _, pending in self.now for index, place in pending if index == call.index)
        stuck = {state for state, pending in self.now if (call.index, place) in pending}
        phase = self._phase_of(call, stuck)
        rule = next(self._raced(call), "") or self._rule(call, asked[place], phase)
        possible = ", ".join(sorted({state.phase for state in stuck}))
        text = f"{self.name} can only be {possible} here"
        setters = [self.case.calls_by_index[state.by] for state in stuck if state.by >= 0]
        self.tally.blame(rule, text, *setters[:1], call, future=self.name)

    @staticmethod
    def _phase_of(call: Call, possible: set[State]) -> Phase:
        """The phase that names the rule: a read without a timeout has to wait for one that is an end."""
        over = {state for state in possible if state.phase in (Phase.CANCELLED, Phase.FINISHED)}
        unhurried = isinstance(call.step, op.Result | op.Error) and call.step.timeout is None
        return max(over if over and unhurried else possible).phase

    def _rule(self, call: Call, asked: Question, phase: Phase) -> str:
        if asked.kind == "repr":
            return "FUT-16"
        if asked.kind == "read" and phase in (Phase.PENDING, Phase.RUNNING):
            timeout = getattr(call.step, "timeout", None)
            return "RES-05" if timeout is None or timeout > 0 else "RES-07"
        if asked.kind == "read" and any(gives(each, call) for each in self._refused()):
            return "FUT-12"
        return _RULES[asked.kind, phase]

    def _refused(self) -> list[Call]:
        """The calls that were refused, since the future was done."""
        return [call for call in self.calls.values() if _refused(call)]

    def _raced(self, call: Call) -> Iterator[str]:
        """FUT-14 and FUT-15, for a call that is one of two rivals which were made at the same time."""
        for rival in self.calls.values():
            if rival is call or rival.end == FOREVER or rival.begin > call.end or call.begin > rival.end:
                continue
            one, other = (call, rival) if isinstance(call.step, op.Cancel) else (rival, call)
            if not isinstance(one.step, op.Cancel):
                continue
            if isinstance(other.step, op.Claim) and other.value in ("True", "False"):
                yield "FUT-14"
            if isinstance(other.step, _SETTING) and self._claimed_before(min(one.begin, other.begin)):
                yield "FUT-15"

    def _claimed_before(self, stamp: int) -> bool:
        """Whether it was surely running by then, if it was not done."""
        return any(
            isinstance(each.step, op.Claim) and each.value == "True" and each.end < stamp
            for each in self.calls.values()
        )


def _silently(state: State, call: Call) -> tuple[State, ...]:
    """Where a call that never came back may have led to."""
    match call.step:
        case op.Cancel():
            answers: tuple[State, ...] = tuple(
                later for word in ("yes", "no") for later in cancel(state, word)
            )
        case op.Claim():
            answers = tuple(later for word in ("yes", "no", "raised") for later in claim(state, word))
        case op.SetResult() | op.SetException():
            answers = tuple(later for word in ("set", "refused") for later in finish(state, word, call.index))
        case _:
            answers = ()
    return answers


def gives(setter: Call, read: Call) -> bool:
    """Whether a read gave what a setting call had been given, the very object."""
    wants_error = isinstance(read.step, op.Error)
    returned = read.outcome if isinstance(read.outcome, Returned) else None
    match setter.step:
        case op.SetResult() if wants_error:
            return returned is not None and returned.value == "None"
        case op.SetResult(value="none"):
            return returned is not None and returned.value == "None"
        case op.SetResult(value="exception", mark=mark):
            error = returned.error if returned is not None else None
            return error is not None and error.error == "ValueError" and error.message == mark
        case op.SetResult(mark=mark):
            whole = returned is not None and returned.value == f"parcel {mark} whole 0"
            return whole and returned is not None and returned.same is not False
        case op.SetException(mark=mark, error=name):
            error = read.outcome if isinstance(read.outcome, Raised) and not wants_error else None
            if wants_error and returned is not None:
                error = returned.error
            known = setter.outcome.error if isinstance(setter.outcome, Returned) else None
            same = known is None or (error is not None and known.serial == error.serial)
            return error is not None and error.error == name and error.message == mark and same
        case _:
            return False


def _asks(call: Call) -> bool:
    return bool(_questions(call)) or call.end == FOREVER


def _questions(call: Call) -> tuple[Question, ...]:  # noqa: PLR0911 - one table, a row for each kind of call
    """What a call asks of a bare future or does to it, with the answers."""
    outcome = call.outcome
    match call.step, outcome:
        case op.Observe(times=times), States(seen=seen):
            return tuple(
                Question("look", name, "yes" if bit == "1" else "no")
                for each in seen
                for name, bit in zip(("running", "cancelled", "done"), each, strict=True)
            )
        case op.Observe(times=times), _:
            return (Question("look", "done", "raised"),) * min(1, times)
        case (op.Running() | op.Cancelled() | op.Done()) as step, _:
            return (Question("look", type(step).__name__.lower(), _yes_or_no(outcome)),)
        case op.Cancel(), _:
            return (Question("cancel", "", _yes_or_no(outcome)),)
        case op.Claim(), _:
            return (Question("claim", "", _yes_or_no(outcome)),)
        case ((op.SetResult() | op.SetException()), _):
            word = "refused" if _refused(call) else "set" if isinstance(outcome, Returned) else "raised"
            return (Question("set", "", word),)
        case op.Repr(), _:
            return (Question("repr", "", call.value.lower()),)
        case ((op.Result() | op.Error()), _):
            return (Question("read", "", ""),)
        case _:
            return ()


def _yes_or_no(outcome: object) -> str:
    if not isinstance(outcome, Returned):
        return "raised"
    return {"True": "yes", "False": "no"}.get(outcome.value, outcome.value)


def _refused(call: Call) -> bool:
    """Whether an outcome was refused because the future was done."""
    setting = isinstance(call.step, op.SetResult | op.SetException)
    return setting and isinstance(call.outcome, Raised) and "InvalidStateError" in call.outcome.bases


def _judge_members(case: Case, tally: Tally, call: Call, split: Split) -> None:
    """WAIT-06: who surely was done before the call is in `done`, and who surely was not is not."""
    for name in split.not_done:
        proof = _told(case, name) if name in case.bare else None
        if proof is not None and proof.end < call.begin:
            text = f"{name} was done before the call and is in not_done"
            tally.blame("WAIT-06", text, proof, call, shape="finished", future=name)
    for name in split.done:
        if name in case.bare:
            ends = [each.begin for each in case.about(name) if isinstance(each.step, (*_SETTING, op.Cancel))]
            undone = min(ends, default=FOREVER) > call.end
            tally.check("WAIT-06", not undone, f"{name} is in done, and nobody ended it", call, future=name)


def _told(case: Case, name: str) -> Call | None:
    """The first call that proves a future done, and all who wait for it told."""
    for call in case.about(name):
        finished = isinstance(call.step, _SETTING) and isinstance(call.outcome, Returned)
        noticed = isinstance(call.step, op.Claim) and call.value == "False"
        if finished or noticed:
            return call
    return None
