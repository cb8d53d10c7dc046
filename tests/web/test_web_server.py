"""The web process: how Datasette is built, and how the server stops."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from shutil import copy, copytree

import processes
import pytest
from click.testing import CliRunner
from processes import environ_with
from sqlite_utils import Database
from waiting import HANG_SECONDS
from web_client import get_json, serving

from ci_observer import ROOT
from ci_observer.ingest.cli import main
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.web.connection_limits import Limits
from ci_observer.web.errors import IncompleteInstallation
from ci_observer.web.server import build_datasette, make_server

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
async def test_the_database_has_our_name_for_any_file_name(
    tmp_path: Path,
) -> None:
    path = tmp_path / "other name.sqlite"
    schema.connect(path).close()
    async with serving(path) as datasette:
        index = await get_json(datasette, "/-/.json")

    assert list(index) == ["ci_observer"]


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A folder with a copy of everything that the web side needs."""
    root = tmp_path / "installation"
    root.mkdir()
    copy(ROOT / "metadata.yml", root)
    for folder in ("plugins", "static", "templates"):
        copytree(ROOT / folder, root / folder)
    return root


@pytest.mark.parametrize("name", ["metadata.yml", "plugins", "static", "templates"])
def test_a_missing_part_stops_the_start_and_is_named(
    installation: Path, db_path: Path, name: str
) -> None:
    build_datasette(db_path, root=installation).executor.shutdown()
    (installation / name).rename(installation / "elsewhere")

    with pytest.raises(IncompleteInstallation, match=f"/{name} is missing"):
        build_datasette(db_path, root=installation)


def test_broken_metadata_stops_the_start(installation: Path, db_path: Path) -> None:
    (installation / "metadata.yml").write_text("title: [")

    with pytest.raises(
        IncompleteInstallation, match=r"metadata\.yml is not valid YAML"
    ):
        build_datasette(db_path, root=installation)


def test_serve_prints_which_part_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_observer.ingest.cli.ROOT", tmp_path)
    environment = {
        "CI_OBSERVER_DB": str(tmp_path / "ci_observer.db"),
        "CI_OBSERVER_PORT": str(free_port()),
    }

    result = CliRunner().invoke(main, ["serve"], env=environment)

    assert result.exit_code == 1
    assert f"Error: {tmp_path}/metadata.yml is missing." in result.output


def test_metadata_is_read_alike_with_and_without_libyaml(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = build_datasette(db_path, root=ROOT)
    monkeypatch.delattr("yaml.CSafeLoader")
    slow = build_datasette(db_path, root=ROOT)
    for datasette in (fast, slow):
        datasette.executor.shutdown()

    assert fast.metadata() == slow.metadata()


@pytest.mark.asyncio
async def test_settings_can_be_overridden(db_path: Path, db: Database) -> None:
    async with serving(db_path, default_page_size=7) as datasette:
        assert datasette.setting("default_page_size") == 7
        assert datasette.setting("suggest_facets") is False


@pytest.mark.asyncio
async def test_the_server_stops_although_a_browser_keeps_its_connection(
    db_path: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(db_path) as datasette:
        limits = Limits(connections=10, idle_seconds=3600)
        server = make_server(datasette, "127.0.0.1", 0, limits=limits)
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
        await asyncio.wait_for(task, HANG_SECONDS)
        writer.close()

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"server: " not in head


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_process_cleanly(
    db_path: Path, db: Database, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", SERVER, str(db_path), str(ROOT)]
    with subprocess.Popen(  # noqa: S603 (our own command)
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=HANG_SECONDS)

    assert (process.returncode, errors) == (0, "")


def test_a_wall_keeps_its_connection_between_two_requests() -> None:
    assert Limits(connections=10).idle_seconds > Config().refresh_seconds


def test_an_unknown_page_is_a_404_of_the_real_server(
    db_path: Path, db: Database, tmp_path: Path
) -> None:
    """In a process whose first import of Datasette is ours."""
    with processes.serving(environ_with(CI_OBSERVER_DB=db_path), tmp_path) as web:
        statuses = [web.get(path).status_code for path in ("/nothing", "/nothing/here")]

    assert statuses == [404, 404]
