"""Several watched workflows of one repository are polled with one request."""

from datetime import timedelta

import pytest
from polling import REPO, add_runs, run_ids, the_feed

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.ingest.polling.repo_checks import PAGE_SIZE
from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import utc

pytestmark = pytest.mark.usefixtures("no_waiting")

FILES = ("build.yml", "ci.yml", "deploy.yml", "docs.yml")


@pytest.fixture
def watched(world, ingest):
    """Four workflows of one repository, each with five runs."""
    for name in FILES:
        add_runs(world, 5, file=name)
    ingest.restart(workflows=FILES)
    return ingest


def lists(github: GitHubServer) -> list[tuple[str, int]]:
    """The requested lists of newest runs, with the status of the response."""
    return [
        (entry.path.removesuffix("/runs").rpartition("/")[2], entry.status)
        for entry in github.log
        if entry.path.endswith("/runs")
        and "status" not in entry.query
        and entry.query["per_page"] != str(PAGE_SIZE)
    ]


def test_the_first_pass_polls_each_workflow_and_then_the_repository(
    github, watched, db
):
    watched.poll()

    assert lists(github) == [(name, 200) for name in FILES] + [("actions", 200)]
    assert len(run_ids(db)) == 20


def test_a_quiet_pass_makes_one_free_request(github, watched, db):
    watched.poll()
    github.log.clear()
    github.advance(60)

    result = watched.poll()

    assert lists(github) == [("actions", 304)]
    assert not any(entry.charged for entry in github.log)
    assert result.feeds == 4
    checked = {feed.checked_at for feed in feeds.watched(db)}
    assert checked == {utc(github.clock())}


def test_changes_in_every_workflow_cost_one_request(world, github, watched, db):
    watched.poll()
    github.log.clear()
    for name in FILES:
        github.advance(1)
        world.add_run(REPO, name, status="in_progress")

    assert watched.poll().runs_written == 4
    assert [entry.charged for entry in github.log] == [True]
    assert db.execute("select count(*) from wall where activity = 'running'").fetchone()


def test_twenty_changes_in_ten_repositories_cost_ten_requests(world, github, ingest):
    repos = tuple(f"acme/service-{n}" for n in range(10))
    for repo in repos:
        for name in FILES[:2]:
            world.add_run(repo, name)
    ingest.restart(repos=repos, workflows=FILES[:2])
    ingest.poll()
    github.log.clear()
    for repo in repos:
        for name in FILES[:2]:
            world.add_run(repo, name, duration=0)

    assert ingest.poll().runs_written == 20
    assert sum(entry.charged for entry in github.log) == 10


def test_more_new_runs_than_the_page_holds_are_all_fetched(world, github, watched, db):
    watched.poll()
    for n in range(150):
        github.advance(1)
        world.add_run(REPO, FILES[n % 4], duration=0)
    for _ in range(2):
        watched.poll()

    assert len(run_ids(db)) == 170


@pytest.mark.parametrize("others_have_run", [False, True])
def test_the_first_run_of_a_workflow_below_a_full_page_is_fetched(
    world, github, ingest, db, others_have_run
):
    for name in FILES:
        world.workflow(REPO, name)
    if others_have_run:
        add_runs(world, 5, file="ci.yml")
    ingest.restart(workflows=FILES)
    ingest.poll()
    github.advance(60)
    first = world.add_run(REPO, "deploy.yml", conclusion="failure", duration=0)
    for _ in range(60):
        github.advance(1)
        world.add_run(REPO, "ci.yml", duration=0)

    ingest.poll()

    assert first.id in run_ids(db)


def test_a_gap_is_closed_even_when_the_process_dies_in_it(world, github, watched, db):
    watched.poll()
    for n in range(150):
        github.advance(1)
        world.add_run(REPO, FILES[n % 4], duration=0)
    watched.poll(backfill_deadline=github.clock())
    assert len(run_ids(db)) < 170

    watched.restart()
    watched.poll()

    assert len(run_ids(db)) == 170


def test_a_run_that_leaves_the_repository_s_page_unfinished_is_followed(
    world, github, watched, db
):
    run = world.add_run(REPO, "docs.yml", status="in_progress")
    watched.poll()
    for _ in range(60):
        github.advance(1)
        world.add_run(REPO, "ci.yml", duration=0)
    watched.poll()
    world.update_run(run, conclusion="failure")
    watched.poll()

    [[conclusion]] = db.execute(
        "select conclusion from runs where run_id = ?", [run.id]
    )
    assert conclusion == "failure"


def test_a_missing_workflow_is_found_by_its_own_list(world, github, watched, db):
    watched.restart(workflows=(*FILES, "nope.yml"))
    for _ in range(2):
        watched.poll()

    assert ("nope.yml", 404) in lists(github)
    errors = {feed.workflow: feed.error_kind for feed in feeds.watched(db)}
    assert errors == dict.fromkeys(FILES) | {"nope.yml": "not_found"}


def test_a_repository_busy_with_other_workflows_is_polled_workflow_by_workflow(
    world, github, watched, db
):
    watched.poll()
    for _ in range(60):
        github.advance(1)
        world.add_run(REPO, "unwatched.yml", duration=0)
    watched.poll()
    github.log.clear()
    github.advance(60)
    world.add_run(REPO, "unwatched.yml", duration=0)
    watched.poll()

    assert sorted(lists(github)) == sorted((name, 304) for name in FILES)
    github.advance(3600)
    github.log.clear()
    watched.poll()
    assert [name for name, _ in lists(github)] == ["actions"]


def test_a_failing_repository_list_is_every_feed_s_error_until_it_works(
    world, github, watched, db
):
    watched.poll()
    github.faults.add("server_error", path="actions/runs", count=None)
    github.advance(60)

    assert watched.poll().feeds_failed == 4
    github.faults.clear()
    assert watched.poll().feeds_failed == 0


def test_an_empty_response_deletes_and_hides_nothing(world, github, watched, db):
    watched.poll()
    github.faults.add("empty_list", path="actions/runs")
    github.advance(60)
    world.add_run(REPO, "ci.yml", duration=0)
    github.log.clear()
    watched.poll()
    assert len(run_ids(db)) == 21
    # The own lists decide, and have the new run.
    assert [name for name, _ in lists(github)] == ["actions", *FILES]

    watched.poll()

    assert len(run_ids(db)) == 21


def test_a_single_workflow_is_polled_by_its_own_list(world, github, ingest, db):
    add_runs(world, 3)
    for _ in range(2):
        ingest.poll()
        github.advance(timedelta(minutes=1).total_seconds())

    assert lists(github) == [("ci.yml", 200), ("ci.yml", 304)]
    assert the_feed(db).error is None
