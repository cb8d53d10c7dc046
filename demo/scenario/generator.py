"""How a lively workflow goes on: births, queues, outcomes, re-runs, cancellations.

Each run's future is written down as versions when it is born, so that what is seen at
an instant depends on that instant only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from ci_observer.demo.scenario.people import Occasion, occasion_for
from ci_observer.demo.scenario.workflow_profiles import FIXES, PEOPLE, Habit
from ci_observer.demo.seeded_random import seeded_random
from ci_observer.demo.server.model import Run, RunVersion
from ci_observer.demo.server.world import World

DAY = 86_400.0
SATURDAY = 5
OFFICE = range(7, 19)
# Share of the hours in which people work: births elsewhere are mostly dropped.
OFFICE_SHARE = 0.4
LIVE_BREAKS = 0.22


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to come: it starts `after` seconds after the one before ended."""

    after: float
    queued: float
    seconds: float
    conclusion: str
    actor: str
    approval: float = 0


class Life:
    """Bears the runs of one workflow, in the past and while somebody watches."""

    def __init__(self, habit: Habit, start: datetime, seed: int) -> None:
        self.habit = habit
        self.start = start
        self.end = start - timedelta(days=habit.until_days)
        self.random: Random = seeded_random(seed, habit.repo, habit.file)
        self.red_runs = 0
        self.is_red = False
        self.latest: dict[str | None, Run] = {}

    # -- when

    def begin(self, world: World, first: datetime) -> None:
        """Schedule the first birth after `first`, and the extra ones."""
        for minutes in self.habit.also_before:
            world.schedule(
                self.start - timedelta(minutes=minutes), self.bear_on_default
            )
        self._schedule(world, first)

    def __call__(self, world: World, at: datetime) -> None:
        if self._is_working_time(at):
            self.bear(world, at)
        self._schedule(world, at)

    def _schedule(self, world: World, at: datetime) -> None:
        following = self.next_birth(at)
        stopped = self.habit.until_days and following and following > self.end
        if following is not None and not stopped:
            world.schedule(following, self)

    def next_birth(self, at: datetime) -> datetime | None:
        """The instant of the next birth after `at`, None when there is none."""
        habit = self.habit
        if habit.nightly is not None:
            return self._next_night(at, habit.nightly)
        if habit.live_seconds and at >= self.start:
            pause = habit.live_seconds * self.random.uniform(0.5, 1.5)
            if self.is_red:  # the fix comes soon after the failure is seen
                pause = habit.seconds * 1.2 + self.random.uniform(5, 15)
            return at + timedelta(seconds=pause)
        if not habit.per_day:
            return None
        rate = habit.per_day / OFFICE_SHARE / DAY
        following = at + timedelta(seconds=self.random.expovariate(rate))
        if habit.live_seconds and following > self.start:
            pause = habit.live_from + self.random.uniform(0, habit.live_seconds)
            return self.start + timedelta(seconds=pause)
        return following

    def _next_night(self, at: datetime, hour: int) -> datetime:
        """Schedules start some minutes late, as GitHub's do."""
        tonight = at.replace(hour=hour, minute=0, second=0, microsecond=0)
        late = timedelta(seconds=self.random.uniform(60, 900))
        days = 0 if tonight > at else 1
        return tonight + timedelta(days=days) + late

    def _is_working_time(self, at: datetime) -> bool:
        lively = self.habit.live_seconds and at >= self.start
        if self.habit.nightly is not None or lively:
            return True
        at_work = at.weekday() < SATURDAY and at.hour in OFFICE
        return at_work or self.random.random() < 1 / 10

    # -- what

    def bear_on_default(self, world: World, at: datetime) -> None:
        """A good run on the default branch, whatever chance says."""
        occasion = occasion_for(self.habit, "push", world, self.random)
        self._bear(world, at, occasion, [self._attempt(at, "success")])

    def bear(self, world: World, at: datetime) -> None:
        """One run, by chance."""
        event = "schedule"
        if self.habit.nightly is None:
            names, weights = zip(*self.habit.events, strict=True)
            event = self.random.choices(names, weights)[0]
            # The wall shows default branches: let more happen there while watched.
            if at >= self.start and "push" in names and self.random.random() < 1 / 2:
                event = "push"
        occasion = occasion_for(self.habit, event, world, self.random)
        attempts = list(self._attempts(at, occasion))
        self._bear(world, at, occasion, attempts)

    def _bear(
        self, world: World, at: datetime, occasion: Occasion, attempts: list[Attempt]
    ) -> None:
        before = self.latest.get(occasion.head_branch)
        if self.habit.cancels and before is not None:
            supersede(world, before, at)
        run = world.add_run(
            self.habit.repo,
            self.habit.file,
            status="queued",
            created_at=at,
            display_title=FIXES[run_seed(at) % len(FIXES)]
            if occasion.is_fix
            else occasion.title,
            **occasion.fields,
        )
        self.latest[occasion.head_branch] = run
        run.versions = list(future(run, at, attempts))

    def _attempts(self, at: datetime, occasion: Occasion) -> Iterator[Attempt]:
        """The outcome, with re-runs when it is flaky."""
        if self.random.random() < self.habit.skips:
            yield Attempt(0, 1, 1, "skipped", occasion.actor)
            return
        if occasion.on_default and self._breaks(at):
            yield self._attempt(at, "failure")
            return
        occasion.is_fix = occasion.on_default and self.is_red
        self.is_red = self.is_red and not occasion.on_default
        if not occasion.on_default and self.random.random() < self.habit.breaks:
            yield self._attempt(at, "failure")
            return
        chance = self.habit.flaky
        while self.random.random() < chance:
            yield self._attempt(at, "failure")
            chance /= 2
        yield self._attempt(at, "success")

    def _breaks(self, at: datetime) -> bool:
        """Whether this run on the default branch is red: newly, or still."""
        if self.red_runs:
            self.red_runs -= 1
            return True
        lively = self.habit.live_seconds and at >= self.start
        chance = (
            min(self.habit.breaks * 3, LIVE_BREAKS) if lively else self.habit.breaks
        )
        if self.is_red or self.random.random() >= chance:
            return False
        self.is_red = True
        self.red_runs = self.random.randint(0, 1 if lively else 3)
        return True

    def _attempt(self, at: datetime, conclusion: str) -> Attempt:
        """Times of one attempt: a failure tends to end early."""
        live = at >= self.start
        length = self.habit.seconds * self.random.lognormvariate(0, 0.18)
        if conclusion == "failure":
            length *= self.random.uniform(0.4, 0.95)
        pause = (8, 20) if live else (120, 1500)
        approval = (12, 35) if live else (60, 2400)
        return Attempt(
            after=self.random.uniform(*pause),
            queued=self.random.uniform(2, 7),
            seconds=length,
            conclusion=conclusion,
            actor=self.random.choice(PEOPLE),
            approval=self.random.uniform(*approval) if self.habit.approval else 0,
        )


def run_seed(at: datetime) -> int:
    return int(at.timestamp())


def supersede(world: World, before: Run, at: datetime) -> None:
    """`cancel-in-progress`: a newer run of the group cancels an unfinished one."""
    now = before.version_at(at)
    if now is not None and now.status != "completed":
        done = {"status": "completed", "conclusion": "cancelled", "updated_at": at}
        world.add_version(before, at, done)


def future(run: Run, at: datetime, attempts: list[Attempt]) -> Iterator[RunVersion]:
    """Every version of the run, from its birth to the end of its last attempt."""
    started = at
    for number, attempt in enumerate(attempts, start=1):
        actor = run.actor if number == 1 else attempt.actor
        for offset, status, conclusion in phases(attempt):
            when = started + timedelta(seconds=offset)
            yield RunVersion(when, status, conclusion, number, started, when, actor)
        pause = attempts[number].after if number < len(attempts) else 0
        started = when + timedelta(seconds=pause)


def phases(attempt: Attempt) -> Iterator[tuple[float, str, str | None]]:
    """Seconds after the attempt's start, status and conclusion."""
    yield 0, "queued", None
    if attempt.conclusion == "skipped":
        yield 1, "completed", "skipped"
        return
    clock = attempt.queued
    yield clock, "in_progress", None
    if attempt.approval:
        yield clock + attempt.seconds / 2, "waiting", None
        clock += attempt.approval
        yield clock + attempt.seconds / 2, "in_progress", None
    yield clock + attempt.seconds, "completed", attempt.conclusion
