"""The settings, read from the environment in this one place and checked at the start.

A wrong value raises `ConfigError` with the variable's name and what to write instead.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values

from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.names import (
    EVERY_REPO,
    EVERY_WORKFLOW,
    OWNER_NAME,
    REPO_NAME,
    is_dynamic,
    is_every_repo,
    owner_of,
)

SECRETS = ("GITHUB_TOKEN", "GITHUB_TOKEN_FILE")
FETCH_JOBS = ("failed", "all", "none")
ADHOC_SQL = ("on", "off")
CSV_FORMULAS = ("neutralise", "keep")
MIN_REFRESH_SECONDS = 5
MAX_PORT = 65535
MAX_PAYLOAD_DAYS = 36_500

_REPO = re.compile(rf"{REPO_NAME}|{OWNER_NAME}{re.escape(EVERY_REPO)}")
# GitHub's own have a path without a file, such as dynamic/pages/pages-build-deployment.
_WORKFLOW = re.compile(r"[^/\\\x00-\x1f\x7f]+\.ya?ml|dynamic(/[A-Za-z0-9_-]+){2}")
# Two names with a space between them, instead of a comma.
_SPACED_WORKFLOWS = re.compile(r"\.ya?ml\s")


# Set by `up` for its processes; not a setting.
DATABASE_REQUIRED = "CI_OBSERVER_DB_REQUIRED"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one instance; `docs/configuration.md` explains each.

    `repos` are `owner/repo` or `owner/*`. `workflows` are file names, paths of GitHub's
    own workflows, or `*`. If either is empty, nothing is polled, and `why_not_polling`
    gives the reason in a sentence.
    """

    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    repos: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    refresh_seconds: int = 60
    title: str = "CI Observer"
    api_url: str = "https://api.github.com"
    db_path: Path = Path("data/ci_observer.db")
    host: str = "127.0.0.1"
    port: int = 8089
    history_days: int = 90
    timezone: str = "UTC"
    fetch_jobs: str = "failed"
    payload_days: int | None = None
    base_url: str = "/"
    allowed_hosts: tuple[str, ...] = ()
    forwarded_allow_ips: str = "127.0.0.1"
    access_token: str | None = field(default=None, repr=False)
    access_token_file: Path | None = None
    adhoc_sql: str = "on"
    csv_formulas: str = "neutralise"

    @property
    def named_repos(self) -> tuple[str, ...]:
        """The repositories with a name of their own in `GH_REPOS`."""
        return tuple(r for r in self.repos if not is_every_repo(r))

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners in `owner/*`, whose repositories are all watched."""
        return tuple(owner_of(r) for r in self.repos if is_every_repo(r))

    @property
    def why_not_polling(self) -> str | None:
        """Why nothing is polled with these settings; None if something is."""
        missing = [
            name
            for name, items in (
                ("GH_REPOS", self.repos),
                ("GH_WORKFLOWS", self.workflows),
            )
            if not items
        ]
        if not missing:
            return None
        verb = "is" if len(missing) == 1 else "are"
        return (
            f"{' and '.join(missing)} {verb} empty, so nothing is polled. "
            "Set GH_REPOS=owner/repo,… or owner/*, and GH_WORKFLOWS=ci.yml,… or *, and "
            "restart."
        )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Config":
        """Read the settings from a mapping such as `os.environ`.

        Raises `ConfigError` for the first bad value, naming its variable.
        """
        given = {name: environ.get(name, "").strip() for name in _PARSERS}
        values: dict[str, Any] = {
            attribute: parse(given[name], name)
            for name, (attribute, parse) in _PARSERS.items()
            if given[name]
        }
        if values.get("token") and values.get("token_file"):
            raise ConfigError(
                "GITHUB_TOKEN and GITHUB_TOKEN_FILE are both set: keep only one."
            )
        if file := values.get("token_file"):
            values["token"] = read_token_file(file)
        if values.get("access_token") and values.get("access_token_file"):
            raise ConfigError(
                "ACCESS_TOKEN and ACCESS_TOKEN_FILE are both set: keep only one."
            )
        if file := values.get("access_token_file"):
            values["access_token"] = read_token_file(file, "ACCESS_TOKEN_FILE")
        return cls(**values)


def load_config(*, with_token: bool = True) -> Config:
    """The settings from the environment, or from `.env` in the current folder.

    Raises `ConfigError` for a bad value. The web side passes `with_token=False` and
    never reads the token.
    """
    from_file = {k: v for k, v in dotenv_values(".env").items() if v is not None}
    if any(name in os.environ for name in SECRETS) or not with_token:
        from_file = _without_secrets(from_file)
    environ = dict(os.environ) if with_token else _without_secrets(os.environ)
    return Config.from_environ(from_file | environ)


def is_database_required() -> bool:
    """Whether `up` has started this process, after it had opened the database."""
    return os.environ.get(DATABASE_REQUIRED) == "1"


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in SECRETS}


def read_token_file(path: Path, name: str = "GITHUB_TOKEN_FILE") -> str:
    """The token in a file, such as a secret from Docker or systemd.

    Raises `ConfigError` if the file cannot be read or does not hold exactly one token.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ConfigError(
            f"{name}: cannot read {path} ({reason}). "
            "Point it at a readable file that holds the token."
        ) from None
    if not text.strip():
        raise ConfigError(f"{name}: {path} is empty. Put the token in it.")
    return _token(text.strip(), name)


def _token(text: str, name: str) -> str:
    # The message must not contain the token.
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        source = (
            "Choose one without them"
            if name.startswith("ACCESS_TOKEN")
            else "Copy it again from https://github.com/settings/tokens"
        )
        raise ConfigError(
            f"{name}: the token has a space, a line break or a letter that no token "
            f"has. {source}."
        )
    return text


def _path(text: str, _name: str) -> Path:
    return Path(text)


def _text(text: str, _name: str) -> str:
    return text


def _items(text: str) -> list[str]:
    """Split at commas; drop empty items, and repetitions in any letter case."""
    seen: dict[str, str] = {}
    for item in text.split(","):
        if stripped := item.strip():
            seen.setdefault(stripped.lower(), stripped)
    return list(seen.values())


def _repos(text: str, name: str) -> tuple[str, ...]:
    items = _items(text)
    for item in items:
        if not _REPO.fullmatch(item):
            raise ConfigError(
                f"{name}: {item!r} is not a repository. Write owner/repo, or owner/* "
                "for every repository of an owner, for example "
                "GH_REPOS=octocat/hello-world,my-team/*"
            )
    return tuple(items)


def _workflows(text: str, name: str) -> tuple[str, ...]:
    # File names are case-sensitive on GitHub, unlike owners and repositories.
    items = list(
        dict.fromkeys(item.strip() for item in text.split(",") if item.strip())
    )
    every = [EVERY_WORKFLOW] if EVERY_WORKFLOW in items else []
    if every:
        items = [item for item in items if is_dynamic(item)]
    for item in items:
        if not _WORKFLOW.fullmatch(item) or _SPACED_WORKFLOWS.search(item):
            raise ConfigError(
                f"{name}: {item!r} is not a workflow file name. Write the file's name "
                "below .github/workflows, for example GH_WORKFLOWS=ci.yml,deploy.yaml, "
                "or * for every workflow."
            )
    return (*every, *items)


def _integer(low: int, high: int) -> Callable[[str, str], int]:
    def parse(text: str, name: str) -> int:
        if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
            return int(text)
        raise ConfigError(
            f"{name}: {text!r} is not a whole number from {low} to {high}."
        )

    return parse


def _api_url(text: str, name: str) -> str:
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


def _timezone(text: str, name: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"{name}: {text!r} is not a time zone. Write an IANA name such as UTC, "
            "Europe/Berlin or America/New_York."
        ) from None
    return text


def _one_of(values: tuple[str, ...]) -> Callable[[str, str], str]:
    def parse(text: str, name: str) -> str:
        if text in values:
            return text
        raise ConfigError(f"{name}: {text!r} is none of {', '.join(values)}.")

    return parse


def _base_url(text: str, name: str) -> str:
    path = text.strip("/")
    if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*|", path, re.ASCII):
        raise ConfigError(
            f"{name}: {text!r} is not a path prefix. Write the path at which the proxy "
            "serves CI Observer, for example /ci/"
        )
    return f"/{path}/" if path else "/"


def _hosts(text: str, _name: str) -> tuple[str, ...]:
    return tuple(_items(text))


_PARSERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "GITHUB_TOKEN": ("token", _token),
    "GITHUB_TOKEN_FILE": ("token_file", _path),
    "GH_REPOS": ("repos", _repos),
    "GH_WORKFLOWS": ("workflows", _workflows),
    "REFRESH_SECONDS": ("refresh_seconds", _integer(MIN_REFRESH_SECONDS, 86_400)),
    "DASHBOARD_TITLE": ("title", _text),
    "GITHUB_API_URL": ("api_url", _api_url),
    "CI_OBSERVER_DB": ("db_path", _path),
    "CI_OBSERVER_HOST": ("host", _text),
    "CI_OBSERVER_PORT": ("port", _integer(1, MAX_PORT)),
    "HISTORY_DAYS": ("history_days", _integer(1, 3650)),
    "DASHBOARD_TIMEZONE": ("timezone", _timezone),
    "FETCH_JOBS": ("fetch_jobs", _one_of(FETCH_JOBS)),
    "PAYLOAD_DAYS": ("payload_days", _integer(1, MAX_PAYLOAD_DAYS)),
    "CI_OBSERVER_BASE_URL": ("base_url", _base_url),
    "CI_OBSERVER_ALLOWED_HOSTS": ("allowed_hosts", _hosts),
    "FORWARDED_ALLOW_IPS": ("forwarded_allow_ips", _text),
    "ACCESS_TOKEN": ("access_token", _token),
    "ACCESS_TOKEN_FILE": ("access_token_file", _path),
    "ADHOC_SQL": ("adhoc_sql", _one_of(ADHOC_SQL)),
    "CSV_FORMULAS": ("csv_formulas", _one_of(CSV_FORMULAS)),
}
SETTINGS = tuple(_PARSERS)
