"""Parquet of an export, with the descriptions of the columns."""

from collections.abc import Iterator
from typing import BinaryIO

import yaml
from sqlite_utils import Database

from ci_observer import ROOT
from ci_observer.ingest.commands.export_rows import CHUNK, Selection, cursor_of_rows
from ci_observer.ingest.errors import ExportError
from ci_observer.parquet_extra import MISSING, is_installed, parquet_module

# Those of the attempts, then of GitHub's object.
DESCRIBED_IN = ("runs_full", "run_history")


def ensure_installed() -> None:
    """Raise `ExportError` if pyarrow is not installed, before a file is opened."""
    if not is_installed():
        raise ExportError(MISSING)


def write_rows(
    file: BinaryIO, db: Database, selection: Selection, *, raw: bool
) -> Iterator[int]:
    """Write the rows of a selection; yield the number of each part."""
    cursor = cursor_of_rows(db, selection, raw=raw)
    columns = [column[0] for column in cursor.description]
    writer = parquet_module().ParquetWriter(file, columns, _descriptions())
    while rows := cursor.fetchmany(CHUNK):
        writer.add(rows)
        yield len(rows)
    writer.close()


def _descriptions() -> dict[str, str]:
    metadata = yaml.safe_load((ROOT / "metadata.yml").read_text(encoding="utf-8"))
    tables = metadata["databases"]["ci_observer"]["tables"]
    found: dict[str, str] = {}
    for name in DESCRIBED_IN:
        found |= tables[name]["columns"]
    return found
