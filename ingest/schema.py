"""The database's schema: migrations for the tables, `views.sql` for the views.

The schema is the contract between `ingest` (the only writer) and the web side, which
only selects. A table changes by adding a migration below; a view changes by editing
`views.sql`, and is made anew at the next start.
"""

import logging
import re
import sqlite3
from importlib import resources
from pathlib import Path

from sqlite_utils import Database, Migrations

from ingest.errors import DatabaseError

log = logging.getLogger("ci_observer")

BUSY_TIMEOUT_SECONDS = 20
# What a full disk, a lock that is held too long or a broken file raises.
StorageError = sqlite3.Error

migrations = Migrations("ci_observer")


@migrations()
def m001_runs(db: Database) -> None:
    """Runs, their attempts and GitHub's whole objects.

    `repo` compares without regard to letter case, as GitHub's own names do.
    """
    _execute_all(
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
    """What is watched, what the polls found, and what this instance is."""
    _execute_all(
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
    """What is still to be fetched of single runs, and the jobs that were."""
    _execute_all(
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
    """What the payloads of many runs have in common is kept once.

    Those that are stored whole stay so until they are repacked: `phrases_id` is 0.
    """
    _execute_all(
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
def m060_repacking(db: Database) -> None:
    """Payloads of before are to be taken apart anew, little by little."""
    db.execute(
        "insert into instance"
        " select 'payloads_repacked_to', '0' where exists (select 1 from run_payloads)"
    )


@migrations()
def m061_narrower_indexes(db: Database) -> None:
    """An index ends in the row's key by itself: naming it there stores it twice."""
    _execute_all(
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


def connect(path: Path) -> Database:
    """Open the database for writing, making the file and its folder when absent.

    WAL lets the web side read while a poll writes. Raises `DatabaseError` when the file
    cannot be opened or is not an SQLite database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        conn = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
        conn.execute("pragma journal_mode = wal")
        conn.execute("pragma synchronous = normal")
        conn.execute("pragma foreign_keys = on")
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(
            f"Cannot open the database {path}: {error}. Check CI_OBSERVER_DB, that its "
            "folder exists and is writable, and that the file is an SQLite database."
        ) from error
    return Database(conn)


def connect_read_only(path: Path) -> Database:
    """Open the database without a way to change it.

    Raises `DatabaseError` when it is not there or has an older version's schema.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        conn = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS)
        conn.execute("select 1 from run_history, runs_full, payload_parts limit 0")
    except sqlite3.Error as error:
        raise DatabaseError(
            f"Cannot read the database {path}: {error}. Check CI_OBSERVER_DB, or bring "
            "the database up to date with ci-observer migrate."
        ) from error
    return Database(conn)


def migrate(db: Database) -> list[str]:
    """Bring the schema up to date; return the names of the migrations that ran."""
    pending = [migration.name for migration in migrations.pending(db)]
    made = [*views().values(), *triggers().values()]
    if not pending and sorted(_stored_views_and_triggers(db)) == sorted(made):
        return []
    if pending and migrations.applied(db):
        # Making indexes anew takes seconds for each million runs.
        log.info("Bringing the database up to date: %s", ", ".join(pending))
    with db.atomic():
        # Views may name columns that a migration is about to change.
        for kind, name in db.execute(
            "select type, name from sqlite_master where type in ('trigger', 'view')"
            " order by type"
        ).fetchall():
            db.execute(f"drop {kind} [{name}]")
        migrations.apply(db)
        for sql in made:
            db.execute(sql)
        _remake_tiles(db)
    return pending


def remake_tile(db: Database, repo: str, workflow: str, branch: str) -> None:
    """Make one row of `tiles` equal to the view `tile_facts`, which defines it."""
    key = [repo, workflow, branch]
    db.execute(
        "insert or ignore into tiles (repo, workflow, branch) values (?, ?, ?)", key
    )
    db.execute(
        "replace into tiles select * from tile_facts"
        " where repo = ? and workflow = ? and branch = ?",
        key,
    )


def views() -> dict[str, str]:
    """Name → `create view` statement, in the order in which they must be made."""
    return _made_anew("view")


def triggers() -> dict[str, str]:
    """Name → `create trigger` statement."""
    return _made_anew("trigger")


def _made_anew(kind: str) -> dict[str, str]:
    text = resources.files("ingest").joinpath("views.sql").read_text()
    statements = [
        [*sql.split(maxsplit=3), sql]
        for sql in _statements(re.sub(r"(?m)^--.*\n", "", text))
    ]
    return {name: sql for _, of, name, _, sql in statements if of == kind}


def _remake_tiles(db: Database) -> None:
    db.execute("delete from tiles")
    keys = "select distinct repo, workflow, head_branch from tile_runs"
    for key in db.execute(keys).fetchall():
        remake_tile(db, *key)


def _stored_views_and_triggers(db: Database) -> list[str]:
    """Their statements as we write them: SQLite writes the first two words anew."""
    sql = "select sql from sqlite_master where type in ('trigger', 'view')"
    return [
        re.sub(r"^CREATE \w+", lambda words: words[0].lower(), row[0])
        for row in db.execute(sql)
    ]


def _execute_all(db: Database, script: str) -> None:
    # Not executescript: that would commit the migration's transaction half-way.
    for sql in _statements(script):
        db.execute(sql)


def _statements(script: str) -> list[str]:
    statements: list[str] = []
    rest = ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            statements.append(rest.strip().removesuffix(";"))
            rest = ""
    return statements
