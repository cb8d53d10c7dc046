"""The statements by which Datasette counts the rows of a table's page, made fast.

A page shows 50 rows, which an index finds at any size; counting all others would take
seconds among a million runs.
"""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

# The page of a table says "more than 10,000 rows" when there are more.
MAX_COUNTED = 10_000
COUNT_MS = 80
# Of a facet that the metadata ask for. A visitor who asks for one waits longer.
FACET_MS = 120


@dataclass(frozen=True)
class TablePage:
    """A request for the page of a table or view.

    `has_own_facets` is whether its address asks for facets. `stored_in` is the table
    that ingest keeps equal to a view which reads every run.
    """

    table: str
    has_own_facets: bool = False
    stored_in: str | None = None


current_page: ContextVar[TablePage | None] = ContextVar("table_page", default=None)

RUNS_SQL = "select coalesce(sum(runs), 0) from run_values where name = 'repo'"
_COUNT = re.compile(r"select count\(\*\) (from .+)", re.DOTALL)
_FACET = re.compile(
    r"select (?P<column>\w+) as value, count\(\*\) as count from \( "
    r"select [\w, ]+ from runs \) where (?P=column) is not null "
    r"group by (?P=column) order by count desc, value limit (?P<limit>\d+)"
)
_FACET_START = re.compile(r"\s*select \S+ as value, count\(\*\) as count from \(\s")
# Whose values ingest counts, in the table run_values.
_COUNTED = ("repo", "workflow", "head_branch", "event", "actor", "status", "conclusion")


def fast_statement(sql: str) -> str:
    """A statement with the same result that reads stored counts, or `sql` itself."""
    if sql == "select count(*) from runs ":
        return RUNS_SQL
    facet = _FACET.fullmatch(" ".join(sql.split()))
    if facet is None or facet["column"] not in _COUNTED:
        return sql
    # As in `runs`, the letter case of a repository does not matter.
    collation = "nocase" if facet["column"] == "repo" else "binary"
    return (
        f"select min(value) as value, sum(runs) as count from run_values"  # noqa: S608
        f" where name = '{facet['column']}' group by value collate {collation}"
        f" order by count desc, value limit {facet['limit']}"
    )


def within_limits(sql: str, limit_ms: int, page: TablePage) -> tuple[str, int]:
    """A statement of a page and its time limit.

    The count of the page ends at one more than `MAX_COUNTED`.
    """
    if page.stored_in:
        # The first one: a condition of the visitor comes after it.
        sql = sql.replace(f" from {page.table} ", f" from {page.stored_in} ", 1)
    if count := _COUNT.fullmatch(sql):
        bounded = f"select 1 {count[1]} limit {MAX_COUNTED + 1}"
        return f"select count(*) from ({bounded})", min(limit_ms, COUNT_MS)  # noqa: S608
    if _FACET_START.match(sql) and not page.has_own_facets:
        return sql, min(limit_ms, FACET_MS)
    return sql, limit_ms


def counts_of_tables(names: Iterable[str]) -> str:
    """A select of each table's name and its rows, up to one more than `MAX_COUNTED`.

    `run_values` has the number of runs.
    """
    selects = []
    for name in names:
        literal = name.replace("'", "''")
        table = name.replace('"', '""')
        rows = f'select 1 from "{table}" limit {MAX_COUNTED + 1}'  # noqa: S608
        count = RUNS_SQL if name == "runs" else f"select count(*) from ({rows})"  # noqa: S608
        selects.append(f"select '{literal}', ({count})")
    return " union all ".join(selects) or "select '', 0 where 0"
