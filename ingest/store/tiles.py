"""Updates all that is derived from runs and jobs, after a change of some.

Within the caller's transaction. `db.derived` rebuilds `decisions`, `branch_events` and
`tiles` as a whole.
"""

from collections.abc import Sequence

from sqlite_utils import Database

from ci_observer.ingest.db.derived import refresh_tile, save_decisions
from ci_observer.ingest.db.vocabulary import RESULTS, sql_list
from ci_observer.ingest.states.updates import update_runs


def update_tiles(db: Database, ids: Sequence[int]) -> None:
    """Update the decisions of these runs, and the tiles and spans of their branches."""
    among = f"run_id in ({', '.join('?' * len(ids))})"
    db.conn.executemany(
        "delete from decisions where repo = ? and workflow = ? and branch = ?"
        f" and result in {sql_list(RESULTS)} and created_at = ? and run_id = ?",
        db.execute(
            "select repo, workflow, tile_branch, created_at, run_id from runs"
            f" where {among}",
            ids,
        ).fetchall(),
    )
    save_decisions(db, f"where {among}", ids)
    keys = db.execute(
        f"""
        select repo, workflow, tile_branch from branch_runs where {among}
        union
        -- A run that is gone from GitHub, or turned out to be of a tag, counted before.
        select t.repo, t.workflow, t.branch from runs
        join tiles t
            on t.repo = runs.repo and t.workflow = runs.workflow
            and t.branch in (runs.head_branch, runs.tile_branch)
        where {among}
        """,
        [*ids, *ids],
    ).fetchall()
    for key in sorted(keys):
        refresh_tile(db, *key)
    for repo, workflow, branch in sorted(keys):
        update_runs(db, repo, workflow, branch, ids)
