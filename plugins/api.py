"""Requests to the routes in the table of the API.

They are handled before Datasette's routing, which would take most of the time of a
small response. The actor is looked for here, and only if a visitor may be refused.
"""

from collections.abc import Callable
from functools import partial

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Forbidden, Request, Response

from ci_observer.web.accept import prefers_html
from ci_observer.web.access import ensure_visible, find_actor, is_restricted
from ci_observer.web.api.handlers import health_status
from ci_observer.web.api.routes import Call, Route
from ci_observer.web.api.table import HEALTH, ROUTES
from ci_observer.web.errors import WebError
from ci_observer.web.pages.api_page import fetch_api_page
from ci_observer.web.pages.page import Page
from ci_observer.web.responses import (
    App,
    Message,
    Receive,
    Send,
    error_response,
    respond_to_method,
    vary_by,
)
from ci_observer.web.urls import origin_of, route_of

Found = tuple[Route, dict[str, str]]


async def page(datasette: Datasette, request: Request) -> Response:
    """The routes for people, and how to use them."""
    origin = origin_of(request)
    fetch = partial(fetch_api_page, routes=ROUTES.by_path, origin=origin)
    response = await Page("api.html", "API", fetch, key=(origin,)).respond(
        datasette, request
    )
    return vary_by(response, "Accept")


async def not_found(datasette: Datasette, request: Request) -> Response:
    home = datasette.urls.path("/api")
    message = f"There is no {request.path} here. {home} lists the routes."
    return respond_to_method(request) or error_response(request, message, 404)


async def respond_to(
    datasette: Datasette,
    request: Request,
    receive: Receive,
    send: Send,
    found: Found | None,
) -> Response | None:
    """The response of a route; None if it has sent its response itself."""
    if is_restricted(datasette):
        refusal = await refuse(datasette, request, found)
        if refusal is not None:
            return refusal
    if found is None:
        return await not_found(datasette, request)
    route, values = found
    return await route.handler(Call(datasette, request, receive, send, route, values))


async def refuse(
    datasette: Datasette, request: Request, found: Found | None
) -> Response | None:
    """The response to a visitor who may not see the data; None to all others."""
    try:
        actor = await find_actor(datasette, request)
        await ensure_visible(datasette, actor, raw="raw" in request.args)
    except (Forbidden, WebError) as error:
        if found is not None and found[0].path == HEALTH:
            return await health_status(datasette, request)
        return error_response(request, str(error), error.status)
    return None


# First, so that the checks and headers of the other plugins hold for the API, too.
@hookimpl(tryfirst=True)
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    def wrap(app: App) -> App:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            path = route_of(datasette, scope)
            found = ROUTES.find(path)
            if found is None and not path.startswith("/api/"):
                return await app(scope, receive, send)
            request = Request(scope, receive)
            if path == "/api" and prefers_html(request):
                return await app(scope, receive, send)
            response = await respond_to(datasette, request, receive, send, found)
            if response is not None:
                await response.asgi_send(send)
            return None

        return wrapped

    return wrap


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., object]]]:
    return [(r"^/api$", page)]
