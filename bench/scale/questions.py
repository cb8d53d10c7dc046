"""The questions of analytics, a text for all engines: `contrib/spark/questions/*.sql`.

They read a table `runs` with the columns of the archive's table, and `month` (YYYY-MM).
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from bench.harness.servers import ROOT

FOLDER = ROOT / "contrib" / "spark" / "questions"
# A row of a result: texts and numbers.
Result = list[tuple[object, ...]]


def questions() -> dict[str, str]:
    """The statement of each question, by its name."""
    return {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.sql"))}


def connect_archive(path: Path) -> sqlite3.Connection:
    """A read-only connection to the archive, with `runs` as the questions need it."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    conn = sqlite3.connect(uri, uri=True)
    # The name of the table in a temporary view hides the table.
    conn.execute(
        "create temp view runs as"
        " select *, substr(created_at, 1, 7) as month from main.runs"
    )
    return conn


def results_of_archive(path: Path) -> dict[str, Result]:
    """The rows of each question in SQLite, in ascending order."""
    with closing(connect_archive(path)) as conn:
        return {
            name: sorted(conn.execute(sql).fetchall())
            for name, sql in questions().items()
        }
