"""Which finished attempts still need their jobs, for statistics only.

The jobs that a tile needs are pending (`store.pending`), and come first. All others
are found by a walk through the runs of each feed, newest first: `jobs_until` and
`jobs_until_run_id` in `feed_backfills` say how far it has come. Runs that finish above
that place are pending as `more_jobs`, while these are few; otherwise the walk goes back
to them. Once a day it starts again, for runs that it has missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.github.names import BLOCKED_WORKFLOW
from ci_observer.ingest.store import backfills, pending
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.pending import PendingItem, among
from ci_observer.ingest.times import utc

KIND = "more_jobs"
# The setting → a condition on `runs`: those of a tile's branch, or all.
SELECTED = {
    "default-branch": """
        runs.run_id in (select b.run_id from branch_runs b where b.run_id = runs.run_id)
        and runs.tile_branch in (
            select t.branch
            from followed_tiles x cross join tiles t on t.rowid = x.tile_id
            where x.repo = runs.repo and x.workflow = runs.workflow
        )
    """,
    "all": "true",
}
# More finished runs than this are left to the walk.
MAX_PENDING = 1000
# The runs that one step of the walk looks at.
STEP = 200
WALK_AGAIN_AFTER = timedelta(days=1)
START = ("9999", 0)
END = ("", 0)

Place = tuple[str, int]


@dataclass(frozen=True)
class Step:
    """Attempts that need their jobs, and the place at which the next step begins."""

    items: list[PendingItem]
    places: list[Place]
    end: Place


def setting(db: Database) -> str:
    """The value of `FETCH_JOBS`."""
    [[value]] = db.execute(
        "select coalesce(max(value), 'default-branch') from instance"
        " where key = 'fetch_jobs'"
    )
    return str(value)


def add_finished(
    db: Database, key: FeedKey, ids: Sequence[int], *, is_older: bool
) -> None:
    """Make the jobs of finished runs pending, in the caller's transaction.

    `is_older`: they come from an older page, so there may be thousands.
    """
    if setting(db) not in SELECTED or (place := _place(db, key)) is None:
        return
    above = db.execute(
        f"select started_at, run_id from runs where {among(ids)}"
        " and status = 'completed' and (started_at, run_id) >= (?, ?)",
        [*ids, *place],
    ).fetchall()
    if not above:
        return
    rows = [] if is_older else _missing(db, [run_id for _, run_id in above])
    if is_older or pending.count(db, (KIND,)) + len(rows) > MAX_PENDING:
        started_at, run_id = max(above)
        _set_place(db, key, (started_at, run_id + 1))
        return
    db.conn.executemany(
        "insert or ignore into pending (kind, run_id, run_attempt) values (?, ?, ?)",
        [(KIND, run_id, attempt) for run_id, attempt, _, _ in rows],
    )


def next_step(db: Database, key: FeedKey) -> Step:
    """The next step of the walk through a feed's runs."""
    place = _place(db, key) or START
    kept_from = backfills.get_value(db, key, "jobs_kept_from") or ""
    seen = db.execute(
        """
        select started_at, run_id from runs
        where repo = ? and workflow = ? and started_at > ?
            and (started_at, run_id) < (?, ?)
        order by started_at desc, run_id desc limit ?
        """,
        [key.repo, key.workflow, kept_from, *place, STEP],
    ).fetchall()
    found = _missing(db, [run_id for _, run_id in seen])
    items = [
        PendingItem(KIND, run_id, attempt, None, key.repo, key.workflow)
        for run_id, attempt, _, _ in found
    ]
    end = seen[-1] if len(seen) == STEP else END
    return Step(items, [row[2:] for row in found], end)


def next_feeds(db: Database) -> list[FeedKey]:
    """The watched feeds whose runs are not all looked at, newest place first.

    Not those whose own list failed: a 404 may mean that all of it cannot be seen.
    """
    if setting(db) not in SELECTED:
        return []
    rows = db.execute(
        """
        select f.repo, f.workflow from feeds f
        left join feed_backfills b on b.repo = f.repo and b.workflow = f.workflow
        where f.is_watched and f.error is null and f.checked_at is not null
            and f.workflow <> ? and coalesce(b.jobs_until, '9999') <> ''
        order by coalesce(b.jobs_until, '9999') desc, f.repo, f.workflow
        """,
        [BLOCKED_WORKFLOW],
    )
    return [FeedKey(*row) for row in rows]


def looked_at_from(db: Database, key: FeedKey) -> str | None:
    """The start of the oldest run that the walk has looked at; "" if it is complete.

    None if it has not begun.
    """
    place = _place(db, key)
    return None if place is None else place[0]


def start_due(db: Database, *, now: datetime) -> None:
    """Start the walks again that were completed a day ago."""
    # A time in the future is that of a wrong clock.
    due = "jobs_until = '' and (jobs_complete_at <= ? or jobs_complete_at > ?)"
    times = [utc(now - WALK_AGAIN_AFTER), utc(now)]
    if not db.execute(
        f"select 1 from feed_backfills where {due} limit 1", times
    ).fetchone():
        return
    with transaction(db):
        db.execute(
            "update feed_backfills set jobs_until = null, jobs_until_run_id = null"
            f" where {due}",
            times,
        )


def start_if_changed(db: Database, *, which: str) -> None:
    """Start all walks with the newest run, if they were for another setting."""
    row = db.execute("select value from instance where key = 'jobs_walk_of'").fetchone()
    if row != (which,):
        with transaction(db):
            start_again(db)
            db.execute(
                "insert into instance (key, value) values ('jobs_walk_of', ?)"
                " on conflict do update set value = excluded.value",
                [which],
            )


def start_again(db: Database) -> None:
    """Start all walks with the newest run, also below where jobs were gone."""
    with transaction(db):
        db.execute(
            "update feed_backfills set jobs_until = null, jobs_until_run_id = null,"
            " jobs_kept_from = null, jobs_complete_at = null"
        )
        db.execute("delete from pending where kind = ?", [KIND])


def start_repo_again(db: Database, repo: str) -> None:
    """Start the walks of a repository again, in the caller's transaction.

    Its branches with tiles have changed, and so have the runs of its tiles.
    """
    db.execute(
        "update feed_backfills set jobs_until = null, jobs_until_run_id = null"
        " where repo = ?",
        [repo],
    )


def save_place(db: Database, key: FeedKey, place: Place, *, now: datetime) -> None:
    """Record how far the walk through a feed's runs has come."""
    with transaction(db):
        _set_place(db, key, place)
        if place == END:
            backfills.update(db, key, jobs_complete_at=utc(now))


def save_kept_from(db: Database, key: FeedKey, started_at: str) -> None:
    """Record that GitHub has no jobs of runs that were started until then."""
    with transaction(db):
        backfills.update(db, key, jobs_kept_from=started_at)


def _missing(db: Database, ids: Sequence[int]) -> list[tuple[int, int, str, int]]:
    """The finished attempts of runs whose jobs are selected and not fetched.

    Newest first: run, attempt, and the place of the run in the walk.
    """
    which = setting(db)
    if which not in SELECTED or not ids:
        return []
    rows: list[Any] = db.execute(
        f"""
        select runs.run_id, a.run_attempt, runs.started_at, runs.run_id
        from runs join run_attempts a using (run_id)
        where runs.{among(ids)} and a.status = 'completed' and a.has_jobs is null
            -- These have no jobs.
            and coalesce(a.conclusion, '') not in ('action_required', 'startup_failure')
            and runs.gone_at is null and runs.workflow <> '{BLOCKED_WORKFLOW}'
            and {SELECTED[which]}
            and not exists (
                select 1 from pending p
                where p.kind = 'jobs' and p.run_id = a.run_id
                    and p.run_attempt = a.run_attempt
            )
        order by runs.started_at desc, runs.run_id desc, a.run_attempt desc
        """,
        ids,
    ).fetchall()
    return rows


def _place(db: Database, key: FeedKey) -> Place | None:
    """Where the walk is; None if it has not begun, so that it will see every run."""
    row = db.execute(
        "select jobs_until, coalesce(jobs_until_run_id, 0) from feed_backfills"
        " where repo = ? and workflow = ?",
        [key.repo, key.workflow],
    ).fetchone()
    return tuple(row) if row and row[0] is not None else None


def _set_place(db: Database, key: FeedKey, place: Place) -> None:
    started_at, run_id = place
    backfills.update(db, key, jobs_until=started_at, jobs_until_run_id=run_id)
