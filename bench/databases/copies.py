"""Fills a database with shifted copies of another one's runs, in SQL alone.

The store needs hours for ten million runs. The copies are a little earlier than their
originals, so that they spread evenly over the same span. Each has its own commit and
its own times: else ten times the runs would fill no more rows of the rollups.
"""
# ruff: noqa: S608 (own names, and no value)

from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from bench.databases.synthetic_runs import SPAN, STEP
from ci_observer.ingest.db import derived, indexes, objects, schema
from ci_observer.ingest.db.rollups import TABLES, restart
from ci_observer.ingest.progress import Progress, no_progress
from ci_observer.ingest.store import rollups

# The tables whose rows belong to a run and are copied with it.
OF_RUNS = (
    *("runs", "run_attempts", "run_payloads", "jobs", "job_steps", "job_errors"),
    "decisions",
)
# Rows of the rollups, which are built after the copies.
BUILT = (*TABLES, "rollup_progress", "flaky_shas")
PAYLOADS = ("run_payloads", "payload_parts")
# The factor of a copied run's times. All of its rows have the same one.
STRETCH = "(select factor from run_stretches where place = (b.run_id - c.n) % 1000)"
# A copied column's value. `b` is the original row, `c.n` the number of the copy.
VALUES = {
    "run_id": "b.run_id - c.n",
    "job_id": "b.job_id * c.copies - c.n",
    "run_number": "b.run_number * c.copies - c.n",
    # Commits are looked up by the first seven characters.
    "head_sha": "printf('%04x', c.n) || substr(b.head_sha, 5)",
    "html_url": "replace(b.html_url, b.run_id, b.run_id - c.n)",
    "duration_seconds": f"cast(b.duration_seconds * {STRETCH} as integer)",
    "queue_seconds": f"cast(b.queue_seconds * {STRETCH} as integer)",
}
ROLLUP_BATCH = 100_000
TIME = "strftime('%Y-%m-%dT%H:%M:%SZ', b.{column}, c.shift)"


def fill_with_copies(
    target: Path,
    source: Path,
    *,
    copies: int,
    has_objects: bool = True,
    is_complete: bool = True,
    progress: Progress = no_progress,
) -> None:
    """Fill the new database `target` with `copies` of each run of `source`.

    The original counts as the first copy. The copies of a run have the ids below its
    own, so there are fewer than `STEP`. If `is_complete` is false, only runs and
    attempts are copied: tiles and the tables that count runs keep the values of
    `source`, the rollups are empty, and there are no indexes but those of keys.
    """
    if not 1 <= copies < STEP:
        raise ValueError(f"copies is {copies}: at least 1, less than {STEP}.")
    with closing(schema.connect(target)) as db:
        tune(db)
        schema.migrate(db)
        # Triggers would run for each row, and indexes are faster made at the end.
        objects.drop(db, [key for key in objects.shipped() if key[0] != "view"])
        db.conn.commit()
        db.execute("attach ? as source", [str(source.absolute())])
        _add_numbers(db, copies)
        _add_stretches(db)
        skipped = set(() if has_objects else PAYLOADS)
        if not is_complete:
            skipped |= {*OF_RUNS} - {"runs", "run_attempts"}
        tables = [name for name in _tables(db) if name not in skipped]
        for table in progress(tables, "copying"):
            _copy(db, table)
            db.conn.commit()
        db.execute("detach source")
        if is_complete:
            _complete(db, progress)
        else:
            _create_triggers(db)
        db.execute("pragma wal_checkpoint(truncate)")


def tune(db: Database) -> None:
    """Set a connection to bulk writes of a file that no other process reads yet."""
    db.execute("pragma synchronous = off")
    db.execute("pragma foreign_keys = off")
    db.execute("pragma cache_size = -400000")


def _tables(db: Database) -> list[str]:
    """The tables to copy, runs first; the others are the schema's own."""
    names = {name for name in db.table_names() if not name.startswith(("_", "sqlite_"))}
    of_runs = [name for name in OF_RUNS if name in names]
    return [*of_runs, *sorted(names - {*OF_RUNS, *BUILT, "schema_objects"})]


def _add_numbers(db: Database, copies: int) -> None:
    """A row per copy in the order of the ids: its number, how much earlier it is."""
    [[runs]] = db.execute("select count(*) from source.runs")
    seconds = SPAN.total_seconds() / max(1, runs) / copies
    db.execute(
        "create temp table copy_numbers"
        " (place integer primary key, n integer, copies integer, shift text)"
    )
    db.conn.executemany(
        "insert into copy_numbers (n, copies, shift) values (?, ?, ?)",
        [
            (n, copies, f"-{round(n * seconds)} seconds")
            for n in reversed(range(copies))
        ],
    )


def _add_stretches(db: Database) -> None:
    """A thousand factors of a run's times: 0.8 to 1.2 for most, and a tail to 3.2."""
    db.execute(
        "create temp table run_stretches (place integer primary key, factor real)"
    )
    shares = [n * 617 % 1000 / 1000 for n in range(1000)]
    db.conn.executemany(
        "insert into run_stretches values (?, ?)",
        [(n, 0.8 + 0.4 * x + 2 * x**10) for n, x in enumerate(shares)],
    )


def _copy(db: Database, table: str) -> None:
    columns = [column.name for column in db[table].columns]
    is_copied = table in OF_RUNS
    values = [_value(name) if is_copied else f"b.{name}" for name in columns]
    numbers = "cross join copy_numbers c" if is_copied else ""
    db.execute(
        f"insert or replace into main.{table} ({', '.join(columns)})"
        f" select {', '.join(values)} from source.{table} b {numbers}"
    )


def _value(column: str) -> str:
    if column.endswith("_at"):
        return TIME.format(column=column)
    return VALUES.get(column, f"b.{column}")


def _complete(db: Database, progress: Progress) -> None:
    """Bring the schema up to date, and fill the tables that are made from others."""
    schema.migrate(db, progress=progress)
    # Those that ingest makes between its passes.
    for _ in progress(indexes.pending(db), "creating indexes"):
        indexes.make_next(db)
    _count(db, progress)


def _create_triggers(db: Database) -> None:
    for (kind, _), sql in objects.shipped().items():
        if kind == "trigger":
            db.execute(sql)


def _count(db: Database, progress: Progress) -> None:
    """Fill the tables that count runs, those of the branches, and the rollups."""
    with db.conn:
        for name in progress(derived.COUNTED_COLUMNS, "counting runs"):
            derived.recount(db, name)
    branches = db.execute("select repo, workflow, branch from tiles").fetchall()
    with db.conn:
        for key in progress(branches, "rebuilding tiles"):
            derived.refresh_tile(db, *key)
    build_rollups(db, progress)


def build_rollups(db: Database, progress: Progress = no_progress) -> None:
    """Build all rollups, as ingest does it in the background."""
    with db.conn:
        restart(db)
    steps = range(0, rollups.progress(db).runs_total + 1, ROLLUP_BATCH)
    for _ in progress([f"from run {step}" for step in steps], "building rollups"):
        rollups.build(db, ROLLUP_BATCH)
    if not rollups.progress(db).is_complete:
        raise RuntimeError("The rollups are not complete.")
