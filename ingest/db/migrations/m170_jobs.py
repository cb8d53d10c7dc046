"""Jobs with their steps, queue times and errors; flaky commits."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m170_flaky_shas(db: Database) -> None:
    """The commits with both results in one workflow, each with its newest run."""
    db.execute(
        """
        create table flaky_shas (
            run_id integer primary key,
            repo text not null collate nocase,
            workflow text not null,
            head_branch text,
            head_sha text not null,
            successes integer not null,
            failures integer not null,
            last_started_at text not null
        )
        """
    )


@migrations()
def m171_jobs_and_steps(db: Database) -> None:
    """Queue times, labels and steps of jobs; what runs waited for.

    They stay null for the jobs and runs that older versions have stored.
    """
    execute_all(
        db,
        """
        alter table jobs add column created_at text;
        alter table jobs add column queue_seconds integer;
        alter table jobs add column labels text;
        alter table jobs add column runner_group text;
        alter table jobs add column waited_for text;

        alter table run_attempts add column queue_seconds integer;
        alter table run_attempts add column waited_for text;
        alter table runs add column queue_seconds integer;
        alter table runs add column waited_for text;

        create table step_names (
            names_id integer primary key,
            names text not null unique
        );

        create table job_steps (
            job_id integer primary key references jobs (job_id),
            names_id integer not null references step_names (names_id),
            steps text not null
        );

        create table minute_multipliers (
            os text primary key,
            factor real not null
        ) without rowid;
        """,
    )


@migrations()
def m180_errors(db: Database) -> None:
    """The errors of failed jobs, by their normalised texts, and usual queue times.

    The long strip stays the last column of `tiles`.
    """
    execute_all(
        db,
        """
        create table errors (
            error_id integer primary key,
            text text not null unique
        );

        create table job_errors (
            job_id integer primary key references jobs (job_id),
            run_id integer not null references runs (run_id),
            repo text not null collate nocase,
            workflow text not null,
            failed_at text,
            error_id integer references errors (error_id),
            message text
        );

        alter table tiles drop column strip;
        alter table tiles add column error_message text;
        alter table tiles add column error_id integer;
        alter table tiles add column error_first_at text;
        alter table tiles add column usual_queue_seconds integer;
        alter table tiles add column strip text;
        """,
    )
