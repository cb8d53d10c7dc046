"""How long the runs of a branch usually take: the rules of `tile_durations`."""
# ruff: noqa: S608 (own names, and no value)

from ci_observer.ingest.states.history import (
    BRANCH,
    BRANCH_RUNS,
    LATE_AFTER,
    History,
)
from ci_observer.ingest.states.status import NEVER

# The newest runs whose durations give the 95th percentile.
TIMED_RUNS = 20


def present_p95_seconds(history: History) -> int:
    """The duration that 95 % of the last successful runs do not exceed, now."""
    rows = history.select(f"select p95_duration_seconds from tiles where {BRANCH}")
    return (rows and rows[0][0]) or 0


def p95_seconds(history: History, at: str) -> int:
    """The same at a past time."""
    ended = (
        "min(a.ended_at, coalesce((select n.started_at from run_attempts n"
        " where n.run_id = a.run_id and n.run_attempt = 2), '~')) <= :at"
    )
    passed = f"""
        select * from (
            select d.created_at, d.run_id, a.duration_seconds
            from decisions d join state_attempts a
                on a.run_id = d.run_id and a.run_attempt = 1
            where d.repo = :repo and d.workflow = :workflow and d.branch = :branch
                and d.result = :result and d.created_at <= :at
                and a.result = 'passing' and a.duration_seconds > 0 and {ended}
                and not exists (
                    select 1 from state_attempts l
                    where l.run_id = d.run_id and l.run_attempt > 1
                        and l.result is not null and l.ended_at <= :at
                )
            order by d.created_at desc, d.run_id desc limit {TIMED_RUNS}
        )
    """
    rows = history.select(
        passed.replace(":result", "'passing'")
        + " union all "
        + passed.replace(":result", "'failing' and d.run_attempt > 1"),
        at=at,
    )
    newest = sorted(rows, reverse=True)[:TIMED_RUNS]
    seconds = sorted(duration for *_, duration in newest)
    return seconds[-(-95 * len(seconds) // 100) - 1] if seconds else 0


def long_open_times(
    history: History, created_at: str, after: str
) -> tuple[str, str] | None:
    """The times after `after` at which a run may be stuck, or not, due to another one.

    That one was created at `created_at`. It counts until 20 later runs have passed;
    only while a run is open for so long that it could be stuck, that matters.
    """
    [(passed, until)] = history.select(
        f"""
        select count(*), max(decided_at) from (
            select decided_at from decisions
            where {BRANCH} and result = 'passing' and created_at > :created_at
                and run_attempt = 1 and not zero_duration
            order by created_at limit {TIMED_RUNS}
        )
        """,
        created_at=created_at,
    )
    until = until if passed == TIMED_RUNS else NEVER
    [(first,)] = history.select(
        f"select min(created_at) from late_runs where {BRANCH_RUNS}"
        " and created_at > :created_at and created_at < :until and updated_at > :after",
        created_at=created_at,
        until=until,
        after=after,
    )
    start = max(first or NEVER, after.removesuffix(NEVER))
    return (start, until) if start < until else None


def later_ends(history: History, at: str, until: str) -> list[str]:
    """When attempts of runs created by `at` got a result, between two times."""
    rows = history.select(
        f"""
        select distinct a.ended_at from (
            select run_id from runs where {BRANCH_RUNS} and created_at <= :at
            and created_at >= strftime('%Y-%m-%dT%H:%M:%SZ', :at, '{LATE_AFTER}')
            union select run_id from late_runs
            where {BRANCH_RUNS} and created_at <= :at and updated_at > :at
        ) r cross join state_attempts a on a.run_id = r.run_id
        where a.result is not null and a.ended_at > :at and a.ended_at < :until
        order by a.ended_at
        """,
        at=at,
        until=until,
    )
    return [ended_at for (ended_at,) in rows]
