"""Fetches and saves a repository's metadata: default branch, workflow names and states.

The ETags of the responses are saved in the same transaction as the metadata.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeVar

from sqlite_utils import Database

from ci_observer.ingest.github.pages import Response
from ci_observer.ingest.store import feeds, repos, responses, workflows
from ci_observer.ingest.store.responses import CachedResponse, Kind, ResponseKey

T = TypeVar("T")


async def fetch_if_changed(
    db: Database,
    repo: str,
    kind: Kind,
    fetch: Callable[..., Awaitable[Response[T]]],
) -> Response[T]:
    """Send the stored ETag only if the data it belongs to is stored too."""
    stored = repos.get(db, repo)
    is_stored = stored is not None and stored.metadata_at is not None
    cached = responses.get_cached(db, ResponseKey(kind, repo)) if is_stored else None
    return await fetch(repo, etag=cached.etag if cached else None)


def save(
    db: Database, repo: str, *, etags: Mapping[Kind, str | None], now: datetime
) -> None:
    """Write the stored metadata of a repository into its feeds, with their ETags.

    No workflow of an archived repository can run.
    """
    stored = repos.get(db, repo)
    feeds.save_metadata(
        db,
        repo,
        default_branch=stored.default_branch if stored else None,
        workflows={
            w.workflow: (w.workflow_name, w.workflow_state)
            for w in workflows.known(db, repo)
        },
        is_archived=bool(stored and stored.is_archived),
        now=now,
        cached=[
            CachedResponse(ResponseKey(kind, repo), etag)
            for kind, etag in etags.items()
            if etag
        ],
    )
    repos.save_metadata_at(db, repo, now)
