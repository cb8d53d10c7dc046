"""Which SQL a request brings along, and whether it may.

With `ADHOC_SQL=off` the only SQL in a URL is that of the charts, word for word:
datasette-dashboards requests a chart's data with its statement.
"""

import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from datasette.app import Datasette

OFF = "off"
SWITCHED_OFF = (
    "Ad-hoc SQL is switched off here (ADHOC_SQL=off). The tables with their filters, "
    "the example queries, the dashboards and /api work."
)
FROM_ANOTHER_SITE = (
    "Another web site has embedded this statement. Open the address itself to run it."
)
# An optional part of a chart's statement, for a filter of the dashboard.
OPTIONAL_PART = re.compile(r"(\[\[.*?\]\])")
# Datasette puts these values into its statements as they are.
SQL_ARGUMENTS = ("sql", "_where")


@dataclass
class Pass:
    """A permission for one statement of our own.

    Datasette asks for `execute-sql` first to run a statement, then to show its editor.
    """

    is_valid: bool


current_pass: ContextVar[Pass | None] = ContextVar("pass", default=None)


def has_sql(query_string: str) -> bool:
    """Whether a request has SQL that a visitor may have written."""
    return bool(_statements(query_string))


def is_of_chart(query_string: str, patterns: list[re.Pattern[str]]) -> bool:
    """Whether the only SQL of a request is the statement of a chart."""
    match _statements(query_string):
        case [("sql", statement)]:
            return any(pattern.fullmatch(statement) for pattern in patterns)
    return False


def _statements(query_string: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(query_string)
    return [(name, value) for name, value in pairs if name in SQL_ARGUMENTS]


def chart_patterns(datasette: Datasette) -> list[re.Pattern[str]]:
    """Patterns for the statements of all charts, with any of their optional parts."""
    return [re.compile(_pattern(query)) for query in _chart_queries(datasette)]


def _chart_queries(datasette: Datasette) -> Iterator[str]:
    dashboards: dict[str, Any] = datasette.plugin_config("datasette-dashboards") or {}
    for dashboard in dashboards.values():
        for chart in (dashboard.get("charts") or {}).values():
            if isinstance(chart.get("query"), str):
                yield chart["query"]


def _pattern(query: str) -> str:
    """The statement as text, in which each part in `[[ ]]` is there or not."""
    return "".join(
        f"(?:{re.escape(part.strip('[]'))})?" if part[:2] == "[[" else re.escape(part)
        for part in OPTIONAL_PART.split(query)
    )


def is_embedded_elsewhere(headers: dict[bytes, bytes]) -> bool:
    """Whether a browser says that a page of another site loads this by itself.

    A link that somebody follows is not embedded.
    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    mode, destination = headers.get(b"sec-fetch-mode"), headers.get(b"sec-fetch-dest")
    is_followed = mode == b"navigate" and destination == b"document"
    return headers.get(b"sec-fetch-site") == b"cross-site" and not is_followed
