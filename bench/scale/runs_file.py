"""A database with millions of runs, written in a minute or two.

The store writes few runs, and SQL copies their rows in `runs` and `run_attempts`, which
the lake reads. Nothing else is complete: there are no objects, jobs, counts or indexes.
"""

from collections.abc import Callable
from pathlib import Path

from bench.databases.copies import fill_with_copies
from bench.databases.make_db import make_db

# The store writes this many.
WRITTEN = 2_000
WORKFLOWS = 100


def write_runs_file(path: Path, runs: int, say: Callable[[str], None]) -> None:
    """Write a new database with `runs` runs, a multiple of 2,000, to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    few = path.with_name(f"{path.name}.few")
    say(f"writing {WRITTEN:,} runs, and copying them to {runs:,}")
    make_db(few, runs=WRITTEN, feeds=WORKFLOWS, has_jobs=False)
    fill_with_copies(
        path, few, copies=runs // WRITTEN, has_objects=False, is_complete=False
    )
    few.unlink()
