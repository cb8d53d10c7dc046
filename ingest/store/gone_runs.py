"""Runs that GitHub no longer has, and unfinished runs that it has forgotten.

Their rows stay; the tiles ignore them.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.github.rows import LONGEST_RUN
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.following import OPEN, follow
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

GIVEN_UP_AT_ONCE = 500


def save_found(
    db: Database, item: PendingItem, *, now: datetime, etag: str | None
) -> None:
    """Record that GitHub has the run of an item, which may have been gone."""
    with transaction(db):
        db.execute(
            "update pending set requested_at = :now, etag = coalesce(:etag, etag),"
            " not_found_at = null where kind = :kind and run_id = :run_id",
            vars(item) | {"now": utc(now), "etag": etag},
        )
        if _set_gone(db, item.run_id, None):
            bump_revision(db)


def save_not_found(db: Database, item: PendingItem, now: datetime) -> bool:
    """Record a 404 for the run of an item; return whether the run is now gone.

    The first one proves nothing. After the second, in another pass, the run is gone.
    It is watched on, because GitHub may list it again.
    """
    with transaction(db):
        [[first_at]] = db.execute(
            "select max(not_found_at) from pending"
            " where kind in ('run', 'watch') and run_id = ?",
            [item.run_id],
        )
        is_gone = first_at is not None and _set_gone(db, item.run_id, utc(now))
        if is_gone:
            db.execute(
                "delete from pending where kind = 'run' and run_id = ?", [item.run_id]
            )
            bump_revision(db)
        db.execute(
            "insert into pending"
            " (kind, run_id, run_attempt, requested_at, not_found_at)"
            " values (?, ?, 0, ?, ?) on conflict do update set"
            " requested_at = excluded.requested_at,"
            " not_found_at = coalesce(not_found_at, excluded.not_found_at)",
            ["watch" if is_gone else item.kind, item.run_id, utc(now), utc(now)],
        )
    return is_gone


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


def _set_gone(db: Database, run_id: int, gone_at: str | None) -> bool:
    """Set since when a run is gone, or that it is not; return whether that is new."""
    changed = db.execute(
        "update runs set gone_at = :at where run_id = :id"
        " and (gone_at is null) <> (:at is null)",
        {"at": gone_at, "id": run_id},
    )
    if changed.rowcount:
        update_tiles(db, [run_id])
    return bool(changed.rowcount)
