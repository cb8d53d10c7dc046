"""Writes the table `watch_errors`: errors of owners, and of repositories without feeds.

The source of an error is an `Owner` or the name of a repository. Errors of feeds are in
the table `feeds`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.store.database import transaction, upsert
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.keys import Owner
from ci_observer.ingest.times import utc


@dataclass(frozen=True)
class WatchError:
    """A row of `watch_errors`. `repo` is `owner/*` if the source is an owner."""

    repo: str
    error: str
    error_kind: str
    error_at: str
    retry_at: str | None

    def __str__(self) -> str:
        return self.repo


COLUMNS = ", ".join(WatchError.__dataclass_fields__)


def known(db: Database) -> list[WatchError]:
    """Every stored error, by the name of its source."""
    rows = db.execute(f"select {COLUMNS} from watch_errors order by repo")
    return [WatchError(*row) for row in rows]


def get(db: Database, source: Owner | str) -> WatchError | None:
    """The error of a source. The letter case of its name does not matter."""
    row = db.execute(
        f"select {COLUMNS} from watch_errors where repo = ?", [str(source)]
    ).fetchone()
    return WatchError(*row) if row else None


def save(
    db: Database,
    source: Owner | str,
    *,
    error: str,
    kind: str,
    now: datetime,
    retry_at: datetime | None,
) -> None:
    """Record why no feed of a source can be found.

    `error_at` stays the time of the first of several errors.
    """
    with transaction(db):
        before = get(db, source)
        row = {
            "repo": str(source),
            "error": error,
            "error_kind": kind,
            "error_at": before.error_at if before else utc(now),
            "retry_at": utc(retry_at) if retry_at else None,
        }
        upsert(db, "watch_errors", row, ["repo"])
        if before is None or (before.error, before.error_kind) != (error, kind):
            bump_revision(db)


def delete(db: Database, source: Owner | str) -> None:
    """Delete the error of a source, if it has one."""
    with transaction(db):
        found = db.execute("delete from watch_errors where repo = ?", [str(source)])
        if found.rowcount:
            bump_revision(db)


def delete_others(db: Database, sources: Collection[Owner | str]) -> None:
    """Delete the errors of all sources but these."""
    kept = {str(source).lower() for source in sources}
    with transaction(db):
        for error in known(db):
            if error.repo.lower() not in kept:
                delete(db, error.repo)
