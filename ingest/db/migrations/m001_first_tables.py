"""The first tables: runs, polling, payloads and metadata."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m001_runs(db: Database) -> None:
    """Runs, their attempts and GitHub's whole objects.

    `repo` compares without regard to letter case, as GitHub's own names do.
    """
    execute_all(
        db,
        """
        create table runs (
            run_id integer primary key,
            repo text not null collate nocase,
            workflow text not null,
            workflow_name text,
            run_number integer,
            run_attempt integer not null,
            event text,
            display_title text,
            status text,
            conclusion text,
            head_branch text,
            head_sha text,
            head_repo text,
            actor text,
            triggering_actor text,
            pr_number integer,
            created_at text not null,
            started_at text not null,
            updated_at text not null,
            duration_seconds integer,
            html_url text
        );
        create index runs_started on runs (started_at, run_id);
        create index runs_branch on runs
            (repo, workflow, head_branch, created_at, run_id);
        create index runs_workflow on runs (repo, workflow, started_at, run_id);
        create index runs_sha on runs (head_sha);
        create index runs_unfinished on runs (repo, workflow)
            where status <> 'completed';

        create table run_attempts (
            run_id integer not null references runs (run_id),
            run_attempt integer not null,
            status text,
            conclusion text,
            started_at text not null,
            updated_at text not null,
            duration_seconds integer,
            triggering_actor text,
            primary key (run_id, run_attempt)
        ) without rowid;

        create table run_payloads (
            run_id integer primary key references runs (run_id),
            raw_json text not null
        );

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
            is_invalid_file integer,
            streak integer,
            since_at text,
            active_run_id integer,
            median_duration_seconds real,
            success_rate real,
            is_flaky integer,
            overdue_at text,
            strip text,
            primary key (repo, workflow, branch)
        ) without rowid;
        """,
    )


@migrations()
def m002_polling(db: Database) -> None:
    """Watched feeds, polls and the settings of this instance."""
    execute_all(
        db,
        """
        create table feeds (
            repo text not null collate nocase,
            workflow text not null,
            is_watched integer not null default 1,
            workflow_name text,
            workflow_state text,
            default_branch text,
            described_at text,
            etag text,
            checked_at text,
            changed_at text,
            error text,
            error_kind text,
            error_at text,
            retry_at text,
            backfill_until text,
            backfill_next_url text,
            backfilled_to text,
            backfilled_at text,
            primary key (repo, workflow)
        ) without rowid;

        create table polls (
            poll_id integer primary key,
            started_at text not null,
            finished_at text not null,
            feeds integer not null,
            feeds_failed integer not null,
            requests integer not null,
            not_modified integer not null,
            runs_written integer not null,
            rate_limit integer,
            rate_limit_remaining integer,
            rate_limit_reset_at text,
            error text,
            error_kind text
        );

        create table instance (
            key text primary key,
            value text
        ) without rowid;
        insert into instance values ('revision', '0');

        create table timezone_offsets (
            from_at text primary key,
            offset_seconds integer not null
        ) without rowid;
        insert into timezone_offsets values ('0001-01-01T00:00:00Z', 0);
        """,
    )


@migrations()
def m003_pending(db: Database) -> None:
    """Pending fetches of single runs, and the jobs of runs."""
    execute_all(
        db,
        """
        create table pending (
            kind text not null,
            run_id integer not null references runs (run_id),
            run_attempt integer not null,
            etag text,
            asked_at text,
            gone_at text,
            primary key (kind, run_id, run_attempt)
        ) without rowid;
        create index pending_asked on pending (kind, asked_at) where gone_at is null;

        create table jobs (
            job_id integer primary key,
            run_id integer not null references runs (run_id),
            run_attempt integer not null,
            name text,
            status text,
            conclusion text,
            started_at text,
            completed_at text,
            duration_seconds integer,
            runner_name text,
            failed_step text,
            html_url text
        );
        create index jobs_run on jobs (run_id, run_attempt);

        create table etags (
            url text primary key,
            etag text not null,
            next_url text,
            oldest_at text,
            newest_at text
        ) without rowid;
        """,
    )


@migrations()
def m010_payload_parts(db: Database) -> None:
    """Text that the payloads of many runs share is stored once.

    Those that are stored whole stay so until they are repacked: `phrases_id` is 0.
    """
    execute_all(
        db,
        """
        alter table run_payloads rename column raw_json to body;
        alter table run_payloads add column phrases_id integer not null default 0;
        alter table run_payloads add column part_ids text not null default '[]';

        create table payload_parts (
            part_id integer primary key,
            hash integer not null,
            used_until text not null,
            content text not null
        );
        create index payload_parts_hash on payload_parts (hash);
        """,
    )


@migrations()
def m020_places(db: Database) -> None:
    """Metadata of repositories and of their workflow files.

    Stored ETags are dropped: a 304 response would leave the new columns empty.
    """
    execute_all(
        db,
        """
        create table repos (
            repo text primary key collate nocase,
            repo_id integer,
            full_name text,
            default_branch text,
            described_at text,
            kept_as text
        ) without rowid;
        create index repos_id on repos (repo_id);

        create table workflows (
            repo text not null collate nocase,
            workflow text not null,
            workflow_id integer,
            workflow_name text,
            workflow_state text,
            created_at text,
            replaced_by text,
            primary key (repo, workflow)
        ) without rowid;

        delete from etags where url like '% repository' or url like '% workflows';
        """,
    )


@migrations()
def m021_listed_repos(db: Database) -> None:
    """The repositories that a watched owner's list has."""
    db.execute("alter table repos add column listed_on text")


@migrations()
def m030_windows(db: Database) -> None:
    """The progress of a backfill, also below the end of GitHub's plain list."""
    execute_all(
        db,
        """
        alter table feeds add column backfill_from text;
        alter table feeds add column window_from text;
        alter table feeds add column window_to text;
        alter table feeds add column window_total integer not null default 0;
        alter table feeds add column window_doubts integer not null default 0;
        alter table feeds add column windows_short integer not null default 0;
        alter table etags add column is_last integer not null default 0;
        """,
    )
