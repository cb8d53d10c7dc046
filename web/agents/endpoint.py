"""The HTTP endpoint of the MCP server, without sessions.

https://modelcontextprotocol.io/specification/2025-06-18/basic/transports
"""

import asyncio
import logging
from typing import Any
from weakref import WeakKeyDictionary

from datasette.app import Datasette
from datasette_mcp import create_mcp_server
from mcp.server.mcpserver import MCPServer

from ci_observer.web.agents.tools import INSTRUCTIONS
from ci_observer.web.receiving import read_body, run_until_disconnect
from ci_observer.web.responses import Message, Receive, Send

# It logs each error of an agent's SQL.
logging.getLogger("mcp").setLevel(logging.ERROR)

_ENDPOINTS: "WeakKeyDictionary[Datasette, Endpoint]" = WeakKeyDictionary()


class Endpoint:
    """The MCP server of one Datasette.

    datasette-mcp builds it, so that tools of other plugins are there, too.
    """

    def __init__(self, server: MCPServer) -> None:
        self._server = server

    @classmethod
    def of(cls, datasette: Datasette) -> "Endpoint":
        """The endpoint of a Datasette, made at the first request."""
        if datasette not in _ENDPOINTS:
            server = create_mcp_server(datasette)
            server._lowlevel_server.name = "ci-observer"
            server._lowlevel_server.instructions = INSTRUCTIONS
            _ENDPOINTS[datasette] = cls(server)
        return _ENDPOINTS[datasette]

    async def respond(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to one request, and cancel it, with its SQL, if the agent leaves."""
        # The guard of all requests has limited its size.
        body = await read_body(receive)
        if body is None:
            return
        messages: asyncio.Queue[Message] = asyncio.Queue()
        messages.put_nowait({"type": "http.request", "body": body})
        response = self._respond(scope, messages.get, send)
        await run_until_disconnect(response, receive)

    async def _respond(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to one request, which is a session of its own.

        Sessions would keep memory for each agent, and end with a restart.
        """
        app = self._server.streamable_http_app(
            streamable_http_path="/",
            json_response=True,
            stateless_http=True,
            # The names of this server are checked already.
            host="0.0.0.0",  # noqa: S104 (nothing listens here)
        )
        async with self._server.session_manager.run():
            respond: Any = send
            own_path: Any = scope | {"path": "/", "raw_path": b"/"}
            await app(own_path, receive, respond)
