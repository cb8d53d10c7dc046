"""The page /api for people: every route and parameter, out of the tables of the API."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any
from urllib.parse import quote

from datasette.app import Datasette

from ci_observer.web.access import is_restricted
from ci_observer.web.access_token import login_of
from ci_observer.web.api.routes import Route
from ci_observer.web.database import fetch_row
from ci_observer.web.errors import BadRequest
from ci_observer.web.filters import MAX_ARGUMENTS, Filters
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.parameters import PARAMETERS, PATH_PARAMETERS, Parameter

EXAMPLE_SQL = """
select
  coalesce(max(repo), 'acme/api') as repo, coalesce(max(workflow), 'ci.yml') as file,
  coalesce((select run_id from runs order by started_at desc limit 1), 1) as run_id
from (
  select repo, workflow from feeds where is_watched order by repo, workflow limit 1
)
"""
HEADER = "Authorization: Bearer TOKEN"
_DEFAULTS = {field.name: field.default for field in fields(Filters)}


@dataclass(frozen=True)
class Listed:
    """A parameter for display, and the paths of the routes that accept it."""

    name: str
    parameter: Parameter
    default: str
    paths: list[str]


async def fetch_api_page(
    datasette: Datasette,
    params: PageParams,
    *,
    routes: Mapping[str, Route],
    origin: str,
) -> Content:
    """The routes and all their parameters. `origin` is the server's, for the examples.

    Raises `BadRequest` for an argument.
    """
    if params.pairs:
        raise BadRequest(f"Unknown argument {params.pairs[0][0]!r}. Allowed: none.")
    login = login_of(datasette)
    values = await _example_values(datasette)
    context: dict[str, Any] = {
        "routes": [_route(path, route, values) for path, route in routes.items()],
        "parameters": _parameters(routes),
        "max_arguments": MAX_ARGUMENTS,
        "has_token": login is not None,
        "is_restricted": is_restricted(datasette),
        "curl": partial(_curl, datasette, origin, has_token=login is not None),
    }
    # Never kept: it is made in milliseconds, and few people look at it.
    return Content(context, revision=0)


async def _example_values(datasette: Datasette) -> dict[str, str]:
    """A value for each variable of a path, of stored rows if there are any."""
    row = await fetch_row(datasette, EXAMPLE_SQL)
    owner, _, name = row["repo"].partition("/")
    values = {**row, "owner": owner, "repo": name}
    return {name: quote(str(value), safe="") for name, value in values.items()}


def _route(path: str, route: Route, values: dict[str, str]) -> dict[str, Any]:
    example = None
    if route.example is not None:
        example = _with(path.format_map(values), route.example)
    return {
        "path": path,
        "anchor": "-".join(re.findall(r"\w+", path)),
        "purpose": route.purpose,
        "problem": route.problem and route.problem(),
        "variables": {name: PATH_PARAMETERS[name] for name in route.variables},
        "parameters": route.parameters,
        "shape": route.shape,
        "example": example,
    }


def _with(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _parameters(routes: Mapping[str, Route]) -> list[Listed]:
    """The parameters of all routes, in the order of their table."""
    found = []
    for name, parameter in PARAMETERS.items():
        paths = [path for path, route in routes.items() if name in route.parameters]
        if paths:
            found.append(Listed(name, parameter, _default(name, parameter), paths))
    return found


def _default(name: str, parameter: Parameter) -> str:
    default = _DEFAULTS.get(name)
    return parameter.default or (str(default) if isinstance(default, int) else "all")


def _curl(
    datasette: Datasette,
    origin: str,
    path: str,
    *options: str,
    has_token: bool,
) -> str:
    """A command line that sends a request, with a place for the access token."""
    sent = ("-H", HEADER) if has_token else ()
    url = f"{origin}{datasette.urls.path(path)}"
    return shlex.join(("curl", *sent, *options, url))
