"""What the settings say about single repositories and tiles."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m250_topics(db: Database) -> None:
    """The topics of repositories. The lists are fetched again, since all have them."""
    execute_all(
        db,
        """
        alter table repos add column topics text;
        delete from responses where kind = 'repositories';
        """,
    )


@migrations()
def m260_feed_settings(db: Database) -> None:
    """The settings of feeds, branches and tiles, and the named screens."""
    execute_all(
        db,
        """
        create table feed_settings (
            repo text not null collate nocase,
            workflow text not null,
            team text,
            schedule_seconds integer,
            schedule_from_at text,
            primary key (repo, workflow)
        ) without rowid;

        create table tile_branches (
            repo text not null collate nocase,
            pattern text not null,
            is_excluded integer not null,
            primary key (repo, pattern)
        ) without rowid;

        create table muted_tiles (
            mute_id integer primary key,
            repo text not null collate nocase,
            workflow text not null collate nocase,
            branch text collate nocase,
            reason text not null,
            from_at text not null,
            until_at text not null
        );

        create table screens (
            name text primary key,
            query text not null,
            position integer not null
        ) without rowid;
        """,
    )
