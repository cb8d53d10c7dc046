"""The questions of analytics, a text for all engines: `contrib/spark/questions/*.sql`.

They read a table `runs` with the columns of the archive's table, and `month` (YYYY-MM).
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness.servers import ROOT

FOLDER = ROOT / "contrib" / "spark" / "questions"
# What each asks for, as the table of figures names it.
TITLES = {
    "count": "number of runs",
    "durations": "p50 and p95 of the duration per workflow",
    "failures": "failure rate per workflow",
    "minutes": "minutes per repository and month",
}
Row = tuple[object, ...]


@dataclass(frozen=True)
class Result:
    """The rows of a question in any order, and the seconds that they took.

    `cpu_seconds` is the processor time of all threads, if it was measured.
    """

    rows: Sequence[Row]
    seconds: float
    cpu_seconds: float | None = None

    @property
    def note(self) -> str:
        """The rows and the processor time, in words."""
        count = f"{len(self.rows):,} row{'s' if len(self.rows) != 1 else ''}"
        if self.cpu_seconds is None:
            return count
        return f"{count}, {self.cpu_seconds:.2f} s of CPU time"


def questions() -> dict[str, str]:
    """The statement of each question, by its name."""
    return {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.sql"))}


def ask(
    select: Callable[[str], Iterable[Row]], names: Sequence[str] = ()
) -> dict[str, Result]:
    """The result of each question, or of those with these names.

    `select` runs a statement in this process.
    """
    results = {}
    statements = questions()
    for name in names or statements:
        sql = statements[name]
        start, cpu = time.monotonic(), time.process_time()
        rows = list(select(sql))
        results[name] = Result(
            rows, time.monotonic() - start, time.process_time() - cpu
        )
    return results


def connect_archive(path: Path) -> sqlite3.Connection:
    """A read-only connection to the archive, with `runs` as the questions need it."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    conn = sqlite3.connect(uri, uri=True)
    # A temporary view hides the table of the same name.
    conn.execute(
        "create temp view runs as"
        " select *, substr(created_at, 1, 7) as month from main.runs"
    )
    return conn


def refuse_differences(
    expected: Mapping[str, Result], found: Mapping[str, Result], engine: str
) -> None:
    """Raise `ValueError` unless every number is equal."""
    for name, result in expected.items():
        ours, theirs = ({*of.rows} for of in (result, found[name]))
        different = sorted(ours ^ theirs, key=repr)
        if different or len(result.rows) != len(found[name].rows):
            raise ValueError(
                f"{engine} has {len(found[name].rows)} rows for {name}, SQLite has"
                f" {len(result.rows)}; the first that differs is {different[:1]}"
            )
