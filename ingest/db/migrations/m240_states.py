"""The states of feeds over time."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m240_feed_states(db: Database) -> None:
    """The states of feeds over time. Those of now are known from now on."""
    execute_all(
        db,
        """
        create table feed_states (
            repo text not null collate nocase,
            workflow text not null,
            from_at text not null,
            is_watched integer not null,
            workflow_name text,
            workflow_state text,
            default_branch text,
            error_kind text,
            error text,
            blocked_run_id integer,
            no_runs_at text,
            is_stale integer not null,
            primary key (repo, workflow, from_at)
        ) without rowid;

        insert into feed_states
        select
            repo, workflow, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), is_watched,
            workflow_name, workflow_state, default_branch, error_kind, error,
            (select blocked_run_id from repos r where r.repo = f.repo), no_runs_at, 0
        from feeds f
        union all
        select
            repo, '*', strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), 1, null, null, null,
            error_kind, error,
            (select blocked_run_id from repos r where r.repo = w.repo), null, 0
        from watch_errors w;
        """,
    )
