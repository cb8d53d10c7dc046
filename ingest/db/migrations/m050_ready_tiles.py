"""What tiles and filters need ready: results, facts and counts."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m050_decisions(db: Database) -> None:
    """The result of each run, so that a tile does not read all of its runs.

    Tiles also get lost runs, usual durations, the ends of schedules and phantom
    failures.
    """
    execute_all(
        db,
        """
        alter table tiles add column lost_run_id integer;
        alter table tiles add column p95_duration_seconds integer;
        alter table tiles add column overdue_until_at text;
        alter table tiles add column phantom_failures integer;
        alter table tiles add column phantom_run_id integer;

        create table decisions (
            repo text not null collate nocase,
            workflow text not null,
            branch text not null,
            base text not null,
            created_at text not null,
            run_id integer not null references runs (run_id),
            run_attempt integer not null,
            since_at text,
            is_at_once integer not null,
            is_invalid_file integer not null,
            primary key (repo, workflow, branch, base, created_at, run_id)
        ) without rowid;

        create table branch_events (
            repo text not null collate nocase,
            workflow text not null,
            branch text not null,
            event text not null,
            primary key (repo, workflow, branch, event)
        ) without rowid;

        drop index runs_unfinished;
        create index runs_unfinished on runs
            (repo, workflow, head_branch, created_at) where status <> 'completed';
        create index runs_held on runs
            (repo, workflow, head_branch, created_at)
            where conclusion = 'action_required';
        create index runs_cancelled on runs
            (repo, workflow, head_branch, created_at) where conclusion = 'cancelled';
        create index runs_scheduled on runs
            (repo, workflow, head_branch, created_at) where event = 'schedule';
        """,
    )


@migrations()
def m060_repacking(db: Database) -> None:
    """Mark existing payloads for incremental repacking."""
    db.execute(
        "insert into instance"
        " select 'payloads_repacked_to', '0' where exists (select 1 from run_payloads)"
    )


@migrations()
def m061_narrower_indexes(db: Database) -> None:
    """SQLite appends a row's key to every index; naming the key stores it twice."""
    execute_all(
        db,
        """
        drop index runs_started;
        drop index runs_branch;
        drop index runs_workflow;
        create index runs_started on runs (started_at);
        create index runs_branch on runs (repo, workflow, head_branch, created_at);
        create index runs_workflow on runs (repo, workflow, started_at);
        """,
    )


@migrations()
def m062_ready_tiles(db: Database) -> None:
    """A tile's row has all facts about its runs, so that the wall joins little.

    The table has a rowid, and the long strip is its last column: a row is found by its
    key, and its other columns are read, without the pages that hold strips.
    """
    execute_all(
        db,
        """
        drop table tiles;
        create table tiles (
            repo text not null collate nocase,
            workflow text not null,
            branch text not null,
            newest_run_id integer,
            base_run_id integer,
            base_run_attempt integer,
            base text,
            base_conclusion text,
            base_started_at text,
            base_duration_seconds integer,
            base_run_number integer,
            base_display_title text,
            base_actor text,
            base_html_url text,
            is_invalid_file integer,
            failed_job text,
            failed_step text,
            failed_jobs integer,
            streak integer,
            since_at text,
            active_run_id integer,
            activity text,
            zombie_at text,
            given_up_at text,
            median_duration_seconds real,
            p95_duration_seconds integer,
            success_rate real,
            is_flaky integer,
            overdue_at text,
            overdue_until_at text,
            lost_run_id integer,
            lost_at text,
            lost_html_url text,
            phantom_failures integer,
            phantom_run_id integer,
            phantom_html_url text,
            strip text,
            primary key (repo, workflow, branch)
        );
        """,
    )


@migrations()
def m070_run_values(db: Database) -> None:
    """The number of runs with each value of a filter."""
    db.execute(
        """
        create table run_values (
            name text not null,
            value text not null,
            runs integer not null,
            primary key (name, value)
        ) without rowid
        """
    )


@migrations()
def m071_schema_objects(db: Database) -> None:
    """The views, triggers and indexes that are ours; all others are a user's."""
    db.execute(
        """
        create table schema_objects (
            type text not null,
            name text not null,
            primary key (type, name)
        ) without rowid
        """
    )


@migrations()
def m080_plain_column_names(db: Database) -> None:
    """Columns get the names that the documentation uses for their facts."""
    for fact in (
        "",
        "_run_id",
        "_run_attempt",
        "_conclusion",
        "_started_at",
        "_duration_seconds",
        "_run_number",
        "_display_title",
        "_actor",
        "_html_url",
    ):
        db.execute(f"alter table tiles rename column base{fact} to last_result{fact}")
    db.execute("alter table tiles rename column zombie_at to stuck_at")
    db.execute("alter table decisions rename column base to result")
    db.execute("alter table decisions rename column is_at_once to zero_duration")
