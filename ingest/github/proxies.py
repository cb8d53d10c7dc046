"""The proxy for requests to GitHub, chosen from the environment. Pure functions.

All requests go to the origin of `GITHUB_API_URL`, so one decision at the start is
enough. httpx reads the same variables, but fails on networks of IPv6 and on other
entries of `NO_PROXY`, so it is told the result instead.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

from ci_observer.ingest.errors import ConfigError

# By the scheme of the API; ALL_PROXY is for both.
VARIABLE_OF = {"https": "HTTPS_PROXY", "http": "HTTP_PROXY"}
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
# A length has one byte: https://datatracker.ietf.org/doc/html/rfc1929
MAX_SOCKS_LENGTH = 255

FORM = (
    "Write http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host "
    "if the proxy needs them; in these, write % and two digits for a character other "
    "than a letter or digit, such as %40 for @."
)

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_WITH_PORT = re.compile(r"(\[[^\]]+\]|[^:\[\]]+):([0-9]{1,5})")


@dataclass(frozen=True)
class Proxy:
    """A proxy, the variable that names it, and a decoded user and password.

    As text it has neither user nor password.
    """

    variable: str
    scheme: str
    host: str
    port: int
    auth: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.url} ({self.variable})"


def choose_proxy(api_url: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for requests to an API; None if they go there directly.

    Raises `ConfigError` for a wrong address, even in a variable that does not count.
    """
    proxies = {
        name: _parse_proxy(text, variable)
        for name in (*VARIABLE_OF.values(), "ALL_PROXY")
        for variable, text in [_given(environ, name)]
        if text
    }
    url = urlsplit(api_url)
    _, exceptions = _given(environ, "NO_PROXY")
    if any(_matches(entry, url) for entry in _entries(exceptions)):
        return None
    return proxies.get(VARIABLE_OF[url.scheme]) or proxies.get("ALL_PROXY")


def unreadable_exceptions(environ: Mapping[str, str]) -> Iterator[str]:
    """A warning for each entry of `NO_PROXY` that is no host, address or network."""
    variable, text = _given(environ, "NO_PROXY")
    for entry in _entries(text):
        if entry != "*" and not _is_readable(entry):
            yield (
                f"{variable}: {entry!r} is ignored. Write a host name, an address or a "
                "network, such as .example.com, 10.0.0.0/8 or fe80::/10"
            )


def _given(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """The name and the value of a variable; in lower case it goes first."""
    for variable in (name.lower(), name):
        if variable in environ:
            return variable, environ[variable].strip()
    return name, ""


def _parse_proxy(text: str, variable: str) -> Proxy:
    # No message has a part of the text, which may hold a password.
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        host, port = url.hostname or "", url.port
    except ValueError:
        raise _wrong(variable, "the host or the port is wrong") from None
    # Desktop settings write socks:// for SOCKS 5.
    scheme = "socks5" if url.scheme == "socks" else url.scheme
    if scheme in ("socks4", "socks4a"):
        raise _wrong(variable, "SOCKS 4 is not supported")
    if scheme not in DEFAULT_PORTS:
        raise _wrong(variable, "it begins with none of http, https, socks5, socks5h")
    if url.path not in ("", "/") or url.query or url.fragment or port == 0:
        raise _wrong(variable, "it goes on after the host and the port")
    is_address = _address(host) is not None and "%" not in host
    if not is_address and not _HOST_NAME.fullmatch(host):
        raise _wrong(variable, "the host is missing or wrong")
    user, password = unquote(url.username or ""), unquote(url.password or "")
    is_long = max(len(user.encode()), len(password.encode())) > MAX_SOCKS_LENGTH
    if scheme.startswith("socks") and is_long:
        raise _wrong(variable, "the user or the password is too long for SOCKS")
    auth = (user, password) if user or password else None
    return Proxy(variable, scheme, host, port or DEFAULT_PORTS[scheme], auth)


def _wrong(variable: str, fault: str) -> ConfigError:
    return ConfigError(f"{variable}: not the address of a proxy: {fault}. {FORM}")


def _entries(text: str) -> list[str]:
    return [entry for entry in re.split(r"[\s,;]+", text) if entry]


def _matches(entry: str, url: SplitResult) -> bool:
    """Whether an entry of `NO_PROXY` takes in the host of an address.

    Like curl, a name takes in its subdomains, with or without a dot before it, and a
    network takes in addresses only: no name is looked up.
    """
    scheme, name, port = _parts_of(entry)
    if scheme not in ("", url.scheme):
        return False
    if port and int(port) != (url.port or DEFAULT_PORTS[url.scheme]):
        return False
    host = _ascii(url.hostname or "")
    address = _address(host)
    if "*" in name or "?" in name:
        return fnmatchcase(host, name)
    if address is None:
        domain = _ascii(name.strip("."))
        return host == domain or host.endswith(f".{domain}")
    try:
        return address in ip_network(name, strict=False)
    except ValueError:
        return False


def _is_readable(entry: str) -> bool:
    _, name, _ = _parts_of(entry)
    try:
        ip_network(name, strict=False)
    except ValueError:
        return bool(re.fullmatch(r"[\w.*?-]*[\w*][\w.*?-]*", _ascii(name)))
    return True


def _parts_of(entry: str) -> tuple[str, str, str]:
    """Scheme, name and port of an entry, "" where it has none; no brackets."""
    scheme, _, rest = entry.lower().rpartition("://")
    if scheme:
        rest = rest.rstrip("/")
    match = _WITH_PORT.fullmatch(rest)
    name, port = (match[1], match[2]) if match else (rest, "")
    return scheme, re.sub(r"[\[\]]", "", name), port


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _ascii(host: str) -> str:
    """A host name in lower case as DNS has it, without a dot at its end."""
    try:
        return host.rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        return host.rstrip(".").lower()
