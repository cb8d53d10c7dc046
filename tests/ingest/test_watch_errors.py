"""The table `watch_errors`: errors of owners and repositories, and its upgrade."""

from contextlib import closing
from datetime import timedelta

import pytest
from archive import NOW
from polling import revision
from sqlite_utils import Database

from ci_observer.ingest.db import schema
from ci_observer.ingest.store import feeds, watch_errors
from ci_observer.ingest.store.keys import Owner
from ci_observer.ingest.store.watch_errors import WatchError
from ci_observer.ingest.times import utc

ACME, API = Owner("acme"), "acme/api"
LATER = NOW + timedelta(hours=1)


def save(db, source, error="No.", now=NOW, retry_at=None):
    watch_errors.save(
        db, source, error=error, kind="not_found", now=now, retry_at=retry_at
    )


def test_an_error_is_stored_by_the_name_in_the_settings(db):
    save(db, ACME)
    save(db, API, retry_at=LATER)

    assert watch_errors.known(db) == [
        WatchError("acme/*", "No.", "not_found", utc(NOW), None),
        WatchError("acme/api", "No.", "not_found", utc(NOW), utc(LATER)),
    ]


def test_the_letter_case_of_a_name_does_not_matter(db):
    save(db, ACME)
    save(db, Owner("Acme"), "Still no.")

    [error] = watch_errors.known(db)
    assert watch_errors.get(db, Owner("ACME")) == error
    assert error.error == "Still no."
    watch_errors.delete_others(db, [Owner("aCME")])
    assert watch_errors.known(db) == [error]


def test_the_time_of_the_first_of_several_errors_is_kept(db):
    save(db, ACME)
    save(db, ACME, "Still no.", now=LATER)

    [error] = watch_errors.known(db)
    assert (error.error, error.error_at) == ("Still no.", utc(NOW))


def test_an_error_after_a_success_has_a_time_of_its_own(db):
    save(db, ACME)
    watch_errors.delete(db, ACME)
    save(db, ACME, now=LATER)

    [error] = watch_errors.known(db)
    assert error.error_at == utc(LATER)


def test_only_the_errors_of_named_sources_are_kept(db):
    for source in (ACME, API, "acme/web"):
        save(db, source)

    watch_errors.delete_others(db, [API])

    assert [error.repo for error in watch_errors.known(db)] == [API]


def test_the_revision_grows_when_an_error_appears_changes_or_ends(db):
    revisions = [revision(db)]
    for change in (
        lambda: save(db, ACME),
        lambda: save(db, ACME, now=LATER, retry_at=LATER),
        lambda: save(db, ACME, "Still no."),
        lambda: watch_errors.delete(db, ACME),
        lambda: watch_errors.delete(db, ACME),
    ):
        change()
        revisions.append(revision(db))

    assert revisions == ["0", "1", "1", "2", "3", "3"]


@pytest.fixture
def former(db_path):
    """A database of the version that stored such errors as feeds."""
    db_path.unlink(missing_ok=True)
    with closing(schema.connect(db_path)) as db:
        schema.migrations.apply(db, stop_before="m110_watch_errors")
        yield db


def insert_feed(
    db: Database, repo: str, workflow: str, error: str | None, **columns: int | str
) -> None:
    row = {"repo": repo, "workflow": workflow, "is_watched": 1, "error": error}
    if error is not None:
        row |= {"error_kind": "not_found", "error_at": utc(NOW), "retry_at": utc(LATER)}
    db["feeds"].insert(row | columns)
    db["feed_backfills"].insert({"repo": repo, "workflow": workflow})


def test_an_upgrade_carries_the_errors_over(former):
    insert_feed(former, "acme/*", "*", "No owner.")
    insert_feed(former, "acme/api", "*", "No repository.")
    insert_feed(former, "acme/web", "ci.yml", "No workflow.")
    insert_feed(former, "acme/web", "old.yml", None, is_watched=0)

    schema.migrate(former)

    times = (utc(NOW), utc(LATER))
    assert watch_errors.known(former) == [
        WatchError("acme/*", "No owner.", "not_found", *times),
        WatchError("acme/api", "No repository.", "not_found", *times),
    ]
    pairs = [("acme/web", "ci.yml"), ("acme/web", "old.yml")]
    for table in ("feeds", "feed_backfills"):
        rows = former.execute(f"select repo, workflow from {table}")  # noqa: S608
        assert rows.fetchall() == pairs
    assert [feed.error for feed in feeds.watched(former)] == ["No workflow."]
    wall = "select repo, workflow, tile_state, error from wall order by repo"
    assert former.execute(wall).fetchall() == [
        ("acme/*", "*", "no_access", "No owner."),
        ("acme/api", "*", "no_access", "No repository."),
        ("acme/web", "ci.yml", "no_access", "No workflow."),
    ]


def test_an_upgrade_drops_errors_that_were_resolved(former):
    insert_feed(former, "acme/*", "*", "No owner.", is_watched=0)
    insert_feed(former, "acme/api", "*", None)

    schema.migrate(former)

    assert watch_errors.known(former) == []
    assert former["feeds"].count == former["feed_backfills"].count == 0
