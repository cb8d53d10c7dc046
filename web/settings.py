"""The settings of the web side; `docs/configuration.md` explains each."""

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from datasette.app import Datasette

from ci_observer.csv_formulas import NEUTRALISE
from ci_observer.web.peers.peer import Peer
from ci_observer.web.schema_check import Schema


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """The settings of one web process, checked already.

    `base_url` begins and ends with a slash. `allowed_hosts` is empty if any name is
    accepted, and `access_token` is None while everybody may read. `secret` signs the
    cookies of Datasette and its plugins; without it, a restart ends their logins.
    `github_api_url` says on which host the pages of runs are.
    `schema` is the only one that `serve --read-only` reads, and None without that
    option.
    """

    base_url: str = "/"
    allowed_hosts: tuple[str, ...] = ()
    forwarded_allow_ips: str = "127.0.0.1"
    access_token: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    adhoc_sql: str = "on"
    csv_formulas: str = NEUTRALISE
    peers: tuple[Peer, ...] = ()
    github_api_url: str = "https://api.github.com"
    schema: Schema | None = field(default=None, repr=False)


_SETTINGS: WeakKeyDictionary[Datasette, WebSettings] = WeakKeyDictionary()


def remember_settings(datasette: Datasette, settings: WebSettings) -> None:
    """Keep the settings for `settings_of`."""
    _SETTINGS[datasette] = settings


def settings_of(datasette: Datasette) -> WebSettings:
    """The settings that `build_datasette` was given."""
    return _SETTINGS[datasette]


def is_read_only(datasette: Datasette) -> bool:
    """Whether this is `serve --read-only`: others write and replace the file."""
    return settings_of(datasette).schema is not None
