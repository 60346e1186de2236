"""One process's share of a run: what was asked for, the arena, the jobs, the results."""

from __future__ import annotations

import fnmatch
import hashlib
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.arenas.real.arena import Patience, RealArena, SubjectError
from harness.arenas.real.custody import sweep_the_dead
from harness.arenas.real.journal import Journal, left_behind
from harness.check.baseline import Accepted, read_baseline, write_baseline
from harness.check.corpus import find, keep
from harness.check.finding import Item
from harness.check.profile import UsageError, profile_named, seconds
from harness.check.replay import replay, unfair
from harness.check.resolve import STANDARD, resolve, shape_of
from harness.check.search import Law, Search
from harness.generation.machines import themes_for
from harness.plugin import executors, flag, interactive, option
from harness.report.failure import failure_text
from harness.report.results import Results, write_results
from harness.report.table import summary_lines, verdict_line
from harness.specs import SpecsError, load_deviations, load_drafts, load_rules
from harness.values.codec import DecodeError, decode, encode
from harness.values.program import Program
from harness.values.token import Token

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from harness.check.replay import Replay
    from harness.values.rule import Rule
    from harness.values.subject import Subject

BAD_INPUT = (UsageError, SubjectError, SpecsError)
_EVERY = 10.0  # seconds between two lines of progress where nobody watches
_OFTEN = 0.25  # the same where somebody does


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One item of the suite."""

    name: str
    subject: Subject
    theme: str


class Workshop:
    """What one pytest process needs to do its part of the run."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the options.

        Raises:
            UsageError: one of them makes no sense; the message is one sentence.
        """
        self._config = config
        self._home = Path(config.invocation_params.dir) / ".executor-harness"
        self.profile = profile_named(option(config, "executor-profile"))
        budget = option(config, "executor-budget")
        self.budget = seconds(budget) if budget else self.profile.budget
        self.seed, self._explicit = self._read_seed()
        hang = option(config, "executor-hang-after")
        self.patience = Patience(hang=seconds(hang)) if hang else Patience()
        self.strict = flag(config, "executor-strict")
        deviations = () if flag(config, "executor-no-deviations") else load_deviations()
        self.law = Law(
            rules=chosen_rules(option(config, "executor-rules"), load_rules()), deviations=deviations
        )
        baseline = option(config, "executor-baseline")
        self._baseline = Path(config.invocation_params.dir, baseline) if baseline else None
        self._accepted: tuple[Accepted, ...] = ()
        if self._baseline is not None and self._baseline.exists():
            self._accepted = read_baseline(self._baseline)
        text = option(config, "executor-replay")
        self._token = self._read_token(text) if text else None
        self.results = Results(rules=self.law.rules, drafts=load_drafts())
        self.worked = False
        self._replays: list[str] = []
        self._arena: RealArena | None = None
        self._journal: Journal | None = None
        self._scratch: Path | None = None
        self._subjects: list[Subject] = []
        self._jobs: list[Job] = []
        self._begun = 0.0
        self._done = 0
        self._told = time.monotonic()

    def _read_seed(self) -> tuple[int, bool]:
        given = getattr(self._config, "workerinput", {}).get("executor_seed")
        text = option(self._config, "executor-seed")
        if text and not (text.isdigit() and int(text) < 1 << 64):
            raise UsageError(f"{text!r} is no seed: give a whole number")
        if text:
            return int(text), True
        return (int(given) if given is not None else secrets.randbelow(1 << 32)), False

    def _read_token(self, text: str) -> Token:
        token = find(text, self._home / "corpus")
        reason = unfair(token)
        if reason:
            raise UsageError(f"the token's program cannot be run: {reason}")
        return token

    # What there is to do.

    @property
    def arena(self) -> RealArena:
        """The arena, made when first needed."""
        if self._arena is None:
            sweep_the_dead()
            self._scratch = Path(tempfile.mkdtemp(prefix="exh-run-"))
            self._journal = Journal(self._home / "journal")
            folders = (str(self._config.rootpath), str(self._config.invocation_params.dir))
            self._arena = RealArena(self._scratch, self._journal, import_from=folders)
        return self._arena

    def subjects(self) -> list[Subject]:
        """The subjects, probed.

        Raises:
            SubjectError: one of them cannot be used.
        """
        if not self._subjects:
            targets = executors(self._config) or list(STANDARD)
            if self._token is not None:
                targets = [self._target_of(self._token)]
            malformed = [target for target in targets if not _well_formed(target)]
            if malformed:
                raise UsageError(f"{malformed[0]!r} is no import path: write package.module:Class")
            self._subjects = [resolve(self.arena, target) for target in dict.fromkeys(targets)]
        return self._subjects

    def _target_of(self, token: Token) -> str:
        """Which executor a token is replayed on: nothing is imported because a token says so."""
        given = executors(self._config)
        local = not option(self._config, "executor-replay").startswith("exh")
        if given and token.target not in given:
            raise UsageError(
                f"the token was made with {token.target}, and --executor says {', '.join(given)}"
            )
        if not given and token.target not in STANDARD and not local:
            raise UsageError(
                f"the token was made with {token.target}: add --executor {token.target} to run it"
            )
        return token.target

    def jobs(self) -> list[Job]:
        """The items of the suite: a theme each, or a replay."""
        if not self._jobs:
            for subject in self.subjects():
                themes = ["replay"] if self._token is not None else themes_for(shape_of(subject))
                self._jobs += [
                    Job(name=f"{subject.name}-{theme}", subject=subject, theme=theme) for theme in themes
                ]
        return self._jobs

    # Doing it.

    def work(self, job: Job) -> tuple[str, dict[str, Any]]:
        """Do one job; the text of its failure (empty if all is well) and what it found, as JSON."""
        self.worked = True
        if self._token is not None:
            return self._replay(job, self._token)
        search = self._search(job)
        try:
            item = search.search()
        except KeyboardInterrupt:
            self.results.items.append(search.so_far())
            raise
        self._done += 1
        item = self._measure_against_baseline(job, item)
        for finding in item.findings:
            if finding.standing != "deviation":
                keep(self._home / "corpus", finding.token, finding.short)
        failing = (
            [] if self._baseline is not None and not self._accepted else item.failing(strict=self.strict)
        )
        text = failure_text(item, failing, self.law.rules) if failing else ""
        if item.gone:
            text += f"\n\nno longer broken, but still in the baseline: {', '.join(item.gone)}"
        return text.strip(), {"item": encode(item)}

    def _search(self, job: Job) -> Search:
        if not self._begun:
            self._begun = time.monotonic()
        number = int.from_bytes(hashlib.sha256(f"{self.seed}/{job.theme}".encode()).digest()[:6])
        accepted = frozenset(each.rule for each in self._accepted if each.subject == job.subject.name)
        slug = job.name.replace(":", "-").replace("/", "-")
        return Search(
            arena=self.arena, subject=job.subject, theme=job.theme, profile=self.profile, seed=number, law=self.law,
            share=self._share(), patience=self.patience, accepted=accepted, tell=self._tell,
            folder=None if self._explicit else self._home / "examples" / slug,
        )  # fmt: skip

    def _share(self) -> float:
        """An item's part of the budget: what earlier items did not use goes to the later ones."""
        workers = int(getattr(self._config, "workerinput", {}).get("workercount", 1))
        if workers > 1:
            return self.budget * workers / len(self._jobs)
        left = self.budget - (time.monotonic() - self._begun)
        return max(2.0, left / max(1, len(self._jobs) - self._done))

    def _measure_against_baseline(self, job: Job, item: Item) -> Item:
        """Which accepted violations of this item are gone? Their tokens tell, not the luck of the draw."""
        mine = [
            each for each in self._accepted if each.subject == job.subject.name and each.theme == job.theme
        ]
        found = {each.rule for each in item.findings if each.standing == "violated"}
        gone = []
        for each in mine:
            if each.rule not in found:
                token = find(each.token, self._home / "corpus")
                if replay(self.arena, job.subject, token, self.law, times=3).failed == 0:
                    gone.append(each.rule)
        return replace(item, gone=tuple(gone))

    def _replay(self, job: Job, token: Token) -> tuple[str, dict[str, Any]]:
        result = replay(self.arena, job.subject, token, self.law)
        text = _replay_text(result, token)
        return (text if result.failed else ""), {"replay": text}

    def _tell(self, line: str) -> None:
        """One line of progress, now and then, past pytest's capturing."""
        now = time.monotonic()
        watched = interactive()
        if now - self._told < (_OFTEN if watched else _EVERY) or hasattr(self._config, "workerinput"):
            return
        self._told = now
        reporter: Any = self._config.pluginmanager.getplugin("terminalreporter")
        capture: Any = self._config.pluginmanager.getplugin("capturemanager")
        if reporter is None or capture is None:
            return
        with capture.global_and_fixture_disabled():
            if watched:
                reporter.rewrite(line, erase=True)
            else:
                reporter.write_line(line)

    # Bringing it together.

    def finish(self, collected: list[dict[str, Any]]) -> None:
        """Take over what all processes found, and write the files that were asked for."""
        for data in collected:
            if "item" in data:
                with suppress(DecodeError):
                    self.results.items.append(decode(Item, data["item"]))
            else:
                self._replays.append(data["replay"])
        self._tell_of_the_dead()
        report = option(self._config, "executor-report")
        if report:
            folder = Path(self._config.invocation_params.dir, report)
            facts = {
                "profile": self.profile.name,
                "budget": self.budget,
                "seed": self.seed,
                "strict": self.strict,
            }
            write_results(self.results, folder, facts)
        if self._baseline is not None and not self._baseline.exists() and self.results.items:
            count = write_baseline(self._baseline, self.results.items)
            self._replays.append(f"baseline: {count} violations accepted in {self._baseline.name}")

    def _tell_of_the_dead(self) -> None:
        """The programs that were running in processes that were killed; their remains are swept up."""
        if self.worked or self.results.items:
            sweep_the_dead()
        for entry in left_behind(self._home / "journal"):
            with suppress(DecodeError, ValueError):
                token = Token(program=Program.from_json(entry.program), target=entry.target)
                keep(self._home / "corpus", token.to_text(), token.short)
                self.results.lost.append(
                    f"a process died while it ran a program on {entry.target}: "
                    f"--executor {entry.target} --executor-replay {token.short}"
                )

    def summary(self) -> list[str]:
        """The lines for the end of the run."""
        if not (self.results.items or self._replays or self.results.lost):
            return []
        lines = list(self._replays)
        if self.results.items or self.results.lost:
            known = {each.id: each for each in load_deviations()}
            lines += summary_lines(self.results, known)
            lines.append(f"seed {self.seed}; {verdict_line(self.results, strict=self.strict)}")
        return lines

    def close(self) -> None:
        """Leave nothing behind."""
        if self._arena is not None:
            self._arena.close()
        if self._journal is not None:
            self._journal.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def _well_formed(target: str) -> bool:
    module, colon, name = target.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *name.split(".")])


def chosen_rules(text: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules that a list of globs and levels picks; a leading ``-`` takes out.

    Raises:
        UsageError: a part of the list picks nothing.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    chosen = {} if any(not part.startswith("-") for part in parts) else dict(rules)
    for part in parts:
        name = part.removeprefix("-")
        picked = {
            id_: rule for id_, rule in rules.items()
            if fnmatch.fnmatchcase(id_, name.upper()) or str(rule.level) == name.upper()
        }  # fmt: skip
        if not picked:
            raise UsageError(f"no rule matches {name!r}: see --executor-list-rules")
        if part.startswith("-"):
            chosen = {id_: rule for id_, rule in chosen.items() if id_ not in picked}
        else:
            chosen |= picked
    return chosen


def _replay_text(result: Replay, token: Token) -> str:
    """What a replay saw."""
    name = token.rule or "any rule"
    lines = [
        f"replay of {token.short} on {token.target}: broke {name} in {result.failed} of {result.tried} runs"
    ]
    if result.excused:
        lines.append(
            f"  a known deviation of CPython ({result.issue}) in {result.excused} of {result.tried} runs"
        )
    if result.inconclusive:
        lines.append(f"  inconclusive in {result.inconclusive} of {result.tried} runs")
    if result.text:
        lines.append(f"  {result.text}")
    lines += [f"  {row}" for row in result.picture]
    return "\n".join(lines)
