"""A simulated GitHub whose runs differ as real ones do.

In recorded runs, three runs share a commit. Half of the commit messages have more than
100 characters, a quarter more than 350, a few some thousand. Some people have most of
the runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from math import log
from random import Random

from bench.databases.random_words import some_words
from ci_observer.demo.seeded_random import seeded_random, stable_sha
from ci_observer.demo.server.world import World

CONCLUSIONS = {"success": 88, "failure": 8, "cancelled": 3, "skipped": 1}
EVENTS = {"push": 60, "pull_request": 35, "workflow_dispatch": 5}
PEOPLE = 60
MEDIAN_LENGTH, SPREAD, MAX_LENGTH = 107, 1.8, 12_000
SPACING = timedelta(minutes=12)
MAIN_SHARE = 0.4
RERUN_SHARE = 0.03


@dataclass(frozen=True)
class Commit:
    """What the runs of all workflows for one commit have in common."""

    title: str
    message: str
    author: str
    branch: str
    event: str
    pull_requests: tuple[int, ...]
    sha: str


def build(
    repos: int, workflows: int, runs: int, *, now: datetime | str, seed: int = 7
) -> World:
    """`repos` x `workflows` x `runs` completed runs, the newest some minutes old.

    The repositories are `synthetic/service-000`, …, each with `workflow-0.yml`, ….
    """
    world = World(now)
    for number in range(repos):
        repo = f"synthetic/service-{number:03}"
        random = seeded_random(seed, repo)
        for index, commit in enumerate(_commits(random, repo, runs)):
            age = SPACING * (runs - 1 - index) + timedelta(minutes=10)
            for workflow in range(workflows):
                _add_run(world, random, (repo, f"workflow-{workflow}.yml"), commit, age)
    return world


def _commits(random: Random, repo: str, count: int) -> Iterator[Commit]:
    people = [f"person-{n:02}" for n in range(PEOPLE)] + ["dependabot[bot]"]
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(people))))
    for index in range(count):
        title = some_words(random, 3, 11).capitalize()
        length = min(MAX_LENGTH, random.lognormvariate(log(MEDIAN_LENGTH), SPREAD))
        event = random.choices([*EVENTS], [*EVENTS.values()])[0]
        is_main = event != "pull_request" and random.random() < MAIN_SHARE * 2
        slug = some_words(random, 2, 4).replace(" ", "-")
        yield Commit(
            title=title,
            message=_message(random, title, int(length)),
            author=random.choices(people, cum_weights=weights)[0],
            branch="main" if is_main else f"{slug}-{index}",
            event=event,
            pull_requests=(index + 1,) if event == "pull_request" else (),
            sha=stable_sha(f"{repo} {index}"),
        )


def _message(random: Random, title: str, length: int) -> str:
    lines = [title]
    while sum(map(len, lines)) < length:
        lines += ["", some_words(random, 6, 60)]
    return "\n".join(lines)[: max(length, len(title))]


def _add_run(
    world: World,
    random: Random,
    feed: tuple[str, str],
    commit: Commit,
    age: timedelta,
) -> None:
    [conclusion] = random.choices([*CONCLUSIONS], [*CONCLUSIONS.values()])
    is_rerun = random.random() < RERUN_SHARE
    world.add_run(
        *feed,
        conclusion=conclusion,
        created_at=world.now - age + timedelta(seconds=random.randint(0, 20)),
        duration=random.randint(5, 570),
        head_branch=commit.branch,
        event=commit.event,
        pull_requests=commit.pull_requests,
        head_sha=commit.sha,
        display_title=commit.title,
        message=commit.message,
        actor=commit.author,
        triggering_actor=f"person-{random.randrange(PEOPLE):02}"
        if is_rerun
        else commit.author,
    )
