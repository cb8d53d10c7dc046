"""Keeps `run_values` equal to the view `counted_values`, which defines it.

Within the caller's transaction, which writes runs.
"""

from collections import Counter
from collections.abc import Mapping

from sqlite_utils import Database

from ci_observer.ingest.db.derived import COUNTED
from ci_observer.ingest.github.rows import Row


def save_values(
    db: Database, before: Mapping[int, Row], after: Mapping[int, Row]
) -> None:
    """Count the runs of a page by their values; both are rows of `runs` by their ids.

    `before` are those that were stored. Each value is written once for the page.
    """
    changes: Counter[tuple[str, str]] = Counter()
    for run_id, run in after.items():
        changes.update(_values(run))
        if run_id in before:
            changes.subtract(_values(before[run_id]))
    changed = {key: runs for key, runs in changes.items() if runs}
    db.conn.executemany(
        "insert into run_values values (?, ?, ?)"
        " on conflict do update set runs = runs + excluded.runs",
        [(*key, runs) for key, runs in changed.items()],
    )
    db.conn.executemany(
        "delete from run_values where name = ? and value = ? and runs = 0",
        [key for key, runs in changed.items() if runs < 0],
    )


def _values(run: Row) -> list[tuple[str, str]]:
    return [(name, run[name]) for name in COUNTED if run[name] is not None]
