"""A disk that is nearly full: in the API, on the wall and in the log of ingest."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from archive import save_runs, watch
from datasette.app import Datasette
from factories import run_payload, times
from walls import save_poll, save_responses
from web_client import serving

from ci_observer.ingest.commands import check
from ci_observer.ingest.config import Config
from ci_observer.ingest.db.disk import DiskLog
from ci_observer.web.database import DATABASE
from ci_observer.web.disk import DiskSpace

GB = 1_000_000_000
WARNING = (
    "The disk of the database is nearly full: 4.0 GB (8 %) free. Make room, because "
    "new runs cannot be stored on a full disk."
)


class Disk:
    """A disk of 50 GB whose free space a test sets."""

    def __init__(self, free: float) -> None:
        self.free = free

    def __call__(self, _: Path) -> tuple[int, int, int]:
        return (50 * GB, 0, int(self.free * GB))


@pytest_asyncio.fixture
async def datasette(db_path: Path, disk: Disk) -> AsyncIterator[Datasette]:
    async with serving(db_path) as datasette:
        datasette.get_database(DATABASE).disk = DiskSpace(db_path.parent, disk)
        yield datasette


@pytest.fixture
def disk() -> Disk:
    return Disk(free=4)


@pytest.fixture
def _fresh(db) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(db, run_payload(1, **times("12:00")))
    save_responses(db)


@pytest.mark.asyncio
@pytest.mark.usefixtures("_fresh")
async def test_the_api_warns_and_stays_healthy(
    datasette: Datasette, disk: Disk
) -> None:
    config = (await datasette.client.get("/api/config")).json()
    health = await datasette.client.get("/api/health")

    assert config["warnings"] == [WARNING]
    assert (health.status_code, health.json()["warnings"]) == (200, [WARNING])

    disk.free = 40
    assert (await datasette.client.get("/api/config")).json()["warnings"] == []
    assert (await datasette.client.get("/api/health")).json()["warnings"] == []


@pytest.mark.asyncio
@pytest.mark.usefixtures("_fresh")
async def test_the_page_says_it_without_javascript(
    datasette: Datasette, disk: Disk
) -> None:
    assert WARNING in (await datasette.client.get("/")).text
    disk.free = 40
    assert "nearly full" not in (await datasette.client.get("/")).text


@pytest.mark.parametrize(
    ("free", "words"),
    [
        (5, None),
        (4.99, "5.0 GB (9 %) free"),
        (0.6, "600 MB (1 %) free"),
        (0.2, "200 MB (less than 1 %) free"),
        (0, "0 MB (less than 1 %) free"),
    ],
)
def test_a_warning_has_the_size_and_the_share(free: float, words: str | None) -> None:
    text = DiskSpace(Path(), Disk(free)).measure()

    assert text is None if words is None else words in (text or "")


def test_a_warning_does_not_come_and_go() -> None:
    disk = Disk(free=5.1)
    space = DiskSpace(Path(), disk)

    shown = []
    for free in (5.1, 4.9, 5.1, 5.9, 6.1, 5.1, 4.9):
        disk.free = free
        shown.append(space.measure() is not None)

    assert shown == [False, True, True, True, False, False, True]


def test_a_disk_that_cannot_be_measured_is_not_warned_of(tmp_path: Path) -> None:
    assert DiskSpace(tmp_path / "absent").measure() is None
    assert DiskSpace(tmp_path, lambda _: (0, 0, 0)).measure() is None


def test_the_log_warns_once_and_again_when_it_is_worse(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk(free=10)
    log = DiskLog(Path("/data"), disk)

    with caplog.at_level(logging.INFO):
        for free in (10, 4.9, 4.9, 5.2, 4.8, 2.4, 2.3, 0.9, 0.4, 0, 0, 5.5, 7, 4.9):
            disk.free = free
            log.log_if_worse()

    assert [message.partition(". Make room")[0] for message in caplog.messages] == [
        "The disk of /data is nearly full: 4.9 GB (9 %) free",
        "The disk of /data is nearly full: 2.4 GB (4 %) free",
        "The disk of /data is nearly full: 900 MB (1 %) free",
        "The disk of /data is nearly full: 400 MB (less than 1 %) free",
        "The disk of /data is nearly full: 0 MB (less than 1 %) free",
        "The disk of /data has room again: 7.0 GB (14 %) free.",
        "The disk of /data is nearly full: 4.9 GB (9 %) free",
    ]


def test_check_names_the_free_space_and_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(db_path=tmp_path / "none/ci_observer.db")

    monkeypatch.setattr(check, "free_space", lambda _: (8.0, "4.0 GB (8 %) free"))

    [warning] = check.disk_warnings(config)
    assert warning.startswith(f"The disk of {tmp_path} is nearly full: 4.0 GB (8 %)")
    assert check.check_database(config)[-1].text == "Disk: 4.0 GB (8 %) free."
