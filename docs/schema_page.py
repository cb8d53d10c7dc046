"""The generated part of schema.md: metadata.yml's descriptions and the column types.

The page's cog blocks call `sections`. Run `make docs` after a change of either source.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from sqlite_utils import Database

from ci_observer.ingest.db import schema

METADATA = Path(__file__).parents[1] / "metadata.yml"
# A view that has all columns of a table this large refers to its section instead.
MIN_SHARED_COLUMNS = 6

Described = Mapping[str, Any]


def sections(kind: str) -> str:
    """Return one section for each table or each view (kind "table" or "view")."""
    db = Database(memory=True)
    schema.migrate(db)
    metadata = yaml.safe_load(METADATA.read_text())
    described: Described = metadata["databases"]["ci_observer"]["tables"]
    if kind == "table":
        names = set(db.table_names())
        texts = [_table(db, n, table) for n, table in described.items() if n in names]
    else:
        names = set(db.view_names())
        texts = [_view(name, described) for name in described if name in names]
    return "\n".join(texts)


def _table(db: Database, name: str, table: Described) -> str:
    sources = table.get("sources")
    head = ["column", "type", "meaning", *(["source"] if sources else [])]
    rows = []
    # Generated columns are in table_xinfo only.
    columns = db.execute("select name, type, pk from pragma_table_xinfo(?)", [name])
    for column, type_name, is_key in columns:
        type_ = type_name.lower().split()[0] + (", key" if is_key else "")
        row = [f"`{column}`", type_, table["columns"][column]]
        rows.append([*row, sources.get(column, "")] if sources else row)
    return _section(name, table["description"], "", head, rows)


def _view(name: str, described: Described) -> str:
    """Without types: which type a view's column has depends on the SQLite version."""
    columns = described[name]["columns"]
    note = ""
    if shared := _shared_with(name, described):
        known = described[shared]["columns"]
        columns = {n: meaning for n, meaning in columns.items() if n not in known}
        end = ", and:" if columns else "."
        note = f"Every column of [`{shared}`](#{shared}){end}"
    rows = [[f"`{column}`", meaning] for column, meaning in columns.items()]
    description = described[name]["description"]
    return _section(name, description, note, ["column", "meaning"], rows)


def _shared_with(name: str, described: Described) -> str | None:
    """Return the largest earlier table or view that has only columns of this view."""
    names = list(described)
    sizes = {
        earlier: len(columns)
        for earlier in names[: names.index(name)]
        if (columns := described[earlier]["columns"]).items()
        <= described[name]["columns"].items()
    }
    largest = max(sizes, key=lambda earlier: sizes[earlier], default=None)
    return largest if largest and sizes[largest] >= MIN_SHARED_COLUMNS else None


def _section(
    name: str,
    description: str,
    note: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> str:
    lines = [f"### `{name}`", "", *re.split(r"(?<=\.) (?=[A-Z])", description), ""]
    lines += [note, ""] if note else []
    lines += [_row(head), _row(["---"] * len(head)), *map(_row, rows)] if rows else []
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
