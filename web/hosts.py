"""Which names of this server a request may use, against DNS rebinding.

A page of another site can let its own name point to this server's address, and then
read everything that the visitor's browser may read. The `Host` header has that name.
Starlette's TrustedHostMiddleware does not fit: it knows no networks, no trailing dot
and no second `Host`, and its response does not name the setting.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from weakref import WeakKeyDictionary

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.responses import App, Message, Receive, Send, error_response
from ci_observer.web.settings import settings_of
from ci_observer.web.urls import route_of

# For a server that only its own machine can reach.
LOOPBACK = ("localhost", "*.localhost", "127.0.0.0/8", "::1")
# Probes use addresses, and the response tells nothing that a name should protect.
HEALTH = "/api/health"
MAX_CACHED = 1000
MAX_SHOWN = 100
# A name has 253 characters at most; longer ones must not be kept in the cache.
MAX_HOST = 300

NO_HOST = "A request needs one header Host, with a name of this server."

# A name or an address, and a port, which does not matter.
_HOST = re.compile(
    r"(?:\[([0-9a-f:.]+)(?:%[\w.~%-]*)?\]|([^\s:/\\?#@\[\]]+))(?::\d*)?", re.I
)


class AllowedHosts:
    """Names, names below a domain (`*.example.com`), addresses and networks."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._domains: tuple[str, ...] = ()
        self._networks: list[IPv4Network | IPv6Network] = []
        for pattern in patterns:
            self._add(pattern)
        self._known_problem = lru_cache(MAX_CACHED)(self._problem)

    def _add(self, pattern: str) -> None:
        name = _normalized(pattern.strip("[]"))
        try:
            self._networks.append(ip_network(name))
        except ValueError:
            if name.startswith("*"):
                self._domains += (name[1:],)
            else:
                self._names.add(name)

    def problem(self, hosts: tuple[bytes, ...]) -> tuple[int, str] | None:
        """The status and text of an error for `Host` headers; None if all is well."""
        if sum(map(len, hosts)) > MAX_HOST:
            return 400, NO_HOST
        return self._known_problem(hosts)

    def _problem(self, hosts: tuple[bytes, ...]) -> tuple[int, str] | None:
        host = _name_in(hosts)
        if host is None:
            return 400, NO_HOST
        if self._accepts(host):
            return None
        return 421, (
            f"This server does not serve {host[:MAX_SHOWN]}. If that is one of its "
            "names, its operator has to add it to CI_OBSERVER_ALLOWED_HOSTS."
        )

    def _accepts(self, host: str) -> bool:
        if host in self._names or host.endswith(self._domains or ("\n",)):
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _name_in(hosts: tuple[bytes, ...]) -> str | None:
    """The host in the only `Host` header, without the port."""
    if len(hosts) != 1:
        return None
    match = _HOST.fullmatch(hosts[0].decode("latin-1"))
    return match and _normalized(match[1] or match[2])


def _normalized(host: str) -> str:
    host = host.lower().removesuffix(".")
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return host


_ALLOWED: WeakKeyDictionary[Datasette, AllowedHosts | None] = WeakKeyDictionary()


def allowed_hosts_of(datasette: Datasette) -> AllowedHosts | None:
    """The names that this server accepts; None if it accepts any."""
    if datasette not in _ALLOWED:
        patterns = settings_of(datasette).allowed_hosts
        is_any = not patterns or "*" in patterns
        _ALLOWED[datasette] = None if is_any else AllowedHosts(patterns)
    return _ALLOWED[datasette]


def with_host_check(datasette: Datasette, app: App) -> App:
    """The app, for requests that use an accepted name."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        allowed = allowed_hosts_of(datasette)
        if allowed is None or scope["type"] != "http":
            return await app(scope, receive, send)
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        problem = allowed.problem(tuple(hosts))
        if problem is None or route_of(datasette, scope) == HEALTH:
            return await app(scope, receive, send)
        response = _refusal(datasette, scope, receive, *problem)
        await response.asgi_send(send)
        return None

    return wrapped


def _refusal(
    datasette: Datasette, scope: Message, receive: Receive, status: int, text: str
) -> Response:
    if route_of(datasette, scope).startswith("/api"):
        return error_response(Request(scope, receive), text, status)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response.text(text, status=status, headers=headers)
