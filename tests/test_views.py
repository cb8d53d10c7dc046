"""The views: what a tile says of which runs, on which day a run was, what is flaky."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import NOW, save_runs, set_clock, watch
from factories import run_payload, times
from sqlite_utils import Database
from tiles import FEED, FORK, INVALID, RUNNING, rerun, row_of, rows_of, run, state, tile

from ingest import store
from ingest.config import Config

# -- the base


@pytest.mark.parametrize(
    ("conclusion", "base"),
    [
        ("success", "passing"),
        ("failure", "failing"),
        ("timed_out", "failing"),
        ("startup_failure", "failing"),
    ],
)
def test_a_decisive_conclusion_gives_the_base(db, conclusion, base):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", conclusion))

    assert state(db) == (base, base, None, None)
    assert tile(db, "base_run_id", "base_conclusion") == (1, conclusion)


@pytest.mark.parametrize(
    "conclusion", ["skipped", "neutral", "stale", "cancelled", "overheated", None]
)
@pytest.mark.parametrize(
    ("decisive", "base"), [("success", "passing"), ("failure", "failing")]
)
def test_other_conclusions_colour_nothing(db, conclusion, decisive, base):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", decisive), run(2, "13:00", conclusion))

    assert state(db) == (base, base, None, None)
    assert tile(db, "base_run_id", "streak") == (1, 1)


@pytest.mark.parametrize("conclusion", ["skipped", "neutral", "stale", "cancelled"])
def test_without_a_decisive_run_the_base_is_unknown(db, conclusion):
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


def test_the_tile_speaks_of_the_default_branch_whatever_its_name(db):
    watch(db, FEED)
    store.save_description(
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

    assert tile(db, "branch", "base", "run_id") == ("trunk", "failing", 1)
    assert rows_of(
        db, "select branch, base, is_default_branch from wall_branches order by branch"
    ) == [
        {"branch": "main", "base": "passing", "is_default_branch": 0},
        {"branch": "trunk", "base": "failing", "is_default_branch": 1},
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
    assert tile(db, "base_run_attempt", "streak", "since_at", "is_flaky") == (
        2,
        1,
        "2026-03-01T13:00:00Z",
        1,
    )


@pytest.mark.parametrize(
    ("first", "base"), [("success", "passing"), ("failure", "failing")]
)
def test_a_rerun_in_progress_keeps_the_former_result(db, first, base):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", first))
    save_runs(db, rerun(1, "12:00", "17:00", first, status="in_progress"))

    assert state(db) == (base, base, "running", None)
    assert tile(db, "base_run_attempt", "run_attempt", "started_at") == (
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
    assert tile(db, "base_run_id", "streak", "is_flaky") == (2, 1, 1)


def test_runs_that_another_workflow_triggered_are_not_flaky(db):
    watch(db, FEED)
    same = {"event": "workflow_run", "head_sha": "a" * 40}
    save_runs(db, run(1, "12:00", "failure", **same), run(2, "13:00", **same))

    assert tile(db, "is_flaky") == (0,)


# -- streak and since


def test_streak_and_since_count_from_the_first_run_of_the_same_base(db):
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

    assert tile(db, "base", "streak", "since_at", "success_rate") == (
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

    assert tile(db, "base", "streak", "since_at") == (
        "failing",
        1,
        "2026-03-01T13:00:00Z",
    )


def test_a_rerun_that_breaks_it_again_is_since_when_it_is_broken(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"))
    save_runs(db, rerun(1, "12:00", "13:00", "success"))
    save_runs(db, rerun(1, "12:00", "14:00", "failure") | {"run_attempt": 3})

    assert tile(db, "base", "since_at") == ("failing", "2026-03-01T14:00:00Z")


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


# -- activity


@pytest.mark.parametrize(
    ("status", "activity"),
    [
        ("in_progress", "running"),
        ("queued", "queued"),
        ("requested", "queued"),
        ("waiting", "waiting"),
        ("pending", "waiting"),
        ("dreaming", "unfinished"),
    ],
)
def test_a_newer_unfinished_run_shows_over_the_base(db, status, activity):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "12:00"),
        run(2, "17:00", None, status=status),
        run(3, "17:01", "skipped"),
    )

    assert state(db) == ("passing", "passing", activity, None)
    assert tile(db, "run_id", "status", "base_run_id") == (2, status, 1)


def test_a_run_that_awaits_approval_is_held(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"), run(2, "17:00", "action_required", minutes=0))

    assert state(db) == ("passing", "passing", "held", None)


def test_a_first_run_in_progress_is_unknown_and_running(db):
    watch(db, FEED)
    save_runs(db, run(1, "17:00", **RUNNING))

    assert state(db) == ("unknown", "unknown", "running", None)


def test_an_unfinished_run_that_is_older_than_the_base_is_no_activity(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", **RUNNING), run(2, "17:00"))

    assert state(db) == ("passing", "passing", None, None)


# -- alarms


def test_a_tile_is_stale_after_three_refreshes_without_an_answer(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"))

    assert tile(db, "stale_at", "flips_at") == ("2026-03-01T18:03:00Z",) * 2
    set_clock(db, NOW + timedelta(seconds=179))
    assert state(db) == ("passing", "passing", None, None)
    set_clock(db, NOW + timedelta(seconds=180))
    assert state(db) == ("stale", "passing", None, "stale")
    assert tile(db, "flips_at") == (None,)


def test_a_feed_that_was_never_fetched_is_unknown_even_with_runs(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"))
    db["feeds"].update(FEED, {"checked_at": None})

    assert state(db) == ("unknown", "passing", None, None)


@pytest.mark.parametrize(
    ("kind", "alarm"),
    [
        ("not_found", "no_access"),
        ("forbidden", "no_access"),
        ("unavailable", None),
        ("rate_limited", None),
    ],
)
def test_an_error_that_lasts_is_an_alarm_at_once_and_a_passing_one_is_not(
    db, kind, alarm
):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"))
    [feed] = store.watched_feeds(db)
    store.save_feed_error(db, feed, error="No.", kind=kind, now=NOW, retry_at=None)

    assert state(db) == (alarm or "passing", "passing", None, alarm)
    assert tile(db, "error") == ("No.",)


@pytest.mark.parametrize("workflow_state", ["disabled_manually", "disabled_inactivity"])
def test_a_disabled_workflow_is_an_alarm(db, workflow_state):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"))
    store.save_description(
        db,
        "acme/api",
        default_branch="main",
        workflows={"ci.yml": ("CI", workflow_state)},
        now=NOW,
    )

    assert state(db) == ("disabled", "passing", None, "disabled")


@pytest.mark.parametrize("conclusion", ["failure", "startup_failure"])
def test_an_invalid_workflow_file_is_an_alarm_and_keeps_the_workflows_name(
    db, conclusion
):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "12:00"),
        run(2, "13:00", minutes=0, **INVALID | {"conclusion": conclusion}),
    )

    assert state(db) == ("failing", "failing", None, "invalid_file")
    assert tile(db, "workflow_name") == ("CI",)


def test_a_failure_that_took_time_is_no_invalid_file(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", minutes=1, **INVALID))

    assert state(db) == ("failing", "failing", None, None)


@pytest.mark.parametrize("status", ["in_progress", "queued", "requested"])
def test_an_unfinished_run_is_a_zombie_after_six_hours(db, status):
    watch(db, FEED)
    save_runs(db, run(1, "11:00"), run(2, "12:00", None, status=status))

    assert tile(db, "zombie_at") == ("2026-03-01T18:00:00Z",)
    assert state(db) == ("zombie", "passing", tile(db, "activity")[0], "zombie")
    set_clock(db, NOW - timedelta(seconds=1))
    assert state(db)[3] is None


def test_a_zombie_must_be_far_beyond_its_own_history(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "01:00", minutes=120),
        *[run(number, f"05:{number:02}", minutes=9) for number in range(2, 20)],
        run(20, "09:00", **RUNNING),
    )

    # Five times the two hours that 95 % of its runs do not exceed.
    assert tile(db, "median_duration_seconds", "p95_duration_seconds") == (540, 7200)
    assert tile(db, "zombie_at", "alarm") == ("2026-03-01T19:00:00Z", None)


def test_one_slow_run_in_twenty_does_not_put_a_zombie_off(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "01:00", minutes=120),
        *[run(number, f"05:{number:02}", minutes=9) for number in range(2, 21)],
        run(21, "09:00", **RUNNING),
    )

    assert tile(db, "p95_duration_seconds") == (540,)
    assert tile(db, "zombie_at") == ("2026-03-01T15:00:00Z",)


def test_a_newer_decisive_run_rules_over_a_zombie(db):
    watch(db, FEED)
    save_runs(db, run(1, "01:00", **RUNNING), run(2, "13:00", "failure"))

    assert state(db) == ("failing", "failing", None, None)


@pytest.mark.parametrize(
    ("unfinished", "days"),
    [
        (RUNNING, 35),
        ({"status": "waiting", "conclusion": None}, 35),
        ({"conclusion": "action_required"}, 30),
    ],
    ids=str,
)
def test_an_unfinished_run_counts_no_longer_than_github_lets_it_last(
    db, unfinished, days
):
    watch(db, FEED)
    save_runs(db, run(1, "11:00"), run(2, "12:00", **unfinished))
    end = NOW - timedelta(hours=6) + timedelta(days=days)
    db["feeds"].update(FEED, {"checked_at": store.utc(end)})

    set_clock(db, end - timedelta(seconds=1))
    assert tile(db, "run_id", "flips_at") == (2, store.utc(end))
    set_clock(db, end)
    assert state(db) == ("passing", "passing", None, None)
    assert tile(db, "run_id") == (1,)


def test_waiting_for_an_approval_is_never_a_zombie(db):
    watch(db, FEED)
    save_runs(db, run(1, "01:00"), run(2, "02:00", None, status="waiting"))

    assert state(db) == ("passing", "passing", "waiting", None)


def scheduled(day: int, hour: int = 3) -> dict[str, Any]:
    start = f"2026-02-{day:02}T{hour:02}:00:00Z"
    return run_payload(
        day,
        event="schedule",
        created_at=start,
        run_started_at=start,
        updated_at=f"2026-02-{day:02}T{hour:02}:10:00Z",
    )


def test_a_scheduled_run_is_overdue_after_twice_its_longest_gap_and_half_a_day(db):
    watch(db, FEED)
    save_runs(db, scheduled(25), scheduled(26), scheduled(27, hour=4))

    # Twice 25 hours, and 12 hours, after the 27th at 4.
    assert tile(db, "overdue_at", "alarm") == ("2026-03-01T18:00:00Z", "overdue")
    set_clock(db, NOW - timedelta(seconds=1))
    assert state(db) == ("passing", "passing", None, None)


def at(db: Database, now: datetime) -> tuple[Any, ...]:
    """What the tile says at an instant at which GitHub has just been asked."""
    db["feeds"].update(FEED, {"checked_at": store.utc(now)})
    set_clock(db, now)
    return tile(db, "tile_state", "alarm")


def nightly(db: Database) -> None:
    """Three nightly runs, overdue at `NOW`: 63 hours after the last."""
    watch(db, FEED)
    save_runs(db, scheduled(25), scheduled(26), scheduled(27, hour=4))


def pushed(number: int, day: int) -> dict[str, Any]:
    at = f"2026-03-{day:02}T12:00:00Z"
    return run_payload(number, created_at=at, run_started_at=at, updated_at=at)


def test_a_run_of_another_event_does_not_hide_that_the_schedule_is_overdue(db):
    nightly(db)
    save_runs(db, pushed(100, day=3))

    # It is long after the schedule came due from 4 March, 8:00, on: as late again.
    assert at(db, NOW + timedelta(days=2)) == ("overdue", "overdue")


def test_a_run_long_after_the_schedule_came_due_tells_more_than_the_schedule(db):
    nightly(db)
    save_runs(db, pushed(100, day=5))

    assert at(db, NOW + timedelta(days=4)) == ("passing", None)
    assert tile(db, "overdue_at") == (None,)


def test_a_schedule_that_was_silent_for_90_days_is_none(db):
    nightly(db)
    end = datetime(2026, 5, 28, 4, tzinfo=UTC)

    assert at(db, end - timedelta(seconds=1)) == ("overdue", "overdue")
    assert tile(db, "flips_at") == (store.utc(end),)
    assert at(db, end) == ("passing", None)


def test_a_rare_schedule_is_waited_for_longer(db):
    watch(db, FEED)
    starts = ["2025-01-01T00:00:00Z", "2025-07-01T00:00:00Z", "2026-01-01T00:00:00Z"]
    save_runs(
        db,
        *[
            run_payload(
                n, event="schedule", created_at=at, run_started_at=at, updated_at=at
            )
            for n, at in enumerate(starts, start=1)
        ],
    )

    # Half a year apart: late after a year, given up after two.
    assert tile(db, "overdue_at") == ("2027-01-04T12:00:00Z",)
    assert at(db, datetime(2027, 2, 1, tzinfo=UTC)) == ("overdue", "overdue")
    assert at(db, datetime(2028, 2, 1, tzinfo=UTC)) == ("passing", None)


def test_two_scheduled_runs_are_no_history_to_be_overdue_by(db):
    watch(db, FEED)
    save_runs(db, scheduled(1), scheduled(2))

    assert tile(db, "overdue_at", "alarm") == (None, None)


def test_a_disabled_workflow_is_not_overdue_as_well(db):
    watch(db, FEED)
    save_runs(db, scheduled(1), scheduled(2), scheduled(3))
    store.save_description(
        db,
        "acme/api",
        default_branch="main",
        workflows={"ci.yml": ("CI", "disabled_inactivity")},
        now=NOW,
    )

    assert tile(db, "overdue_at", "alarm") == (None, "disabled")


def test_the_most_urgent_stand_first_on_the_wall(db):
    workflows = ("red", "mending", "green", "busy", "new", "held", "lost")
    watch(db, *[("acme/api", f"{name}.yml") for name in workflows])
    first = {
        "red": [("failure", {})],
        "mending": [("failure", {}), (None, RUNNING)],
        "green": [("success", {})],
        "busy": [("success", {}), (None, RUNNING)],
        "held": [("success", {}), ("action_required", {})],
        "lost": [("success", {})],
    }
    for place, (name, runs) in enumerate(first.items()):
        payloads = [
            run(10 * place + n, f"1{n}:00", **{"conclusion": conclusion} | changes)
            for n, (conclusion, changes) in enumerate(runs, start=4)
        ]
        save_runs(db, *payloads, workflow=f"{name}.yml")
    lost = next(f for f in store.watched_feeds(db) if f.workflow == "lost.yml")
    store.save_feed_error(
        db, lost, error="No.", kind="not_found", now=NOW, retry_at=None
    )

    assert [
        row["workflow"]
        for row in rows_of(db, "select workflow from wall order by rank")
    ] == [
        f"{name}.yml"
        for name in ("lost", "red", "mending", "held", "busy", "new", "green")
    ]


# -- polling


def polled(db: Database, kind: str | None = None, now=NOW) -> None:
    store.save_poll(
        db,
        {
            "started_at": store.utc(now),
            "finished_at": store.utc(now),
            "feeds": 1,
            "feeds_failed": int(kind is not None),
            "requests": 1,
            "not_modified": 0,
            "runs_written": 0,
            "rate_limit": 5000,
            "rate_limit_remaining": 4000,
            "rate_limit_reset_at": store.utc(now),
            "error": kind and f"It is {kind}.",
            "error_kind": kind,
        },
    )


def polling(db: Database) -> tuple[Any, ...]:
    return row_of(db, "polling", "state", "reason", "is_healthy")


def test_a_database_that_nothing_polled_into_says_so(db):
    assert polling(db) == (
        "off",
        "Nothing has polled into this database yet. Start ci-observer ingest.",
        0,
    )


def test_polling_that_is_off_on_purpose_is_healthy(db):
    store.save_instance(db, Config(), version="0.1.0", now=NOW)

    state, reason, is_healthy = polling(db)

    assert (state, is_healthy) == ("off", 1)
    assert reason.startswith("GH_REPOS and GH_WORKFLOWS are empty")


def test_the_first_poll_is_starting(db):
    watch(db, FEED)

    assert polling(db) == ("starting", "The first poll is under way.", 0)


def test_polling_is_ok_after_a_good_poll(db):
    watch(db, FEED)
    polled(db)

    assert polling(db) == ("ok", None, 1)
    assert row_of(db, "polling", "last_success_at", "rate_limit_remaining") == (
        store.utc(NOW),
        4000,
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("unauthorized", "unauthorized"),
        ("rate_limited", "rate_limited"),
        ("unreachable", "offline"),
        ("unavailable", "offline"),
        ("surprising", "offline"),
    ],
)
def test_a_failed_poll_says_why_and_is_healthy_while_data_are_fresh(db, kind, expected):
    watch(db, FEED)
    polled(db, now=NOW - timedelta(seconds=60))
    polled(db, kind)

    assert polling(db) == (expected, f"It is {kind}.", 1)
    set_clock(db, NOW + timedelta(seconds=120))
    assert polling(db) == (expected, f"It is {kind}.", 0)


def test_polling_is_stale_when_ingest_has_died(db):
    watch(db, FEED)
    polled(db)
    store.save_next_poll(db, NOW + timedelta(seconds=60))

    set_clock(db, NOW + timedelta(seconds=239))
    assert polling(db)[0] == "ok"
    set_clock(db, NOW + timedelta(seconds=240))
    assert polling(db) == ("stale", "The ingest process has stopped polling.", 0)


def test_waiting_long_for_the_rate_limit_is_not_being_dead(db):
    watch(db, FEED)
    polled(db, "rate_limited")
    store.save_next_poll(db, NOW + timedelta(hours=1))

    set_clock(db, NOW + timedelta(minutes=59))
    assert polling(db) == ("rate_limited", "It is rate_limited.", 0)


# -- days


def in_timezone(db: Database, timezone: str) -> None:
    watch(db, FEED)
    config = Config(repos=("acme/api",), workflows=("ci.yml",), timezone=timezone)
    store.save_instance(db, config, version="0.1.0", now=NOW)


@pytest.mark.parametrize(
    ("timezone", "started_at", "day"),
    [
        ("UTC", "2026-03-01T00:00:00Z", "2026-03-01"),
        ("UTC", "2026-02-28T23:59:59Z", "2026-02-28"),
        # In New York clocks go forward on 8 March and back on 1 November.
        ("America/New_York", "2026-03-08T04:59:59Z", "2026-03-07"),
        ("America/New_York", "2026-03-08T05:00:00Z", "2026-03-08"),
        ("America/New_York", "2026-03-09T03:59:59Z", "2026-03-08"),
        ("America/New_York", "2026-03-09T04:00:00Z", "2026-03-09"),
        ("America/New_York", "2026-11-01T03:59:59Z", "2026-10-31"),
        ("America/New_York", "2026-11-01T04:00:00Z", "2026-11-01"),
        ("America/New_York", "2026-11-02T04:59:59Z", "2026-11-01"),
        ("America/New_York", "2026-11-02T05:00:00Z", "2026-11-02"),
        # Midnight itself is skipped here, on 26 April 2024.
        ("Africa/Cairo", "2024-04-25T21:59:59Z", "2024-04-25"),
        ("Africa/Cairo", "2024-04-25T22:00:00Z", "2024-04-26"),
        ("Asia/Kathmandu", "2026-03-01T18:14:59Z", "2026-03-01"),
        ("Asia/Kathmandu", "2026-03-01T18:15:00Z", "2026-03-02"),
        ("Pacific/Kiritimati", "2026-03-01T10:00:00Z", "2026-03-02"),
        ("Pacific/Pago_Pago", "2026-03-01T10:59:59Z", "2026-02-28"),
    ],
)
def test_a_run_is_on_its_day_in_the_instances_timezone(db, timezone, started_at, day):
    in_timezone(db, timezone)
    save_runs(
        db,
        run_payload(
            created_at=started_at, run_started_at=started_at, updated_at=started_at
        ),
    )

    assert row_of(db, "run_days", "day") == (day,)


@pytest.mark.parametrize(
    ("timezone", "day"),
    [
        ("UTC", "2026-03-01"),
        ("Pacific/Kiritimati", "2026-03-02"),
        ("Asia/Tokyo", "2026-03-02"),
        ("America/New_York", "2026-03-01"),
    ],
)
def test_today_is_the_day_in_the_instances_timezone(db, timezone, day):
    in_timezone(db, timezone)

    assert row_of(db, "today", "day", "timezone") == (day, timezone)


def test_a_rerun_counts_on_the_day_of_its_latest_attempt(db):
    watch(db, FEED)
    first = {**times("12:00"), "created_at": "2026-02-20T12:00:00Z"}
    save_runs(db, run_payload(**first, run_attempt=2))

    assert row_of(db, "run_days", "day") == ("2026-03-01",)


def test_the_daily_statistics_leave_out_what_decides_nothing(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00", minutes=4),
        run(2, "10:00", minutes=8),
        run(3, "11:00", "failure"),
        run(4, "11:10", "timed_out", event="pull_request"),
        run(5, "11:20", "startup_failure", minutes=0),
        run(6, "11:30", "cancelled"),
        run(7, "11:40", "skipped", minutes=0),
        run(8, "11:50", "neutral"),
        run(9, "12:00", "action_required", minutes=0),
        run(10, "12:10", minutes=0),
        run(11, "12:20", **RUNNING),
        rerun(12, "08:00", "13:00", "success"),
    )

    assert rows_of(db, "select * from run_stats_daily") == [
        {
            "day": "2026-03-01",
            "repo": "acme/api",
            "workflow": "ci.yml",
            "runs": 11,
            "successes": 4,
            "failures": 3,
            "cancelled": 1,
            "failure_rate": 0.4286,
            "rerun": 1,
            "average_duration_seconds": 360.0,
        }
    ]


def test_a_day_without_a_decisive_run_has_no_failure_rate(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00", "cancelled"), run(2, "10:00", "skipped"))

    assert row_of(
        db, "run_stats_daily", "runs", "failure_rate", "average_duration_seconds"
    ) == (2, None, None)


# -- flaky


def test_flaky_runs_are_commits_with_both_results_by_rerun_or_by_a_second_run(db):
    watch(db, FEED)
    twice = {"head_sha": "a" * 40}
    save_runs(
        db,
        run(1, "09:00", "timed_out", **twice),
        run(2, "10:00", **twice),
        run(3, "11:00", "failure"),
        run(4, "12:00"),
        run(5, "13:00", "cancelled", head_sha=f"{4:040x}"),
    )
    save_runs(db, rerun(3, "11:00", "14:00", "success"))

    assert rows_of(db, "select * from flaky_runs order by run_id") == [
        {
            "repo": "acme/api",
            "workflow": "ci.yml",
            "head_branch": "main",
            "head_sha": sha,
            "successes": 1,
            "failures": 1,
            "last_started_at": last,
            "run_id": run_id,
            "html_url": f"https://github.com/acme/api/actions/runs/{run_id}",
        }
        for run_id, sha, last in [
            (2, "a" * 40, "2026-03-01T10:00:00Z"),
            (3, f"{3:040x}", "2026-03-01T14:00:00Z"),
        ]
    ]


@pytest.mark.parametrize(
    "second",
    [
        {"event": "workflow_run"},
        {"conclusion": "cancelled"},
        {"head_branch": "other"},
        RUNNING,
    ],
    ids=str,
)
def test_flaky_runs_are_not_made_of_other_things(db, second):
    watch(db, FEED)
    same = {"head_sha": "a" * 40}
    save_runs(db, run(1, "09:00", "failure", **same), run(2, "10:00", **same | second))

    assert rows_of(db, "select * from flaky_runs") == []


# -- what carries the other views


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
        "select run_id, run_attempt, started_at, conclusion, base, is_invalid_file"
        " from decisive_runs",
    ) == [
        {
            "run_id": 1,
            "run_attempt": 1,
            "started_at": "2026-03-01T09:00:00Z",
            "conclusion": "failure",
            "base": "failing",
            "is_invalid_file": 0,
        }
    ]


def test_tile_facts_are_of_each_branch_by_itself(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00"),
        run(2, "10:00", "failure", head_branch="feature"),
        run(3, "11:00", head_branch="feature", **RUNNING),
    )

    assert rows_of(
        db,
        "select branch, newest_run_id, base_run_id, base, streak, since_at,"
        " active_run_id from tile_facts order by branch",
    ) == [
        {
            "branch": "feature",
            "newest_run_id": 3,
            "base_run_id": 2,
            "base": "failing",
            "streak": 1,
            "since_at": "2026-03-01T10:00:00Z",
            "active_run_id": 3,
        },
        {
            "branch": "main",
            "newest_run_id": 1,
            "base_run_id": 1,
            "base": "passing",
            "streak": 1,
            "since_at": "2026-03-01T09:00:00Z",
            "active_run_id": None,
        },
    ]


def test_a_streak_counts_its_run_also_when_the_opposite_came_in_the_same_second(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"), run(2, "12:00"))

    assert tile(db, "base", "streak", "since_at") == (
        "passing",
        1,
        "2026-03-01T12:00:00Z",
    )


def test_a_late_green_rerun_of_an_older_run_does_not_move_since(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", "failure"), run(2, "13:00"))
    save_runs(db, rerun(1, "12:00", "14:00", "success"))

    assert tile(db, "base", "streak", "since_at") == (
        "passing",
        2,
        "2026-03-01T13:00:00Z",
    )


def test_a_flaky_commits_link_is_that_of_its_newest_run(db):
    watch(db, FEED)
    same = {"head_sha": "a" * 40}
    save_runs(db, run(9, "12:00", "failure", **same), run(10, "13:00", **same))

    assert row_of(db, "flaky_runs", "run_id", "html_url") == (
        10,
        "https://github.com/acme/api/actions/runs/10",
    )


def test_a_day_with_only_a_null_conclusion_counts_zeros(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", None))

    assert row_of(
        db, "run_stats_daily", "runs", "successes", "failures", "cancelled"
    ) == (1, 0, 0, 0)
