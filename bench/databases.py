"""The databases that are measured, kept from one run of the benchmarks to the next."""

import hashlib
import sys
from contextlib import closing
from pathlib import Path

import click
from sqlite_utils import Database

from bench.make_db import make_db
from bench.servers import ROOT
from ci_observer.ingest.db import schema

FOLDER = ROOT / "data" / "bench"


def database(folder: Path, runs: int) -> Path:
    """The database of so many runs there; made, with a bar on stderr, if there is none.

    Its name tells its schema, so that it is made anew when that changes.
    """
    path = folder / f"{runs}-{schema_digest()}.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        label = f"making {runs:,} runs"
        with click.progressbar(length=runs, label=label, file=sys.stderr) as bar:
            make_db(path, runs=runs, progress=bar.update)
    return path


def schema_digest() -> str:
    """Eight letters that are others when the schema is another."""
    with closing(Database(memory=True)) as db:
        schema.migrate(db)
        return hashlib.sha256(db.schema.encode()).hexdigest()[:8]
