"""Bad input is one sentence on stderr and exit code 2, with nothing left behind."""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from tests.suite.harness_run import left_alive, run_harness

if TYPE_CHECKING:
    from pathlib import Path


def unknown_operation() -> str:
    """A sound token whose content is from a version that does not exist yet."""
    data = json.dumps(
        {"program": {"lanes": [{"operations": [{"is": "teleport"}]}]}, "target": "a:B"}
    ).encode()
    body = urlsafe_b64encode(zlib.compress(data)).decode().rstrip("=")
    return f"exh1.{sha256(data).hexdigest()[:6]}.{body}"


CASES = {
    "no module": (["--executor", "nosuch.module:X"], "cannot import nosuch.module:X"),
    "no class": (
        ["--executor", "tests.subjects.badly:Nothing"],
        "cannot import tests.subjects.badly:Nothing",
    ),
    "no executor": (["--executor", "tests.subjects.badly:NotAnExecutor"], "is no executor"),
    "no constructor": (["--executor", "tests.subjects.badly:RaisesInConstructor"], "no 2 workers to be had"),
    "no such capability": (
        ["--executor", "tests.subjects.badly:DeclaresFlying"],
        "names 'flying'",
    ),
    "no such death": (
        ["--executor", "tests.subjects.badly:DeclaresAnyDeath"],
        "one of breaks, heals",
    ),
    "no plain declaration": (["--executor", "tests.subjects.badly:DeclaresAnObject"], "is no dict of names"),
    "no import path": (["--executor", "rubbish"], "write package.module:Class"),
    "profile": (["--executor-profile", "huge"], "take one of quick, ci, nightly"),
    "glob": (["--executor-rules", "XYZ-*"], "see --executor-list-rules"),
    "duration": (["--executor-budget", "soon"], "write it like 90s, 2m or 1.5h"),
    "hang": (["--executor-hang-after", "0"], "write it like 90s, 2m or 1.5h"),
    "seed": (["--executor-seed", "-1"], "give a whole number"),
    "damaged token": (["--executor-replay", "exh1.abcdef.zzzz"], "copy it again, whole"),
    "future token": (["--executor-replay", "exh9.abcdef.zzzz"], "this version reads 'exh1' only"),
    "foreign token": (["--executor-replay", unknown_operation()], "does not know"),
    "no token": (["--executor-replay", "QQQQQQ"], "there is no token 'QQQQQQ' here"),
    "baseline": (["--executor-baseline", "no/such/folder/file"], "make the folder"),
    "ini": (["-o", "executor_profile=huge"], "take one of quick, ci, nightly"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_sentence(case: str, tmp_path: Path) -> None:
    """The run ends with exit code 2 and a sentence that says what to do."""
    arguments, sentence = CASES[case]
    check(tmp_path, arguments, sentence)


@pytest.mark.parametrize("case", ["no executor", "profile", "damaged token", "ini"])
def test_bad_input_is_one_sentence_in_several_processes(case: str, tmp_path: Path) -> None:
    """It is said once, by the controller, whatever the workers think of it."""
    arguments, sentence = CASES[case]
    check(tmp_path, ["-n", "2", *arguments], sentence)


def check(folder: Path, arguments: list[str], sentence: str) -> None:
    """Run with bad input and look at everything it must and must not do."""
    run = run_harness(folder, *arguments)
    assert run.status == 2, run.out + run.err  # noqa: PLR2004 - the exit code for usage
    assert len(run.err.splitlines()) == 1, run.err
    assert run.err.startswith("executor-harness: ")
    assert sentence in run.err
    assert "Traceback" not in run.out
    assert not left_alive(folder)
    journal = folder / ".executor-harness" / "journal"
    assert not journal.exists() or not list(journal.iterdir())
