"""Runs that a tile speaks of, below their feed's newest page or deleted."""

import re
from datetime import timedelta

import pytest
from archive import set_clock
from polling import FILE, REPO, add_runs, poll, revision

from ci_observer.ingest.db.migrations.m120_untested import m151_pages_of_feeds

pytestmark = pytest.mark.usefixtures("no_waiting")

HOUR = 3600


@pytest.fixture
def base(world, ingest, github):
    """A failed run on main, below 30 newer runs of pull requests."""
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=9))
    run = world.add_run(
        REPO, FILE, conclusion="failure", created_at=world.now - timedelta(hours=5)
    )
    bury(world, github)
    poll(ingest, github, 2)
    github.log.clear()
    return run


def bury(world, github):
    """Push all runs off the newest page."""
    for _ in range(31):
        github.advance(1)
        world.add_run(REPO, FILE, event="pull_request", head_branch="topic", duration=0)


def tile(db, github, *columns):
    set_clock(db, github.clock())
    [row] = db.query("select * from wall")
    values = tuple(row[column] for column in columns)
    return values if len(columns) > 1 else values[0]


def requests(github, run):
    path = f"/actions/runs/{run.id}"
    return [entry.status for entry in github.log if entry.path.endswith(path)]


def gone(db):
    rows = db.execute("select run_id from runs where gone_at is not null")
    return [run_id for (run_id,) in rows]


def test_a_rerun_below_the_newest_page_shows_in_the_next_pass(
    world, github, ingest, db, base
):
    world.rerun(base)
    poll(ingest, github)
    assert tile(db, github, "tile_state", "activity") == ("failing", "queued")

    world.update_run(base, conclusion="success")
    poll(ingest, github)

    assert tile(db, github, "tile_state", "activity") == ("passing", None)


def test_following_an_unchanged_run_is_free(github, ingest, base):
    poll(ingest, github, 5)

    assert requests(github, base) == [304] * 5
    assert not any(entry.charged for entry in github.log)


def test_a_run_on_the_newest_page_is_not_requested(world, github, ingest):
    run = world.add_run(REPO, FILE)
    poll(ingest, github, 3)

    assert requests(github, run) == []


def test_the_run_before_the_newest_cancelled_one_is_followed_too(
    world, github, ingest, db, base
):
    cancelled = world.add_run(REPO, FILE, conclusion="cancelled")
    bury(world, github)
    poll(ingest, github, 2)
    world.rerun(cancelled)
    poll(ingest, github)

    assert tile(db, github, "activity") == "queued"
    assert requests(github, base)[-1] == 304


def test_each_of_several_cancelled_runs_is_followed(world, github, ingest, db, base):
    by_person = {"cancelled_by": "ada"}
    cancelled = [world.add_run(REPO, FILE, **by_person) for _ in range(3)]
    held = world.add_run(REPO, FILE, conclusion="action_required")
    world.add_run(REPO, FILE, **by_person)
    bury(world, github)
    poll(ingest, github, 3)
    assert [requests(github, run)[-1] for run in (*cancelled, held)] == [304] * 4

    world.rerun(cancelled[0])
    world.update_run(cancelled[0], conclusion="success")
    poll(ingest, github)

    assert tile(db, github, "last_result") == "passing"


def test_without_a_token_one_run_is_requested_in_ten_minutes(
    world, github, ingest, base
):
    github.limits.anonymous = 1000
    ingest.restart(token=None)
    github.log.clear()
    poll(ingest, github, 60)

    assert 5 <= len(requests(github, base)) <= 6


def test_old_runs_are_requested_once_an_hour(world, github, ingest, db):
    """They cannot be re-run any more."""
    run = world.add_run(REPO, FILE, created_at=world.now - timedelta(days=40))
    bury(world, github)
    poll(ingest, github, 2)
    github.log.clear()
    poll(ingest, github, 60)

    assert requests(github, run) == [304]


@pytest.mark.parametrize("is_below", [True, False])
def test_a_deleted_run_no_longer_speaks_for_its_tile(
    world, github, ingest, db, is_below
):
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=9))
    run = world.add_run(REPO, FILE, conclusion="failure")
    if is_below:
        bury(world, github)
    poll(ingest, github, 2)
    before = int(revision(db))
    github.log.clear()
    world.remove_run(run)

    poll(ingest, github)
    assert tile(db, github, "tile_state") == "failing"
    poll(ingest, github)

    assert requests(github, run) == [404, 404]
    assert gone(db) == [run.id]
    assert tile(db, github, "tile_state") == "passing"
    assert int(revision(db)) > before
    [[conclusion]] = db.execute(
        "select conclusion from runs where run_id = ?", [run.id]
    )
    assert conclusion == "failure"
    poll(ingest, github, 30)
    assert requests(github, run) == [404, 404]


def test_a_run_deleted_while_unfinished_is_neither_running_nor_stuck(
    world, github, ingest, db
):
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=9))
    run = world.add_run(REPO, FILE, status="in_progress")
    poll(ingest, github, 2)
    assert tile(db, github, "activity") == "running"
    world.remove_run(run)
    poll(ingest, github, 2)

    assert tile(db, github, "tile_state", "activity") == ("passing", None)
    github.advance(24 * HOUR)
    ingest.poll()
    assert tile(db, github, "tile_state", "alarm") == ("passing", None)


def test_a_deleted_run_speaks_again_when_github_has_it_again(
    world, github, ingest, db, base
):
    github.faults.add("not_found", path=f"runs/{base.id}$", count=None)
    poll(ingest, github, 2)
    assert tile(db, github, "tile_state") == "passing"
    before = int(revision(db))

    github.faults.clear()
    poll(ingest, github, 61)

    assert gone(db) == []
    assert tile(db, github, "tile_state") == "failing"
    assert int(revision(db)) > before


def test_a_deleted_run_that_is_listed_again_speaks_at_once(world, github, ingest, db):
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=9))
    run = world.add_run(REPO, FILE, conclusion="failure")
    poll(ingest, github, 2)
    world.remove_run(run)
    poll(ingest, github, 2)
    assert gone(db) == [run.id]
    before = int(revision(db))

    world.restore_run(run)
    poll(ingest, github)

    assert gone(db) == []
    assert int(revision(db)) > before


def test_a_single_404_proves_nothing(world, github, ingest, db, base):
    for _ in range(3):
        github.faults.add("not_found", path=f"runs/{base.id}$")
        poll(ingest, github, 2)

    assert gone(db) == []
    assert tile(db, github, "tile_state") == "failing"


def test_a_404_of_the_whole_repository_proves_nothing(world, github, ingest, db, base):
    github.faults.add("not_found", path="", count=None)
    poll(ingest, github, 4)
    github.faults.clear()
    github.advance(2 * HOUR)
    ingest.poll()

    assert gone(db) == []


def test_many_deleted_runs_are_gone_after_two_passes(world, github, ingest, db):
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=9))
    runs = [world.add_run(REPO, FILE, conclusion="failure") for _ in range(8)]
    poll(ingest, github, 2)
    for run in runs:
        world.remove_run(run)
    poll(ingest, github, 2)

    assert gone(db) == [run.id for run in runs]
    assert tile(db, github, "tile_state") == "passing"


def test_runs_that_only_retention_removed_keep_speaking(world, github, ingest, db):
    run = world.add_run(
        REPO, FILE, conclusion="failure", created_at=world.now - timedelta(days=89)
    )
    poll(ingest, github, 2)
    github.advance(2 * 24 * HOUR)
    world.remove_run(run)
    poll(ingest, github, 3, seconds=HOUR)

    assert tile(db, github, "last_result") == "failing"


def test_a_list_that_is_empty_by_mistake_changes_nothing(world, github, ingest, db):
    add_runs(world, 5)
    poll(ingest, github, 2)
    github.faults.add("empty_list", path="/runs", count=None)
    world.add_run(REPO, FILE)
    poll(ingest, github, 3)

    assert gone(db) == []


def test_two_runs_of_once_find_a_deleted_run(world, github, ingest, db, base):
    """What the first process has seen is stored."""
    world.remove_run(base)
    for _ in range(2):
        github.advance(60)
        ingest.restart()
        ingest.poll()

    assert gone(db) == [base.id]


def test_a_deleted_run_of_a_repository_s_list_is_noticed(world, github, ingest, db):
    """Several workflows of one repository, polled with one request."""
    for file in (FILE, "deploy.yml"):
        world.add_run(REPO, file, created_at=world.now - timedelta(hours=9))
    run = world.add_run(REPO, FILE, conclusion="failure")
    ingest.restart(workflows=(FILE, "deploy.yml"))
    poll(ingest, github, 2)
    world.remove_run(run)
    poll(ingest, github, 2)

    assert gone(db) == [run.id]
    set_clock(db, github.clock())
    states = db.execute("select tile_state from wall").fetchall()
    assert states == [("passing",), ("passing",)]


def test_a_deleted_cancelled_run_leaves_the_tile_proved(world, github, ingest, db):
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=9))
    run = world.add_run(REPO, FILE, cancelled_by="ada")
    poll(ingest, github, 2)
    assert tile(db, github, "tile_state") == "untested"
    world.remove_run(run)
    poll(ingest, github, 2)

    assert tile(db, github, "tile_state") == "passing"


@pytest.mark.parametrize("files", [(FILE,), (FILE, "deploy.yml")])
def test_a_workflow_without_any_run_on_github_is_not_green(
    world, github, ingest, db, files
):
    """Also if its repository's list still has runs of another workflow."""
    ingest.restart(workflows=files)
    add_runs(world, 40, file="deploy.yml")
    add_runs(world, 12)
    poll(ingest, github, 2)
    before = int(revision(db))
    world.remove_runs_of(REPO, FILE)
    poll(ingest, github, 4)

    set_clock(db, github.clock())
    [state] = db.execute(
        "select tile_state, untested_reason from wall where workflow = ?", [FILE]
    ).fetchall()
    assert state == ("untested", "no_runs")
    assert int(revision(db)) > before
    github.log.clear()
    poll(ingest, github, 5)
    charged = [e for e in github.log if e.charged and "status" not in e.query]
    assert charged == []

    world.add_run(REPO, FILE)
    poll(ingest, github)
    set_clock(db, github.clock())
    [state] = db.execute(
        "select tile_state, untested_reason from wall where workflow = ?", [FILE]
    ).fetchall()
    assert state == ("passing", None)


def test_an_empty_list_proves_nothing_once_retention_is_over(world, github, ingest, db):
    world.add_run(REPO, FILE, created_at=world.now - timedelta(days=89))
    poll(ingest, github, 2)
    github.advance(2 * 24 * HOUR)
    world.remove_runs_of(REPO, FILE)
    poll(ingest, github, 4)

    assert tile(db, github, "tile_state") == "passing"


def test_an_only_run_that_is_deleted_while_unfinished_is_not_running(
    world, github, ingest, db
):
    run = world.add_run(REPO, FILE, status="in_progress")
    poll(ingest, github, 2)
    world.remove_run(run)
    poll(ingest, github, 4)

    assert gone(db) == [run.id]
    assert tile(db, github, "tile_state", "activity") == ("unknown", None)


def test_a_deleted_run_of_a_tag_is_noticed(world, github, ingest, db):
    world.add_run(
        REPO,
        FILE,
        event="release",
        head_branch="v1",
        created_at=world.now - timedelta(hours=9),
    )
    run = world.add_run(
        REPO, FILE, event="release", head_branch="v2", conclusion="failure"
    )
    bury(world, github)
    poll(ingest, github, 2)
    assert tile(db, github, "tile_state", "tag") == ("failing", "v2")
    world.remove_run(run)
    poll(ingest, github, 2)

    assert tile(db, github, "tile_state", "tag") == ("passing", "v1")


def test_the_end_of_a_run_shows_although_github_dates_it_before_its_progress(
    world, github, ingest, db
):
    run = world.add_run(REPO, FILE, status="in_progress", event="push")
    github.advance(60)
    world.update_run(run, status="in_progress")
    ingest.poll()
    assert tile(db, github, "activity") == "running"

    world.update_run(run, conclusion="failure", updated_at=run.created_at)
    ingest.poll()

    assert tile(db, github, "tile_state", "activity") == ("failing", None)


def test_without_a_token_an_unfinished_run_is_requested_every_ten_minutes(
    world, github, ingest
):
    run = world.add_run(REPO, FILE, status="in_progress")
    bury(world, github)
    ingest.restart(token=None)
    poll(ingest, github, 2)
    github.log.clear()
    poll(ingest, github, 30)

    assert len(requests(github, run)) == 3


def test_a_repository_that_cannot_be_seen_costs_no_request_for_a_run(
    world, github, ingest, db, base
):
    run = world.add_run(REPO, FILE, status="in_progress")
    bury(world, github)
    poll(ingest, github, 2)
    github.faults.add("not_found", path="", count=None)
    github.log.clear()
    poll(ingest, github, 30)

    assert requests(github, run) == requests(github, base) == []


def test_unfinished_runs_of_a_feed_that_is_not_watched_any_more_end_too(
    world, github, ingest, db
):
    runs = [world.add_run(REPO, FILE, status="in_progress") for _ in range(2)]
    bury(world, github)
    poll(ingest, github, 2)
    world.add_run(REPO, "deploy.yml")
    ingest.restart(workflows=("deploy.yml",))
    world.update_run(runs[0], conclusion="success")
    world.remove_run(runs[1])
    github.log.clear()
    poll(ingest, github, 150)

    rows = [
        db.execute(
            "select status, gone_at is null from runs where run_id = ?", [run.id]
        ).fetchone()
        for run in runs
    ]
    assert rows == [("completed", 1), ("in_progress", 0)]
    assert requests(github, runs[1]) == [404, 404]


def test_a_request_in_the_future_delays_no_other(github, ingest, db, base):
    """The clock was wrong, and is right again."""
    with db.atomic():
        db.execute("update pending set requested_at = '2027-01-01T00:00:00Z'")
    poll(ingest, github)

    assert requests(github, base) == [304]


def test_an_upgrade_fetches_each_page_once_and_follows_no_run_on_it(
    world, github, ingest, db
):
    """An older version has not stored which runs a page lists."""
    add_runs(world, 5)
    for _ in range(2):
        ingest.poll()
    db["newest_pages"].delete_where()

    m151_pages_of_feeds(db)

    for charged in (1, 0):
        github.log.clear()
        result = ingest.poll()
        assert result.requests - result.not_modified == charged
        assert [e.path for e in github.log if re.search(r"/runs/\d+$", e.path)] == []
