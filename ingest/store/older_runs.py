"""Writes older runs, and how far catching up with them has come, in one transaction."""

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
from ci_observer.ingest.store.backfills import NO_PROGRESS
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import Feed, set_changed, update
from ci_observer.ingest.store.pending import follow
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.store.run_rows import Saved, write_runs
from ci_observer.ingest.times import parse_instant, utc

Payloads = Sequence[Mapping[str, Any]]


def save_page(
    db: Database, feed: Feed, payloads: Payloads, *, page: CachedResponse, now: datetime
) -> Saved:
    """Write a page of older runs and how far the catching up has come.

    `payloads` is empty when the page is the one `seen` before. Done when it reaches
    back to `backfill_until` or surely is the last one; where the list only ends, what
    is older is asked for by windows of time from then on.
    """
    with transaction(db):
        saved = _save_runs(db, feed, payloads, now)
        until = _until(db, feed)
        oldest = _as_utc(page.oldest_at) or feed.backfill_from
        is_reached = page.oldest_at is not None and page.oldest_at < (until or "")
        is_done = is_reached or page.is_last or (until is None and not page.next_url)
        if is_done:
            _set_done(db, feed, now)
        elif page.next_url:
            update(db, feed, backfill_next_url=page.next_url, backfill_from=oldest)
        else:
            _set_window(db, feed, until or "", oldest or utc(now))
        _set_backfilled_to(db, feed, page.oldest_at)
        if page.etag:
            responses.save(db, page)
    return replace(saved, is_complete=is_done)


def save_window_page(
    db: Database,
    feed: Feed,
    window: Window,
    payloads: Payloads,
    *,
    page: CachedResponse,
    total: int,
    now: datetime,
) -> tuple[Saved, Step]:
    """Write a page of a window's runs, and what is to be asked next.

    `total` is how many runs GitHub counts in the window. The step tells what follows
    from the page; after the last page of a window comes the one below it.
    """
    with transaction(db):
        known = _count(db, feed, ">", window.missing_until, window.end)
        listed = _known_listed(window, payloads)
        overflows = page.next_url is not None and OVERLAP_RUNS < listed == len(payloads)
        saved = _save_runs(db, feed, payloads, now)
        answer = WindowPage(
            total,
            stored=_count(db, feed, ">=", window.start, window.end),
            is_first=feed.backfill_next_url is None,
            misses_known_runs=listed < known and not overflows,
            sees_no_known_runs=listed == 0 < known,
            overflows=overflows,
            next_url=page.next_url,
        )
        step = next_step(window, answer)
        is_complete = step.is_done and not _set_window_below(db, feed, step.window)
        if is_complete:
            _set_done(db, feed, now)
        elif not step.is_done:
            _set_step(db, feed, step)
        if is_complete:
            # That there are no runs above it is known, too.
            _set_backfilled_to(db, feed, window.start)
        elif step.is_done or step.next_url:
            _set_backfilled_to(db, feed, page.oldest_at)
    return replace(saved, is_complete=is_complete), step


def _save_runs(db: Database, feed: Feed, payloads: Payloads, now: datetime) -> Saved:
    saved = write_runs(db, feed, payloads)
    follow(db, [run["id"] for run in payloads])
    set_changed(db, feed, saved.written, now)
    return saved


def _until(db: Database, feed: Feed) -> str | None:
    """How far back the feed is to catch up; None when that cannot be read as a time."""
    return _as_utc(backfills.until(db, feed))


def _as_utc(text: str | None) -> str | None:
    # Of runs that GitHub sends, and so untrusted.
    instant = parse_instant(text or "")
    return utc(instant) if instant else None


def _set_done(db: Database, feed: Feed, now: datetime) -> None:
    update(db, feed, backfill_until=None, backfilled_at=utc(now), **NO_PROGRESS)


def _set_backfilled_to(db: Database, feed: Feed, oldest_at: str | None) -> None:
    oldest = min(filter(None, (oldest_at, feed.backfilled_to)), default=None)
    update(db, feed, backfilled_to=oldest)


def _set_window(db: Database, feed: Feed, start: str, missing_until: str) -> None:
    """Ask GitHub's search from now on, and for this first."""
    start = min(start, missing_until)
    end = (
        _known_end(db, feed, missing_until) if start < missing_until else missing_until
    )
    _set_step(db, feed, Step(Window(start, missing_until, end)))


def _set_step(db: Database, feed: Feed, step: Step) -> None:
    update(
        db,
        feed,
        backfill_next_url=step.next_url,
        backfill_from=step.window.missing_until,
        window_from=step.window.start,
        window_to=step.window.end,
        window_total=step.window.total,
        window_doubts=step.window.incomplete_responses,
    )


def _set_window_below(db: Database, feed: Feed, window: Window) -> bool:
    """Go on below a window that is done; whether there is anything to ask."""
    if window.is_given_up:
        update(db, feed, windows_short=feed.windows_short + 1)
    # Another process may have set another date since the window was made.
    until = _until(db, feed)
    below = window.next_below(until) if until else None
    if below:
        _set_window(db, feed, *below)
    return below is not None


def _known_listed(window: Window, payloads: Payloads) -> int:
    """How many of these runs are of the time that a window knows already."""
    created = [str(run.get("created_at") or "") for run in payloads]
    return sum(window.missing_until < at <= window.end for at in created)


def _known_end(db: Database, feed: Feed, after: str) -> str:
    """When the tenth known run above a time was created, or that time itself.

    The latter where too many runs of one second stand in the way.
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
    is_crowded = _count(db, feed, ">", after, end) > MAX_OVERLAP_RUNS
    return after if is_crowded else end


def _count(db: Database, feed: Feed, above: str, start: str, end: str) -> int:
    """How many of a feed's runs were created `above` (> or >=) start, up to end."""
    [[count]] = db.execute(
        "select count(*) from runs where repo = ? and workflow = ?"
        f" and created_at {above} ? and created_at <= ?",
        [feed.repo, feed.workflow, start, end],
    )
    return int(count)
