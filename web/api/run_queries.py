"""The select of one page of runs: which index leads it, and what is read of it.

SQLite cannot know that half of all runs are of one branch and a thousandth of another;
`run_values` does. Most selections walk down the runs by time, in the index that holds
all that they are filtered by. Where that would pass over too many, the runs of the
rarest value are collected and sorted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from sqlite3 import Row

from datasette.app import Datasette
from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.cursors import decode_cursor
from ci_observer.web.columns import json_object_sql, run_columns
from ci_observer.web.conditions import NULL, marks
from ci_observer.web.database import Params, fetch
from ci_observer.web.filters import COLUMNS, Filters

PAGE_SQL = """
select run_id, started_at from {lead}
where {where}
order by started_at desc, run_id desc limit :limit + 1
"""

# The page of keys comes first: a row is read only when it is shown, and in the keys'
# order. As bytes, as the answer is.
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

# So many entries of an index are read in the time that a run's row takes.
ENTRIES_PER_ROW = 20
# A search is taken to find one run in so many: it may find none.
SEARCHED_PER_FOUND = 100

BY_TIME = "runs indexed by runs_started"
OF_FEED = "runs indexed by runs_workflow"
UNFINISHED = "runs indexed by runs_unfinished"
# The filters with an index that finds their runs, in no order that is of use. Every run
# stands under a feed, watched or not.
BY_VALUE = {
    "repo": "runs indexed by runs_workflow",
    "workflow": "feeds cross join runs indexed by runs_workflow using (repo, workflow)",
    "branch": "feeds cross join runs indexed by runs_branch using (repo, workflow)",
    "actor": "runs indexed by runs_actor",
}


@dataclass(frozen=True)
class Lead:
    """What a page is read from, and how many rows that may take to read."""

    sql: str
    cost: float
    condition: str = ""


async def fetch_run_page(
    datasette: Datasette, filters: Filters, *, inline: bool = True
) -> Row:
    """One page of runs as `revision`, `runs` (JSON) and `next` (JSON or null).

    Raises `Unavailable` when SQLite fails, and `BadRequest` for a bad cursor.
    """
    key = "runs by " + " ".join(dict.fromkeys(name for name, _ in filters.to_pairs()))
    select = partial(read_run_page, filters)
    return await fetch(datasette, select, key=key, inline=inline)


def read_run_page(filters: Filters, conn: sqlite3.Connection) -> Row:
    """The same, within the caller's transaction."""
    counts: dict[str, int] = {}
    if any(getattr(filters, name) for name in COLUMNS):
        counts = json.loads(conn.execute(*counts_sql(filters)).fetchone()[0])
    sql, params = runs_sql(filters, counts)
    row: Row = conn.execute(sql, params | {"limit": filters.limit}).fetchone()
    return row


def counts_sql(filters: Filters) -> tuple[str, Params]:
    """How many runs have the values of each filter, and how many there are, as JSON."""
    pairs = ["'all', (select sum(runs) from run_values where name = 'repo')"]
    params: Params = {}
    for name in COLUMNS:
        values = getattr(filters, name)
        # Of those without a value none are counted.
        if values and NULL not in values:
            names, named = marks(name, values)
            value = "value collate nocase" if name == "repo" else "value"
            pairs.append(
                f"'{name}', (select total(runs) from run_values"  # noqa: S608
                f" where name = '{COLUMNS[name]}' and {value} in ({names}))"
            )
            params |= named
    return f"select json_object({', '.join(pairs)})", params


def runs_sql(filters: Filters, counts: Mapping[str, int]) -> tuple[str, Params]:
    """The select of one page of runs; the limit is the caller's parameter."""
    lead = min(leads(filters, counts), key=lambda one: one.cost)
    page, params = page_sql(filters, lead)
    columns = run_columns(raw=filters.raw)
    source = "runs_full" if filters.raw else "runs"
    sql = RUNS_SQL.format(
        page=page,
        source=source,
        json_object=json_object_sql(columns),
    )
    return sql, params


def page_sql(filters: Filters, lead: Lead) -> tuple[str, Params]:
    """The select of the keys of a page's runs, and of one more."""
    position: Params = {}
    if filters.cursor:
        cursor_at, cursor_id = decode_cursor(filters.cursor)
        position = {"cursor_at": cursor_at, "cursor_id": cursor_id}
        # SQLite begins to walk at one of two upper bounds, which may be the higher one.
        until = min(cursor_at, filters.until or cursor_at)
        filters = replace(filters, until=until)
    where, params = filters.where_sql()
    if position:
        where += " and (started_at, run_id) < (:cursor_at, :cursor_id)"
    if lead.condition:
        where += f" and {lead.condition}"
    params |= position
    return PAGE_SQL.format(lead=lead.sql, where=where), params


def leads(filters: Filters, counts: Mapping[str, int]) -> Iterator[Lead]:
    """The ways to find a page.

    Their costs are as if the filters had nothing to do with each other. Where two
    hardly ever meet, the walk goes to the end of the index: 50 to 120 ms for a million
    runs.
    """
    total = counts.get("all") or 0
    shares = {name: n / total for name, n in counts.items() if name != "all" and total}
    walked = min(total, _passed(filters, shares.values()))
    searched = walked * prod(shares.values()) if filters.q else 0
    yield Lead(BY_TIME, walked / ENTRIES_PER_ROW + searched)
    if len(filters.repo) == len(filters.workflow) == 1 and "repo" in shares:
        others = [n for name, n in shares.items() if name not in ("repo", "workflow")]
        of_feed = total * shares["repo"] * shares.get("workflow", 1)
        yield Lead(OF_FEED, min(of_feed, _passed(filters, others)))
    if filters.status and not {"completed", NULL} & {*filters.status}:
        yield Lead(UNFINISHED, counts.get("status", 0), "status <> 'completed'")
    for name, sql in BY_VALUE.items():
        if name in shares:
            yield Lead(sql, counts[name])
    if 0 in counts.values():
        yield Lead(BY_TIME, -1, "false")


def _passed(filters: Filters, shares: Iterable[float]) -> float:
    """How many runs are looked at until a page is full."""
    searched = SEARCHED_PER_FOUND if filters.q else 1
    return filters.limit * searched / max(prod(shares), 1e-9)
