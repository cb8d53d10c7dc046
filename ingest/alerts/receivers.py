"""The addresses of `ALERT_URLS`: which are refused, and the services behind them.

`apprise` knows a hundred kinds of services. It takes half a second to import, and is an
extra, so it is imported where it is needed. No message shows a part of an address: host
names and paths of some kinds are secrets, too.
"""

import logging
import re
import stringprep
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ci_observer.ingest.errors import ConfigError

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase
    from apprise.manager_plugins import NotificationManager

INSTALL = "pip install 'ci-observer[alerts]'"
# GitHub's domains, with all names below them. Mail to them can write comments.
GITHUB_DOMAINS = (
    *("github.com", "ghe.com", "githubusercontent.com", "github.io", "githubapp.com"),
    *("github.dev", "github.net"),
)
# Kinds that are no message to a person: an issue on GitHub, and log files.
REFUSED_KINDS = {
    "NotifyGitHub": "it opens issues on GitHub, which CI Observer only reads",
    "NotifyRSyslog": "it writes to a syslog",
    "NotifySyslog": "it writes to a syslog",
}
DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK = ("localhost", "127.0.0.1", "0.0.0.0", "::1")  # noqa: S104 (only names)
REMOVE = "Remove it from the list."
WIKI = "https://github.com/caronc/apprise/wiki"
LOCAL = "it stays on this machine"
_LOGGERS = ("apprise", "urllib3", "urllib3.connectionpool", "requests")
_NAME = re.compile(r"(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5})(?!\d))?")
# Each is decoded in an address, perhaps twice.
_DECODINGS = 3


def refuse_receivers(urls: Iterable[str], name: str, *, api_url: str) -> None:
    """Raise `ConfigError` for the first address that is wrong or not allowed."""
    hosts = github_hosts(api_url)
    for number, url in enumerate(urls, start=1):
        if fault := _fault(url, hosts):
            raise ConfigError(f"{name}: address {number} is refused: {fault}")


def github_hosts(api_url: str) -> tuple[str, ...]:
    """The domains of GitHub, and the host of its API, with a port on this machine."""
    parts = urlsplit(api_url)
    host = _plain(parts.hostname or "")
    if not re.fullmatch(r"127\.[\d.]+|" + "|".join(LOOPBACK), host):
        return tuple(filter(None, (*GITHUB_DOMAINS, host)))
    # Other services run on this machine, too.
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    return (*GITHUB_DOMAINS, *(f"{name}:{port}" for name in (host, *LOOPBACK)))


def is_githubs(host: str, hosts: Iterable[str], port: int | None = None) -> bool:
    """Whether a host is one of GitHub's, or a name below it."""
    name = _plain(host).strip("[]")
    names = (name, f"{name}:{port}")
    return any(domain in names or name.endswith(f".{domain}") for domain in hosts)


def open_service(url: str) -> "NotifyBase | None":
    """The service of an address, set up to send a message once; None if it is wrong."""
    load_apprise()
    import apprise  # noqa: PLC0415 (an extra, and slow)

    service = apprise.Apprise.instantiate(url, asset=_asset())
    if service is not None:
        # Options of an address: the sender repeats, and no redirect is followed.
        service.redirects = False
        service.retry = 0
    return service


def service_name(url: str) -> str:
    """The kind of an address, such as Slack: the only part of it that is shown."""
    service = open_service(url)
    return str(service.service_name) if service else "unknown"


def names_of(urls: Iterable[str]) -> list[str]:
    """How the addresses are called in output and in the database, in their order."""
    return [
        f"{number} ({service_name(url)})" for number, url in enumerate(urls, start=1)
    ]


def load_apprise() -> "NotificationManager":
    """Import apprise with its services, and keep its log lines to itself.

    Its lines, and those of its libraries, have parts of addresses.
    """
    for name in _LOGGERS:
        logging.getLogger(name).disabled = True
    # Modules that a newer Python no longer has.
    with warnings.catch_warnings(action="ignore"):
        from apprise.manager_plugins import NotificationManager  # noqa: PLC0415

        manager = NotificationManager()  # type: ignore[no-untyped-call]
        manager.load_modules()  # type: ignore[no-untyped-call]
    return manager


def _asset() -> "AppriseAsset":
    import apprise  # noqa: PLC0415 (an extra, and slow)

    return apprise.AppriseAsset(
        app_id="CI Observer",
        app_desc="CI Observer",
        app_url="",
        # Pictures that are on GitHub.
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        default_service_retry=0,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        allow_templates=False,
        pgp_autogen=False,
        pem_autogen=False,
    )


def _fault(url: str, hosts: tuple[str, ...]) -> str | None:
    """Why an address is refused, without any part of it; None if it is not."""
    if any(is_githubs(name, hosts, port) for name, port in _names_in(url)):
        return f"it names a host of GitHub, which CI Observer only reads. {REMOVE}"
    try:
        kind, is_installed = _kind_of(url)
    except ImportError:
        return f"the package apprise is not installed. Install it: {INSTALL}"
    if kind is None:
        return (
            f"apprise does not know it. Write an address as in {WIKI}, such as "
            "jsons://HOST/PATH, and write % and two digits for a space or another "
            "special character."
        )
    if reason := _refusal_of(kind):
        return f"{reason}. {REMOVE}"
    return _fault_of_kind(kind, url, is_installed=is_installed)


def _fault_of_kind(
    kind: "type[NotifyBase]", url: str, *, is_installed: bool
) -> str | None:
    if not is_installed:
        return f"{kind.service_name} needs a package that is not installed. See {WIKI}"
    if open_service(url) is None:
        return (
            f"a part of it is missing or wrong. See how {kind.service_name} is written "
            f"in {WIKI}"
        )
    return None


def _kind_of(url: str) -> "tuple[type[NotifyBase] | None, bool]":
    """The class of an address, and whether the packages that it needs are there."""
    manager = load_apprise()
    import apprise  # noqa: PLC0415 (an extra, and slow)

    scheme = url.partition("://")[0].lower()
    if scheme not in manager:
        # The address of a web page, such as https://hooks.slack.com/…
        service = apprise.Apprise.instantiate(url, asset=_asset())
        return (type(service), True) if service else (None, False)
    kind = manager[scheme]
    return kind, bool(kind.enabled)


def _refusal_of(kind: "type[NotifyBase]") -> str | None:
    """Why a kind of service is refused.

    One that sends to another machine needs its name, a secret or an account.
    """
    if reason := REFUSED_KINDS.get(kind.__name__):
        return reason
    is_remote = any(
        name == "host" or token.get("private") or token.get("required")
        for name, token in kind.template_tokens.items()
    )
    return None if is_remote else LOCAL


def _names_in(url: str) -> Iterator[tuple[str, int | None]]:
    """Everything in an address that may be the name of a host, with its port."""
    for _ in range(_DECODINGS):
        for name, port in _NAME.findall(_plain(url)):
            yield name, int(port) if port else None
        url = unquote(url)


def _plain(text: str) -> str:
    """A text in the form in which names of hosts are compared."""
    # Resolvers ignore some characters, such as a soft hyphen.
    seen = "".join(char for char in text if not stringprep.in_table_b1(char))
    normal = unicodedata.normalize("NFKC", seen).lower()
    return re.sub("[\u3002\uff0e\uff61]", ".", normal).rstrip(".")
