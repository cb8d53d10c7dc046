"""Cached responses, backfills and errors, under plain names."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


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
