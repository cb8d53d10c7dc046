"""The formats of an export: each writes a header, rows page by page, and an end."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ci_observer.csv_formulas import KEEP, neutralised_row
from ci_observer.parquet_extra import MISSING, is_installed, parquet_module

Item = dict[str, Any]


class Writer(Protocol):
    """Turns the rows of one export into bytes."""

    def header(self) -> bytes:
        """The bytes before the first row."""

    def rows(self, items: list[Item]) -> bytes:
        """The bytes of a page of rows; none if the writer keeps them for later."""

    def end(self) -> bytes:
        """The bytes after the last row."""


@dataclass(frozen=True)
class Content:
    """An export: its columns with descriptions, and how formulas are written."""

    columns: tuple[str, ...]
    descriptions: Mapping[str, str]
    formulas: str


class CsvWriter:
    """CSV as in RFC 4180, with the names of the columns in the first line."""

    def __init__(self, content: Content) -> None:
        self._columns = content.columns
        self._convert: Callable[..., Any] = (
            list if content.formulas == KEEP else neutralised_row
        )

    def header(self) -> bytes:
        return self._lines([[*self._columns]])

    def rows(self, items: list[Item]) -> bytes:
        return self._lines(
            [self._convert(map(self._cell, item.values())) for item in items]
        )

    def end(self) -> bytes:
        return b""

    @staticmethod
    def _lines(rows: list[list[Any]]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return text.getvalue().encode()

    @staticmethod
    def _cell(value: Any) -> Any:
        # ASCII, since GitHub's object may hold a lone surrogate, which UTF-8 cannot
        # encode.
        return json.dumps(value) if isinstance(value, dict | list) else value


class NdjsonWriter:
    """One JSON object a line."""

    def __init__(self, content: Content) -> None:
        pass

    def header(self) -> bytes:
        return b""

    def rows(self, items: list[Item]) -> bytes:
        lines = (
            json.dumps(item, ensure_ascii="raw_json" in item) + "\n" for item in items
        )
        return "".join(lines).encode()

    def end(self) -> bytes:
        return b""


class ParquetRows:
    """Parquet; formulas stay as they are, since no spreadsheet reads it as a text."""

    def __init__(self, content: Content) -> None:
        parquet = parquet_module()
        self._chunks = parquet.Chunks()
        self._writer = parquet.ParquetWriter(
            self._chunks, content.columns, content.descriptions
        )

    def header(self) -> bytes:
        return self._taken()

    def rows(self, items: list[Item]) -> bytes:
        self._writer.add(
            [[self._value(value) for value in item.values()] for item in items]
        )
        return self._taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._taken()

    def _taken(self) -> bytes:
        content: bytes = self._chunks.take()
        return content

    @staticmethod
    def _value(value: Any) -> Any:
        return json.dumps(value) if isinstance(value, dict) else value


@dataclass(frozen=True)
class OutputFormat:
    """A format: its writer, and why it is not available, if it is not.

    A slow writer runs in a thread, so that other requests are not delayed.
    """

    extension: str
    content_type: str
    writer: Callable[[Content], Writer]
    is_slow: bool = False
    problem: Callable[[], str | None] = lambda: None


CSV = OutputFormat("csv", "text/csv; charset=utf-8", CsvWriter)
NDJSON = OutputFormat("ndjson", "application/x-ndjson", NdjsonWriter)
PARQUET = OutputFormat(
    "parquet",
    "application/vnd.apache.parquet",
    ParquetRows,
    is_slow=True,
    problem=lambda: None if is_installed() else MISSING,
)
