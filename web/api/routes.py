"""A route of the API: its entry in the table, and the request that it handles."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.api.shapes import Shape
from ci_observer.web.cache import CachedResponse
from ci_observer.web.filters import Filters
from ci_observer.web.responses import JSON, Receive, Send, respond

_VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Call:
    """A request to a route. `values` are those of the variables in its path."""

    datasette: Datasette
    request: Request
    receive: Receive
    send: Send
    route: "Route"
    values: Mapping[str, str] = field(default_factory=dict)


# The response, or None if the handler has sent it itself.
Handler = Callable[[Call], Awaitable[Response | None]]


@dataclass(frozen=True)
class Route:
    """A route: its handler, its purpose in a sentence, and its parameters.

    `path` may have variables, as in `/api/runs/{run_id}`, which match no slash.
    `example` is a query string to try it with; None if there is nothing to try.
    """

    path: str
    handler: Handler
    purpose: str
    shape: Shape
    parameters: tuple[str, ...] = ()
    example: str | None = ""
    media_type: str = JSON
    # Whether `since` and `until` are days of the instance's time zone.
    has_days: bool = False
    # Of a route that needs a package: the sentence to show if it is not installed.
    problem: Callable[[], str | None] | None = None
    # Parameters that take one value, although other routes take several.
    single: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables in the path."""
        return tuple(_VARIABLE.findall(self.path))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The paths of this route, with a group for each variable."""
        parts = _VARIABLE.split(self.path)
        texts = [
            f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part)
            for index, part in enumerate(parts)
        ]
        return re.compile("".join(texts))


async def respond_to(
    call: Call,
    fetch: Callable[[Filters], Awaitable[CachedResponse]],
    *,
    content_type: str = "",
) -> Response:
    """Respond with what `fetch` returns for the URL's filters.

    The content type is that of the route, if none is given.
    """
    return await respond(
        call.request,
        fetch,
        allowed=call.route.parameters,
        content_type=content_type or call.route.media_type,
    )


class Routes:
    """The table of all routes, in the order of the page `/api`."""

    def __init__(self, *routes: Route) -> None:
        self.by_path = {route.path: route for route in routes}
        self._with_variables = [route for route in routes if route.variables]

    def find(self, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a request's path, and the values of its variables."""
        if path in self.by_path and "{" not in path:
            return self.by_path[path], {}
        for route in self._with_variables:
            match = route.pattern.fullmatch(path)
            if match is not None:
                return route, match.groupdict()
        return None
