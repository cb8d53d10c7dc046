"""Security headers, which forbid browsers everything that our pages do not need."""

from collections.abc import Callable
from functools import cache

from datasette import hookimpl
from datasette.app import Datasette

from ci_observer.web.guard import guarded_app
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.security_headers import COMMON_POLICY, HEADERS
from ci_observer.web.urls import route_of

Headers = list[tuple[bytes, bytes]]

# Datasette's pages have inline scripts and styles.
DATASETTE_POLICY = (
    f"{COMMON_POLICY} blob:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'"
)
# Vega compiles the charts' expressions.
DASHBOARD_POLICY = DATASETTE_POLICY.replace(
    "script-src 'self'", "script-src 'self' 'unsafe-eval'"
)


# Last, so that it wraps the responses of all other plugins.
@hookimpl(trylast=True)
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    def wrap(app: App) -> App:
        # Its responses have the headers, too.
        app = guarded_app(app, datasette)

        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            policy = content_security_policy(datasette, route_of(datasette, scope))

            async def send_with_headers(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = _with_ours(message["headers"], policy)
                    message = message | {"headers": headers}
                await send(message)

            await app(scope, receive, send_with_headers)

        return wrapped

    return wrap


@hookimpl
def skip_csrf(datasette: Datasette, scope: Message) -> bool:
    # The login looks at the headers Sec-Fetch-Site and Origin instead, which need no
    # cookie. Our other pages have no POST, and respond with 405.
    return not _is_datasettes(datasette, route_of(datasette, scope))


def content_security_policy(datasette: Datasette, route: str) -> str:
    """The value of the header for a route; the strictest for our own pages."""
    if route.startswith("/-/dashboards"):
        return DASHBOARD_POLICY
    return DATASETTE_POLICY if _is_datasettes(datasette, route) else COMMON_POLICY


def _is_datasettes(datasette: Datasette, route: str) -> bool:
    return route.startswith(("/-/", *(f"/{name}" for name in datasette.databases)))


def _with_ours(headers: Headers, policy: str) -> Headers:
    """The headers of a response, and those of ours that it does not set itself."""
    present = {name.lower() for name, _ in headers}
    ours = _encoded(policy)
    return [*headers, *(header for header in ours if header[0] not in present)]


@cache
def _encoded(policy: str) -> Headers:
    headers = HEADERS | {"Content-Security-Policy": policy}
    return [(name.lower().encode(), text.encode()) for name, text in headers.items()]
