"""Where the rest of a program is played, if not by the main program: at its end, in a fork, in an import.

Whoever plays it takes the line to the harness along: the main thread is in no position to use it any more.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Protocol

from harness.arenas.real import puppet

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.arenas.real.stage import Stage
    from harness.values.operation import Place

_BODY = "harness.arenas.real.body"


class Household(Protocol):
    """What a player takes along."""

    @property
    def stage(self) -> Stage: ...  # noqa: D102 - described above

    def move_in(self) -> None:
        """Make this process, forked from that of the player, home for record and puppets."""


def turn(to: Place, player: Household, go_on: Callable[[], bool]) -> bool:
    """Have somebody else go on with the program; returns what that returns if this process goes on, too.

    Raises:
        SystemExit: the main program is over.
    """
    match to:
        case "a module body":
            return _in_a_module_body(player.stage, go_on)
        case "a forked child":
            return _in_a_forked_child(player, go_on)
        case "a late thread":
            _in_a_late_thread(go_on)
        case "exit functions":
            atexit.register(_unless_forked(go_on))
            _when_exit_begins(player.stage.open_all_gates)
        case "the end":
            _when_exit_begins(go_on)
    _unhook()
    raise SystemExit(0)


def _in_a_module_body(stage: Stage, go_on: Callable[[], bool]) -> bool:
    """Import a module that goes on in its body, with its own function for a task."""
    answers: list[bool] = []

    def continuation(play: Callable[..., object]) -> None:
        stage.play = play
        answers.append(go_on())

    puppet.continuation = (os.getpid(), continuation)
    try:
        importlib.import_module(_BODY)
    finally:
        puppet.continuation = None
        sys.modules.pop(_BODY, None)
    return answers[0]


def _in_a_forked_child(player: Household, go_on: Callable[[], bool]) -> bool:
    """Go on in a child that then exits as any program does; this process ends as the child did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads is what is tested
        child = os.fork()
    if child == 0:
        player.move_in()
        player.stage.raise_curtain(fresh=True)
        go_on()
        _unhook()
        raise SystemExit(0)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _unhook() -> None:
    """Our own hooks do not work any more when the interpreter takes its modules apart: the usual ones do.

    What is warned of depends on the environment, and an executor is judged by what it says in any.
    """
    warnings.simplefilter("ignore")
    threading.excepthook = threading.__excepthook__
    sys.unraisablehook = sys.__unraisablehook__


def _in_a_late_thread(go_on: Callable[[], bool]) -> None:
    """Start a thread that goes on when the main program has ended, and no executor has heard of it yet.

    To wait for the main thread would be too late: in some versions it counts as alive until pools are closed.
    """
    ended = threading.Event()

    def late() -> None:
        ended.wait()
        go_on()

    thread = threading.Thread(target=late, name="late thread")
    thread.start()

    def let_it_go_on() -> None:
        ended.set()
        thread.join()

    _when_exit_begins(let_it_go_on)


def _when_exit_begins(act: Callable[[], object]) -> None:
    """Call `act` when the main program has ended, before any executor hears of it.

    There is no public hook: `atexit` comes when all threads have been joined. Of these the last one
    registered is called first.
    """
    threading._register_atexit(_unless_forked(act))  # type: ignore[attr-defined]  # noqa: SLF001 - see above


def _unless_forked(act: Callable[[], object]) -> Callable[[], None]:
    """Workers that are forked inherit what is to be done at exit, and must not do it."""
    home = os.getpid()

    def acting() -> None:
        if os.getpid() == home:
            act()

    return acting
