"""ETags of answers that are not a feed's newest runs, so that asking again is free.

A 304 has no body: what it leaves out of a page's answer is kept beside its ETag.
"""

from dataclasses import dataclass, replace

from sqlite_utils import Database

from ci_observer.ingest.store.database import transaction, upsert


@dataclass(frozen=True)
class CachedResponse:
    """An answer seen before, and of a page of runs what a 304 leaves out.

    The address of the next page, when its oldest and newest run were created, and
    whether the list surely has no more runs.
    """

    url: str
    etag: str
    next_url: str | None = None
    oldest_at: str | None = None
    newest_at: str | None = None
    is_last: bool = False


def get_cached(db: Database, url: str) -> CachedResponse | None:
    """What was last seen at an address."""
    row = db.execute(
        "select url, etag, next_url, oldest_at, newest_at, is_last"
        " from etags where url = ?",
        [url],
    ).fetchone()
    return replace(CachedResponse(*row), is_last=bool(row[-1])) if row else None


def save(db: Database, answer: CachedResponse) -> None:
    """Keep an answer's ETag, in a transaction of its own or the caller's."""
    with transaction(db):
        upsert(db, "etags", vars(answer), ["url"])
