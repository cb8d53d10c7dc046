"""The part `file`: SQLite reads a file with 2 M runs, to compare the lake with."""

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

from bench.scale.figures import Figure
from bench.scale.questions import TITLES, ask, connect_archive
from bench.scale.runs_file import write_runs_file

PART = "file"
MINUTES = 1
RUNS = 2_000_000


def archive(scratch: Path, say: Callable[[str], None]) -> Path:
    """The file of this part, which is written if it is not there; also for others."""
    path = scratch / PART / "ci_observer.db"
    if not path.exists():
        write_runs_file(path, RUNS, say)
    return path


def measure(scratch: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    path = archive(scratch, say)
    size = path.stat().st_size / RUNS
    note = f"{RUNS:,} synthetic runs and their attempts, without objects, jobs, indexes"
    yield Figure(PART, "bytes per run", size, note)
    with closing(connect_archive(path)) as conn:
        for name, result in ask(conn.execute).items():
            yield Figure(PART, f"{TITLES[name]}, seconds", result.seconds, result.note)
