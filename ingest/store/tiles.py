"""Updates `decisions`, `branch_events` and `tiles` after a change of runs or jobs.

Within the caller's transaction. `db.derived` rebuilds the same tables as a whole.
"""

from collections.abc import Sequence

from sqlite_utils import Database

from ci_observer.ingest.db.derived import refresh_tile, save_decisions
from ci_observer.ingest.db.vocabulary import RESULTS, sql_list


def update_tiles(db: Database, ids: Sequence[int]) -> None:
    """Update the decisions of these runs, and the tiles of their branches."""
    among = f"run_id in ({', '.join('?' * len(ids))})"
    db.conn.executemany(
        "delete from decisions where repo = ? and workflow = ? and branch = ?"
        f" and result in {sql_list(RESULTS)} and created_at = ? and run_id = ?",
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
