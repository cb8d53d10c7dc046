"""Writes why runs were cancelled: by GitHub's annotations, else by their durations.

Annotations are fetched only for the runs on which a tile depends: the newest cancelled
ones on its branch since its last result.
"""

from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.db.vocabulary import SQL_VALUES
from ci_observer.ingest.github.annotations import Cancellation
from ci_observer.ingest.store import pending, refusals, timeouts
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.refusals import (
    ANNOTATIONS,
    IS_REFUSED,
    REFUSED_FOR,
    Reader,
)
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

# The cancelled runs of a tile whose annotations are fetched.
RUNS_PER_TILE = 10

_TO_FETCH = f"""
select run_id, run_attempt from (
    select r.run_id, r.run_attempt, row_number() over (
        partition by r.repo, r.workflow, r.tile_branch
        order by r.created_at desc, r.run_id desc
    ) as n
    from followed_tiles f
    cross join tiles t on t.rowid = f.tile_id
    cross join branch_runs r
        on r.repo = t.repo and r.workflow = t.workflow and r.tile_branch = t.branch
        and conclusion = 'cancelled' and {SQL_VALUES["is_undecided"]}
        -- Since the last success: a timeout before a failure counts for the streak.
        and r.created_at >= coalesce((
            select max(d.created_at) from decisions d
            where d.repo = t.repo and d.workflow = t.workflow and d.branch = t.branch
                and d.result = 'passing'
        ), '')
) found
join run_attempts using (run_id, run_attempt)
where n <= {RUNS_PER_TILE} and annotations_at is null and not exists (
    select 1 from pending p
    where p.kind = 'annotations' and p.run_id = found.run_id
        and p.run_attempt = found.run_attempt
)
"""

_EARLIER = """
select 1
from branch_runs r
join run_attempts a on a.run_id = r.run_id and a.run_attempt = :run_attempt
join feeds f on f.repo = r.repo and f.workflow = r.workflow
where r.run_id = :run_id and f.is_watched
and (
    r.tile_branch in (f.default_branch, 'refs/tags')
    or r.tile_branch in (
        select c.branch from chosen_tiles c
        where c.repo = r.repo and c.workflow = r.workflow
    )
)
and a.conclusion = 'cancelled' and a.annotations_at is null
and not exists (
    select 1 from decisive_attempts d
    where d.run_id = r.run_id and d.run_attempt > a.run_attempt
)
and r.created_at >= coalesce((
    select max(d.created_at) from decisions d
    where d.repo = r.repo and d.workflow = r.workflow and d.branch = r.tile_branch
        and d.result = 'passing'
), '')
"""


def add_annotations(db: Database) -> None:
    """Add the annotations on which tiles depend, and the jobs that have them."""
    found = [] if is_off(db) else db.execute(_TO_FETCH).fetchall()
    if not found:
        return
    with transaction(db):
        for run_id, run_attempt in found:
            _add(db, run_id, run_attempt)


def add_earlier_attempt(db: Database, item: PendingItem) -> None:
    """Add the annotations of an attempt that a re-run replaced, if a tile needs them.

    If it ran into its time limit, the run has failed until a later attempt decides.
    """
    if not is_off(db) and db.execute(_EARLIER, vars(item)).fetchone():
        with transaction(db):
            _add(db, item.run_id, item.run_attempt)


def next_items(db: Database, limit: int, reader: Reader) -> list[PendingItem]:
    """Attempts whose jobs are stored, newest first.

    One whose repository refuses its annotations comes only once.
    """
    if is_off(db):
        return []
    return pending.select(
        db,
        f"""
        left join repos on repos.repo = runs.repo
        where p.kind = 'annotations' and p.gone_at is null
        and not exists (
            select 1 from pending j
            where j.kind = 'jobs' and j.run_id = p.run_id
                and j.run_attempt = p.run_attempt and j.gone_at is null
        )
        and not (
            {IS_REFUSED[ANNOTATIONS]}
            and coalesce(p.requested_at >= annotations_refused_at, 0)
        )
        """,
        reader.params,
        limit,
    )


def have_been_read(db: Database, repo: str) -> bool:
    """Whether the annotations of any job of a repository have been read."""
    row = db.execute(
        """
        select 1 from runs
        join run_attempts a on a.run_id = runs.run_id and annotations_at is not null
        join jobs j on j.run_id = runs.run_id and j.conclusion = 'cancelled'
        where runs.repo = ? and runs.conclusion = 'cancelled' limit 1
        """,
        [repo],
    ).fetchone()
    return row is not None


def save(
    db: Database, item: PendingItem, found: Cancellation, *, now: datetime
) -> None:
    """Write why an attempt was cancelled, and remove the item.

    If its annotations do not say it, the durations of its branch's runs may.
    """
    with transaction(db):
        timeouts.set_cause(db, item.run_id, item.run_attempt, found)
        db.execute(
            "update run_attempts set annotations_at = ?"
            " where run_id = ? and run_attempt = ?",
            [utc(now), item.run_id, item.run_attempt],
        )
        db.execute(
            "update jobs set is_timed_out = 1 where job_id = ?",
            [found.timed_out_job_id],
        )
        pending.remove(db, item)
        timed_out = timeouts.save(db, item.run_id)
        update_tiles(db, sorted({item.run_id, *timed_out}))
        bump_revision(db)


def save_refused(
    db: Database,
    item: PendingItem,
    reader: Reader,
    *,
    refused_for: timedelta = REFUSED_FOR,
) -> None:
    """Record that GitHub refuses the annotations of an item's repository."""
    with transaction(db):
        refusals.save(db, ANNOTATIONS, item.repo, reader, refused_for=refused_for)
        save_by_durations(db, item, now=reader.now)


def save_by_durations(db: Database, item: PendingItem, *, now: datetime) -> None:
    """Let durations decide until the annotations can be read; the item stays."""
    with transaction(db):
        pending.save_requested(db, item, now=now)
        if timed_out := timeouts.save(db, item.run_id):
            update_tiles(db, timed_out)
            bump_revision(db)


def _add(db: Database, run_id: int, run_attempt: int) -> None:
    """Add the annotations of an attempt, and its jobs if they are not stored."""
    kinds = ["annotations"]
    if not _has_jobs(db, run_id, run_attempt):
        kinds.append("jobs")
    for kind in kinds:
        pending.insert_items(db, "values (?, ?, ?)", [kind, run_id, run_attempt])


def is_off(db: Database) -> bool:
    """Whether the setting `FETCH_JOBS` turns annotations off."""
    row = db.execute(
        "select 1 from instance where key = 'fetch_jobs' and value = 'none'"
    ).fetchone()
    return row is not None


def _has_jobs(db: Database, run_id: int, run_attempt: int) -> bool:
    """Whether the jobs of an attempt are stored as they ended."""
    [[jobs, unfinished]] = db.execute(
        "select count(*), count(*) filter (where status <> 'completed') from jobs"
        " where run_id = ?"
        " and ? between run_attempt and coalesce(last_attempt, run_attempt)",
        [run_id, run_attempt],
    )
    return bool(jobs and not unfinished)
