"""A tile's last result, streak and since, and the views behind them."""

import pytest
from archive import NOW, save_runs, watch
from tiles import FEED, FORK, RUNNING, rerun, rows_of, run, state, tile

from ci_observer.ingest.store import feeds

# -- the last result


@pytest.mark.parametrize(
    ("conclusion", "last_result"),
    [
        ("success", "passing"),
        ("failure", "failing"),
        ("timed_out", "failing"),
        ("startup_failure", "failing"),
    ],
)
def test_a_decisive_conclusion_gives_the_last_result(db, conclusion, last_result):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", conclusion))

    assert state(db) == (last_result, last_result, None, None)
    assert tile(db, "last_result_run_id", "last_result_conclusion") == (1, conclusion)


@pytest.mark.parametrize(
    "conclusion", ["skipped", "neutral", "stale", "cancelled", "overheated", None]
)
@pytest.mark.parametrize(
    ("decisive", "last_result"), [("success", "passing"), ("failure", "failing")]
)
def test_other_conclusions_do_not_change_the_last_result(
    db, conclusion, decisive, last_result
):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", decisive), run(2, "13:00", conclusion))

    is_proved = last_result == "failing" or conclusion in ("skipped", "neutral")
    tile_state = last_result if is_proved else "untested"
    assert state(db) == (tile_state, last_result, None, None)
    assert tile(db, "last_result_run_id", "streak") == (1, 1)


@pytest.mark.parametrize("conclusion", ["skipped", "neutral", "stale", "cancelled"])
def test_without_a_decisive_run_the_last_result_is_unknown(db, conclusion):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", conclusion))

    assert state(db) == ("unknown", "unknown", None, None)
    assert tile(db, "run_id", "streak", "since_at") == (1, 0, None)


def test_a_workflow_that_never_ran_is_unknown(db):
    watch(db, FEED)

    assert state(db) == ("unknown", "unknown", None, None)
    assert tile(db, "workflow_name", "branch", "run_id", "strip", "streak") == (
        "CI",
        "main",
        None,
        "[]",
        0,
    )


@pytest.mark.parametrize(
    "others",
    [
        {"head_repository": FORK},
        {"head_repository": None},
        {"event": "pull_request"},
        {"event": "pull_request_target"},
        {"head_branch": "gh-readonly-queue/main/pr-7-abc"},
        {"head_branch": "other"},
        {"head_branch": None},
    ],
    ids=str,
)
def test_runs_that_are_not_the_branchs_own_do_not_count(db, others):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "12:00", "failure"),
        run(2, "13:00", **others),
        run(3, "14:00", **(others | RUNNING)),
    )

    assert state(db) == ("failing", "failing", None, None)
    assert tile(db, "run_id", "streak") == (1, 1)


@pytest.mark.parametrize(
    "event",
    ["push", "schedule", "workflow_dispatch", "workflow_run", "merge_group", "new"],
)
def test_runs_of_every_other_event_count(db, event):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", event=event))

    assert state(db) == ("passing", "passing", None, None)


def test_the_tile_shows_the_default_branch_under_any_name(db):
    watch(db, FEED)
    feeds.save_metadata(
        db,
        "acme/api",
        default_branch="trunk",
        workflows={"ci.yml": ("CI", "active")},
        now=NOW,
    )
    save_runs(
        db,
        run(1, "12:00", "failure", head_branch="trunk"),
        run(2, "13:00", head_branch="main"),
    )

    assert tile(db, "branch", "last_result", "run_id") == ("trunk", "failing", 1)
    assert rows_of(
        db,
        "select branch, last_result, is_default_branch from wall_branches"
        " order by branch",
    ) == [
        {"branch": "main", "last_result": "passing", "is_default_branch": 0},
        {"branch": "trunk", "last_result": "failing", "is_default_branch": 1},
    ]


def test_the_repository_is_the_same_in_any_letter_case(db):
    watch(db, ("Acme/API", "ci.yml"))
    save_runs(db, run(1, "12:00"), repo="Acme/API")

    assert state(db) == ("passing", "passing", None, None)


# -- re-runs


def test_a_green_rerun_of_a_red_run_is_passing_and_flaky(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"))
    save_runs(db, rerun(1, "12:00", "13:00", "success"))

    assert state(db) == ("passing", "passing", None, None)
    assert tile(db, "last_result_run_attempt", "streak", "since_at", "is_flaky") == (
        2,
        1,
        "2026-03-01T13:00:00Z",
        1,
    )


@pytest.mark.parametrize(
    ("first", "last_result"), [("success", "passing"), ("failure", "failing")]
)
def test_a_rerun_in_progress_keeps_the_former_result(db, first, last_result):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", first))
    save_runs(db, rerun(1, "12:00", "17:00", first, status="in_progress"))

    assert state(db) == (last_result, last_result, "running", None)
    assert tile(db, "last_result_run_attempt", "run_attempt", "started_at") == (
        1,
        2,
        "2026-03-01T17:00:00Z",
    )


def test_a_cancelled_rerun_keeps_the_former_result(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"))
    save_runs(db, rerun(1, "12:00", "13:00", "cancelled"))

    assert state(db) == ("failing", "failing", None, None)


def test_a_green_rerun_of_an_old_commit_does_not_hide_a_newer_failure(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"), run(2, "13:00", "failure"))
    save_runs(db, rerun(1, "12:00", "14:00", "success"))

    assert state(db) == ("failing", "failing", None, None)
    assert tile(db, "last_result_run_id", "streak", "is_flaky") == (2, 1, 1)


def test_runs_that_another_workflow_triggered_are_not_flaky(db):
    watch(db, FEED)
    same = {"event": "workflow_run", "head_sha": "a" * 40}
    save_runs(db, run(1, "12:00", "failure", **same), run(2, "13:00", **same))

    assert tile(db, "is_flaky") == (0,)


# -- streak and since


def test_streak_and_since_count_from_the_first_run_with_the_same_result(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00"),
        run(2, "10:00", "failure"),
        run(3, "11:00", "cancelled"),
        run(4, "12:00", "timed_out"),
        run(5, "13:00", "skipped"),
        run(6, "14:00", "failure"),
    )

    assert tile(db, "last_result", "streak", "since_at", "success_rate") == (
        "failing",
        3,
        "2026-03-01T10:00:00Z",
        0.25,
    )


@pytest.mark.parametrize("again", ["failure", "cancelled"])
def test_a_rerun_that_does_not_mend_it_does_not_move_since(db, again):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"), run(2, "13:00", "failure"))
    save_runs(db, rerun(2, "13:00", "15:00", again))

    assert tile(db, "last_result", "streak", "since_at") == (
        "failing",
        1,
        "2026-03-01T13:00:00Z",
    )


def test_a_rerun_that_breaks_it_again_is_since_when_it_is_broken(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"))
    save_runs(db, rerun(1, "12:00", "13:00", "success"))
    save_runs(db, rerun(1, "12:00", "14:00", "failure") | {"run_attempt": 3})

    assert tile(db, "last_result", "since_at") == ("failing", "2026-03-01T14:00:00Z")


def test_median_and_success_rate_are_of_the_last_20(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "08:00", "failure", minutes=30),
        *[run(n, f"09:{n:02}", minutes=n) for n in range(2, 22)],
    )

    # 2 to 21 minutes: the middle lies between 11 and 12.
    assert tile(db, "median_duration_seconds", "success_rate") == (690, 1.0)


def test_the_median_leaves_out_reruns_and_runs_that_took_no_time(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00", minutes=7), run(2, "10:00", minutes=0))
    save_runs(db, run(3, "11:00", "failure"), rerun(3, "11:00", "12:00", "success"))

    assert tile(db, "median_duration_seconds") == (420,)


def test_a_run_of_no_own_branch_is_no_tile_run(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00"),
        run(2, "09:10", head_repository=FORK),
        run(3, "09:20", head_repository=None),
        run(4, "09:30", event="pull_request_review"),
        run(5, "09:40", head_branch="gh-readonly-queue/main/pr-1"),
        run(6, "09:50", head_branch="feature", **RUNNING),
    )

    assert [row["run_id"] for row in rows_of(db, "select run_id from tile_runs")] == [
        1,
        6,
    ]


def test_a_decisive_run_shows_its_last_decisive_attempt(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00", "failure"), run(2, "09:30", "skipped"))
    save_runs(db, rerun(1, "09:00", "10:00", "cancelled"))

    assert rows_of(
        db,
        "select run_id, run_attempt, started_at, conclusion, result, is_invalid_file"
        " from decisive_runs",
    ) == [
        {
            "run_id": 1,
            "run_attempt": 1,
            "started_at": "2026-03-01T09:00:00Z",
            "conclusion": "failure",
            "result": "failing",
            "is_invalid_file": 0,
        }
    ]


def test_tile_facts_keeps_branches_apart(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00"),
        run(2, "10:00", "failure", head_branch="feature"),
        run(3, "11:00", head_branch="feature", **RUNNING),
    )

    assert rows_of(
        db,
        "select branch, newest_run_id, last_result_run_id, last_result, streak,"
        " since_at, active_run_id from tile_facts order by branch",
    ) == [
        {
            "branch": "feature",
            "newest_run_id": 3,
            "last_result_run_id": 2,
            "last_result": "failing",
            "streak": 1,
            "since_at": "2026-03-01T10:00:00Z",
            "active_run_id": 3,
        },
        {
            "branch": "main",
            "newest_run_id": 1,
            "last_result_run_id": 1,
            "last_result": "passing",
            "streak": 1,
            "since_at": "2026-03-01T09:00:00Z",
            "active_run_id": None,
        },
    ]


def test_a_streak_counts_its_run_also_when_the_opposite_came_in_the_same_second(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"), run(2, "12:00"))

    assert tile(db, "last_result", "streak", "since_at") == (
        "passing",
        1,
        "2026-03-01T12:00:00Z",
    )


def test_a_late_green_rerun_of_an_older_run_does_not_move_since(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"), run(2, "13:00"))
    save_runs(db, rerun(1, "12:00", "14:00", "success"))

    assert tile(db, "last_result", "streak", "since_at") == (
        "passing",
        2,
        "2026-03-01T13:00:00Z",
    )
