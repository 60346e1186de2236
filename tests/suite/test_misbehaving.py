"""Executors that break a rule are caught by that rule, with a small program and a token, whatever they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.suite.harness_run import left_alive, run_harness

if TYPE_CHECKING:
    from pathlib import Path

_MOST_OPERATIONS = 5  # before the epilogue


@pytest.mark.parametrize(
    ("name", "theme", "budget", "rules"),
    [
        ("RunsCancelled", "lifecycle", "20s", {"FUT-08"}),
        ("DropsQueued", "lifecycle", "20s", {"SHD-02"}),
        ("CallsBackTwice", "lifecycle", "15s", {"CB-01"}),
        ("HangsInSecondShutdown", "lifecycle", "15s", {"LIFE-02", "SHD-04"}),
        ("ExitsInSubmit", "lifecycle", "12s", {"LIFE-01"}),
        ("LosesKeywords", "lifecycle", "15s", {"SUB-01"}),
        ("LeavesHelper", "map", "10s", {"GC-01"}),
    ],
)
def test_a_fault_is_named_shrunk_and_replays(
    name: str, theme: str, budget: str, rules: set[str], tmp_path: Path
) -> None:
    """The right rule is named, with at most five operations, and its token fails again in another process."""
    target = f"tests.subjects.badly:{name}"
    run = run_harness(
        tmp_path, "--executor", target, "-k", theme, "--executor-seed", "1", "--executor-budget", budget
    )
    assert run.status == 1, run.out
    named = rules & run.sizes.keys()
    assert named, run.out
    assert min(run.sizes[rule] for rule in named) <= _MOST_OPERATIONS, run.out
    assert not left_alive(tmp_path)

    rule = min(named, key=lambda each: run.sizes[each])
    again = run_harness(tmp_path, "--executor", target, "--executor-replay", run.tokens[rule])
    assert again.status == 1, again.out
    assert f"broke {rule} in " in again.out
    assert "broke {rule} in 0 of" not in again.out
    assert not left_alive(tmp_path)


@pytest.mark.parametrize("name", ["HangsInSubmit", "Crashes", "FloodsStdout", "Forks", "LeaksDescriptors"])
def test_a_wild_subject_gets_a_verdict(name: str, tmp_path: Path) -> None:
    """A subject that hangs, crashes, floods, forks or leaks is judged; it does not end the run."""
    run = run_harness(
        tmp_path, "--executor", f"tests.subjects.badly:{name}", "-k", "map",
        "--executor-seed", "1", "--executor-budget", "6s",
    )  # fmt: skip
    assert run.status in {0, 1}, run.out + run.err
    assert "executor conformance" in run.out
    assert "INTERNALERROR" not in run.out
    assert "water" not in run.out
    assert not left_alive(tmp_path)


def test_a_hang_ends_long_before_the_backstop(tmp_path: Path) -> None:
    """The harness's own limits end an item that hangs in every program; pytest-timeout's does not fire."""
    run = run_harness(
        tmp_path, "--executor", "tests.subjects.badly:HangsInSubmit", "-k", "lifecycle", "-v",
        "--executor-seed", "1", "--executor-budget", "6s", "--timeout", "60", "--setup-show",
    )  # fmt: skip
    assert run.status == 1, run.out
    assert "SUB-02" in run.out or "LIFE-02" in run.out
    assert "stacks of the client" in run.out
    assert "Timeout" not in run.out
    assert "1 failed" in run.out
