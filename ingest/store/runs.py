"""Writes pages of newest runs and single runs, each in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.github.rows import NO_TIME
from ci_observer.ingest.store import backfills, following, responses
from ci_observer.ingest.store.backfills import NO_PROGRESS
from ci_observer.ingest.store.database import page_transaction
from ci_observer.ingest.store.feed_states import set_listed
from ci_observer.ingest.store.feeds import Feed, set_changed, set_checked, update
from ci_observer.ingest.store.repo_pages import AssignedRuns, save_blocked
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.store.run_rows import Saved, write_runs
from ci_observer.ingest.times import utc


def save_page(
    db: Database,
    feed: Feed,
    payloads: Sequence[Mapping[str, Any]],
    *,
    etag: str | None,
    has_more: bool,
    is_whole: bool = True,
    horizon: datetime,
    now: datetime,
) -> Saved:
    """Write a feed's newest runs, their ETag and the time of the response.

    A page that is not whole, because a run on it cannot be stored, does not prove that
    the feed is fresh, and a 304 would not either.

    In one transaction: an ETag without its runs would hide them behind 304s. If none of
    the runs is known and there are more pages, runs may be missing. Then a backfill
    starts, to the newest known run or to `horizon`.
    """
    with page_transaction(db):
        newest_known = _newest_created_at(db, feed)
        backfill = backfills.get(db, feed.key)
        # An empty page proves nothing about single runs.
        listed_from = _oldest(payloads) if has_more or not payloads else ""
        saved = _save_newest(db, feed, payloads, listed_from=listed_from)
        following.save_page(db, feed.repo, feed.workflow, _ids(payloads))
        if payloads and has_more and not saved.known:
            # A gap that is still open began further back.
            known_until = newest_known if backfill.completed_at else None
            until = backfill.fetch_until or known_until or utc(horizon)
            backfills.update(db, feed.key, fetch_until=until, **NO_PROGRESS)
        elif not backfill.fetch_until and not backfill.completed_at:
            backfills.update(db, feed.key, completed_at=utc(now))
        has_runs = bool(payloads) or has_more or not is_whole
        set_listed(db, feed.key, has_runs=has_runs, now=now)
        if is_whole:
            set_checked(db, feed, now, etag=etag)
        else:
            update(db, feed.key, etag=None)
        set_changed(db, feed, saved.written, now)
    return saved


def save_repo_page(
    db: Database,
    feeds: Sequence[Feed],
    assigned: AssignedRuns,
    *,
    page: CachedResponse,
    unclear: Sequence[Feed] = (),
    now: datetime,
) -> dict[Feed, int]:
    """Write the newest runs of several feeds from one page of their repository.

    Returns the number of written runs per feed. If the page does not reach back to the
    newest run of the page before, runs may be missing, and the feeds start a backfill:
    those without a known run too, whose first one may be missing.

    A run on the page may belong to the `unclear` feeds: it does not prove that they are
    fresh, and a 304 would not either.
    """
    page = replace(page, etag="") if unclear else page
    with page_transaction(db):
        save_blocked(db, feeds[0].repo, assigned, now=now)
        before = responses.get_cached(db, page.key)
        last_at = before.newest_at if before else None
        if before and not last_at and not page.is_last:
            # The page before was empty.
            last_at = NO_TIME
        is_gap = bool(page.oldest_at and last_at and page.oldest_at > last_at)
        listed_from = page.oldest_at if page.next_url or not page.oldest_at else ""
        written: dict[Feed, int] = {}
        for feed in feeds:
            newest_known = _newest_created_at(db, feed)
            listed = assigned.by_file.get(feed.workflow, [])
            saved = _save_newest(db, feed, listed, listed_from=listed_from)
            written[feed] = saved.written
            until = backfills.get(db, feed.key).fetch_until or newest_known
            until = until or last_at
            if is_gap and until:
                backfills.update(db, feed.key, fetch_until=until, **NO_PROGRESS)
            if listed:
                set_listed(db, feed.key, has_runs=True, now=now)
            if feed not in unclear:
                set_checked(db, feed, now)
            set_changed(db, feed, written[feed], now)
        on_page = [
            run_id for runs in assigned.by_file.values() for run_id in _ids(runs)
        ]
        following.save_page(db, page.key.repo, "", on_page)
        newest = [s.newest_at for s in (before, page) if s and s.newest_at]
        responses.save(db, replace(page, newest_at=max(newest, default=None)))
    return written


def is_stored(db: Database, feed: Feed, run_id: int) -> bool:
    """Whether a run is stored as one of a feed's."""
    row = db.execute(
        "select 1 from runs where run_id = ? and repo = ? and workflow = ?",
        [run_id, feed.repo, feed.workflow],
    ).fetchone()
    return row is not None


def save_run(
    db: Database, feed: Feed, payload: Mapping[str, Any], *, now: datetime
) -> Saved:
    """Write a run, or one of its earlier attempts, that was fetched by its id."""
    with page_transaction(db):
        saved = write_runs(db, feed, [payload])
        set_changed(db, feed, saved.written, now)
    return saved


def save_and_follow(
    db: Database, feed: Feed, payload: Mapping[str, Any], *, now: datetime
) -> Saved:
    """Write a run from a list other than its feed's, and follow it if it has changed.

    An unchanged run is on its feed's newest page, or is followed already.
    """
    with page_transaction(db):
        saved = save_run(db, feed, payload, now=now)
        if saved.written:
            following.follow(db, [payload["id"]])
    return saved


def _save_newest(
    db: Database,
    feed: Feed,
    payloads: Sequence[Mapping[str, Any]],
    *,
    listed_from: str | None,
) -> Saved:
    """Write a feed's newest runs, and follow those that the page does not list."""
    saved = write_runs(db, feed, payloads)
    following.follow_unlisted(db, feed.key, _ids(payloads), listed_from=listed_from)
    return saved


def _oldest(payloads: Iterable[Mapping[str, Any]]) -> str | None:
    return min((str(run.get("created_at") or "") for run in payloads), default=None)


def _ids(payloads: Iterable[Mapping[str, Any]]) -> list[int]:
    return [run["id"] for run in payloads]


def _newest_created_at(db: Database, feed: Feed) -> str | None:
    [[newest]] = db.execute(
        "select max(created_at) from runs where repo = ? and workflow = ?",
        [feed.repo, feed.workflow],
    )
    return str(newest) if newest else None
