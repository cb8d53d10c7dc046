"""Tries each peer once, for the command `check`."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from ci_observer.web.pages.times import duration
from ci_observer.web.peers.client import PeerClient
from ci_observer.web.peers.facts import clock_problem, fetch_facts
from ci_observer.web.peers.peer import Peer, PeerError


async def try_peers(peers: Iterable[Peer]) -> list[tuple[str, bool]]:
    """A line about each peer, and whether its tiles can be shown."""
    client = PeerClient()
    try:
        return await asyncio.gather(*(_try(client, peer) for peer in peers))
    finally:
        await client.close()


async def _try(client: PeerClient, peer: Peer) -> tuple[str, bool]:
    token = "with a token" if peer.token else "without a token"
    try:
        facts = await fetch_facts(client, peer)
    except PeerError as error:
        return f"Peer {peer.address} ({token}): {error}", False
    if problem := clock_problem(facts, datetime.now(UTC)):
        return f"Peer {peer.address} ({token}): {problem}", False
    age = "no data yet" if facts.age is None else f"data {duration(facts.age)} old"
    return (
        f"Peer {peer.address} ({token}): version {facts.version}, {age}, polling "
        f"{facts.polling.state}",
        True,
    )
