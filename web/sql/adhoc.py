"""Which SQL a request brings along, and whether it may."""

from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import parse_qsl

OFF = "off"
SWITCHED_OFF = (
    "Ad-hoc SQL is switched off here (ADHOC_SQL=off). The tables with their filters, "
    "the example queries, the dashboards and /api work."
)
FROM_ANOTHER_SITE = (
    "Another web site has embedded this statement. Open the address itself to run it."
)
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
    return any(name in SQL_ARGUMENTS for name, _ in parse_qsl(query_string))


def is_embedded_elsewhere(headers: dict[bytes, bytes]) -> bool:
    """Whether a browser says that a page of another site loads this by itself.

    A followed link is not embedded.
    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    mode, destination = headers.get(b"sec-fetch-mode"), headers.get(b"sec-fetch-dest")
    is_followed = mode == b"navigate" and destination == b"document"
    return headers.get(b"sec-fetch-site") == b"cross-site" and not is_followed
