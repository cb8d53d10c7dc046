"""The table `feed_states`: each change of a feed's state, and from when it was true."""

from datetime import timedelta
from typing import Any

import pytest
from archive import NOW, save_runs, set_clock, watch
from factories import run_payload
from polling import FILE, REPO, add_runs, poll
from sqlite_utils import Database

from ci_observer.ingest.db import schema
from ci_observer.ingest.db.migrations.m240_states import m240_feed_states
from ci_observer.ingest.progress import no_progress
from ci_observer.ingest.store import feeds, repos, watch_errors
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.times import utc

FEED = (REPO, FILE)
# After as many seconds without a good response, a feed is stale.
STALE_SECONDS = 180


def after(minutes: float) -> str:
    return utc(NOW + timedelta(minutes=minutes))


def at(db: Database, minutes: float) -> None:
    """Set the clock of the views to some minutes after the start."""
    set_clock(db, NOW + timedelta(minutes=minutes))


def states(db: Database, *columns: str, repo: str = REPO) -> list[tuple[Any, ...]]:
    """The recorded states of a repository's feeds, in order."""
    names = ", ".join(("from_at", *columns))
    return db.execute(
        f"select {names} from feed_states where repo = ?"  # noqa: S608 (own names)
        " order by workflow, from_at",
        [repo],
    ).fetchall()


def set_error(db: Database, error: str | None, kind: str | None = "forbidden") -> None:
    db.execute(
        "update feeds set error = ?, error_kind = ?, error_at = '2026-03-01T18:00:00Z'",
        [error, error and kind],
    )


@pytest.fixture
def feed(db: Database) -> FeedKey:
    """A feed that is watched from `NOW` on."""
    watch(db, FEED)
    return FeedKey(*FEED)


def check(db: Database, feed: FeedKey, minutes: float) -> None:
    """A good response."""
    at(db, minutes)
    now = NOW + timedelta(minutes=minutes)
    feeds.save_checked(db, feeds.get(db, feed.repo, feed.workflow), now)


def test_a_watched_feed_has_one_row_from_its_first_second_on(db, feed):
    [row] = db.query("select * from feed_states")

    assert row == {
        "repo": REPO,
        "workflow": FILE,
        "from_at": utc(NOW),
        "is_watched": 1,
        "workflow_name": "CI",
        "workflow_state": "active",
        "default_branch": "main",
        "error_kind": None,
        "error": None,
        "blocked_run_id": None,
        "no_runs_at": None,
        "is_stale": 0,
        "schedule_seconds": None,
        "schedule_from_at": None,
    }


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("is_watched", 0),
        ("workflow_name", "Build"),
        ("workflow_state", "disabled_manually"),
        ("default_branch", "trunk"),
        ("error_kind", "not_found"),
        ("error", "GitHub says 404."),
        ("no_runs_at", "2026-03-01T18:05:00Z"),
    ],
)
def test_a_change_of_each_fact_has_a_row_and_so_has_its_end(db, feed, column, value):
    [(_, before)] = states(db, column)
    for minute, text in ((1, value), (2, value), (3, before)):
        at(db, minute)
        db.execute(f"update feeds set {column} = ?", [text])  # noqa: S608 (own name)

    assert states(db, column) == [
        (utc(NOW), before),
        (after(1), value),
        (after(3), before),
    ]


def test_a_second_has_one_row_and_a_change_that_is_undone_in_it_none(db, feed):
    at(db, 1)
    set_error(db, "No.")
    set_error(db, "Still no.")
    assert states(db, "error") == [(utc(NOW), None), (after(1), "Still no.")]

    set_error(db, None)
    assert states(db, "error") == [(utc(NOW), None)]


def test_a_start_with_the_same_settings_and_equal_metadata_record_nothing(db, feed):
    for minute in range(1, 4):
        at(db, minute)
        db.execute("update feeds set workflow_state = 'archived'")
        before = states(db, "workflow_state")
        at(db, minute + 0.5)
        feeds.save_watched(db, [FEED])
        feeds.save_watched_in(db, REPO, [FILE])
        feeds.save_metadata(
            db,
            REPO,
            default_branch="main",
            workflows={FILE: ("CI", "active")},
            now=NOW,
            is_archived=True,
        )
        assert states(db, "workflow_state") == before


def test_no_statement_takes_a_watched_feed_off_the_wall_for_a_moment(db, feed):
    """Between two statements the clock may go on."""
    db.execute(
        "create trigger mine before update of is_watched, workflow_state on feeds"
        " begin select raise(abort, 'written'); end"
    )
    feeds.save_watched(db, [FEED])
    feeds.save_watched(db, [(REPO.upper(), FILE)])
    feeds.save_watched_in(db, REPO, [FILE])


def test_a_feed_is_unwatched_and_watched_again(db, feed):
    at(db, 1)
    feeds.save_watched(db, [("acme/other", FILE)])
    at(db, 2)
    feeds.save_watched_in(db, REPO, [FILE])

    assert states(db, "is_watched") == [(utc(NOW), 1), (after(1), 0), (after(2), 1)]
    assert states(db, "is_watched", repo="acme/other") == [(after(1), 1)]


def test_a_deleted_feed_is_not_watched_from_then_on(db, feed):
    at(db, 1)
    db.execute("delete from feeds")

    assert states(db, "is_watched") == [(utc(NOW), 1), (after(1), 0)]


def test_good_responses_record_nothing_while_the_feed_is_fresh(db, feed):
    for minute in (1, 3, 6):
        check(db, feed, minute)

    assert states(db, "is_stale") == [(utc(NOW), 0)]


def test_staleness_is_recorded_when_it_ends_with_the_changes_meanwhile(db, feed):
    at(db, 10)
    set_error(db, "No.", "unavailable")
    check(db, feed, 20)

    assert states(db, "is_stale", "error") == [
        (utc(NOW), 0, None),
        (utc(NOW + timedelta(seconds=STALE_SECONDS)), 1, None),
        (after(10), 1, "No."),
        (after(20), 0, None),
    ]


def test_staleness_agrees_with_the_wall_at_each_time(db, feed):
    stale = {}
    for minute in range(30):
        if minute in (1, 2, 5, 8, 9, 20):
            check(db, feed, minute)
        at(db, minute)
        [[alarm]] = db.execute("select alarm from wall")
        stale[minute] = alarm == "stale"
    check(db, feed, 30)

    rows = states(db, "is_stale")
    for minute, is_stale in stale.items():
        *_, (_, recorded) = [row for row in rows if row[0] <= after(minute)]
        assert recorded == is_stale, minute
    assert set(stale.values()) == {True, False}


def test_a_feed_without_any_good_response_is_stale_from_its_first_failure(db):
    watch(db, FEED)
    db.execute("update feeds set checked_at = null")
    set_error(db, "No.", "unavailable")

    check(db, FeedKey(*FEED), 20)

    assert states(db, "is_stale") == [(utc(NOW), 0), (after(3), 1), (after(20), 0)]


def test_a_slow_refresh_makes_nothing_stale(db, feed):
    db.execute("update instance set value = 600 where key = 'refresh_seconds'")
    check(db, feed, 10)
    check(db, feed, 20)

    assert states(db, "is_stale") == [(utc(NOW), 0)]


def test_a_blocked_repository_is_recorded_for_each_of_its_feeds(db):
    watch(db, FEED, (REPO, "docs.yml"), ("acme/web", FILE))
    save_runs(db, run_payload(7))
    at(db, 1)
    repos.save_blocked(db, REPO, 7)
    at(db, 2)
    repos.clear_blocked(db, REPO)

    of_a_feed = [(utc(NOW), None), (after(1), 7), (after(2), None)]
    assert states(db, "blocked_run_id") == of_a_feed * 2
    assert len(states(db, repo="acme/web")) == 1


def test_an_error_of_an_owner_has_rows_of_its_own(db):
    source = "acme/*"
    watch_errors.save(db, source, error="No.", kind="not_found", now=NOW, retry_at=None)
    at(db, 1)
    watch_errors.save(db, source, error="No.", kind="not_found", now=NOW, retry_at=NOW)
    watch_errors.save(
        db, source, error="Never.", kind="forbidden", now=NOW, retry_at=None
    )
    at(db, 2)
    watch_errors.delete(db, source)

    assert states(db, "workflow", "is_watched", "error_kind", repo=source) == [
        (utc(NOW), "*", 1, "not_found"),
        (after(1), "*", 1, "forbidden"),
        (after(2), "*", 0, None),
    ]


def test_a_clock_that_was_set_back_leaves_no_later_states(db, feed):
    at(db, 60)
    set_error(db, "No.")
    at(db, 30)
    set_error(db, "Still no.")

    assert states(db, "error") == [(utc(NOW), None), (after(30), "Still no.")]


def test_a_renamed_repository_takes_its_states_along(db):
    watch(db, FEED, (REPO, "docs.yml"))
    watch_errors.save(db, REPO, error="No.", kind="forbidden", now=NOW, retry_at=None)
    watch_errors.delete(db, REPO)
    at(db, 1)
    set_error(db, "No.")
    at(db, 2)
    before = states(db, "workflow", "error")

    repos.rename(db, REPO, "acme/new")

    # A rename clears the error.
    of_docs = len(before)
    renamed = states(db, "workflow", "error", repo="acme/new")
    assert [row for row in renamed if row[0] < after(2)] == before
    assert len(renamed) == of_docs + 2
    assert states(db) == []


def test_a_change_of_letter_case_keeps_the_states(db, feed):
    before = states(db, "error")
    at(db, 1)
    feeds.rename(db, feed, FeedKey(REPO.upper(), FILE))

    assert states(db, "error") == before
    assert db.execute("select distinct repo from feed_states").fetchall() == [
        (REPO.upper(),)
    ]


def test_joined_feeds_have_the_older_states_of_the_former_one(db, feed):
    at(db, 1)
    set_error(db, "No.")
    at(db, 2)
    watch(db, ("acme/new", FILE), now=NOW + timedelta(minutes=2))
    of_new = states(db, "error", repo="acme/new")

    at(db, 3)
    repos.rename(db, REPO, "acme/new")

    assert states(db, "error", repo="acme/new") == [
        (utc(NOW), None),
        (after(1), "No."),
        *of_new,
    ]
    assert states(db) == []


def test_an_idle_pass_writes_no_state(world, github, ingest, db, wall_clock):
    add_runs(world, 2)
    poll(ingest, github, 2)
    before = list(db.query("select * from feed_states"))
    assert before
    db.execute(
        "create trigger mine before insert on feed_states"
        " begin select raise(abort, 'written'); end"
    )

    poll(ingest, github, 3)

    assert list(db.query("select * from feed_states")) == before


def test_a_workflow_that_is_disabled_on_github_is_recorded(
    world, github, ingest, db, wall_clock
):
    add_runs(world, 2)
    poll(ingest, github, 2)
    world.workflow(REPO, FILE).state = "disabled_manually"
    github.advance(86400)
    ingest.poll()

    *_, last = states(db, "workflow_state", "is_stale")
    assert last == (utc(world.now), "disabled_manually", 0)


STATE_MIGRATIONS = ("m240_feed_states", "m280_expected_schedules")


def test_an_upgrade_begins_with_the_states_of_now(db):
    watch(db, FEED, ("acme/web", FILE))
    feeds.save_watched_in(db, "acme/web", [])
    watch_errors.save(
        db, "acme/*", error="No.", kind="forbidden", now=NOW, retry_at=None
    )
    columns = ("workflow", "is_watched", "default_branch", "error_kind", "is_stale")
    names = ("acme/*", REPO, "acme/web")
    before = [[row[1:] for row in states(db, *columns, repo=repo)] for repo in names]
    db.execute("drop table feed_states")
    db.execute("delete from _sqlite_migrations where name in (?, ?)", STATE_MIGRATIONS)

    schema.migrate(db, progress=no_progress)

    after_upgrade = [states(db, *columns, repo=repo) for repo in names]
    assert [[row[1:] for row in rows] for rows in after_upgrade] == before
    [[now]] = db.execute("select now from clock")
    assert all(row[0] <= now for rows in after_upgrade for row in rows)


def test_an_upgrade_records_the_expected_schedules_since_they_are_expected(db, feed):
    """They were stored, but not recorded. Their states are computed again."""
    at(db, 5)
    set_error(db, "No.")
    rows = list(db["feed_states"].rows)
    db.execute("drop table feed_states")
    m240_feed_states(db)
    db["feed_states"].delete_where()
    row = {"schedule_seconds": 3600, "schedule_from_at": after(3)}
    db["feed_states"].insert_all(
        {name: value for name, value in old.items() if name not in row} for old in rows
    )
    db.execute("drop trigger feed_settings_insert_state")
    db["feed_settings"].insert({"repo": REPO, "workflow": FILE} | row)
    db.execute("delete from _sqlite_migrations where name = ?", STATE_MIGRATIONS[1:])

    schema.migrate(db, progress=no_progress)

    assert states(db, "error", *row) == [
        (utc(NOW), None, None, None),
        (after(3), None, 3600, after(3)),
        (after(5), "No.", 3600, after(3)),
    ]
    assert db.execute("select from_at from changed_states").fetchall() == [(after(3),)]
