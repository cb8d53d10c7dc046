"""Runs on a repository's page that belong to no known workflow."""

from pathlib import Path

import pytest
from polling import FILE, REPO, add_runs
from sqlite_utils import Database

from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import utc

pytestmark = pytest.mark.usefixtures("no_waiting")

FILES = (FILE, "deploy.yml")
RULESET = {"workflow_id": 4548, "path": f".github/workflows/{FILE}"}


@pytest.fixture
def polled(world, github, ingest):
    """Two workflows, which are polled by their repository's page."""
    for file in FILES:
        add_runs(world, 2, file=file)
    ingest.restart(workflows=FILES)
    ingest.poll()
    github.advance(60)
    github.log.clear()
    return ingest


def counts(db: Database) -> dict[str, int]:
    return dict(db.execute("select workflow, count(*) from runs group by 1"))


def lists(github) -> list[tuple[str, int]]:
    return [
        (Path(entry.path).parent.name, entry.status)
        for entry in github.log
        if entry.path.endswith("/runs")
    ]


def checked_now(db: Database, github) -> set[str]:
    now = utc(github.clock())
    return {feed.workflow for feed in feeds.watched(db) if feed.checked_at == now}


def test_a_file_s_own_list_decides_about_a_run_with_its_path_and_another_number(
    world, github, polled, db
):
    """As if a restored repository's files had new numbers."""
    world.add_run(REPO, FILE, workflow_id=4548, duration=0)

    polled.poll()

    assert lists(github) == [("actions", 200), (FILE, 200)]
    assert counts(db) == {FILE: 3, "deploy.yml": 2}
    assert checked_now(db, github) == set(FILES)


def test_such_a_run_is_updated_by_the_repository_s_page(world, github, polled, db):
    run = world.add_run(REPO, FILE, workflow_id=4548, status="in_progress")
    polled.poll()
    github.advance(60)
    github.log.clear()
    world.update_run(run, conclusion="failure")

    polled.poll()

    assert lists(github) == [("actions", 200)]
    assert db.execute(
        "select conclusion from runs where run_id = ?", [run.id]
    ).fetchall() == [("failure",)]


def test_a_ruleset_s_workflow_is_looked_for_and_logged_once(
    world, github, polled, db, caplog
):
    caplog.set_level("INFO")
    for _ in range(3):
        world.add_run(REPO, "ruleset.yml", duration=0, **RULESET)
        polled.poll()
        github.advance(60)

    assert [name for name, _ in lists(github)] == [
        "actions",
        FILE,
        "actions",
        "actions",
    ]
    [line] = [text for text in caplog.messages if "no known workflow" in text]
    assert line == (
        f"{REPO}: a run belongs to no known workflow: number 4548, path "
        f"'.github/workflows/{FILE}'"
    )
    assert counts(db) == {FILE: 2, "deploy.yml": 2}


def test_a_page_proves_nothing_for_a_feed_that_a_run_on_it_may_belong_to(
    world, github, polled, db
):
    before = {feed.workflow: feed.checked_at for feed in feeds.watched(db)}
    github.faults.add("server_error", path=f"workflows/{FILE}/runs", count=None)
    world.add_run(REPO, FILE, workflow_id=4548, conclusion="failure", duration=0)

    polled.poll()

    assert checked_now(db, github) == {"deploy.yml"}
    [feed] = [feed for feed in feeds.watched(db) if feed.workflow == FILE]
    assert (feed.checked_at, feed.error_kind) == (before[FILE], "unavailable")


def test_after_a_restart_the_page_still_proves_nothing(world, github, polled, db):
    github.faults.add("primary_limit", path=f"workflows/{FILE}/runs")
    world.add_run(REPO, FILE, workflow_id=4548, conclusion="failure", duration=0)
    polled.poll()
    assert counts(db) == {FILE: 2, "deploy.yml": 2}
    polled.restart()
    github.advance(3600)

    polled.poll()

    assert counts(db) == {FILE: 3, "deploy.yml": 2}


def test_a_run_without_a_path_may_belong_to_a_workflow_whose_number_is_unknown(
    world, github, ingest, db
):
    """The list of workflows could not be fetched."""
    for file in FILES:
        add_runs(world, 2, file=file)
    github.faults.add("server_error", path=r"actions/workflows\?", count=None)
    ingest.restart(workflows=FILES)
    ingest.poll()
    github.advance(60)
    world.add_run(REPO, "deploy.yml", path=None, duration=0)

    ingest.poll()

    assert counts(db) == {FILE: 2, "deploy.yml": 3}


def workflow_lists(github):
    path = f"/repos/{REPO}/actions/workflows"
    return [entry for entry in github.log if entry.path == path]


def test_with_a_star_a_ruleset_s_own_file_is_looked_for_once(world, github, ingest):
    """Its path is in no list of the repository's workflows."""
    for file in FILES:
        add_runs(world, 1, file=file)
    world.add_workflow(REPO, "scan.yml", is_listed=False)
    github.limits.anonymous = 1000
    ingest.restart(workflows=("*",), token=None)
    ingest.poll()
    counts = []
    for _ in range(3):
        github.log.clear()
        while not workflow_lists(github):
            github.advance(60)
            ingest.poll()
        # Long after one regular request, and before the next.
        github.advance(660)
        world.add_run(REPO, "scan.yml", duration=0)
        github.log.clear()
        for _ in range(2):
            ingest.poll()
            github.advance(60)
        counts.append(len(workflow_lists(github)))

    assert counts == [1, 0, 0]
