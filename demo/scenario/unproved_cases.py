"""Workflows of the lively world that are not simply green or red.

The newest run of most of them decided nothing, so that their tiles are untested.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ci_observer.demo.scenario.workflow_profiles import INFRA
from ci_observer.demo.server.world import World

Case = Callable[[World, datetime], object]
TITLE = "Update the dependencies"
# Days with a success before the start of each case.
DAYS = 12


def add_history(world: World, repo: str, file: str, at: datetime, **run: Any) -> None:
    """A success on each of the days before `at`."""
    for day in range(DAYS, 0, -1):
        world.add_run(
            repo,
            file,
            created_at=at - timedelta(days=day, minutes=(7 * day) % 11),
            duration=180 + (37 * day) % 90,
            **{"display_title": TITLE} | run,
        )


def cancelled_often(world: World, at: datetime) -> None:
    """Each deployment is cancelled, and no annotation says why."""
    repo, file = "acme/handbook", "deploy.yml"
    add_history(world, repo, file, at)
    for hours in range(4):
        created_at = at + timedelta(hours=hours)
        # Jobs that take as long three times in a row would look like a time limit.
        world.add_run(
            repo,
            file,
            conclusion="cancelled",
            duration=71 + 53 * hours,
            created_at=created_at,
        )


def cancelled_by_a_person(world: World, at: datetime) -> None:
    repo, file = "acme/payments-api", "load-test.yml"
    add_history(world, repo, file, at)
    world.add_run(repo, file, cancelled_by="priya-raman", duration=95, created_at=at)


def unknown_conclusion(world: World, at: datetime) -> None:
    """GitHub uses a word that is not in its documentation."""
    repo, file = "acme/design-system", "publish.yml"
    add_history(world, repo, file, at)
    world.add_run(repo, file, conclusion="exploded", duration=44, created_at=at)


def phantom(world: World, at: datetime) -> None:
    """A push that breaks the file of a scheduled workflow."""
    add_history(world, INFRA, "rotate-keys.yml", at, event="schedule")
    world.add_phantom_run(INFRA, "rotate-keys.yml", created_at=at)


def timed_out(world: World, at: datetime) -> None:
    """GitHub calls a run cancelled whose job ran into its time limit."""
    repo, file, event = "acme/data-pipeline", "reindex.yml", "schedule"
    add_history(world, repo, file, at, event=event)
    for day in range(2):
        world.add_run(
            repo,
            file,
            event=event,
            cancel_cause="timeout",
            duration=1821,
            created_at=at + timedelta(days=day),
            display_title="Rebuild the search index",
        )


def releases(world: World, at: datetime) -> None:
    """A workflow that runs on tags only."""
    for number in range(4):
        world.add_run(
            "acme/open-toolkit",
            "publish.yml",
            event="release",
            tag=f"v2.{number}.0",
            duration=140,
            created_at=at + timedelta(days=6 * number),
            display_title=f"Version 2.{number}",
        )


def blocked(world: World, at: datetime) -> None:
    """The account's bill is not paid, so GitHub runs nothing more."""
    add_history(world, "acme/partner-portal", "ci.yml", at)
    world.add_blocked_run("acme/partner-portal", created_at=at)


def archived(world: World, at: datetime) -> None:
    add_history(world, "acme/old-website", "ci.yml", at)


def deleted_runs(world: World, at: datetime) -> None:
    """Runs that are all deleted soon after the start."""
    repo, file = "acme/handbook", "spelling.yml"
    add_history(world, repo, file, at)
    world.schedule(
        at + timedelta(seconds=90), lambda world, _: world.remove_runs_of(repo, file)
    )


# Each case with its time before the start.
UNPROVED_CASES: tuple[tuple[timedelta, Case], ...] = (
    (timedelta(days=30), archived),
    (timedelta(days=21), releases),
    (timedelta(hours=30), timed_out),
    (timedelta(hours=20), cancelled_often),
    (timedelta(hours=16), phantom),
    (timedelta(hours=9), blocked),
    (timedelta(hours=6), unknown_conclusion),
    (timedelta(hours=3), cancelled_by_a_person),
    (timedelta(0), deleted_runs),
)
