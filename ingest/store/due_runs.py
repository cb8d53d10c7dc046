"""Decides when followed runs are due to be requested by their ids. Writes nothing.

A request in the future is one of a wrong clock: the run is due.
"""

from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.store.feed_states import RETENTION
from ci_observer.ingest.store.pending import PendingItem, select
from ci_observer.ingest.times import utc

# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
RERUN_DAYS = timedelta(days=30)


def next_unfinished(
    db: Database, *, since: datetime, now: datetime, every: timedelta, limit: int
) -> list[PendingItem]:
    """The unfinished runs that are due, those requested longest ago first.

    `every` is the least time between two requests for a run. Only of feeds whose own
    list succeeded in the pass that began at `since`, as in `next_watched`; those of
    feeds that are not watched any more, every hour.
    """
    return select(
        db,
        """
        join feeds f on f.repo = runs.repo and f.workflow = runs.workflow
        where p.kind = 'run' and p.gone_at is null
            and (coalesce(p.requested_at, '') <= :due or p.requested_at > :now)
            and iif(
                f.is_watched, f.error is null and f.checked_at >= :since,
                coalesce(p.requested_at, '') <= :hour
            )
        """,
        {
            "due": utc(now - every),
            "now": utc(now),
            "since": utc(since),
            "hour": utc(now - timedelta(hours=1)),
        },
        limit,
    )


def next_watched(
    db: Database, *, since: datetime, now: datetime, limit: int
) -> list[PendingItem]:
    """The watched runs that are due, those requested longest ago first.

    Only of feeds whose own list succeeded in the pass that began at `since`: otherwise
    a 404 may mean that the whole repository cannot be seen. And only of feeds of which
    GitHub lists any run: otherwise the tile says that all are gone.

    Runs that can be re-run are due in every pass, older ones every hour or day. GitHub
    may list a deleted run again, so it is requested every hour at first, then every
    day.
    """
    times = {
        "now": now,
        "since": since,
        "hour": now - timedelta(hours=1),
        "day": now - timedelta(days=1),
        "rerun": now - RERUN_DAYS,
        "retention": now - RETENTION,
    }
    rows = db.execute(
        """
        select p.kind, p.run_id, p.run_attempt, p.etag, r.repo, r.workflow
        from pending p
        join runs r using (run_id)
        join feeds f on f.repo = r.repo and f.workflow = r.workflow
        where p.kind = 'watch' and p.gone_at is null
            and f.is_watched and f.error is null and f.checked_at >= :since
            and f.empty_at is null
            and (p.requested_at > :now or coalesce(p.requested_at, '') <= case
                when r.gone_at is not null and r.created_at <= :retention then ''
                when r.gone_at is not null then iif(r.gone_at > :day, :hour, :day)
                when p.not_found_at is not null then :since
                when r.created_at > :rerun then :since
                when r.created_at > :retention then :hour
                else :day
            end)
        order by p.requested_at, p.run_id desc limit :limit
        """,
        {name: utc(at) for name, at in times.items()} | {"limit": limit},
    )
    return [PendingItem(*row) for row in rows]


def last_watched_at(db: Database) -> str:
    """When a watched run was last requested, "" if never."""
    [[last]] = db.execute("select max(requested_at) from pending where kind = 'watch'")
    return str(last or "")
