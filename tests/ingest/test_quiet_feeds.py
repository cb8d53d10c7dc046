"""Quiet feeds are polled in every second pass, and never become stale."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from archive import set_clock
from polling import FILE, REPO, Ingest, the_feed
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.polling.repo_checks import PAGE_SIZE

pytestmark = pytest.mark.usefixtures("no_waiting")

PASSES = 12


def add_old_run(world: World, *, repo: str = REPO, **fields: str) -> None:
    """A run of six weeks ago, completed unless the fields change that."""
    created_at = world.now - timedelta(weeks=6)
    world.add_run(repo, FILE, created_at=created_at, **fields)


def count_lists(github: GitHubServer) -> int:
    """The requested lists of newest runs, without the repository checks."""
    return sum(
        entry.path.endswith("/runs")
        and "status" not in entry.query
        and entry.query["per_page"] != str(PAGE_SIZE)
        for entry in github.log
    )


def lists_in_each_pass(
    github: GitHubServer, ingest: Ingest, *, refresh: float, passes: int = PASSES
) -> list[int]:
    """The number of polled lists of newest runs in each pass after the first two."""
    for _ in range(2):
        ingest.poll()
        github.advance(refresh)
    numbers = []
    for _ in range(passes):
        github.log.clear()
        ingest.poll()
        numbers.append(count_lists(github))
        github.advance(refresh)
    return numbers


@pytest.mark.parametrize("refresh", [5, 10, 30, 60, 150])
def test_a_quiet_feed_is_polled_in_every_second_pass(world, github, ingest, refresh):
    add_old_run(world)
    ingest.restart(refresh_seconds=refresh)

    polled = lists_in_each_pass(github, ingest, refresh=refresh)

    assert polled in ([0, 1] * (PASSES // 2), [1, 0] * (PASSES // 2))


@pytest.mark.parametrize("refresh", [151, 300, 600])
def test_a_quiet_feed_skips_no_pass_if_there_is_too_little_time(
    world, github, ingest, refresh
):
    """The wait would be over five minutes."""
    add_old_run(world)
    ingest.restart(refresh_seconds=refresh)

    polled = lists_in_each_pass(github, ingest, refresh=refresh)

    assert polled == [1] * PASSES


@pytest.mark.parametrize(
    "fields", [{"status": "in_progress"}, {"run_started_at": "2026-02-20T09:00:00Z"}]
)
def test_a_feed_with_an_unfinished_or_a_recent_run_is_polled_in_every_pass(
    world, github, ingest, fields
):
    add_old_run(world, **fields)

    polled = lists_in_each_pass(github, ingest, refresh=60)

    assert polled == [1] * PASSES


def test_a_failing_quiet_feed_is_polled_in_every_pass_until_it_works(
    world, github, ingest, db
):
    add_old_run(world)
    ingest.poll()
    ingest.poll()
    github.faults.add("invalid_json", path="/runs", count=None)

    polled = lists_in_each_pass(github, ingest, refresh=60)

    assert polled == [1] * PASSES
    github.faults.clear()
    ingest.poll()
    assert the_feed(db).error is None


def test_a_new_run_makes_a_quiet_feed_busy(world, github, ingest):
    add_old_run(world)
    lists_in_each_pass(github, ingest, refresh=60)
    world.add_run(REPO, FILE)

    polled = lists_in_each_pass(github, ingest, refresh=60)

    assert polled == [1] * PASSES


def test_one_busy_workflow_has_its_whole_repository_polled_in_every_pass(
    world, github, ingest
):
    add_old_run(world)
    world.add_run(REPO, "deploy.yml")
    ingest.restart(workflows=(FILE, "deploy.yml"))

    polled = lists_in_each_pass(github, ingest, refresh=60)

    assert polled == [1] * PASSES


def test_after_a_restart_all_feeds_are_polled(world, github, ingest):
    add_old_run(world)
    ingest.poll()
    for _ in range(4):
        github.log.clear()
        ingest.restart()
        ingest.poll()

        assert count_lists(github) == 1


def test_the_quiet_feeds_are_spread_over_the_passes(world, github, ingest):
    repos = [f"acme/service-{n}" for n in range(60)]
    for repo in repos:
        add_old_run(world, repo=repo)
    ingest.restart(repos=tuple(repos))

    polled = lists_in_each_pass(github, ingest, refresh=60, passes=6)

    assert all(20 <= number <= 40 for number in polled)
    assert {sum(pair) for pair in pairwise(polled)} == {60}


def test_the_least_recently_checked_feed_is_polled_first(world, github, ingest):
    """A limit that is spent in every pass starves no feed."""
    repos = [f"acme/service-{n}" for n in range(12)]
    for repo in repos:
        world.add_run(repo, FILE)
    ingest.restart(repos=tuple(repos))
    ingest.poll()
    for nth in (6, 1, 1):
        github.faults.clear()
        github.advance(60)
        github.faults.add("secondary_limit", path="/runs", nth=nth, count=None)
        ingest.poll()
    github.faults.clear()
    github.log.clear()

    ingest.poll()

    polled = [e.path.split("/")[3] for e in github.log if "/workflows/" in e.path]
    assert set(polled[:6]).isdisjoint(polled[-4:])
    # By name they would be last. Four concurrent requests arrive in any order.
    assert {"service-9", "service-8"} <= set(polled[:10])


class Wall:
    """A loop of passes that records whether the wall was ever stale."""

    def __init__(self, github: GitHubServer, ingest: Ingest, db: Database) -> None:
        self.github = github
        self.ingest = ingest
        self.db = db
        self.states: list[str] = []

    def watch(self, *, passes: int, failing: int, late: float) -> None:
        """One pass gets no response, and each begins late; look just before it."""
        number = 0

        async def wait(seconds: float) -> None:
            nonlocal number
            number += 1
            self.github.faults.clear()
            if number == failing:
                self.github.faults.add("server_error", path="", count=None)
            self.github.advance(seconds + late)
            set_clock(self.db, self.github.clock())
            self.states += [
                state for [state] in self.db.execute("select tile_state from wall")
            ]
            if number == passes:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            self.ingest.run_forever(wait)


@pytest.mark.parametrize("failing", [4, 5])
@pytest.mark.parametrize("lateness", [0, 0.1, 0.4])
@pytest.mark.parametrize("refresh", [5, 13, 60, 150, 300, 600])
def test_one_failed_pass_makes_no_quiet_tile_stale(
    world, github, ingest, db, refresh, lateness, failing
):
    """Whichever pass fails, and also if each pass begins late."""
    add_old_run(world)
    ingest.restart(refresh_seconds=refresh)
    wall = Wall(github, ingest, db)

    wall.watch(passes=9, failing=failing, late=lateness * refresh)

    assert set(wall.states) == {"passing"}
    assert the_feed(db).error is None


def test_after_a_temporary_error_the_next_pass_comes_sooner_once(world, github, ingest):
    add_old_run(world)
    github.faults.add("server_error", path="/workflows/", count=None)
    waits = []
    for _ in range(3):
        ingest.poll()
        waits.append(ingest.next_wait())
    github.faults.clear()
    ingest.poll()
    waits.append(ingest.next_wait())

    assert waits == [timedelta(seconds=seconds) for seconds in (30, 60, 30, 60)]


def test_confirmed_missing_access_makes_no_pass_sooner(world, github, ingest):
    waits = []
    for _ in range(3):
        ingest.poll()
        waits.append(ingest.next_wait())

    assert waits == [timedelta(seconds=seconds) for seconds in (30, 60, 60)]
