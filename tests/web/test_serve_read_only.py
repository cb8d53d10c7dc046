"""The command `serve --read-only`: its processes, its files and its exit codes."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from archive import save_runs, watch
from click.testing import CliRunner
from factories import run_payload
from processes import CI_OBSERVER, environ_with, serving
from read_only import files_of, to_rollback_mode
from up import descendants
from waiting import eventually

from ci_observer.ingest.cli import main
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.db import schema

COUNT = "/ci_observer.json?sql=select+count(*)+from+runs&_shape=arrays"
# Of the mode in which a process has opened a file: https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html
ACCESS = os.O_WRONLY | os.O_RDWR


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two databases as Litestream restores them, with a run and with two."""
    folder = tmp_path_factory.mktemp("made")
    with closing(schema.connect(folder / "1.db")) as db:
        schema.migrate(db)
        watch(db, ("acme/api", "ci.yml"))
        save_runs(db, run_payload(1))
    shutil.copyfile(folder / "1.db", folder / "2.db")
    with closing(schema.connect(folder / "2.db")) as db:
        save_runs(db, run_payload(1), run_payload(2))
    for name in ("1.db", "2.db"):
        to_rollback_mode(folder / name)
    return folder


def replace(source: Path, path: Path) -> None:
    """Put a copy at a path at once, as a restore does."""
    shutil.copyfile(source, f"{source}.tmp")
    Path(f"{source}.tmp").replace(path)


def opened_for_writing(folder: Path) -> Iterator[str]:
    """The files of a folder that a process below this one may write."""
    for pid in descendants(os.getpid()):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = Path(os.readlink(descriptor))
                info = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text()
            except OSError:
                continue
            [flags] = [line for line in info.splitlines() if line.startswith("flags:")]
            if target.parent == folder and int(flags.split()[1], 8) & ACCESS:
                yield target.name


@pytest.mark.skipif(not Path("/proc/self/fdinfo").exists(), reason="needs /proc")
def test_every_process_follows_the_file_and_writes_nothing(
    made: Path, tmp_path: Path
) -> None:
    one, two = made / "1.db", made / "2.db"
    path = tmp_path / "data" / "ci_observer.db"
    path.parent.mkdir()
    environ = environ_with(CI_OBSERVER_DB=path)
    with serving(environ, tmp_path, [*CI_OBSERVER], ("--read-only",)) as web:

        def counts() -> tuple[int, int]:
            """The runs as the process of the wall, and as a worker, has them."""
            runs = web.get("/api/runs").json()["runs"]
            return len(runs), web.get(COUNT).json()["rows"][0][0]

        def statuses() -> set[int]:
            return {web.get(path).status_code for path in ("/", "/api/health", COUNT)}

        eventually(lambda: "no database yet" in web.get(COUNT).text)
        assert statuses() == {httpx.codes.SERVICE_UNAVAILABLE}
        replace(one, path)
        assert counts() == (1, 1)
        before = files_of(path.parent)
        replace(two, path)
        assert counts() == (2, 2)
        path.unlink()
        assert statuses() == {httpx.codes.SERVICE_UNAVAILABLE}
        replace(one, path)
        assert counts() == (1, 1)
        assert [*opened_for_writing(path.parent)] == []
    after = files_of(path.parent)

    assert {name: content for name, (_, _, content) in after.items()} == {
        name: content for name, (_, _, content) in before.items()
    }


def test_another_version_at_the_start_is_one_sentence_and_exit_code_1(
    made: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ci_observer.db"
    shutil.copyfile(made / "1.db", path)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(
            "insert into _sqlite_migrations (migration_set, name)"
            " values ('ci_observer', 'm900_next')"
        )
        conn.commit()
    before = files_of(path.parent)

    result = CliRunner().invoke(
        main,
        ["serve", "--read-only"],
        env={"CI_OBSERVER_DB": str(path), "CI_OBSERVER_PORT": str(free_port())},
    )

    assert result.exit_code == 1
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "with the migration m900_next, which this version" in line
    assert line.endswith("update this process to the writer's version.")
    assert files_of(path.parent) == before


@pytest.mark.parametrize("command", ["serve", "ingest", "up", "migrate"])
def test_no_command_writes_a_replica_of_litestream(
    made: Path, tmp_path: Path, command: str
) -> None:
    path = tmp_path / "ci_observer.db"
    shutil.copyfile(made / "1.db", path)
    Path(f"{path}-txid").write_text("1")
    before = files_of(path.parent)

    result = CliRunner().invoke(
        main,
        [command],
        env={"CI_OBSERVER_DB": str(path), "CI_OBSERVER_PORT": str(free_port())},
    )

    assert result.exit_code == 1
    assert "Read it with ci-observer serve --read-only." in result.stderr
    assert files_of(path.parent) == before
