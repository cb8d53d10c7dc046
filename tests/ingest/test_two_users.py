"""`up` with a user for ingest and another for web, as the container starts it."""

import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from uids import (
    GROUP,
    INGEST,
    WEB,
    become_both,
    environ_for_all,
    folder_for_all,
    ids_of,
    needs_users,
    python_for_all,
    run_as,
)
from up import TOKEN, Up, children, environment, is_running, kill, responds
from waiting import HANG_SECONDS, eventually

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.db import schema

pytestmark = needs_users

# Attempts of a process with the user of web: what reads, traces or becomes `pid`.
ATTACKS = """
import ctypes, os, sys
pid, folder, user = sys.argv[1], sys.argv[2], int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)

def attach():
    if libc.ptrace(16, int(pid), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")

def write():
    with open(folder + "/ci_observer.db", "r+b"):
        pass

attempts = {
    "environ": lambda: open(f"/proc/{pid}/environ", "rb").read(),
    "mem": lambda: open(f"/proc/{pid}/mem", "rb").read(1),
    "maps": lambda: open(f"/proc/{pid}/maps", "rb").read(),
    "fd": lambda: os.listdir(f"/proc/{pid}/fd"),
    "ptrace": attach,
    "secret file": lambda: open(folder + "/github_token").read(),
    "database": write,
    "-wal": lambda: open(folder + "/ci_observer.db-wal", "r+b"),
    "-shm": lambda: open(folder + "/ci_observer.db-shm", "r+b"),
    "lock": lambda: open(folder + "/ci_observer.db.lock", "r+b"),
    "folder": lambda: open(folder + "/new", "w"),
    "rename": lambda: os.rename(folder + "/ci_observer.db", folder + "/tmp/x"),
    "setuid": lambda: os.setresuid(user, user, user),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except OSError:
        continue
    print(name)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_for_all() as root:
        folder = root / "data"
        folder.mkdir(mode=0o755)
        os.chown(folder, INGEST, INGEST)
        yield folder


@pytest.fixture(scope="module")
def github() -> Iterator[GitHubServer]:
    world = World("2026-03-02T09:00:00Z")
    world.add_run("acme/api", "ci.yml", conclusion="success")
    with GitHubServer(world, tokens={TOKEN: Token()}) as server:
        yield server


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Up]:
    """A serving `up` of two users, with its log in the file `log`."""
    port = free_port()
    log = folder.parent / "log"
    environ = environ_for_all(
        CI_OBSERVER_DB=str(folder / "ci_observer.db"),
        CI_OBSERVER_DB_GROUP=str(GROUP),
        CI_OBSERVER_PORT=str(port),
        SQLITE_TMPDIR=str(folder),
        **settings,
    )
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (our own command)
            [python_for_all() or "", "-m", "ci_observer", "up"],
            cwd="/",
            env=environ,
            stdout=output,
            stderr=output,
            preexec_fn=become_both,  # noqa: PLW1509 (it only changes users)
            start_new_session=True,
        )
    up = Up(process, port)
    try:
        eventually(lambda: responds(up) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield up
    finally:
        pids = up.tree()
        process.terminate()
        try:
            assert process.wait(HANG_SECONDS) == 0
        finally:
            for pid in filter(is_running, pids):
                os.kill(pid, signal.SIGKILL)


def secret_file(path: Path, text: str) -> Path:
    path.write_text(text)
    os.chown(path, INGEST, INGEST)
    path.chmod(0o400)
    return path


def modes(folder: Path) -> dict[str, tuple[int, int, int]]:
    """The mode, owner and group of each file of the database."""
    return {
        path.name: (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
        for path in folder.glob("ci_observer.db*")
        if (found := path.stat())
    }


def other_pid_of(up: Up, command: str, former: int) -> int | None:
    pid = up.pid_of(command)
    return None if pid == former else pid


def pid_of(up: Up, command: str) -> int:
    return eventually(lambda: up.pid_of(command))


def test_web_cannot_reach_the_token_or_write_the_database(
    folder: Path, github: GitHubServer
) -> None:
    token_file = secret_file(folder / "github_token", TOKEN)
    access = secret_file(folder / "access_token", "an-access-token-of-this-test")
    with running(
        folder,
        GITHUB_TOKEN_FILE=str(token_file),
        GITHUB_API_URL=github.url,
        GH_REPOS="acme/api",
        GH_WORKFLOWS="ci.yml",
        REFRESH_SECONDS="5",
        ACCESS_TOKEN_FILE=str(access),
    ) as up:
        ingest, web = pid_of(up, "ingest"), pid_of(up, "serve")
        supervisor = up.process.pid
        eventually(lambda: len(github.log) > 0)

        assert ids_of(ingest) == ([INGEST] * 3, [GROUP] * 3)
        assert ids_of(web) == ([WEB] * 3, [GROUP] * 3)
        assert {tuple(ids_of(pid)[0]) for pid in children(web)} <= {(WEB,) * 3}
        for pid in (ingest, supervisor):
            result = run_as(WEB, ATTACKS, pid, folder, INGEST)
            assert (result.stdout, result.stderr) == ("", "")
        names = {line.partition("=")[0] for line in environment(web)}
        assert "GITHUB_TOKEN_FILE" not in names
        assert "ACCESS_TOKEN=an-access-token-of-this-test" in environment(web)
        names = {line.partition("=")[0] for line in environment(ingest)}
        assert "GITHUB_TOKEN_FILE" in names
        assert not {"ACCESS_TOKEN", "ACCESS_TOKEN_FILE"} & names
        files = ("", "-wal", "-shm", ".lock")
        assert modes(folder) == {
            f"ci_observer.db{suffix}": (0o640, INGEST, GROUP) for suffix in files
        }


def test_the_attacks_of_the_test_work_on_a_process_of_the_same_user(
    folder: Path,
) -> None:
    (folder / "ci_observer.db").touch()
    os.chown(folder / "ci_observer.db", INGEST, GROUP)
    with start(INGEST, "input()") as victim:
        result = run_as(INGEST, ATTACKS, victim.pid, folder, INGEST)

    assert {"environ", "fd", "ptrace", "database", "folder"} <= set(
        result.stdout.splitlines()
    ), result.stderr


def test_a_killed_ingest_or_web_comes_back_as_its_user(folder: Path) -> None:
    with running(folder) as up:
        for command, user in (("ingest", INGEST), ("serve", WEB)):
            killed = pid_of(up, command)
            kill(killed)

            again = eventually(partial(other_pid_of, up, command, killed))
            assert ids_of(again)[0] == [user] * 3
        eventually(up.is_serving)


def test_pages_are_served_while_ingest_is_gone(folder: Path) -> None:
    """Without the supervisor's connection SQLite would have deleted the -wal file."""
    with running(folder) as up:
        os.kill(pid_of(up, "ingest"), signal.SIGTERM)
        assert up.get("/api/wall").status_code == 200
        kill(pid_of(up, "serve"))
        eventually(up.is_serving)
        assert {"ci_observer.db-wal", "ci_observer.db-shm"} <= modes(folder).keys()

    # All is in the file when everything has stopped.
    assert modes(folder).keys() == {"ci_observer.db", "ci_observer.db.lock"}


def test_files_of_an_earlier_version_are_closed_to_others(folder: Path) -> None:
    path = folder / "ci_observer.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
    (folder / "ci_observer.db.lock").touch()
    for file in folder.iterdir():
        os.chown(file, INGEST, INGEST)
        file.chmod(0o644)

    with running(folder) as up:
        pid_of(up, "ingest")
        assert set(modes(folder).values()) == {(0o640, INGEST, GROUP)}


def test_a_folder_of_one_user_is_opened_to_the_shared_group_only(folder: Path) -> None:
    folder.chmod(0o700)

    with running(folder) as up:
        assert ids_of(pid_of(up, "serve"))[0] == [WEB] * 3
        found = folder.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o710, GROUP)


@pytest.mark.parametrize("mode", [0o770, 0o2750])
def test_a_folder_of_another_group_means_one_user_and_a_warning(
    folder: Path, mode: int
) -> None:
    folder.chmod(mode)

    with running(folder) as up:
        assert ids_of(pid_of(up, "serve"))[0] == [INGEST] * 3
        assert stat.S_IMODE(folder.stat().st_mode) == mode
        log = (folder.parent / "log").read_text()
        assert "Ingest and web run as one user" in log
        assert f"cannot read {folder}" in log
        assert "Run chmod o+x on that folder" in log


def test_a_folder_that_everybody_may_write_is_warned_of(folder: Path) -> None:
    folder.chmod(0o777)

    with running(folder):
        log = (folder.parent / "log").read_text()
        assert f"{folder} is writable for every user" in log


WRITER = """
import sqlite3, sys
from pathlib import Path
from ci_observer.ingest.db import schema
from ci_observer.ingest.db.keeper import WalKeeper
path = Path(sys.argv[1])
transactions = int(sys.argv[2])
for n in range(1, transactions + 1):
    if n % 40 == 1:
        # Another writer, as after a restart of ingest.
        db = schema.connect(path)
        db.conn.isolation_level = None
    db.execute("begin immediate")
    for table in ("a", "b"):
        db.execute(f"insert into {table} values (?, hex(randomblob(2000)))", [n])
        db.execute(f"delete from {table} where n <= ?", [n - 50])
    db.execute("commit")
    if n % 3 == 0:
        mode = ("passive", "full", "restart", "truncate")[n // 3 % 4]
        db.execute("pragma busy_timeout = 50")
        db.execute(f"pragma wal_checkpoint({mode})").fetchall()
        db.execute("pragma busy_timeout = 20000")
    if n % 40 == 0:
        db.close()
"""
READER = """
import sqlite3, sys
from pathlib import Path
from ci_observer.web.read_connection import ReadConnection
sys.excepthook = lambda kind, error, tb: print(
    kind, error, tb.tb_lineno, getattr(error, "sqlite_errorname", ""), file=sys.stderr
)
path, transactions = Path(sys.argv[1]), int(sys.argv[2])
last = reads = states = 0
while last < transactions:
    # A new connection now and then, as after a replaced file.
    conn = sqlite3.connect(
        f"{path.as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        factory=ReadConnection,
    )
    for _ in range(20):
        conn.execute("begin")
        found = [
            conn.execute(f"select max(n), min(n), count(*) from {table}").fetchone()
            for table in ("a", "b")
        ]
        conn.execute("rollback")
        reads += 1
        if not found[0][0]:
            continue
        high, low, count = found[0]
        assert found[0] == found[1], found
        assert count == high - low + 1 == min(high, 50), found
        assert high >= last, (high, last)
        states += high > last
        last = high
    assert conn.execute("pragma quick_check").fetchall() == [("ok",)]
    conn.close()
print(reads, states)
"""


def test_a_user_who_may_only_read_sees_each_state_of_the_database(
    folder: Path,
) -> None:
    """While a writer commits, checkpoints, resets the log, ends and comes back."""
    path = folder / "ci_observer.db"
    setup = (
        "import sys; from pathlib import Path;"
        "from ci_observer.ingest.db import schema;"
        "db = schema.connect(Path(sys.argv[1]));"
        "[db.execute(f'create table {t} (n integer primary key, x)') for t in 'ab']"
    )
    keep = (
        "import sys; from pathlib import Path;"
        "from ci_observer.ingest.db.keeper import WalKeeper;"
        "keeper = WalKeeper(Path(sys.argv[1]), group=int(sys.argv[2]));"
        "keeper.look(); print('kept', flush=True);"
        "[keeper.look() for _ in sys.stdin]; keeper.close()"
    )
    assert run_as(INGEST, setup, path).stderr == ""
    transactions = "800"
    with start(INGEST, keep, path, GROUP) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == "kept\n"
        with (
            start(INGEST, WRITER, path, transactions) as writer,
            start(WEB, READER, path, transactions) as reader,
        ):
            said, error = reader.communicate(timeout=HANG_SECONDS)
            assert error == ""
            assert writer.wait(HANG_SECONDS) == 0
    reads, states = map(int, said.split())
    assert reads >= states > 10


@contextmanager
def start(
    user: int, code: str, *arguments: object
) -> Iterator["subprocess.Popen[str]"]:
    """Python code as a user of the shared group, in the background."""
    process = subprocess.Popen(  # noqa: S603 (our own code)
        [python_for_all() or "", "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        user=user,
        group=GROUP,
        extra_groups=[],
        env=environ_for_all(),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def run_command(folder: Path, *words: object) -> None:
    """Run a command to its end, as the container starts it."""
    subprocess.run(  # noqa: S603 (our own command)
        [python_for_all() or "", "-m", "ci_observer", *map(str, words)],
        check=True,
        cwd="/",
        env=environ_for_all(
            CI_OBSERVER_DB=str(folder / "ci_observer.db"),
            CI_OBSERVER_DB_GROUP=str(GROUP),
        ),
        preexec_fn=become_both,
    )


@pytest.mark.long
@pytest.mark.parametrize("is_new_machine", [False, True])
def test_web_reads_a_restored_backup(
    folder: Path, github: GitHubServer, is_new_machine: bool
) -> None:
    settings = {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": github.url,
        "GH_REPOS": "acme/api",
        "GH_WORKFLOWS": "ci.yml",
    }
    saved = folder / "saved.db"
    with running(folder, **settings) as up:
        eventually(lambda: up.get("/api/runs").json().get("runs"))
        run_command(folder, "backup", saved)
    assert (saved.stat().st_uid, saved.stat().st_gid) == (INGEST, GROUP)
    if is_new_machine:
        for path in folder.glob("ci_observer.db*"):
            path.unlink()

    run_command(folder, "restore", "--yes", saved)

    restored = modes(folder)["ci_observer.db"]
    assert restored == (0o640, INGEST, GROUP)
    # Nothing is polled, so that the runs are those of the backup.
    with running(folder) as up:
        assert len(up.get("/api/runs").json()["runs"]) == 1
        assert up.get("/ci_observer/runs.json?_shape=array").json()
    assert modes(folder)["ci_observer.db"] == restored
