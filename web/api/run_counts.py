"""The number of runs in a selection: exact where that is cheap, else a lower bound."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from datasette.app import Datasette
from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.run_queries import (
    BY_TIME,
    AccessPath,
    choose_access_path,
    read_value_counts,
)
from ci_observer.web.database import Params, fetch
from ci_observer.web.filter_sql import NULL, where_sql
from ci_observer.web.filters import COLUMNS, Filters
from ci_observer.web.vocabulary import TIMED_OUT

# Counting stops after the first of these numbers of runs if that costs no more than
# `MAX_COST`, else after the second. At worst it walks an index of all runs, which takes
# 140 ms for a million.
LIMITS = (10_000, 1000)
MAX_COST = 20_000

# The text is searched in the counted runs only.
COUNT_SQL = """
select count(*) filter (where {text}) as found, count(*) as counted
from (
  select {columns} from {source}
  where {where} {order} limit :most + 1
)
"""
SEARCHED = "head_branch, actor, repo, workflow, display_title"


@dataclass(frozen=True)
class RunCount:
    """The number of runs in a selection, or the least that it can be.

    `unknown` has the filters, as (name, value), whose value no stored run has.
    """

    revision: int
    runs: int
    is_exact: bool
    unknown: Sequence[tuple[str, str]]


async def fetch_run_count(
    datasette: Datasette, filters: Filters, *, known: int, is_known: bool
) -> RunCount:
    """Count the selected runs on all pages.

    `known` is a number of runs that are there for sure, `is_known` whether that is all
    of them. Raises `Unavailable` when SQLite fails.
    """
    filters = replace(filters, cursor=None, raw=False)
    select = partial(read_run_count, filters, known=known, is_known=is_known)
    key = "count by " + " ".join(filters.names())
    return await fetch(datasette, select, key=key)


def read_run_count(
    filters: Filters, conn: sqlite3.Connection, *, known: int, is_known: bool
) -> RunCount:
    """The count of `fetch_run_count`, read in the caller's transaction."""
    [revision] = conn.execute(
        "select cast(value as integer) from instance where key = 'revision'"
    ).fetchone()
    unknown = _unknown_values(filters, conn)
    if is_known:
        return RunCount(revision, known, is_exact=True, unknown=unknown)
    counts = read_value_counts(filters, conn)
    total = _known_total(filters, counts)
    if total is not None:
        return RunCount(revision, total, is_exact=True, unknown=unknown)
    sql, params, most = count_sql(filters, counts)
    found, counted = conn.execute(sql, params).fetchone()
    is_exact = counted <= most
    runs = max(known, min(found, most))
    return RunCount(revision, runs, is_exact=is_exact, unknown=unknown)


def count_sql(filters: Filters, counts: dict[str, int]) -> tuple[str, Params, int]:
    """The select that counts, its parameters, and the most runs that it counts."""
    candidates = replace(filters, q=())
    path, most = _bounded_path(candidates, counts)
    where, params = where_sql(candidates)
    if path.condition:
        where += f" and {path.condition}"
    text, text_params = where_sql(Filters(q=filters.q))
    # The newest runs, where the index has that order.
    order = "order by started_at desc" if path.source == BY_TIME else ""
    sql = COUNT_SQL.format(
        columns=SEARCHED if filters.q else "1",
        source=path.source,
        where=where,
        order=order,
        text=text,
    )
    return sql, params | text_params | {"most": most}, most


def _bounded_path(filters: Filters, counts: dict[str, int]) -> tuple[AccessPath, int]:
    for most in LIMITS:
        path = choose_access_path(replace(filters, limit=most), counts)
        if path.cost <= MAX_COST:
            break
    return path, most


def _known_total(filters: Filters, counts: dict[str, int]) -> int | None:
    """The number that `run_values` has, for no filter or a single one; else None."""
    is_narrowed = filters.since or filters.until or filters.q
    # Runs that timed out are among the cancelled ones.
    if is_narrowed or TIMED_OUT in filters.conclusion:
        return None
    names = [name for name in COLUMNS if getattr(filters, name)]
    if len(names) > 1:
        return None
    return counts.get(names[0]) if names else counts.get("all", 0)


def _unknown_values(
    filters: Filters, conn: sqlite3.Connection
) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, column in COLUMNS.items()
        for value in getattr(filters, name)
        if value not in (NULL, TIMED_OUT) and not _has_runs(conn, name, column, value)
    ]


def _has_runs(conn: sqlite3.Connection, name: str, column: str, value: str) -> bool:
    collation = "collate nocase" if name == "repo" else ""
    sql = f"select 1 from run_values where name = ? and value = ? {collation} limit 1"  # noqa: S608
    return conn.execute(sql, (column, value)).fetchone() is not None
