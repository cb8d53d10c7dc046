"""Writes the table `responses`: ETags, and facts about pages that a 304 leaves out.

The ETags of the feeds' own newest pages are in `feeds`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlite_utils import Database

from ci_observer.ingest.github.pagination import is_path
from ci_observer.ingest.store.database import transaction, upsert
from ci_observer.ingest.times import parse_instant, utc

Kind = Literal[
    "repository",  # the repository itself
    "workflows",  # the list of its workflows
    "runs",  # a page of its runs, or of one workflow's
    "runs_in_progress",  # its runs in progress
    "repositories",  # a page of an owner's repositories
]


@dataclass(frozen=True)
class ResponseKey:
    """Identifies a cached response. `url` is empty where a kind has only one.

    `repo` is `owner/*` for a page of an owner's repositories.
    """

    kind: Kind
    repo: str
    url: str = ""


@dataclass(frozen=True)
class CachedResponse:
    """The ETag of a response, and the facts about a page that a 304 leaves out.

    `next_url` is a path below the base of the API, or a link that leads elsewhere.
    `oldest_at` and `newest_at` are when the oldest and the newest run were created,
    `is_last` says whether the list surely has no more runs.
    """

    key: ResponseKey
    etag: str
    next_url: str | None = None
    oldest_at: str | None = None
    newest_at: str | None = None
    is_last: bool = False


def get_cached(db: Database, key: ResponseKey) -> CachedResponse | None:
    """The last saved response for a key."""
    row = db.execute(
        "select etag, next_url, oldest_at, newest_at, is_last from responses"
        " where kind = :kind and repo = :repo and url = :url",
        vars(key),
    ).fetchone()
    if row is None:
        return None
    etag, next_url, oldest_at, newest_at, is_last = row
    if not is_path(next_url or "/"):
        # A link elsewhere is not followed, so fetch the page again, with its new link.
        etag = ""
    return CachedResponse(
        key, etag, next_url, oldest_at, newest_at, is_last=bool(is_last)
    )


def save(db: Database, response: CachedResponse) -> None:
    """Save a response, in a transaction of its own or the caller's."""
    row = {name: value for name, value in vars(response).items() if name != "key"}
    with transaction(db):
        upsert(db, "responses", vars(response.key) | row, ["kind", "repo", "url"])


def requested_at(db: Database, key: ResponseKey) -> datetime | None:
    """When a list was last requested that is requested rarely; None if never."""
    row = db.execute(
        "select requested_at from responses"
        " where kind = :kind and repo = :repo and url = :url",
        vars(key),
    ).fetchone()
    return parse_instant(row[0] or "") if row else None


def save_requested(db: Database, key: ResponseKey, now: datetime) -> None:
    """Save when a list was requested, so that a restart does not repeat that."""
    with transaction(db):
        row = vars(key) | {"requested_at": utc(now)}
        db.execute(
            "insert into responses (kind, repo, url, etag, requested_at)"
            " values (:kind, :repo, :url, '', :requested_at)"
            " on conflict do update set requested_at = excluded.requested_at",
            row,
        )


def delete(db: Database, repo: str) -> None:
    """Delete all cached responses of a repository, within the caller's transaction."""
    db.execute("delete from responses where repo = ?", [repo])
