"""The worker's code, driven in this process over pipes that a test holds: the killed report nothing."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from reference_executor import _residents
from reference_executor._messages import (
    LEAVE,
    READY,
    Raised,
    RemoteTraceback,
    Returned,
    failure_in,
    format_remote,
    pack,
    pack_raised,
    unpack,
    unpack_raised,
)
from reference_executor._worker import Interrupts, serve
from tests.reference import reference_tasks as tasks

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def keep_handler() -> Iterator[None]:
    """Put back the handler of SIGINT, which a worker keeps for good."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def be_worker(*messages: Any, initializer: Any = None, max_tasks: int | None = None) -> list[Any]:  # noqa: ANN401
    """Be a worker that gets these messages, then end of file; return what it sends, packed."""
    call_reader, call_writer = multiprocessing.Pipe(duplex=False)
    result_reader, result_writer = multiprocessing.Pipe(duplex=False)
    with call_reader, result_reader:
        with call_writer:
            for message in messages:
                call_writer.send_bytes(message)
        with result_writer:
            serve(call_reader, result_writer, initializer, (), max_tasks)
        sent = []
        while True:
            try:
                sent.append(result_reader.recv_bytes())
            except EOFError:
                return sent[1:] if sent[0] == READY else sent


def call(fn: Any, *args: Any) -> Any:  # noqa: ANN401 - whatever a task is
    """Pack a call."""
    return pack((fn, args, {}))


def test_a_worker_answers_and_says_farewell() -> None:
    """Every call is answered; leaving is announced with the pid."""
    answers = [unpack(each) for each in be_worker(call(tasks.double, 2), call(tasks.fail, "no"), LEAVE)]
    assert answers[0] == Returned(4)
    assert isinstance(unpack_raised(answers[1]), ValueError)
    assert answers[2:] == [os.getpid()]
    assert not _residents.pipe_ends


def test_a_limited_worker_leaves_of_its_own_accord() -> None:
    """POOL-07: after its last task, whatever else is waiting."""
    answers = be_worker(*[call(tasks.double, n) for n in range(3)], max_tasks=2)
    assert [unpack(each) for each in answers] == [Returned(0), Returned(2), os.getpid()]


def test_a_worker_without_a_parent_leaves_quietly() -> None:
    """EXIT-06: end of file means that the parent is gone, and nobody is left to tell."""
    assert [unpack(each) for each in be_worker(call(tasks.double, 1))] == [Returned(2)]


def test_a_failing_initializer_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """POOL-06, BRK-12: with the traceback, and without a farewell."""
    with caplog.at_level(logging.CRITICAL, "concurrent.futures"):
        [message] = be_worker(LEAVE, initializer=tasks.raise_falsy)
    assert "FalsyError: seen" in str(failure_in(message))
    assert "Exception in initializer:" in caplog.text


def test_an_initializer_that_works_is_not_told() -> None:
    """POOL-05."""
    called: list[int] = []
    be_worker(LEAVE, initializer=lambda: called.append(1))
    assert called == [1]


@pytest.mark.parametrize("value", [tasks.NoPickle(), tasks.UnpicklableError(lambda: None)])
def test_results_that_cannot_be_pickled_become_errors(value: object) -> None:
    """PKL-02."""

    def give() -> object:
        return value

    globals()["give"] = give
    give.__qualname__ = "give"
    [answer, _] = be_worker(call(give), LEAVE)
    assert isinstance(unpack(answer), Raised)
    del globals()["give"]


class RaisesUnpicklable(Exception):  # noqa: N818 - it is more than an error
    """An exception whose pickling raises an exception that cannot be pickled either."""

    def __reduce__(self) -> NoReturn:
        """Raise it."""
        raise tasks.UnpicklableError(lambda: None)


class BecomesSomethingElse(Exception):  # noqa: N818 - the same
    """An exception that is none any more when it arrives."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Become a number."""
        return int, (1,)


class HostileText(Exception):  # noqa: N818 - the same
    """An exception that ends the interpreter when it is shown."""

    def __str__(self) -> str:
        """Try to."""
        raise SystemExit


def test_any_exception_can_be_sent() -> None:
    """PKL-03: what arrives is an exception, with the text of the remote traceback."""
    for error, arrives, text in [
        (ValueError("a"), ValueError, "ValueError: a"),
        (RaisesUnpicklable("b"), RuntimeError, "RaisesUnpicklable: b"),
        (BecomesSomethingElse("c"), TypeError, "BecomesSomethingElse: c"),
        (tasks.KeywordOnlyError(reason="d"), TypeError, "KeywordOnlyError: d"),
    ]:
        arrived = unpack_raised(unpack(pack_raised(error)))
        assert type(arrived) is arrives
        assert isinstance(arrived.__cause__, RemoteTraceback)
        assert text in str(arrived.__cause__)
    assert "HostileText" in format_remote(HostileText())


def test_interrupts_reach_calls_only() -> None:
    """BRK-13: SIGINT is held off while the worker is idle."""
    interrupts = Interrupts()
    interrupts.install(blocked=False)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupts.call(signal.raise_signal, (signal.SIGINT,), {})
    signal.raise_signal(signal.SIGINT)


def test_a_blocked_interrupt_is_unblocked() -> None:
    """BRK-13: SIGINT was blocked for the start; the handler comes first, then what was held up."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.raise_signal(signal.SIGINT)  # To this thread; `os.kill` might choose another one.
    Interrupts().install(blocked=True)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


def test_an_ignored_interrupt_stays_ignored() -> None:
    """BRK-13: the program that started us decided so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Interrupts().install(blocked=False)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_handlers_are_for_the_main_thread() -> None:
    """BRK-13: elsewhere a worker leaves signals alone."""
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=Interrupts().install, kwargs={"blocked": False})
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
