"""A real Datasette on the database of a test, and requests to it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from archive import NOW, set_clock
from datasette.app import Datasette
from sqlite_utils import Database

from ci_observer import ROOT
from ci_observer.ingest.db import schema
from ci_observer.web.database import DATABASE
from ci_observer.web.server import build_datasette
from ci_observer.web.settings import WebSettings


@asynccontextmanager
async def serving(
    db_path: Path,
    *,
    root: Path = ROOT,
    web: WebSettings | None = None,
    **settings: Any,
) -> AsyncIterator[Datasette]:
    """Datasette as `serve` builds it. Closes its threads and connections at the end."""
    datasette = build_datasette(db_path, root=root, web=web, settings=settings)
    try:
        yield datasette
    finally:
        datasette.executor.shutdown()
        for database in datasette.databases.values():
            database.close()


@asynccontextmanager
async def serving_example(
    folder: Path, fill: Callable[[Database], None]
) -> AsyncIterator[Datasette]:
    """Datasette on a new database that `fill` fills, at the time of the tests."""
    path = folder / "ci_observer.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        set_clock(db, NOW)
        fill(db)
    async with serving(path) as datasette:
        await datasette.invoke_startup()
        yield datasette


def counting(datasette: Datasette, monkeypatch: Any) -> Callable[[], list[str]]:
    """Record the SQL of every read; returns a function that gives the statements."""
    database = datasette.get_database(DATABASE)
    statements: list[str] = []
    connect = database.connect

    def traced(write: bool = False) -> Any:
        conn = connect(write)
        conn.set_trace_callback(statements.append)
        return conn

    monkeypatch.setattr(database, "connect", traced)
    return lambda: statements


async def get_json(datasette: Datasette, path: str) -> dict[str, Any]:
    """The JSON of a response with status 200."""
    response = await datasette.client.get(path)
    assert response.status_code == 200, response.text
    content: dict[str, Any] = json.loads(response.text)
    return content


async def get_error(datasette: Datasette, path: str) -> tuple[int, str]:
    """The status and the message of an error."""
    response = await datasette.client.get(path)
    body = response.json()
    assert body["ok"] is False
    assert body["status"] == response.status_code
    return response.status_code, body["error"]
