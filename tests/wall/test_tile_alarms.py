"""Alarms of a tile, each loud and never green, and the order of the wall."""

from datetime import timedelta

import pytest
from archive import NOW, save_runs, set_clock, watch
from tiles import FEED, INVALID, RUNNING, rows_of, run, state, tile

from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import utc


def test_a_tile_is_stale_after_three_refreshes_without_a_response(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"))

    assert tile(db, "stale_at", "expires_at") == ("2026-03-01T18:03:00Z",) * 2
    set_clock(db, NOW + timedelta(seconds=179))
    assert state(db) == ("passing", "passing", None, None)
    set_clock(db, NOW + timedelta(seconds=180))
    assert state(db) == ("stale", "passing", None, "stale")
    assert tile(db, "expires_at") == (None,)


@pytest.mark.parametrize("seconds", [11, 3600, 36_000])
def test_a_response_in_the_future_proves_nothing(db, seconds):
    """It is from before the clock was set back."""
    watch(db, FEED)
    save_runs(db, run(1, "12:00"))

    set_clock(db, NOW - timedelta(seconds=10))
    assert state(db)[0] == "passing"
    set_clock(db, NOW - timedelta(seconds=seconds))
    assert state(db) == ("stale", "passing", None, "stale")


def test_a_first_failure_in_the_future_proves_nothing(db):
    watch(db, FEED)
    later = utc(NOW + timedelta(hours=1))
    db["feeds"].update(FEED, {"checked_at": None, "error_at": later, "error": "502"})

    assert state(db)[0] == "stale"


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
    [feed] = feeds.watched(db)
    feeds.save_error(db, feed, error="No.", kind=kind, now=NOW, retry_at=None)

    assert state(db) == (alarm or "passing", "passing", None, alarm)
    assert tile(db, "error") == ("No.",)


@pytest.mark.parametrize("workflow_state", ["disabled_manually", "disabled_inactivity"])
def test_a_disabled_workflow_is_an_alarm(db, workflow_state):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"))
    feeds.save_metadata(
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
def test_an_unfinished_run_is_stuck_after_six_hours(db, status):
    watch(db, FEED)
    save_runs(db, run(1, "11:00"), run(2, "12:00", None, status=status))

    assert tile(db, "stuck_at") == ("2026-03-01T18:00:00Z",)
    assert state(db) == ("stuck", "passing", tile(db, "activity")[0], "stuck")
    set_clock(db, NOW - timedelta(seconds=1))
    assert state(db)[3] is None


def test_a_stuck_run_is_far_slower_than_earlier_runs(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "01:00", minutes=120),
        *[run(number, f"05:{number:02}", minutes=9) for number in range(2, 20)],
        run(20, "09:00", **RUNNING),
    )

    # Five times the two hours that 95 % of its runs do not exceed.
    assert tile(db, "median_duration_seconds", "p95_duration_seconds") == (540, 7200)
    assert tile(db, "stuck_at", "alarm") == ("2026-03-01T19:00:00Z", None)


def test_one_slow_run_in_twenty_does_not_delay_the_stuck_alarm(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "01:00", minutes=120),
        *[run(number, f"05:{number:02}", minutes=9) for number in range(2, 21)],
        run(21, "09:00", **RUNNING),
    )

    assert tile(db, "p95_duration_seconds") == (540,)
    assert tile(db, "stuck_at") == ("2026-03-01T15:00:00Z",)


def test_a_newer_decisive_run_ends_the_stuck_alarm(db):
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
    db["feeds"].update(FEED, {"checked_at": utc(end)})

    set_clock(db, end - timedelta(seconds=1))
    assert tile(db, "run_id", "expires_at") == (2, utc(end))
    set_clock(db, end)
    assert state(db) == ("passing", "passing", None, None)
    assert tile(db, "run_id") == (1,)


def test_a_run_that_waits_for_an_approval_is_never_stuck(db):
    watch(db, FEED)
    save_runs(db, run(1, "01:00"), run(2, "02:00", None, status="waiting"))

    assert state(db) == ("passing", "passing", "waiting", None)


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
    lost = next(f for f in feeds.watched(db) if f.workflow == "lost.yml")
    feeds.save_error(db, lost, error="No.", kind="not_found", now=NOW, retry_at=None)

    assert [
        row["workflow"]
        for row in rows_of(db, "select workflow from wall order by rank")
    ] == [
        f"{name}.yml"
        for name in ("lost", "red", "mending", "held", "busy", "new", "green")
    ]
