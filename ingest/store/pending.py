"""Writes the table `pending`: requests for single runs, attempts and jobs.

A `run` that left its feed's newest page unfinished is fetched by its id until it is
finished; `following` decides which ones. An `attempt` was replaced by a re-run before
it was fetched. The `jobs` of an attempt say what failed; their annotations say why it
was cancelled (`annotations`, by `cancellations`) or why it failed (`errors`). Items
that GitHub no longer has are marked gone and are not requested again.

Functions without a transaction of their own work within the caller's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.db.vocabulary import FAILURES, sql_list
from ci_observer.ingest.github.names import BLOCKED_WORKFLOW
from ci_observer.ingest.github.values import MAX_ATTEMPTS
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.times import utc

# The number of runs in a tile's strip.
RUNS_ON_TILE = 20
# The runs of tiles whose jobs decide what the tile says. A cancelled run's jobs show
# whether one of them had failed, and a run with jobs is no phantom.
NEEDS_JOBS = f"""
        status = 'completed' and run_id in (
            select r.run_id from branch_runs r
            join feeds f
                on f.repo = r.repo and f.workflow = r.workflow
                and (f.default_branch = r.head_branch or r.is_tag or r.tile_branch in (
                    select c.branch from chosen_tiles c
                    where c.repo = r.repo and c.workflow = r.workflow
                ))
            where r.run_id = runs.run_id and (
                r.conclusion in {sql_list(FAILURES)}
                or r.conclusion = 'cancelled' and r.duration_seconds is not 0
            )
        )
"""


@dataclass(frozen=True)
class PendingItem:
    """A request to make. `run_attempt` is 0 for a whole run."""

    kind: str
    run_id: int
    run_attempt: int
    etag: str | None
    repo: str
    workflow: str

    def __str__(self) -> str:
        attempt = f" attempt {self.run_attempt}" if self.run_attempt else ""
        return f"{self.repo} {self.workflow} run {self.run_id}{attempt}"


def next_items(db: Database, kind: str, limit: int) -> list[PendingItem]:
    """Items never requested, newest runs first, then those requested longest ago.

    Before them the jobs for whose annotations a tile waits.
    """
    return select(
        db, "where p.kind = :kind and p.gone_at is null", {"kind": kind}, limit
    )


def select(
    db: Database, clauses: str, params: Mapping[str, Any], limit: int
) -> list[PendingItem]:
    """The items that the clauses select, in the order of `next_items`.

    The clauses follow `pending p join runs`.
    """
    rows = db.execute(
        "select p.kind, p.run_id, p.run_attempt, p.etag, runs.repo, runs.workflow"
        f" from pending p join runs using (run_id) {clauses}"
        " order by p.requested_at, not exists (select 1 from pending a"
        " where a.kind = 'annotations' and a.run_id = p.run_id"
        " and a.run_attempt = p.run_attempt),"
        " p.run_id desc, p.run_attempt desc limit :limit",
        {**params, "limit": limit},
    )
    return [PendingItem(*row) for row in rows]


def count(db: Database, kinds: Sequence[str]) -> int:
    """How many items of these kinds are still to be fetched."""
    [[count]] = db.execute(
        "select count(*) from pending where gone_at is null"
        f" and kind in ({', '.join('?' * len(kinds))})",
        kinds,
    )
    return int(count)


def save_requested(
    db: Database, item: PendingItem, *, now: datetime, etag: str | None = None
) -> None:
    """Record a request, so that other items come first next time."""
    with transaction(db):
        db.execute(
            "update pending set requested_at = ?, etag = coalesce(?, etag)"
            " where kind = ? and run_id = ? and run_attempt = ?",
            [utc(now), etag, item.kind, item.run_id, item.run_attempt],
        )


def save_gone(db: Database, item: PendingItem, now: datetime) -> None:
    """Mark an item as gone: it is not requested again. Its stored rows stay."""
    with transaction(db):
        db.execute(
            "update pending set gone_at = ?"
            " where kind = ? and run_id = ? and run_attempt = ?",
            [utc(now), item.kind, item.run_id, item.run_attempt],
        )


def remove(db: Database, item: PendingItem) -> None:
    """Remove a fetched item."""
    with transaction(db):
        _remove(db, item)


def was_requested(db: Database, item: PendingItem) -> bool:
    """Whether the item has been requested before."""
    [[requested_at]] = db.execute(
        "select max(requested_at) from pending"
        " where kind = ? and run_id = ? and run_attempt = ?",
        [item.kind, item.run_id, item.run_attempt],
    )
    return requested_at is not None


def is_latest_attempt(db: Database, item: PendingItem) -> bool:
    """Whether an item belongs to the latest attempt of its run."""
    [[latest]] = db.execute(
        "select run_attempt from runs where run_id = ?", [item.run_id]
    )
    return bool(item.run_attempt >= latest)


def add_attempts(db: Database, ids: Sequence[int]) -> None:
    """Add every earlier attempt of these runs whose end is not stored.

    It may have been seen running, and have ended and been re-run between two polls.
    """
    insert_items(
        db,
        f"""
        with recursive below (run_id, run_attempt) as (
            select run_id, run_attempt - 1 from runs
            where {among(ids)} and run_attempt between 2 and {MAX_ATTEMPTS}
            union all
            select run_id, run_attempt - 1 from below where run_attempt > 1
        )
        select 'attempt', run_id, run_attempt from below
        where not exists (
            select 1 from run_attempts a
            where a.run_id = below.run_id and a.run_attempt = below.run_attempt
                and a.status = 'completed'
        )
        """,
        ids,
    )


def add_jobs(db: Database, ids: Sequence[int]) -> None:
    """Add the jobs that the tiles of these runs need, unless stored.

    The runs of a blocked repository have none.
    """
    if db.execute(
        "select 1 from instance where key = 'fetch_jobs' and value = 'none'"
    ).fetchone():
        return
    insert_items(
        db,
        f"""
        select 'jobs', run_id, run_attempt from runs
        where {among(ids)} and {NEEDS_JOBS}
        and workflow <> '{BLOCKED_WORKFLOW}'
        and not exists (
            select 1 from jobs
            where jobs.run_id = runs.run_id
                and runs.run_attempt between jobs.run_attempt
                    and coalesce(jobs.last_attempt, jobs.run_attempt)
        )
        """,
        ids,
    )


def add_jobs_of_branch(db: Database, repo: str, branch: str) -> None:
    """Add the jobs of the newest runs on a branch that has tiles from now on."""
    for (workflow,) in db.execute("select workflow from feeds where repo = ?", [repo]):
        newest = db.execute(
            "select run_id from branch_runs"
            " where repo = ? and workflow = ? and head_branch = ?"
            " order by created_at desc, run_id desc limit ?",
            [repo, workflow, branch, RUNS_ON_TILE],
        )
        add_jobs(db, [run_id for (run_id,) in newest])


def insert_items(
    db: Database, select: str, params: Sequence[Any] | dict[str, Any]
) -> None:
    db.execute(
        "insert or ignore into pending (kind, run_id, run_attempt) " + select, params
    )


def _remove(db: Database, item: PendingItem) -> None:
    db.execute(
        "delete from pending where kind = ? and run_id = ? and run_attempt = ?",
        [item.kind, item.run_id, item.run_attempt],
    )


def among(ids: Sequence[int]) -> str:
    return f"run_id in ({', '.join('?' * len(ids))})"
