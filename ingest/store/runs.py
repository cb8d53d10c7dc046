"""Writes what GitHub said of runs: pages of run objects into rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.github.rows import (
    Row,
    attempt_row,
    is_older_run,
    merge_attempt,
    run_row,
)
from ci_observer.ingest.store.feeds import (
    NO_PROGRESS,
    Feed,
    backfill_until,
    set_checked,
    set_feed,
)
from ci_observer.ingest.store.instance import bump_revision, transaction, upsert_all
from ci_observer.ingest.store.payloads import Payloads
from ci_observer.ingest.store.pending import (
    ask_for_attempts,
    ask_for_jobs,
    follow,
    follow_unfinished,
    stop_following,
)
from ci_observer.ingest.store.responses import Seen, save_seen, seen
from ci_observer.ingest.store.tiles import save_tiles
from ci_observer.ingest.store.values import save_values
from ci_observer.ingest.times import utc

SQLITE_VARIABLES = 500


@dataclass(frozen=True)
class Saved:
    """What a page of runs changed.

    How many runs were written, how many were known before, and whether the page was
    the last one of catching up.
    """

    written: int
    known: int
    is_complete: bool = False


def save_live_page(
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
        until = backfill_until(db, feed)
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
    page: Seen,
    now: datetime,
) -> dict[Feed, int]:
    """Write the newest runs of several feeds of a repository, from one page of it.

    `payloads` are the page's runs by workflow. Returns how many were written of each
    feed. When the page does not reach back to the newest run of the page before, some
    runs may have been missed: the feeds are marked to catch up.
    """
    with transaction(db):
        before = seen(db, page.url)
        last_at = before.newest_at if before else None
        is_gap = bool(page.oldest_at and last_at and page.oldest_at > last_at)
        written: dict[Feed, int] = {}
        for feed in feeds:
            newest_known = _newest_created_at(db, feed)
            runs = payloads.get(feed.workflow, [])
            written[feed] = _save_newest(db, feed, runs).written
            until = backfill_until(db, feed) or newest_known if is_gap else None
            gap = NO_PROGRESS | {"backfill_until": until} if until else {}
            set_checked(db, feed, now, **gap)
            set_changed(db, feed, written[feed], now)
        newest = [s.newest_at for s in (before, page) if s and s.newest_at]
        save_seen(db, replace(page, newest_at=max(newest, default=None)))
    return written


def save_single_run(
    db: Database, feed: Feed, payload: Mapping[str, Any], *, now: datetime
) -> Saved:
    """Write a run, or an older attempt of one, that was asked for by its id."""
    with transaction(db):
        saved = set_runs(db, feed, [payload])
        set_changed(db, feed, saved.written, now)
    return saved


def save_followed_run(
    db: Database, feed: Feed, payload: Mapping[str, Any], *, now: datetime
) -> Saved:
    """Write a run that was found outside its feed's lists, and follow it if it is new.

    What its feed's newest page shows is known already.
    """
    with transaction(db):
        saved = save_single_run(db, feed, payload, now=now)
        if saved.written:
            follow(db, [payload["id"]])
    return saved


def _save_newest(
    db: Database, feed: Feed, payloads: Sequence[Mapping[str, Any]]
) -> Saved:
    """Write a feed's newest runs, and follow those that are no longer among them."""
    saved = set_runs(db, feed, payloads)
    on_page = [run["id"] for run in payloads]
    stop_following(db, on_page)
    follow_unfinished(db, feed.repo, feed.workflow, but=on_page)
    return saved


def set_changed(db: Database, feed: Feed, written: int, now: datetime) -> None:
    """Note that a page brought something new, within the caller's transaction."""
    if written:
        set_feed(db, feed, changed_at=utc(now))
        bump_revision(db)


def _newest_created_at(db: Database, feed: Feed) -> str | None:
    [[newest]] = db.execute(
        "select max(created_at) from runs where repo = ? and workflow = ?",
        [feed.repo, feed.workflow],
    )
    return str(newest) if newest else None


def set_runs(db: Database, feed: Feed, payloads: Iterable[Mapping[str, Any]]) -> Saved:
    """Write what is new in runs of a feed, within the caller's transaction."""
    seen = [
        (run_row(payload, repo=feed.repo, workflow=feed.workflow), payload)
        for payload in payloads
    ]
    # GitHub lists the newest first; in their order, rows fill SQLite's pages.
    seen.sort(key=lambda one: one[0]["run_id"])
    page = _Page(db, [run["run_id"] for run, _ in seen])
    written = [run["run_id"] for run, payload in seen if page.add(run, payload)]
    page.write()
    save_values(db, page.stored_runs, page.new_runs)
    save_tiles(db, written)
    ask_for_attempts(db, written)
    ask_for_jobs(db, written)
    return Saved(len(written), known=len(page.stored_runs))


class _Page:
    """What is stored of some runs, and what is to be written of them.

    `stored_runs` and `new_runs` are rows of `runs` by their ids, before and after.
    """

    def __init__(self, db: Database, ids: Sequence[int]) -> None:
        self._db = db
        self.stored_runs = {row["run_id"]: row for row in _rows(db, "runs", ids)}
        self.new_runs: dict[int, Row] = {}
        self._stored_attempts = {
            _attempt_key(row): row for row in _rows(db, "run_attempts", ids)
        }
        self._new_attempts: dict[tuple[int, int], Row] = {}
        self._payloads = Payloads(
            db, {row["run_id"]: row for row in _rows(db, "run_payloads", ids)}
        )

    def add(self, run: Row, payload: Mapping[str, Any]) -> bool:
        """Compare one run with what is known of it; return whether anything is new."""
        run_id, key = run["run_id"], _attempt_key(run)
        known_run = self.new_runs.get(run_id) or self.stored_runs.get(run_id)
        known_attempt = self._new_attempts.get(key) or self._stored_attempts.get(key)
        attempt = merge_attempt(known_attempt, attempt_row(run))
        is_old = known_run is not None and is_older_run(run, known_run)
        if is_old and known_run is not None:
            run = known_run
        if run["run_attempt"] == attempt["run_attempt"]:
            run = run | {"duration_seconds": attempt["duration_seconds"]}
        changed = False
        if run != known_run:
            self.new_runs[run_id] = run
            changed = True
        if attempt != known_attempt:
            self._new_attempts[key] = attempt
            changed = True
        # A payload that was pruned comes back only with a change of its run.
        if not is_old and (changed or run_id in self._payloads):
            changed |= self._payloads.add(run, payload, has_run_changed=changed)
        return changed

    def write(self) -> None:
        """Write all that is new."""
        # Else a change of the row would have them written whole, for nothing.
        self._payloads.delete_former()
        upsert_all(self._db, "runs", self.new_runs.values(), ["run_id"])
        upsert_all(
            self._db,
            "run_attempts",
            self._new_attempts.values(),
            ["run_id", "run_attempt"],
        )
        self._payloads.write()


def _attempt_key(row: Row) -> tuple[int, int]:
    return row["run_id"], row["run_attempt"]


def _rows(db: Database, table: str, ids: Sequence[int]) -> Iterable[Row]:
    for start in range(0, len(ids), SQLITE_VARIABLES):
        some = ids[start : start + SQLITE_VARIABLES]
        marks = ", ".join("?" * len(some))
        yield from db.query(f"select * from {table} where run_id in ({marks})", some)
