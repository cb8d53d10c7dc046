"""The example queries as questions: their groups, inputs and column headings.

All of it stands in metadata.yml, next to the SQL; Datasette ignores the keys.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from datasette.app import Datasette

from ci_observer.web.database import DATABASE, fetch_rows
from ci_observer.web.errors import WebError
from ci_observer.web.tables.row_links import is_visible

OTHER = "Other queries"
MAX_SUGGESTIONS = 500
INPUT_TYPES = ("text", "number", "date", "search")
_HEADINGS = {
    "actor": "By",
    "display_title": "Title",
    "head_branch": "Branch",
    "head_sha": "Commit",
    "html_url": "On GitHub",
    "p50": "Median",
    "p95": "95th percentile",
    "repo": "Repository",
    "rerun": "Re-run",
    "runs_path": "List",
    "streak": "In a row",
    "tile_state": "State",
}
# The unit in a column's name; its formatted values have it, too.
_UNIT = re.compile(
    r"(_seconds|_at|_html_url|_url|(?<=rate)_percent|(?<=change)_percent)(?=$|_before$)"
)
_SUGGESTIONS = {
    "repo": "select repo as value from feeds group by 1 order by 1 limit :most",
    "workflow": "select workflow as value from feeds group by 1 order by 1 limit :most",
}

Query = dict[str, Any]


async def visible_queries(datasette: Datasette, actor: Any) -> list[Query]:
    """The canned queries that the actor may see."""
    queries = await datasette.get_canned_queries(DATABASE, actor)
    visible = []
    for name, query in queries.items():
        permissions = [
            ("view-query", (DATABASE, name)),
            ("view-database", DATABASE),
            "view-instance",
        ]
        may_see, _ = await datasette.check_visibility(actor, permissions=permissions)
        if may_see:
            visible.append(query)
    return visible


def grouped(queries: Iterable[Query]) -> dict[str, list[Query]]:
    """The queries by their `group`; those of an operator without one come last."""
    groups: dict[str, list[Query]] = {}
    for query in queries:
        groups.setdefault(query.get("group") or OTHER, []).append(query)
    if OTHER in groups:
        groups[OTHER] = groups.pop(OTHER)
    return groups


def question_of(query: Query) -> str:
    """A query in one line: its question, otherwise its title or name."""
    return str(query.get("question") or query.get("title") or query["name"])


def heading(column: str) -> str:
    """A column of an example query in words: `failure_rate_percent` is Failure rate."""
    column = column.removeprefix("last_result_").removeprefix("is_")
    if column in _HEADINGS:
        return _HEADINGS[column]
    column = _UNIT.sub("", column).replace("_percent", "_rate")
    first, _, rest = column.partition("_")
    if first in _HEADINGS:
        return f"{_HEADINGS[first]} {rest.replace('_', ' ')}".rstrip()
    text = column.replace("_", " ")
    return text[:1].upper() + text[1:] if text.strip() else column


async def inputs(
    datasette: Datasette,
    actor: Any,
    query: Mapping[str, Any] | None,
    values: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The input of each named parameter: its label, type, value and suggestions.

    `problem` says what to write instead of a value that selects no rows.
    """
    described = (query or {}).get("parameters") or {}
    found = []
    may_see = bool(described) and await is_visible(datasette, actor, "feeds")
    for name, value in values.items():
        parameter = described.get(name) or {}
        kind = parameter.get("type")
        suggested = parameter.get("suggestions") if may_see else None
        label = parameter.get("label") or name
        is_text = kind != "number" or value == ""
        # A browser shows no value that does not fit the input's type.
        fits = is_text or (value.isascii() and value.isdecimal())
        found.append(
            parameter
            | {
                "name": name,
                "value": value,
                "label": label,
                "type": kind if kind in INPUT_TYPES and fits else "text",
                "options": await _suggestions(datasette, suggested),
                "problem": None if is_text else _problem(label, value, parameter),
            }
        )
    return found


def _problem(label: str, value: str, parameter: Mapping[str, Any]) -> str | None:
    """What is wrong with the value of a parameter that is a number."""
    least, most = parameter.get("min"), parameter.get("max")
    if least is None or most is None:
        return None
    # A longer text is a larger number, which Python may refuse to read.
    is_number = value.isascii() and value.isdecimal() and len(value) <= len(str(most))
    if is_number and least <= int(value) <= most:
        return None
    return f"{label} must be a number from {least} to {most}."


async def _suggestions(datasette: Datasette, name: str | None) -> list[str]:
    sql = _SUGGESTIONS.get(name or "")
    if sql is None:
        return []
    try:
        rows = await fetch_rows(datasette, sql, {"most": MAX_SUGGESTIONS})
    except WebError:
        return []
    return [row["value"] for row in rows]
