"""Alerts: what is told, to which address, and what was told of each tile."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m300_alerts(db: Database) -> None:
    """The alerts, their deliveries, and the state that was last told of each tile."""
    execute_all(
        db,
        """
        create table alerts (
            alert_id text primary key,
            repo text not null collate nocase,
            workflow text not null,
            event text not null,
            subject text not null,
            at text not null,
            found_at text not null,
            branch text,
            run_id integer,
            run_attempt integer,
            streak integer,
            red_seconds integer,
            detail text,
            unique (repo, workflow, event, subject)
        );

        create table alert_deliveries (
            alert_id text not null references alerts (alert_id) on delete cascade,
            receiver text not null,
            state text not null,
            message_id text,
            tries integer not null default 0,
            next_at text not null,
            ended_at text,
            error text,
            primary key (alert_id, receiver)
        ) without rowid;

        create table alert_tiles (
            repo text not null collate nocase,
            workflow text not null,
            known_at text not null,
            broken text,
            alarm text,
            primary key (repo, workflow)
        ) without rowid;

        create table changed_tiles (
            repo text not null collate nocase,
            workflow text not null,
            primary key (repo, workflow)
        ) without rowid;
        """,
    )
