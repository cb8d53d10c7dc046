"""A uvicorn server with limits for its connections, and raw connections to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import uvicorn
from waiting import HANG_SECONDS

from ci_observer.web.connection_limits import Limits
from ci_observer.web.connections import BoundedProtocol, bounded_protocol

LOOPBACK = "127.0.0.1"


class Connection:
    """An open connection to a server; `read` methods wait until the server acts."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        """The status line and headers of the next response."""
        async with asyncio.timeout(HANG_SECONDS):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """All bytes until the server closes or resets the connection."""
        received = b""
        async with asyncio.timeout(HANG_SECONDS):
            try:
                while chunk := await self.reader.read(65_536):
                    received += chunk
            except ConnectionError:
                pass
        return received

    async def drip(self, chunk: bytes) -> bytes:
        """Send a chunk again and again until the server closes; return the rest."""
        rest = asyncio.ensure_future(self.rest())
        while not rest.done():
            self.writer.write(chunk)
            await asyncio.wait({rest}, timeout=0.005)
        return await rest


@asynccontextmanager
async def listening(app: Any, limits: Limits, port: int = 0) -> AsyncIterator["Server"]:
    """Serve an ASGI application on loopback until the `with` block ends."""
    config = uvicorn.Config(
        app,
        host=LOOPBACK,
        port=port,
        http=bounded_protocol(limits),
        lifespan="off",
        log_config=None,
        # Another server of the same process may have set another level.
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    await asyncio.wait_for(server.listens.wait(), HANG_SECONDS)
    try:
        yield server
    finally:
        for connection in server.opened:
            connection.writer.close()
        server.should_exit = True
        await asyncio.wait_for(task, HANG_SECONDS)


class Server(uvicorn.Server):
    """A server that tells when it listens, and makes connections to itself."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()
        self.opened: list[Connection] = []

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    async def protocols(self) -> list[BoundedProtocol]:
        """The server's side of the open connections, once all are accepted."""
        async with asyncio.timeout(HANG_SECONDS):
            while len(self.server_state.connections) < len(self.opened):
                await asyncio.sleep(0.005)
        return cast(list[BoundedProtocol], [*self.server_state.connections])

    async def connect(self, sent: bytes = b"", address: str = LOOPBACK) -> Connection:
        """A connection from an address, on which some bytes are sent."""
        port = self.servers[0].sockets[0].getsockname()[1]
        streams = await asyncio.open_connection(
            LOOPBACK, port, local_addr=(address, 0), limit=1024
        )
        connection = Connection(*streams)
        connection.send(sent)
        self.opened.append(connection)
        return connection
