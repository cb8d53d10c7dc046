"""What `apprise` may do on the network: no redirect, nothing for GitHub.

In the process that sends, or in a block: `requests` and name lookups are replaced.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from ci_observer.ingest.alerts.receivers import DEFAULT_PORTS, is_githubs
from ci_observer.ingest.github.certificates import Certificates
from ci_observer.ingest.github.proxies import Proxy

# Statuses of a receiver that wants another try.
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_CLIENT_ERRORS = range(400, 500)
_REDIRECTS = range(300, 400)


class RefusedHost(OSError):
    """A request to a host of GitHub."""


@dataclass
class Seen:
    """The statuses of all responses, and the errors without one."""

    statuses: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Whether the receiver has refused the message itself."""
        last = self.statuses[-1] if self.statuses else 0
        return last in _CLIENT_ERRORS and last not in _LATER

    @property
    def reason(self) -> str:
        """Why a message was not accepted, without any part of an address."""
        if self.errors:
            return self.errors[0]
        if not self.statuses:
            return "it did not accept the message"
        status = self.statuses[-1]
        if status in _REDIRECTS:
            return f"HTTP {status}: redirects are not followed"
        return f"HTTP {status}"


@contextmanager
def guarded(
    hosts: tuple[str, ...],
    choose_proxy: Callable[[str], Proxy | None],
    certificates: Certificates,
) -> Iterator[Seen]:
    """Within the block, requests go by our rules. Yields what comes back."""
    import requests  # noqa: PLC0415 (an extra, with apprise)

    seen = Seen()
    send, lookup = requests.Session.send, socket.getaddrinfo

    def guarded_send(
        session: requests.Session, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        url = str(request.url)
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORTS.get(parts.scheme)
            _refuse(parts.hostname or "", port, hosts)
            kwargs |= _options(choose_proxy(url), certificates, kwargs.get("verify"))
            response = send(session, request, **kwargs)
        except Exception as error:
            seen.errors.append(_words(error))
            raise
        seen.errors.clear()
        seen.statuses.append(response.status_code)
        return response

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            name = host.decode() if isinstance(host, bytes) else str(host or "")
            _refuse(name, args[0] if args else kwargs.get("port"), hosts)
            return lookup(host, *args, **kwargs)
        except OSError as error:
            seen.errors.append(_words(error))
            raise

    requests.Session.send = guarded_send  # type: ignore[assignment, method-assign]
    socket.getaddrinfo = guarded_lookup
    try:
        yield seen
    finally:
        requests.Session.send = send  # type: ignore[method-assign]
        socket.getaddrinfo = lookup


def _refuse(host: str, port: Any, hosts: tuple[str, ...]) -> None:
    if is_githubs(host, hosts, port):
        raise RefusedHost("CI Observer sends nothing to GitHub.")


def _options(
    proxy: Proxy | None, certificates: Certificates, verify: Any
) -> Mapping[str, Any]:
    address = _address(proxy) if proxy else ""
    proxies = {"http": address, "https": address} if proxy else {}
    own = certificates.file or certificates.folders
    return {
        "allow_redirects": False,
        "proxies": proxies,
        "verify": own if own and verify is not False else verify,
    }


def _address(proxy: Proxy) -> str:
    if proxy.auth is None:
        return proxy.url
    user, password = (quote(part, safe="") for part in proxy.auth)
    scheme, _, rest = proxy.url.partition("://")
    return f"{scheme}://{user}:{password}@{rest}"


def _words(error: Exception) -> str:
    """The kind of an error. Its own text may have a part of an address."""
    if isinstance(error, RefusedHost):
        return "the address is one of GitHub's, to which nothing is sent"
    name = type(error).__name__
    if "Timeout" in name:
        return "no response in time"
    if "SSL" in name:
        return "the TLS connection failed: check its certificate"
    if "Proxy" in name:
        return "the proxy did not connect"
    if isinstance(error, socket.gaierror):
        return "the name of the host was not found"
    return "no connection"
