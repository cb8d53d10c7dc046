"""The runs of the lively workflows: starts, queues, outcomes, re-runs, cancellations.

All versions of a run are stored when it starts, so the state at a given time depends
on that time only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from ci_observer.demo.scenario.people import FIXES, PEOPLE
from ci_observer.demo.scenario.pushes import Pushes
from ci_observer.demo.scenario.triggers import Trigger, draw_trigger
from ci_observer.demo.scenario.workflow_profiles import WorkflowProfile
from ci_observer.demo.seeded_random import seeded_random, stable_int
from ci_observer.demo.server.job_times import queue_seconds
from ci_observer.demo.server.model import Run, RunVersion
from ci_observer.demo.server.runs import job_attempts
from ci_observer.demo.server.world import World

DAY = 86_400.0
SATURDAY = 5
OFFICE_HOURS = range(7, 19)
# Office hours as a share of the week; most runs outside of them are dropped.
OFFICE_SHARE = 0.4
OUT_OF_OFFICE_RATE = 1 / 10
MAX_LIVE_FAILURE_RATE = 0.22
# The longest time of a run in the queue, in seconds.
MAX_QUEUE, MAX_LIVE_QUEUE = 900, 12


@dataclass(frozen=True, slots=True)
class Attempt:
    """A future attempt, `after` seconds after the end of the one before."""

    after: float
    queued: float
    seconds: float
    conclusion: str
    actor: str
    approval: float = 0
    held: float = 0  # by its concurrency group


class RunGenerator:
    """Creates the runs of one workflow, before and after the start of the demo."""

    def __init__(
        self, profile: WorkflowProfile, start: datetime, seed: int, pushes: Pushes
    ) -> None:
        self.profile = profile
        self.pushes = pushes
        self.start = start
        self.end = start - timedelta(days=profile.stops_days_before)
        self.random: Random = seeded_random(seed, profile.repo, profile.file)
        self.failures_left = 0
        self.is_failing = False
        self.newest_by_branch: dict[str | None, Run] = {}

    # -- the times of runs

    def schedule_from(self, world: World, first: datetime) -> None:
        """Schedule the first run after `first`, and the extra runs."""
        for minutes in self.profile.extra_runs_before:
            before = timedelta(minutes=minutes)
            world.schedule(self.start - before, self.add_extra_run)
        self._schedule_next(world, first)

    def on_due(self, world: World, at: datetime) -> None:
        """Add the run that is due, unless it is dropped, and schedule the next."""
        if self._draw_is_kept(at):
            self.add_random_run(world, at)
        self._schedule_next(world, at)

    def _schedule_next(self, world: World, at: datetime) -> None:
        following = self._draw_next_start(at)
        if following is None:
            return
        if not self.profile.stops_days_before or following <= self.end:
            world.schedule(following, self.on_due)

    def _is_live(self, at: datetime) -> bool:
        return bool(self.profile.live_interval) and at >= self.start

    def _draw_next_start(self, at: datetime) -> datetime | None:
        """The time of the next run after `at`. None if there is none."""
        profile = self.profile
        if profile.nightly_hour is not None:
            return self._draw_next_night(at, profile.nightly_hour)
        if self._is_live(at):
            pause = profile.live_interval * self.random.uniform(0.5, 1.5)
            if self.is_failing:  # the fix follows soon after the failure is visible
                pause = profile.seconds * 1.2 + self.random.uniform(5, 15)
            return at + timedelta(seconds=pause)
        if not profile.runs_per_day:
            return None
        rate = profile.runs_per_day / OFFICE_SHARE / DAY
        following = at + timedelta(seconds=self.random.expovariate(rate))
        if self.is_failing:  # people work on the fix
            fix_at = at + timedelta(minutes=self.random.uniform(15, 90))
            following = min(following, fix_at)
        if profile.live_interval and following > self.start:
            pause = profile.live_delay + self.random.uniform(0, profile.live_interval)
            return self.start + timedelta(seconds=pause)
        return following

    def _draw_next_night(self, at: datetime, hour: int) -> datetime:
        """The next nightly run; it starts some minutes late, as on GitHub."""
        tonight = at.replace(hour=hour, minute=0, second=0, microsecond=0)
        late = timedelta(seconds=self.random.uniform(60, 900))
        days = 0 if tonight > at else 1
        return tonight + timedelta(days=days) + late

    def _draw_is_kept(self, at: datetime) -> bool:
        """True in office hours, for nightly and live runs; else by chance."""
        if self.profile.nightly_hour is not None or self._is_live(at):
            return True
        in_office = at.weekday() < SATURDAY and at.hour in OFFICE_HOURS
        return in_office or self.random.random() < OUT_OF_OFFICE_RATE

    # -- the runs

    def add_extra_run(self, world: World, at: datetime) -> None:
        """Add a successful run on the default branch."""
        trigger = draw_trigger(self.profile, "push", world, self.random)
        self._add_run(world, at, trigger, [self._draw_attempt(at, "success")])

    def add_random_run(self, world: World, at: datetime) -> None:
        """Add a run with a random event and outcome."""
        event = "schedule"
        if self.profile.nightly_hour is None:
            names, weights = zip(*self.profile.events, strict=True)
            event = self.random.choices(names, weights)[0]
            # The wall shows default branches, so more happens there in the live part.
            is_wanted = self.is_failing or at >= self.start
            if is_wanted and "push" in names and self.random.random() < 1 / 2:
                event = "push"
        trigger = draw_trigger(self.profile, event, world, self.random)
        self._add_run(world, at, trigger, list(self._draw_attempts(at, trigger)))

    def _add_run(
        self, world: World, at: datetime, trigger: Trigger, attempts: list[Attempt]
    ) -> None:
        if trigger.on_default and trigger.fields["event"] == "push":
            if trigger.is_fix:
                trigger.title = FIXES[int(at.timestamp()) % len(FIXES)]
            profile = self.profile
            trigger = self.pushes.share_commit(profile.repo, profile.file, trigger, at)
        before = self.newest_by_branch.get(trigger.head_branch)
        if self.profile.cancels_in_progress and before is not None:
            cancel_superseded(world, before, at)
        run = world.add_run(
            self.profile.repo,
            self.profile.file,
            status="queued",
            created_at=at,
            display_title=trigger.title,
            **trigger.fields,
        )
        self.newest_by_branch[trigger.head_branch] = run
        run.versions = list(versions_of(run, at, attempts))
        keep_good_jobs(run)

    def _draw_attempts(self, at: datetime, trigger: Trigger) -> Iterator[Attempt]:
        """The attempts of one run: a flaky run has more than one."""
        if self.random.random() < self.profile.skip_rate:
            yield Attempt(0, 1, 1, "skipped", trigger.actor)
            return
        if trigger.on_default and self._draw_is_default_failing(at):
            yield self._draw_attempt(at, "failure")
            return
        trigger.is_fix = trigger.on_default and self.is_failing
        self.is_failing = self.is_failing and not trigger.on_default
        if not trigger.on_default and self.random.random() < self.profile.failure_rate:
            yield self._draw_attempt(at, "failure")
            return
        rate = self.profile.flaky_rate
        while self.random.random() < rate:
            yield self._draw_attempt(at, "failure")
            rate /= 2
        yield self._draw_attempt(at, "success")

    def _draw_is_default_failing(self, at: datetime) -> bool:
        """Continue or start a series of failures on the default branch, by chance."""
        if self.failures_left:
            self.failures_left -= 1
            return True
        rate = self.profile.failure_rate
        if self._is_live(at):
            rate = min(rate * 3, MAX_LIVE_FAILURE_RATE)
        if self.is_failing or self.random.random() >= rate:
            return False
        self.is_failing = True
        self.failures_left = self.random.randint(0, 1 if self._is_live(at) else 3)
        return True

    def _draw_attempt(self, at: datetime, conclusion: str) -> Attempt:
        """An attempt with random times; a failure tends to end early."""
        is_after_start = at >= self.start
        length = self.profile.seconds * self.random.lognormvariate(0, 0.18)
        if conclusion == "failure":
            length *= self.random.uniform(0.4, 0.95)
        pause = (8, 20) if is_after_start else (120, 1500)
        approval = (12, 35) if is_after_start else (60, 2400)
        return Attempt(
            after=self.random.uniform(*pause),
            queued=self._queue_seconds(at, self.random.uniform(2, 7)),
            held=self._held_seconds(at),
            seconds=length,
            conclusion=conclusion,
            actor=self.random.choice(PEOPLE),
            approval=self.random.uniform(*approval)
            if self.profile.needs_approval
            else 0,
        )

    def _queue_seconds(self, at: datetime, least: float) -> float:
        """How long the first job is in the queue; shorter in the live part."""
        first = [spec for spec in self.profile.jobs if spec.needs == ()]
        name = f"{self.profile.file} {at}"
        seconds = min(
            queue_seconds(spec, at, f"{name} {spec.name}")
            for spec in first or self.profile.jobs[:1]
        )
        most = MAX_LIVE_QUEUE if at >= self.start else MAX_QUEUE
        return max(least, min(seconds, most))

    def _held_seconds(self, at: datetime) -> float:
        """How long the run waits for its concurrency group: one run of three does."""
        name = f"held {self.profile.repo} {self.profile.file} {at}"
        if not self.profile.has_group or stable_int(name, 0, 3):
            return 0
        return stable_int(name, 8, 30 if at >= self.start else 900)


def cancel_superseded(world: World, before: Run, at: datetime) -> None:
    """`cancel-in-progress`: a new run cancels the unfinished one before it."""
    now = before.version_at(at)
    if now is not None and now.status != "completed":
        done = {"status": "completed", "conclusion": "cancelled", "updated_at": at}
        world.add_version(before, at, done | {"cancel_cause": "superseded"})


def versions_of(
    run: Run, at: datetime, attempts: list[Attempt]
) -> Iterator[RunVersion]:
    """Every version of the run, from its start to the end of its last attempt."""
    started = at
    for number, attempt in enumerate(attempts, start=1):
        actor = run.actor if number == 1 else attempt.actor
        for offset, status, conclusion in phases(attempt):
            when = started + timedelta(seconds=offset)
            yield RunVersion(when, status, conclusion, number, started, when, actor)
        pause = attempts[number].after if number < len(attempts) else 0
        started = when + timedelta(seconds=pause)


def keep_good_jobs(run: Run) -> None:
    """In half of the re-runs, only the jobs that had failed run again."""
    last = run.versions[-1].run_attempt
    for attempt in range(2, last + 1):
        if stable_int(f"partial {run.id} {attempt}", 0, 2):
            continue
        *_, before = (v for v in run.versions if v.run_attempt < attempt)
        kept = job_attempts(run, before, True, ())
        run.versions = [
            replace(v, job_attempts=kept) if v.run_attempt == attempt else v
            for v in run.versions
        ]


def phases(attempt: Attempt) -> Iterator[tuple[float, str, str | None]]:
    """Each phase: seconds after the attempt's start, status and conclusion."""
    if attempt.held:
        yield 0, "pending", None
    yield attempt.held, "queued", None
    if attempt.conclusion == "skipped":
        yield 1, "completed", "skipped"
        return
    clock = attempt.held + attempt.queued
    yield clock, "in_progress", None
    if attempt.approval:
        yield clock + attempt.seconds / 2, "waiting", None
        clock += attempt.approval
        yield clock + attempt.seconds / 2, "in_progress", None
    yield clock + attempt.seconds, "completed", attempt.conclusion
