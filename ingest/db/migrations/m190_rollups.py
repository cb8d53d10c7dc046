"""The daily rollups, and which jobs are fetched."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m190_rollups(db: Database) -> None:
    """Runs and jobs counted by day and month. The background builds them."""
    level = """
        unit text not null,
        period text not null,
        repo text not null collate nocase,
        workflow text not null,
    """
    counts = "".join(
        f"{name} integer not null,"
        for name in (
            "runs",
            "unfinished",
            "success",
            "failure",
            "timed_out",
            "startup_failure",
            "cancelled",
            "skipped",
            "neutral",
            "action_required",
            "stale",
            "other",
            "reruns",
            "attempts",
            "timed_runs",
            "timed_seconds",
            "queued_runs",
            "queue_seconds",
        )
    )
    execute_all(
        db,
        f"""
        create table duration_buckets (
            bucket integer primary key,
            from_seconds integer not null unique,
            to_seconds integer not null,
            seconds real not null
        );
        create table run_rollups (
            {level}
            is_default_branch integer not null,
            {counts}
            primary key (unit, period, repo, workflow, is_default_branch)
        ) without rowid;
        create table run_bucket_rollups (
            {level}
            is_default_branch integer not null,
            measure text not null,
            bucket integer not null,
            runs integer not null,
            primary key (
                unit, period, repo, workflow, is_default_branch, measure, bucket
            )
        ) without rowid;
        create table job_rollups (
            {level}
            is_default_branch integer not null,
            labels text not null,
            waste text not null,
            jobs integer not null,
            seconds integer not null,
            minutes integer not null,
            primary key (
                unit, period, repo, workflow, is_default_branch, labels, waste
            )
        ) without rowid;
        create table actor_rollups (
            {level}
            actor text not null,
            labels text not null,
            waste text not null,
            jobs integer not null,
            seconds integer not null,
            minutes integer not null,
            primary key (unit, period, repo, workflow, actor, labels, waste)
        ) without rowid;
        create table queue_rollups (
            {level}
            labels text not null,
            bucket integer not null,
            jobs integer not null,
            primary key (unit, period, repo, workflow, labels, bucket)
        ) without rowid;
        create table queue_hour_rollups (
            {level}
            hour integer not null,
            bucket integer not null,
            jobs integer not null,
            primary key (unit, period, repo, workflow, hour, bucket)
        ) without rowid;
        create table default_branches (
            repo text primary key collate nocase,
            branch text
        ) without rowid;
        create table rollup_progress (
            from_run_id integer,
            timezone text,
            runs_done integer not null,
            runs_total integer not null
        );
        """,
    )
    db.execute("insert into rollup_progress values (0, 'UTC', 0, 0)")
    db.execute(
        """
        insert into default_branches
        select repo, default_branch from feeds f
        where default_branch is not null and not exists (
            select 1 from feeds o
            where o.repo = f.repo and o.workflow < f.workflow
                and o.default_branch is not null
        )
        """
    )
    db.conn.executemany(
        "insert into duration_buckets values (?, ?, ?, ?)", duration_buckets()
    )


def duration_buckets() -> list[tuple[int, int, int, float]]:
    """The buckets of durations up to 35 days, 5 % wide: rows of `duration_buckets`.

    Each second up to 20 has a bucket. The reported value of a bucket is the one
    that is at most 2.5 % from all others.
    """
    rows: list[tuple[int, int, int, float]] = []
    single_seconds, longest = 20, 35 * 24 * 3600
    first = 0
    while first <= longest:
        last = first if first <= single_seconds else int(first * 1.05)
        middle = round(2 * first * last / (first + last), 2) if first else 0.0
        rows.append((len(rows), first, last + 1, middle))
        first = last + 1
    return rows


@migrations()
def m191_short_shas(db: Database) -> None:
    """The characters by which commits are indexed, as in the defining view."""
    db.execute(
        "alter table flaky_shas add column short_sha text"
        " as (substr(head_sha, 1, 7)) virtual"
    )


@migrations()
def m195_minute_multipliers(db: Database) -> None:
    """GitHub's factors, until ingest writes those of the settings."""
    db.execute(
        "insert or ignore into minute_multipliers (os, factor) values"
        " ('linux', 1), ('windows', 2), ('macos', 10), ('self-hosted', 0)"
    )


@migrations()
def m200_refused_errors(db: Database) -> None:
    """The annotations of failed jobs have a refusal of their own."""
    execute_all(
        db,
        """
        alter table repos add column errors_refused_at text;
        alter table repos add column errors_refused_token text;
        """,
    )


@migrations()
def m210_unfinished_reruns(db: Database) -> None:
    """The re-runs that are not completed, which the daily statistics leave out."""
    db.execute(
        "alter table run_rollups"
        " add column unfinished_reruns integer not null default 0"
    )


@migrations()
def m220_jobs_of_attempts(db: Database) -> None:
    """Which attempts have their jobs, how far back they are fetched, and waits.

    Older versions fetched only the jobs of attempts that they had seen fail.
    """
    execute_all(
        db,
        """
        alter table run_attempts add column has_jobs integer;
        update run_attempts set has_jobs = 1
        where (run_id, run_attempt) in (select run_id, run_attempt from jobs);

        alter table feed_backfills add column jobs_until text;
        alter table feed_backfills add column jobs_until_run_id integer;
        alter table feed_backfills add column jobs_kept_from text;
        alter table feed_backfills add column jobs_complete_at text;

        create table waits (
            run_id integer not null references runs (run_id),
            run_attempt integer not null,
            from_at text not null,
            reason text not null,
            until_at text,
            primary key (run_id, run_attempt, from_at)
        ) without rowid;
        """,
    )


@migrations()
def m230_requested_at(db: Database) -> None:
    """When lists were last requested that are requested rarely."""
    db.execute("alter table responses add column requested_at text")
