"""Writes run objects into rows, within the caller's transaction.

Also updates all that depends on them: tiles, counts and pending requests.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.db.counting import new_runs_together
from ci_observer.ingest.db.derived import COUNTED_COLUMNS, add_to_values
from ci_observer.ingest.github.names import BLOCKED_WORKFLOW
from ci_observer.ingest.github.rows import (
    ATTEMPT_COLUMNS,
    Row,
    attempt_row,
    is_older_run,
    merge_attempt,
    run_row,
)
from ci_observer.ingest.store import job_walk, repos, waits
from ci_observer.ingest.store.database import upsert_all
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.payloads import PayloadWriter
from ci_observer.ingest.store.pending import add_attempts, add_jobs
from ci_observer.ingest.store.tiles import update_tiles

SQLITE_VARIABLES = 500
# The columns of `runs` that come from GitHub's object. Ingest adds the others.
RUN_COLUMNS = tuple(run_row({"id": 1}, repo="", workflow=""))


@dataclass(frozen=True)
class Saved:
    """The result of saving a page of runs.

    How many runs were written, how many were known before, and whether the page
    completed a backfill.
    """

    written: int
    known: int
    is_complete: bool = False


def write_runs(
    db: Database,
    feed: Feed,
    payloads: Iterable[Mapping[str, Any]],
    *,
    is_older: bool = False,
) -> Saved:
    """Write the new and changed runs of a feed.

    `is_older`: they come from one of its older pages.
    """
    rows = [
        (run_row(payload, repo=feed.repo, workflow=feed.workflow), payload)
        for payload in payloads
    ]
    # GitHub lists the newest run first. Rows in the order of their ids fill SQLite's
    # pages better.
    rows.sort(key=lambda pair: pair[0]["run_id"])
    page = _Page(db, [run["run_id"] for run, _ in rows])
    written = [run["run_id"] for run, payload in rows if page.add(run, payload)]
    page.write()
    waits.save(db, page.attempt_changes(), checked_at=feed.checked_at)
    _update_run_values(db, page.stored_runs, page.new_runs)
    _complete(db, written)
    if rows and feed.workflow != BLOCKED_WORKFLOW:
        newest_at = max(run["created_at"] for run, _ in rows)
        repos.clear_blocked(db, feed.repo, until=newest_at)
    listed_again = _take_gone(db, [run["run_id"] for run, _ in rows])
    update_tiles(db, sorted({*written, *listed_again}))
    if listed_again:
        bump_revision(db)
    add_attempts(db, written)
    add_jobs(db, written)
    job_walk.add_finished(db, feed.key, written, is_older=is_older)
    return Saved(len(written), known=len(page.stored_runs))


class _Page:
    """The stored rows of a page's runs, and the new ones to write.

    `stored_runs` and `new_runs` are rows of `runs` by run id.
    """

    def __init__(self, db: Database, ids: Sequence[int]) -> None:
        self._db = db
        self.stored_runs = {
            row["run_id"]: row for row in _rows(db, "runs", RUN_COLUMNS, ids)
        }
        self.new_runs: dict[int, Row] = {}
        self._stored_attempts = {
            _attempt_key(row): row
            for row in _rows(db, "run_attempts", ATTEMPT_COLUMNS, ids)
        }
        self._new_attempts: dict[tuple[int, int], Row] = {}
        self._payloads = PayloadWriter(
            db, {row["run_id"]: row for row in _rows(db, "run_payloads", ["*"], ids)}
        )

    def add(self, run: Row, payload: Mapping[str, Any]) -> bool:
        """Compare a run with its stored rows. Returns whether anything changed."""
        run_id, key = run["run_id"], _attempt_key(run)
        known_run = self.new_runs.get(run_id) or self.stored_runs.get(run_id)
        known_attempt = self._new_attempts.get(key) or self._stored_attempts.get(key)
        attempt = merge_attempt(known_attempt, attempt_row(run))
        is_old = known_run is not None and is_older_run(run, known_run)
        if is_old and known_run is not None:
            run = known_run
        if run["run_attempt"] == attempt["run_attempt"]:
            run = run | {"duration_seconds": attempt["duration_seconds"]}
        changed = False
        if run != known_run:
            self.new_runs[run_id] = run
            changed = True
        if attempt != known_attempt:
            self._new_attempts[key] = attempt
            changed = True
        # A pruned payload is written again only if its run changed.
        if not is_old and (changed or run_id in self._payloads):
            changed |= self._payloads.add(run, payload, has_run_changed=changed)
        return changed

    def attempt_changes(self) -> Iterator[tuple[Row | None, Row]]:
        """The stored and the new row of each changed attempt."""
        for key, attempt in self._new_attempts.items():
            yield self._stored_attempts.get(key), attempt

    def write(self) -> None:
        """Write the new rows."""
        # First, or a trigger would write the former payloads whole.
        self._payloads.delete_former()
        new = self.new_runs.keys() - self.stored_runs.keys()
        with new_runs_together(self._db, new):
            self._write_runs(new)
        self._write_runs(self.new_runs.keys() & self.stored_runs.keys())
        upsert_all(
            self._db,
            "run_attempts",
            self._new_attempts.values(),
            ["run_id", "run_attempt"],
        )
        self._payloads.write()

    def _write_runs(self, ids: Collection[int]) -> None:
        rows = [run for run_id, run in self.new_runs.items() if run_id in ids]
        upsert_all(self._db, "runs", rows, ["run_id"])


def _complete(db: Database, ids: Sequence[int]) -> None:
    """Set the columns of runs that come from other tables.

    Almost all are empty and stay so: writing the row again would run its triggers.
    """
    db.conn.executemany(
        """
        update runs set
            (cancel_cause, cancelled_by, queue_seconds, waited_for) = (
                select a.cancel_cause, a.cancelled_by, a.queue_seconds, a.waited_for
                from run_attempts a
                where a.run_id = runs.run_id and a.run_attempt = runs.run_attempt
            ),
            is_tag = event is 'release' or event is 'push' and exists (
                select 1 from refs
                where refs.repo = runs.repo and refs.name = runs.head_branch and is_tag
            )
        where run_id = ? and (
            is_tag or event is 'release' or event is 'push' and exists (
                select 1 from refs
                where refs.repo = runs.repo and refs.name = runs.head_branch and is_tag
            )
            or coalesce(cancel_cause, cancelled_by, queue_seconds, waited_for)
                is not null
            or exists (
                select 1 from run_attempts a
                where a.run_id = runs.run_id and a.run_attempt = runs.run_attempt
                and coalesce(
                    a.cancel_cause, a.cancelled_by, a.queue_seconds, a.waited_for
                ) is not null
            )
        )
        """,
        [(run_id,) for run_id in ids],
    )


def _take_gone(db: Database, ids: Sequence[int]) -> list[int]:
    """The runs of these that were gone from GitHub; they no longer count as gone."""
    among = f"run_id in ({', '.join('?' * len(ids))})"
    gone = db.execute(
        f"update runs set gone_at = null where gone_at is not null and {among}"
        " returning run_id",
        ids,
    )
    return [run_id for (run_id,) in gone.fetchall()]


def _update_run_values(
    db: Database, before: Mapping[int, Row], after: Mapping[int, Row]
) -> None:
    """Keep `run_values` equal to the view `counted_values`.

    `before` and `after` are rows of `runs` by run id. Each value is written only once
    for a page.
    """
    changes: Counter[tuple[str, str]] = Counter()
    for run_id, run in after.items():
        changes.update(_values(run))
        if run_id in before:
            changes.subtract(_values(before[run_id]))
    add_to_values(db, changes)


def _values(run: Row) -> list[tuple[str, str]]:
    return [(name, run[name]) for name in COUNTED_COLUMNS if run[name] is not None]


def _attempt_key(row: Row) -> tuple[int, int]:
    return row["run_id"], row["run_attempt"]


def _rows(
    db: Database, table: str, columns: Sequence[str], ids: Sequence[int]
) -> Iterable[Row]:
    names = ", ".join(columns)
    for start in range(0, len(ids), SQLITE_VARIABLES):
        batch = ids[start : start + SQLITE_VARIABLES]
        marks = ", ".join("?" * len(batch))
        yield from db.query(
            f"select {names} from {table} where run_id in ({marks})", batch
        )
