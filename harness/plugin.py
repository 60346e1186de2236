"""The pytest plugin: options, the items of the suite, the summary. It does nothing unless the suite is run.

Loaded in every pytest run where the package is installed, so it imports nothing heavy at the top.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from harness.workshop import Workshop

FIXTURE = "conformance"
_GROUP = "executor conformance"
_WORKSHOP: pytest.StashKey[Workshop] = pytest.StashKey()
_LAST_BACKSTOP = 3.0  # times an item's own limit, before pytest-timeout ends it all
_INTERRUPTED = 130

# Option, default, metavar, help; each is an ini key as well, with underscores.
_OPTIONS: tuple[tuple[str, str, str, str], ...] = (
    ("executor-profile", "quick", "NAME", "quick (under a minute), ci (five minutes), nightly (two hours)"),
    (
        "executor-budget",
        "",
        "DURATION",
        "wall time for the whole run, such as 90s, 2m or 1h (default: the profile's)",
    ),
    ("executor-rules", "", "GLOB,...", "only these rules: FUT-*, must, -should (default: all)"),
    ("executor-seed", "", "N", "the one seed of the run (default: random, and always printed)"),
    ("executor-replay", "", "TOKEN", "run nothing but this token: its text, its short id, or a file"),
    (
        "executor-hang-after",
        "",
        "DURATION",
        "nothing may move for this long before a call is said to hang (default: 250ms)",
    ),
    (
        "executor-baseline",
        "",
        "FILE",
        "accept what is broken in FILE, fail on what is new or gone; written if missing",
    ),
    ("executor-report", "", "DIR", "write results.json into DIR"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options and their ini keys."""
    group = parser.getgroup(_GROUP, "executor conformance (pytest harness)")
    group.addoption(
        "--executor", action="append", default=[], metavar="IMPORT",
        help="an executor to check, as package.module:Class; repeatable (default: the standard library's)",
    )  # fmt: skip
    parser.addini("executor", "executors to check, as package.module:Class", type="args", default=[])
    for name, default, metavar, text in _OPTIONS:
        group.addoption(f"--{name}", default=None, metavar=metavar, help=text)
        parser.addini(name.replace("-", "_"), text, default=default)
    group.addoption(
        "--executor-strict", action="store_true", default=False, help="a violated SHOULD fails the run, too"
    )
    parser.addini("executor_strict", "a violated SHOULD fails the run, too", type="bool", default=False)
    group.addoption(
        "--executor-no-deviations",
        action="store_true",
        default=False,
        help="excuse nothing, not even CPython",
    )
    parser.addini("executor_no_deviations", "excuse nothing, not even CPython", type="bool", default=False)
    group.addoption(
        "--executor-list-rules", action="store_true", default=False, help="print the rules and run nothing"
    )


def option(config: pytest.Config, name: str) -> str:
    """An option's value: from the command line, from the ini file, or the default."""
    given = config.getoption(f"--{name}")
    return str(given if given is not None else config.getini(name.replace("-", "_")))


def flag(config: pytest.Config, name: str) -> bool:
    """Whether a switch is on."""
    return bool(config.getoption(f"--{name}") or config.getini(name.replace("-", "_")))


def executors(config: pytest.Config) -> list[str]:
    """The executors that were asked for; none means the standard library's."""
    return list(config.getoption("--executor") or config.getini("executor"))


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Print the rules, if that is all that is wanted."""
    if not config.getoption("--executor-list-rules"):
        return None
    from harness.report.rules import rule_lines  # noqa: PLC0415 - only when asked

    print("\n".join(rule_lines()))  # noqa: T201 - the output of this option
    return 0


def pytest_configure(config: pytest.Config) -> None:
    """Check what was asked for before anything runs: one sentence, and exit code 2."""
    given = [name for name, *_ in _OPTIONS if config.getoption(f"--{name}") is not None]
    if (given or config.getoption("--executor")) and not hasattr(config, "workerinput"):
        workshop = workshop_of(config)
        distributed = str(config.getoption("dist", "no")) != "no"
        if distributed and config.getoption("--executor"):
            with _bad_input_ends_the_run():
                workshop.subjects()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist has no public types
    """Give every xdist worker the seed of the run."""
    node.workerinput["executor_seed"] = workshop_of(node.config).seed


def workshop_of(config: pytest.Config) -> Workshop:
    """The workshop of this process, made when first needed."""
    if _WORKSHOP not in config.stash:
        from harness.workshop import Workshop  # noqa: PLC0415 - only when asked

        with _bad_input_ends_the_run():
            config.stash[_WORKSHOP] = Workshop(config)
    return config.stash[_WORKSHOP]


class _bad_input_ends_the_run:  # noqa: N801 - reads as what it does
    """Turns bad input into one sentence and exit code 2."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            return
        from harness.workshop import BAD_INPUT  # noqa: PLC0415 - only when something went wrong

        if isinstance(error, BAD_INPUT):
            raise pytest.exit.Exception(f"executor-harness: {error}", returncode=2) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for every subject and theme, or one for a replay."""
    if FIXTURE in metafunc.fixturenames:
        workshop = workshop_of(metafunc.config)
        with _bad_input_ends_the_run():
            jobs = workshop.jobs()
        metafunc.parametrize(FIXTURE, jobs, ids=[job.name for job in jobs], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put pytest-timeout behind the harness's own limits, as the last backstop."""
    for item in items:
        if FIXTURE in getattr(item, "fixturenames", ()):
            limit = max(600.0, _LAST_BACKSTOP * workshop_of(config).budget)
            item.add_marker(pytest.mark.timeout(limit, method="thread"))


@pytest.fixture
def conformance(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - a callable the suite calls
    """What the suite's one test function calls: it searches, or replays, and fails with the text for people."""
    workshop = workshop_of(request.config)
    job = request.param

    def run() -> None:
        text, data = workshop.work(job)
        request.node.stash[_DATA] = data
        if text:
            pytest.fail(text, pytrace=False)

    return run


_DATA: pytest.StashKey[dict[str, Any]] = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Send what an item found along with its report: under xdist, that is how it reaches the controller."""
    outcome = yield
    if call.when == "call" and _DATA in item.stash:
        outcome.get_result().executor_harness = item.stash[_DATA]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect what the items found, in the process that prints."""
    data = getattr(report, "executor_harness", None)
    if data is not None:
        _collected.append(data)


_collected: list[dict[str, Any]] = []


def pytest_sessionstart() -> None:
    """Begin with nothing collected (a process may run several sessions)."""
    _collected.clear()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
    """Write the files of the run; an interrupted run ends with 130 and writes them all the same."""
    config = session.config
    if _WORKSHOP not in config.stash or hasattr(config, "workerinput"):
        return
    workshop = config.stash[_WORKSHOP]
    workshop.finish(_collected)
    if exitstatus == pytest.ExitCode.INTERRUPTED and workshop.worked:
        session.exitstatus = _INTERRUPTED
    elif exitstatus == pytest.ExitCode.OK and workshop.results.lost:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    if _WORKSHOP in config.stash and not hasattr(config, "workerinput"):
        lines = config.stash[_WORKSHOP].summary()
        if lines:
            terminalreporter.section(_GROUP)
            for line in lines:
                terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no process, file or socket behind."""
    if _WORKSHOP in config.stash:
        config.stash[_WORKSHOP].close()
        del config.stash[_WORKSHOP]


def interactive() -> bool:
    """Whether a person watches: then the progress line is rewritten in place."""
    return os.isatty(2) and "CI" not in os.environ
