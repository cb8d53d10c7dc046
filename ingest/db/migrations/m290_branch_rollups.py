"""Rollups that know the default branch, and flaky commits by day."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m290_branch_rollups(db: Database) -> None:
    """The default branch in the keys of three tables. The background fills them."""
    level = """
        unit text not null,
        period text not null,
        repo text not null collate nocase,
        workflow text not null,
    """
    key = "unit, period, repo, workflow, is_default_branch"
    minutes = """
        labels text not null,
        waste text not null,
        jobs integer not null,
        seconds integer not null,
        minutes integer not null,
    """
    execute_all(
        db,
        f"""
        drop table actor_rollups;
        drop table queue_rollups;
        drop table queue_hour_rollups;
        create table actor_rollups (
            {level}
            is_default_branch integer not null,
            actor text not null,
            {minutes}
            primary key ({key}, actor, labels, waste)
        ) without rowid;
        create table queue_rollups (
            {level}
            is_default_branch integer not null,
            labels text not null,
            bucket integer not null,
            jobs integer not null,
            primary key ({key}, labels, bucket)
        ) without rowid;
        create table queue_hour_rollups (
            {level}
            is_default_branch integer not null,
            hour integer not null,
            bucket integer not null,
            jobs integer not null,
            primary key ({key}, hour, bucket)
        ) without rowid;
        create table flaky_rollups (
            {level}
            is_default_branch integer not null,
            commits integer not null,
            primary key ({key})
        ) without rowid;
        alter table flaky_shas add column is_own integer not null default 0;
        """,
    )
