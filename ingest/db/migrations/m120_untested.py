"""Cancelled runs and tags, listed runs, paths, and who broke a tile."""

import re

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


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
