"""The measured databases, which are kept for the next run of the benchmarks."""

import hashlib
import sys
from contextlib import closing
from pathlib import Path

import click
from sqlite_utils import Database

from bench.databases.make_db import make_db
from bench.harness.servers import ROOT
from ci_observer.ingest.db import schema

# GitHub's whole objects of more runs would fill the disk.
MOST_WITH_OBJECTS = 2_000_000
FOLDER = ROOT / "data" / "bench"


def cached_database(folder: Path, runs: int) -> Path:
    """The path of a database with this many runs, which is created if it is missing.

    The file name contains a digest of the schema, so a new schema gets a new database.
    """
    path = folder / f"{runs}-{schema_digest()}.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        label = f"writing {runs:,} runs"
        with click.progressbar(length=runs, label=label, file=sys.stderr) as bar:
            make_db(
                path,
                runs=runs,
                has_objects=runs <= MOST_WITH_OBJECTS,
                progress=bar.update,
            )
    return path


def schema_digest() -> str:
    """Eight hex digits that depend on the schema."""
    with closing(Database(memory=True)) as db:
        schema.migrate(db)
        return hashlib.sha256(db.schema.encode()).hexdigest()[:8]
