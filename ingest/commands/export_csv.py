"""CSV of an export: SQLite joins the cells of a row, and few rows need more.

Python's csv module takes three times as long for a row as SQLite takes to read it, and
a check of each cell for formulas twice as long. Most rows have neither a cell to quote
nor one to neutralise, which two searches in the whole row show.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from sqlite_utils import Database

from ci_observer.csv_formulas import NEUTRALISE, neutralised, neutralised_row
from ci_observer.ingest.commands.export_rows import (
    CHUNK,
    Selection,
    columns_of,
    cursor_of_rows,
    select,
)

# Between the cells of a row, until it is written.
SEPARATOR = "\x1f"
LINE_END = "\r\n"
# A cell without breaks that begins with a letter or digit, or is empty, is no formula:
# `ci_observer/csv_formulas.py`. The first cell is checked apart: a pattern that begins
# with one character is found three times as fast as one with a choice.
_has_other_start = re.compile(rf"{SEPARATOR}[^\w{SEPARATOR}]").search

_is_plain_cell = re.compile(r'(?:\w[^,;"\t\r\n]*)?').fullmatch

# Texts that ingest writes itself, and that of `conclusion` once more: they have no NUL.
OF_INGEST = (
    *("repo", "created_at", "started_at", "updated_at", "cancel_cause"),
    *("is_latest_attempt", "effective_conclusion"),
)

Convert = Callable[[tuple[Any, ...]], Any]


def write_rows(
    file: TextIO, db: Database, selection: Selection, *, formulas: str, raw: bool
) -> Iterator[int]:
    """Write a header and the rows of a selection; yield the number of each part."""
    convert: Convert = neutralised_row if formulas == NEUTRALISE else tuple
    if raw:
        return _write_cells(file, db, selection, convert)
    return _write_lines(file, db, selection, convert, formulas == NEUTRALISE)


def _write_cells(
    file: TextIO, db: Database, selection: Selection, convert: Convert
) -> Iterator[int]:
    writer = csv.writer(file, lineterminator=LINE_END)
    cursor = cursor_of_rows(db, selection, raw=True)
    writer.writerow(convert(tuple(column[0] for column in cursor.description)))
    while rows := cursor.fetchmany(CHUNK):
        writer.writerows(map(convert, rows))
        yield len(rows)


def _write_lines(
    file: TextIO,
    db: Database,
    selection: Selection,
    convert: Convert,
    is_neutralised: bool,
) -> Iterator[int]:
    columns = columns_of(db)
    csv.writer(file, lineterminator=LINE_END).writerow(convert(tuple(columns)))
    separators = len(columns) - 1
    neutralise = neutralised if is_neutralised else str
    cursor = select(db, _line_sql(columns), selection)
    while rows := cursor.fetchmany(CHUNK):
        lines = [
            line.replace(SEPARATOR, ",")
            if is_plain_line(line, separators, is_neutralised)
            else csv_line(_cells_of(db, line, separators), neutralise)
            for (line,) in rows
        ]
        file.write(LINE_END.join(lines) + LINE_END)
        yield len(rows)


def is_plain_line(line: str, separators: int, strict: bool) -> bool:
    """Whether the csv module would write these cells as they are.

    `strict` is whether none may be one that a spreadsheet runs, either. Written out,
    since a loop over the characters or a call would take longer than all of the rest.
    """
    return (
        "," not in line
        and '"' not in line
        and "\n" not in line
        and "\r" not in line
        and line.count(SEPARATOR) == separators
        and not (
            strict
            and (
                ";" in line
                or "\t" in line
                or not line[:1].isalnum()
                or _has_other_start(line) is not None
            )
        )
    )


def csv_line(cells: Iterable[str], neutralise: Callable[[str], str]) -> str:
    """The cells as the csv module would write them."""
    return ",".join(
        cell if _is_plain_cell(cell) else _quoted(neutralise(cell)) for cell in cells
    )


def _quoted(cell: str) -> str:
    if any(character in cell for character in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _line_sql(columns: dict[str, str]) -> str:
    """The cells of a row in one text; only its key if `format` would cut a cell.

    SQLite's `format` ends a text at a NUL character.
    """
    texts = [
        name
        for name, kind in columns.items()
        if kind != "integer" and name not in OF_INGEST
    ]
    is_cut = " or ".join(f"instr(h.{name}, char(0))" for name in texts)
    cells = ", ".join(f"h.{name}" for name in columns)
    pattern = SEPARATOR.join("%s" for _ in columns)
    key = f"format('%d{SEPARATOR}%d', h.run_id, h.run_attempt)"
    return f"iif({is_cut}, {key}, format('{pattern}', {cells}))"


def _cells_of(db: Database, line: str, separators: int) -> list[str]:
    """The cells of a line that was not cut, and has no separator within a cell.

    Of any other they are selected again.
    """
    cells = line.split(SEPARATOR)
    if len(cells) == separators + 1:
        return cells
    [row] = db.execute(
        "select * from run_history where run_id = ? and run_attempt = ?", cells[:2]
    ).fetchall()
    return ["" if value is None else str(value) for value in row]
