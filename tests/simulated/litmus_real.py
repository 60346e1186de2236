"""Litmus programs for real: each a number of times, in a process of its own that prints what came of them."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import queue
import sys
import threading
import time
from multiprocessing import connection, util
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

from tests.simulated.litmus import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulated.litmus import Litmus, Modules

_PATIENCE: Final = 60.0  # seconds, after which a thread is taken to be stuck for ever
_LATE: Final = 200  # turns of a loop


def _step() -> None:
    time.sleep(0)


def modules() -> Modules:
    """The real ones."""
    return SimpleNamespace(
        threading=threading, queue=queue, thread=importlib.import_module("_thread"), time=time, os=os,
        multiprocessing=multiprocessing, connection=connection, util=util,
        context=multiprocessing.get_context("fork"), step=_step,
    )  # fmt: skip


def play(litmus: Litmus, made_of: Modules, chance: Random) -> object:
    """The outcome of one run. The functions begin at the same time, or one of them a little later."""
    scenario = litmus.make(made_of)
    answers: list[object] = [None] * len(scenario.functions)
    ready: list[int] = []
    late = [chance.randrange(_LATE) for _ in answers]

    def act(place: int, function: Callable[[], object]) -> None:
        ready.append(place)
        while len(ready) < len(answers):
            pass
        for _ in range(late[place]):
            pass
        answers[place] = answer(function)

    threads = [
        threading.Thread(target=act, args=each, daemon=True) for each in enumerate(scenario.functions)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
        if thread.is_alive():
            sys.stdout.write(f"{litmus.name} is stuck\n")
            sys.stdout.flush()
            os._exit(1)
    return scenario.ask(answers)


def main(catalogue: str, count: int) -> None:
    """Print, as JSON, how often each outcome of each program came, the outcomes by their `repr`."""
    sys.setswitchinterval(1e-6)
    made_of, chance = modules(), Random(0)  # noqa: S311 - no secrets
    seen: dict[str, dict[str, int]] = {}
    for litmus in importlib.import_module(catalogue).CATALOGUE.programs:
        counts = seen[litmus.name] = dict[str, int]()
        for _ in range(count if litmus.real else 0):
            outcome = repr(play(litmus, made_of, chance))
            counts[outcome] = counts.get(outcome, 0) + 1
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
