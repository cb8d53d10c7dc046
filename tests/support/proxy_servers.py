"""Real proxies on loopback: HTTP with CONNECT, and SOCKS 5; and TLS for any server."""

import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from urllib.parse import urlsplit


@dataclass
class ProxyServer:
    """A running proxy: its port, what it was asked to reach, and how it responds.

    `refusal` is the status of every response, for the HTTP proxy. `user` is the
    `USER:PASSWORD` that requests need.
    """

    port: int = 0
    user: str | None = None
    refusal: str | None = None
    targets: list[str] = field(default_factory=list)
    # Host names that the proxy resolves, as `HOST:PORT`.
    hosts: dict[str, str] = field(default_factory=dict)

    def connect(self, host: str, port: int) -> socket.socket:
        self.targets.append(f"{host}:{port}")
        host, _, number = self.hosts.get(host, f"{host}:{port}").rpartition(":")
        return socket.create_connection((host, int(number)))


@contextmanager
def http_proxy(**options: str | None) -> Iterator[ProxyServer]:
    """An HTTP proxy."""
    with _serving(_HttpHandler, ProxyServer(**options)) as proxy:  # type: ignore[arg-type]
        yield proxy


@contextmanager
def socks_proxy(user: str | None = None) -> Iterator[ProxyServer]:
    """A SOCKS 5 proxy, RFC 1928 and 1929."""
    with _serving(_SocksHandler, ProxyServer(user=user)) as proxy:
        yield proxy


@contextmanager
def tls_server(target: str, context: ssl.SSLContext) -> Iterator[ProxyServer]:
    """A server that speaks TLS and passes the bytes on to `HOST:PORT`."""
    with _serving(_TlsHandler, ProxyServer(hosts={"": target}), context) as server:
        yield server


@contextmanager
def _serving(
    handler: type[StreamRequestHandler],
    proxy: ProxyServer,
    context: ssl.SSLContext | None = None,
) -> Iterator[ProxyServer]:
    with _Server(("127.0.0.1", 0), handler) as server:
        server.proxy, server.context = proxy, context
        proxy.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingTCPServer):
    # A connection that a client keeps open must not keep the test from ending.
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    proxy: ProxyServer
    context: ssl.SSLContext | None

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Handler(StreamRequestHandler):
    server: _Server
    rbufsize = 0

    @property
    def proxy(self) -> ProxyServer:
        return self.server.proxy


class _HttpHandler(_Handler):
    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (more := self.request.recv(1)):
                return
            head += more
            if not head[:1].isalpha():
                self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
        request, *headers = head.decode("ascii").rstrip("\r\n").split("\r\n")
        method, target, version = request.split(" ")
        if refusal := self._refusal(headers):
            body = "<h1>No</h1>"
            lines = [
                f"HTTP/1.1 {refusal}",
                "content-type: text/html",
                "connection: close",
                f"content-length: {len(body)}",
                "",
                body,
            ]
            self.request.sendall("\r\n".join(lines).encode())
            return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            upstream = self.proxy.connect(host.strip("[]"), int(port))
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            url = urlsplit(target)
            upstream = self.proxy.connect(url.hostname or "", url.port or 80)
            path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
            kept = [h for h in headers if not h.lower().startswith(("proxy-", "conn"))]
            lines = [f"{method} {path} {version}", *kept, "connection: close"]
            upstream.sendall("\r\n".join([*lines, "", ""]).encode())
        _join(self.request, upstream)

    def _refusal(self, headers: list[str]) -> str | None:
        if user := self.proxy.user:
            secret = b64encode(user.encode()).decode()
            if f"proxy-authorization: basic {secret}".lower() not in [
                header.lower() for header in headers
            ]:
                return "407 Proxy Authentication Required"
        return self.proxy.refusal


class _SocksHandler(_Handler):
    def handle(self) -> None:
        _, count = self._read(2)
        methods = self._read(count)
        wanted = 2 if self.proxy.user else 0
        if wanted not in methods:
            self.request.sendall(b"\x05\xff")
            return
        self.request.sendall(bytes([5, wanted]))
        if wanted and not self._is_authenticated():
            return
        _, _, _, kind = self._read(4)
        if kind == 3:
            host = self._read(self._read(1)[0]).decode()
        else:
            family, length = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, self._read(length))
        port = int.from_bytes(self._read(2), "big")
        try:
            upstream = self.proxy.connect(host, port)
        except OSError:
            self.request.sendall(b"\x05\x05\x00\x01" + bytes(6))
            return
        self.request.sendall(b"\x05\x00\x00\x01" + bytes(6))
        _join(self.request, upstream)

    def _is_authenticated(self) -> bool:
        _, length = self._read(2)
        name = self._read(length)
        password = self._read(self._read(1)[0])
        is_right = f"{name.decode()}:{password.decode()}" == self.proxy.user
        self.request.sendall(bytes([1, not is_right]))
        return is_right

    def _read(self, size: int) -> bytes:
        data: bytes = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("the client has gone")
        return data


class _TlsHandler(_Handler):
    def handle(self) -> None:
        assert self.server.context is not None
        with self.server.context.wrap_socket(self.request, server_side=True) as client:
            _join(client, self.proxy.connect("", 0))


def _join(client: socket.socket, upstream: socket.socket) -> None:
    """Pass bytes on both ways until either side has ended."""
    back = Thread(target=_copy, args=(upstream, client), daemon=True)
    back.start()
    _copy(client, upstream)
    back.join()
    upstream.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
