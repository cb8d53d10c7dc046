"""Keeps `decisions`, `branch_events` and `tiles` equal to the views that define them.

Within the caller's transaction, which changes runs or their jobs.
"""

from collections.abc import Sequence

from sqlite_utils import Database

from ci_observer.ingest.db.derived import refresh_tile, save_decisions


def update_tiles(db: Database, ids: Sequence[int]) -> None:
    """Bring up to date what these runs decide, and the tiles on which they count."""
    among = f"run_id in ({', '.join('?' * len(ids))})"
    db.conn.executemany(
        "delete from decisions where repo = ? and workflow = ? and branch = ?"
        " and result in ('passing', 'failing') and created_at = ? and run_id = ?",
        db.execute(
            "select repo, workflow, head_branch, created_at, run_id from runs"
            f" where {among}",
            ids,
        ).fetchall(),
    )
    save_decisions(db, f"where {among}", ids)
    keys = db.execute(
        f"select distinct repo, workflow, head_branch from branch_runs where {among}",
        ids,
    ).fetchall()
    for key in sorted(keys):
        refresh_tile(db, *key)
