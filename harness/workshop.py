"""One process's share of a run: what was asked for, the arena, the jobs, the results."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.arenas.real.arena import Patience, SubjectError
from harness.arenas.real.custody import sweep_the_dead
from harness.arenas.real.journal import left_behind
from harness.arenas.simulated.arena import RefusedError
from harness.arenas.simulated.plan import SEARCHING, Plan
from harness.check.baseline import Baseline
from harness.check.canary import TARGET as CANARY
from harness.check.canary import Showing
from harness.check.choice import chosen_arenas, chosen_rules, one_of
from harness.check.compare import Archive, Peers
from harness.check.corpus import find, keep
from harness.check.finding import Item
from harness.check.law import Law
from harness.check.profile import UsageError, profile_named, seconds
from harness.check.replay import replay, replay_course, unfair
from harness.check.resolve import STANDARD, peers_of, resolve, shape_of
from harness.check.search import Search
from harness.check.trial import RealTrial, SimulatedTrial, SteeredTrial
from harness.generation.themes import SMALL, themes_for
from harness.plugin import executors, flag, option, random_seed
from harness.progress import Progress
from harness.report.failure import failure_text, replay_text
from harness.report.results import Results, write_results
from harness.report.table import summary_lines, verdict_line
from harness.specs import SpecsError, load_deviations, load_drafts, load_rules
from harness.values.codec import DecodeError, decode, encode
from harness.values.granularity import GRANULARITIES
from harness.values.operation import Submit
from harness.values.program import Lane, Pool, Program, Script
from harness.values.subject import Subject
from harness.values.token import Token
from harness.venues import Venues, sweep_scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from harness.check.finding import ArenaName
    from harness.check.replay import Replay
    from harness.check.trial import Trial

BAD_INPUT = (UsageError, SubjectError, SpecsError)
_LEAST_SHARE = 1.0  # seconds that an item gets even if earlier ones used the budget up
_LARGEST_SEED = 1 << 64
_SMALLER = 3  # small programs get such a part of the schedules: another program finds more than they do


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One item of the suite."""

    name: str
    subject: Subject
    theme: str
    arena: ArenaName = "real"


class Workshop:
    """What one pytest process needs to do its part of the run."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the options.

        Raises:
            UsageError: one of them makes no sense; the message is one sentence.
        """
        self._config = config
        self._here = Path(config.invocation_params.dir)
        self._home = self._here / ".executor-harness"
        self._inputs: dict[str, Any] = getattr(config, "workerinput", {})
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
        self._baseline = Baseline(self._here / baseline) if baseline else None
        self._report = self._read_report()
        self._plan = self._read_plan()
        chosen = chosen_arenas(option(config, "executor-arena"))
        self._arenas = chosen or ("real", "simulated")
        self._confirms = not chosen or "steered" in chosen
        text = option(config, "executor-replay")
        self._token = self._read_token(text) if text else None
        if self._token is not None:
            self._arenas = ("real",) if self._token.course is None else ("simulated",)
        self.results = Results(rules=self.law.rules, drafts=load_drafts())
        self.worked = False
        self._notes: list[str] = []
        self._venues = Venues(self._home, (str(config.rootpath), str(self._here)), self._look_back)
        self._showing = Showing(self._venues)
        self._subjects: list[Subject] = []
        self._others: dict[str, Subject | None] = {}  # peers that are no subjects of this run
        self._archive = Archive()
        self._jobs: list[Job] = []
        self._begun = 0.0
        self._done = 0
        self._count = 0
        self._chosen: tuple[Job, ...] = ()
        self._refused: dict[str, bool] = {}  # by import path: whether the simulated arena cannot be had
        self._doing = ""
        self._progress = Progress(config, self._line)

    def _read_seed(self) -> tuple[int, bool]:
        text = option(self._config, "executor-seed")
        if not text:
            return random_seed(self._config), False
        if not (text.isascii() and text.isdigit() and int(text) < _LARGEST_SEED):
            raise UsageError(f"{text!r} is no seed: give a whole number")
        return int(text), True

    def _read_report(self) -> Path | None:
        text = option(self._config, "executor-report")
        if not text:
            return None
        folder = self._here / text
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"the report cannot be written to {folder} ({error.strerror}): give another folder"
            ) from None
        return folder

    def _read_plan(self) -> Plan:
        """What the simulated arena is to do with each program."""
        schedules = option(self._config, "executor-schedules") or str(self.profile.schedules)
        if not (schedules.isascii() and schedules.isdigit() and int(schedules)):
            raise UsageError(f"{schedules!r} is no number of schedules: give a whole number, 1 or more")
        return Plan(
            schedules=int(schedules), seed=self.seed,
            strategy=one_of(SEARCHING, option(self._config, "executor-strategy"), "strategy"),
            granularity=one_of(GRANULARITIES, option(self._config, "executor-granularity"), "granularity"),
        )  # fmt: skip

    def _read_token(self, text: str) -> Token:
        token = find(text, self._home / "corpus", self._here)
        reason = unfair(token)
        if reason:
            raise UsageError(f"the token's program cannot be run: {reason}")
        return token

    # What there is to do.

    def subjects(self) -> list[Subject]:
        """The subjects, probed once for all the processes of a run.

        Raises:
            SubjectError: one of them cannot be used.
            UsageError: one of them is no import path.
        """
        if not self._subjects and self._inputs.get("executor_subjects"):
            self._subjects = [decode(Subject, each) for each in self._inputs["executor_subjects"]]
        if not self._subjects:
            targets = executors(self._config) or list(STANDARD)
            if self._token is not None:
                targets = [self._target_of(self._token)]
            malformed = [target for target in targets if not _well_formed(target)]
            if malformed:
                raise UsageError(f"{malformed[0]!r} is no import path: write package.module:Class")
            self._subjects = [resolve(self._venues.real, target) for target in dict.fromkeys(targets)]
            self._venues.rest()
        return self._subjects

    def known_subjects(self) -> list[Any]:
        """The subjects probed so far, as JSON for other processes."""
        return [encode(subject) for subject in self._subjects]

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
                self._jobs += [
                    Job(name=_job_name(subject, theme, arena), subject=subject, theme=theme, arena=arena)
                    for arena in self._arenas
                    for theme in self._themes(subject, arena)
                ]
        return self._jobs

    def _themes(self, subject: Subject, arena: ArenaName) -> list[str]:
        if self._token is not None:
            return ["replay"]
        return themes_for(shape_of(subject, arena), later=self.profile.later)

    # Doing it.

    def expect(self, count: int, jobs: Sequence[Job] = ()) -> None:
        """So many items were chosen (``-k`` may leave some out): the budget is theirs."""
        self._count = count
        self._chosen = tuple(jobs)

    def work(self, job: Job) -> tuple[str, dict[str, Any]]:
        """Do one job.

        Returns:
            The text of its failure (empty if all is well), and what it found, as JSON.
        """
        self._engage()
        if self._token is not None:
            return self._replay(job, self._token)
        search = self._search(job)
        try:
            blind = self._showing.blindness(job.arena)
            if blind:
                return blind, {"lost": blind}
            item = search.search()
        except KeyboardInterrupt:
            self.results.items.append(search.so_far())
            raise
        if item.refused:
            return "", {"item": encode(item), "skip": f"no simulated arena: {item.refused}"}
        if self._baseline is not None:
            item = self._baseline.measure(item, lambda token: self._still_fails(job.subject, token))
        self._keep(item)
        failing = item.failing(strict=self.strict)
        parts = [failure_text(item, failing, self.law.rules)] if failing else []
        if item.gone:
            parts.append(f"no longer broken, but still in the baseline: {', '.join(item.gone)}")
        if item.proved_nothing:
            parts.append(f"nothing could be judged: {'; '.join(item.inconclusive)}")
        return "\n\n".join(parts), {"item": encode(item)}

    def _engage(self) -> None:
        self.worked = True
        if not self._begun:
            self._begun = time.monotonic()
        if not self._inputs:
            self._progress.start()

    def _search(self, job: Job) -> Search:
        slug = job.name.replace(":", "-").replace("/", "-")
        simulated = job.arena == "simulated"
        return Search(
            trial=self._trial(job), subject=job.subject, theme=job.theme, profile=self.profile,
            programs=self.profile.simulated if simulated else self.profile.programs,
            seed=self.seed, law=self.law, share=self._share(), tell=self._tell, shout=self._progress.tell,
            compared=self._comparing(job.subject) if job.arena == "real" else None,
            folder=None if self._explicit else self._home / "examples" / slug,
        )  # fmt: skip

    def _trial(self, job: Job) -> Trial:
        match job.arena:
            case "real":
                return self._real_trial(job.subject)
            case "steered":
                arena = self._venues.steered(self._plan.granularity)
                return SteeredTrial(arena, job.subject, self.patience, seed=self.seed)
            case "simulated":
                return self._simulated_trial(job.subject, fine=job.theme in SMALL)

    def _real_trial(self, subject: Subject) -> RealTrial:
        return RealTrial(self._venues.real, subject, self.patience)

    def _simulated_trial(self, subject: Subject, *, fine: bool = False) -> SimulatedTrial:
        """The simulated arena; what is small gets its finest granularity, unless another was asked for."""
        steered = self._venues.steered if self._confirms else None
        plan = self._plan
        if fine and not option(self._config, "executor-granularity"):
            plan = replace(plan, granularity="access")
        if fine and not option(self._config, "executor-schedules"):
            plan = replace(plan, schedules=-(-plan.schedules // _SMALLER))
        return SimulatedTrial(self._venues.simulated, subject, plan, steered)

    def _comparing(self, subject: Subject) -> Peers:
        return Peers(
            arena=self._venues.real, subject=subject, law=self.law, archive=self._archive,
            find=lambda: self._peers(subject), patience=self.patience,
        )  # fmt: skip

    def _peers(self, subject: Subject) -> tuple[Subject, ...]:
        """The executors to compare a subject with; one that cannot be used here is left out."""
        known = {each.target: each for each in self._subjects}
        for target in peers_of(subject):
            if target not in known and target not in self._others:
                try:
                    self._others[target] = resolve(self._venues.real, target)
                except SubjectError:
                    self._others[target] = None
        found = (known.get(target) or self._others.get(target) for target in peers_of(subject))
        return tuple(each for each in found if each is not None)

    def _share(self) -> float:
        """An item's part of the budget: what earlier items did not use goes to the later ones."""
        workers = int(self._inputs.get("workercount", 1))
        if workers > 1:
            return self.budget * workers / max(workers, self._count)
        left = self.budget - (time.monotonic() - self._begun)
        return max(_LEAST_SHARE, left / max(1, self._count - self._done - self._hopeless()))

    def _hopeless(self) -> int:
        """How many of the items to come will be refused by their arena, and leave their time to others."""
        if not self.profile.later:  # a quick run has no time to ask
            return 0
        coming = [job.subject for job in self._chosen[self._done :] if job.arena == "simulated"]
        return sum(self._is_refused(subject) for subject in coming)

    def _is_refused(self, subject: Subject) -> bool:
        """Whether the simulated arena cannot be had for a subject; found out once, by a small program."""
        if subject.target not in self._refused:
            program = Program(
                pools=(Pool(workers=1),), tasks=(Script(task="t0"),),
                lanes=(Lane(operations=(Submit(executor="e0", future="f0", task="t0"),)),),
            )  # fmt: skip
            try:
                any(True for _ in self._simulated_trial(subject).explore(program))
            except RefusedError:
                self._refused[subject.target] = True
            else:
                self._refused[subject.target] = False
        return self._refused[subject.target]

    def _keep(self, item: Item) -> None:
        for finding in item.findings:
            if finding.standing != "deviation":
                keep(self._home / "corpus", finding.token, finding.short)
        for comparison in item.comparisons:
            for each in comparison.divergences:
                keep(self._home / "corpus", each.token, each.short)

    def _still_fails(self, subject: Subject, token: Token) -> bool:
        return self._try_again(subject, token, times=3).failed > 0

    def _try_again(self, subject: Subject, token: Token, times: int = 20) -> Replay:
        if token.course is None:
            return replay(self._real_trial(subject), subject, token, self.law, times=times)
        return replay_course(self._simulated_trial(subject), subject, token, self.law, times=times)

    def _replay(self, job: Job, token: Token) -> tuple[str, dict[str, Any]]:
        self._doing = f"replaying {token.short} on {job.subject.name}"
        result = self._try_again(job.subject, token)
        text = replay_text(result, token)
        told = result.failed or result.diverged or result.inconclusive == result.tried
        return (text if told else ""), {"replay": text.splitlines()[0] if told else text}

    # Progress.

    def _tell(self, line: str) -> None:
        self._doing = line

    def _line(self) -> str:
        """What is being done, for the progress line."""
        spent = time.monotonic() - self._begun
        doing = self._doing or f"{self._done} of {self._count} items done"
        left = f"{max(0.0, self.budget - spent):.0f} s of {self.budget:.0f} s left"
        return f"executor-harness: {doing}" + ("" if self._token is not None else f"; {left}")

    def others_work(self, count: int) -> None:
        """Other processes do the work; this one tells of it."""
        if not self._count:
            self._look_back()
        self.expect(count)
        self._engage()

    def one_done(self) -> None:
        """An item is over, here or elsewhere; pytest is about to say so."""
        self._done += 1
        self._progress.clear()

    # Bringing it together.

    def _look_back(self) -> None:
        """Sweep up after earlier runs that were killed, and tell of what they were doing."""
        sweep_the_dead()
        sweep_scratch()
        if not self._inputs:
            self._notes += [f"an earlier run {text}" for text in self._killed()]

    def finish(self, collected: list[dict[str, Any]], *, interrupted: bool) -> None:
        """Take over what all processes found, and write the files that were asked for."""
        self._progress.stop()
        self.results.interrupted = interrupted
        for data in collected:
            if "item" in data:
                try:
                    self.results.items.append(decode(Item, data["item"]))
                except DecodeError as error:  # an item must not vanish without a word
                    self.results.lost.append(f"what an item found could not be read: {error}")
            elif "lost" in data:
                self.results.lost.append(data["lost"])
            else:
                self._notes.append(data["replay"])
        if self.worked:
            sweep_the_dead()
            self.results.lost += [f"a process of this run {text}" for text in self._killed()]
        if self._report is not None and self.worked:
            facts = {
                "profile": self.profile.name,
                "budget": self.budget,
                "seed": self.seed,
                "strict": self.strict,
            }
            write_results(self.results, self._report, facts)
        whole = not interrupted and bool(self.results.items)
        if self._baseline is not None and self._baseline.first_contact and whole:
            count = self._baseline.write(self.results.items)
            self._notes.append(f"baseline: {count} violations accepted in {self._baseline.path.name}")

    def _killed(self) -> list[str]:
        """The programs that were running in processes that were killed; each is told of once."""
        told = []
        for entry in left_behind(self._home / "journal"):
            if entry.target == CANARY:  # ours, and no news
                continue
            with suppress(DecodeError, ValueError):
                token = Token(program=Program.from_json(entry.program), target=entry.target)
                keep(self._home / "corpus", token.to_text(), token.short)
                told.append(
                    f"was killed while it ran a program on {entry.target}; "
                    f"again: --executor {entry.target} --executor-replay {token.short}"
                )
        return told

    def summary(self) -> list[str]:
        """The lines for the end of the run."""
        if not self.worked:
            return []
        lines = list(self._notes)
        if self.results.items or self.results.lost:
            known = {each.id: each for each in load_deviations()}
            lines += summary_lines(self.results, known)
            lines.append(f"seed {self.seed}; {verdict_line(self.results, strict=self.strict)}")
        return lines

    def close(self) -> None:
        """Leave nothing behind."""
        self._progress.stop()
        self._venues.close()


def _job_name(subject: Subject, theme: str, arena: ArenaName) -> str:
    return f"{subject.name}-{theme}" + ("" if arena == "real" else f"-{arena}")


def _well_formed(target: str) -> bool:
    module, colon, name = target.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *name.split(".")])
