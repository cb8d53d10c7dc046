"""The one page for every error: 400, 403, 404, 405, 413, 500 and 503.

Our views, Datasette's, and the ASGI applications around both respond with it.
"""

import re
from typing import Any
from urllib.parse import unquote

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.accept import prefers_html
from ci_observer.web.access import find_actor
from ci_observer.web.pages.frame import FOUND, frame_of
from ci_observer.web.responses import (
    Message,
    Send,
    method_error,
    respond_to_method,
)
from ci_observer.web.security_headers import COMMON_POLICY, HEADERS
from ci_observer.web.texts import cut

MAX_SHOWN = 200
TILDE_ENCODED = re.compile(r"~[0-9A-F]{2}")
# The page reloads as soon as the server can send what was requested.
TEMPORARY = 503
FIRST_ERROR = 400


async def error_page(
    datasette: Datasette,
    request: Request,
    status: int,
    message: str,
    *,
    headers: dict[str, str] | None = None,
    **facts: Any,
) -> Response:
    """The page of an error, for a request whose view has run or not.

    `facts` are further variables of the template: `feeds` to choose from.
    """
    context = facts | {
        "status": status,
        "error": message,
        "looked_for": cut(_readable(request.path), MAX_SHOWN),
    }
    request = await _with_visitor(datasette, request)
    html = await datasette.render_template("error_page.html", context, request=request)
    return Response.html(
        "" if request.method == "HEAD" else html,
        status=status,
        headers={"Cache-Control": "no-store"} | (headers or {}),
    )


async def respond_to_method_of_page(
    datasette: Datasette, request: Request
) -> Response | None:
    """What `respond_to_method` returns, with the error page for browsers."""
    response = respond_to_method(request)
    if response is None or response.status < FIRST_ERROR or not prefers_html(request):
        return response
    return await error_page(
        datasette,
        request,
        response.status,
        method_error(request),
        headers={"Allow": response.headers["Allow"]},
    )


async def send_error(
    datasette: Datasette, scope: Message, send: Send, status: int, message: str
) -> None:
    """Send an error from outside of all plugins, as JSON or as the page."""
    request = Request(scope, None)
    headers = HEADERS | {"Content-Security-Policy": COMMON_POLICY}
    if status == TEMPORARY:
        headers["Retry-After"] = "2"
    if wants_json(request):
        body = {"ok": False, "error": message, "status": status}
        response = Response.json(
            body, status=status, headers=headers | {"Cache-Control": "no-store"}
        )
    else:
        response = await error_page(
            datasette, request, status, message, headers=headers
        )
    await response.asgi_send(send)


def wants_json(request: Request) -> bool:
    """Whether the client asks for JSON, by the path or by `Accept`."""
    accept = request.headers.get("accept", "")
    is_named = "application/json" in accept and not prefers_html(request)
    return bool(is_named or request.path.endswith(".json"))


def _readable(path: str) -> str:
    """A path without its encoding: Datasette redirects "%C3" to "~C3"."""
    text = TILDE_ENCODED.sub(lambda code: code[0].replace("~", "%"), path)
    return unquote(text)


async def _with_visitor(datasette: Datasette, request: Request) -> Request:
    """The request with the actor and the frame, also where no router has run."""
    scope = {"csrftoken": lambda: ""} | request.scope
    if "actor" not in scope:
        scope["actor"] = await find_actor(datasette, request)
    request = Request(scope, request.receive)
    request.scope[FOUND] = await frame_of(datasette, request)
    return request
