"""Keeps `decisions` and `tiles` equal to the views that define them.

Within the caller's transaction, which changes runs or their jobs.
"""

from collections.abc import Sequence

from sqlite_utils import Database

from ingest.schema import refresh_tile


def save_tiles(db: Database, ids: Sequence[int]) -> None:
    """Bring up to date what these runs decide, and the tiles on which they count."""
    among = f"run_id in ({', '.join('?' * len(ids))})"
    db.execute(f"delete from decisions where {among}", ids)
    db.execute(f"insert into decisions select * from run_decisions where {among}", ids)
    keys = db.execute(
        f"select distinct repo, workflow, head_branch from branch_runs where {among}",
        ids,
    ).fetchall()
    for key in sorted(keys):
        refresh_tile(db, *key)
