"""The path prefix behind a proxy: every path and every link stays below it.

A proxy may keep the prefix of a request or remove it, and a health check comes without
one. The outermost ASGI application gives all of them the same path, with the prefix, so
that nothing else has to know.
"""

import re
from urllib.parse import quote, unquote

from datasette.url_builder import Urls
from datasette.utils import PrefixedUrlString
from datasette.utils.asgi import Request

from ci_observer.web.access import QuickDatasette
from ci_observer.web.cache_control import with_cache_control
from ci_observer.web.database import DATABASE
from ci_observer.web.datasette_csv import with_csv_formulas
from ci_observer.web.debug_pages import for_debugging
from ci_observer.web.guard import View, guarded_view
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.urls import SLASHES, route_in

Headers = list[tuple[bytes, bytes]]

ROOT_COOKIE = re.compile(rb"(;\s*path=)/(?=\s*(?:;|$))", re.IGNORECASE)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
# The rest of a path that needs no change.
PLAIN = rb"(?![/\\])[\x21-\x3e\x40-\x7e]*"
# In the scope of a request that has the prefix.
DONE = "ci_observer.prefix"
NAMING_PATHS = (b"location", b"set-cookie")
# Datasette decodes a raw path as ASCII.
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class PrefixedUrls(Urls):  # type: ignore[misc]
    """Datasette's links; `path` adds the prefix at most once.

    Datasette passes it paths of requests, too, which have the prefix already.
    """

    def path(self, path: str, format: str | None = None) -> PrefixedUrlString:
        """The path of a page with the prefix."""
        if path.startswith(self.ds.setting("base_url")):
            path = PrefixedUrlString(path)
        return super().path(path, format)


class PrefixedDatasette(QuickDatasette):
    """Datasette behind a proxy: with or without a path prefix, with or without TLS."""

    @property
    def urls(self) -> PrefixedUrls:
        """The builder of this server's links."""
        return PrefixedUrls(self)

    def app(self) -> App:
        """The ASGI application, for requests with the prefix or without it."""
        app = with_cache_control(self, super().app())
        return with_prefix(app, self.setting("base_url"))

    def _routes(self) -> list[tuple[str, View]]:
        return [
            (path, guarded_view(with_csv_formulas(checked, self), self))
            for path, view in super()._routes()
            for checked in [for_debugging(path, view, self)]
        ]

    def absolute_url(self, request: Request, path: str) -> str:
        """A URL of this server: path-only in a link of a page, otherwise absolute.

        Datasette's scheme is http if a proxy ends TLS and is not trusted, and a browser
        does not load such a URL from an https page. Other plugins send their URLs to
        other servers, for example for a login.
        """
        if path.startswith("/") and self._is_link(request, path):
            return path
        url: str = super().absolute_url(request, path)
        return url

    def _is_link(self, request: Request, path: str) -> bool:
        if (request.url_vars.get("format") or "html") != "html":
            return False
        route = route_in(request.scope["path"], self.setting("base_url"))
        is_data = path.partition("?")[0].endswith(".json")
        return is_data or route.startswith((f"/{DATABASE}", "/-/dashboards"))


def with_prefix(app: App, base_url: str) -> App:
    """The app for requests with the prefix or without it; it sees the prefix."""
    is_prefixed = re.compile(re.escape(base_url.encode()) + PLAIN).fullmatch

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or DONE in scope:
            return await app(scope, receive, send)

        async def send_below(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = message | {"headers": _below(message["headers"], base_url)}
            await send(message)

        scope = scope | {DONE: True}
        if not is_prefixed(scope.get("raw_path") or b""):
            raw_path = _raw_path(scope)
            if f"{raw_path}/" == base_url:
                return await _redirect(scope, send_below, base_url)
            path = base_url[:-1] + route_in(raw_path, base_url)
            scope |= {"path": unquote(path), "raw_path": path.encode()}
        return await app(scope, receive, send_below)

    return wrapped


def _raw_path(scope: Message) -> str:
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    path: str = raw.decode("latin-1").partition("?")[0]
    return quote(path, safe=PRINTABLE, encoding="latin-1")


async def _redirect(scope: Message, send: Send, location: str) -> None:
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    headers = [(b"location", location.encode() + query), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _below(headers: Headers, base_url: str) -> Headers:
    """Response headers whose redirects and cookies stay below `base_url`."""
    if not any(name.lower() in NAMING_PATHS for name, _ in headers):
        return headers
    return [(name, _below_in(name, value, base_url)) for name, value in headers]


def _below_in(name: bytes, value: bytes, base_url: str) -> bytes:
    match name.lower():
        case b"location":
            return location_below(value.decode("latin-1"), base_url).encode("latin-1")
        case b"set-cookie":
            return ROOT_COOKIE.sub(rb"\g<1>" + base_url.encode(), value)
    return value


def location_below(location: str, base_url: str) -> str:
    """The target of a redirect; below `base_url` unless it names another server."""
    if SCHEME.match(location) or not location.startswith(tuple(SLASHES)):
        return location
    path, mark, query = location.partition("?")
    return base_url[:-1] + route_in(path, base_url) + mark + query
