"""The database's tables, as a list of migrations.

Each migration runs once in each database. To change a table, add one at the end; the
number in its name only makes the name unique. Views, triggers and indexes stand in
`sql/`: the indexes that old migrations create are replaced by those.
"""

import re
import sqlite3
from contextlib import closing
from functools import cache

from sqlite_utils import Database, Migrations

migrations = Migrations("ci_observer")


@cache
def known_names() -> frozenset[str]:
    """The names of all migrations: those that are pending in an empty database."""
    with closing(Database(memory=True)) as empty:
        return frozenset(migration.name for migration in migrations.pending(empty))


@cache
def table_names() -> frozenset[str]:
    """The names of the tables that the migrations leave."""
    with closing(Database(memory=True)) as empty:
        migrations.apply(empty)
        return frozenset(empty.table_names())


def execute_all(db: Database, script: str) -> None:
    """Execute the statements of a script within the caller's transaction."""
    # Not executescript: that would commit the migration's transaction half-way.
    for sql in statements(script):
        db.execute(sql)


def statements(script: str) -> list[str]:
    """The statements of a script, without their semicolons."""
    found: list[str] = []
    rest = ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest.strip().removesuffix(";"))
            rest = ""
    return found


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


@migrations()
def m090_responses(db: Database) -> None:
    """Cached responses are keyed by kind, repository and URL.

    Pages whose URL has no repository name are dropped: each costs one full response.
    """
    # Some databases are older than these columns of the first migration.
    for name in ("next_url", "oldest_at", "newest_at"):
        if name not in db["etags"].columns_dict:
            db.execute(f"alter table etags add column {name} text")
    execute_all(
        db,
        """
        create table responses (
            kind text not null,
            repo text not null collate nocase,
            url text not null default '',
            etag text not null,
            next_url text,
            oldest_at text,
            newest_at text,
            is_last integer not null default 0,
            primary key (kind, repo, url)
        ) without rowid;

        insert or ignore into responses
        select
            'repository', substr(url, 1, instr(url, ' ') - 1), '', etag, next_url,
            oldest_at, newest_at, is_last
        from etags where url like '%_/_% repository';
        insert or ignore into responses
        select
            'workflows', substr(url, 1, instr(url, ' ') - 1), '', etag, next_url,
            oldest_at, newest_at, is_last
        from etags where url like '%_/_% workflows';
        insert or ignore into responses
        select
            'repositories', substr(url, 1, instr(url, ' ') - 1),
            substr(url, instr(url, ' ') + 1), etag, next_url,
            oldest_at, newest_at, is_last
        from etags where url like '%_/* http%';
        with pages as (
            select *, substr(url, instr(url, '/repos/') + 7) as path from etags
            where url like 'http%/repos/%/%/actions/%'
        )
        insert or ignore into responses
        select
            'runs', substr(path, 1, instr(path, '/actions/') - 1), url, etag, next_url,
            oldest_at, newest_at, is_last
        from pages;

        drop table etags;
        """,
    )


@migrations()
def m091_plain_polling_names(db: Database) -> None:
    """Columns of feeds, repositories and pending fetches get plain names."""
    execute_all(
        db,
        """
        alter table feeds rename column described_at to metadata_at;
        alter table repos rename column described_at to metadata_at;
        alter table repos rename column kept_as to alias_of;
        alter table repos rename column listed_on to listed_in;
        alter table pending rename column asked_at to requested_at;

        update repos set listed_in = substr(listed_in, instr(listed_in, ' ') + 1);
        """,
    )


@migrations()
def m100_feed_backfills(db: Database) -> None:
    """The progress of a feed's backfill gets a table of its own."""
    execute_all(
        db,
        """
        create table feed_backfills (
            repo text not null collate nocase,
            workflow text not null,
            fetch_until text,
            next_url text,
            missing_until text,
            window_start text,
            window_end text,
            window_total integer not null default 0,
            incomplete_responses integer not null default 0,
            windows_given_up integer not null default 0,
            fetched_to text,
            completed_at text,
            primary key (repo, workflow)
        ) without rowid;

        insert into feed_backfills
        select
            repo, workflow, backfill_until, backfill_next_url, backfill_from,
            window_from, window_to, window_total, window_doubts, windows_short,
            backfilled_to, backfilled_at
        from feeds;

        alter table feeds drop column backfill_until;
        alter table feeds drop column backfill_next_url;
        alter table feeds drop column backfill_from;
        alter table feeds drop column window_from;
        alter table feeds drop column window_to;
        alter table feeds drop column window_total;
        alter table feeds drop column window_doubts;
        alter table feeds drop column windows_short;
        alter table feeds drop column backfilled_to;
        alter table feeds drop column backfilled_at;
        """,
    )


@migrations()
def m110_watch_errors(db: Database) -> None:
    """Errors of owners and of repositories without a feed get a table of their own.

    They were feeds with the workflow `*`. Those that are not watched are resolved.
    """
    execute_all(
        db,
        """
        create table watch_errors (
            repo text primary key collate nocase,
            error text not null,
            error_kind text not null,
            error_at text not null,
            retry_at text
        ) without rowid;

        insert into watch_errors
        select repo, error, error_kind, error_at, retry_at from feeds
        where workflow = '*' and is_watched and error is not null
            and error_kind is not null and error_at is not null;

        delete from feeds where workflow = '*';
        delete from feed_backfills where workflow = '*';
        """,
    )


@migrations()
def m120_untested(db: Database) -> None:
    """Why runs were cancelled, which are gone from GitHub, and which are of tags."""
    execute_all(
        db,
        """
        alter table runs add column cancel_cause text;
        alter table runs add column cancelled_by text;
        alter table runs add column gone_at text;
        alter table runs add column is_tag integer not null default 0;
        -- The branch of the tile for which a run counts. All tags share one.
        alter table runs add column tile_branch text
            as (iif(is_tag, 'refs/tags', head_branch)) virtual;
        update runs set is_tag = 1 where event = 'release';

        alter table run_attempts add column cancel_cause text;
        alter table run_attempts add column cancelled_by text;

        create table refs (
            repo text not null collate nocase,
            name text not null,
            is_tag integer not null,
            checked_at text not null,
            primary key (repo, name)
        ) without rowid;

        alter table repos add column is_archived integer not null default 0;
        alter table repos add column blocked_run_id integer;

        alter table feeds add column empty_at text;
        alter table feeds add column no_runs_at text;

        -- The long strip stays the last column.
        alter table tiles drop column strip;
        alter table tiles add column last_result_cancel_cause text;
        alter table tiles add column timed_out_seconds integer;
        alter table tiles add column untested_reason text;
        alter table tiles add column untested_runs integer;
        alter table tiles add column untested_run_id integer;
        alter table tiles add column untested_conclusion text;
        alter table tiles add column untested_at text;
        alter table tiles add column untested_html_url text;
        alter table tiles add column cancelled_by text;
        alter table tiles add column stuck_run_id integer;
        alter table tiles add column stuck_html_url text;
        alter table tiles add column stuck_given_up_at text;
        alter table tiles add column last_scheduled_at text;
        alter table tiles add column strip text;
        """,
    )


@migrations()
def m130_annotations(db: Database) -> None:
    """Which annotations were read or refused; a timeout counts as one in charts."""
    effective = (
        "iif(conclusion = 'cancelled' and cancel_cause = 'timeout', 'timed_out',"
        " conclusion)"
    )
    execute_all(
        db,
        f"""
        alter table run_attempts add column annotations_at text;
        alter table repos add column annotations_refused_at text;
        alter table repos add column annotations_refused_token text;
        -- GitHub calls a run cancelled that ran into its time limit.
        alter table runs add column effective_conclusion text
            as ({effective}) virtual;
        alter table run_attempts add column effective_conclusion text
            as ({effective}) virtual;
        """,
    )


@migrations()
def m131_no_replaced_workflows(db: Database) -> None:
    """Two workflows of one name are never taken for one that was renamed."""
    execute_all(
        db,
        """
        alter table workflows drop column replaced_by;
        delete from responses where kind = 'newest_run';
        """,
    )


@migrations()
def m135_newest_pages(db: Database) -> None:
    """The runs on the newest page of each list, which a 304 does not repeat."""
    execute_all(
        db,
        """
        create table newest_pages (
            repo text not null collate nocase,
            workflow text not null,
            run_ids text not null,
            primary key (repo, workflow)
        ) without rowid;

        alter table pending add column not_found_at text;
        """,
    )


@migrations()
def m136_paths(db: Database) -> None:
    """Addresses are stored as paths, so that the API may move to another address.

    Other addresses are dropped: each costs one full response.
    """
    for table, column in (
        ("responses", "url"),
        ("responses", "next_url"),
        ("feed_backfills", "next_url"),
        ("repos", "listed_in"),
    ):
        urls = db.execute(
            f"select {column} from {table} where {column} like 'http%'"  # noqa: S608 (own names)
        )
        paths = {url: api_path(url) for (url,) in urls.fetchall()}
        db.conn.executemany(
            f"update or replace {table} set {column} = ? where {column} = ?",  # noqa: S608 (own names)
            [(path, url) for url, path in paths.items() if path],
        )
    execute_all(
        db,
        """
        delete from responses where url like 'http%' or next_url like 'http%';
        update feed_backfills set next_url = null where next_url like 'http%';
        """,
    )


def api_path(url: str) -> str | None:
    """The path of one of the API's addresses, below its base; None for any other."""
    match = re.match(
        r"https?://[^/?#]+[^?#]*?"
        r"(/(?:repos|repositories|orgs|organizations|users|user)/.*)",
        url,
    )
    return match[1] if match else None


@migrations()
def m140_last_attempts_of_jobs(db: Database) -> None:
    """Partial re-runs keep jobs: which attempts a job belongs to.

    A stored job was kept until a later attempt has another job of its name.
    """
    execute_all(
        db,
        """
        alter table jobs add column last_attempt integer;
        update jobs set last_attempt = (
            select coalesce(
                min(j.run_attempt) filter (where j.name is jobs.name) - 1,
                max(j.run_attempt), jobs.run_attempt
            ) from jobs j
            where j.run_id = jobs.run_id and j.run_attempt > jobs.run_attempt
        );
        """,
    )


@migrations()
def m141_jobs_that_timed_out(db: Database) -> None:
    """Which of a run's cancelled jobs ran into its time limit."""
    db.execute("alter table jobs add column is_timed_out integer not null default 0")


@migrations()
def m150_pages_of_repositories(db: Database) -> None:
    """Pages of repositories are fetched again: some of their runs were left out."""
    db.execute(
        "delete from responses where kind = 'runs' and url like '%/actions/runs?%'"
    )


@migrations()
def m151_pages_of_feeds(db: Database) -> None:
    """Pages are fetched again of which nobody has stored the runs that they list.

    After a 304, every run that a tile speaks of would look as if it were not listed.
    """
    db.execute(
        """
        update feeds set etag = null where not exists (
            select 1 from newest_pages n
            where n.repo = feeds.repo and n.workflow in (feeds.workflow, '')
        )
        """
    )


@migrations()
def m152_metadata_of_repositories(db: Database) -> None:
    """Metadata are fetched again: a 304 repeats nothing that was left out before.

    Older versions have not stored which repositories are archived, and have cut the
    name of a workflow's file at an `@`.
    """
    db.execute("delete from responses where kind in ('repository', 'workflows')")


@migrations()
def m160_red_spans(db: Database) -> None:
    """Who broke a tile, who fixed it, and how long a fix takes.

    The long strip stays the last column of `tiles`.
    """
    db.execute("alter table decisions add column red_at text")
    db.execute("alter table tiles drop column strip")
    columns = {
        "broken_run_id": "integer",
        "broken_run_number": "integer",
        "broken_run_attempt": "integer",
        "broken_event": "text",
        "broken_actor": "text",
        "broken_head_sha": "text",
        "broken_at": "text",
        "broken_html_url": "text",
        "usual_fix_seconds": "integer",
        "fixed_run_id": "integer",
        "fixed_run_number": "integer",
        "fixed_run_attempt": "integer",
        "fixed_event": "text",
        "fixed_actor": "text",
        "fixed_at": "text",
        "fixed_html_url": "text",
        "red_seconds": "integer",
        "strip": "text",
    }
    for name, kind in columns.items():
        db.execute(f"alter table tiles add column {name} {kind}")


@migrations()
def m161_ends_of_decisions(db: Database) -> None:
    """When each run got its result, by which red spans are measured."""
    db.execute("alter table decisions add column decided_at text")
