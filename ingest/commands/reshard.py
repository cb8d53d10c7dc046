"""The command `reshard`: splits and joins databases for another number of shards.

The outputs are written in a hidden folder next to their place, and get their names when
all are complete and checked. A folder that a killed command has left is deleted by the
next one.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import click
from sqlite_utils import Database

from ci_observer.ingest.commands.backup import create_folder, refuse_full_disk
from ci_observer.ingest.commands.terminal import megabytes, progress_bar
from ci_observer.ingest.config.shard import Shard
from ci_observer.ingest.db import copies, objects, schema
from ci_observer.ingest.db.copies import Damaged, open_for_bulk
from ci_observer.ingest.db.storage_errors import explain
from ci_observer.ingest.errors import BackupError
from ci_observer.ingest.progress import no_progress
from ci_observer.ingest.reshard import rebuilding
from ci_observer.ingest.reshard.copying import ShardCopy
from ci_observer.ingest.reshard.plan import attached, make_plan
from ci_observer.ingest.reshard.sources import (
    NOTHING_WRITTEN,
    Source,
    open_sources,
    refuse_missing_shards,
)

# Indexes are sorted on the disk, and the plan has a row for each run.
SIZE_FACTOR = 1.3
# The database that each of the new ones begins as.
EMPTY = "empty.db"


def reshard(
    files: Sequence[Path], folder: Path, *, shards: int, is_incomplete: bool = False
) -> None:
    """Write the databases of all shards into a folder, and report them.

    `is_incomplete` allows that the file of a former shard is missing. Raises
    `BackupError`; then the folder has none of them, and the sources are as they were.
    """
    create_folder(folder)
    outputs = [folder / f"shard-{n}-of-{shards}.db" for n in range(1, shards + 1)]
    _refuse_existing(outputs)
    try:
        with _temporary_folder(folder) as part:
            with open_sources(files) as sources:
                if not is_incomplete:
                    refuse_missing_shards(sources)
                size = sum(source.size for source in sources)
                refuse_full_disk(part, round(SIZE_FACTOR * size))
                written = _write(part, sources, shards)
            _refuse_existing(outputs)
            for (path, _), output in zip(written, outputs, strict=True):
                path.replace(output)
        copies.sync_folder(folder)
    except OSError as error:
        raise BackupError(f"Cannot write to {folder}: {error.strerror}.") from error
    _report(outputs, [runs for _, runs in written], sources)


def _refuse_existing(outputs: Sequence[Path]) -> None:
    for path in outputs:
        if path.exists() or path.is_symlink():
            raise BackupError(
                f"{path} exists already: choose another folder. {NOTHING_WRITTEN}"
            )


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[Path]:
    """A locked folder for unfinished files, which is deleted at the end."""
    part = folder / ".reshard.part"
    part.mkdir(0o750, exist_ok=True)
    # Another user's link would have the files of its target deleted.
    descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for former in part.iterdir():
            former.unlink()
        yield part
        shutil.rmtree(part)
    except BlockingIOError:
        raise BackupError(
            f"Another ci-observer reshard is writing to {folder} now."
        ) from None
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def _write(
    part: Path, sources: Sequence[Source], shards: int
) -> list[tuple[Path, int]]:
    """Write and check the databases; return the path and the runs of each."""
    plan, empty = part / "plan.db", part / EMPTY
    # The one more keeps the last step from being shown as done when it begins.
    steps = 2 * len(sources) + shards * (2 * len(sources) + 2) + 1
    path = plan
    try:
        with progress_bar(None, steps, "resharding", lambda text: text) as bar:

            def step(text: str) -> None:
                bar.update(1, text)

            make_plan(plan, sources, shards=shards, step=step)
            _write_empty(empty)
            written = []
            for number in range(1, shards + 1):
                path = part / f"shard-{number}-of-{shards}.db"
                shard = Shard(number, shards)
                runs = _write_shard(path, plan, sources, shard, step)
                written.append((path, runs))
            step("done")
    except Damaged as damage:
        raise BackupError(
            f"The new {path.name} is wrong ({damage}), so all were deleted. Check each "
            "FILE with ci-observer backup, which verifies it."
        ) from damage
    except sqlite3.DatabaseError as error:
        copies.raise_if_interrupted(error)
        raise BackupError(
            f"The databases cannot be written: {_advice(error, path)} All unfinished "
            "ones were deleted."
        ) from error
    return written


def _advice(error: sqlite3.DatabaseError, path: Path) -> str:
    if getattr(error, "sqlite_errorname", None) == "SQLITE_FULL":
        return f"{error}. Make room, or choose a folder on another disk."
    return explain(error, path)


def _write_empty(path: Path) -> None:
    """Write a database with the tables and views of this version only.

    Triggers would run for each row, and indexes are faster made at the end.
    """
    with closing(schema.connect(path)) as db:
        schema.migrate(db, progress=no_progress)
        objects.drop(db, [key for key in objects.shipped() if key[0] != "view"])
        db.conn.commit()
        db.execute("pragma journal_mode = delete").fetchall()


def _write_shard(
    path: Path,
    plan: Path,
    sources: Sequence[Source],
    shard: Shard,
    step: Callable[[str], None],
) -> int:
    shutil.copy(path.with_name(EMPTY), path)
    with closing(open_for_bulk(path)) as conn:
        db = Database(conn)
        conn.execute("attach ? as plan", [f"{plan.absolute().as_uri()}?mode=ro"])
        facts = [rebuilding.facts_of(conn, source) for source in sources]
        newest = max(
            sources,
            key=lambda s: facts[s.number]["instance"].get("ingest_started_at") or "",
        )
        copy = ShardCopy(conn, shard.number)
        for source in sources:
            step(f"shard {shard}: copying {source.path.name}")
            with attached(conn, source):
                copy.copy_best(source, newest)
        for source in sources:
            step(f"shard {shard}: joining {source.path.name}")
            with attached(conn, source):
                if len(sources) > 1:
                    copy.copy_rest(source)
                copy.copy_to_all(source)
        step(f"shard {shard}: creating indexes")
        rebuilding.complete(db, copy, shard, facts, no_progress)
        step(f"shard {shard}: checking")
        runs = rebuilding.check(conn, shard.number)
        conn.execute("detach plan")
    with path.open("rb") as file:
        os.fsync(file.fileno())
    if os.geteuid() == 0:
        copies.give_to_owner(path, sources[0].path.stat())
    return runs


def _report(
    outputs: Sequence[Path], runs: Sequence[int], sources: Sequence[Source]
) -> None:
    for path, count in zip(outputs, runs, strict=True):
        noun = "run" if count == 1 else "runs"
        click.echo(f"{path}: {count:,} {noun}, {megabytes(path.stat().st_size)}")
    click.echo(
        f"{sum(runs):,} runs in all, each once; every database was checked. Start each "
        "shard with its file as CI_OBSERVER_DB, and keep the former files until then."
    )
    for source in sources:
        if source.others:
            click.echo(
                f"Not carried over from {source.path}, because it is yours: "
                f"{', '.join(source.others)}."
            )
