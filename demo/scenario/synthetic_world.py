"""Worlds of any size for the benchmarks; a run's JSON is built on request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from ci_observer.demo.seeded_random import seeded_random, stable_sha
from ci_observer.demo.server.model import Run
from ci_observer.demo.server.world import World

CONCLUSIONS = ("success", "failure", "cancelled", "skipped")
WEIGHTS = (88, 8, 3, 1)
# With a message of about this length, a run object has 13 kB, the recorded median.
MESSAGE = "Keep totals in minor units\n\n" + "Signed-off-by: A Colleague\n" * 40
SPACING = timedelta(minutes=12)


def build(
    repos: int = 10,
    workflows: int = 4,
    runs: int = 250,
    *,
    now: datetime | str = "2026-03-02T09:00:00Z",
    seed: int = 7,
) -> World:
    """`repos` x `workflows` x `runs` completed runs, the newest one minute old.

    The repositories are `synthetic/service-000`, …, each with `workflow-0.yml`, ….
    """
    world = World(now)
    for repo in range(repos):
        for number in range(workflows):
            name, file = f"synthetic/service-{repo:03}", f"workflow-{number}.yml"
            for _ in add_runs(world, name, file, runs, seed):
                pass
    return world


def add_runs(
    world: World, repo: str, file: str, count: int, seed: int = 7
) -> Iterator[Run]:
    """Add `count` past runs to one workflow, oldest first."""
    random = seeded_random(seed, repo, file)
    outcomes = random.choices(CONCLUSIONS, WEIGHTS, k=count)
    for index, conclusion in enumerate(outcomes):
        age = SPACING * (count - 1 - index) + timedelta(minutes=10)
        yield world.add_run(
            repo,
            file,
            conclusion=conclusion,
            created_at=world.now - age,
            duration=random.randint(30, 540),
            head_branch="main" if index % 3 else f"feature/change-{index}",
            event="push" if index % 3 else "pull_request",
            pull_requests=() if index % 3 else (index + 1,),
            head_sha=stable_sha(f"{repo} {file} {index}"),
            message=MESSAGE,
        )
