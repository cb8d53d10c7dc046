"""Counts the new runs of a page together, instead of row by row in triggers.

The runs of a page share days, workflows and branches, so that their sum changes far
fewer rows of the rollups. A run has too few jobs for that. Every function runs within
the caller's transaction.
"""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from sqlite_utils import Database

from ci_observer.ingest.db.rollups import PAUSED, add_runs

# Fewer runs are counted faster by the triggers.
MIN_RUNS = 3


@contextmanager
def counting_paused(db: Database) -> Iterator[None]:
    """Change runs without the triggers that count them; the caller moves the counts.

    The changes of default branches by those of feeds are paused, too.
    """
    [[from_run_id]] = db.execute("select from_run_id from rollup_progress")
    db.execute("update rollup_progress set from_run_id = ?", [PAUSED])
    yield
    db.execute("update rollup_progress set from_run_id = ?", [from_run_id])


@contextmanager
def new_runs_together(db: Database, ids: Collection[int]) -> Iterator[None]:
    """Insert rows of `runs` that are not stored; then count them.

    Insert their attempts later: they may make a commit flaky, which is counted, too.
    """
    if len(ids) < MIN_RUNS or _have_rows(db, ids):
        yield
        return
    with counting_paused(db):
        yield
    add_runs(db, ids)


def _have_rows(db: Database, ids: Collection[int]) -> bool:
    """Whether any of these runs has attempts or jobs: they are counted with it."""
    marks = ", ".join("?" * len(ids))
    selects = (
        f"select 1 from {table} where run_id in ({marks})"
        for table in ("run_attempts", "jobs")
    )
    found = db.execute(f"{' union all '.join(selects)} limit 1", [*ids, *ids])
    return found.fetchone() is not None
