"""Computes the states of feeds over time that are still to be computed, in steps."""

from sqlite_utils import Database

from ci_observer.ingest.states import updates
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision


def feeds_left(db: Database) -> int:
    """The number of feeds whose states over time are still to be computed."""
    return updates.feeds_left(db)


def build(db: Database, limit: int, *, shows: bool = True) -> int:
    """Compute the newest states that are missing, over `limit` runs of a feed.

    Returns the number of feeds that are left. It is one transaction. Unless it `shows`,
    readers see the states only after the next change of the revision, or when all are
    complete.
    """
    with transaction(db):
        if not updates.feeds_left(db):
            return 0
        left = updates.build(db, limit)
        if shows or not left:
            bump_revision(db)
    return left
