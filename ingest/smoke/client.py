"""HTTP requests to the instance that is checked, with and without its token."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from ci_observer.ingest.config import load_network
from ci_observer.ingest.config.values import is_loopback
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.certificates import tls_context
from ci_observer.ingest.github.transport import httpx_proxy
from ci_observer.ingest.texts import one_line

# Of an export, only the beginning is read.
MAX_BYTES = 5_000_000
START_BYTES = 2000


class Unreachable(Exception):
    """There is no complete response; the text says why."""


@dataclass(frozen=True)
class Response:
    """A response, whose body may be cut. `headers` have names in lower case."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = field(compare=False)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def content_type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    def json(self) -> Any:
        """The parsed body; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Instance:
    """A client for one instance; its requests raise `Unreachable`.

    `base` ends without a slash. With a token, `get` sends it.
    """

    base: str
    http: httpx.Client
    token: str | None = field(default=None, repr=False)

    def get(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        size: int = MAX_BYTES,
    ) -> Response:
        """Send a GET request with the token, and read up to `size` bytes."""
        return self.send("GET", path, headers, token=self.token, size=size)

    def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        token: str | None = None,
        size: int = MAX_BYTES,
    ) -> Response:
        """Send a request to a path below the base, or to a whole URL."""
        url = path if "://" in path else f"{self.base}{path}"
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        start = time.perf_counter()
        try:
            with self.http.stream(method, url, headers=headers) as response:
                body = _beginning(response, size)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(_reason(error)) from error
        seconds = time.perf_counter() - start
        found = {name.lower(): text for name, text in response.headers.items()}
        return Response(url, response.status_code, found, body, seconds)


@contextmanager
def open_instance(url: str, *, token: str | None, timeout: float) -> Iterator[Instance]:
    """A client for the instance at a URL.

    Raises `ConfigError` for a wrong URL, proxy or file of certificates.
    """
    base = _checked(url, token)
    proxy, certificates = load_network(base)
    context = tls_context(certificates)
    is_local = is_loopback(urlsplit(base).hostname or "")
    http = httpx.Client(
        timeout=timeout,
        # The settings have read and checked the environment.
        trust_env=False,
        # A proxy of this machine is for other hosts.
        proxy=httpx_proxy(proxy, context) if proxy and not is_local else None,
        verify=context or True,
        headers={"User-Agent": "ci-observer smoke"},
    )
    with http:
        yield Instance(base, http, token)


def _checked(url: str, token: str | None) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_good = is_good and not (parts.query or parts.fragment) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ConfigError(
            "The URL is not the address of an instance. Write it with its prefix and "
            "without a query, for example https://ci.example.com/ci/"
        )
    if parts.username is not None and token:
        raise ConfigError(
            "The URL has a user name, and there is an access token: a request can have "
            "only one of them. Leave the user name out."
        )
    return url.rstrip("/")


def _beginning(response: httpx.Response, size: int) -> bytes:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) >= size:
            break
    return body


def _reason(error: Exception) -> str:
    reason = one_line(str(error)) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return "no response in time"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return (
            f"{reason}. For a certificate of your own, set SSL_CERT_FILE to the file of"
            " its authority"
        )
    return reason
