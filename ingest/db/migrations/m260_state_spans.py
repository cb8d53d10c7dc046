"""The states of each feed's branch over time."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m260_state_spans(db: Database) -> None:
    """The states of each feed's branch over time. The background computes them."""
    execute_all(
        db,
        """
        create table state_spans (
            repo text not null collate nocase,
            workflow text not null,
            from_at text not null,
            to_at text,
            branch text,
            state text not null,
            reason text,
            run_id integer,
            run_attempt integer,
            primary key (repo, workflow, from_at)
        ) without rowid;

        create table state_builds (
            repo text not null collate nocase,
            workflow text not null,
            from_at text not null,
            to_at text not null,
            is_recheck integer not null,
            primary key (repo, workflow)
        ) without rowid;

        create table changed_states (
            repo text not null collate nocase,
            workflow text not null,
            from_at text not null,
            primary key (repo, workflow)
        ) without rowid;
        """,
    )


@migrations()
def m270_successful_reruns(db: Database) -> None:
    """The re-runs that succeeded, which were counted one by one."""
    db.execute(
        "alter table run_rollups"
        " add column successful_reruns integer not null default 0"
    )
