"""Writes the errors of failed jobs, from the annotations of their check runs.

They are fetched for the runs on which a tile depends: its last result, and the newest
failed runs of the last days. Nothing here changes the result of a run.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.db.vocabulary import SQL_VALUES
from ci_observer.ingest.github.error_texts import JobError
from ci_observer.ingest.store import pending, refusals
from ci_observer.ingest.store.cancellations import is_off
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.refusals import ERRORS, IS_REFUSED, REFUSED_FOR, Reader
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

# Of each tile, the newest failed runs and those of the last days are fetched. So an
# archive of years causes few requests.
RUNS_PER_TILE = 10
RECENT = timedelta(days=7)

_HAS_FAILED = f"conclusion in {SQL_VALUES['test_failures']}"
_TO_FETCH = f"""
with attempts as (
    select t.repo, t.last_result_run_id as run_id,
        t.last_result_run_attempt as run_attempt
    from followed_tiles f
    cross join tiles t on t.rowid = f.tile_id and t.last_result = 'failing'
    union
    select t.repo, d.run_id, d.run_attempt
    from followed_tiles f
    cross join tiles t on t.rowid = f.tile_id
    cross join decisions d
        on d.repo = t.repo and d.workflow = t.workflow and d.branch = t.branch
        and d.result = 'failing' and d.created_at > :recent
        and d.created_at >= coalesce((
            select created_at from decisions n
            where n.repo = t.repo and n.workflow = t.workflow and n.branch = t.branch
                and n.result = 'failing'
            order by created_at desc limit 1 offset {RUNS_PER_TILE - 1}
        ), '')
)
insert or ignore into pending (kind, run_id, run_attempt)
select 'errors', run_id, run_attempt
from attempts a left join repos on repos.repo = a.repo
where not {IS_REFUSED[ERRORS]}
and exists (
    select 1 from attempt_jobs j
    where j.run_id = a.run_id and j.run_attempt = a.run_attempt and {_HAS_FAILED}
)
and not exists (
    select 1 from attempt_jobs j
    join job_errors using (job_id)
    where j.run_id = a.run_id and j.run_attempt = a.run_attempt
)
"""
# In the order in which a tile names its failed job.
_FAILED_JOBS = f"""
select job_id from attempt_jobs
where run_id = :run_id and run_attempt = :run_attempt and {_HAS_FAILED}
order by completed_at, job_id
"""


def add_pending(db: Database, reader: Reader) -> None:
    """Make the errors pending on which tiles depend, unless GitHub refuses them."""
    if is_off(db):
        return
    recent = {"recent": utc(reader.now - RECENT)}
    with transaction(db):
        db.execute(_TO_FETCH, reader.params | recent)


def next_items(db: Database, limit: int, reader: Reader) -> list[PendingItem]:
    """Attempts whose errors are to be fetched, newest first."""
    if is_off(db):
        return []
    return pending.select(
        db,
        f"""
        left join repos on repos.repo = runs.repo
        where p.kind = 'errors' and p.gone_at is null and not {IS_REFUSED[ERRORS]}
        """,
        reader.params,
        limit,
    )


def failed_job_ids(db: Database, item: PendingItem, limit: int) -> list[int]:
    """The failed jobs of an attempt, the first failed one first."""
    rows = db.execute(_FAILED_JOBS, vars(item)).fetchmany(limit)
    return [job_id for (job_id,) in rows]


def have_been_read(db: Database, repo: str) -> bool:
    """Whether the annotations of any job of a repository had an error."""
    row = db.execute(
        "select 1 from job_errors where repo = ? and message is not null limit 1",
        [repo],
    ).fetchone()
    return row is not None


def save(db: Database, item: PendingItem, found: Mapping[int, JobError | None]) -> None:
    """Write the errors of an attempt by job, update its tile, and remove the item."""
    with transaction(db):
        for job_id, error in found.items():
            save_job(db, job_id, error)
        pending.remove(db, item)
        update_tiles(db, [item.run_id])
        bump_revision(db)


def save_job(db: Database, job_id: int, error: JobError | None) -> None:
    """Write the error of a job; None if its annotations have none.

    Within the caller's transaction. A generic text belongs to no group of errors.
    """
    error_id = None
    if error and not error.is_generic:
        db.execute(
            "insert into errors (text) values (?) on conflict do nothing", [error.text]
        )
        [[error_id]] = db.execute(
            "select error_id from errors where text = ?", [error.text]
        )
    db.execute(
        """
        insert into job_errors
            (job_id, run_id, repo, workflow, failed_at, error_id, message)
        select
            j.job_id, r.run_id, r.repo, r.workflow,
            coalesce(j.completed_at, j.started_at, r.updated_at), ?, ?
        from jobs j join runs r using (run_id) where j.job_id = ?
        on conflict do update set
            error_id = excluded.error_id, message = excluded.message
        """,
        [error_id, error and error.message, job_id],
    )


def save_refused(
    db: Database,
    item: PendingItem,
    reader: Reader,
    *,
    refused_for: timedelta = REFUSED_FOR,
) -> None:
    """Record that GitHub refuses the annotations of an item's repository.

    Its items are removed: once GitHub may have changed its mind, the newest are added.
    """
    with transaction(db):
        refusals.save(db, ERRORS, item.repo, reader, refused_for=refused_for)
        db.execute(
            "delete from pending where kind = 'errors' and run_id in ("
            " select run_id from pending join runs using (run_id)"
            " where kind = 'errors' and repo = ?)",
            [item.repo],
        )
