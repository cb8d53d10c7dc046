"""The tables and views on the page of the database, and the filters on a table's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasette.filters import Filters
from datasette.utils import path_with_removed_args
from datasette.utils.asgi import Request


@dataclass(frozen=True)
class Listed:
    """A table or view in the list. `rows` is None if it is not counted."""

    name: str
    description: str
    rows: int | None
    is_view: bool
    is_hidden: bool
    is_private: bool


def listed(
    tables: Iterable[Mapping[str, Any]],
    views: Iterable[Mapping[str, Any]],
    described: Mapping[str, Any],
    first: Sequence[str],
) -> list[Listed]:
    """Tables and views: those named in `first`, the other described ones, users'."""
    found = [
        *(_listed(table, described, is_view=False) for table in tables),
        *(_listed(view, described, is_view=True) for view in views),
    ]
    order = {
        name: index for index, name in enumerate(dict.fromkeys([*first, *described]))
    }
    return sorted(
        found, key=lambda entry: (order.get(entry.name, len(order)), entry.name)
    )


def _listed(
    entry: Mapping[str, Any], described: Mapping[str, Any], *, is_view: bool
) -> Listed:
    name = entry["name"]
    about = described.get(name) or {}
    return Listed(
        name=name,
        description=first_sentence(about.get("description") or ""),
        rows=entry.get("count"),
        is_view=is_view,
        is_hidden=bool(entry.get("hidden") or about.get("hidden")),
        is_private=bool(entry.get("private")),
    )


def first_sentence(text: str) -> str:
    """The text up to the end of its first sentence."""
    sentence, stop, _ = text.partition(". ")
    return f"{sentence.strip()}." if stop else sentence.strip()


def query_order(columns: Sequence[str], first: Sequence[str]) -> list[int]:
    """The positions of a query's columns as shown: those in `first`, the others."""
    places = {name: place for place, name in enumerate(dict.fromkeys(first))}
    return sorted(
        range(len(columns)), key=lambda at: places.get(columns[at], len(places))
    )


def column_order(
    columns: Sequence[Mapping[str, Any]], first: Sequence[str]
) -> list[int]:
    """The same for a table. The key of a row stays the first column."""
    has_key = bool(columns) and (columns[0]["is_pk"] or columns[0]["name"] == "Link")
    key = [columns[0]["name"]] if has_key else []
    return query_order([column["name"] for column in columns], [*key, *first])


@dataclass(frozen=True)
class Chip:
    """A filter of a table in words, and the address without it."""

    text: str
    address: str


def chips(filters: Filters, request: Request) -> list[Chip]:
    """The filters in the address."""
    words = {key: display for key, display, _ in filters.lookups()}
    no_value = {key for key, _, without in filters.lookups() if without}
    found = []
    for column, lookup, value in filters.selections():
        key = column if request.args.get(column) is not None else f"{column}__{lookup}"
        shown = "" if lookup in no_value else f" {value}"
        removed = {key: value, "_next": request.args.get("_next")}
        found.append(
            Chip(
                f"{column} {words.get(lookup, lookup)}{shown}",
                path_with_removed_args(request, removed),
            )
        )
    return found
