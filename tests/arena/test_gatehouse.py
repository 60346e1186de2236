"""The gates' own side: who knows the key is heard, everybody else is hung up on."""

from __future__ import annotations

import json
import selectors
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.arenas.real import puppet
from harness.arenas.real.gatehouse import Gatehouse

if TYPE_CHECKING:
    from collections.abc import Iterator


class House:
    """A gatehouse that is served on request, and what was reported to it."""

    def __init__(self) -> None:
        """Open it."""
        self.selector = selectors.DefaultSelector()
        self.reports: list[dict[str, Any]] = []
        self.gates = Gatehouse(self.selector, self.reports.append)
        self.gates.begin("r1")

    def serve(self) -> None:
        """Do all that is to be done now."""
        while ready := self.selector.select(0):
            for key, _ in ready:
                key.data()

    def connect(self) -> socket.socket:
        """A line to it, as a puppet would open one."""
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.connect(self.gates.address)
        line.settimeout(5)
        return line


@pytest.fixture
def house() -> Iterator[House]:
    """An open gatehouse; when it closes, its socket is removed."""
    house = House()
    yield house
    house.gates.close()
    house.selector.close()
    assert not Path(house.gates.address).parent.exists()


def _text(*messages: object) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def _has_news(line: socket.socket) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        return bool(selector.select(0))


def _hung_up(line: socket.socket) -> bool:
    """Whether the other end was closed, with or without having read all that was sent."""
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True


STARTED = {"do": "started", "run": "r1", "task": "t0", "pid": 1, "thread": 1, "intact": True, "at": 1}
GATE = {"do": "gate", "run": "r1", "gate": "g0"}


@pytest.mark.parametrize(
    "greeting",
    [
        _text({"key": "wrong"}),
        _text({"pid": 1}),
        _text({"key": None}),
        _text({"key": "schlüssel"}),
        _text(["key"]),
        _text("key"),
        _text(STARTED),
        b"not json\n",
        b"\xff\xfe\n",
        b"\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_who_does_not_know_the_key_is_hung_up_on(house: House, greeting: bytes) -> None:
    """A line that begins with anything but the key is closed, and nothing it says is heard."""
    with house.connect() as line:
        line.sendall(greeting)
        house.serve()
        assert _hung_up(line)
    assert house.reports == []


@pytest.mark.parametrize("message", [b"[]\n", b"3\n", b"null\n", b"no json\n"])
def test_nonsense_from_a_trusted_line_ends_it(house: House, message: bytes) -> None:
    """A line that knows the key and then says what is no message is closed."""
    with house.connect() as line:
        line.sendall(_text({"key": house.gates.key}) + message)
        house.serve()
        assert _hung_up(line)
    assert house.reports == []


def test_a_puppet_with_the_key_is_heard(house: House) -> None:
    """Reports of the present run arrive as they were sent, also when they come in pieces."""
    with house.connect() as line:
        whole = _text({"key": house.gates.key}, STARTED)
        for part in (whole[:7], whole[7:60], whole[60:]):
            line.sendall(part)
            house.serve()
    assert house.reports == [STARTED]


def test_a_puppet_of_an_earlier_run_is_not_heard(house: House) -> None:
    """What a task of a program that is over still says is ignored, and no gate opens for it."""
    with house.connect() as line:
        line.sendall(_text({"key": house.gates.key}))
        house.serve()
        house.gates.begin("r2")
        house.gates.open("g0")
        line.sendall(_text(STARTED, GATE))
        house.serve()
        assert not _has_news(line)
    assert house.reports == []


def test_a_gate_holds_until_it_opens(house: House) -> None:
    """Who waits at a closed gate hears nothing; when it opens, each of them goes on, and later ones pass."""
    with house.connect() as first, house.connect() as second, house.connect() as late:
        for line in (first, second):
            line.sendall(_text({"key": house.gates.key}, GATE))
        house.serve()
        assert not _has_news(first)
        assert not _has_news(second)
        house.gates.open("g0")
        late.sendall(_text({"key": house.gates.key}, GATE))
        house.serve()
        assert [line.recv(1) for line in (first, second, late)] == [b"."] * 3


def test_a_new_run_closes_all_gates(house: House) -> None:
    """A gate that was open in the last program is closed in the next."""
    house.gates.open("g0")
    house.gates.begin("r2")
    with house.connect() as line:
        line.sendall(_text({"key": house.gates.key}, {**GATE, "run": "r2"}))
        house.serve()
        assert not _has_news(line)


def test_a_puppet_that_died_at_its_gate_harms_nobody(house: House) -> None:
    """Opening a gate at which a dead puppet stands lets the living go on."""
    with house.connect() as living:
        dead = house.connect()
        for line in (dead, living):
            line.sendall(_text({"key": house.gates.key}, GATE))
        house.serve()
        dead.close()
        house.gates.open("g0")
        house.serve()
        assert living.recv(1) == b"."


def _hang_up_here() -> None:
    """Close this thread's line: a worker's is closed when its process ends."""
    puppet._lines.line.socket.close()  # noqa: SLF001 - there is no need for it elsewhere


def test_a_real_puppet_plays_by_the_gates(house: House) -> None:
    """`play` connects, reports, waits at its gate and returns its parcel when that opens."""
    ticket = puppet.Ticket(
        run="r1", task="t0", gates=("g0",), ending=("return", "parcel", 3), argument=0, call="plain",
        address=house.gates.address, key=house.gates.key,
    )  # fmt: skip
    args, keywords = puppet.arguments(ticket)
    answers: list[object] = []

    def play() -> None:
        answers.append(puppet.play(ticket, *args, **keywords))
        _hang_up_here()

    player = threading.Thread(target=play)
    player.start()
    while not house.reports:
        for key, _ in house.selector.select(5):
            key.data()
    assert [report["do"] for report in house.reports] == ["started"]
    assert house.reports[0]["intact"]
    house.gates.open("g0")
    while len(house.reports) < 2:  # noqa: PLR2004 - started and finished
        for key, _ in house.selector.select(5):
            key.data()
    player.join()
    (parcel,) = answers
    assert isinstance(parcel, puppet.Parcel)
    assert (parcel.task, len(parcel.body), parcel.whole()) == ("t0", 3, True)


def test_a_real_puppet_with_a_wrong_key_fails(house: House) -> None:
    """A task whose ticket has another key ends with an error instead of waiting for ever."""
    ticket = puppet.Ticket(
        run="r1", task="t0", gates=("g0",), ending=("return", "parcel", 3), argument=0, call="plain",
        address=house.gates.address, key="wrong",
    )  # fmt: skip
    args, keywords = puppet.arguments(ticket)
    errors: list[OSError] = []

    def play() -> None:
        try:
            puppet.play(ticket, *args, **keywords)
        except OSError as error:
            errors.append(error)
        _hang_up_here()

    player = threading.Thread(target=play)
    player.start()
    while player.is_alive():
        for key, _ in house.selector.select(0.01):
            key.data()
    assert len(errors) == 1
    assert house.reports == []
