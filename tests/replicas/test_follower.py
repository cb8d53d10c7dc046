"""Two copies in turn, with a program in place of Litestream that breaks off updates."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from waiting import eventually

from ci_observer.ingest.db.database_file import txid_path
from ci_observer.ingest.replica import copy_file, follower, litestream
from ci_observer.ingest.replica.copy_process import CopyProcess

# Writes the file N of its folder in place, again and again until N.complete is there,
# as Litestream repeats an update that has failed.
PROGRAM = f"""#!{sys.executable} -IS
import sys, time
from pathlib import Path
path, url = sys.argv[-2:]
for number in range(100):
    update = Path(url, str(number))
    while True:
        if update.exists():
            with open(path, "r+b" if number else "wb") as file:
                file.write(update.read_bytes())
            if Path(url, f"{{number}}.complete").exists():
                Path(f"{{path}}-txid").write_text(f"{{number:016x}}")
                break
        time.sleep(0.01)
"""


class Updates:
    """A folder with states of a database, as the bucket of a replica has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, number: int, *, is_complete: bool = True) -> None:
        path = self.folder / "new"
        with closing(sqlite3.connect(path)) as conn:
            conn.execute(f"pragma user_version = {number}")
        path.replace(self.folder / str(number))
        if is_complete:
            self.complete(number)

    def complete(self, number: int) -> None:
        (self.folder / f"{number}.complete").touch()


@pytest.fixture
def updates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Updates:
    program = tmp_path / "litestream"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setattr(litestream, "program", lambda: str(program))
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0)
    found = Updates(tmp_path / "bucket")
    found.folder.mkdir()
    found.write(0)
    return found


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "replica" / "ci_observer.db"
    copy_file.claim(path)
    return path


@pytest.fixture
def followed(updates: Updates, database: Path) -> Iterator[follower.Follower]:
    """A follower whose two copies are restored, one of them shown."""
    found = follower.Follower(str(updates.folder), database, "1s")
    try:
        until(found, lambda: state(database) == 0 and len(copies(found)) == 2)
        until(found, lambda: all(copy.is_restored for copy in copies(found)))
        yield found
    finally:
        found.end()


def copies(found: follower.Follower) -> list[CopyProcess]:
    return [copy for copy in (found._shown, found._other) if copy]


def state(path: Path) -> int | None:
    """The number of a database; None if there is none."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as conn:
        [number] = conn.execute("pragma user_version").fetchone()
    return int(number)


@contextmanager
def a_writer_of(path: Path) -> Iterator[None]:
    """Another process with SQLite's lock, as Litestream has when it waits to write."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('begin exclusive'); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-IS", "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield
        process.kill()


def until(found: follower.Follower, is_so: Callable[[], bool]) -> None:
    eventually(lambda: found.look() and is_so(), every=0.01)


def test_an_incomplete_update_is_never_shown(
    updates: Updates, database: Path, followed: follower.Follower
) -> None:
    for number in (1, 2, 3):
        updates.write(number)
        until(followed, lambda number=number: state(database) == number)  # type: ignore[misc]

    updates.write(4, is_complete=False)
    until(followed, lambda: any(state(copy.path) == 4 for copy in copies(followed)))
    for _ in range(3):
        assert followed.look()
        assert state(database) == 3
        recorded = txid_path(database.resolve()).stat().st_mtime_ns
        assert recorded >= database.stat().st_mtime_ns
    updates.complete(4)
    until(followed, lambda: state(database) == 4)


@pytest.mark.parametrize("killed", ["_shown", "_other"])
def test_a_copy_whose_process_was_killed_is_restored_again(
    updates: Updates, database: Path, followed: follower.Follower, killed: str
) -> None:
    copy = getattr(followed, killed)
    os.kill(copy._process.pid, signal.SIGKILL)
    for number in (1, 2, 3):
        updates.write(number)
        until(followed, lambda number=number: state(database) == number)  # type: ignore[misc]

    until(followed, lambda: not copy.path.exists() and len(copies(followed)) == 2)


def test_it_ends_when_no_copy_is_followed(
    database: Path, followed: follower.Follower
) -> None:
    for copy in copies(followed):
        os.kill(copy._process.pid, signal.SIGKILL)
        eventually(lambda copy=copy: copy.exit_code is not None)  # type: ignore[misc]

    assert not followed.look()
    assert state(database) == 0


def test_a_copy_is_not_paused_within_an_update(
    updates: Updates, database: Path
) -> None:
    copy = CopyProcess(str(updates.folder), database, "1s")
    try:
        eventually(lambda: copy.is_restored)
        updates.write(1, is_complete=False)
        eventually(lambda: state(copy.path) == 1)
        assert not copy.pause()
        updates.complete(1)
        eventually(lambda: copy.txid.endswith("1"))
        with a_writer_of(copy.path):
            assert not copy.pause()
        assert copy.pause()
    finally:
        copy.terminate()
        copy.wait(1)


def test_a_process_that_is_paused_ends(followed: follower.Follower) -> None:
    until(followed, lambda: any(copy.is_paused for copy in copies(followed)))

    followed.end()

    assert [copy.exit_code for copy in copies(followed)] == [-signal.SIGTERM] * 2
