"""Fixtures, the report header and the order of the tests."""

import functools
import gc
import os
import signal
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina
from archive import NOW, set_clock
from demo_client import client_of
from hypothesis import HealthCheck, settings
from polling import Ingest
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.db import schema
from ci_observer.ingest.polling.results import PollResult
from ci_observer.web import database, disk

pytest_plugins = ("browser", "reused", "varied_archive")
# A failed assert in this module shows its values, as in the tests.
pytest.register_assert_rewrite("truth")
# No deadlines: they would test the machine. Each example cleans up its own files.
settings.register_profile(
    "ci_observer",
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("ci_observer")
# What the collection makes lives until the end: looking at it for garbage would take a
# quarter of the time of the collection, and 5 % of that of the tests.
gc.disable()
# A shell's job in the background ignores SIGINT, and so would the tests' processes.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("datasette", "sqlite-utils", "httpx")
    )
    return f"sqlite {sqlite3.sqlite_version}, {packages}"


def pytest_xdist_auto_num_workers() -> int:
    """One more process than cores: tests also wait for a browser or a process."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the long tests first; pytest-randomly has set the order of the others."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Look for garbage in what comes from now on only."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _one_ssl_context() -> Iterator[None]:
    """Load the certificates once. Every HTTP client would take 20 ms for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ssl, "create_default_context", functools.cache(ssl.create_default_context)
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_inline_deadline() -> Iterator[None]:
    """Reads of the web side stay inline, also on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "INLINE_SECONDS", 600)
        yield


@pytest.fixture(scope="session", autouse=True)
def _roomy_disk() -> Iterator[None]:
    """The web side sees room on the disk, however full that of the tests is."""

    def roomy(folder: Path) -> disk.DiskSpace:
        return disk.DiskSpace(folder, lambda _: (100, 0, 100))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "DiskSpace", roomy)
        yield


@pytest.fixture
def db_path(tmp_path: Path) -> Path:
    return tmp_path / "ci_observer.db"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty migrated database. Migrating takes 20 times as long as copying it."""
    path = tmp_path_factory.mktemp("migrated") / "ci_observer.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        set_clock(db, NOW)
    return path.read_bytes()


@pytest.fixture
def db(db_path: Path, migrated_file: bytes) -> Iterator[Database]:
    """A migrated database whose clock stands at `NOW`."""
    db_path.write_bytes(migrated_file)
    with closing(schema.connect(db_path)) as db:
        yield db


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Retries without their waits."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def world() -> World:
    return World("2026-03-02T09:00:00Z")


@pytest.fixture
def github(world: World) -> Iterator[GitHubServer]:
    with GitHubServer(world) as server:
        yield server


@pytest.fixture
def client(github: GitHubServer) -> Iterator[httpx.Client]:
    with client_of(github) as client:
        yield client


@pytest.fixture
def wall_clock(ingest: Ingest, db: Database) -> None:
    """The clock of the views stands at the time of the last poll."""
    poll = ingest.poll

    def poll_and_set_clock(**options: Any) -> PollResult:
        result = poll(**options)
        set_clock(db, ingest.clock())
        return result

    ingest.poll = poll_and_set_clock  # type: ignore[method-assign]


@pytest.fixture
def ingest(db: Database, github: GitHubServer) -> Iterator[Ingest]:
    with closing(Ingest(db, github)) as ingest:
        yield ingest
