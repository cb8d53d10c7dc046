"""Any number of runs of a synthetic organization, oldest first.

They are distributed as in real organizations: a few repositories and people have most
of the runs, `main` has two runs of five, other branches live for some days, and a few
runs in a hundred fail and are re-run.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from random import Random
from typing import Any

from bench.databases.random_words import some_words
from ci_observer.demo.scenario.workflow_jobs import (
    BROWSER_JOBS,
    DOCS_JOBS,
    SMALL_JOBS,
    TEST_JOBS,
)
from ci_observer.demo.seeded_random import seeded_random, stable_sha
from ci_observer.demo.server.job_objects import job_objects
from ci_observer.demo.server.model import Json, Run, RunVersion, Workflow
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World

SPAN = timedelta(days=365)
FIRST_ID, STEP = 21_000_000_007, 10_471
# Workflow file → its share of the runs of a repository, in percent.
WORKFLOWS = {
    "ci.yml": 50,
    "lint.yml": 22,
    "deploy.yml": 13,
    "browsers.yml": 10,
    "nightly.yml": 5,
}
JOBS = {
    "ci.yml": TEST_JOBS,
    "lint.yml": SMALL_JOBS,
    "deploy.yml": DOCS_JOBS,
    "browsers.yml": BROWSER_JOBS,
    "nightly.yml": TEST_JOBS,
}
CONCLUSIONS = {
    "success": 840,
    "failure": 90,
    "cancelled": 40,
    "skipped": 22,
    "action_required": 4,
    "timed_out": 3,
    "startup_failure": 1,
}
MAIN_SHARE = 0.4
RERUN_RATE = 0.4  # of the failed runs
UNFINISHED = timedelta(minutes=10)  # half of the runs this new are in progress
SECONDS = {
    "ci.yml": 420,
    "lint.yml": 60,
    "deploy.yml": 240,
    "browsers.yml": 900,
    "nightly.yml": 1800,
}
OVERLAP = 3  # this many branches of a repository have runs at the same time


@dataclass(frozen=True)
class SyntheticRun:
    """A run as GitHub sends it: an object for each attempt, and the newest jobs."""

    feed: tuple[str, str]
    attempts: list[Json]
    jobs: Callable[[], list[Json]]


class SyntheticRuns:
    """`runs` runs of `feeds` workflows in the year before `now`; repeatable."""

    def __init__(
        self,
        *,
        runs: int,
        feeds: int,
        branches: int,
        actors: int,
        now: datetime,
        seed: int = 7,
    ) -> None:
        self._random = seeded_random(seed, runs, feeds, branches, actors)
        self._runs = runs
        self._now = now
        self.world = World(now)
        self.feeds = [self._feed(number) for number in range(feeds)]
        repos = list(dict.fromkeys(feed.repo for feed in self.feeds))
        shares = {repo.full_name: _zipf(n) for n, repo in enumerate(repos)}
        self._weights = _cumulative(
            [shares[f.repo.full_name] * WORKFLOWS[f.file] for f in self.feeds]
        )
        self._branches = max(1, branches // len(repos) - 1)
        self._actors = [f"person-{number:03}" for number in range(actors)]
        self._actor_weights = _cumulative([_zipf(n) for n in range(actors)])
        self._lines = [some_words(self._random, 6, 11) for _ in range(2000)]

    def __iter__(self) -> Iterator[SyntheticRun]:
        for number in range(self._runs):
            age = SPAN * (self._runs - number) / self._runs
            yield self._synthetic_run(number, self._now - age)

    def _feed(self, number: int) -> Workflow:
        repo, file = divmod(number, len(WORKFLOWS))
        workflow = self.world.workflow(f"acme/service-{repo:03}", [*WORKFLOWS][file])
        workflow.jobs = JOBS[workflow.file]
        return workflow

    def _synthetic_run(self, number: int, at: datetime) -> SyntheticRun:
        random = self._random
        [workflow] = random.choices(self.feeds, cum_weights=self._weights)
        run = self._run(number, at, workflow)
        versions = self._versions(run, _pick(random, CONCLUSIONS))
        run.versions += versions
        sites = self.world.sites
        last = versions[-1]
        return SyntheticRun(
            feed=(workflow.repo.full_name, workflow.file),
            attempts=[run_object(run, version, sites) for version in versions],
            jobs=partial(job_objects, run, last, self._now, sites),
        )

    def _run(self, number: int, at: datetime, workflow: Workflow) -> Run:
        random = self._random
        workflow.last_number += 1
        [actor] = random.choices(self._actors, cum_weights=self._actor_weights)
        branch = self._branch(number, workflow)
        event = self._event(workflow.file, branch)
        title = random.choice(self._lines)[:60].capitalize()
        lines = random.choices(self._lines, k=random.randint(4, 30))
        return Run(
            id=FIRST_ID + STEP * number,
            repo=workflow.repo,
            workflow=workflow,
            run_number=workflow.last_number,
            created_at=at.replace(microsecond=0),
            event=event,
            head_branch=branch,
            # Several workflows run for the same commit.
            head_sha=stable_sha(f"{workflow.repo.full_name} {number // 4}"),
            display_title=title,
            actor="github-actions[bot]" if event == "schedule" else actor,
            head_repository=workflow.repo,
            pull_requests=(number % 9_000 + 1,) if event == "pull_request" else (),
            message="\n".join([title, "", *lines]),
        )

    def _branch(self, number: int, workflow: Workflow) -> str:
        is_main = workflow.file in ("deploy.yml", "nightly.yml")
        if is_main or self._random.random() < MAIN_SHARE:
            return "main"
        progress = number / self._runs * self._branches
        branch = int(progress + self._random.random() * OVERLAP) % self._branches
        return f"{workflow.repo.name}/change-{branch:03}"

    def _event(self, file: str, branch: str) -> str:
        if file == "nightly.yml":
            return "schedule"
        if branch == "main":
            is_manual = file == "deploy.yml" and self._random.random() < 1 / 5
            return "workflow_dispatch" if is_manual else "push"
        return "pull_request" if self._random.random() < 7 / 10 else "push"

    def _versions(self, run: Run, conclusion: str) -> list[RunVersion]:
        """The attempts, oldest first."""
        random, at, usual = self._random, run.created_at, SECONDS[run.workflow.file]
        length = timedelta(seconds=int(usual * random.uniform(0.7, 1.4)))
        if self._now - at < UNFINISHED and random.random() < 1 / 2:
            return [_version(run, 1, at, at, None)]
        versions = [_version(run, 1, at, at + length, conclusion)]
        if conclusion == "failure" and random.random() < RERUN_RATE:
            again = at + length + timedelta(minutes=random.randint(1, 60))
            better = "success" if random.random() < 2 / 3 else "failure"
            end = min(again + length, self._now)
            versions.append(_version(run, 2, again, end, better))
        return versions


def _version(
    run: Run,
    attempt: int,
    started_at: datetime,
    updated_at: datetime,
    conclusion: str | None,
) -> RunVersion:
    return RunVersion(
        at=started_at,
        status="completed" if conclusion else "in_progress",
        conclusion=conclusion,
        run_attempt=attempt,
        run_started_at=started_at.replace(microsecond=0),
        updated_at=updated_at.replace(microsecond=0),
        triggering_actor=run.actor,
    )


def _zipf(rank: int) -> float:
    return float((rank + 1) ** -0.8)


def _cumulative(weights: Sequence[float]) -> list[float]:
    return list(accumulate(weights))


def _pick(random: Random, weights: dict[str, Any]) -> str:
    [word] = random.choices([*weights], [*weights.values()])
    return word
