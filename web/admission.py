"""Admits a request to a server with an access token, or sends it to the login.

It closes every route, also those that ask for no permission, such as pages of plugins.
"""

from datasette.app import Datasette
from datasette.plugins import get_plugins
from datasette.utils.asgi import Request, Response

from ci_observer.web.access import FOUND, find_actor
from ci_observer.web.access_token import (
    RENEW_AFTER_SECONDS,
    Login,
    credentials,
    login_of,
)
from ci_observer.web.guess_limit import address_of
from ci_observer.web.pages.login import (
    LOGIN,
    LOGOUT,
    challenge,
    is_browser,
    login_path,
    refusal,
)
from ci_observer.web.responses import App, Message, Receive, Send, error_response
from ci_observer.web.urls import route_of

# Set in the scope of a request that has passed.
ADMITTED = "ci_observer.admitted"
HEALTH = "/api/health"
# Each page of ours requests it, so a screen that runs for years stays logged in.
RENEWING = "/api/config"
# The formats of other tools.
FORMATS = ("/cctray.xml", "/feed.atom", "/metrics", "/badge/")
STATIC = ("/static/", "/-/static/", "/-/static-plugins/")
OPEN = (LOGIN, LOGOUT, "/favicon.ico")
# The login pages of plugins, which an actor of theirs has to reach; route → plugin.
LOGINS_OF_PLUGINS = {
    "/-/github-auth-start": "datasette-auth-github",
    "/-/github-auth-callback": "datasette-auth-github",
    "/-/login": "datasette-auth-passwords",
}


def with_admission(datasette: Datasette, app: App) -> App:
    """The app, for those who have proved the token or are known to a plugin."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        state = login_of(datasette)
        if state is None or scope["type"] != "http" or ADMITTED in scope:
            return await app(scope, receive, send)
        scope = scope | {ADMITTED: True}
        if is_open(route_of(datasette, scope)):
            return await app(scope, receive, send)
        request = Request(scope, receive)
        response = await refuse(datasette, request, state)
        if response is not None:
            await response.asgi_send(send)
            return None
        return await app(scope, receive, _renewing(datasette, request, state, send))

    return wrapped


def is_open(route: str) -> bool:
    """Whether a page has no data and needs no login."""
    return route in OPEN or (route.startswith(STATIC) and ".." not in route)


async def refuse(
    datasette: Datasette, request: Request, state: Login
) -> Response | None:
    """The response to a visitor who has proved nothing; None to all others."""
    given = credentials(request)
    actor = await find_actor(datasette, request)
    if actor:
        request.scope[FOUND] = actor
        if given is not None and state.has_token(request):
            state.limit.record_success(address_of(request.scope.get("client")))
        return None
    route = route_of(datasette, request.scope)
    if given is not None:
        headers, status, message = refusal(state, request, given)
        response = error_response(request, message, status, headers=headers)
        # Open all the same: the API tells only ok or not.
        return None if route == HEALTH else response
    if route == HEALTH or _is_login_of_plugin(route):
        return None
    if is_navigation(datasette, request):
        headers = {"Cache-Control": "no-store"}
        return Response.redirect(login_path(datasette, request), headers=headers)
    page = datasette.urls.path(LOGIN)
    message = f"Log in at {page}, or send Authorization: Bearer ACCESS_TOKEN."
    headers = {"WWW-Authenticate": challenge(request)}
    return error_response(request, message, 401, headers=headers)


def is_navigation(datasette: Datasette, request: Request) -> bool:
    """Whether a person opens a page, who can be sent to the login."""
    headers = request.headers
    if request.method not in ("GET", "HEAD"):
        return False
    if mode := headers.get("sec-fetch-mode"):
        return bool(mode == "navigate")
    route = route_of(datasette, request.scope)
    if route.startswith(FORMATS) and not is_browser(request):
        # A feed reader accepts HTML, too, but cannot fill in a form.
        return False
    return "text/html" in headers.get("accept", "")


def _is_login_of_plugin(route: str) -> bool:
    # Only for such a route: the list of plugins takes 2 ms.
    name = LOGINS_OF_PLUGINS.get(route)
    return name is not None and name in {plugin["name"] for plugin in get_plugins()}


def _renewing(datasette: Datasette, request: Request, state: Login, send: Send) -> Send:
    """Make the cookie last for another year, once a week."""
    if route_of(datasette, request.scope) != RENEWING:
        return send
    age = state.cookie_age(request)
    if age is None or age < RENEW_AFTER_SECONDS:
        return send
    carrier = Response()
    state.set_cookie(request, carrier)
    cookies = [(b"set-cookie", text.encode()) for text in carrier._set_cookie_headers]

    async def send_renewed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = message | {"headers": [*message["headers"], *cookies]}
        await send(message)

    return send_renewed
