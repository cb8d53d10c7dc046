"""400 feeds in 100 repositories: which are polled, and the effect of one error."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import stamina
from polling import Ingest

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.model import Run
from ci_observer.demo.server.world import World
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import utc

REPOS = tuple(f"acme/service-{n:03}" for n in range(100))
FILES = ("build.yml", "ci.yml", "deploy.yml", "docs.yml")
# These repositories are active; the others have had no run for six weeks.
BUSY = REPOS[:10]
FAILING = REPOS[50]


def one_run_each() -> World:
    """The same run for each workflow."""
    world = World("2026-03-02T09:00:00Z")
    for repo in REPOS:
        age = timedelta(hours=1) if repo in BUSY else timedelta(weeks=6)
        for file in FILES:
            world.add_run(repo, file, created_at=world.now - age)
    return world


@pytest.fixture(scope="module")
def after_first_pass(
    migrated_file: bytes, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """The database after a pass that polled everything."""
    path = tmp_path_factory.mktemp("many") / "ci_observer.db"
    path.write_bytes(migrated_file)
    with GitHubServer(one_run_each()) as github, watching(path, github) as ingest:
        ingest.poll()
    return path.read_bytes()


@contextmanager
def watching(path: Path, github: GitHubServer) -> Iterator[Ingest]:
    with (
        stamina.set_testing(True, attempts=1),
        closing(schema.connect(path)) as db,
        closing(Ingest(db, github)) as ingest,
    ):
        ingest.restart(repos=REPOS, workflows=FILES, fetch_jobs="none")
        yield ingest


@pytest.fixture
def world() -> World:
    return one_run_each()


@pytest.fixture
def ingest(
    github: GitHubServer, db_path: Path, after_first_pass: bytes
) -> Iterator[Ingest]:
    """An ingest that has just restarted: its next pass polls everything."""
    db_path.write_bytes(after_first_pass)
    with watching(db_path, github) as ingest:
        yield ingest


def list_requests(github: GitHubServer) -> Counter[str]:
    """The number of requests for newest runs, by repository.

    Without the checks of the newest ten runs of a repository, every five minutes.
    """
    return Counter(
        entry.path.removeprefix("/repos/").split("/actions")[0]
        for entry in github.log
        if entry.path.endswith("/runs")
        and "status" not in entry.query
        and entry.query["per_page"] != "10"
    )


def passes(github: GitHubServer, ingest: Ingest, number: int) -> list[Counter[str]]:
    """The repositories that each of the next passes polls."""
    found = []
    for _ in range(number):
        github.advance(60)
        github.log.clear()
        ingest.poll()
        found.append(list_requests(github))
    return found


def runs_of_each_workflow(github: GitHubServer) -> list[list[Run]]:
    return [
        workflow.runs
        for repo in github.world.repos.values()
        for workflow in repo.workflows.values()
    ]


def test_the_first_pass_stores_every_feed(github, ingest):
    result = ingest.db.execute(
        "select count(*), count(checked_at), count(error) from feeds where is_watched"
    ).fetchone()

    assert result == (400, 400, 0)
    stored = {row["run_id"] for row in ingest.db["runs"].rows}
    assert {runs[0].id for runs in runs_of_each_workflow(github)} <= stored


def test_a_pass_polls_each_busy_repository_once_and_half_of_the_quiet_ones(
    github, ingest
):
    _, *found = passes(github, ingest, 5)

    for repos in found:
        assert set(repos.values()) == {1}
        assert set(BUSY) <= set(repos)
        assert 30 <= len(set(repos) - set(BUSY)) <= 60
    for first, second in pairwise(found):
        assert set(first) | set(second) == set(REPOS)
        assert set(first) & set(second) == set(BUSY)


def test_an_error_of_one_repository_affects_no_other(github, ingest):
    github.faults.add("server_error", path=f"{FAILING}/", count=None)

    passes(github, ingest, 2)

    github.faults.clear()
    oldest = utc(github.clock() - timedelta(seconds=60))
    watched = feeds.watched(ingest.db)
    assert {f.repo for f in watched if f.error} == {FAILING}
    assert all((f.checked_at or "") >= oldest for f in watched if not f.error)


def test_news_of_a_quiet_repository_is_found_within_two_passes(github, ingest):
    passes(github, ingest, 2)
    new = [github.world.add_run(repo, "ci.yml", duration=0) for repo in REPOS[-20:]]

    passes(github, ingest, 2)

    stored = {row["run_id"] for row in ingest.db["runs"].rows}
    assert {run.id for run in new} <= stored


def test_repositories_skipped_by_a_spent_limit_come_first_in_the_next_pass(
    github, ingest
):
    """A limit that is spent in every pass starves no repository."""
    before = utc(github.clock())
    for _ in range(6):
        github.faults.add("secondary_limit", path="", nth=24, count=None)
        passes(github, ingest, 1)
        github.faults.clear()

    answered = [feed.checked_at or "" for feed in feeds.watched(ingest.db)]
    assert min(answered) > before
