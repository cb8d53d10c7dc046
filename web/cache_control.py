"""How long caches may use a response: `Cache-Control` and `Vary` of every route.

This is the only place that decides. A shared cache, such as nginx, may use a response
for a few seconds, so that many walls cost one request a second. A 304 has the headers
of its 200: https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5
"""

import re
from collections.abc import Iterable, Mapping

from datasette.app import Datasette

from ci_observer.web.access import is_restricted
from ci_observer.web.database import DATABASE
from ci_observer.web.forwarding import is_ours
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.sql.adhoc import has_sql
from ci_observer.web.urls import route_of

# One second. While a cache fetches a newer response, it may use the old one for a
# second more; without that, all requests of that moment would reach the server.
NOW = b"max-age=1, stale-while-revalidate=1"
# The same for up to five seconds in all.
LIVE = b"max-age=1, stale-while-revalidate=4"
# A cache asks the server before each use.
CHECKED = b"no-cache"
NOT_STORED = b"no-store"

# The first fact that matches decides. Routes of other plugins, and static files with a
# version in their names, keep the headers that they have.
ROUTES = {
    # A page judges by its `server_time` whether the server is alive.
    "/api/config": NOW,
    # A probe must reach the server itself.
    "/api/health": NOT_STORED,
    "/metrics": NOT_STORED,
    "/login": NOT_STORED,
    "/logout": NOT_STORED,
}
EXPORTS = (".csv", ".ndjson", ".parquet")
STATIC = ("/static/", "/-/static/", "/-/static-plugins/", "/favicon.ico")
DASHBOARDS = "/-/dashboards"
# Datasette's pages about itself and about the visitor, and /-/mcp.
INTERNAL = "/-/"

# In the scope of a request that this module has seen.
SEEN = "ci_observer.cache_control"
# Of a visitor whom Datasette or a plugin may know.
ACTOR_COOKIE = b"ds_actor="
STORED_METHODS = ("GET", "HEAD")
STORED_STATUSES = (200, 304)

_DATA = re.compile(rf"/{DATABASE}(?![^/.])")

Headers = list[tuple[bytes, bytes]]


def with_cache_control(datasette: Datasette, app: App) -> App:
    """The app; its responses have the headers that their routes should have."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or SEEN in scope:
            return await app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = message | {"headers": _headers(datasette, scope, message)}
            await send(message)

        return await app(scope | {SEEN: True}, receive, send_with_headers)

    return wrapped


def freshness_of(route: str, query_string: str) -> bytes | None:
    """The `Cache-Control` of a route's responses with status 200.

    None for routes that keep the header that they have.
    """
    if route in ROUTES:
        return ROUTES[route]
    is_datasettes = _DATA.match(route) is not None
    if route.endswith(EXPORTS) and (is_datasettes or route.startswith("/api/")):
        return NOT_STORED
    if _is_static(route):
        return None
    if is_datasettes:
        return NOT_STORED if has_sql(query_string) else LIVE
    if is_ours(route) or route.startswith(DASHBOARDS):
        return LIVE
    return NOT_STORED if route.startswith(INTERNAL) else None


def _headers(datasette: Datasette, scope: Message, message: Message) -> Headers:
    """The headers of a response, with ours in place of its own."""
    own: dict[bytes, bytes] = {}
    others: Headers = []
    for name, value in message["headers"]:
        key = name.lower()
        own[key] = own[key] + b", " + value if key in own else value
        if key not in (b"cache-control", b"vary"):
            others.append((name, value))
    control = _control(datasette, scope, message["status"], own)
    is_page = own.get(b"content-type", b"").startswith(b"text/html")
    vary = [name.strip() for name in own.get(b"vary", b"").split(b",") if name.strip()]
    if _is_private(datasette, scope, message["status"], own):
        # A browser must not show a page after the logout, not even by its button Back.
        is_kept = control is not None and NOT_STORED not in control and not is_page
        control = b"private, " + (CHECKED if is_kept else NOT_STORED)
        vary += [b"Cookie", b"Authorization"]
    elif is_page:
        # The header of a page names a visitor whom Datasette knows.
        vary.append(b"Cookie")
    ours = {b"cache-control": control, b"vary": b", ".join(_distinct(vary))}
    return [*others, *((name, value) for name, value in ours.items() if value)]


def _control(
    datasette: Datasette, scope: Message, status: int, own: Mapping[bytes, bytes]
) -> bytes | None:
    """The `Cache-Control` of a response that every visitor may see."""
    route = route_of(datasette, scope)
    present = own.get(b"cache-control")
    if scope["method"] not in STORED_METHODS or status not in STORED_STATUSES:
        return NOT_STORED
    if present is not None and NOT_STORED in present:
        return NOT_STORED
    query = scope["query_string"].decode("latin-1")
    found = freshness_of(route, query) or present
    return LIVE if found is None and _is_static(route) else found


def _is_private(
    datasette: Datasette, scope: Message, status: int, own: Mapping[bytes, bytes]
) -> bool:
    """Whether a response may be for one visitor only."""
    if _is_static(route_of(datasette, scope)) and status in STORED_STATUSES:
        return False
    return (
        is_restricted(datasette)
        # Datasette says so if a request has a cookie.
        or b"private" in own.get(b"cache-control", b"")
        or b"set-cookie" in own
        or any(_is_credential(name, value) for name, value in scope["headers"])
    )


def _is_credential(name: bytes, value: bytes) -> bool:
    return name == b"authorization" or (name == b"cookie" and ACTOR_COOKIE in value)


def _is_static(route: str) -> bool:
    return route.startswith(STATIC) and ".." not in route


def _distinct(names: Iterable[bytes]) -> Iterable[bytes]:
    """The names without repetitions, which differ in letter case only."""
    return {name.lower(): name for name in reversed([*names])}.values()
