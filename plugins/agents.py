"""The route /-/mcp: a Model Context Protocol server, for agents."""

from typing import Any

from datasette import hookimpl
from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils.asgi import Request, Response

from ci_observer.web.accept import prefers_html
from ci_observer.web.access import ensure_visible
from ci_observer.web.pages.error_page import error_page
from ci_observer.web.responses import Receive, Send, error_response
from ci_observer.web.same_site import is_same_site
from ci_observer.web.urls import route_of

ROUTE = "/-/mcp"
# The entry point of datasette-mcp.
DATASETTE_MCP = "mcp"
METHODS = ("POST", "OPTIONS")
NOT_INSTALLED = (
    "Agents need one more package: pip install 'ci-observer[mcp]', then restart."
)
FOR_AGENTS = (
    "This address is for agents, which send POST: a Model Context Protocol server. "
    "docs/agents.md says how to add it to yours."
)
FROM_ANOTHER_SITE = "A page of another site may not use this address."

try:
    from ci_observer.web.agents.endpoint import Endpoint
    from ci_observer.web.agents.tools import register_tools
except ImportError as error:
    # Only a missing package: a fault in our own code must be seen.
    if (error.name or "").partition(".")[0] not in ("datasette_mcp", "mcp"):
        raise
    Endpoint = None  # type: ignore[assignment, misc]
else:
    # Its route keeps sessions in memory, and makes a server at each start.
    if pm.has_plugin(DATASETTE_MCP):
        pm.unregister(name=DATASETTE_MCP)


async def mcp(
    datasette: Datasette, request: Request, receive: Receive, send: Send
) -> Response | None:
    """Respond to one message of an agent."""
    allow = {"Allow": ", ".join(METHODS)}
    if request.method == "OPTIONS":
        return Response("", status=204, headers=allow)
    if request.method != "POST":
        if prefers_html(request):
            return await error_page(datasette, request, 405, FOR_AGENTS, headers=allow)
        return error_response(request, FOR_AGENTS, 405, headers=allow)
    if not is_same_site(request):
        return error_response(request, FROM_ANOTHER_SITE, 403)
    await ensure_visible(datasette, request.actor)
    if Endpoint is None:
        return error_response(request, NOT_INSTALLED, 501)
    await Endpoint.of(datasette).respond(request.scope, receive, send)
    return None


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    return [(rf"^{ROUTE}$", mcp)]


@hookimpl
def skip_csrf(datasette: Datasette, scope: dict[str, Any]) -> bool:
    # The route looks at the headers Sec-Fetch-Site and Origin instead.
    return route_of(datasette, scope) == ROUTE


@hookimpl
def register_mcp_tools(datasette: Datasette, mcp: Any) -> None:
    register_tools(datasette, mcp)
