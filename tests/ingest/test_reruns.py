"""Re-runs of runs far below the newest page of their feed."""

from datetime import timedelta

import pytest
from polling import FILE, REPO, add_runs, revision, the_backfill

from ci_observer.ingest.store import backfills, feeds

pytestmark = pytest.mark.usefixtures("no_waiting")

TEN_MINUTES = 600
DAY = 86_400


@pytest.fixture
def old_run(world, ingest, github):
    """A failed run on page 4 of a feed whose history is complete."""
    add_runs(world, 130)
    run = world.add_run(
        REPO, FILE, conclusion="failure", created_at=world.now - timedelta(hours=125)
    )
    ingest.poll()
    ingest.poll()
    github.log.clear()
    return run


def states(db, run):
    return db.execute(
        "select run_attempt, status, conclusion from runs where run_id = ?", [run.id]
    ).fetchall()


def test_a_rerun_that_is_running_is_found_within_ten_minutes(
    world, github, ingest, db, old_run
):
    world.rerun(old_run)
    world.update_run(old_run, status="in_progress")
    github.advance(TEN_MINUTES)
    ingest.poll()
    assert states(db, old_run) == [(2, "in_progress", None)]

    github.advance(60)
    world.update_run(old_run, conclusion="success")
    ingest.poll()

    assert states(db, old_run) == [(2, "completed", "success")]
    kept = db.execute(
        "select run_attempt, conclusion from run_attempts where run_id = ?",
        [old_run.id],
    ).fetchall()
    assert kept == [(1, "failure"), (2, "success")]


@pytest.mark.parametrize("status", ["queued", "waiting", "pending", "requested"])
def test_a_rerun_that_waits_is_found_within_forty_minutes(
    world, github, ingest, db, old_run, status
):
    world.rerun(old_run, status=status)
    for _ in range(5):
        github.advance(TEN_MINUTES)
        ingest.poll()

    assert states(db, old_run) == [(2, status, None)]


def test_a_rerun_that_ended_unseen_is_found_within_a_day(
    world, github, ingest, db, old_run
):
    world.rerun(old_run)
    world.update_run(old_run, conclusion="success")
    for _ in range(25):
        github.advance(3600)
        ingest.poll()

    assert states(db, old_run) == [(2, "completed", "success")]


def test_a_quiet_day_costs_nothing(world, github, ingest, db, old_run):
    """The rescan, the lists of runs in progress, restarts: every response is 304."""
    github.advance(DAY)
    ingest.poll()
    github.log.clear()
    revisions = {revision(db)}
    for _ in range(2):
        github.advance(DAY / 2)
        ingest.restart()
        ingest.poll()
        revisions.add(revision(db))

    assert {entry.status for entry in github.log} == {304}
    assert not any(entry.charged for entry in github.log)
    # Stale after hours without a poll, then fresh again.
    assert len(revisions) == 3


def test_the_rescan_covers_the_days_in_which_runs_can_be_re_run(
    world, github, ingest, db, old_run
):
    github.advance(DAY)
    world.add_run(REPO, FILE)
    github.log.clear()
    ingest.poll(backfill_deadline=github.clock())

    assert the_backfill(db).fetch_until == (
        (github.clock() - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    ingest.poll()
    assert the_backfill(db).fetch_until is None


@pytest.fixture
def many(world, ingest):
    """24 workflows whose histories became complete at the same time."""
    files = tuple(f"w{n:02}.yml" for n in range(24))
    for file in files:
        add_runs(world, 2, file=file)
    ingest.restart(workflows=files, refresh_seconds=300)
    ingest.poll()
    return ingest


def walks(github):
    """The number of rescans that began: requests for a first page of 100 runs."""
    return sum(
        entry.path.endswith("/runs") and entry.query["per_page"] == "100"
        for entry in github.log
    )


def walks_in_each_pass(github, ingest, *, hours):
    """The number of rescans that begin in each pass, with passes five minutes apart."""
    numbers = []
    for _ in range(12 * hours):
        github.advance(300)
        github.log.clear()
        ingest.poll()
        numbers.append(walks(github))
    return numbers


def test_the_rescans_of_many_feeds_are_spread_over_an_hour(github, many):
    github.advance(22.5 * 3600)
    many.poll()

    first_day = walks_in_each_pass(github, many, hours=2)
    github.advance(20.5 * 3600)
    many.poll()
    second_day = walks_in_each_pass(github, many, hours=3)

    for numbers in (first_day, second_day):
        assert sum(numbers) == 24
        assert max(numbers) == 2
        assert sum(number > 0 for number in numbers) == 12


def test_the_rescans_begin_with_the_feeds_whose_last_one_is_oldest(github, many, db):
    last_walks = [f"2026-03-02T09:00:{second:02}Z" for second in range(24)]
    watched = feeds.watched(db)
    with db.atomic():
        for feed, at in zip(reversed(watched), last_walks, strict=True):
            db.execute(
                "update feed_backfills set completed_at = ? where workflow = ?",
                [at, feed.workflow],
            )
    github.advance(23 * 3600 + 300)
    many.restart()
    github.advance(300)
    many.poll()

    walked = [
        feed.workflow
        for feed in feeds.watched(db)
        if (backfills.get(db, feed.key).completed_at or "") > "2026-03-03"
    ]
    assert walked == [feed.workflow for feed in watched[-2:]]


def test_no_rescan_is_later_than_a_day_and_a_pass(github, many):
    """Not even if ingest was not running in the hour over which they are spread."""
    github.advance(DAY)
    github.log.clear()
    many.restart()
    many.poll()

    assert walks(github) == 24


@pytest.mark.parametrize("fault", ["empty_list", "partial"])
def test_a_lagging_index_reverts_nothing(world, github, ingest, db, old_run, fault):
    world.rerun(old_run)
    world.update_run(old_run, status="in_progress")
    github.advance(TEN_MINUTES)
    ingest.poll()
    before = states(db, old_run)
    github.faults.add(fault, path="status=", count=None)
    github.advance(TEN_MINUTES)
    ingest.poll()

    assert states(db, old_run) == before


@pytest.mark.parametrize("fault", ["forbidden", "not_found", "wrong_type"])
def test_a_refused_list_is_no_feed_s_error(world, github, ingest, old_run, fault):
    github.faults.add(fault, path="status=", count=None)
    github.advance(TEN_MINUTES)

    assert ingest.poll().feeds_failed == 0
    listed = [entry for entry in github.log if "status" in entry.query]
    ingest.poll()
    assert [entry for entry in github.log if "status" in entry.query] == listed


def test_without_a_token_runs_in_progress_are_not_listed(world, github, ingest):
    """Each list would cost one of 60 requests an hour."""
    add_runs(world, 3)
    ingest.restart(token=None)
    for _ in range(3):
        ingest.poll()
        github.advance(TEN_MINUTES)

    assert [entry for entry in github.log if "status" in entry.query] == []
