"""The views that `tile_facts` is made of, each on real runs."""

import json

import pytest
from archive import save_runs, watch
from factories import run_payload
from tiles import FEED, RUNNING, rerun, row_of, rows_of, run, scheduled

from ci_observer.ingest.db import objects


@pytest.fixture
def branch(db):
    """Runs of every kind; 4 has the last result, and 2 the last other one."""
    watch(db, FEED)
    save_runs(
        db,
        run(1, "08:00", "success", minutes=4),
        run(2, "09:00", "failure"),
        run(3, "10:00", "success", minutes=6),
        run(4, "11:00", "success", minutes=8, head_sha="c4"),
        run(5, "12:00", "skipped"),
        run(6, "13:00", "cancelled", head_sha="c6"),
        run(7, "14:00", "action_required"),
        run(8, "15:00", **RUNNING),
        run(9, "16:00", "neutral"),
    )
    return db


def test_tile_newest_runs_has_the_newest_run_of_each_kind(branch):
    assert rows_of(branch, "select * from tile_newest_runs") == [
        {
            "repo": "acme/api",
            "workflow": "ci.yml",
            "branch": "main",
            "newest_run_id": 9,
            "passing_run_id": 4,
            "failing_run_id": 2,
            "unfinished_run_id": 8,
            "held_run_id": 7,
        }
    ]


def test_tile_key_runs_chooses_the_newest_among_the_kinds(branch):
    columns = ("last_result_run_id", "open_run_id")

    assert row_of(branch, "tile_key_runs", *columns) == (4, 8)


def test_without_runs_of_a_kind_there_is_no_newest(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "skipped"))

    [row] = rows_of(db, "select * from tile_key_runs")

    kinds = {name: value for name, value in row.items() if name.endswith("_run_id")}
    assert kinds.pop("newest_run_id") == 1
    assert set(kinds.values()) == {None}


@pytest.mark.parametrize(
    ("runs", "branch"),
    [
        ([], None),
        ([run(1, "08:00", "success")], "main"),
        ([run(1, "08:00", "success", event="release")], "refs/tags"),
        (
            [
                run(1, "08:00", "skipped"),
                run(2, "09:00", "success", event="release", head_branch="v1"),
            ],
            "main",
        ),
        ([run(1, "08:00", "success", head_branch="fix")], None),
    ],
)
def test_feed_tiles_chooses_the_default_branch_and_then_tags(db, runs, branch):
    watch(db, FEED)
    save_runs(db, *runs)

    [(chosen,)] = db.execute(
        "select branch from feed_tiles left join tiles on tiles.rowid = tile_id"
    )

    assert chosen == branch


def test_tile_last_results_describes_the_attempt_that_gave_the_result(branch):
    [row] = rows_of(branch, "select * from tile_last_results")

    assert {name: row[name] for name in row if name.startswith("last_result")} == {
        "last_result_run_id": 4,
        "last_result_run_attempt": 1,
        "last_result": "passing",
        "last_result_created_at": "2026-03-01T11:00:00Z",
        "last_result_conclusion": "success",
        "last_result_cancel_cause": None,
        "last_result_started_at": "2026-03-01T11:00:00Z",
        "last_result_duration_seconds": 480,
        "last_result_run_number": 4,
        "last_result_display_title": "Change 4",
        "last_result_actor": "ada",
        "last_result_html_url": "https://github.com/acme/api/actions/runs/4",
        "last_result_head_sha": "c4",
    }
    assert row["is_invalid_file"] == 0
    assert (row["other_created_at"], row["other_run_id"]) == ("2026-03-01T09:00:00Z", 2)


def test_tile_last_results_of_a_branch_without_results_are_null(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "skipped"))

    columns = ("last_result", "last_result_run_id", "other_created_at", "other_run_id")
    assert row_of(db, "tile_last_results", *columns) == (None, None, "", 0)


def test_tile_streaks_counts_the_results_after_the_other_one(branch):
    columns = ("last_result_run_id", "streak", "since_at")

    assert row_of(branch, "tile_streaks", *columns) == (4, 2, "2026-03-01T10:00:00Z")


def test_tile_streaks_begins_with_the_attempt_that_gave_the_result(db):
    watch(db, FEED)
    save_runs(db, run(1, "08:00", "failure"), run(2, "10:00", "success"))
    save_runs(db, rerun(1, "08:00", "09:00", "success"))

    assert row_of(db, "tile_streaks", "streak", "since_at") == (
        2,
        "2026-03-01T09:00:00Z",
    )


def test_tile_later_runs_finds_the_active_run(branch):
    columns = ("active_run_id", "stuck_run_id", "phantom_failures", "phantom_run_id")

    assert row_of(branch, "tile_later_runs", *columns) == (8, 8, 0, None)


def test_tile_later_runs_counts_the_runs_that_decided_nothing(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "11:00"),
        run(2, "12:00", "cancelled"),
        run(3, "13:00", "stale"),
        run(4, "14:00", "cancelled"),
        run(5, "15:00", "cancelled"),
    )

    [untested] = row_of(db, "tile_later_runs", "untested")
    assert json.loads(untested) == {"run_id": 5, "reason": "cancelled", "runs": 2}


def test_tile_later_runs_counts_phantoms(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "11:00", event="schedule"),
        run(2, "12:00", "failure", minutes=0),
        run(3, "13:00", "failure", minutes=0),
    )

    columns = ("last_result_run_id", "phantom_failures", "phantom_run_id")
    assert row_of(db, "tile_later_runs", *columns) == (1, 2, 3)


def test_tile_durations_measures_successful_first_attempts(branch):
    save_runs(branch, rerun(2, "09:00", "16:10", "success", minutes=50))

    assert row_of(
        branch, "tile_durations", "median_duration_seconds", "p95_duration_seconds"
    ) == (360, 480)


def test_tile_success_rates_is_the_share_of_passing_results(branch):
    assert row_of(branch, "tile_success_rates", "success_rate") == (0.75,)


def test_tile_success_rates_looks_at_the_last_20_results(db):
    watch(db, FEED)
    minutes = [f"12:{minute:02}" for minute in range(25)]
    save_runs(
        db,
        *(run(n, at, "failure") for n, at in enumerate(minutes[:15], 1)),
        *(run(n, at, "success") for n, at in enumerate(minutes[15:], 16)),
    )

    assert row_of(db, "tile_success_rates", "success_rate") == (0.5,)


@pytest.mark.parametrize(
    ("sha", "event", "is_flaky"),
    [("c2", "push", 1), ("c3", "push", 0), ("c2", "workflow_run", 0)],
)
def test_tile_flakiness_needs_both_results_for_one_commit(db, sha, event, is_flaky):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "12:00", "failure", head_sha="c2", event=event),
        run(2, "13:00", "success", head_sha=sha, event=event),
    )

    assert row_of(db, "tile_flakiness", "is_flaky") == (is_flaky,)


def test_tile_schedules_gives_twice_the_longest_gap_and_half_a_day(db):
    watch(db, FEED)
    save_runs(db, scheduled(25), scheduled(26), scheduled(27, hour=4))

    columns = ("last_scheduled_at", "overdue_at", "overdue_until_at")
    assert row_of(db, "tile_schedules", *columns) == (
        "2026-02-27T04:00:00Z",
        "2026-03-01T18:00:00Z",
        "2026-03-31T18:00:00Z",
    )


def test_tile_schedules_of_two_runs_are_unknown(db):
    watch(db, FEED)
    save_runs(db, scheduled(25), scheduled(26))

    columns = ("last_scheduled_at", "overdue_at", "overdue_until_at")
    assert row_of(db, "tile_schedules", *columns) == (None, None, None)


def test_tile_strips_lists_the_last_20_runs_oldest_first(branch):
    save_runs(branch, *(run(n, f"17:{n:02}", "success") for n in range(10, 24)))

    [[strip]] = branch.execute("select strip from tile_strips").fetchall()

    assert [item["run_id"] for item in json.loads(strip)] == [*range(4, 24)]
    assert json.loads(strip)[2] == {
        "run_id": 6,
        "run_number": 6,
        "run_attempt": 1,
        "status": "completed",
        "conclusion": "cancelled",
        "result": None,
        "is_superseded": False,
        "is_gone": False,
        "started_at": "2026-03-01T13:00:00Z",
        "duration_seconds": 300,
    }


def test_tile_strips_does_not_call_the_newest_cancelled_run_superseded(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "cancelled"), run(2, "12:03", "cancelled"))
    with db.atomic():
        db.execute("update runs set cancel_cause = 'superseded'")

    [[strip]] = db.execute("select strip from tile_strips").fetchall()

    assert [item["is_superseded"] for item in json.loads(strip)] == [True, False]


@pytest.mark.parametrize(
    ("changes", "activity", "given_up_at"),
    [
        ({"status": "in_progress"}, "running", "2026-04-05T12:00:00Z"),
        ({"status": "requested"}, "queued", "2026-04-05T12:00:00Z"),
        ({"status": "pending"}, "waiting", "2026-04-05T12:00:00Z"),
        ({"status": "dreaming"}, "unfinished", "2026-04-05T12:00:00Z"),
        ({"conclusion": "action_required"}, "held", "2026-03-31T12:00:00Z"),
        ({"conclusion": "success"}, None, "2026-04-05T12:00:00Z"),
    ],
)
def test_run_activities_says_what_a_run_does(db, changes, activity, given_up_at):
    watch(db, FEED)
    save_runs(db, run_payload(1, **{"conclusion": None} | changes))

    columns = ("activity", "given_up_at")
    assert row_of(db, "run_activities", *columns) == (activity, given_up_at)


def test_tile_facts_has_one_row_for_each_tile(branch):
    save_runs(branch, run(10, "17:00", head_branch="dev"))

    facts = rows_of(branch, "select * from tile_facts order by branch")

    assert facts == rows_of(branch, "select * from tiles order by branch")
    assert [row["branch"] for row in facts] == ["dev", "main"]


def test_every_tile_view_has_one_row_for_each_tile(branch):
    save_runs(branch, run(10, "17:00", head_branch="dev"))
    per_run = {"tile_runs", "tile_decisions", "tile_run_days"}
    names = [name for _, name in objects.shipped() if name.startswith("tile_")]

    for name in {*names} - per_run:
        keys = branch.execute(
            f"select repo, workflow, branch from {name} order by branch"  # noqa: S608
        ).fetchall()
        assert keys == [(*FEED, "dev"), (*FEED, "main")], name


@pytest.mark.parametrize(
    ("seconds", "usual"),
    [
        ([], None),
        ([7], 7),
        ([5, 60, 10], 10),
        ([5, 10, 20, 60], 15),
        ([0, 0, 1], 0),
        ([900] * 30 + [20] * 20, 20),
    ],
)
def test_tile_queues_has_the_median_of_the_last_20_queue_times(db, seconds, usual):
    watch(db, FEED)
    for number, wait in enumerate(seconds, 1):
        save_runs(db, run(number, f"{number // 60:02}:{number % 60:02}", "success"))
        db.execute("update runs set queue_seconds = ? where run_id = ?", [wait, number])
    save_runs(db, run(900, "20:00", "success"), run(901, "20:01", "success"))
    # It waited for an approval.
    db.execute(
        "update runs set queue_seconds = 9000, waited_for = 'approval'"
        " where run_id = 901"
    )

    assert row_of(db, "tile_queues", "usual_queue_seconds") == (usual,)
