"""Writes what GitHub said of runs: pages of run objects into rows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.store import backfills, responses
from ci_observer.ingest.store.backfills import NO_PROGRESS
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import Feed, set_changed, set_checked
from ci_observer.ingest.store.pending import (
    follow,
    follow_unfinished,
    stop_following,
)
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.store.run_rows import Saved, write_runs
from ci_observer.ingest.times import utc

__all__ = ["Saved", "save_and_follow", "save_page", "save_repo_page", "save_run"]


def save_page(
    db: Database,
    feed: Feed,
    payloads: Sequence[Mapping[str, Any]],
    *,
    etag: str | None,
    has_more: bool,
    horizon: datetime,
    now: datetime,
) -> Saved:
    """Write the newest runs of a feed, their ETag and the proof of freshness.

    All of it is one transaction: an ETag without its rows would hide them behind 304s.
    When none of the runs was known and there are more, some may have been missed: the
    feed is marked to catch up with older pages, back to what is stored or to `horizon`.
    """
    with transaction(db):
        newest_known = _newest_created_at(db, feed)
        until = backfills.until(db, feed)
        saved = _save_newest(db, feed, payloads)
        progress: dict[str, str | int | None] = {"etag": etag}
        if payloads and has_more and not saved.known:
            # A former gap may still be open: then back to where that one began.
            known_until = newest_known if feed.backfilled_at else None
            progress |= NO_PROGRESS
            progress["backfill_until"] = until or known_until or utc(horizon)
        elif not until and not feed.backfilled_at:
            progress["backfilled_at"] = utc(now)
        set_checked(db, feed, now, **progress)
        set_changed(db, feed, saved.written, now)
    return saved


def save_repo_page(
    db: Database,
    feeds: Sequence[Feed],
    payloads: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    page: CachedResponse,
    now: datetime,
) -> dict[Feed, int]:
    """Write the newest runs of several feeds of a repository, from one page of it.

    `payloads` are the page's runs by workflow. Returns how many were written of each
    feed. When the page does not reach back to the newest run of the page before, some
    runs may have been missed: the feeds are marked to catch up.
    """
    with transaction(db):
        before = responses.get_cached(db, page.key)
        last_at = before.newest_at if before else None
        is_gap = bool(page.oldest_at and last_at and page.oldest_at > last_at)
        written: dict[Feed, int] = {}
        for feed in feeds:
            newest_known = _newest_created_at(db, feed)
            runs = payloads.get(feed.workflow, [])
            written[feed] = _save_newest(db, feed, runs).written
            until = backfills.until(db, feed) or newest_known if is_gap else None
            gap = NO_PROGRESS | {"backfill_until": until} if until else {}
            set_checked(db, feed, now, **gap)
            set_changed(db, feed, written[feed], now)
        newest = [s.newest_at for s in (before, page) if s and s.newest_at]
        responses.save(db, replace(page, newest_at=max(newest, default=None)))
    return written


def save_run(
    db: Database, feed: Feed, payload: Mapping[str, Any], *, now: datetime
) -> Saved:
    """Write a run, or an older attempt of one, that was asked for by its id."""
    with transaction(db):
        saved = write_runs(db, feed, [payload])
        set_changed(db, feed, saved.written, now)
    return saved


def save_and_follow(
    db: Database, feed: Feed, payload: Mapping[str, Any], *, now: datetime
) -> Saved:
    """Write a run that was found outside its feed's lists, and follow it if it is new.

    What its feed's newest page shows is known already.
    """
    with transaction(db):
        saved = save_run(db, feed, payload, now=now)
        if saved.written:
            follow(db, [payload["id"]])
    return saved


def _save_newest(
    db: Database, feed: Feed, payloads: Sequence[Mapping[str, Any]]
) -> Saved:
    """Write a feed's newest runs, and follow those that are no longer among them."""
    saved = write_runs(db, feed, payloads)
    on_page = [run["id"] for run in payloads]
    stop_following(db, on_page)
    follow_unfinished(db, feed.repo, feed.workflow, but=on_page)
    return saved


def _newest_created_at(db: Database, feed: Feed) -> str | None:
    [[newest]] = db.execute(
        "select max(created_at) from runs where repo = ? and workflow = ?",
        [feed.repo, feed.workflow],
    )
    return str(newest) if newest else None
