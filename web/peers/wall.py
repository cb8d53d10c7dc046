"""The wall of this instance and its peers together."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from datasette.app import Datasette

from ci_observer.web.api import queries
from ci_observer.web.cache import CachedResponse
from ci_observer.web.filters import Filters
from ci_observer.web.peers.selection import select_tiles
from ci_observer.web.peers.state import TRUSTED, Report
from ci_observer.web.peers.tiles import sort_key
from ci_observer.web.peers.watch import watch_of

# Walls in memory, each with other filters.
MAX_WALLS = 30
# A page asks at least that often, so that a missing peer shows soon.
MAX_REFRESH_SECONDS = 15
# The state of polling of an instance that only shows its peers; and if none responds.
ONLY_PEERS, NO_PEERS = "peers", "no_peers"

Key = tuple[str, tuple[Any, ...]]
_WALLS: WeakKeyDictionary[
    Datasette, OrderedDict[Filters, tuple[Key, CachedResponse]]
] = WeakKeyDictionary()


async def fetch_merged_wall(datasette: Datasette, filters: Filters) -> CachedResponse:
    """The tiles of all instances, most urgent first, counted together.

    `{"ok", "revision", "counts", "peers", "tiles"}`; the revision is our own. The ETag
    is a hash of the content.
    """
    reports = await watch_of(datasette).reports(filters.branch)
    etag = await queries.fetch_wall_etag(datasette, filters)
    key = (etag, tuple(report.key for report in reports))
    walls = _WALLS.setdefault(datasette, OrderedDict())
    found = walls.get(filters)
    if found is not None and found[0] == key:
        walls.move_to_end(filters)
        return found[1]
    own = await queries.fetch_wall(datasette, filters)
    content = await asyncio.to_thread(_merge, own.content, reports, filters)
    wall = CachedResponse(content, own.revision)
    walls[filters] = (key, wall)
    while len(walls) > MAX_WALLS:
        walls.popitem(last=False)
    return wall


def _merge(own: bytes, reports: Iterable[Report], filters: Filters) -> bytes:
    wall = json.loads(own)
    theirs = [tile for report in reports for tile in report.tiles()]
    shown, counted = select_tiles(theirs, filters)
    counts = queries.counts_of(counted)
    for state, count in wall["counts"].items():
        counts[state] = counts.get(state, 0) + count
    tiles = sorted([*wall["tiles"], *shown], key=sort_key)
    peers = [report.summary() for report in reports]
    head = {"ok": True, "revision": wall["revision"], "counts": counts}
    return json.dumps(head | {"peers": peers, "tiles": tiles}).encode()


async def merge_config(datasette: Datasette, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the state of each peer, and warnings of the others.

    An instance that polls nothing itself has the polling state "peers".
    """
    reports = await watch_of(datasette).reports()
    known = [report for report in reports if report.state in TRUSTED]
    sentences = [sentence for report in reports if (sentence := report.sentence())]
    return config | {
        "refresh_seconds": min(config["refresh_seconds"], MAX_REFRESH_SECONDS),
        **_only_peers(config, known),
        "peers": [report.details() for report in reports],
        "warnings": [*config["warnings"], *sentences],
    }


def _only_peers(config: dict[str, Any], known: list[Report]) -> dict[str, Any]:
    """What replaces the state of polling of an instance that polls nothing itself.

    `known` are the peers whose tiles count. Empty if this instance has tiles.
    """
    polling: dict[str, Any] = config["polling"]
    if polling["state"] != "off" or polling["feeds"]:
        return {}
    if not known:
        return {"polling": polling | {"state": NO_PEERS, "reason": None}}
    # Of the oldest data.
    age = max((report.age_seconds or 0 for report in known), default=0)
    now = datetime.fromisoformat(config["server_time"])
    success = now - timedelta(seconds=round(age))
    facts = {"last_success_at": success.strftime("%Y-%m-%dT%H:%M:%SZ")}
    limits = [r.of.facts.stale_seconds for r in known if r.of.facts is not None]
    return {
        "polling": polling | {"state": ONLY_PEERS, "reason": None} | facts,
        "stale_seconds": max([config["stale_seconds"], *limits]),
    }
