"""Finds the feeds whose runs may all have left GitHub's lists. Writes nothing.

Only runs that GitHub's retention would keep count, and none that is known to be gone.
"""

from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.store.feed_states import RETENTION
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.times import utc

# No run starts before its creation, and `started_at` is in the index of a feed's runs.
HAS_RUN = """
    exists (
        select 1 from runs r
        where r.repo = f.repo and r.workflow = f.workflow and r.started_at > :since
        and r.created_at > :since and r.gone_at is null
    )
"""


def missing_on_page(
    db: Database, page: CachedResponse, *, now: datetime
) -> set[FeedKey]:
    """The feeds that their repository's newest page should list, but does not.

    The page lists no run of them, although a stored one is newer than its oldest run.
    On a page that ends the list, as an empty one does, every run should be.
    """
    if page.next_url and not page.oldest_at:
        return set()
    oldest_at = page.oldest_at if page.next_url else None
    rows = db.execute(
        f"""
        select f.repo, f.workflow
        from feeds f join newest_pages n on n.repo = f.repo and n.workflow = ''
        where f.is_watched and f.repo = :repo and {HAS_RUN} and not exists (
            select 1
            from json_each(n.run_ids) j cross join runs r on r.run_id = j.value
            where r.repo = f.repo and r.workflow = f.workflow
        )
        """,
        {
            "repo": page.key.repo,
            "since": max(oldest_at or "", utc(now - RETENTION)),
        },
    )
    return {FeedKey(*row) for row in rows}


def seen_empty_once(db: Database, *, now: datetime) -> set[FeedKey]:
    """The watched feeds whose list had no run once: the second response decides."""
    rows = db.execute(
        "select f.repo, f.workflow from feeds f where f.is_watched"
        f" and f.empty_at is not null and f.no_runs_at is null and {HAS_RUN}",
        {"since": utc(now - RETENTION)},
    )
    return {FeedKey(*row) for row in rows}


def empty(db: Database) -> set[FeedKey]:
    """The watched feeds whose list has no run."""
    rows = db.execute(
        "select repo, workflow from feeds where is_watched and empty_at is not null"
    )
    return {FeedKey(*row) for row in rows}


def with_missing_run(db: Database) -> set[FeedKey]:
    """The feeds of a run that GitHub did not have when it was last requested."""
    rows = db.execute(
        "select r.repo, r.workflow from pending p join runs r using (run_id)"
        " where p.kind in ('run', 'watch') and p.gone_at is null"
        " and p.not_found_at is not null and r.gone_at is null"
    )
    return {FeedKey(*row) for row in rows}
