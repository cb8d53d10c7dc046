"""Datasette's permissions where Datasette itself does not ask for them."""

from collections.abc import Awaitable, Callable
from typing import Any

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Forbidden, Request
from datasette.views import special

from ci_observer.web.access import is_restricted
from ci_observer.web.responses import (
    App,
    Message,
    Receive,
    Send,
    where_needed,
    with_privacy,
)
from ci_observer.web.urls import route_of

View = Callable[..., Awaitable[Any]]

STATIC = ("/static/", "/-/static/", "/-/static-plugins/")


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    """Keep proxies from storing what only some may see."""

    def wrap(app: App) -> App:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                route = route_of(datasette, scope)
                send = send if route.startswith(STATIC) else with_privacy(send)
            await app(scope, receive, send)

        return where_needed(lambda: is_restricted(datasette), wrapped, app)

    return wrap


@hookimpl(tryfirst=True)
def register_routes(datasette: Datasette) -> list[tuple[str, View]]:
    """These take the place of the routes that have the same addresses."""
    return [(rf"^/-/{path}$", _for_debugging(view)) for path, view in _debug(datasette)]


def _debug(datasette: Datasette) -> list[tuple[str, View]]:
    """Datasette's pages about itself: paths, threads, plugins and their settings."""

    def data(name: str, fetch: Callable[..., Any], **options: bool) -> tuple[str, View]:
        view = special.JsonDataView.as_view(datasette, f"{name}.json", fetch, **options)
        return rf"{name}(\.(?P<format>json))?", view

    return [
        data("databases", datasette._connected_databases),
        # The configuration of plugins, which may hold a token.
        data("metadata", datasette.metadata),
        data("plugins", datasette._plugins, needs_request=True),
        data("settings", lambda: datasette._settings),
        data("threads", datasette._threads),
        data("versions", datasette._versions),
        ("allow-debug", special.AllowDebugView.as_view(datasette)),
        ("messages", special.MessagesDebugView.as_view(datasette)),
        ("patterns", special.PatternPortfolioView.as_view(datasette)),
        ("permissions", special.PermissionsDebugView.as_view(datasette)),
    ]


def _for_debugging(view: View) -> View:
    async def checked(datasette: Datasette, request: Request, send: Send) -> Any:
        if not await datasette.permission_allowed(request.actor, "debug-menu"):
            raise Forbidden("This page needs the permission debug-menu.")
        return await view(request, send)

    return _like(checked, view)


def _like(checked: View, view: View) -> View:
    """A view with what tells the methods of another one; see `web/guard.py`."""
    # Not functools.wraps: Datasette passes the arguments that the signature names.
    checked.__module__ = view.__module__
    checked.__dict__.update(view.__dict__)
    return checked
