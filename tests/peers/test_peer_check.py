"""What the command `check` says about peers."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from raw_server import head, raw_server

from ci_observer.ingest.commands.ports import free_port
from ci_observer.web.peers.check import try_peers
from ci_observer.web.peers.peer import Peer

TOKEN = "7d0c0123456789abcdef"  # noqa: S105 (an example)
TILE = {"repo": "acme/api", "workflow": "ci.yml", "tile_state": "passing"}


def config(age: float = 20, clock: float = 0) -> bytes:
    now = datetime.now(UTC) + timedelta(seconds=clock)
    last = now - timedelta(seconds=age)
    polling = {"state": "ok", "last_success_at": last.isoformat()}
    facts = {"server_time": now.isoformat(), "version": "1.2", "polling": polling}
    return json.dumps(facts | {"stale_seconds": 180, "wall_etag": '"x"'}).encode()


def wall(*tiles: Any) -> bytes:
    return json.dumps({"ok": True, "tiles": tiles}).encode()


def responses() -> list[tuple[bytes, bytes, str]]:
    """The configuration and the wall of peers, and what is said about each."""
    return [
        (config(), wall(TILE), "version 1.2, 1 tile, data 20\u00a0s old"),
        (config(), wall({"repo": 5}), "its tiles are not valid (tiles 0 repo)"),
        (config(age=900), wall(TILE), "its data are old"),
        (config(clock=86_400), wall(TILE), "its clock is "),
        (b"<html>", b"", "its response is not JSON, so it may be no CI Observer"),
    ]


@pytest.mark.asyncio
async def test_each_peer_has_a_line() -> None:
    def response(config: bytes, wall: bytes, path: str) -> Iterable[bytes]:
        return [head(), config if path.startswith("/api/config") else wall]

    peers = responses()
    with ExitStack() as stack:
        addresses = [
            stack.enter_context(
                raw_server(lambda path, c=config, w=wall: response(c, w, path))
            ).url
            for config, wall, _ in peers
        ]
        gone = Peer(f"http://127.0.0.1:{free_port()}", TOKEN)
        found = await try_peers([*map(Peer, addresses), gone])

    texts, are_good = zip(*found, strict=True)
    expected = [
        f"Peer {address} (without a token): {text}"
        for address, (_, _, text) in zip(addresses, peers, strict=True)
    ]
    expected.append(
        f"Peer {gone.address} (with a token): it does not respond (connection refused)"
    )
    assert [t[: len(e)] for t, e in zip(texts, expected, strict=True)] == expected
    assert [*are_good] == [True, *[False] * len(peers)]
    assert TOKEN not in "".join(texts)
