"""The pytest plugin: options, the items of the suite, the summary. It does nothing unless the suite is run.

Loaded in every pytest run where the package is installed, so it imports nothing heavy at the top.
"""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from harness.workshop import Workshop

FIXTURE = "conformance"
_GROUP = "executor conformance"
_FUNCTION = "test_conformance.py::test_conformance["
_WORKSHOP: pytest.StashKey[Workshop] = pytest.StashKey()
_SEED: pytest.StashKey[int] = pytest.StashKey()
_DATA: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
_TROUBLE: pytest.StashKey[str] = pytest.StashKey()
_LAST_BACKSTOP = 3.0  # times the budget of the run, before pytest-timeout ends it all
_LEAST_BACKSTOP = 600.0  # seconds; an item of a small budget may still have to wait for a slow machine
_BAD_ITEM = "bad-input"
_BAD_INPUT = 2
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
        "executor-arena",
        "",
        "NAME,...",
        "where programs run: real, steered, simulated (default: real, simulated, and steered to confirm)",
    ),
    (
        "executor-schedules",
        "",
        "N",
        "schedules of each program in the simulated arena (default: the profile's)",
    ),
    (
        "executor-strategy",
        "",
        "NAME",
        "how schedules are searched for: portfolio (default), random, sticky, pct, pos, exhaustive",
    ),
    (
        "executor-granularity",
        "",
        "NAME",
        "where simulated threads can be preempted: synchronisation (default), statement, access",
    ),
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
_SWITCHES = (
    ("executor-strict", "a violated SHOULD fails the run, too"),
    ("executor-no-deviations", "excuse nothing, not even CPython"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options and their ini keys."""
    group = parser.getgroup(_GROUP, "executor conformance (pytest harness)")
    group.addoption(
        "--executor", action="append", default=[], metavar="IMPORT",
        help="an executor to check, as package.module:Class; repeatable "
        "(default: the reference's and the standard library's)",
    )  # fmt: skip
    parser.addini("executor", "executors to check, as package.module:Class", type="args", default=[])
    for name, default, metavar, text in _OPTIONS:
        group.addoption(f"--{name}", default=None, metavar=metavar, help=text)
        parser.addini(name.replace("-", "_"), text, default=default)
    for name, text in _SWITCHES:
        group.addoption(f"--{name}", action="store_true", default=False, help=text)
        parser.addini(name.replace("-", "_"), text, type="bool", default=False)
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
    """The executors that were asked for; none means the reference's and the standard library's."""
    return list(config.getoption("--executor") or config.getini("executor"))


def random_seed(config: pytest.Config) -> int:
    """The seed of a run that was given none: the same in all its processes."""
    if _SEED not in config.stash:
        given = getattr(config, "workerinput", {}).get("executor_seed")
        config.stash[_SEED] = int(given) if given is not None else secrets.randbelow(1 << 32)
    return config.stash[_SEED]


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Print the rules, if that is all that is wanted."""
    if not config.getoption("--executor-list-rules"):
        return None
    from harness.report.rules import rule_lines  # noqa: PLC0415 - only when asked

    print("\n".join(rule_lines()))  # noqa: T201 - the output of this option
    return 0


# Bad input: one sentence on stderr, and exit code 2.


class _BadInput(pytest.exit.Exception):  # type: ignore[name-defined, misc]  # an attribute of a function
    """Ends the run. Pytest prints the name of the class before the sentence, hence its name."""


_BadInput.__name__ = _BadInput.__qualname__ = "executor-harness"


def _refuse(sentence: str) -> NoReturn:
    raise _BadInput(sentence, returncode=_BAD_INPUT)


def _refuse_late(sentence: str) -> NoReturn:
    """The same once the session has begun, when pytest no longer writes such things to stderr."""
    sys.stderr.write(f"{_BadInput.__name__}: {sentence}\n")
    _refuse(sentence)


def pytest_configure(config: pytest.Config) -> None:
    """Check what was asked for before anything runs."""
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(_Collector(config), "executor-harness-collector")
    named = config.getoption("--executor") or config.getoption("--executor-replay") is not None
    if named or any(config.getoption(f"--{name}") is not None for name, *_ in _OPTIONS):
        try:
            trouble = _trouble(config, look_at_subjects=bool(named))
        except KeyboardInterrupt:
            _close(config)
            raise _BadInput("interrupted before anything was run", returncode=_INTERRUPTED) from None
        if trouble:
            _close(config)
            _refuse(trouble)


def _trouble(config: pytest.Config, *, look_at_subjects: bool) -> str:
    """What is wrong with what was asked for, in one sentence; empty if nothing is."""
    from harness.workshop import BAD_INPUT  # noqa: PLC0415 - only when asked

    try:
        workshop = workshop_of(config)
        if look_at_subjects:
            workshop.subjects()
    except BAD_INPUT as error:
        return " ".join(str(error).split())
    return ""


def workshop_of(config: pytest.Config) -> Workshop:
    """The workshop of this process, made when first needed."""
    if _WORKSHOP not in config.stash:
        from harness.workshop import Workshop  # noqa: PLC0415 - only when asked

        config.stash[_WORKSHOP] = Workshop(config)
    return config.stash[_WORKSHOP]


# The items.


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for every subject and theme, or one for a replay."""
    if FIXTURE not in metafunc.fixturenames:
        return
    config = metafunc.config
    trouble = _trouble(config, look_at_subjects=True)
    if trouble:
        # An exit from here would be taken for an error of the test file, so it has to wait.
        config.stash[_TROUBLE] = trouble
        metafunc.parametrize(FIXTURE, [None], ids=[_BAD_ITEM], indirect=True)
        return
    jobs = workshop_of(config).jobs()
    metafunc.parametrize(FIXTURE, jobs, ids=[job.name for job in jobs], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put pytest-timeout behind the harness's own limits, as the last backstop."""
    if _TROUBLE in config.stash:
        if not hasattr(
            config, "workerinput"
        ):  # a worker leaves it to the controller, which sees the bad item
            _refuse_late(config.stash[_TROUBLE])
        return
    for item in items:
        if FIXTURE in getattr(item, "fixturenames", ()):
            limit = max(_LEAST_BACKSTOP, _LAST_BACKSTOP * workshop_of(config).budget)
            item.add_marker(pytest.mark.timeout(limit, method="thread"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell how many items there are to share the budget."""
    ours = [item for item in session.items if FIXTURE in getattr(item, "fixturenames", ())]
    if ours and _WORKSHOP in session.config.stash:
        jobs = [getattr(item, "callspec").params[FIXTURE] for item in ours]  # noqa: B009 - only functions have one
        workshop_of(session.config).expect(len(ours), jobs)


@pytest.fixture
def conformance(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - a callable the suite calls
    """What the suite's one test function calls: it searches, or replays, and fails with a text for people."""
    workshop = workshop_of(request.config)
    job = request.param

    def run() -> None:
        text, data = workshop.work(job)
        request.node.stash[_DATA] = data
        if "skip" in data:
            pytest.skip(data["skip"])
        if text:
            pytest.fail(text, pytrace=False)

    return run


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Send what an item found along with its report: under xdist, that is how it reaches the controller."""
    outcome = yield
    if call.when == "call" and _DATA in item.stash:
        outcome.get_result().executor_harness = item.stash[_DATA]


# Several processes.


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist has no public types
    """Give every xdist worker the seed of the run, and what was found out about its subjects."""
    node.workerinput["executor_seed"] = random_seed(node.config)
    if _WORKSHOP in node.config.stash:
        node.workerinput["executor_subjects"] = workshop_of(node.config).known_subjects()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:  # noqa: ANN401 - as above
    """A worker has found items of ours: this process will have to report on them."""
    ours = [name for name in ids if _FUNCTION in name]
    if any(name.endswith(f"[{_BAD_ITEM}]") for name in ours):
        _refuse_late(_trouble(node.config, look_at_subjects=True) or "a worker cannot use the executor")
    if ours:
        workshop_of(node.config).others_work(len(ours))


# The end.


class _Collector:
    """Lives in the process that prints: it gathers what all items found, and reports it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what an item found."""
        data = getattr(report, "executor_harness", None)
        if data is not None:
            self._found.append(data)
            workshop_of(self._config).one_done()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Write the files of the run; an interrupted run ends with 130 and writes them all the same."""
        if _WORKSHOP not in self._config.stash:
            return
        workshop = self._config.stash[_WORKSHOP]
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED and workshop.worked
        workshop.finish(self._found, interrupted=interrupted)
        if interrupted:
            session.exitstatus = _INTERRUPTED
        elif exitstatus == pytest.ExitCode.OK and workshop.results.lost:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        if _WORKSHOP not in self._config.stash:
            return
        lines = self._config.stash[_WORKSHOP].summary()
        if lines:
            terminalreporter.section(_GROUP)
            for line in lines:
                terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no process, file or socket behind."""
    _close(config)


def _close(config: pytest.Config) -> None:
    if _WORKSHOP in config.stash:
        config.stash[_WORKSHOP].close()
        del config.stash[_WORKSHOP]
