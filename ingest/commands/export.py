"""The command `export`: all attempts as a file, oldest first, in constant memory."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import click
from sqlite_utils import Database

from ci_observer.csv_formulas import NEUTRALISE, neutralised_row
from ci_observer.ingest.commands.terminal import print_as_utf_8, progress_bar
from ci_observer.ingest.errors import ExportError

FORMATS = ("csv", "ndjson")
STDOUT = Path("-")

# `runs` is the outer loop, so that SQLite reads an index in the order of the file and
# needs no sorting. GitHub's object belongs to the latest attempt of a run.
_SELECT = """
from runs r
cross join run_history h using (run_id)
{payload}
where {where}
"""
_PAYLOAD = "left join runs_full p on p.run_id = h.run_id and h.is_latest_attempt"


@dataclass(frozen=True)
class Selection:
    """The runs to export, by repository and by the start of their latest attempt.

    `since` and `until` are UTC texts as in the database, both included.
    """

    repos: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def where_sql(self) -> tuple[str, list[str]]:
        """The condition on `runs` as `r`, and its parameters."""
        conditions, params = ["true"], list(self.repos)
        if self.repos:
            conditions.append(f"r.repo in ({', '.join('?' * len(self.repos))})")
        if self.since:
            conditions.append("r.started_at >= ?")
            params.append(self.since)
        if self.until:
            conditions.append("r.started_at <= ?")
            params.append(self.until)
        return " and ".join(conditions), params


def export_file(
    db: Database,
    selection: Selection,
    path: Path,
    *,
    output_format: str,
    formulas: str,
    raw: bool,
) -> None:
    """Write a selection to a file, or to standard output if `path` is `-`.

    `formulas` says what becomes of cells of CSV that a spreadsheet would run.
    """
    rows = export_rows(db, selection, raw=raw)
    if output_format == "csv" and formulas == NEUTRALISE:
        rows = replace(rows, convert=neutralised_row)
    if path == STDOUT:
        print_as_utf_8()
        write_rows(sys.stdout, rows, output_format)
        return
    total = count_attempts(db, selection)
    with (
        whole_file(path) as file,
        progress_bar(rows.values, total, "exporting") as values,
    ):
        count = write_rows(file, replace(rows, values=values), output_format)
    click.echo(f"{count} attempts written to {path}", err=True)


def format_of(path: Path) -> str:
    """The format that a file's extension stands for; csv for unknown ones."""
    return "ndjson" if path.suffix in (".ndjson", ".jsonl") else "csv"


def count_attempts(db: Database, selection: Selection) -> int:
    """The number of rows of an export."""
    where, params = selection.where_sql()
    [[count]] = db.execute(
        "select count(*)" + _SELECT.format(payload="", where=where), params
    )
    return int(count)


@dataclass(frozen=True)
class Rows:
    """Rows to write, each a tuple of values in the order of the columns.

    `convert` gives the cells of a row of CSV, also of the one with the columns.
    """

    columns: tuple[str, ...]
    values: Iterable[tuple[Any, ...]]
    convert: Callable[[tuple[Any, ...]], Sequence[Any]] = tuple


def export_rows(db: Database, selection: Selection, *, raw: bool) -> Rows:
    """The rows of the view `run_history`, from one snapshot of the database.

    With `raw`, the row of a run's latest attempt has GitHub's object as `raw_json`.
    """
    where, params = selection.where_sql()
    cursor = db.execute(
        f"select h.* {', p.raw_json' if raw else ''}"
        + _SELECT.format(payload=_PAYLOAD if raw else "", where=where)
        + "order by r.started_at, r.run_id, h.run_attempt",
        params,
    )
    return Rows(tuple(column[0] for column in cursor.description), cursor)


def write_rows(file: TextIO, rows: Rows, output_format: str) -> int:
    """Write CSV with a header, or a JSON object a line; return the number of rows."""
    count = 0
    writer = csv.writer(file)
    if output_format == "csv":
        writer.writerow(rows.convert(rows.columns))
    for count, values in enumerate(rows.values, 1):  # noqa: B007 (returned below)
        if output_format == "csv":
            writer.writerow(rows.convert(values))
        else:
            file.write(_json_line(dict(zip(rows.columns, values, strict=True))))
    return count


def _json_line(row: dict[str, Any]) -> str:
    if "raw_json" not in row:
        return json.dumps(row, ensure_ascii=False) + "\n"
    # GitHub's object is JSON text already: insert it unchanged.
    raw_json = row.pop("raw_json") or "null"
    return f'{json.dumps(row, ensure_ascii=False)[:-1]}, "raw_json": {raw_json}}}\n'


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A file to write that appears under its name only when it is complete.

    Raises `ExportError` if it cannot be written.
    """
    path = path.resolve()
    # A device or a named pipe must not be replaced by a file.
    is_replaced = path.is_file() or not path.exists()
    part = path.with_name(f".{path.name}.{os.getpid()}") if is_replaced else path
    try:
        # The csv module writes line endings itself:
        # https://docs.python.org/3/library/csv.html#csv.writer
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        if is_replaced:
            part.replace(path)
    except OSError as error:
        raise ExportError(f"Cannot write {path}: {error.strerror}.") from error
    finally:
        if is_replaced:
            part.unlink(missing_ok=True)
