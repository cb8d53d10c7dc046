"""Decides which single runs are followed: rows of kind `run` in the table `pending`.

A followed run is requested by its id until it is finished.
Functions without a transaction of their own work within the caller's.
"""

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


def follow(db: Database, ids: Sequence[int]) -> None:
    """Follow the unfinished ones among these runs."""
    insert_items(
        db, f"select 'run', run_id, 0 from runs where {among(ids)} and {OPEN}", ids
    )


def follow_unfinished(db: Database, key: FeedKey, *, exclude: Sequence[int]) -> None:
    """Follow a feed's unfinished runs, except for those on its newest page."""
    insert_items(
        db,
        "select 'run', run_id, 0 from runs"
        f" where repo = ? and workflow = ? and {OPEN} and not {among(exclude)}",
        [key.repo, key.workflow, *exclude],
    )


def stop_following(db: Database, ids: Sequence[int]) -> None:
    """Stop following runs that the newest page lists."""
    db.execute(
        f"delete from pending where kind = 'run' and gone_at is null and {among(ids)}",
        ids,
    )


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
