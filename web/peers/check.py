"""Tries each peer once, for the command `check`."""

import asyncio
from collections.abc import Iterable

from ci_observer.web.pages.times import duration
from ci_observer.web.peers.client import PeerClient
from ci_observer.web.peers.facts import fetch_facts
from ci_observer.web.peers.peer import Peer, PeerError
from ci_observer.web.peers.state import PeerState
from ci_observer.web.peers.tiles import parse_tiles
from ci_observer.web.peers.watch import ROUTE


async def try_peers(peers: Iterable[Peer]) -> list[tuple[str, bool]]:
    """A line about each peer, and whether the wall would have nothing to warn of."""
    client = PeerClient()
    try:
        return await asyncio.gather(*(_try(client, peer) for peer in peers))
    finally:
        await client.close()


async def _try(client: PeerClient, peer: Peer) -> tuple[str, bool]:
    token = "with a token" if peer.token else "without a token"
    name = f"Peer {peer.address} ({token})"
    state = PeerState(peer)
    try:
        facts = await fetch_facts(client, peer)
        tiles = parse_tiles(await client.get(peer, ROUTE), peer, lambda link: link)
    except PeerError as error:
        return f"{name}: {error}", False
    state.accept(facts, tiles, etag="", now=0)
    report = state.report(now=0)
    if report.reason:
        return f"{name}: {report.reason}", False
    count = f"{len(tiles)} tile{'' if len(tiles) == 1 else 's'}"
    age = "" if facts.age is None else f", data {duration(facts.age)} old"
    return f"{name}: version {facts.version}, {count}{age}", True
