"""Decides which single runs are followed: rows of kind `run` and `watch` in `pending`.

A followed run is requested by its id while its feed's newest page does not list it: a
`run` until it is finished, a `watch` run while a tile speaks of it. So a re-run or a
deletion below the newest page is noticed.

Functions without a transaction of their own work within the caller's.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.db.vocabulary import SQL_VALUES
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import RETENTION
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.pending import PendingItem, among, insert_items, select
from ci_observer.ingest.times import utc

OPEN = "status <> 'completed' and runs.gone_at is null"
# The maximum of possibly deleted runs that one page makes followed.
MISSING_AT_ONCE = 10
# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
RERUN_DAYS = timedelta(days=30)
# The tile of each watched feed: that of its default branch, or of its tags.
TILES = """
    feeds f join tiles t
        on t.repo = f.repo and t.workflow = f.workflow and f.is_watched
        and t.branch in (f.default_branch, 'refs/tags')
        and (t.branch = f.default_branch or not exists (
            select 1 from tiles d
            where d.repo = f.repo and d.workflow = f.workflow
            and d.branch = f.default_branch and d.newest_run_id is not null
        ))
"""
# The newest runs after the last result that a re-run or an approval could let decide.
LATER_RUNS = """
    select run_id from (
        select r.run_id from runs r
        where r.repo = t.repo and r.workflow = t.workflow and r.tile_branch = t.branch
        and {condition} and r.created_at >= coalesce((
            select created_at from runs where run_id = t.last_result_run_id
        ), '')
        order by r.created_at desc limit {limit}
    )
"""
SPOKEN = f"""
    select distinct j.value as run_id
    from {TILES}
    join json_each((
        select json_group_array(run_id) from (
            select value as run_id from json_each(json_array(
                t.newest_run_id, t.last_result_run_id, t.active_run_id, t.stuck_run_id,
                t.untested_run_id, t.lost_run_id, t.phantom_run_id
            ))
            union all
            {LATER_RUNS.format(condition=SQL_VALUES["is_undecided"], limit=5)}
            union all
            {LATER_RUNS.format(condition="conclusion = 'action_required'", limit=1)}
        )
    )) j on j.value is not null
"""
OF_FEED = "f.repo = :repo and f.workflow = :workflow"


def follow(db: Database, ids: Sequence[int]) -> None:
    """Follow the unfinished ones among these runs."""
    insert_items(
        db, f"select 'run', run_id, 0 from runs where {among(ids)} and {OPEN}", ids
    )


def follow_unlisted(
    db: Database, key: FeedKey, listed: Sequence[int], *, listed_from: str | None = None
) -> None:
    """Follow a feed's runs that its newest page does not list, and no other ones.

    A new page lists every run created after `listed_from`: those that it does not list
    may have been deleted.
    """
    params = vars(key) | {"listed": json.dumps(listed)}
    is_listed = "run_id in (select value from json_each(:listed))"
    db.execute(
        "delete from pending"
        f" where kind in ('run', 'watch') and gone_at is null and {is_listed}",
        params,
    )
    insert_items(
        db,
        "select 'run', run_id, 0 from runs"
        f" where repo = :repo and workflow = :workflow and {OPEN} and not {is_listed}",
        params,
    )
    watch = (
        "select 'watch', run_id, 0 from ({}) found where not exists ("
        "select 1 from pending p where p.kind = 'run' and p.run_id = found.run_id)"
    )
    spoken = f"{SPOKEN} where {OF_FEED} and not {is_listed}"
    insert_items(db, watch.format(spoken), params)
    if listed_from is not None:
        missing = f"""
            select r.run_id from {TILES}
            join branch_runs r
                on r.repo = t.repo and r.workflow = t.workflow
                and r.tile_branch = t.branch
            where {OF_FEED} and r.created_at > :listed_from and r.gone_at is null
            and not {is_listed}
            order by r.created_at desc limit {MISSING_AT_ONCE}
        """
        insert_items(db, watch.format(missing), params | {"listed_from": listed_from})


def stop_watching(db: Database, now: datetime) -> None:
    """Stop watching the runs that no tile speaks of any more.

    A run that may have been deleted is watched until that is certain. A run is not
    requested twice in a pass: two 404s in a row prove that it is gone.
    """
    with transaction(db):
        db.execute(
            "delete from pending where kind = 'watch'"
            " and run_id in (select run_id from pending where kind = 'run')"
        )
        db.execute(
            f"""
            delete from pending where kind = 'watch'
            and run_id not in (select run_id from ({SPOKEN}))
            and (
                requested_at is not null and not_found_at is null
                or run_id in (
                    select run_id from runs
                    where gone_at is not null and created_at <= :retention
                )
            )
            """,
            {"retention": utc(now - RETENTION)},
        )


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
        where p.kind = 'run' and p.gone_at is null and coalesce(p.requested_at, '') <= ?
            and iif(
                f.is_watched, f.error is null and f.checked_at >= ?,
                coalesce(p.requested_at, '') <= ?
            )
        """,
        [utc(now - every), utc(since), utc(now - timedelta(hours=1))],
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
            and coalesce(p.requested_at, '') <= case
                when r.gone_at is not null and r.created_at <= :retention then ''
                when r.gone_at is not null then iif(r.gone_at > :day, :hour, :day)
                when p.not_found_at is not null then :since
                when r.created_at > :rerun then :since
                when r.created_at > :retention then :hour
                else :day
            end
        order by p.requested_at, p.run_id desc limit :limit
        """,
        {name: utc(at) for name, at in times.items()} | {"limit": limit},
    )
    return [PendingItem(*row) for row in rows]


def last_watched_at(db: Database) -> str:
    """When a watched run was last requested, "" if never."""
    [[last]] = db.execute("select max(requested_at) from pending where kind = 'watch'")
    return str(last or "")


def save_page(db: Database, repo: str, workflow: str, listed: Sequence[int]) -> None:
    """Write which runs the newest page of a list has.

    `workflow` is empty for a repository's list.
    """
    db.execute(
        "insert into newest_pages (repo, workflow, run_ids) values (?, ?, ?)"
        " on conflict do update set run_ids = excluded.run_ids",
        [repo, workflow, json.dumps(listed)],
    )


def on_page(db: Database, repo: str, workflow: str) -> list[int] | None:
    """The runs on the newest page of a list, as last written. None if never."""
    row = db.execute(
        "select run_ids from newest_pages where repo = ? and workflow = ?",
        [repo, workflow],
    ).fetchone()
    return list(json.loads(row[0])) if row else None


def doubtful(db: Database) -> set[FeedKey]:
    """The watched feeds of which a run, or every run, may be gone from GitHub.

    Only their own lists tell whether GitHub lists any of their runs.
    """
    rows = db.execute(
        "select f.repo, f.workflow from feeds f"
        " where f.is_watched and f.empty_at is not null"
        " union"
        " select r.repo, r.workflow from pending p join runs r using (run_id)"
        " where p.kind in ('run', 'watch') and p.gone_at is null"
        " and p.not_found_at is not null and r.gone_at is null"
    )
    return {FeedKey(*row) for row in rows}
