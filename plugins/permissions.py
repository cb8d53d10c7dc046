"""Keeps what only some may see out of shared caches."""

from collections.abc import Awaitable, Callable
from typing import Any

from datasette import hookimpl
from datasette.app import Datasette

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
