"""One page of runs: the planner that chooses an index, and the select.

SQLite does not know that half of all runs are of one branch and a thousandth of
another; the table `run_values` does. Most selections walk the index by time, which also
holds the columns of all filters. Where that walk would pass too many runs, the runs of
the rarest value are collected and sorted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from sqlite3 import Row

from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.cursors import Key, decode_cursor
from ci_observer.web.columns import json_object_sql, run_columns
from ci_observer.web.database import Params
from ci_observer.web.filter_sql import NULL, placeholders, where_sql
from ci_observer.web.filters import COLUMNS, Filters
from ci_observer.web.vocabulary import CANCELLED, TIMED_OUT

PAGE_SQL = """
select run_id, started_at from {source}
where {where}
order by started_at desc, run_id desc limit :limit + 1
"""

# The page of keys is materialized first, so that only the rows shown are read, and in
# that order. The JSON is a blob, since the response is bytes.
RUNS_SQL = """
with page as materialized ({page})
select
  (select value from instance where key = 'revision') as revision,
  (
    select cast(json_group_array({json_object}) as blob)
    from (select run_id from page limit :limit) cross join {source} using (run_id)
  ) as runs,
  (
    select json_array(started_at, run_id) from page
    where (select count(*) from page) > :limit limit 1 offset :limit - 1
  ) as next
"""

# Index entries that SQLite reads in the time of one row of `runs`.
ENTRIES_PER_ROW = 20
# The planner's guess: a text search matches one run in a hundred. It may match none.
SEARCHED_PER_FOUND = 100

# The branch for which the runs of all tags count.
TAGS = "refs/tags"

BY_TIME = "runs indexed by runs_started"
OF_FEED = "runs indexed by runs_workflow"
UNFINISHED = "runs indexed by runs_unfinished"
# Filters with an index on their value, whose runs must be sorted. Each run has a row in
# `feeds`, watched or not, so the joins lose none.
BY_VALUE = {
    "repo": "runs indexed by runs_workflow",
    "workflow": "feeds cross join runs indexed by runs_workflow using (repo, workflow)",
    "branch": "feeds cross join runs indexed by runs_branch using (repo, workflow)",
    "actor": "runs indexed by runs_actor",
}


@dataclass(frozen=True)
class AccessPath:
    """A way to find a page of runs.

    `source` is the text after `from`, `cost` the estimated number of rows read, and
    `condition` what the `where` clause needs for the index.
    """

    source: str
    cost: float
    condition: str = ""


def read_run_page(filters: Filters, conn: sqlite3.Connection) -> Row:
    """One page of runs, read in the caller's transaction: `revision`, `runs`, `next`.

    `next` is the sort key of the page's last run as JSON, for `encode_cursor`, or None
    on the last page. Raises `BadRequest` for a bad cursor.
    """
    has_values = any(getattr(filters, name) for name in COLUMNS)
    counts = read_value_counts(filters, conn) if has_values else {}
    sql, params = runs_sql(filters, counts)
    row: Row = conn.execute(sql, params | {"limit": filters.limit}).fetchone()
    return row


def read_value_counts(filters: Filters, conn: sqlite3.Connection) -> dict[str, int]:
    """The numbers of runs that `counts_sql` selects."""
    counts = json.loads(conn.execute(*counts_sql(filters)).fetchone()[0])
    return {name: int(runs) for name, runs in counts.items() if runs is not None}


def counts_sql(filters: Filters) -> tuple[str, Params]:
    """The select of a JSON object: the number of runs by filter, and of all runs.

    A filter with the value `null` has no count. The count of cancelled runs bounds that
    of those which timed out.
    """
    pairs = ["'all', (select sum(runs) from run_values where name = 'repo')"]
    params: Params = {}
    for name in COLUMNS:
        values = getattr(filters, name)
        if name == "conclusion" and TIMED_OUT in values:
            values = tuple(dict.fromkeys((*values, CANCELLED)))
        # `run_values` does not count runs without a value.
        if values and NULL not in values:
            names, named = placeholders(name, values)
            value = "value collate nocase" if name == "repo" else "value"
            pairs.append(
                f"'{name}', (select total(runs) from run_values"  # noqa: S608
                f" where name = '{COLUMNS[name]}' and {value} in ({names}))"
            )
            params |= named
    return f"select json_object({', '.join(pairs)})", params


def runs_sql(filters: Filters, counts: Mapping[str, int]) -> tuple[str, Params]:
    """The select of one page of runs, without the parameter `limit`."""
    page, params = page_sql(filters, choose_access_path(filters, counts))
    columns = run_columns(raw=filters.raw)
    source = "runs_full" if filters.raw else "runs"
    sql = RUNS_SQL.format(
        page=page,
        source=source,
        json_object=json_object_sql(columns),
    )
    return sql, params


def page_sql(filters: Filters, access_path: AccessPath) -> tuple[str, Params]:
    """The select of the keys of a page's runs, and of one run more."""
    cursor = decode_cursor(filters.cursor, str, int) if filters.cursor else None
    where, params = selection_sql(filters, access_path, cursor)
    return PAGE_SQL.format(source=access_path.source, where=where), params


def selection_sql(
    filters: Filters, access_path: AccessPath, cursor: Key | None
) -> tuple[str, Params]:
    """The condition on a run, and its parameters.

    With a cursor, only runs after its `(started_at, run_id)`.
    """
    position: Params = {}
    if cursor:
        cursor_at, cursor_id = cursor
        position = {"cursor_at": cursor_at, "cursor_id": cursor_id}
        # Given two upper bounds, SQLite may start its walk at the higher one.
        until = min(str(cursor_at), filters.until or str(cursor_at))
        filters = replace(filters, until=until)
    where, params = where_sql(filters)
    if position:
        where += " and (started_at, run_id) < (:cursor_at, :cursor_id)"
    if access_path.condition:
        where += f" and {access_path.condition}"
    return where, params | position


def choose_access_path(filters: Filters, counts: Mapping[str, int]) -> AccessPath:
    """The cheapest access path; `counts` are those of `counts_sql`."""
    return min(access_paths(filters, counts), key=lambda path: path.cost)


def access_paths(filters: Filters, counts: Mapping[str, int]) -> Iterator[AccessPath]:
    """The possible access paths with their costs.

    The estimate assumes that filters are independent. Where two hardly ever meet, the
    walk goes to the end of the index: 50 to 120 ms for a million runs.
    """
    total = counts.get("all") or 0
    shares = {name: n / total for name, n in counts.items() if name != "all" and total}
    walked = min(total, _runs_until_full(filters, shares.values()))
    searched = walked * prod(shares.values()) if filters.q else 0
    yield AccessPath(BY_TIME, walked / ENTRIES_PER_ROW + searched)
    if len(filters.repo) == len(filters.workflow) == 1 and "repo" in shares:
        others = [n for name, n in shares.items() if name not in ("repo", "workflow")]
        of_feed = total * shares["repo"] * shares.get("workflow", 1)
        yield AccessPath(OF_FEED, min(of_feed, _runs_until_full(filters, others)))
    if filters.status and not {"completed", NULL} & {*filters.status}:
        yield AccessPath(UNFINISHED, counts.get("status", 0), "status <> 'completed'")
    for name, source in BY_VALUE.items():
        if name in shares:
            condition = _of_branches(filters) if name == "branch" else ""
            yield AccessPath(source, counts[name], condition)
    if 0 in counts.values():
        yield AccessPath(BY_TIME, -1, "false")


def _of_branches(filters: Filters) -> str:
    """The condition on the column that the index of branches has.

    It is the branch for which a run counts; the runs of all tags count for one.
    """
    names, _ = placeholders("branch", filters.branch)
    return f"tile_branch in ({names}, '{TAGS}')"


def _runs_until_full(filters: Filters, shares: Iterable[float]) -> float:
    """How many runs a walk passes until the page is full."""
    searched = SEARCHED_PER_FOUND if filters.q else 1
    return filters.limit * searched / max(prod(shares), 1e-9)
