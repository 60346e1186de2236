"""Nothing outlives its run, not even after `kill -9` of the harness; and what was running then is known."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.arenas.real.arena import Patience, RealArena
from harness.arenas.real.custody import Child, marked, sweep, sweep_the_dead
from harness.arenas.real.journal import Entry, Journal, left_behind
from harness.values.operation import Submit
from harness.values.program import Lane, Program, Script
from harness.values.subject import Subject
from tests.arena.oddities import FIFO

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TARGET = "tests.arena.oddities:TellsAndHangs"
PROGRAM = Program(
    tasks=(Script(task="t0"),), lanes=(Lane(operations=(Submit(executor="e0", future="f0", task="t0"),)),)
)
SCRIPT = """
import sys
from pathlib import Path
from harness.arenas.real.arena import Patience, RealArena
from harness.arenas.real.journal import Journal
from harness.values.program import Program
from harness.values.subject import Subject

folder = Path(sys.argv[1])
arena = RealArena(folder, Journal(folder / "journal"))
subject = Subject(name="s", target=sys.argv[2], kind="thread")
arena.run(subject, Program.from_json(sys.argv[3]), Patience(hang=1000.0, slow=1000.0))
"""


@pytest.fixture
def dead_run(tmp_path: Path) -> Iterator[tuple[Path, list[int]]]:
    """A run that was killed while its subject hung: its folder, and the pids of client and helper."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), TARGET, PROGRAM.to_json()]
    environment = os.environ | {FIFO: str(fifo), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, cwd=ROOT) as harness:  # noqa: S603 - our own script
        pids = [int(pid) for pid in fifo.read_text(encoding="ascii").split()]  # blocks until it hangs
        assert left_behind(tmp_path / "journal") == []  # its run is still on
        harness.send_signal(signal.SIGKILL)
    yield tmp_path, pids
    sweep_the_dead()


def _living(pids: list[int]) -> list[int]:
    return [pid for pid, _ in marked() if pid in pids]


def test_a_dead_run_is_swept(dead_run: tuple[Path, list[int]]) -> None:
    """The client and the helper of a run whose harness was killed wait for ever, but for a sweep."""
    _, pids = dead_run  # another test's sweep, in another process, may have come first
    sweep_the_dead()
    assert _living(pids) == []


def test_the_journal_tells_what_was_running(dead_run: tuple[Path, list[int]]) -> None:
    """After `kill -9` the program in flight and its subject are known, and told once."""
    folder = dead_run[0] / "journal"
    assert left_behind(folder) == [Entry(target=TARGET, program=PROGRAM.to_json())]
    assert left_behind(folder) == []
    assert list(folder.iterdir()) == []


def test_a_living_run_is_not_swept(arena: RealArena) -> None:
    """Sweeping harms nobody whose harness process lives: the client goes on."""
    subject = Subject(name="s", target="concurrent.futures:ThreadPoolExecutor", kind="thread")
    before = arena.run(subject, PROGRAM, Patience()).client
    sweep_the_dead()
    assert arena.run(subject, PROGRAM, Patience()).client == before


def test_sweeping_one_mark_leaves_others_alone(arena: RealArena) -> None:
    """A client carries a mark of its own, and ends with it only."""
    subject = Subject(name="s", target="concurrent.futures:ThreadPoolExecutor", kind="thread")
    client = arena.run(subject, PROGRAM, Patience()).client
    mark = dict(marked())[client]
    assert sweep(f"{mark}.other") == 0
    assert dict(marked())[client] == mark
    assert sweep(mark) == 1
    assert client not in dict(marked())


def test_a_child_ends_by_itself_when_the_harness_hangs_up(tmp_path: Path) -> None:
    """A child that is idle ends with status 0 when its line is closed."""
    child = Child(tmp_path)
    child.line.close()
    assert child.process.wait(timeout=20) == 0
    child.end()


def test_a_child_that_is_ended_does_not_leave_first(tmp_path: Path) -> None:
    """It is killed, not hung up on: were it to leave by itself, its family would be orphans, hard to find."""
    child = Child(tmp_path)
    child.end()
    assert child.exit_status() == -signal.SIGKILL


def test_a_journal_holds_the_last_program_only(tmp_path: Path) -> None:
    """A shorter note replaces a longer one whole; the journal of a living process is not told."""
    journal = Journal(tmp_path)
    journal.note("m:Long", "x" * 1000)
    journal.note("m:Short", "y")
    assert json.loads(journal.path.read_text(encoding="utf-8")) == {"target": "m:Short", "program": "y"}
    assert left_behind(tmp_path) == []
    journal.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"target": "m:C"}', "\udcff"])
def test_a_journal_that_was_cut_short_is_forgotten(tmp_path: Path, text: str) -> None:
    """A file that does not hold a whole note is removed and tells nothing."""
    (tmp_path / "1.999999999.json").write_bytes(text.encode(errors="surrogateescape"))
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_journals_tells_nothing(tmp_path: Path) -> None:
    """The first run of all finds nothing left behind, and no folder."""
    assert left_behind(tmp_path / "none") == []
