"""Instances with peers, each a server of its own, and one with the runs of all."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archive import save_runs, watch
from datasette.app import Datasette
from factories import run_payload
from sockets import listening
from web_client import serving

from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.db import schema
from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.connection_limits import Limits
from ci_observer.web.peers.client import client_of
from ci_observer.web.peers.peer import Peer
from ci_observer.web.settings import WebSettings

LIMITS = Limits(connections=50)


@dataclass
class Instance:
    """A server on a port of its own, which can stop and start again."""

    datasette: Datasette
    path: Path
    port: int = field(default_factory=free_port)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        await self.datasette.invoke_startup()
        server = listening(self.datasette.app(), LIMITS, self.port)
        await self._stack.enter_async_context(server)

    async def stop(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def instance(path: Path, peers: Iterable[str] = ()) -> AsyncIterator[Instance]:
    """An instance on a database, which does not listen yet."""
    web = WebSettings(peers=tuple(map(Peer, peers)))
    async with serving(path, web=web) as datasette:
        found = Instance(datasette, path)
        yield found
        await found.stop()
        await client_of(datasette).close()


def add_runs(path: Path, *payloads: dict[str, Any]) -> None:
    """Store runs as if ingest had just found them."""
    with closing(schema.connect(path)) as db:
        repos = dict.fromkeys(p["repository"]["full_name"] for p in payloads)
        watch(db, *((repo, "ci.yml") for repo in repos))
        for repo in repos:
            of_repo = [p for p in payloads if p["repository"]["full_name"] == repo]
            save_runs(db, *of_repo, repo=repo)


def payload_of(run_id: int, repo: str, minute: int, **changes: Any) -> dict[str, Any]:
    """A run that started at a minute of the tests' day."""
    at = f"2026-03-01T{minute // 60:02}:{minute % 60:02}:00Z"
    place = {"id": 1, "full_name": repo}
    values = {
        "created_at": at,
        "run_started_at": at,
        "updated_at": at,
        "repository": place,
        "head_repository": place,
        "html_url": f"https://github.com/{repo}/actions/runs/{run_id}",
    }
    return run_payload(run_id, **(values | changes))


# A run of a peer that is not trusted.
HOSTILE_RUN = dict.fromkeys(RUN_COLUMNS) | {
    "run_id": 77,
    "run_attempt": 1,
    "repo": "<b>acme</b>/api",
    "workflow": "ci.yml",
    "display_title": "=cmd()\u202e \ud800",
    "created_at": "2026-03-01T12:00:00Z",
    "started_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
    "html_url": "javascript:alert(1)",
    "is_tag": False,
}
