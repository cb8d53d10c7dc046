"""Writes pages of older runs, each in one transaction with the backfill's progress.

`backfill` is the progress at the time of the request. Another process may have set
another `fetch_until` since, so that is read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.github.windows import (
    MAX_OVERLAP_RUNS,
    OVERLAP_RUNS,
    Step,
    Window,
    WindowPage,
    next_step,
)
from ci_observer.ingest.store import backfills, responses
from ci_observer.ingest.store.backfills import NO_PROGRESS, Backfill
from ci_observer.ingest.store.database import page_transaction
from ci_observer.ingest.store.feed_states import set_seen_empty
from ci_observer.ingest.store.feeds import Feed, set_changed
from ci_observer.ingest.store.following import follow
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.store.run_rows import Saved, write_runs
from ci_observer.ingest.times import parse_instant, utc

Payloads = Sequence[Mapping[str, Any]]


def save_page(
    db: Database,
    feed: Feed,
    backfill: Backfill,
    payloads: Payloads,
    *,
    page: CachedResponse,
    is_empty: bool = False,
    now: datetime,
) -> Saved:
    """Write a page of GitHub's plain list. `payloads` is empty on 304 Not Modified.

    `is_empty` says that the list has no run at all.
    The backfill is complete when the page reaches back to `fetch_until` or is surely
    the last one. Where the list only ends, windows of GitHub's search follow.
    """
    with page_transaction(db):
        saved = _save_runs(db, feed, payloads, now)
        until = _until(db, feed)
        oldest = _as_utc(page.oldest_at) or backfill.missing_until
        is_reached = page.oldest_at is not None and page.oldest_at < (until or "")
        is_done = is_reached or page.is_last or (until is None and not page.next_url)
        if is_done:
            _set_complete(db, feed, now)
        elif page.next_url:
            backfills.update(db, feed.key, next_url=page.next_url, missing_until=oldest)
        else:
            _set_window(db, feed, until or "", oldest or utc(now))
        _set_fetched_to(db, feed, backfill, page.oldest_at)
        if is_empty:
            set_seen_empty(db, feed.key, now)
        if page.etag:
            responses.save(db, page)
    return replace(saved, is_complete=is_done)


def save_window_page(
    db: Database,
    feed: Feed,
    backfill: Backfill,
    window: Window,
    payloads: Payloads,
    *,
    page: CachedResponse,
    total: int,
    now: datetime,
) -> tuple[Saved, Step]:
    """Write a page of a window's runs, and return the step that follows.

    `total` is GitHub's count of runs in the window. After the last page of a window
    comes the window below it.
    """
    with page_transaction(db):
        known = _count(db, feed, ">", window.missing_until, window.end)
        listed = _count_overlap(window, payloads)
        overflows = page.next_url is not None and OVERLAP_RUNS < listed == len(payloads)
        saved = _save_runs(db, feed, payloads, now)
        response = WindowPage(
            total,
            stored=_count(db, feed, ">=", window.start, window.end),
            is_first=backfill.next_url is None,
            misses_known_runs=listed < known and not overflows,
            sees_no_known_runs=listed == 0 < known,
            overflows=overflows,
            next_url=page.next_url,
        )
        step = next_step(window, response)
        is_complete = step.is_done and not _set_window_below(
            db, feed, backfill, step.window
        )
        if is_complete:
            _set_complete(db, feed, now)
        elif not step.is_done:
            _set_step(db, feed, step)
        if is_complete:
            # The window may begin before its oldest run: nothing is missing there.
            _set_fetched_to(db, feed, backfill, window.start)
        elif step.is_done or step.next_url:
            _set_fetched_to(db, feed, backfill, page.oldest_at)
    return replace(saved, is_complete=is_complete), step


def _save_runs(db: Database, feed: Feed, payloads: Payloads, now: datetime) -> Saved:
    saved = write_runs(db, feed, payloads, is_older=True)
    follow(db, [run["id"] for run in payloads])
    set_changed(db, feed, saved.written, now)
    return saved


def _until(db: Database, feed: Feed) -> str | None:
    """How far back to fetch, as stored now. None if that is no valid time."""
    return _as_utc(backfills.get(db, feed.key).fetch_until)


def _as_utc(text: str | None) -> str | None:
    # These times come from run objects, so they may be invalid.
    instant = parse_instant(text or "")
    return utc(instant) if instant else None


def _set_complete(db: Database, feed: Feed, now: datetime) -> None:
    backfills.update(
        db, feed.key, fetch_until=None, completed_at=utc(now), **NO_PROGRESS
    )


def _set_fetched_to(
    db: Database, feed: Feed, backfill: Backfill, oldest_at: str | None
) -> None:
    oldest = min(filter(None, (oldest_at, backfill.fetched_to)), default=None)
    backfills.update(db, feed.key, fetched_to=oldest)


def _set_window(db: Database, feed: Feed, start: str, missing_until: str) -> None:
    """Continue with a window of GitHub's search, from its first page."""
    start = min(start, missing_until)
    end = missing_until
    if start < missing_until:
        end = _overlap_end(db, feed, missing_until)
    _set_step(db, feed, Step(Window(start, missing_until, end)))


def _set_step(db: Database, feed: Feed, step: Step) -> None:
    backfills.update(
        db,
        feed.key,
        next_url=step.next_url,
        missing_until=step.window.missing_until,
        window_start=step.window.start,
        window_end=step.window.end,
        window_total=step.window.total,
        incomplete_responses=step.window.incomplete_responses,
    )


def _set_window_below(
    db: Database, feed: Feed, backfill: Backfill, window: Window
) -> bool:
    """Continue below a window that is done. Returns False if history is complete."""
    if window.is_given_up:
        given_up = backfill.windows_given_up + 1
        backfills.update(db, feed.key, windows_given_up=given_up)
    until = _until(db, feed)
    below = window.next_below(until) if until else None
    if below:
        _set_window(db, feed, *below)
    return below is not None


def _count_overlap(window: Window, payloads: Payloads) -> int:
    """How many of the runs are in the part of the window that is stored already."""
    created = [str(run.get("created_at") or "") for run in payloads]
    return sum(window.missing_until < at <= window.end for at in created)


def _overlap_end(db: Database, feed: Feed, after: str) -> str:
    """The end of a window that overlaps with some stored runs above `after`.

    `after` itself, which means no overlap, if too many runs share one second.
    """
    newer = [
        str(row[0])
        for row in db.execute(
            "select created_at from runs where repo = ? and workflow = ?"
            " and created_at > ? order by created_at limit ?",
            [feed.repo, feed.workflow, after, OVERLAP_RUNS],
        )
    ]
    end = newer[-1] if newer and parse_instant(newer[-1]) else after
    return after if _count(db, feed, ">", after, end) > MAX_OVERLAP_RUNS else end


def _count(db: Database, feed: Feed, above: str, start: str, end: str) -> int:
    """How many of a feed's runs were created `above` (> or >=) start, up to end."""
    [[count]] = db.execute(
        "select count(*) from runs where repo = ? and workflow = ?"
        f" and created_at {above} ? and created_at <= ?",
        [feed.repo, feed.workflow, start, end],
    )
    return int(count)
