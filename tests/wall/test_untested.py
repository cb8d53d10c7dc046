"""Green results that the newest run does not prove, and runs that no longer speak."""

from datetime import timedelta
from typing import Any

import pytest
from archive import NOW, save_runs, set_clock, watch
from factories import run_payload
from sqlite_utils import Database
from tiles import FEED, RUNNING, rerun, run, state, tile

from ci_observer.ingest.store import feeds, pending
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

SAME_COMMIT = {"head_sha": "a" * 40}


@pytest.fixture
def db(db: Database) -> Database:
    watch(db, FEED)
    return db


def untested(db: Database) -> Any:
    return tile(
        db, "tile_state", "untested_reason", "untested_runs", "untested_conclusion"
    )


def mark_gone(db: Database, run_id: int, days: int = 0) -> None:
    """Store that GitHub no longer has a run, some days after the tests' day."""
    with db.atomic():
        gone_at = utc(NOW + timedelta(days=days))
        db.execute("update runs set gone_at = ? where run_id = ?", [gone_at, run_id])
        update_tiles(db, [run_id])


def mark_tag(db: Database, run_id: int) -> None:
    """Store that a run's branch is a tag."""
    with db.atomic():
        db.execute("update runs set is_tag = 1 where run_id = ?", [run_id])
        update_tiles(db, [run_id])


# -- why


@pytest.mark.parametrize(
    ("conclusion", "reason"),
    [
        ("cancelled", "cancelled"),
        ("stale", "stale"),
        (None, "unknown_conclusion"),
        ("exploded", "unknown_conclusion"),
        ("", "unknown_conclusion"),
    ],
)
@pytest.mark.parametrize("commit", [{}, SAME_COMMIT], ids=["other", "same"])
def test_a_newest_run_that_decided_nothing_leaves_green_untested(
    db, conclusion, reason, commit
):
    save_runs(db, run(1, "12:00", **SAME_COMMIT), run(2, "13:00", conclusion, **commit))

    assert untested(db) == ("untested", reason, 1, conclusion)
    assert tile(db, "last_result", "rank", "untested_run_id", "untested_at") == (
        "passing",
        6,
        2,
        "2026-03-01T13:05:00Z",
    )
    assert tile(db, "lost_run_id") == (None if commit else 2,)


@pytest.mark.parametrize("conclusion", ["skipped", "neutral"])
def test_runs_that_were_skipped_are_left_out(db, conclusion):
    save_runs(
        db,
        run(1, "12:00"),
        run(2, "13:00", "cancelled"),
        run(3, "14:00", conclusion),
        run(4, "15:00", "cancelled"),
    )

    assert untested(db) == ("untested", "cancelled", 2, "cancelled")


def test_only_the_newest_runs_of_one_reason_are_counted(db):
    save_runs(
        db,
        run(1, "12:00"),
        run(2, "13:00", "cancelled"),
        run(3, "14:00", "exploded"),
        run(4, "15:00", "melted"),
    )

    assert untested(db) == ("untested", "unknown_conclusion", 2, "melted")


def test_a_failing_tile_stays_failing(db):
    save_runs(db, run(1, "12:00", "failure"), run(2, "13:00", "cancelled"))

    assert untested(db) == ("failing", None, None, None)
    assert tile(db, "lost_run_id") == (2,)


def test_without_a_result_nothing_is_untested(db):
    save_runs(db, run(1, "12:00", "cancelled"))

    assert untested(db) == ("unknown", None, None, None)


def test_a_newer_success_proves_the_tile(db):
    save_runs(db, run(1, "12:00"), run(2, "13:00", "exploded"), run(3, "14:00"))

    assert untested(db) == ("passing", None, None, None)


def test_an_older_run_that_is_run_again_does_not_prove_it(db):
    save_runs(db, run(1, "12:00"), run(2, "13:00", "cancelled"))
    save_runs(db, rerun(1, "12:00", "14:00", "success"))

    assert untested(db) == ("untested", "cancelled", 1, "cancelled")


@pytest.mark.parametrize(
    ("newer", "activity"),
    [
        (RUNNING, "running"),
        ({"status": "queued", "conclusion": None}, "queued"),
        ({"conclusion": "action_required"}, "held"),
    ],
    ids=str,
)
def test_newer_work_does_not_hide_that_the_tile_is_untested(db, newer, activity):
    save_runs(
        db, run(1, "12:00"), run(2, "13:00", "cancelled"), run(3, "14:00", **newer)
    )

    assert state(db) == ("untested", "passing", activity, None)
    assert untested(db) == ("untested", "cancelled", 1, "cancelled")


def test_an_alarm_comes_before_untested(db):
    save_runs(db, run(1, "12:00"), run(2, "13:00", "cancelled"))
    set_clock(db, NOW + timedelta(hours=1))

    assert state(db) == ("stale", "passing", None, "stale")


def test_github_lists_no_runs_any_more(db):
    save_runs(db, run(1, "12:00"))
    db["feeds"].update(FEED, {"no_runs_at": utc(NOW)})

    assert untested(db) == ("untested", "no_runs", 0, None)


# -- runs that are gone


def test_a_deleted_run_no_longer_speaks_and_its_row_stays(db):
    save_runs(db, run(1, "11:00", "failure"), run(2, "12:00"))
    mark_gone(db, 2)

    assert state(db) == ("failing", "failing", None, None)
    assert db.execute("select count(*) from runs").fetchall() == [(2,)]


def test_a_run_deleted_while_it_was_unfinished_is_neither_running_nor_stuck(db):
    save_runs(db, run(1, "11:00"), run(2, "12:00", **RUNNING))
    mark_gone(db, 2)

    set_clock(db, NOW + timedelta(minutes=1))
    assert state(db) == ("passing", "passing", None, None)
    assert tile(db, "stuck_at") == (None,)


def test_the_only_run_deleted_leaves_an_unknown_tile(db):
    save_runs(db, run(1, "11:00"))
    mark_gone(db, 1)

    assert state(db) == ("unknown", "unknown", None, None)


def test_a_deleted_run_that_github_lists_again_speaks_again(db):
    save_runs(db, run(1, "11:00", "failure"), run(2, "12:00"))
    mark_gone(db, 2)
    save_runs(db, run(2, "12:00"))

    assert state(db) == ("passing", "passing", None, None)
    assert db.execute("select gone_at from runs where run_id = 2").fetchall() == [
        (None,)
    ]


def test_a_run_that_retention_removed_keeps_speaking_without_its_link(db):
    save_runs(db, run(1, "11:00"))
    mark_gone(db, 1, days=91)

    assert tile(db, "last_result", "html_url", "last_result_html_url") == (
        "passing",
        None,
        None,
    )
    assert '"is_gone":true' in tile(db, "strip")[0]


# -- stuck


def test_the_oldest_run_is_stuck_whatever_waits_behind_it(db):
    save_runs(
        db,
        run(1, "01:00"),
        run(2, "02:00", **RUNNING),
        run(3, "16:00", None, status="pending"),
        run(4, "17:00", "action_required"),
    )

    assert state(db) == ("stuck", "passing", "held", "stuck")
    assert tile(db, "stuck_run_id", "stuck_at") == (2, "2026-03-01T08:00:00Z")


def test_a_queue_that_grows_is_stuck(db):
    queued = {"status": "queued", "conclusion": None}
    save_runs(db, run(1, "01:00"), run(2, "02:00", **queued), run(3, "17:59", **queued))

    assert tile(db, "alarm", "stuck_run_id", "run_id") == ("stuck", 2, 3)


def test_a_run_of_an_unknown_status_can_be_stuck(db):
    save_runs(db, run(1, "01:00"), run(2, "02:00", None, status="dreaming"))

    assert state(db) == ("stuck", "passing", "unfinished", "stuck")


def test_a_run_that_was_given_up_hides_no_newer_stuck_one(db):
    save_runs(
        db, run(1, "01:00"), run(2, "02:00", **RUNNING), run(3, "03:00", **RUNNING)
    )
    item = PendingItem("run", 2, 0, None, *FEED)
    db["pending"].insert({"kind": "run", "run_id": 2, "run_attempt": 0}, replace=True)
    pending.save_gone(db, item, NOW)
    with db.atomic():
        update_tiles(db, [2])

    assert tile(db, "alarm", "stuck_run_id") == ("stuck", 3)


# -- tags and pull requests


def tagged(
    run_id: int, at: str, tag: str, conclusion: str | None = "success", **more: Any
):
    return run(run_id, at, conclusion, head_branch=tag, **more)


def test_a_workflow_that_runs_on_tags_only_follows_its_newest_tag(db):
    save_runs(
        db,
        tagged(1, "12:00", "v1", "failure", event="release"),
        tagged(2, "13:00", "v2"),
        run(3, "14:00", head_branch="feature"),
        run_payload(4, event="pull_request", head_branch="other"),
    )
    mark_tag(db, 2)

    assert state(db) == ("passing", "passing", None, None)
    assert tile(db, "tag", "branch", "run_id", "streak", "unknown_reason") == (
        "v2",
        "v2",
        2,
        1,
        None,
    )

    save_runs(db, tagged(5, "15:00", "v3-rc1", **RUNNING, event="release"))

    assert state(db) == ("passing", "passing", "running", None)
    assert tile(db, "tag", "last_result_run_id") == ("v3-rc1", 2)


def test_a_run_on_the_default_branch_counts_more_than_a_tag(db):
    save_runs(db, tagged(1, "12:00", "v1", "failure", event="release"))
    assert state(db)[0] == "failing"
    save_runs(db, run(2, "10:00"))

    assert tile(db, "tile_state", "tag", "branch") == ("passing", None, "main")


@pytest.mark.parametrize(
    ("payloads", "reason"),
    [
        ([], "no_run"),
        ([run_payload(1, event="pull_request")], "pull_requests_only"),
        ([run_payload(1, head_branch="feature")], None),
        ([run_payload(1, conclusion="skipped")], None),
    ],
    ids=["none", "pull request", "branch", "skipped"],
)
def test_a_tile_without_a_result_says_why(db, payloads, reason):
    save_runs(db, *payloads)

    assert tile(db, "tile_state", "unknown_reason") == ("unknown", reason)


# -- blocked


def test_a_blocked_repository_is_an_alarm_of_each_of_its_tiles(db):
    watch(db, FEED, ("acme/api", "nightly.yml"), ("acme/web", "ci.yml"))
    save_runs(db, run(1, "12:00"))
    db["repos"].insert_all(
        [
            {"repo": "acme/api", "repo_id": 1, "blocked_run_id": 1},
            {"repo": "acme/web", "repo_id": 2, "blocked_run_id": None},
        ]
    )

    rows = db.execute(
        "select repo, workflow, alarm, tile_state, rank, blocked_html_url from wall"
        " order by repo, workflow"
    ).fetchall()
    link = "https://github.com/acme/api/actions/runs/1"
    assert rows == [
        ("acme/api", "ci.yml", "blocked", "blocked", 0, link),
        ("acme/api", "nightly.yml", "blocked", "blocked", 0, link),
        ("acme/web", "ci.yml", None, "unknown", 5, None),
    ]


def test_no_access_comes_before_blocked(db):
    save_runs(db, run(1, "12:00"))
    db["repos"].insert({"repo": "acme/api", "repo_id": 1, "blocked_run_id": 1})
    [feed] = feeds.watched(db)
    feeds.save_error(db, feed, error="No.", kind="not_found", now=NOW, retry_at=None)

    assert tile(db, "alarm") == ("no_access",)
