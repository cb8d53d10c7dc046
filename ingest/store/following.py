"""Decides which single runs are followed: rows of kind `run` and `watch` in `pending`.

A followed run is requested by its id while its feed's newest page does not list it: a
`run` until it is finished, a `watch` run while a tile speaks of it. So a re-run or a
deletion below the newest page is noticed.

Functions without a transaction of their own work within the caller's.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.github.rows import LONGEST_RUN
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.pending import among, insert_items
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

OPEN = "status <> 'completed'"
GIVEN_UP_AT_ONCE = 500
# Many runs may be deleted at once; the next ones follow when these are gone.
MISSING_AT_ONCE = 10
# The runs that the tiles of the watched feeds speak of.
SPOKEN = """
    select distinct f.repo, f.workflow, j.value as run_id
    from feeds f
    join tiles t
        on t.repo = f.repo and t.workflow = f.workflow and t.branch = f.default_branch
    join json_each(json_array(
        t.newest_run_id, t.last_result_run_id, t.active_run_id, t.lost_run_id,
        t.phantom_run_id
    )) j on j.value is not null
    where f.is_watched
"""


def follow(db: Database, ids: Sequence[int]) -> None:
    """Follow the unfinished ones among these runs."""
    insert_items(
        db, f"select 'run', run_id, 0 from runs where {among(ids)} and {OPEN}", ids
    )


def follow_unlisted(db: Database, key: FeedKey, listed: Sequence[int]) -> None:
    """Follow a feed's runs that its newest page does not list, and no other ones."""
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


def save_page(db: Database, repo: str, workflow: str, listed: Sequence[int]) -> None:
    """Write which runs the newest page of a list has.

    `workflow` is empty for a repository's list.
    """
    db.execute(
        "insert into newest_pages (repo, workflow, run_ids) values (?, ?, ?)"
        " on conflict do update set run_ids = excluded.run_ids",
        [repo, workflow, json.dumps(listed)],
    )


def on_page(db: Database, repo: str, workflow: str) -> list[int]:
    """The runs on the newest page of a list, as last written."""
    row = db.execute(
        "select run_ids from newest_pages where repo = ? and workflow = ?",
        [repo, workflow],
    ).fetchone()
    return list(json.loads(row[0])) if row else []


def give_up(db: Database, now: datetime) -> list[str]:
    """Stop following the runs that are unfinished for longer than GitHub allows.

    Their tiles ignore them. A re-run is followed again. Returns the runs given up.
    """
    when = {"now": utc(now), "oldest": utc(now - LONGEST_RUN)}
    old = db.execute(
        # The plus keeps SQLite off the index of all runs by `started_at`.
        f"select run_id, repo, workflow from runs where {OPEN}"
        " and +started_at < :oldest and not exists (select 1 from pending p"
        " where p.kind = 'run' and p.run_id = runs.run_id and p.gone_at is not null)"
        " limit :limit",
        when | {"limit": GIVEN_UP_AT_ONCE},
    ).fetchall()
    revived = db.execute(
        "select run_id from pending join runs using (run_id)"
        " where kind = 'run' and pending.gone_at is not null"
        " and (started_at > pending.gone_at or status = 'completed')",
    ).fetchall()
    changed = [run_id for run_id, *_ in old + revived]
    if changed:
        with transaction(db):
            _delete_runs(db, changed)
            db.conn.executemany(
                "insert into pending (kind, run_id, run_attempt, gone_at)"
                " values ('run', ?, 0, ?)",
                [(run_id, when["now"]) for run_id, *_ in old],
            )
            follow(db, [run_id for (run_id,) in revived])
            update_tiles(db, changed)
            bump_revision(db)
    return [f"{repo} {workflow} run {run_id}" for run_id, repo, workflow in old]


def _delete_runs(db: Database, ids: Sequence[int]) -> None:
    db.conn.executemany(
        "delete from pending where kind = 'run' and run_id = ?", [[i] for i in ids]
    )
