"""The archive as a file: one row per attempt, oldest first, in constant memory."""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sqlite_utils import Database

from ci_observer.ingest.errors import ExportError

FORMATS = ("csv", "ndjson")

# A run's latest attempt is what its object tells of. The loop over `runs` is outermost
# to follow an index in the order of the file: nothing is sorted or held.
_SELECT = """
from runs r
cross join run_history h using (run_id)
{payload}
where {where}
"""
_PAYLOAD = "left join runs_full p on p.run_id = h.run_id and h.is_latest_attempt"


@dataclass(frozen=True)
class Selection:
    """Which runs: of these repositories, with the latest attempt started in between."""

    repos: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def where_sql(self) -> tuple[str, list[str]]:
        """The condition on `runs` as `r`, and its parameters."""
        claims, params = ["true"], list(self.repos)
        if self.repos:
            claims.append(f"r.repo in ({', '.join('?' * len(self.repos))})")
        if self.since:
            claims.append("r.started_at >= ?")
            params.append(self.since)
        if self.until:
            claims.append("r.started_at <= ?")
            params.append(self.until)
        return " and ".join(claims), params


def count_attempts(db: Database, selection: Selection) -> int:
    """How many rows the export has."""
    where, params = selection.where_sql()
    [[count]] = db.execute(
        "select count(*)" + _SELECT.format(payload="", where=where), params
    )
    return int(count)


@dataclass(frozen=True)
class Rows:
    """Rows to write, each a tuple of values in the order of the columns."""

    columns: tuple[str, ...]
    values: Iterable[tuple[Any, ...]]


def export_rows(db: Database, selection: Selection, *, raw: bool) -> Rows:
    """The rows of `run_history`; with `raw`, GitHub's object at the latest attempt.

    All of them are of one moment, whatever is written meanwhile.
    """
    where, params = selection.where_sql()
    cursor = db.execute(
        f"select h.* {', p.raw_json' if raw else ''}"
        + _SELECT.format(payload=_PAYLOAD if raw else "", where=where)
        + "order by r.started_at, r.run_id, h.run_attempt",
        params,
    )
    return Rows(tuple(column[0] for column in cursor.description), cursor)


def write_rows(file: TextIO, rows: Rows, form: str) -> int:
    """Write rows as CSV with a header, or as a JSON object a line; return how many."""
    number = 0
    writer = csv.writer(file)
    if form == "csv":
        writer.writerow(rows.columns)
    for number, values in enumerate(rows.values, 1):  # noqa: B007 (the last one counts)
        if form == "csv":
            writer.writerow(values)
        else:
            file.write(_json_line(dict(zip(rows.columns, values, strict=True))))
    return number


def _json_line(row: dict[str, Any]) -> str:
    if "raw_json" not in row:
        return json.dumps(row, ensure_ascii=False) + "\n"
    # GitHub's object is JSON already, and goes out as it is.
    raw_json = row.pop("raw_json") or "null"
    return f'{json.dumps(row, ensure_ascii=False)[:-1]}, "raw_json": {raw_json}}}\n'


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A file to write that takes its name only when all of it is written.

    Raises `ExportError` when it cannot be written.
    """
    path = path.resolve()
    # A device or a named pipe has no content to lose, and must not be replaced.
    is_replaced = path.is_file() or not path.exists()
    part = path.with_name(f".{path.name}.{os.getpid()}") if is_replaced else path
    try:
        # As the csv module asks: it writes the ends of its lines itself.
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        if is_replaced:
            part.replace(path)
    except OSError as error:
        raise ExportError(f"Cannot write {path}: {error.strerror}.") from error
    finally:
        if is_replaced:
            part.unlink(missing_ok=True)
