"""Several instances that show each other's tiles: real servers, each with its database.

Their clocks and ours stand at `NOW`, and they ask each other without pauses.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from archive import NOW, of_repo, save, save_poll_of_now, watch
from browser import WallServer
from factories import run_payload, times
from waiting import HANG_SECONDS, eventually

from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.db import schema
from ci_observer.web.peers import state
from ci_observer.web.peers import watch as peer_watch
from ci_observer.web.peers.peer import Peer
from ci_observer.web.peers.watch import watch_of
from ci_observer.web.settings import WebSettings

NewInstance = Callable[..., "Instance"]


class Instance(WallServer):
    """A server of its own database, at a port that others can know before."""

    def __init__(self, db_path: Path, port: int, web: WebSettings) -> None:
        super().__init__(db_path, web)
        self._port = port
        self.is_stopped = False

    def stop(self) -> None:
        """End the server; `start` starts it again at the same address."""
        super().stop()
        self.is_stopped = True

    def start(self) -> None:
        """Start the server."""
        super().start()
        self._server.close = self._close
        self.is_stopped = False

    async def _close(self) -> None:
        await watch_of(self.datasette).close()

    @property
    def address(self) -> str:
        """The address in the setting PEERS."""
        return self.url.rstrip("/")

    @property
    def name(self) -> str:
        """The name on the walls of others."""
        return Peer(self.address).name

    def get(self, path: str, **headers: str) -> httpx.Response:
        """A response, from another thread than the server's."""
        url = f"{self.address}{path}"
        return httpx.get(url, headers=headers, timeout=HANG_SECONDS, trust_env=False)

    def tiles(self, query: str = "") -> dict[tuple[str, str | None], str]:
        """The state of each tile by repository and peer."""
        wall = self.get(f"/api/wall{query}").json()
        return {(t["repo"], t.get("peer")): t["tile_state"] for t in wall["tiles"]}

    def peers(self) -> dict[str, tuple[str, str | None]]:
        """The state and reason of each peer by its name."""
        peers = self.get("/api/config").json()["peers"]
        return {peer["name"]: (peer["state"], peer["reason"]) for peer in peers}

    def wait_for(self, peer: str, state: str) -> str | None:
        """Wait until a peer is in a state; return the reason."""
        eventually(lambda: self.peers()[peer][0] == state)
        return self.peers()[peer][1]


def fill(path: Path, conclusions: Mapping[str, str]) -> None:
    """Store a run with a conclusion in each repository, fetched just now."""
    with closing(schema.connect(path)) as db:
        watch(db, *((repo, "ci.yml") for repo in conclusions))
        runs = [
            run_payload(
                number,
                **times("16:00"),
                **of_repo(repo),
                conclusion=conclusion,
                html_url=f"https://github.com/{repo}/actions/runs/{number}",
            )
            for number, (repo, conclusion) in enumerate(conclusions.items(), start=1)
        ]
        save(db, *runs)
        save_poll_of_now(db, repos=tuple(conclusions), now=NOW)


A = {"acme/api": "success", "acme/shared": "failure"}
B = {"beta/web": "failure", "acme/shared": "success"}
TOKEN = "7d0c0123456789abcdef"  # noqa: S105 (an example)


def in_a_cycle(new_instance: NewInstance) -> tuple[Instance, Instance]:
    """Two instances that show each other; the second one needs a token."""
    ports = free_port(), free_port()
    a, b = (Peer(f"http://127.0.0.1:{port}") for port in ports)
    second = new_instance(B, peers=(a,), port=ports[1], access_token=TOKEN)
    first = new_instance(A, peers=(Peer(b.address, TOKEN),), port=ports[0])
    return first, second


@contextmanager
def instances(
    folder: Path, migrated_file: bytes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewInstance]:
    """Makes instances of repositories with their conclusions; the end stops them."""
    monkeypatch.setattr(state, "time_of_day", lambda: NOW)
    monkeypatch.setattr(peer_watch, "EVERY_SECONDS", 0.2)
    monkeypatch.setattr(peer_watch, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(peer_watch, "FIRST_SECONDS", HANG_SECONDS)
    made: list[Instance] = []

    def new(
        conclusions: Mapping[str, str],
        *,
        peers: tuple[Peer, ...] = (),
        port: int | None = None,
        **settings: Any,
    ) -> Instance:
        path = folder / f"{len(made)}.db"
        path.write_bytes(migrated_file)
        if conclusions:
            fill(path, conclusions)
        web = replace(WebSettings(**settings), peers=peers)
        instance = Instance(path, port or free_port(), web)
        instance.start()
        made.append(instance)
        return instance

    yield new
    for instance in made:
        if not instance.is_stopped:
            instance.stop()
