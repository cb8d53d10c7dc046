"""What the checks of names, permissions and the access token cost a small response."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from datasette.app import Datasette
from datasette.plugins import pm

from bench.harness.servers import ROOT
from bench.harness.sizes import Sizes
from bench.harness.table import Row
from ci_observer.web.access_token import login_of
from ci_observer.web.hosts import LOOPBACK
from ci_observer.web.responses import App
from ci_observer.web.server import build_datasette
from ci_observer.web.settings import WebSettings

PLUGINS = ("access_token.py", "hosts.py", "permissions.py")
PATH = b"/api/wall"
REQUESTS_PER_REPEAT = 20
TOKEN = "a-token-of-the-benchmark"  # noqa: S105 (protects nothing)
SERVERS = {
    "open to any name": WebSettings(),
    "open to loopback names, the default": WebSettings(allowed_hosts=LOOPBACK),
    "with a login by cookie": WebSettings(access_token=TOKEN),
}

Headers = list[tuple[bytes, bytes]]


def rows(_small: Path, large: Path, sizes: Sizes) -> Sequence[Row]:
    """The processor time of an unchanged wall, vs the same without these plugins."""
    return asyncio.run(_rows(large, sizes))


async def _rows(path: Path, sizes: Sizes) -> list[Row]:
    servers = {
        name: build_datasette(path, root=ROOT, web=web) for name, web in SERVERS.items()
    }
    open_server = servers["open to any name"]
    cases = {"": await _case(open_server, _app_without_checks(open_server))}
    for name, datasette in servers.items():
        cases[name] = await _case(datasette, datasette.app())
    times: dict[str, list[float]] = {name: [] for name in cases}
    # In turn, so that all are measured under the same load.
    for _ in range(sizes.rounds * 3):
        for name, (app, headers) in cases.items():
            times[name].append(await _microseconds(app, headers, sizes))
    return [
        Row(
            title=f"/api/wall cached, {name}, vs without checks",
            ours=median(times[name]),
            baseline=median(times[""]),
            unit="µs of processor time",
            goal="<= 1.1x" if name.startswith("open") else None,
        )
        for name in servers
    ]


def _app_without_checks(datasette: Datasette) -> App:
    removed = {name: pm.unregister(name=name) for name in PLUGINS}
    try:
        app: App = datasette.app()
    finally:
        for name, plugin in removed.items():
            pm.register(plugin, name)
    return app


async def _case(datasette: Datasette, app: App) -> tuple[App, Headers]:
    """An app, and the headers of a browser that has the wall and may see it."""
    headers = [
        (b"host", b"127.0.0.1:8089"),
        (b"user-agent", b"Mozilla/5.0"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip"),
    ]
    if login := login_of(datasette):
        cookie = f"ci_observer_8089={login.token.make_cookie()}"
        headers.append((b"cookie", cookie.encode()))
    start = await _respond(app, headers)
    etag = {name.lower(): value for name, value in start["headers"]}[b"etag"]
    return app, [*headers, (b"if-none-match", etag)]


async def _microseconds(app: App, headers: Headers, sizes: Sizes) -> float:
    """The processor time of one request."""
    number = sizes.repeats * REQUESTS_PER_REPEAT
    start = time.process_time()
    for _ in range(number):
        await _respond(app, headers)
    return (time.process_time() - start) / number * 1e6


async def _respond(app: App, headers: Headers) -> dict[str, Any]:
    """The start of a response."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
    }
    scope |= {"path": PATH.decode(), "raw_path": PATH, "query_string": b""}
    scope |= {"headers": headers, "client": ("127.0.0.1", 1), "server": None}
    await app(scope, receive, send)
    return messages[0]
