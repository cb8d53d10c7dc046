"""The wall and the configuration with those of peers, if the settings name some.

The modules behind it need pydantic, which takes 0.1 seconds and 10 MB: an instance
without peers does not load them.
"""

from dataclasses import replace
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api import queries
from ci_observer.web.cache import CachedResponse
from ci_observer.web.filters import Filters
from ci_observer.web.settings import settings_of

# The keys that only tiles of peers have: the name of the peer, and its base address.
PEER_COLUMNS = ("peer", "peer_url")


def shows_peers(datasette: Datasette, filters: Filters) -> bool:
    """Whether a response has what peers have, too."""
    return bool(settings_of(datasette).peers) and filters.peers is None


async def fetch_wall(datasette: Datasette, filters: Filters) -> CachedResponse:
    """The tiles of `queries.fetch_wall`, with those of the peers."""
    if not shows_peers(datasette, filters):
        return await queries.fetch_wall(datasette, replace(filters, peers=None))
    from ci_observer.web.peers.wall import fetch_merged_wall  # noqa: PLC0415

    return await fetch_merged_wall(datasette, filters)


async def fetch_wall_etag(datasette: Datasette, filters: Filters) -> str:
    """The ETag of `fetch_wall`."""
    if not shows_peers(datasette, filters):
        return await queries.fetch_wall_etag(datasette, replace(filters, peers=None))
    return (await fetch_wall(datasette, filters)).etag


async def fetch_config(
    datasette: Datasette, filters: Filters | None = None
) -> dict[str, Any]:
    """The configuration of `queries.fetch_config`, with the states of the peers."""
    config = await queries.fetch_config(datasette)
    if not shows_peers(datasette, filters or Filters()):
        return config
    from ci_observer.web.peers.wall import merge_config  # noqa: PLC0415

    return await merge_config(datasette, config)
