"""HTTP requests to peers: few, bounded, and shared by all visitors.

At most one request at a time is on its way to a route of a peer. Visitors who want the
same share its response, and a peer that has not changed sends 304.
"""

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from weakref import WeakKeyDictionary

import httpx
from datasette.app import Datasette

from ci_observer.web.peers.body import MAX_BYTES, read_body
from ci_observer.web.peers.peer import Peer, PeerError
from ci_observer.web.settings import settings_of

# Of a whole request with its wait for the one before it, in seconds.
TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 4.0
# Requests with arguments that wait for a route of a peer. The background has none.
MAX_WAITING = 20
# Of the body of a configuration; of all others, `body.MAX_BYTES`.
MAX_BYTES_OF = {"/api/config": 2**20}
# `[],` has three bytes and takes 64 in memory. A wall of 2,000 tiles has 600,000.
MAX_VALUES = 1_000_000
# Of the responses that are kept to be confirmed by a 304.
MAX_KEPT = 100
MAX_KEPT_BYTES = 64_000_000
MAX_ETAG = 200
MAX_ERROR_BYTES = 100_000
MAX_ERROR_TEXT = 200

# The parameter by which an instance leaves its peers out.
OWN_ONLY = ("peers", "no")
Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PeerResponse:
    """A response with status 200: its decompressed body and its ETag, without `W/`."""

    content: bytes
    etag: str

    def json(self) -> Any:
        """Parse the body. Raises `PeerError` if it is no JSON, or has too many values.

        The result is not kept, since it may take more memory than the body.
        """
        if self.content.count(b",") > MAX_VALUES:
            raise PeerError("its response has too many values")
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise PeerError(
                "its response is not JSON, so it may be no CI Observer"
            ) from None


class PeerClient:
    """Sends requests to peers, in one event loop."""

    def __init__(self) -> None:
        self._http: httpx.AsyncClient | None = None
        self._kept: OrderedDict[Any, PeerResponse] = OrderedDict()
        self._running: dict[Any, asyncio.Task[PeerResponse]] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._waiting: dict[tuple[str, str], int] = {}

    async def get(self, peer: Peer, route: str, query: Query = ()) -> PeerResponse:
        """The response of a route such as `/api/wall`, of the peer's own data only.

        `query` has the other arguments of the URL. Raises `PeerError` without a usable
        response within `TOTAL_SECONDS`. A caller that is cancelled leaves the request
        to the others who wait for it.
        """
        key = (peer, route, query)
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._get(peer, route, query))
            self._running[key] = task
            task.add_done_callback(lambda _: self._forget(key))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel the requests and close the connections."""
        tasks = [*self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()

    def _forget(self, key: Any) -> None:
        task = self._running.pop(key)
        # An exception without a waiting caller is no error.
        if not task.cancelled():
            task.exception()

    async def _get(self, peer: Peer, route: str, query: Query) -> PeerResponse:
        place = (peer.address, route)
        if query and self._waiting.get(place, 0) >= MAX_WAITING:
            raise PeerError("too many requests wait for its response")
        self._waiting[place] = self._waiting.get(place, 0) + 1
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                async with self._locks.setdefault(place, asyncio.Lock()):
                    return await self._send(peer, route, query)
        except TimeoutError:
            raise PeerError(
                f"it does not respond within {TOTAL_SECONDS:.0f} seconds"
            ) from None
        except httpx.HTTPError as error:
            raise PeerError(_error_text(error)) from None
        except (httpx.InvalidURL, UnicodeError):
            raise PeerError("its name is not valid") from None
        except OSError:
            raise PeerError("it does not respond (the connection failed)") from None
        finally:
            self._waiting[place] -= 1

    async def _send(self, peer: Peer, route: str, query: Query) -> PeerResponse:
        key = (peer, route, query)
        kept = self._kept.get(key)
        headers = {"Accept": "application/json"}
        if kept is not None and kept.etag:
            headers["If-None-Match"] = kept.etag
        if peer.token is not None:
            headers["Authorization"] = f"Bearer {peer.token}"
        url = httpx.URL(f"{peer.address}{route}", params=[*query, OWN_ONLY])
        async with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED and kept is not None:
                self._kept.move_to_end(key)
                return kept
            encoding = response.headers.get("content-encoding", "").strip().lower()
            is_good = response.status_code == httpx.codes.OK
            limit = MAX_BYTES_OF.get(route, MAX_BYTES) if is_good else MAX_ERROR_BYTES
            try:
                content = await read_body(response.aiter_raw(), encoding, limit=limit)
            except PeerError:
                if is_good:
                    raise
                content = b""
        if not is_good:
            raise PeerError(_status_text(peer, response, content))
        etag = response.headers.get("etag", "").removeprefix("W/")
        found = PeerResponse(content, etag if len(etag) <= MAX_ETAG else "")
        self._keep(key, found)
        return found

    def _keep(self, key: Any, response: PeerResponse) -> None:
        self._kept[key] = response
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT or (
            len(self._kept) > 1
            and sum(len(r.content) for r in self._kept.values()) > MAX_KEPT_BYTES
        ):
            self._kept.popitem(last=False)

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                # Mozilla's authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR.
                verify=httpx.create_ssl_context(),
                # No proxy and no .netrc of the environment: a peer is named directly.
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
                headers={"User-Agent": "ci-observer", "Accept-Encoding": "gzip"},
                limits=httpx.Limits(max_keepalive_connections=20, keepalive_expiry=30),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            )
        return self._http


def _error_text(error: httpx.HTTPError) -> str:
    """Why a request failed, in words that do not depend on the system."""
    text = str(error).lower()
    if isinstance(error, httpx.TimeoutException):
        return "it does not respond in time"
    if "certificate" in text:
        return "its certificate is not trusted"
    if isinstance(error, httpx.ConnectError):
        reasons = {
            "refused": "connection refused",
            "all connection attempts failed": "connection refused",
            "name or service": "its name is unknown",
            "nodename": "its name is unknown",
            "resolution": "its name is unknown",
            "ssl": "no TLS",
        }
        found = (reason for word, reason in reasons.items() if word in text)
        return f"it does not respond ({next(found, 'no connection')})"
    if isinstance(error, httpx.RemoteProtocolError):
        return "its response breaks off or is not HTTP"
    return "it does not respond (the connection failed)"


_OF_STATUS = {
    401: "it rejects the token in PEER_TOKENS_FILE",
    403: "it refuses access (HTTP 403)",
    404: "no CI Observer is at its address (HTTP 404)",
}


def _status_text(peer: Peer, response: httpx.Response, content: bytes) -> str:
    """What a response without data says."""
    status = response.status_code
    if response.has_redirect_location:
        return (
            f"it redirects (HTTP {status}), which is not followed. Write the address "
            "to which it leads into PEERS"
        )
    if status == httpx.codes.UNAUTHORIZED and peer.token is None:
        return "it needs a token. Write its ACCESS_TOKEN into PEER_TOKENS_FILE"
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    message = _own_error(content)
    if status == httpx.codes.BAD_REQUEST and "'peers'" in message:
        return "its version is too old to be a peer. Update it"
    return f"it responds with HTTP {status}{f': {message}' if message else ''}"


def _own_error(content: bytes) -> str:
    """The message of an error response of CI Observer; empty for another response."""
    try:
        message = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    text = " ".join(message.split()) if isinstance(message, str) else ""
    printable = "".join(c for c in text if c.isprintable())
    return printable[:MAX_ERROR_TEXT].rstrip(".")


_CLIENTS: WeakKeyDictionary[Datasette, PeerClient] = WeakKeyDictionary()


def client_of(datasette: Datasette) -> PeerClient:
    """The client of a server, for its event loop."""
    return _CLIENTS.setdefault(datasette, PeerClient())


def peers_of(datasette: Datasette) -> tuple[Peer, ...]:
    """The peers in the settings."""
    return settings_of(datasette).peers
