"""A restart costs nothing of the rate limit while nothing has changed upstream.

It repeats no request that the former process has made lately: its ETag may be old.
"""

from datetime import timedelta

import pytest
from polling import Ingest

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World

REPOS = ("acme/api", "acme/app")
ALL = ("ci.yml", "docs.yml", "deploy.yml", "lint.yml", "nightly.yml")
MINUTES = 3
# Then each repository is checked every minute again.
QUIET_MINUTES = 8


def live(ingest: Ingest, github: GitHubServer, world: World, *, minutes: int) -> None:
    """Poll each minute, while a run of each repository starts and another ends."""
    running = []
    for minute in range(minutes):
        github.advance(60)
        for run in running:
            world.update_run(run, conclusion="success")
        running = [
            world.add_run(repo, ALL[minute % len(ALL)], status="in_progress")
            for repo in REPOS
        ]
        poll(ingest)
    for run in running:
        world.update_run(run, conclusion="success")


def poll(ingest: Ingest) -> None:
    deadline = ingest.clock() + timedelta(seconds=60)
    ingest.poll(backfill_deadline=deadline)


@pytest.mark.parametrize(
    ("repos", "workflows"),
    [
        (REPOS, ALL),  # repositories' lists
        (REPOS, ("*",)),
        (("acme/*",), ("*",)),
        (REPOS, ALL[:1]),  # workflows' own lists
        (REPOS, ALL[:2]),  # own lists, because most runs are of other workflows
    ],
)
def test_the_first_pass_after_a_restart_is_charged_nothing(
    world, github, ingest, repos, workflows
):
    for repo in REPOS:
        for file in ALL:
            world.add_run(repo, file)
    ingest.restart(repos=repos, workflows=workflows)
    poll(ingest)
    live(ingest, github, world, minutes=MINUTES)
    for _ in range(QUIET_MINUTES):
        github.advance(60)
        poll(ingest)
    live(ingest, github, world, minutes=1)
    # The newest pages are up to date, the lists that are requested rarely are not.
    poll(ingest)
    github.advance(20)
    github.log.clear()

    ingest.restart()
    poll(ingest)

    assert github.log
    assert [(e.path, e.query) for e in github.log if e.charged] == []


def test_after_a_pause_a_restart_requests_all_that_is_due(world, github, ingest):
    """A run below the newest page may have been re-run meanwhile."""
    for repo in REPOS:
        world.add_run(repo, "ci.yml")
    ingest.restart(repos=REPOS)
    poll(ingest)
    github.advance(660)
    github.log.clear()

    ingest.restart()
    poll(ingest)

    by_status = [e.path for e in github.log if e.query.get("status") == "in_progress"]
    checks = [e.path for e in github.log if e.query.get("per_page") == "10"]
    assert by_status == checks == [f"/repos/{repo}/actions/runs" for repo in REPOS]


def test_a_request_in_the_future_postpones_nothing(world, github, ingest, db):
    """The clock was wrong when it was sent."""
    world.add_run(REPOS[0], "ci.yml")
    ingest.restart(repos=REPOS[:1])
    poll(ingest)
    db.execute("update responses set requested_at = '2030-01-01T00:00:00Z'")
    github.log.clear()

    ingest.restart()
    poll(ingest)

    assert [e for e in github.log if e.query.get("status") == "in_progress"]
