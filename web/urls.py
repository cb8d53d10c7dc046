"""Where things are: paths of our own pages and tables, addresses that may be linked."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from datasette.app import Datasette

from ci_observer.web.database import DATABASE

Query = Mapping[str, str | int | None] | Iterable[tuple[str, str]]


def workflow_path(repo: str, workflow: str, **query: str | int | None) -> str:
    """The page of one workflow, on its default branch unless another is named."""
    path = f"/workflows/{quote(repo)}/{quote(workflow, safe='')}"
    return with_query(path, query)


def table_path(table: str, query: Query) -> str:
    """A table or view in Datasette, narrowed by its own filters."""
    return with_query(f"/{DATABASE}/{table}", query)


def with_query(path: str, query: Query) -> str:
    """A path and its arguments; those that are None are left out."""
    pairs = query.items() if isinstance(query, Mapping) else query
    text = urlencode([(name, value) for name, value in pairs if value is not None])
    return f"{path}?{text}" if text else path


def web_address(url: str | None) -> str | None:
    """An address out of the data, if it is one of the web."""
    return url if url and url.startswith(("https://", "http://")) else None


def route_of(datasette: Datasette, scope: Mapping[str, Any]) -> str:
    """The path that a request asks for, without `base_url`."""
    path: str = scope["path"]
    # A proxy may have taken the base_url away already.
    return "/" + path.removeprefix(datasette.setting("base_url"))
