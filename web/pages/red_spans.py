"""The red spans of a branch: when it turned red, and which job made it so.

Each step finds one row at the end of an index, so that the number of runs does not
matter. A span is a chain of failing runs, or one run that passed only when it was run
again, as in the view `tile_red_spans`.
"""
# ruff: noqa: S608 (own names, and no value)

from sqlite3 import Connection
from typing import Any

from ci_observer.web.vocabulary import FLAKY_FAILURES

# The newest spans of a page.
MAX_SPANS = 10
# The failed jobs of a span that are named.
MAX_FAILED_JOBS = 4

Row = dict[str, Any]

_OF = "repo = :repo and workflow = :workflow and branch = :branch"
_NEWEST = "order by created_at desc, run_id desc limit 1"
LAST_FAILING_SQL = f"""
select created_at, run_id from tile_decisions
where {_OF} and result = 'failing' and (created_at, run_id) < (:at, :id) {_NEWEST}
"""
LAST_MENDED_SQL = f"""
select created_at, run_id from decisions indexed by decisions_mended
where {_OF} and result = 'passing' and red_at is not null
  and (created_at, run_id) <= (:at, :id) {_NEWEST}
"""
LAST_PASSING_SQL = f"""
select created_at, run_id from tile_decisions
where {_OF} and result = 'passing' and (created_at, run_id) < (:at, :id) {_NEWEST}
"""
# The start of the run that turned the branch red: a late re-run may be it.
FIRST_FAILING_SQL = f"""
select run_id, since_at from tile_decisions
where {_OF} and result = 'failing'
  and (created_at, run_id) > (:green_at, :green_id)
  and (created_at, run_id) <= (:at, :id)
order by since_at, created_at, run_id limit 1
"""
MENDED_SQL = f"""
select run_id, red_at as since_at from decisions
where {_OF} and result = 'passing' and created_at = :at and run_id = :id
"""
NEXT_PASSING_SQL = """
select d.run_id, r.run_number from tile_decisions d join runs r using (run_id)
where d.repo = :repo and d.workflow = :workflow and d.branch = :branch
  and d.result = 'passing' and (d.created_at, d.run_id) >= (:at, :id)
order by d.created_at, d.run_id limit 1
"""
RUN_SQL = """
select
  r.run_id, r.run_number, r.workflow, r.display_title, r.gone_at, r.html_url,
  a.run_attempt, a.status, a.conclusion, a.cancel_cause, a.cancelled_by,
  a.duration_seconds, r.run_attempt as latest_attempt
from runs r join run_attempts a using (run_id)
where r.run_id = :run_id and a.started_at = :since_at
order by a.run_attempt limit 1
"""
FAILED_JOBS_SQL = f"""
select
  j.job_id, name, failed_step, is_timed_out, count(*) over () as jobs,
  e.message as error_message
from attempt_jobs j left join job_errors e on e.job_id = j.job_id
where j.run_id = :run_id and run_attempt = :run_attempt
  and (conclusion in {FLAKY_FAILURES} or is_timed_out)
order by completed_at, j.job_id limit {MAX_FAILED_JOBS}
"""
HAS_JOBS_SQL = """
select exists (
  select 1 from attempt_jobs where run_id = :run_id and run_attempt = :run_attempt
)
"""

# After all runs.
_END = {"at": "~", "id": 0}
# Before all runs.
_START = {"green_at": "", "green_id": 0}


def read_red_spans(conn: Connection, feed: Row, from_at: str) -> list[Row]:
    """The red spans whose last failure was created since `from_at`, newest first.

    `feed` has repo, workflow and branch. A span is the row of the attempt that turned
    the branch red, with `since_at`, its failed `jobs`, `has_jobs`, and `fixed`, the run
    that passed next, or None.
    """
    spans: list[Row] = []
    after = _END
    while len(spans) < MAX_SPANS:
        last = _last_red(conn, feed | after)
        if last is None or last["at"] < from_at:
            break
        green = _place(conn, LAST_PASSING_SQL, feed | last)
        span = _span(conn, feed, last, green)
        if span is not None:
            spans.append(span)
        if green is None:
            break
        after = green
    return spans


def _last_red(conn: Connection, params: Row) -> Row | None:
    """The newest failing run before a place, or the newest mended one up to it."""
    places = [_place(conn, sql, params) for sql in (LAST_FAILING_SQL, LAST_MENDED_SQL)]
    known = [place for place in places if place is not None]
    return max(known, key=lambda place: (place["at"], place["id"]), default=None)


def _place(conn: Connection, sql: str, params: Row) -> Row | None:
    row = conn.execute(sql, params).fetchone()
    return None if row is None else {"at": row["created_at"], "id": row["run_id"]}


def _span(conn: Connection, feed: Row, last: Row, green: Row | None) -> Row | None:
    after = _START if green is None else dict(zip(_START, green.values(), strict=True))
    first = conn.execute(FIRST_FAILING_SQL, feed | last | after).fetchone()
    first = first or conn.execute(MENDED_SQL, feed | last).fetchone()
    run = conn.execute(RUN_SQL, dict(first)).fetchone() if first else None
    if run is None:
        return None
    fixed = conn.execute(NEXT_PASSING_SQL, feed | last).fetchone()
    return {
        **dict(run),
        "since_at": first["since_at"],
        "jobs": [dict(job) for job in conn.execute(FAILED_JOBS_SQL, dict(run))],
        "has_jobs": conn.execute(HAS_JOBS_SQL, dict(run)).fetchone()[0],
        "fixed": dict(fixed) if fixed else None,
    }
