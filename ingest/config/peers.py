"""The settings of other instances whose tiles this one shows, too.

No message shows a token, or an address that has a user name in it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ci_observer.ingest.config.access_token import refuse_weak_token
from ci_observer.ingest.config.app_key import open_permissions_text
from ci_observer.ingest.config.tokens import remedy_of
from ci_observer.ingest.config.values import is_loopback, parse_base_url, split_items
from ci_observer.ingest.errors import ConfigError

MAX_PEERS = 20
MAX_BYTES = 64 * 1024
TOKENS_FILE = "PEER_TOKENS_FILE"
# Set by `up` for its web process, which may be a user that cannot read the file; not a
# setting.
TOKENS = "PEER_TOKENS"
DEFAULT_PORTS = {"http": 80, "https": 443}
ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 (compared only)
EXAMPLE = "https://ci.example.com or https://ci.example.com/team"

_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]+")
_TOKEN = re.compile(r"[\x21-\x7e]+")


def parse_peers(text: str, name: str) -> tuple[str, ...]:
    """The base addresses of peers, each without a slash at its end."""
    items = split_items(text)
    if len(items) > MAX_PEERS:
        raise ConfigError(
            f"{name}: there are {len(items)} addresses, and at most {MAX_PEERS} are "
            "allowed."
        )
    found: list[str] = []
    for number, item in enumerate(items or [text], start=1):
        address = _parse_address(item, f"{name}: address {number}")
        if address in found:
            raise ConfigError(
                f"{name}: address {number} is the same as address "
                f"{found.index(address) + 1}. Keep one."
            )
        found.append(address)
    return tuple(found)


def _parse_address(text: str, where: str) -> str:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ConfigError(f"{where} is not valid. Write {EXAMPLE}") from None
    if fault := _fault(url, text):
        raise ConfigError(f"{where} {fault}")
    host = (url.hostname or "").removesuffix(".")
    host = f"[{host}]" if ":" in host else host
    suffix = "" if port in (None, DEFAULT_PORTS[url.scheme]) else f":{port}"
    path = parse_base_url(url.path, where).rstrip("/")
    return f"{url.scheme}://{host}{suffix}{path}"


def _fault(url: SplitResult, text: str) -> str | None:
    """What is wrong with an address, and what to write instead; None if it is good."""
    host = url.hostname or ""
    if url.scheme not in DEFAULT_PORTS or not _HOST.fullmatch(host):
        return f"is not the address of an instance. Write {EXAMPLE}"
    if "@" in url.netloc:
        return (
            "has a user name. Write the address alone, and put the peer's ACCESS_TOKEN "
            f"into the file of {TOKENS_FILE}."
        )
    if "?" in text or "#" in text:
        return f"has a query or a fragment. Write only {EXAMPLE}"
    # Some systems look up a name such as ci.localhost by DNS.
    is_here = is_loopback(host) and not host.endswith(".localhost")
    if url.scheme == "http" and not is_here:
        return (
            "begins with http://, which is allowed for this machine only: others could "
            "read and change the tiles on the way. Write https://"
        )
    return None


def refuse_itself(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if one of the peers is this instance.

    `values` are attributes of `Config`, and `defaults` the others.
    """
    host, port, base_url, allowed = (
        values.get(name, defaults[name])
        for name in ("host", "port", "base_url", "allowed_hosts")
    )
    for peer in values.get("peers", ()):
        url = urlsplit(peer)
        own = url.hostname or ""
        is_here = own == host or (
            is_loopback(own) and (is_loopback(host) or host in ANY_ADDRESS)
        )
        peer_port = url.port or DEFAULT_PORTS[url.scheme]
        is_public = url.scheme == "https" and url.port is None and own in allowed
        is_same = (is_here and peer_port == port) or is_public
        if is_same and url.path == base_url.rstrip("/"):
            raise ConfigError(
                f"PEERS: {peer} is this instance itself, whose tiles are on the wall "
                "already. Remove it."
            )


def add_peer_tokens(values: dict[str, Any], given: str) -> None:
    """Add the tokens of the file, by peer, to attributes of `Config`.

    `given` is the content of the file, if `up` has read it.
    """
    path: Path | None = values.get("peer_tokens_file")
    if path is None and not given:
        return
    text = given or _read(path or Path())
    values["peer_tokens"] = tuple(_parse_tokens(text, values.get("peers", ())).items())
    if path and (fault := open_permissions_text(path, TOKENS_FILE)):
        values["warnings"] = (*values.get("warnings", ()), fault)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file in UTF-8"
        # The value may be a token itself.
        shown = path if "/" in str(path) or path.exists() else "the file"
        remedy = remedy_of(error) or "Write the path of a file with the tokens."
        raise ConfigError(
            f"{TOKENS_FILE}: cannot read {shown} ({reason}). {remedy}"
        ) from None


def _parse_tokens(text: str, peers: tuple[str, ...]) -> dict[str, str]:
    """The token of each peer. Empty lines, and those that begin with #, are skipped."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{TOKENS_FILE}: line {number}"
        parts = line.split()
        if len(parts) != len(("address", "token")) or not _TOKEN.fullmatch(parts[1]):
            raise ConfigError(
                f"{where} is not an address of PEERS, a space and its token. Write "
                "https://ci.example.com TOKEN"
            )
        peer = _parse_address(parts[0], f"{where}: the address")
        if peer not in peers:
            raise ConfigError(
                f"{where}: its address is not in PEERS. Write it as it is there, or "
                "remove the line."
            )
        if peer in found:
            raise ConfigError(f"{where}: there are two tokens for {peer}. Keep one.")
        refuse_weak_token(parts[1], where)
        found[peer] = parts[1]
    if not found:
        raise ConfigError(
            f"{TOKENS_FILE}: the file has no token. Write https://ci.example.com TOKEN"
        )
    return found
