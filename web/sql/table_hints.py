"""Helps SQLite to find the first page of a table that is filtered by values of runs.

Without statistics, SQLite takes the index of a value, reads all of its rows and sorts
them. For a value that many runs have, it is faster to walk the rows in their order
until a page is full; for one that no run has, there is nothing to read. `run_values`
says how many runs have a value.
"""

import json
import re
from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import Any

# The tables and views whose columns of these names are those of runs.
TABLES = (
    *("runs", "runs_full", "run_history", "run_days", "branch_runs", "tile_runs"),
    *("tile_run_days", "undecided_runs", "decisive_runs", "job_history", "commit_runs"),
    "step_history",
)
# The views with the day of a run, which only its start helps to find.
WITH_DAYS = ("run_days", "tile_run_days")
# Columns that an index begins with, or has after the repository.
INDEXED = ("repo", "workflow", "head_branch", "actor")
# Columns of which no index helps to find a page.
NOT_INDEXED = ("event", "status", "conclusion")
PAGE_ROWS = 50

# Column and number of the runs with its value; "" and the number of all runs.
Counts = Mapping[str, int]

_PAGE = re.compile(r"select .+ from \S+ where .+ limit \d+( offset \d+)?", re.DOTALL)
_EQUAL = re.compile(r'"(?P<column>\w+)" = (?P<param>:p\d+)(?= |$)')
_DAY = re.compile(r'"day" (?P<compare>=|>=) (?P<param>:p\d+)(?= |$)')
_RUNS_OF_COMMIT = (
    "run_id in (select r.run_id from runs r where substr(r.head_sha, 1, 7)"
    " = substr({param}, 1, 7) and +r.head_sha = {param})"
)
_COUNTS_SQL = """
select '' as name, coalesce(sum(runs), 0) as runs from run_values where name = 'repo'
union all
select v.name, sum(v.runs)
from json_each(:values) f cross join run_values v on v.name = f.key and v.value = f.atom
where v.name <> 'repo' group by v.name
union all
select name, sum(runs) from run_values
where name = 'repo' and value = :values ->> '$.repo' collate nocase
group by name
"""


def count_values(conn: Connection, values: Mapping[str, str]) -> Counts:
    """How many runs have each value; columns without such a run are left out."""
    rows = conn.execute(_COUNTS_SQL, {"values": json.dumps(values)})
    return {str(name): int(runs) for name, runs in rows}


def with_hints(
    sql: str,
    params: Mapping[str, Any],
    table: str,
    counts_of: Callable[[Mapping[str, str]], Counts],
) -> str:
    """The same statement of a table's page, in a form that SQLite runs faster.

    `+` before a column keeps SQLite from its index. A commit is also looked up by its
    first characters, and a day by the start of the run, which have an index. `sql` is
    Datasette's: the texts of a visitor are parameters.
    """
    if table in WITH_DAYS:
        sql = _DAY.sub(_with_start, sql)
    found = {match["column"]: match["param"] for match in _EQUAL.finditer(sql)}
    is_of_runs = table in TABLES
    own = ("status", "conclusion") if table == "runs" else ()
    counted = (*INDEXED, "event", *own) if is_of_runs else ()
    values = {
        column: str(params[param[1:]])
        for column, param in found.items()
        if column in counted
    }
    counts = counts_of(values) if values else {}
    is_page = _PAGE.fullmatch(sql) is not None
    slow = {*NOT_INDEXED, *(INDEXED if is_walk_faster(counts) else ())}

    def hint(match: re.Match[str]) -> str:
        column, param = match["column"], match["param"]
        if column in values and column not in counts:
            return f"0 and {match[0]}"
        if is_of_runs and column == "head_sha":
            return f"{_RUNS_OF_COMMIT.format(param=param)} and {match[0]}"
        return f"+{match[0]}" if is_page and column in slow else match[0]

    return _EQUAL.sub(hint, sql)


def _with_start(match: re.Match[str]) -> str:
    # A day begins up to 14 hours before that of UTC, and ends up to 12 hours after it.
    param = match["param"]
    since = f"started_at >= date({param}, '-1 day')"
    until = f" and started_at < date({param}, '+2 days')"
    return f"{since}{until if match['compare'] == '=' else ''} and {match[0]}"


def is_walk_faster(counts: Counts) -> bool:
    """Whether walking all rows finds a page sooner than reading the rarest value's."""
    found = [runs for column, runs in counts.items() if column in INDEXED]
    if not found or not min(found):
        return False
    walked = float(PAGE_ROWS)
    for runs in found:
        walked *= counts[""] / runs
    return walked < min(found)
