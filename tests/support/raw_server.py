"""An HTTP server that sends any bytes, for responses that no framework would send.

One thread for each connection. A response is an iterator of chunks, so it may be
endless; it ends early when the client closes the connection.
"""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

# In place of a chunk: wait until the client closes the connection.
OPEN = b""

# From the path and query of a request to the chunks of its response.
Respond = Callable[[str], Iterable[bytes]]


class RawServer:
    """The heads of the requests so far, and the address; made by `raw_server`."""

    def __init__(self, respond: Respond) -> None:
        self.requests: list[str] = []
        self._respond = respond
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop accepting; open connections end with their clients."""
        # Closing alone does not wake a thread that waits in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65_536)
                if not received:
                    return
                request += received
            text = request.decode("latin-1")
            self.requests.append(text)
            for chunk in self._respond(text.split(" ", 2)[1]):
                if chunk == OPEN:
                    connection.recv(1)
                else:
                    connection.sendall(chunk)


@contextmanager
def raw_server(respond: Respond) -> Iterator[RawServer]:
    """Serve until the `with` block ends."""
    server = RawServer(respond)
    try:
        yield server
    finally:
        server.close()


def head(*headers: str | bytes, status: str = "200 OK") -> bytes:
    """The first part of a response whose end is the end of the connection."""
    lines = [f"HTTP/1.1 {status}", "connection: close", *headers, "", ""]
    return b"\r\n".join(
        line if isinstance(line, bytes) else line.encode() for line in lines
    )
