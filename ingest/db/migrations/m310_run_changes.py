"""The log of changed runs, and a number of the database."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m310_run_changes(db: Database) -> None:
    """The runs that have changed since, and an id that no other database has.

    `nonce` tells two logs apart that were one before a backup was restored.
    """
    execute_all(
        db,
        """
        create table run_changes (
            change_id integer primary key,
            run_id integer not null,
            nonce integer not null default (random() & 0x7fffffff)
        );

        insert into instance values ('database_id', lower(hex(randomblob(8))));
        """,
    )
