"""The command `export`: all attempts as a file, oldest first, in constant memory."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click
from sqlite_utils import Database

from ci_observer.ingest.commands import export_csv, export_parquet
from ci_observer.ingest.commands.export_rows import (
    CHUNK,
    Selection,
    cursor_of_rows,
    snapshot,
)
from ci_observer.ingest.commands.terminal import print_as_utf_8, progress_bar
from ci_observer.ingest.errors import ExportError

STDOUT = Path("-")


@dataclass(frozen=True)
class Output:
    """How rows are written: the format, and whether GitHub's objects are added.

    `formulas` says what becomes of cells of CSV that a spreadsheet would run.
    """

    output_format: str
    formulas: str
    has_objects: bool


def export_file(db: Database, selection: Selection, path: Path, output: Output) -> None:
    """Write a selection to a file, or to standard output if `path` is `-`.

    All of it is from one state of the database. Raises `ExportError`.
    """
    if output.output_format == "parquet":
        export_parquet.ensure_installed()
    with snapshot(db):
        if path == STDOUT:
            print_as_utf_8()
            for _ in write_rows(sys.stdout, db, selection, output):
                pass
            return
        runs = selection.count_runs(db) if sys.stderr.isatty() else 0
        count = 0
        with whole_file(path) as file, progress_bar(None, runs, "exporting") as bar:
            for written in write_rows(file, db, selection, output):
                count += written
                bar.update(written)
    click.echo(f"{count} attempts written to {path}", err=True)


def write_rows(
    file: TextIO, db: Database, selection: Selection, output: Output
) -> Iterator[int]:
    """Write the rows in the format of `output`; yield the number of each part.

    Parquet goes to the binary file below `file`.
    """
    if output.output_format == "parquet":
        return export_parquet.write_rows(
            file.buffer, db, selection, raw=output.has_objects
        )
    if output.output_format == "ndjson":
        return _write_ndjson(file, db, selection, raw=output.has_objects)
    return export_csv.write_rows(
        file, db, selection, formulas=output.formulas, raw=output.has_objects
    )


def _write_ndjson(
    file: TextIO, db: Database, selection: Selection, *, raw: bool
) -> Iterator[int]:
    cursor = cursor_of_rows(db, selection, raw=raw)
    columns = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(CHUNK):
        for values in rows:
            file.write(_json_line(dict(zip(columns, values, strict=True))))
        yield len(rows)


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
