"""One HTTP connection, with limits of time and size.

uvicorn has a time limit for idle connections only, and its limit of connections refuses
all new ones once it is reached. This subclass of its protocol adds limits for receiving
a request, and for readers that take nothing.
"""

import asyncio
from enum import Enum
from functools import partial
from typing import Any, cast

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ci_observer.web.connection_limits import NEVER, Connections, Limits, Refusal


def bounded_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """The protocol for uvicorn's option `http`, for one server."""
    factory = partial(BoundedProtocol, connections=Connections(limits))
    return cast(type[asyncio.Protocol], factory)


class State(Enum):
    """The event that a connection waits for."""

    HEAD = "the head of a request"
    BODY = "the body of a request"
    RESPONSE = "the response"
    IDLE = "another request"


class BoundedProtocol(HttpToolsProtocol):
    """One connection, with its limits.

    `since` is the start of its state, and `deadline` the end of the time for it, both
    by the clock of the event loop. `slow_since` is when its reader fell behind.
    """

    def __init__(self, config: Config, connections: Connections, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self._all = connections
        self._limits = connections.limits
        # Bytes of the request so far, and of the last packet.
        self._received = self._chunk = self._unsent = 0
        self.address = ""
        # Whether no request has arrived yet.
        self.is_new = True
        self.state = State.HEAD
        self.since = 0.0
        self.deadline = self.slow_since = self.slow_deadline = NEVER

    @property
    def is_waiting(self) -> bool:
        """Whether no response is due, so that the connection may end."""
        has_response = self.cycle is None or self.cycle.response_complete
        return has_response and self.slow_since == NEVER

    @property
    def backlog(self) -> int:
        """The bytes that the reader has not taken yet."""
        size: int = self.transport.get_write_buffer_size()
        return size

    @property
    def _is_receiving(self) -> bool:
        """Whether a part of a request has arrived, and not the whole."""
        has_begun = not self.is_new or self._received > 0
        return has_begun and self.state in (State.HEAD, State.BODY)

    def end_if_late(self, now: float) -> None:
        """End the connection if the time for its state is over."""
        if self.slow_deadline <= now:
            self._end_if_stuck(now)
        elif self.deadline <= now and self.slow_since == NEVER:
            if self._is_receiving and not self.transport.is_closing():
                self._refuse(Refusal(408, "The request has not arrived in time."))
            else:
                self.transport.abort()

    def _end_if_stuck(self, now: float) -> None:
        unsent = self.backlog
        if self._unsent - unsent < self._limits.read_bytes:
            self.transport.abort()
        self._unsent = unsent
        self.slow_deadline = now + self._limits.read_seconds

    def _enter(self, state: State, seconds: float) -> None:
        self.state = state
        self.since = self.loop.time()
        self.deadline = self.since + seconds

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._enter(State.HEAD, self._limits.head_seconds)
        try:
            self._all.add(self)
        except Refusal as refusal:
            self._refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.open.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._chunk = len(data)
        self._received += self._chunk
        try:
            self.parser.feed_data(data)
            self._refuse_if_large()
        except httptools.HttpParserUpgrade:
            # The request is answered without the upgrade.
            pass
        except httptools.HttpParserError as error:
            cause = error.__context__
            is_ours = isinstance(cause, Refusal)
            invalid = Refusal(400, "This is not a valid HTTP request.")
            self._refuse(cast(Refusal, cause) if is_ours else invalid)
        except Refusal as refusal:
            self._refuse(refusal)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.slow_since = self.loop.time()
        self.slow_deadline = self.slow_since + self._limits.read_seconds
        self._unsent = self.backlog
        self._all.end_greediest(self.slow_since)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.slow_since = self.slow_deadline = NEVER

    # The parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self.is_new:
            self._enter(State.HEAD, self._limits.head_seconds)

    def on_headers_complete(self) -> None:
        is_suspect = max(self._received, self._chunk) > self._limits.head_bytes
        if is_suspect and self._head_size() > self._limits.head_bytes:
            raise Refusal(431, "The head of the request is too large.")
        if len(self.pipeline) >= self._limits.pipelined_requests:
            raise Refusal(429, "Too many requests at once on one connection.")
        names = [name for name, _ in self.headers]
        if names.count(b"host") > 1:
            # Two readers of such a request could take different ones.
            raise Refusal(400, "The request has more than one Host header.")
        has_body = b"content-length" in names or b"transfer-encoding" in names
        if has_body and self.parser.should_upgrade():
            # The parser would drop the body.
            raise Refusal(400, "A request with a body cannot be an upgrade.")
        super().on_headers_complete()
        self.is_new = False
        self._enter(State.BODY, self._limits.body_seconds)

    def on_body(self, body: bytes) -> None:
        if len(self.cycle.body) + len(body) > self._limits.body_bytes:
            raise Refusal(413, "The body of the request is too large.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._received = 0
        if self.cycle.response_complete:
            self._enter(State.IDLE, self._limits.idle_seconds)
        else:
            self._enter(State.RESPONSE, NEVER)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # The state has a time limit of its own.
        self._unset_keepalive_if_required()
        if self.state is State.RESPONSE and self.cycle.response_complete:
            self._enter(State.IDLE, self._limits.idle_seconds)

    # Limits of size

    def _head_size(self) -> int:
        sizes = (len(name) + len(value) for name, value in self.headers)
        return len(self.url) + sum(sizes)

    def _refuse_if_large(self) -> None:
        """Raise `Refusal` if the bytes of an incomplete request are too many.

        They include those that the parser does not pass on, such as sizes of chunks.
        """
        limits = self._limits
        if self.state is State.HEAD and self._received > limits.head_bytes:
            raise Refusal(431, "The head of the request is too large.")
        if self._received > limits.head_bytes + limits.body_bytes:
            raise Refusal(413, "The body of the request is too large.")

    def _refuse(self, refusal: Refusal) -> None:
        """Send an error and close, or only close if a response has begun."""
        text = str(refusal).encode()
        has_begun = not self.is_waiting and self.cycle.response_started
        if not has_begun and not self.pipeline:
            head = [
                *self.server_state.default_headers,
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(text)).encode()),
                (b"connection", b"close"),
            ]
            lines = [b"%s: %s\r\n" % header for header in head]
            self.transport.write(
                b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", text])
            )
        self.transport.close()
        self._enter(State.IDLE, self._limits.read_seconds)
