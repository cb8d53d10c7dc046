"""The table `feed_backfills`: requests, renames and the upgrade that made it."""

from datetime import UTC, datetime

from ci_observer.ingest.db import schema
from ci_observer.ingest.store import backfills, feeds
from ci_observer.ingest.store.backfills import Backfill
from ci_observer.ingest.store.keys import FeedKey

API, WEB = FeedKey("acme/api", "ci.yml"), FeedKey("acme/web", "ci.yml")
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def watch(db, *keys):
    feeds.save_watched(db, [(key.repo, key.workflow) for key in keys])


def test_a_feed_without_a_row_has_nothing_to_fetch(db):
    watch(db, API)

    assert backfills.get(db, API) == Backfill()
    assert feeds.to_backfill(db) == []


def test_a_requested_backfill_is_under_way_until_it_is_complete(db):
    watch(db, API, WEB)

    backfills.request(db, [API], since=FEBRUARY, horizon=JANUARY)

    assert [feed.key for feed in feeds.to_backfill(db)] == [API]
    assert backfills.get(db, API).fetch_until == "2026-01-01T00:00:00Z"


def test_a_feed_joined_with_a_polled_one_leaves_it_both_gaps(db):
    watch(db, API, WEB)
    db["feeds"].update((WEB.repo, WEB.workflow), {"checked_at": "2026-03-01T00:00:00Z"})
    backfills.update(db, API, fetch_until="2026-01-01T00:00:00Z", next_url="page-2")
    backfills.update(db, WEB, fetch_until="2026-02-01T00:00:00Z", next_url="page-9")

    feeds.rename(db, API, WEB)

    assert backfills.get(db, API) == Backfill()
    assert backfills.get(db, WEB) == Backfill(fetch_until="2026-01-01T00:00:00Z")


def test_a_feed_takes_its_progress_to_a_name_that_was_never_polled(db):
    watch(db, API, WEB)
    backfills.update(db, API, fetch_until="2026-01-01T00:00:00Z", next_url="page-2")
    backfills.update(db, WEB, fetch_until="2025-01-01T00:00:00Z")

    feeds.rename(db, API, WEB)

    assert backfills.get(db, API) == Backfill()
    assert backfills.get(db, WEB) == Backfill("2026-01-01T00:00:00Z", "page-2")


def test_a_feed_renamed_in_another_letter_case_keeps_its_row_and_its_progress(db):
    watch(db, API)
    db["feeds"].update((API.repo, API.workflow), {"checked_at": "2026-03-01T00:00:00Z"})
    backfills.update(db, API, fetch_until="2026-01-01T00:00:00Z", next_url="page-2")
    respelled = FeedKey("Acme/API", API.workflow)

    feeds.rename(db, API, respelled)

    [feed] = feeds.watched(db)
    assert (feed.key, feed.checked_at) == (respelled, "2026-03-01T00:00:00Z")
    assert backfills.get(db, respelled) == Backfill("2026-01-01T00:00:00Z", "page-2")


def test_an_upgrade_keeps_the_progress_of_every_backfill(db_path):
    db = schema.connect(db_path)
    schema.migrations.apply(db, stop_before="m100_feed_backfills")
    db["feeds"].insert(
        {
            "repo": API.repo,
            "workflow": API.workflow,
            "backfill_until": "2025-12-01T00:00:00Z",
            "backfill_next_url": "page-2",
            "backfill_from": "2026-01-02T00:00:00Z",
            "window_from": "2026-01-01T00:00:00Z",
            "window_to": "2026-01-03T00:00:00Z",
            "window_total": 40,
            "window_doubts": 1,
            "windows_short": 2,
            "backfilled_to": "2026-01-04T00:00:00Z",
            "backfilled_at": "2026-01-05T00:00:00Z",
        }
    )

    schema.migrate(db)

    backfill = backfills.get(db, API)
    db.close()
    assert backfill == Backfill(
        fetch_until="2025-12-01T00:00:00Z",
        next_url="page-2",
        missing_until="2026-01-02T00:00:00Z",
        window_start="2026-01-01T00:00:00Z",
        window_end="2026-01-03T00:00:00Z",
        window_total=40,
        incomplete_responses=1,
        windows_given_up=2,
        fetched_to="2026-01-04T00:00:00Z",
        completed_at="2026-01-05T00:00:00Z",
    )
