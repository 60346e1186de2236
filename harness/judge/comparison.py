"""Two runs of the same program, compared: where did the executors part, although each may be right?

Only what is *determined* is compared, since all else differs from run to run of one and the same executor:

* what a call about a future says, if the model knows a single answer to it, given what was seen before;
* what `wait` returns, if it waits for all, or if it is sure of each future whether it was done;
* what `map` yields, unless a timeout, a cancelling shutdown or a dying worker had a say; what an
  `as_completed` yields without regard to order;
* whether a call returns, and the class of what it raises, while no worker has died;
* facts that hang on nothing: signatures, what a constructor refuses, how often a callback was called.

A call that changes something and ended differently gives the two runs different pasts, whether it was
determined or not: nothing after it is compared. The same goes for one future whose past was heard to differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.case import FOREVER
from harness.judge.spelling import answer
from harness.judge.states import foretold, phases_during
from harness.model.future import Phase
from harness.values import operation as op
from harness.values.outcome import Drained, Facts, Mapped, Outcome, Raised, Returned, Split, Submitted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.judge.case import Call, Case

_TURNS = (op.Submit, op.Cancel, op.Map, op.Close, op.Shutdown, op.Enter, op.Leave, op.Kill)
_DONE = frozenset({Phase.FINISHED, Phase.CANCELLED, Phase.BROKEN})
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_SYMBOL = re.compile(r"\b([a-z])\d+\b")
_NEVER = "never returns"
_BETWEEN_FACTS = "; "


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call of a program that ended differently in two runs, and how it ended here and there."""

    call: int
    step: op.Operation
    ours: str
    theirs: str

    @property
    def kind(self) -> tuple[str, str, str]:
        """What makes two differences the same kind: the operation and the outcomes, without the symbols."""
        return type(self.step).__name__, nameless(self.ours), nameless(self.theirs)


def comparable(case: Case) -> bool:
    """Whether a run may be compared: it came to its end, and only one client made calls.

    What is wrong with a run that did not end, a rule says already; what several clients hear depends on who
    was faster.
    """
    return case.complete() and len(case.program.lanes) == 1


def compare(ours: Case, theirs: Case) -> tuple[Difference, ...]:
    """Compare two runs of the same program; the differences come in the order of the calls.

    Both runs must be `comparable`. Equal ones, or such as differ in what is not determined, give none.
    """
    here, there = _Reading(ours), _Reading(theirs)
    found: list[Difference] = []
    parted: set[str] = set()
    for mine, other in zip(ours.calls, theirs.calls, strict=False):
        if parted.isdisjoint(names_in(mine.step)):
            word, counterpart = here.word(mine), there.word(other)
            if word is not None and counterpart is not None and word != counterpart:
                found.append(_difference(mine, word, counterpart))
        if FOREVER in (mine.end, other.end):
            return tuple(found)
        if _told(mine.outcome) != _told(other.outcome):
            if isinstance(mine.step, _TURNS):
                return tuple(found)
            parted.update(names_in(mine.step))
    return (*found, *_callbacks(ours, theirs)) if ours.complete() and theirs.complete() else tuple(found)


def _difference(call: Call, ours: str, theirs: str) -> Difference:
    """A difference; of several facts only those that differ."""
    if isinstance(call.outcome, Facts):
        here, there = ours.split(_BETWEEN_FACTS), theirs.split(_BETWEEN_FACTS)
        ours = _BETWEEN_FACTS.join(fact for fact in here if fact not in there)
        theirs = _BETWEEN_FACTS.join(fact for fact in there if fact not in here)
    return Difference(call=call.index, step=call.step, ours=ours, theirs=theirs)


def names_in(step: op.Operation) -> tuple[str, ...]:
    """The futures and iterators that an operation is about."""
    single = (getattr(step, "future", ""), getattr(step, "iterator", ""))
    return (*filter(None, single), *getattr(step, "futures", ()))


def _callbacks(ours: Case, theirs: Case) -> Iterator[Difference]:
    """How often each callback was called in two whole runs."""
    for call in ours.of(op.AddCallback):
        name = getattr(call.step, "callback", "")
        here, there = (sum(event.callback == name for event in case.callbacks) for case in (ours, theirs))
        if here != there and not _shaken(ours) and not _shaken(theirs):
            yield Difference(
                call=call.index, step=call.step, ours=f"called {here} times", theirs=f"called {there} times"
            )


def _shaken(case: Case) -> bool:
    """Whether a worker of any executor died, or could not be started."""
    return case.starved_since < FOREVER or any(stamp < FOREVER for stamp in case.deaths.values())


class _Reading:
    """One run, read for what is determined in it."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._foretold: dict[int, tuple[str, ...]] = {}
        for track in case.tracks.values():
            self._foretold |= foretold(case, track)
        self._maps = {call.step.iterator: call.step for call in case.calls if isinstance(call.step, op.Map)}
        self._advanced = {call.step.iterator for call in case.calls if isinstance(call.step, op.Next)}
        self._timed = {
            call.step.iterator
            for call in case.calls
            if isinstance(call.step, op.Map | op.AsCompleted) and call.step.timeout is not None
        }
        self._unsettled = {  # a callback shuts these down, nobody knows when
            call.step.executor
            for call in case.calls
            if isinstance(call.step, op.AddCallback) and call.step.deed == "shutdown"
        }

    def word(self, call: Call) -> str | None:  # noqa: PLR0911 - one table, a row for each kind of operation
        """How the call ended, in a word that may be compared; None if that is not determined."""
        if call.end < FOREVER and not call.answered:
            return None
        match call.step:
            case op.Cancel() | op.Running() | op.Cancelled() | op.Done() | op.Observe():
                return _told(call.outcome) if call.index in self._foretold else None
            case op.Result() | op.Error():
                return _told(call.outcome) if call.index in self._foretold else None
            case op.Repr(future=name):
                return _told(call.outcome) if len(self._phases(name, call)) == 1 else None
            case op.Submit(executor=name) | op.Map(executor=name):
                return self._of_executor(name, call)
            case op.Shutdown(executor=name) | op.Leave(executor=name):
                return self._of_executor(name, call)
            case op.Wait():
                return self._of_wait(call.step, call)
            case op.Next(iterator=name) | op.Drain(iterator=name):
                return self._of_iterator(name, call)
            case op.Enter() | op.AddCallback() | op.AsCompleted() | op.Construct() | op.Inspect():
                return _told(call.outcome)
            case _:
                return None

    def _of_executor(self, name: str, call: Call) -> str | None:
        steady = name not in self._unsettled and self._case.deaths[name] >= call.end
        return _told(call.outcome) if steady else None

    def _of_wait(self, step: op.Wait, call: Call) -> str | None:
        patient = step.timeout is None and step.return_when == "ALL_COMPLETED"
        if patient or isinstance(call.outcome, Raised):
            return _told(call.outcome)
        sure = all(self._decided(name, call) for name in step.futures)
        return _told(call.outcome) if sure and call.end < FOREVER else None

    def _decided(self, name: str, call: Call) -> bool:
        """Whether it is sure that a future was done all the time, or never."""
        phases = self._phases(name, call)
        return bool(phases) and (phases <= _DONE or not phases & _DONE)

    def _phases(self, name: str, call: Call) -> frozenset[Phase]:
        track = self._case.tracks.get(name)
        return frozenset() if track is None else phases_during(self._case, track, call)

    def _of_iterator(self, name: str, call: Call) -> str | None:
        if name in self._timed or call.end == FOREVER:
            return None
        source = self._maps.get(name)
        if source is None:
            if name in self._advanced or not isinstance(call.outcome, Drained):
                return None  # which future comes first is nobody's promise
            return f"{' '.join(sorted(call.outcome.items))}, {_end(call.outcome)}"
        executor = source.executor
        unhurt = min(self._case.deaths[executor], self._case.cancelling_since(executor)) > call.end
        return _told(call.outcome) if unhurt and executor not in self._unsettled else None


def _told(outcome: Outcome | None) -> str:  # noqa: PLR0911 - one table, a row for each outcome
    """An outcome without what no rule speaks of: messages, addresses, which object it is."""
    match outcome:
        case None:
            return _NEVER
        case Returned(value=value):
            return f"returns {_ADDRESS.sub('0x…', value)}"
        case Raised():
            return f"raises {_name(outcome)}"
        case Split(done=done, not_done=not_done):
            return f"done {{{', '.join(sorted(done))}}}, not done {{{', '.join(sorted(not_done))}}}"
        case Drained(items=items):
            return f"{', '.join(items)}, {_end(outcome)}"
        case Submitted(is_future=is_future):
            return "returns a Future" if is_future else "returns no Future"
        case Mapped(pulled=pulled):
            return f"returns an iterator, {pulled} inputs read"
        case Facts(lines=lines):
            return _BETWEEN_FACTS.join(lines)
        case _:
            return answer(outcome).removeprefix("-> ")


def _name(error: Raised) -> str:
    """The class of an exception; of a broken pool only that it is broken, since each has its own."""
    return "BrokenExecutor" if "BrokenExecutor" in error.bases else error.error


def _end(outcome: Drained) -> str:
    return "stops" if outcome.end is None else f"raises {_name(outcome.end)}"


def nameless(text: str) -> str:
    """A text without the numbers of its symbols, so that ``f1`` and ``f2`` are the same."""
    return _SYMBOL.sub(r"\1", text)
