"""Paths of our pages and of Datasette's tables, and safe links."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

from datasette.app import Datasette
from datasette.utils.asgi import Request

from ci_observer.web.database import DATABASE

# Two of them at the start of a path would make a browser read a host name.
SLASHES = "/\\"
_SHA = re.compile(r"[0-9a-f]{7,64}")

Query = Mapping[str, str | int | None] | Iterable[tuple[str, str]]


def workflow_path(repo: str, workflow: str, **query: str | int | None) -> str:
    """The path of a workflow's page, on its default branch unless `branch` is given."""
    path = f"/workflows/{quote(repo)}/{quote(workflow, safe='')}"
    return with_query(path, query)


def commit_path(repo: str, sha: str | None = None, **query: str | int | None) -> str:
    """The path of a commit's page; without `sha`, of the newest commits."""
    path = f"/commits/{quote(repo)}"
    return with_query(f"{path}/{quote(sha, safe='')}" if sha else path, query)


def is_sha(text: object) -> bool:
    """Whether a text of the data is a commit, for which there is a page."""
    return isinstance(text, str) and _SHA.fullmatch(text) is not None


def jobs_path(repo: str, workflow: str, **query: str | int | None) -> str:
    """The path of the page of a workflow's jobs, with the arguments of its page."""
    return with_query(f"{workflow_path(repo, workflow)}/jobs", query)


def run_path(run_id: int, **query: str | int | None) -> str:
    """The path of a run's page, on its latest attempt unless `attempt` is given."""
    return with_query(f"/runs/{run_id}", query)


def table_path(table: str, query: Query) -> str:
    """The path of a table or view in Datasette, with Datasette's filters."""
    return with_query(f"/{DATABASE}/{table}", query)


def with_query(path: str, query: Query) -> str:
    """A path with a query string; arguments that are None are omitted."""
    pairs = query.items() if isinstance(query, Mapping) else query
    text = urlencode([(name, value) for name, value in pairs if value is not None])
    return f"{path}?{text}" if text else path


def origin_of(request: Request) -> str:
    """The scheme and the host by which a visitor has reached this server."""
    return f"{request.scheme}://{request.host}"


# Makes a whole address of a path.
Link = Callable[[str], str]


def linker(datasette: Datasette, origin: str) -> Link:
    """A function that makes whole addresses of paths, for readers elsewhere."""

    def link(path: str) -> str:
        return f"{origin}{datasette.urls.path(path)}"

    return link


def web_address(url: str | None) -> str | None:
    """A URL out of the data if it is http or https, else None: safe for a link."""
    return url if url and url.startswith(("https://", "http://")) else None


def repository_address(html_url: str | None) -> str | None:
    """The repository's address on GitHub, on the host that a run's address has.

    None if the address is not that of a run.
    """
    repository, separator, _ = (web_address(html_url) or "").partition("/actions/runs/")
    return repository if separator else None


def commit_address(html_url: str | None, head_sha: str | None) -> str | None:
    """The address of a run's commit on GitHub, from that of the run."""
    repository = repository_address(html_url)
    if repository is None or not head_sha:
        return None
    return f"{repository}/commit/{quote(head_sha, safe='')}"


def pull_request_address(html_url: str | None, number: int | None) -> str | None:
    """The address of a run's pull request on GitHub, from that of the run."""
    repository = repository_address(html_url)
    return f"{repository}/pull/{number}" if repository and number else None


def route_of(datasette: Datasette, scope: Mapping[str, Any]) -> str:
    """The path of a request, without `base_url`."""
    return route_in(scope["path"], datasette.setting("base_url"))


def route_in(path: str, base_url: str) -> str:
    """A path without `base_url`, whether a proxy has removed it or not.

    The route begins with exactly one slash. The prefix may be percent-encoded.
    """
    path = path.lstrip(SLASHES)
    prefix = base_url.strip("/")
    if prefix:
        names = prefix.split("/")
        parts = path.split("/", len(names))
        if [unquote(part) for part in parts[: len(names)]] == names:
            path = "".join(parts[len(names) :])
    return "/" + path.lstrip(SLASHES)
