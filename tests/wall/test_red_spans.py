"""Who broke a tile, who fixed it, and for how long it was red."""

from contextlib import closing
from typing import Any

import pytest
from archive import NOW, save_runs, watch
from sqlite_utils import Database
from tiles import FEED, rerun, rows_of, run, tile

from ci_observer.ingest.db import schema
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

BROKEN = ("broken_run_id", "broken_run_attempt", "broken_actor", "broken_at")
FIXED = ("fixed_run_id", "fixed_run_attempt", "fixed_actor", "fixed_at", "red_seconds")
NOBODY = (None,) * 4
NOT_RED = (None,) * 5


def by(login: str) -> dict[str, Any]:
    return {"actor": {"login": login}, "triggering_actor": {"login": login}}


def rerun_by(login: str) -> dict[str, Any]:
    return {"triggering_actor": {"login": login}}


def mark_gone(db: Database, run_id: int, gone_at: str) -> None:
    with db.atomic():
        db.execute("update runs set gone_at = ? where run_id = ?", [gone_at, run_id])
        update_tiles(db, [run_id])


def at(time: str) -> str:
    return f"2026-03-01T{time}:00Z"


# -- broken by


def test_the_first_failing_run_of_the_streak_broke_it(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00", **by("ada")),
        run(2, "10:00", "failure", **by("tomasz")),
        run(3, "11:00", "skipped", **by("sofia")),
        run(4, "12:00", "failure", **by("sofia")),
    )

    assert tile(db, *BROKEN) == (2, 1, "tomasz", at("10:00"))
    assert tile(db, "broken_run_number", "broken_head_sha", "broken_html_url") == (
        2,
        f"{2:040x}",
        "https://github.com/acme/api/actions/runs/2",
    )
    assert tile(db, "since_at", "streak") == (at("10:00"), 2)
    assert tile(db, *FIXED) == NOT_RED


def test_nobody_broke_a_passing_tile(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00", "failure"), run(2, "10:00"))

    assert tile(db, *BROKEN) == NOBODY


@pytest.mark.parametrize("conclusion", ["cancelled", "neutral", "stale"])
def test_a_run_that_decided_nothing_broke_nothing(db, conclusion):
    watch(db, FEED)
    save_runs(
        db, run(1, "09:00"), run(2, "10:00", conclusion), run(3, "11:00", "failure")
    )

    assert tile(db, "broken_run_id") == (3,)


def test_a_run_that_timed_out_broke_it(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00"), run(2, "10:00", "cancelled"))
    with db.atomic():
        db.execute("update run_attempts set cancel_cause = 'timeout' where run_id = 2")
        update_tiles(db, [2])
    save_runs(db, run(3, "11:00", "failure"))

    assert tile(db, "broken_run_id", "streak") == (2, 2)


def test_the_first_attempt_broke_it_though_it_failed_again(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00"), run(2, "10:00", "failure", **by("tomasz")))
    save_runs(
        db,
        rerun(2, "10:00", "11:00", "failure", **by("tomasz") | rerun_by("sofia")),
    )

    assert tile(db, *BROKEN) == (2, 1, "tomasz", at("10:00"))


def test_a_rerun_that_turned_a_run_red_broke_it(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00", **by("tomasz")))
    save_runs(
        db,
        rerun(1, "09:00", "11:00", "failure", **by("tomasz") | rerun_by("sofia")),
    )

    assert tile(db, *BROKEN) == (1, 2, "sofia", at("11:00"))


def test_a_run_that_a_rerun_mended_did_not_break_it(db):
    watch(db, FEED)
    save_runs(
        db, run(1, "09:00"), run(2, "10:00", "failure"), run(3, "11:00", "failure")
    )
    save_runs(db, rerun(2, "10:00", "12:00", "success"))

    assert tile(db, "broken_run_id", "broken_at", "streak") == (3, at("11:00"), 1)


def test_a_run_that_is_gone_broke_nothing(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00"), run(2, "10:00", "failure"))
    mark_gone(db, 2, utc(NOW))
    save_runs(db, run(3, "11:00", "failure"))

    assert tile(db, "broken_run_id", "streak") == (3, 1)


def test_an_expired_run_is_not_linked(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00"), run(2, "10:00", "failure"))
    mark_gone(db, 2, "2026-07-01T00:00:00Z")

    assert tile(db, "broken_run_id", "broken_html_url") == (2, None)


# -- fixed by


def test_the_first_passing_run_fixed_it(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00"),
        run(2, "10:00", "failure"),
        run(3, "10:30", "failure"),
        run(4, "11:00", **by("sofia")),
        run(5, "12:00", **by("ada")),
    )

    assert tile(db, *FIXED) == (4, 1, "sofia", at("11:05"), 65 * 60)
    assert tile(db, "fixed_run_number", "fixed_html_url") == (
        4,
        "https://github.com/acme/api/actions/runs/4",
    )


def test_a_tile_that_was_never_red_was_not_fixed(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00"), run(2, "10:00", "cancelled"), run(3, "11:00"))

    assert tile(db, *FIXED) == NOT_RED


def test_a_green_rerun_fixed_it_and_its_starter_did(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00"), run(2, "10:00", "failure", **by("tomasz")))
    save_runs(
        db,
        rerun(2, "10:00", "11:00", "success", **by("tomasz") | rerun_by("sofia")),
    )

    assert tile(db, *FIXED) == (2, 2, "sofia", at("11:05"), 65 * 60)


def test_an_older_failure_that_ended_after_a_newer_success_was_never_red(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00"),
        run(2, "10:00", "failure", minutes=60),
        run(3, "10:10", minutes=5),
    )

    assert tile(db, "last_result", *FIXED) == ("passing", *NOT_RED)


def test_of_two_passing_runs_the_first_to_end_fixed_it(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00", "failure"),
        run(2, "10:00", minutes=60),
        run(3, "10:10", minutes=5),
    )

    assert tile(db, "fixed_run_id", "fixed_at") == (3, at("10:15"))


def test_a_success_after_a_newer_failure_fixed_nothing(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00", "failure"),
        run(2, "10:00", minutes=60),
        run(3, "10:10", "failure", minutes=5),
        run(4, "12:00"),
    )

    assert tile(db, "fixed_run_id", "red_seconds") == (4, (12 * 60 + 5 - 610) * 60)


def test_a_late_green_rerun_does_not_move_the_recovery(db):
    watch(db, FEED)
    save_runs(db, run(1, "10:00", "failure"), run(2, "11:00", **by("sofia")))
    save_runs(db, rerun(1, "10:00", "14:00", "success"))

    assert tile(db, *FIXED) == (2, 1, "sofia", at("11:05"), 65 * 60)


def test_a_recovery_is_of_the_branch_of_the_tile(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00"),
        run(2, "10:00", "failure", head_branch="fix"),
        run(3, "11:00", head_branch="fix"),
    )

    assert tile(db, *FIXED) == NOT_RED


def test_a_red_span_of_any_length_is_measured_whole(db):
    watch(db, FEED)
    reds = [run(n, f"10:{n - 2:02}", "failure", minutes=1) for n in range(2, 60)]
    save_runs(db, run(1, "09:00"), *reds, run(60, "11:00"))

    assert tile(db, "fixed_run_id", "red_seconds") == (60, 65 * 60)


# -- usually fixed in


def spans(*minutes: int) -> list[dict[str, Any]]:
    """Runs with a red span of each length, an hour apart, and a green run before."""
    runs = [run(1, "00:00", minutes=1)]
    for n, length in enumerate(minutes):
        start = 60 * (n + 1)
        for run_id, minute, conclusion in (
            (2 * n + 2, start, "failure"),
            (2 * n + 3, start + length - 1, "success"),
        ):
            clock = f"{minute // 60:02}:{minute % 60:02}"
            runs.append(run(run_id, clock, conclusion, minutes=1))
    return runs


@pytest.mark.parametrize(
    ("lengths", "usual"),
    [([], None), ([10], None), ([10, 30], 20), ([10, 50, 30], 30), ([2, 2, 5, 9], 3.5)],
)
def test_the_usual_fix_is_the_median_of_the_ended_spans(db, lengths, usual):
    watch(db, FEED)
    save_runs(db, *spans(*lengths))

    assert tile(db, "usual_fix_seconds") == (usual and usual * 60,)


def test_the_present_red_span_is_no_earlier_one(db):
    watch(db, FEED)
    save_runs(db, *spans(10, 30), run(90, "17:00", "failure"))

    assert tile(db, "usual_fix_seconds", "broken_run_id") == (20 * 60, 90)


def test_the_last_10_spans_count(db):
    watch(db, FEED)
    save_runs(db, *spans(*[50] * 6, *[10] * 4, *[20] * 6))

    assert tile(db, "usual_fix_seconds") == (1200,)


def test_a_span_without_a_known_beginning_has_no_length(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "08:00", "failure"),
        run(2, "09:00"),
        run(3, "10:00", "failure"),
        run(4, "11:00"),
    )

    assert tile(db, "usual_fix_seconds") == (None,)
    assert tile(db, "fixed_run_id", "red_seconds") == (4, 65 * 60)


# -- databases of earlier versions


def test_an_upgrade_computes_the_facts_of_the_stored_runs(db, tmp_path):
    watch(db, FEED)
    save_runs(db, *spans(10, 30), run(90, "17:00", "failure", **by("tomasz")))
    save_runs(
        db,
        run(91, "17:00", "failure", head_branch="dev"),
        rerun(91, "17:00", "17:30", "success", head_branch="dev"),
    )

    with closing(schema.connect(tmp_path / "old.db")) as old:
        schema.migrations.apply(old, stop_before="m160_red_spans")
        for table in ("repos", "feeds", "runs", "run_attempts"):
            old[table].insert_all(stored(db, table, columns_of(old, table)))
        schema.migrate(old)

        for rows in ("decisions order by run_id", "tiles order by branch"):
            sql = f"select * from {rows}"  # noqa: S608 (own names)
            assert rows_of(old, sql) == rows_of(db, sql)
    assert db.execute(
        "select branch, broken_actor, usual_fix_seconds, red_seconds from tiles"
        " order by branch"
    ).fetchall() == [("dev", None, None, 2100), ("main", "tomasz", 1200, None)]


def columns_of(db: Database, table: str) -> list[str]:
    """The columns of a table, except computed ones."""
    return [name for _, name, *_ in db.execute(f"pragma table_info({table})")]


def stored(db: Database, table: str, names: list[str]) -> list[dict[str, Any]]:
    """The rows of a table, with these columns."""
    return [{name: row[name] for name in names} for row in db[table].rows]
