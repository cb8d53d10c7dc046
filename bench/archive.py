"""The runs of a made-up organization, as many as are wanted, oldest first.

Like a real one's: a few repositories and people do most of it, `main` has two runs in
five, other branches live for some days, a few runs in a hundred fail and are run again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from random import Random
from typing import Any

from bench.payload_size import some_words
from ci_observer.demo.seeded_random import seeded_random, stable_sha
from ci_observer.demo.server.job_objects import job_objects
from ci_observer.demo.server.model import Json, Run, RunVersion, Workflow
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World

SPAN = timedelta(days=365)
FIRST_ID, STEP = 21_000_000_007, 10_471
# Workflow file → how many of a repository's runs are its.
WORKFLOWS = {"ci.yml": 55, "lint.yml": 25, "deploy.yml": 15, "nightly.yml": 5}
CONCLUSIONS = {
    "success": 840,
    "failure": 90,
    "cancelled": 40,
    "skipped": 22,
    "action_required": 4,
    "timed_out": 3,
    "startup_failure": 1,
}
ON_MAIN = 0.4
RUN_AGAIN = 0.4  # of those that failed
UNFINISHED = timedelta(minutes=10)  # the last of them are still running
SECONDS = {"ci.yml": 420, "lint.yml": 60, "deploy.yml": 240, "nightly.yml": 1800}
LIVES = 3  # a branch's runs are spread over so many branches' time


@dataclass(frozen=True)
class Seen:
    """A run as GitHub sends it: an object for each attempt; the last one's jobs."""

    feed: tuple[str, str]
    attempts: list[Json]
    jobs: Callable[[], list[Json]]


class Archive:
    """`runs` runs of `feeds` workflows in the year before `now`, always the same."""

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

    def __iter__(self) -> Iterator[Seen]:
        for number in range(self._runs):
            age = SPAN * (self._runs - number) / self._runs
            yield self._seen(number, self._now - age)

    def _feed(self, number: int) -> Workflow:
        repo, file = divmod(number, len(WORKFLOWS))
        return self.world.workflow(f"acme/service-{repo:03}", [*WORKFLOWS][file])

    def _seen(self, number: int, at: datetime) -> Seen:
        random = self._random
        [workflow] = random.choices(self.feeds, cum_weights=self._weights)
        run = self._run(number, at, workflow)
        versions = self._versions(run, _pick(random, CONCLUSIONS))
        sites = self.world.sites
        last = versions[-1]
        return Seen(
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
            # One commit starts all workflows of its repository.
            head_sha=stable_sha(f"{workflow.repo.full_name} {number // 4}"),
            display_title=title,
            actor="github-actions[bot]" if event == "schedule" else actor,
            head_repository=workflow.repo,
            pull_requests=(number % 9_000 + 1,) if event == "pull_request" else (),
            message="\n".join([title, "", *lines]),
        )

    def _branch(self, number: int, workflow: Workflow) -> str:
        is_main = workflow.file in ("deploy.yml", "nightly.yml")
        if is_main or self._random.random() < ON_MAIN:
            return "main"
        place = number / self._runs * self._branches + self._random.random() * LIVES
        return f"{workflow.repo.name}/change-{int(place) % self._branches:03}"

    def _event(self, file: str, branch: str) -> str:
        if file == "nightly.yml":
            return "schedule"
        if branch == "main":
            by_hand = file == "deploy.yml" and self._random.random() < 1 / 5
            return "workflow_dispatch" if by_hand else "push"
        return "pull_request" if self._random.random() < 7 / 10 else "push"

    def _versions(self, run: Run, conclusion: str) -> list[RunVersion]:
        """The attempts, first to last."""
        random, at, usual = self._random, run.created_at, SECONDS[run.workflow.file]
        length = timedelta(seconds=int(usual * random.uniform(0.7, 1.4)))
        if self._now - at < UNFINISHED and random.random() < 1 / 2:
            return [_version(run, 1, at, at, None)]
        versions = [_version(run, 1, at, at + length, conclusion)]
        if conclusion == "failure" and random.random() < RUN_AGAIN:
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
