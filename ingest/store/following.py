"""Decides which single runs are followed: rows of kind `run` and `watch` in `pending`.

A followed run is requested by its id while its feed's newest page does not list it: a
`run` until it is finished, a `watch` run while a tile speaks of it. So a re-run or a
deletion below the newest page is noticed.

Functions without a transaction of their own work within the caller's.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.db.vocabulary import SQL_VALUES
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feed_states import RETENTION
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.pending import among, insert_items
from ci_observer.ingest.times import utc

# The revision, and the followed runs.
FollowState = tuple[str, frozenset[tuple[str, int, bool]]]

OPEN = "status <> 'completed' and runs.gone_at is null"
# The maximum of possibly deleted runs that one page makes followed.
MISSING_AT_ONCE = 10
# The tiles of the wall.
TILES = """
    followed_tiles f cross join tiles t on t.rowid = f.tile_id
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
    )) j on j.value in (select run_id from runs)
"""
OF_FEED = "f.repo = :repo and f.workflow = :workflow"
IS_LISTED = "run_id in (select value from json_each(:listed))"
UNLISTED_OPEN = f"""
    select 'run', run_id, 0 from runs
    where repo = :repo and workflow = :workflow and {OPEN} and not {IS_LISTED}
"""
UNLISTED_SPOKEN = f"{SPOKEN} where {OF_FEED} and not {IS_LISTED}"
# Runs that may have been deleted.
MISSING = f"""
    select r.run_id from {TILES}
    join branch_runs r
        on r.repo = t.repo and r.workflow = t.workflow and r.tile_branch = t.branch
    where {OF_FEED} and r.created_at > :listed_from and r.gone_at is null
    and not {IS_LISTED}
    order by r.created_at desc limit {MISSING_AT_ONCE}
"""


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
    db.execute(
        "delete from pending"
        f" where kind in ('run', 'watch') and gone_at is null and {IS_LISTED}",
        params,
    )
    insert_items(db, UNLISTED_OPEN, params)
    _watch(db, UNLISTED_SPOKEN, params)
    if listed_from is not None:
        _watch(db, MISSING, params | {"listed_from": listed_from})


def state(db: Database) -> FollowState:
    """All that decides which runs to follow, apart from the newest pages.

    Runs and tiles change together with the revision.
    """
    [[revision]] = db.execute("select value from instance where key = 'revision'")
    items = db.execute(
        "select kind, run_id, gone_at is null from pending"
        " where kind in ('run', 'watch')"
    )
    return revision, frozenset(items)


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


def save_page(db: Database, repo: str, workflow: str, listed: Sequence[int]) -> None:
    """Write which runs the newest page of a list has.

    `workflow` is empty for a repository's list.
    """
    db.execute(
        "insert into newest_pages (repo, workflow, run_ids) values (?, ?, ?)"
        " on conflict do update set run_ids = excluded.run_ids"
        " where run_ids <> excluded.run_ids",
        [repo, workflow, json.dumps(listed)],
    )


def on_page(db: Database, repo: str, workflow: str) -> list[int] | None:
    """The runs on the newest page of a list, as last written. None if never."""
    row = db.execute(
        "select run_ids from newest_pages where repo = ? and workflow = ?",
        [repo, workflow],
    ).fetchone()
    return list(json.loads(row[0])) if row else None


def _watch(db: Database, found: str, params: dict[str, Any]) -> None:
    """Watch the runs that a select finds, unless they are followed as unfinished."""
    insert_items(
        db,
        f"select 'watch', run_id, 0 from ({found}) found where not exists ("
        " select 1 from pending p where p.kind = 'run' and p.run_id = found.run_id)",
        params,
    )
