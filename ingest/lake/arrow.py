"""Rows of SQLite as typed columns of Arrow, without pyarrow."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from arro3.core import Array, DataType, Field, RecordBatch, Schema

from ci_observer import ROOT
from ci_observer import column_kinds as kinds
from ci_observer.ingest.lake.tables import REVISION, SOURCE, LakeTable

# Makes a column of values, and a value of another kind one of its own.
Build = Callable[[Sequence[Any]], Array]
Repair = Callable[[Any], Any]

_TYPES = {
    kinds.TIME: DataType.timestamp("us", tz="UTC"),
    kinds.BOOLEAN: DataType.bool(),
    kinds.INTEGER: DataType.int64(),
    kinds.NUMBER: DataType.float64(),
}
MAX_INTEGER = 2**63 - 1
DESCRIPTIONS = {
    "month": "The month in which the run was created, UTC, as 2026-01.",
    REVISION: "The revision of the database when the row was read.",
    SOURCE: "The database that the row is from: database_id in its table instance.",
}


def schema_of(table: LakeTable) -> Schema:
    """The types of the columns, with their descriptions and units as metadata."""
    described = {**_descriptions()[table.described_as], **DESCRIPTIONS}
    return Schema(
        [
            Field(
                column,
                _type(table, column),
                nullable=column not in table.key,
                metadata=_metadata(column, described),
            )
            for column in table.columns
        ]
    )


def batch_of(table: LakeTable, rows: Sequence[Sequence[Any]]) -> RecordBatch:
    """Rows with a value for each column; there is at least one row."""
    values = zip(*rows, strict=True)
    arrays = [
        _array(column, table.kind(name))
        for name, column in zip(table.columns, values, strict=True)
    ]
    return RecordBatch.from_arrays(arrays, schema=plain_schema(table))


@cache
def plain_schema(table: LakeTable) -> Schema:
    """The types alone: the table in the lake has the metadata."""
    return Schema(
        [
            Field(column, _type(table, column), nullable=column not in table.key)
            for column in table.columns
        ]
    )


def _type(table: LakeTable, column: str) -> DataType:
    return _TYPES.get(table.kind(column), DataType.string())


def _metadata(column: str, described: Mapping[str, str]) -> dict[str, str]:
    unit = kinds.unit_of(column)
    found = {"comment": described.get(column), "unit": unit}
    return {name: text for name, text in found.items() if text}


@cache
def _descriptions() -> Mapping[str, Mapping[str, str]]:
    """The descriptions of the columns, by table of the database."""
    metadata = yaml.safe_load((ROOT / "metadata.yml").read_text(encoding="utf-8"))
    tables = metadata["databases"]["ci_observer"]["tables"]
    names = ("runs", "run_attempts", "jobs", "tiles")
    return {name: tables[name].get("columns", {}) for name in names}


def _array(values: Sequence[Any], kind: str) -> Array:
    """The values of a column. One that is not of its kind becomes null."""
    build: Build
    repair: Repair
    build, repair = _BUILDERS.get(kind, (_texts, _text))
    try:
        return build(values)
    except (TypeError, ValueError, OverflowError):
        # SQLite keeps any value in any column, if a user writes it there.
        return build([None if value is None else repair(value) for value in values])


def _texts(values: Sequence[Any]) -> Array:
    return Array(values, DataType.string())


def _text(value: Any) -> str:
    """A text that UTF-8 can encode: GitHub's may hold a lone surrogate."""
    return str(value).encode("utf-8", "replace").decode()


def _times(values: Sequence[Any]) -> Array:
    # Texts that are no times become null.
    return _texts(values).cast(_TYPES[kinds.TIME])


def _integers(values: Sequence[Any]) -> Array:
    return Array(values, DataType.int64())


def _integer(value: Any) -> int | None:
    is_fit = isinstance(value, int | float) and abs(value) <= MAX_INTEGER
    return int(value) if is_fit else None


def _booleans(values: Sequence[Any]) -> Array:
    return _integers(values).cast(DataType.bool())


def _numbers(values: Sequence[Any]) -> Array:
    return Array(values, DataType.float64())


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


_BUILDERS: Mapping[str, tuple[Build, Repair]] = {
    kinds.TIME: (_times, _text),
    kinds.BOOLEAN: (_booleans, _integer),
    kinds.INTEGER: (_integers, _integer),
    kinds.NUMBER: (_numbers, _number),
}
