"""Builds rollups and flaky commits of runs not counted yet, some in each transaction.

Triggers of the database keep the rollups of all others: see `sql/70_rollups.sql`.
"""

from dataclasses import dataclass

from sqlite_utils import Database

from ci_observer.ingest.db.derived import recount_flaky_shas
from ci_observer.ingest.db.rollups import add_between
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision

# Below every id.
NO_RUN_ID = -(2**63)


@dataclass(frozen=True)
class RollupProgress:
    """How many runs were added to the rollups, of how many."""

    is_complete: bool
    runs_done: int
    runs_total: int


def progress(db: Database) -> RollupProgress:
    """How far the rollups are built."""
    [[from_run_id, done, total]] = db.execute(
        "select from_run_id, runs_done, runs_total from rollup_progress"
    )
    return RollupProgress(from_run_id == 0, done, total)


def build(db: Database, limit: int, *, shows: bool = True) -> int:
    """Add the newest runs that are not in the rollups, and their flaky commits.

    Returns their number.

    At most `limit` in one transaction, so that other processes need not wait long for
    the database. Call it until it returns 0. Unless it `shows`, readers see the numbers
    only after the next change of the revision, or when all are complete.
    """
    with transaction(db):
        [[end]] = db.execute("select from_run_id from rollup_progress")
        if end == 0:
            return 0
        ids = db.execute(
            "select run_id from runs where run_id < ? order by run_id desc limit ?",
            [end, limit],
        ).fetchall()
        is_last = len(ids) < limit or ids[-1][0] <= 0
        start = NO_RUN_ID if is_last else ids[-1][0]
        # The flaky commits of these runs are not counted by triggers yet.
        recount_flaky_shas(db, start, end)
        if ids:
            add_between(db, start, end)
        db.execute(
            "update rollup_progress set from_run_id = ?, runs_done = runs_done + ?",
            [0 if is_last else start, len(ids)],
        )
        if shows or is_last:
            bump_revision(db)
    return len(ids)
