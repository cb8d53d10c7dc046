"""Keeps `tiles` equal to the view `tile_facts`, within the caller's transaction."""

from collections.abc import Sequence

from sqlite_utils import Database

from ingest.schema import remake_tile


def save_tiles(db: Database, ids: Sequence[int]) -> None:
    """Bring the tiles up to date on which these runs count."""
    marks = ", ".join("?" * len(ids))
    keys = db.execute(
        "select distinct repo, workflow, head_branch from branch_runs"
        f" where run_id in ({marks})",
        ids,
    ).fetchall()
    for key in sorted(keys):
        remake_tile(db, *key)
