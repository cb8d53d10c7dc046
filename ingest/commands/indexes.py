"""The indexes, which the command `migrate` makes at once, with a progress bar."""

from sqlite_utils import Database

from ci_observer.ingest.commands.terminal import progress_of_items
from ci_observer.ingest.db import indexes


def make_indexes(db: Database) -> None:
    """Make all indexes that an upgrade has left, each in its own transaction."""
    names = indexes.pending(db)
    for _ in progress_of_items()(names, "creating indexes") if names else ():
        indexes.make_next(db)
