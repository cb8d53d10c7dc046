"""Rows as Parquet with typed columns, written in row groups.

Here, because `ingest` and `web` both write Parquet and do not import each other. Needs
pyarrow, which is only installed with `ci-observer[parquet]`, so this module is imported
where a file is written: `ci_observer/parquet_extra.py`.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ci_observer import column_kinds as kinds

# A row group is compressed, and read back, as a whole. One of 20,000 runs has 3 MB.
ROWS_PER_GROUP = 20_000
# A run with GitHub's object is 20 times as large.
RAW_ROWS_PER_GROUP = 1_000

_UTC = pa.timestamp("ms", tz="UTC")
_TYPES: Mapping[str, pa.DataType] = {
    kinds.TIME: _UTC,
    kinds.DAY: pa.date32(),
    kinds.BOOLEAN: pa.bool_(),
    kinds.INTEGER: pa.int64(),
    kinds.NUMBER: pa.float64(),
    kinds.WORD: pa.dictionary(pa.int32(), pa.string()),
    kinds.TEXT: pa.string(),
    kinds.TEXTS: pa.list_(pa.string()),
    kinds.OBJECT: pa.string(),
}


class ParquetWriter:
    """Writes rows to a binary file, of which it never seeks.

    A row group is kept in memory until it is full.
    """

    def __init__(
        self, file: Any, columns: Sequence[str], descriptions: Mapping[str, str]
    ) -> None:
        self._schema = schema_of(columns, descriptions)
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._size = RAW_ROWS_PER_GROUP if "raw_json" in columns else ROWS_PER_GROUP
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows, each with a value for every column."""
        if not rows:
            return
        values = zip(*rows, strict=True)
        arrays = [
            array_of(column, field.type)
            for column, field in zip(values, self._schema, strict=True)
        ]
        self._batches.append(pa.record_batch(arrays, schema=self._schema))
        self._rows += len(rows)
        if self._rows >= self._size:
            self._flush()

    def close(self) -> None:
        """Write the last row group and the end of the file."""
        if self._batches:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._batches, self._schema)
        self._batches, self._rows = [], 0
        # One dictionary for all batches of the group.
        self._writer.write_table(table.unify_dictionaries(), self._size * 2)


def schema_of(columns: Iterable[str], descriptions: Mapping[str, str]) -> pa.Schema:
    """The types of the columns, with their descriptions and units as metadata."""
    fields = [
        pa.field(
            column,
            _TYPES[kinds.kind_of(column)],
            metadata=_metadata(column, descriptions.get(column)),
        )
        for column in columns
    ]
    return pa.schema(fields, metadata={"creator": "CI Observer", "time_zone": "UTC"})


def _metadata(column: str, description: str | None) -> dict[str, str]:
    unit = kinds.unit_of(column)
    found = {"description": description, "unit": unit}
    return {name: text for name, text in found.items() if text}


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values of a column, of which times and days are texts, as `kind`."""
    if kind == _UTC:
        return _times(values)
    if kind == pa.date32():
        return pc.cast(pa.array(values, pa.string()), kind)
    if kind == pa.bool_():
        return pa.array([None if v is None else bool(v) for v in values], kind)
    if kind in (pa.string(), _TYPES[kinds.WORD]):
        texts = pa.array(list(map(_text, values)), pa.string())
        return texts.dictionary_encode() if kind != pa.string() else texts
    return pa.array(values, kind)


def _text(value: Any) -> str | None:
    """A text that UTF-8 can encode: GitHub's may hold a lone surrogate."""
    if value is None or (isinstance(value, str) and value.isascii()):
        return value
    return str(value).encode("utf-8", "replace").decode()


def _times(values: Sequence[str | None]) -> pa.Array:
    texts = pa.array(values, pa.string())
    try:
        return pc.cast(texts, _UTC)
    except pa.ArrowInvalid:
        return pa.array(list(map(_time, values)), _UTC)


def _time(text: str | None) -> datetime | None:
    """A time, or None for a text that is none."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else None


class Chunks(io.RawIOBase):
    """A binary file whose content is taken away while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        """The bytes written since the last call."""
        content = b"".join(self._parts)
        self._parts = []
        return content
