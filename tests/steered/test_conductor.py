"""The conductor keeps an order as far as reality allows, and never holds anybody for good."""

from __future__ import annotations

import pytest

from harness.arenas.steered.conductor import SETTLE, Conductor
from harness.arenas.steered.order import GO_ON, Step


class Notes:
    """An orchestra that writes down what it is told."""

    def __init__(self, *order: str) -> None:
        """Be conducted in an order of steps like ``a:acquire``."""
        self.heard: list[str] = []
        self.conductor = Conductor(tuple(Step(*each.split(":")) for each in order), self)

    def go(self, role: str) -> None:
        """Note who may go."""
        self.heard.append(role)

    def free(self, role: str) -> None:
        """Note who is free."""
        self.heard.append(f"{role}!")

    def strike(self, role: str) -> None:
        """Note a kill."""
        self.heard.append(f"{role} strikes")

    def news(self) -> list[str]:
        """What was said since the last time."""
        heard, self.heard = self.heard, []
        return heard


def test_threads_go_in_the_order_whoever_comes_first() -> None:
    """A thread that is early waits until those before it have done what they should."""
    notes = Notes("a:put", "b:get", "a:put")
    notes.conductor.arrive("b", "get")
    assert notes.news() == []
    notes.conductor.arrive("a", "put")
    assert notes.news() == ["a"]
    notes.conductor.arrive("a", "put")  # has done the first
    assert notes.news() == ["b"]
    notes.conductor.leave("b")
    assert notes.news() == ["a"]
    notes.conductor.arrive("a", "acquire")
    assert notes.news() == ["a!"]
    assert notes.conductor.followed


def test_one_has_the_word_until_it_announces_the_next_step() -> None:
    """The next in the order waits even if it is there already."""
    notes = Notes("a:put", "b:get")
    notes.conductor.arrive("a", "put")
    notes.conductor.arrive("b", "get")
    assert notes.news() == ["a"]
    notes.conductor.stand_back("a")
    assert notes.news() == ["b"]


def test_at_the_end_of_the_order_all_are_free() -> None:
    """Who waits is set free, and who comes later as well."""
    notes = Notes("a:put")
    notes.conductor.arrive("b", "get")
    notes.conductor.arrive("a", "put")
    notes.conductor.leave("a")
    notes.conductor.arrive("c", "get")
    assert notes.news() == ["a", "b!", "c!"]


def test_what_a_thread_leaves_out_is_dropped() -> None:
    """A thread that announces a later step of its own does not wait for those before it."""
    notes = Notes("a:acquire", "b:put", "a:released", "a:put")
    notes.conductor.arrive("a", "released")
    assert notes.news() == []
    notes.conductor.arrive("b", "put")
    notes.conductor.leave("b")
    assert notes.news() == ["b", "a"]
    assert notes.conductor.missed == 0


def test_what_nobody_expects_is_done_when_the_thread_is_next() -> None:
    """A step that is not in the order comes before the thread's next one that is."""
    notes = Notes("b:put", "a:put", "b:put")
    notes.conductor.arrive("a", "poll")
    assert notes.news() == []
    notes.conductor.arrive("b", "put")
    notes.conductor.arrive("b", "put")
    assert notes.news() == ["b", "a"]
    notes.conductor.arrive("a", "put")
    notes.conductor.leave("a")
    assert notes.news() == ["a", "b"]


def test_who_tries_in_vain_loses_its_place() -> None:
    """A thread that cannot go on, again and again, does not stop the others."""
    notes = Notes("a:put", "b:put")
    notes.conductor.arrive("b", "put")
    while not notes.conductor.missed:
        notes.conductor.arrive("a", GO_ON)
    heard = notes.news()
    assert heard == ["a"] * (len(heard) - 1) + ["b"]
    assert heard[0] == "a"


def test_who_does_not_come_loses_its_place() -> None:
    """When the time is up, all that the missing one should have done up to the next one's turn is dropped."""
    notes = Notes("a:put", "a:put", "b:put", "a:get")
    notes.conductor.arrive("b", "put")
    notes.conductor.expire()
    assert notes.news() == ["b"]
    notes.conductor.arrive("a", "get")
    notes.conductor.leave("b")
    assert notes.news() == ["a"]
    assert notes.conductor.missed == 1


def test_who_has_the_word_and_does_not_come_back_loses_it() -> None:
    """It is stopped by something that nobody announced; that alone is no miss."""
    notes = Notes("a:read", "b:put")
    notes.conductor.arrive("a", "read")
    notes.conductor.arrive("b", "put")
    notes.conductor.expire()
    assert notes.news() == ["a", "b"]
    assert notes.conductor.missed == 0


def test_an_order_that_nobody_keeps_is_given_up() -> None:
    """However long it is, only a few of its places are waited for."""
    notes = Notes(*(f"{'ab'[number % 2]}:put" for number in range(1000)))
    notes.conductor.arrive("c", "put")
    for _ in range(10):
        notes.conductor.expire()
    assert notes.news() == ["c!"]
    assert not notes.conductor.followed


def test_who_settles_goes_when_it_is_next() -> None:
    """It is no step of the order, and takes none away."""
    notes = Notes("b:put", "a:put")
    notes.conductor.arrive("a", SETTLE)
    notes.conductor.arrive("b", "put")
    notes.conductor.leave("b")
    assert notes.news() == ["b", "a"]
    notes.conductor.arrive("a", "put")
    assert notes.news() == ["a"]


def test_a_kill_comes_at_its_place() -> None:
    """It is withheld until those before it have done their steps."""
    notes = Notes("main:signal", "P1:acquire", "kill P1:kill", "main:join")
    notes.conductor.arrive("main", "signal")
    notes.conductor.aim("kill P1")
    notes.conductor.arrive("main", "join")
    assert notes.news() == ["main"]
    notes.conductor.arrive("P1", "acquire")
    assert notes.news() == ["P1"]
    notes.conductor.arrive("P1", "read")
    assert notes.news() == ["kill P1 strikes", "main"]


def test_a_kill_is_not_withheld_when_all_are_free() -> None:
    """Without an order, or after it, it comes at once."""
    notes = Notes()
    notes.conductor.aim("kill P1")
    assert notes.news() == ["kill P1 strikes"]


@pytest.mark.parametrize("order", [("a:put",), ("a:put", "kill P1:kill")])
def test_a_kill_that_is_still_withheld_at_the_end_comes_then(order: tuple[str, ...]) -> None:
    """No kill is forgotten, though in the simulated run it may not have come at all."""
    notes = Notes(*order)
    notes.conductor.aim("kill P1")
    assert notes.news() == []
    notes.conductor.finish()
    assert notes.news() == ["kill P1 strikes"]
