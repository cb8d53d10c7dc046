"""Broken database files: a sentence with what to do, and the file stays as it is."""

import gc
import logging
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from archive import NOW, save_runs, set_clock, watch
from click.testing import CliRunner
from factories import run_payload, times
from up import PROC, TOKEN, responds, running_up
from waiting import eventually
from walls import save_poll, save_responses
from web_client import serving

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.ingest.cli import main
from ci_observer.ingest.config import SETTINGS
from ci_observer.ingest.db import database_file, schema

# An error leaves connections to the end of the process, and Datasette leaves coroutines
# when one of several fails.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed database"),
    pytest.mark.filterwarnings("ignore:coroutine"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PAGE = schema.PAGE_SIZE
COMMANDS = (
    ("check",),
    ("migrate",),
    ("export",),
    ("export", "--raw"),
    ("prune", "--payloads-before", "2026-01-01", "--yes"),
    ("prune", "--vacuum"),
    ("backfill", "--since", "2026-01-01"),
    ("ingest", "--once"),
)
PATHS = (
    *("/", "/runs", "/workflows/acme/api/ci.yml", "/api/runs", "/api/runs?raw=1"),
    *("/commits/acme/api", "/commits/acme/api/abcdef0"),
    *("/runs/1", "/workflows/acme/api/ci.yml/jobs"),
    *("/api/wall", "/api/config", "/api/health", "/api/filters", "/api/runs.csv"),
    *("/ci_observer", "/ci_observer/runs", "/ci_observer/runs.json", "/-/dashboards"),
    *("/ci_observer/run_history.json", "/ci_observer.json?sql=select+*+from+jobs"),
)


# What each error of a broken file ends with.
ADVICE = ("restore a backup", "sqlite3's .recover")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with some hundred runs, complete in one file."""
    path = tmp_path_factory.mktemp("stored") / "ci_observer.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        set_clock(db, NOW)
        watch(db, ("acme/api", "ci.yml"))
        save_poll(db)
        save_runs(
            db,
            *(
                run_payload(n, **times(f"{n // 60:02}:{n % 60:02}"))
                for n in range(1, 301)
            ),
        )
        save_responses(db)
    return path


@pytest.fixture
def path(tmp_path: Path, stored: Path) -> Path:
    """A copy of it, to be broken."""
    return Path(shutil.copy(stored, tmp_path / "ci_observer.db"))


@pytest.fixture(scope="module")
def github() -> Iterator[GitHubServer]:
    world = World("2026-03-02T09:00:00Z")
    world.add_run("acme/api", "ci.yml", conclusion="success")
    with GitHubServer(world, tokens={TOKEN: Token()}) as server:
        yield server


@pytest.fixture(autouse=True)
def _clean_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Only the test's own settings; restores the logging afterwards."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(database_file, "EMPTY_SECONDS", 0)
    handlers = list(logging.root.handlers)
    yield
    logging.root.handlers[:] = handlers


class Outcome(NamedTuple):
    """How a command ended."""

    exit_code: int
    output: str


def run(path: Path, github: GitHubServer, *arguments: str) -> Outcome:
    """The result of a command, which may not fail with an exception of its own."""
    environ = {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": github.url,
        "GH_REPOS": "acme/api",
        "GH_WORKFLOWS": "ci.yml",
        "CI_OBSERVER_DB": str(path),
    }
    result = CliRunner().invoke(main, arguments, env=environ)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    outcome = Outcome(result.exit_code, result.output)
    # Close what an error has left open, as the end of the process does.
    del result
    gc.collect()
    return outcome


def has_advice(text: str) -> bool:
    return all(words in text for words in ADVICE)


def no_header(data: bytearray) -> bytes:
    return bytes(16) + data[16:]


def no_schema(data: bytearray) -> bytes:
    return data[:100] + bytes(PAGE - 100) + data[PAGE:]


def half(data: bytearray) -> bytes:
    return data[: len(data) // 2 // PAGE * PAGE]


def part_of_a_page(data: bytearray) -> bytes:
    return data[: 5 * PAGE + 100]


def a_text(_: bytearray) -> bytes:
    return b"These are notes. " * 1000


def nothing(_: bytearray) -> bytes:
    return b""


@pytest.mark.parametrize(
    "change", [no_header, no_schema, half, part_of_a_page, a_text, nothing]
)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_refuses_a_file_that_cannot_be_opened_and_leaves_it(
    path: Path,
    github: GitHubServer,
    change: Callable[[bytearray], bytes],
    command: tuple[str, ...],
) -> None:
    before = change(bytearray(path.read_bytes()))
    path.write_bytes(before)

    result = run(path, github, *command)

    assert result.exit_code == 1
    assert has_advice(result.output), result.output
    assert path.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_leaves_another_program_s_database(
    tmp_path: Path, github: GitHubServer, command: tuple[str, ...]
) -> None:
    path = tmp_path / "ci_observer.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("create table recipes (name)")
    before = path.read_bytes()

    result = run(path, github, *command)

    assert result.exit_code == 1
    assert "another program" in result.output or "Check CI_OBSERVER_DB" in result.output
    assert path.read_bytes() == before


def break_pages(path: Path, seed: int) -> None:
    """Flip bits in, zero or overwrite random pages."""
    random_ = random.Random(seed)  # noqa: S311 (the same in each run)
    data = bytearray(path.read_bytes())
    for _ in range(random_.choice([1, 5, 20])):
        start = random_.randrange(len(data) // PAGE) * PAGE
        match random_.choice(["bits", "bits", "zeros", "noise"]):
            case "bits":
                for _ in range(random_.choice([1, 30, 300])):
                    data[start + random_.randrange(PAGE)] ^= 1 << random_.randrange(8)
            case "zeros":
                data[start : start + PAGE] = bytes(PAGE)
            case _:
                data[start : start + PAGE] = random_.randbytes(PAGE)
    path.write_bytes(data)


def is_sound(path: Path) -> bool:
    """Whether SQLite finds no damage; a flipped bit in a text is none to it."""
    with closing(sqlite3.connect(path)) as conn:
        try:
            return conn.execute("pragma quick_check").fetchall() == [("ok",)]
        except (sqlite3.Error, UnicodeDecodeError):
            return False


@pytest.mark.parametrize("seed", range(4))
def test_commands_explain_broken_pages(
    path: Path, github: GitHubServer, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    break_pages(path, seed)
    is_found = not is_sound(path)

    results = [run(path, github, *command) for command in COMMANDS]

    refused = [result for result in results if "damaged" in result.output]
    assert not is_found or results[0] in refused, results[0].output
    assert all(has_advice(result.output) for result in refused)
    assert [r.getMessage() for r in caplog.records if r.exc_info] == []


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(8))
async def test_pages_explain_broken_pages(path: Path, seed: int) -> None:
    break_pages(path, seed)

    async with serving(path) as datasette:
        for url in PATHS:
            try:
                response = await datasette.client.get(url)
            except AssertionError:
                continue  # An export that breaks off.
            assert response.status_code != 500, (url, response.text)
            if response.status_code == 503:
                assert "ci_observer.db" in response.text or "damaged" in response.text


@pytest.mark.skipif(not PROC.is_dir(), reason="needs Linux's /proc")
# The tests of the commands have all changes.
@pytest.mark.parametrize("change", [half, nothing])
def test_up_shows_damage_once_and_uses_a_restored_file(
    tmp_path: Path,
    stored: Path,
    github: GitHubServer,
    change: Callable[[bytearray], bytes],
) -> None:
    path = tmp_path / "data/ci_observer.db"
    path.parent.mkdir()
    broken = change(bytearray(stored.read_bytes()))
    path.write_bytes(broken)
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        running_up(
            tmp_path,
            output.fileno(),
            is_ready=responds,
            GITHUB_TOKEN=TOKEN,
            GITHUB_API_URL=github.url,
            GH_REPOS="acme/api",
            GH_WORKFLOWS="ci.yml",
            REFRESH_SECONDS="5",
        ) as up,
    ):
        eventually(lambda: "Polling waits" in log.read_text())
        ingest = up.pid_of("ingest")
        health = up.get("/api/health")
        assert (health.status_code, up.get("/").status_code) == (503, 503)
        assert path.read_bytes() == broken
        assert up.pid_of("ingest") == ingest
        assert log.read_text().count("Polling waits until the file is replaced") == 1

        backup = Path(shutil.copy(stored, tmp_path / "backup.db"))
        backup.rename(path)

        eventually(lambda: up.get("/api/health").status_code == 200)
    assert "Traceback" not in log.read_text()


def test_a_wal_file_without_a_head_is_kept(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wal = Path(f"{path}-wal")
    wal.write_bytes(bytes(PAGE))

    schema.connect(path).close()

    assert Path(f"{wal}.damaged").read_bytes() == bytes(PAGE)
    assert "ci_observer.db-wal.damaged" in caplog.text
