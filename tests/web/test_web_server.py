"""The web process: what Datasette is given, and how the server ends."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database
from web_client import get_json, serving

from ci_observer import ROOT
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.web.server import GRACE_SECONDS, build_datasette, make_server

SERVER = """
import sys
from pathlib import Path
from ci_observer.web import server

datasette = server.build_datasette(Path(sys.argv[1]), root=Path(sys.argv[2]))
uvicorn = server.make_server(datasette, "127.0.0.1", 0)
startup = uvicorn.startup


async def announce(sockets=None):
    await startup(sockets)
    print("ready", flush=True)


uvicorn.startup = announce
server.run(uvicorn, datasette)
"""


@pytest.mark.asyncio
async def test_the_database_has_our_name_whatever_the_file_is_called(
    tmp_path: Path,
) -> None:
    path = tmp_path / "other name.sqlite"
    schema.connect(path).close()
    async with serving(path) as datasette:
        response = await datasette.client.get("/-/databases.json")

    assert [entry["name"] for entry in response.json()] == ["ci_observer"]


@pytest.mark.asyncio
async def test_a_folder_without_our_files_is_served_plainly(
    tmp_path: Path, db_path: Path, db: Database
) -> None:
    datasette = build_datasette(db_path, root=tmp_path)

    response = await datasette.client.get("/ci_observer/runs.json?_shape=array")
    datasette.executor.shutdown()
    datasette.get_database("ci_observer").close()

    assert response.json() == []


@pytest.mark.asyncio
async def test_settings_can_be_given(db_path: Path, db: Database) -> None:
    async with serving(db_path, default_page_size=7) as datasette:
        settings = await get_json(datasette, "/-/settings.json")

    assert settings["default_page_size"] == 7
    assert settings["suggest_facets"] is False


@pytest.mark.asyncio
async def test_the_server_ends_although_a_browser_keeps_its_connection(
    db_path: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(db_path) as datasette:
        server = make_server(datasette, "127.0.0.1", 0)
        started = asyncio.Event()
        startup = server.startup

        async def announce(sockets: None = None) -> None:
            await startup(sockets)
            started.set()

        monkeypatch.setattr(server, "startup", announce)
        task = asyncio.create_task(server.serve())
        await started.wait()
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")

        server.should_exit = True
        await asyncio.wait_for(task, GRACE_SECONDS + 2)
        writer.close()

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"server: " not in head


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(
    db_path: Path, db: Database, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", SERVER, str(db_path), str(ROOT)]
    with subprocess.Popen(  # noqa: S603 (our own command)
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=GRACE_SECONDS + 5)

    assert (process.returncode, errors) == (0, "")


def test_a_wall_keeps_its_connection_between_two_questions(db_path: Path) -> None:
    datasette = build_datasette(db_path, root=ROOT)
    server = make_server(datasette, "127.0.0.1", 0)
    datasette.executor.shutdown()

    assert server.config.timeout_keep_alive > Config().refresh_seconds
