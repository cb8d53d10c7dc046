"""The store on a real SQLite file: stored rows, and when the revision grows."""

from contextlib import closing
from datetime import timedelta

import pytest
from archive import NOW, save_runs, set_clock, watch
from factories import run_payload, times
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import backfills, feeds, instance, older_runs, runs
from ci_observer.ingest.store.database import page_transaction, transaction
from ci_observer.ingest.store.instance import POLLS_KEPT
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey
from ci_observer.ingest.store.run_rows import Saved
from ci_observer.ingest.times import utc

FEED = ("acme/api", "ci.yml")
# https://www.sqlite.org/pragma.html#pragma_temp_store
IN_MEMORY = 2
RUNNING = {"status": "in_progress", "conclusion": None}


def revision(db):
    [[value]] = db.execute("select value from instance where key = 'revision'")
    return int(value)


def contents(db):
    """Every row of the tables that hold runs, and GitHub's run objects."""
    return {
        table: db.execute(f"select * from {table} order by 1, 2").fetchall()  # noqa: S608
        for table in ("runs", "run_attempts", "runs_full", "tiles")
    }


def feed(db):
    [only] = feeds.watched(db)
    return only


def backfill(db):
    return backfills.get(db, feed(db).key)


def live(db, *payloads, etag='W/"1"', has_more=False, now=NOW):
    return runs.save_page(
        db,
        feed(db),
        payloads,
        etag=etag,
        has_more=has_more,
        horizon=NOW - timedelta(days=90),
        now=now,
    )


def test_a_page_is_stored_with_its_etag_and_the_time_of_the_response(db):
    watch(db, FEED)

    saved = live(db, run_payload(1), run_payload(2))

    assert saved == Saved(written=2, known=0)
    assert [row["run_id"] for row in db["runs"].rows] == [1, 2]
    stored = feed(db)
    assert (stored.etag, stored.checked_at) == ('W/"1"', utc(NOW))


def test_saving_a_page_again_changes_nothing(db):
    watch(db, FEED)
    live(db, run_payload(1))
    before, number = contents(db), revision(db)

    assert live(db, run_payload(1)) == Saved(written=0, known=1)
    assert (contents(db), revision(db)) == (before, number)


def test_a_page_with_changes_increases_the_revision_by_one(db):
    watch(db, FEED)
    number = revision(db)

    live(db, run_payload(1), run_payload(2))

    assert revision(db) == number + 1


def test_a_revision_never_has_other_content_after_a_restored_backup(db):
    watch(db, FEED)
    live(db, run_payload(1))
    backed_up = revision(db)
    live(db, run_payload(2))
    seen = {backed_up, revision(db)}
    # The backup: without the second run. Ingest starts later than all changes were.
    db.execute("update instance set value = ? where key = 'revision'", [backed_up])
    later = NOW + timedelta(hours=1)
    instance.save_settings(db, Config(), version="1", now=later)

    live(db, run_payload(3))

    assert revision(db) >= later.timestamp()
    assert revision(db) not in seen


def test_a_rerun_replaces_the_run_and_keeps_the_earlier_attempt(db):
    watch(db, FEED)
    live(db, run_payload(1, conclusion="failure"))
    live(db, run_payload(1, run_attempt=2, **RUNNING, **times("13:00")))

    [run] = db["runs"].rows
    assert (run["run_attempt"], run["status"], run["conclusion"]) == (
        2,
        "in_progress",
        None,
    )
    assert [(a["run_attempt"], a["conclusion"]) for a in db["run_attempts"].rows] == [
        (1, "failure"),
        (2, None),
    ]


def test_a_late_earlier_attempt_does_not_change_the_run(db):
    watch(db, FEED)
    live(db, run_payload(1, run_attempt=2, **times("13:00")))
    before = contents(db)
    live(db, run_payload(1, conclusion="failure"))

    after = contents(db)
    assert after["runs"] == before["runs"]
    assert after["runs_full"] == before["runs_full"]
    assert len(after["run_attempts"]) == 2


def test_older_data_from_a_lagging_replica_is_ignored(db):
    watch(db, FEED)
    live(db, run_payload(1))
    before, number = contents(db), revision(db)

    live(db, run_payload(1, **RUNNING, updated_at="2026-03-01T12:01:00Z"))

    assert (contents(db), revision(db)) == (before, number)


def test_an_empty_list_deletes_nothing(db):
    watch(db, FEED)
    live(db, run_payload(1))
    before = contents(db)

    live(db)

    assert contents(db) == before


def test_a_page_with_an_invalid_run_is_not_stored_at_all(db):
    """No row and no ETag, so that the next poll fetches the page again."""
    watch(db, FEED)

    with pytest.raises(Exception, match="no id"):
        live(db, run_payload(1), run_payload(2, id=None))

    assert contents(db)["runs"] == []
    assert feed(db).etag is None


def test_a_first_page_of_several_starts_a_backfill_to_the_horizon(db):
    watch(db, FEED)

    live(db, run_payload(1), has_more=True)

    assert backfill(db).fetch_until == utc(NOW - timedelta(days=90))
    assert backfill(db).completed_at is None


def test_a_page_of_only_unknown_runs_starts_a_backfill_to_the_newest_known(db):
    watch(db, FEED)
    live(db, run_payload(1))
    live(db, run_payload(9, **times("15:00")), has_more=True)

    assert backfill(db).fetch_until == "2026-03-01T12:00:00Z"


def test_a_page_with_a_known_run_starts_no_backfill(db):
    watch(db, FEED)
    live(db, run_payload(1))
    live(db, run_payload(2, **times("15:00")), run_payload(1), has_more=True)

    assert backfill(db).fetch_until is None


@pytest.mark.parametrize(
    ("oldest", "next_url", "is_last", "is_done"),
    [
        ("2026-02-01T00:00:00Z", "https://github/2", False, False),
        ("2025-11-01T00:00:00Z", "https://github/2", False, True),
        ("2026-02-01T00:00:00Z", None, False, False),
        ("2026-02-01T00:00:00Z", None, True, True),
    ],
)
def test_a_backfill_ends_at_the_horizon_or_with_the_surely_last_page(
    db, oldest, next_url, is_last, is_done
):
    watch(db, FEED)
    live(db, run_payload(5), has_more=True)

    older_runs.save_page(
        db,
        feed(db),
        backfill(db),
        [run_payload(4), run_payload(3, created_at=oldest)],
        page=CachedResponse(
            ResponseKey("runs", "acme/api", "https://github/1"),
            'W/"9"',
            next_url,
            oldest,
            is_last=is_last,
        ),
        now=NOW,
    )

    got = backfill(db)
    assert got.fetched_to == oldest
    assert (got.fetch_until is None) is is_done
    assert (got.completed_at is not None) is is_done
    assert got.next_url == (None if is_done else next_url)


def test_a_second_gap_keeps_the_first_one_open(db):
    watch(db, FEED)
    live(db, run_payload(1))
    for run_id, at in ((8, "14:00"), (9, "15:00")):
        live(db, run_payload(run_id, **times(at)), has_more=True)

    assert backfill(db).fetch_until == "2026-03-01T12:00:00Z"


def test_an_error_leaves_the_data_and_a_response_clears_it(db):
    watch(db, FEED)
    live(db, run_payload(1))
    number = revision(db)
    feeds.save_error(
        db, feed(db), error="Not found", kind="not_found", now=NOW, retry_at=NOW
    )

    assert (feed(db).error, feed(db).checked_at) == ("Not found", utc(NOW))
    assert revision(db) == number + 1
    feeds.save_checked(db, feed(db), NOW)
    assert (feed(db).error, feed(db).retry_at) == (None, None)
    assert revision(db) == number + 2


@pytest.mark.parametrize(("seconds", "grows"), [(179, 0), (180, 1)])
def test_a_stale_feed_that_is_fresh_again_increases_the_revision(db, seconds, grows):
    """A feed is stale after three refreshes of 60 s without a response."""
    watch(db, FEED)
    number = revision(db)

    feeds.save_checked(db, feed(db), NOW + timedelta(seconds=seconds))

    assert revision(db) == number + grows


def test_a_feed_that_was_never_fetched_is_stale_after_three_refreshes(db):
    """Counted from its first error, also when other errors follow."""
    feeds.save_watched(db, [FEED])
    instance.save_settings(db, Config(), version="1", now=NOW)
    for seconds, error in ((0, "502"), (170, "503")):
        feeds.save_error(
            db,
            feed(db),
            error=error,
            kind="unavailable",
            now=NOW + timedelta(seconds=seconds),
            retry_at=None,
        )
    states = []
    for seconds in (179, 180):
        set_clock(db, NOW + timedelta(seconds=seconds))
        states += db.execute("select tile_state from wall").fetchall()

    assert states == [("unknown",), ("stale",)]


def test_the_same_error_again_keeps_the_revision(db):
    watch(db, FEED)
    for _ in range(2):
        number = revision(db)
        feeds.save_error(
            db, feed(db), error="502", kind="unavailable", now=NOW, retry_at=None
        )

    assert revision(db) == number


def test_a_pair_that_leaves_the_settings_leaves_the_wall_and_keeps_its_runs(db):
    watch(db, FEED, ("acme/web", "ci.yml"))
    save_runs(db, run_payload(1))

    feeds.save_watched(db, [("acme/web", "ci.yml")])

    assert [row[0] for row in db.execute("select repo from wall")] == ["acme/web"]
    assert db["runs"].count == 1


def test_a_repository_in_another_letter_case_is_the_same_feed(db):
    watch(db, FEED)
    feeds.save_watched(db, [("Acme/API", "ci.yml")])

    assert [f.repo for f in feeds.watched(db)] == ["acme/api"]


def test_the_instance_holds_the_public_settings_and_never_the_token(db, db_path):
    token = "github_pat_secret123"  # noqa: S105 (made up)
    config = Config(token=token, repos=("acme/api",), workflows=("ci.yml",))
    instance.save_settings(db, config, version="1.2.3", now=NOW)

    values = dict(db.execute("select key, value from instance").fetchall())
    assert values["version"] == "1.2.3"
    assert values["repos"] == '["acme/api"]'
    db.execute("pragma wal_checkpoint(truncate)")
    assert token.encode() not in db_path.read_bytes()


def test_the_same_settings_again_keep_the_revision(db):
    config = Config(title="Acme")
    instance.save_settings(db, config, version="1", now=NOW)
    number = revision(db)
    instance.save_settings(db, config, version="1", now=NOW + timedelta(hours=1))

    assert revision(db) == number
    instance.save_settings(db, Config(title="Other"), version="1", now=NOW)
    assert revision(db) == number + 1


def test_the_oldest_polls_are_deleted(db):
    poll = {
        "started_at": utc(NOW),
        "finished_at": utc(NOW),
        **dict.fromkeys(
            ("feeds", "feeds_failed", "requests", "not_modified", "runs_written"), 0
        ),
    }
    for poll_id in (1, POLLS_KEPT):
        db["polls"].insert(poll | {"poll_id": poll_id})
    instance.save_poll(db, poll)

    ids = [row[0] for row in db.execute("select poll_id from polls")]
    assert ids == [POLLS_KEPT, POLLS_KEPT + 1]


def test_days_are_those_of_the_instance_s_time_zone(db):
    """Across the change to summer time in Berlin, 2026-03-29 01:00 UTC."""
    watch(db, FEED)
    for run_id, at in enumerate(
        ("2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), 1
    ):
        live(db, run_payload(run_id, created_at=at, run_started_at=at, updated_at=at))
    instance.save_settings(db, Config(timezone="Europe/Berlin"), version="1", now=NOW)

    days = [row[0] for row in db.execute("select day from run_days order by run_id")]
    assert days == ["2026-03-28", "2026-03-29", "2026-03-30"]


# States of a run, oldest first.
@st.composite
def histories(draw):
    observations = []
    for run_id in draw(
        st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True)
    ):
        minute = 0
        for attempt in range(1, draw(st.integers(1, 3)) + 1):
            start = minute
            for status in ("queued", "in_progress", "completed"):
                minute += draw(st.integers(1, 3))
                observations.append(
                    run_payload(
                        run_id,
                        run_attempt=attempt,
                        status=status,
                        conclusion="failure" if status == "completed" else None,
                        created_at="2026-03-01T12:00:00Z",
                        run_started_at=f"2026-03-01T12:{start:02}:00Z",
                        updated_at=f"2026-03-01T12:{minute:02}:00Z",
                    )
                )
    return observations


def stored_after(path, migrated_file, pages):
    """The tables after saving pages in this order into a new database."""
    path.write_bytes(migrated_file)
    with closing(schema.connect(path)) as db:
        watch(db, FEED)
        for page in pages:
            live(db, *page)
        return contents(db)


@pytest.mark.long
@settings(max_examples=40)
@given(st.data())
def test_any_order_and_repetition_of_pages_gives_the_same_tables(
    tmp_path, migrated_file, data
):
    observations = data.draw(histories())
    again = data.draw(st.lists(st.sampled_from(observations), max_size=5))
    shuffled = data.draw(st.permutations(observations + again))
    size = data.draw(st.integers(1, 4))
    pages = [shuffled[i : i + size] for i in range(0, len(shuffled), size)]

    path = tmp_path / "order.db"
    in_order = stored_after(path, migrated_file, [[one] for one in observations])

    assert stored_after(path, migrated_file, pages) == in_order


def test_only_the_rows_of_a_response_have_their_temporary_data_in_memory(db):
    """A statement over all runs would need too much of it."""

    def temp_store():
        [[value]] = db.execute("pragma temp_store")
        return value

    with page_transaction(db):
        with page_transaction(db):
            assert temp_store() == IN_MEMORY
        assert temp_store() == IN_MEMORY
    with pytest.raises(ValueError, match="refused"), page_transaction(db):
        raise ValueError("refused")
    with transaction(db), page_transaction(db):
        assert temp_store() == 0


def test_no_other_process_can_write_within_a_transaction(db, db_path):
    """SQLite would refuse a write after a read if it could."""
    watch(db, FEED)
    other = schema.connect(db_path)
    with transaction(db):
        before = db["feeds"].count
        other.conn.execute("pragma busy_timeout = 0")
        with pytest.raises(schema.StorageError, match="locked"):
            instance.save_next_poll(other, NOW)
        feeds.save_watched(db, [FEED, ("acme/web", "ci.yml")])
    instance.save_next_poll(other, NOW)
    other.close()

    assert db["feeds"].count == before + 1
