"""Lets a few requests for Datasette's pages through at once; `web/sql/gate.py`."""

from collections.abc import Callable

from datasette import hookimpl
from datasette.app import Datasette

from ci_observer.web.forwarding import is_ours
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.sql.gate import Gate, run_while_connected
from ci_observer.web.urls import route_of


# First, so that other plugins refuse a request before it waits.
@hookimpl(tryfirst=True)
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    gate = Gate(datasette)

    def wrap(app: App) -> App:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or is_ours(route_of(datasette, scope)):
                await app(scope, receive, send)
                return
            await run_while_connected(
                lambda own_receive: gate.run(app, scope, own_receive, send),
                scope,
                receive,
            )

        return wrapped

    return wrap
