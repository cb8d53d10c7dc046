"""The text of one setting, checked and parsed. Pure functions.

Each takes the text and the variable's name, and raises `ConfigError`, which names the
variable and says what to write instead.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.names import (
    EVERY_REPO,
    EVERY_WORKFLOW,
    OWNER_NAME,
    REPO_NAME,
    is_dynamic,
)

# The name in the address of a clone ends with .git, that of a repository cannot.
_NO_CLONE = r"(?<!\.git)"
_REPO = re.compile(rf"{REPO_NAME}{_NO_CLONE}|{OWNER_NAME}{re.escape(EVERY_REPO)}")
# GitHub's own have a path without a file, such as dynamic/pages/pages-build-deployment.
_WORKFLOW = re.compile(r"[^/\\\x00-\x1f\x7f]+\.ya?ml|dynamic(/[A-Za-z0-9_-]+){2}")
_HOST = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*\.?")
# Two names with a space between them, instead of a comma.
_SPACED_WORKFLOWS = re.compile(r"\.ya?ml\s")
# How the paths of the web side begin.
OWN_NAMES = (
    *("-", "_internal", "_memory", "api", "badge", "ci_observer", "commits", "login"),
    *("logout", "metrics", "muted", "runs", "s", "static", "summary", "workflows"),
)


# A pattern has no wildcard in the owner, whose list of repositories is fetched.
_REPO_ITEM = re.compile(rf"!?{OWNER_NAME}/(?!\.\.?$)[A-Za-z0-9._*?-]+{_NO_CLONE}")
_TOPIC = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")


def is_repo_item(item: str) -> bool:
    """Whether a text selects repositories, or with `!` leaves them out."""
    return _REPO_ITEM.fullmatch(item) is not None


def is_workflow_item(item: str) -> bool:
    """Whether a text is a workflow's file name, a path of GitHub's own one, or `*`."""
    return item == EVERY_WORKFLOW or _WORKFLOW.fullmatch(item) is not None


def parse_topic(text: str) -> str:
    """A topic of a repository; raises `ValueError` for a text that is none."""
    if _TOPIC.fullmatch(text.lower()):
        return text.lower()
    raise ValueError(
        f"{text!r} is no topic. Write small letters, digits and hyphens, as on GitHub."
    )


def parse_path(text: str, _name: str) -> Path:
    return Path(text)


def parse_text(text: str, _name: str) -> str:
    return text


def split_items(text: str) -> list[str]:
    """Split at commas; drop empty items, and repetitions in any letter case."""
    return list(unrepeated(filter(None, map(str.strip, text.split(",")))))


def unrepeated(items: Iterable[str]) -> tuple[str, ...]:
    """The items without repetitions in any letter case."""
    seen: dict[str, str] = {}
    for item in items:
        seen.setdefault(item.lower(), item)
    return tuple(seen.values())


def parse_repos(text: str, name: str) -> tuple[str, ...]:
    items = split_items(text)
    for item in items:
        if not _REPO.fullmatch(item):
            raise ConfigError(
                f"{name}: {item!r} is not a repository. Write owner/repo, or owner/* "
                "for every repository of an owner, for example "
                "GH_REPOS=octocat/hello-world,my-team/*"
            )
    return tuple(items)


def parse_workflows(text: str, name: str) -> tuple[str, ...]:
    # File names are case-sensitive on GitHub, unlike owners and repositories.
    items = join_workflows(item.strip() for item in text.split(",") if item.strip())
    for item in items:
        if item == EVERY_WORKFLOW:
            continue
        if not _WORKFLOW.fullmatch(item) or _SPACED_WORKFLOWS.search(item):
            raise ConfigError(
                f"{name}: {item!r} is not a workflow file name. Write the file's name "
                "below .github/workflows, for example GH_WORKFLOWS=ci.yml,deploy.yaml, "
                "or * for every workflow."
            )
    return items


def join_workflows(items: Iterable[str]) -> tuple[str, ...]:
    """The items without repetitions; with `*`, without those that it includes."""
    names = list(dict.fromkeys(items))
    if EVERY_WORKFLOW not in names:
        return tuple(names)
    return (EVERY_WORKFLOW, *(name for name in names if is_dynamic(name)))


def integer_parser(low: int, high: int) -> Callable[[str, str], int]:
    def parse(text: str, name: str) -> int:
        if re.fullmatch(r"[0-9]{1,15}", text) and low <= int(text) <= high:
            return int(text)
        raise ConfigError(
            f"{name}: {text!r} is not a whole number from {low} to {high}."
        )

    return parse


def parse_api_url(text: str, name: str) -> str:
    try:
        url = urlsplit(text)
        is_good = bool(
            url.scheme in ("http", "https")
            and url.hostname
            and not (url.username or url.password or url.query or url.fragment)
            and (url.port is None or url.port > 0)
        )
    except ValueError:
        is_good = False
    if not is_good:
        raise ConfigError(
            f"{name}: not an address of GitHub's API. Leave it out for github.com, or "
            "write https://HOST/api/v3 for GitHub Enterprise Server."
        )
    return text.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: localhost, or an address such as 127.0.0.1."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def parse_timezone(text: str, name: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"{name}: {text!r} is not a time zone. Write an IANA name such as UTC, "
            "Europe/Berlin or America/New_York."
        ) from None
    return text


def choice_parser(values: tuple[str, ...]) -> Callable[[str, str], str]:
    def parse(text: str, name: str) -> str:
        if text in values:
            return text
        raise ConfigError(f"{name}: {text!r} is none of {', '.join(values)}.")

    return parse


def parse_base_url(text: str, name: str) -> str:
    path = text.strip("/")
    # Datasette makes wrong links below a path with other characters, such as a dot.
    if not re.fullmatch(r"[\w-]+(/[\w-]+)*|", path, re.ASCII):
        raise ConfigError(
            f"{name}: {text!r} is not a path prefix. Write the path at which the proxy "
            "serves CI Observer, of letters, digits, - and _, for example /ci/"
        )
    if path.split("/")[0] in OWN_NAMES:
        # The proxy may have removed the prefix: /runs/ could be either of two pages.
        raise ConfigError(
            f"{name}: {text!r} begins like a page of CI Observer. Choose another first "
            f"name, for example {'/ci-observer/' if 'ci' in path else '/ci/'}"
        )
    return f"/{path}/" if path else "/"


def parse_proxies(text: str, name: str) -> str:
    items = split_items(text)
    for item in items or [text]:
        try:
            ip_network(item)
        except ValueError as error:
            if item == "*" and len(items) == 1:
                continue
            raise ConfigError(
                f"{name}: {item!r} is neither an IP address nor a network"
                f"{_host_bits(error)}. Write the proxy's address, such as 172.18.0.5, "
                "its network, such as 172.18.0.0/16, or * alone for every address. A "
                "host name has no effect."
            ) from None
    return ",".join(items)


def _host_bits(error: ValueError) -> str:
    return " (its host bits are set)" if "host bits" in str(error) else ""


def parse_hosts(text: str, name: str) -> tuple[str, ...]:
    items = split_items(text)
    for item in items:
        if not (item == "*" or _HOST.fullmatch(item) or _is_network(item)):
            raise ConfigError(
                f"{name}: {item!r} is not the name of a host. Write names without "
                "http:// and port, for example ci.example.com,*.teams.example.com, "
                "an address or a network such as 10.0.0.0/8, or * for any name."
            )
    return tuple(items)


def _is_network(text: str) -> bool:
    try:
        ip_network(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
