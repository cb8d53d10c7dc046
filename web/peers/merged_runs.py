"""`/api/runs` with the runs of peers: one list, newest first, page by page."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from datasette.app import Datasette

from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.api.listings import RUNS
from ci_observer.web.api.queries import REVISION_SQL
from ci_observer.web.cache import CachedResponse
from ci_observer.web.columns import run_columns
from ci_observer.web.database import fetch_row
from ci_observer.web.errors import Unavailable
from ci_observer.web.filters import Filters
from ci_observer.web.parameters import MAX_LIMIT
from ci_observer.web.peers.client import client_of, peers_of
from ci_observer.web.peers.github_links import github_link_check
from ci_observer.web.peers.peer import Peer, PeerError
from ci_observer.web.peers.run_cursors import RunCursors
from ci_observer.web.peers.run_merge import START, Key, ListedRun, RunPage, start_of
from ci_observer.web.peers.run_pages import parse_run_page
from ci_observer.web.peers.run_reader import MergedPage, Missing, read_merged_page
from ci_observer.web.settings import settings_of
from ci_observer.web.urls import run_path

ROUTE = "/api/runs"
# Of a whole page; a peer that takes longer is missing on it.
TOTAL_SECONDS = 8.0
# With raw_json a run has about 12 kB.
MAX_RAW_RUNS = 50
# The name of this instance among the others.
OWN = ""

# Peers with their first failure since the last good response.
_MISSING_SINCE: WeakKeyDictionary[Datasette, dict[str, str]] = WeakKeyDictionary()


async def fetch_runs(datasette: Datasette, filters: Filters) -> CachedResponse:
    """One page of runs as JSON, with those of the peers unless `peers=no`.

    Raises `BadRequest` for a bad cursor, and `Unavailable` when SQLite fails or when
    only missing peers can have more runs.
    """
    if filters.peers:
        return await RUNS.fetch(datasette, replace(filters, peers=None))
    peers = peers_of(datasette)
    if not peers:
        return await RUNS.fetch(datasette, filters)
    return await _fetch_merged(datasette, filters, peers)


async def _fetch_merged(
    datasette: Datasette, filters: Filters, peers: tuple[Peer, ...]
) -> CachedResponse:
    instances = (OWN, *(peer.address for peer in peers))
    selection = replace(filters, limit=1, cursor=None, raw=False)
    cursors = RunCursors(instances, selection.to_query())
    progress = cursors.decode(filters.cursor) if filters.cursor else start_of(instances)
    source = _RunSource(datasette, filters)
    most = MAX_RAW_RUNS if filters.raw else MAX_LIMIT
    page = await read_merged_page(
        progress, source.fetch, limit=min(filters.limit, most), replay_limit=most
    )
    missing = [
        {"peer": name, "reason": peer.reason, "since": peer.since}
        for name, peer in page.missing.items()
    ]
    if page.is_stuck:
        raise Unavailable(_stuck_text(page), missing_peers=missing)
    revision = source.revision or await _fetch_revision(datasette)
    content: dict[str, Any] = {
        "ok": True,
        "revision": revision,
        "runs": [_linked(datasette, name, run) for name, run in page.runs],
        "missing_peers": missing,
        "next": None if page.progress.is_at_end else cursors.encode(page.progress),
    }
    # ASCII, since a text of a peer may hold a lone surrogate.
    body = await asyncio.to_thread(json.dumps, content)
    return CachedResponse(body.encode(), revision, next_cursor=content["next"])


async def _fetch_revision(datasette: Datasette) -> int:
    """The revision, for a page on which this instance has no more runs."""
    return int((await fetch_row(datasette, REVISION_SQL))["revision"])


def _linked(datasette: Datasette, name: str, run: ListedRun) -> dict[str, Any]:
    """The values of a run, with the instance that has it and its page there."""
    path = run_path(run.values["run_id"])
    page_url = f"{name}{path}" if name else datasette.urls.path(path)
    return run.values | {"peer": name or None, "page_url": page_url}


def _stuck_text(page: MergedPage) -> str:
    peers = "; ".join(f"{name}: {peer.reason}" for name, peer in page.missing.items())
    return (
        f"All further runs can only be those of missing peers. {peers}. Repeat the "
        "request later with the same cursor, or leave peers out with peers=no."
    )


class _RunSource:
    """Fetches the pages of one request, within its time limit."""

    def __init__(self, datasette: Datasette, filters: Filters) -> None:
        self.revision: int | None = None
        self._datasette = datasette
        self._filters = filters
        self._columns = run_columns(raw=filters.raw)
        self._peers = {peer.address: peer for peer in peers_of(datasette)}
        self._since = _MISSING_SINCE.setdefault(datasette, {})
        self._deadline = asyncio.get_running_loop().time() + TOTAL_SECONDS

    async def fetch(self, name: str, position: Key, limit: int) -> RunPage | Missing:
        """The runs of an instance after a position."""
        cursor = None if position == START else encode_cursor(json.dumps(position))
        filters = replace(self._filters, cursor=cursor, limit=limit)
        if name == OWN:
            return await self._fetch_own(filters)
        try:
            page = await self._fetch_peer(self._peers[name], filters, position)
        except PeerError as error:
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            return Missing(str(error), self._since.setdefault(name, now))
        self._since.pop(name, None)
        return page

    async def _fetch_own(self, filters: Filters) -> RunPage:
        row = await RUNS.fetch_page(self._datasette, filters)
        self.revision = int(row["revision"])
        runs = [ListedRun.from_values(run) for run in json.loads(row["runs"])]
        return RunPage(runs, has_more=row["next"] is not None)

    async def _fetch_peer(self, peer: Peer, filters: Filters, position: Key) -> RunPage:
        client = client_of(self._datasette)
        try:
            async with asyncio.timeout_at(self._deadline):
                response = await client.get(peer, ROUTE, (*filters.to_pairs(),))
        except TimeoutError:
            raise PeerError(
                f"it does not respond within {TOTAL_SECONDS:.0f} seconds"
            ) from None
        is_link = github_link_check(settings_of(self._datasette).github_api_url)
        # A thousand runs take 20 ms.
        return await asyncio.to_thread(
            parse_run_page, response, position, self._columns, is_link
        )
