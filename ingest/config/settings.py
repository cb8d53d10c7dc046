"""All settings of CI Observer, and how a mapping such as `os.environ` gives them.

A wrong value raises `ConfigError` with the variable's name and what to write instead.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ci_observer.csv_formulas import CHOICES as CSV_FORMULAS
from ci_observer.csv_formulas import NEUTRALISE
from ci_observer.ingest.alerts.events import EVENTS as ALERT_EVENTS
from ci_observer.ingest.config.access_token import refuse_weak_token
from ci_observer.ingest.config.alerts import (
    MAX_AFTER,
    OF_ALERTS,
    add_alert_urls,
    parse_alert_events,
    parse_alert_repos,
    parse_alert_urls,
)
from ci_observer.ingest.config.app_key import (
    open_permissions_text,
    parse_app_id,
    read_app_key,
    refuse_incomplete_app,
)
from ci_observer.ingest.config.config_file import WITH_REPOS, ConfigFile
from ci_observer.ingest.config.multipliers import (
    GITHUBS,
    Multipliers,
    parse_multipliers,
)
from ci_observer.ingest.config.peers import (
    TOKENS,
    add_peer_tokens,
    parse_peers,
    refuse_itself,
)
from ci_observer.ingest.config.shard import Shard, parse_shard
from ci_observer.ingest.config.tokens import parse_token, read_token_file
from ci_observer.ingest.config.values import (
    choice_parser,
    integer_parser,
    is_loopback,
    parse_api_url,
    parse_base_url,
    parse_hosts,
    parse_path,
    parse_proxies,
    parse_repos,
    parse_text,
    parse_timezone,
    parse_workflows,
    unrepeated,
)
from ci_observer.ingest.config.watching import (
    EXCLUSION,
    Mute,
    RepoSettings,
    Screen,
    Team,
    is_pattern,
)
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.certificates import Certificates, tls_context
from ci_observer.ingest.github.names import owner_of
from ci_observer.ingest.github.proxies import (
    Proxy,
    choose_proxy,
    unreadable_exceptions,
)

OF_TOKEN = ("GITHUB_TOKEN", "GITHUB_TOKEN_FILE")
OF_APP = (
    "GITHUB_APP_ID",
    "GITHUB_APP_PRIVATE_KEY_FILE",
    "GITHUB_APP_INSTALLATION_ID",
)
OF_ACCESS_TOKEN = ("ACCESS_TOKEN", "ACCESS_TOKEN_FILE")
# Only for the processes that poll.
SECRETS = (*OF_TOKEN, *OF_APP, *OF_ALERTS)
# Only for the web side.
WEB_SECRETS = (*OF_ACCESS_TOKEN, "DATASETTE_SECRET", "PEER_TOKENS_FILE", TOKENS)
FETCH_JOBS = ("failed", "default-branch", "all", "none")
ADHOC_SQL = ("on", "off")
MIN_REFRESH_SECONDS = 5
MAX_PORT = 65535
MAX_PAYLOAD_DAYS = 36_500


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one instance; `docs/configuration.md` explains each.

    `repos` are `owner/repo` or `owner/*`; in the YAML file also patterns, and with `!`
    what to leave out. `workflows` are file names, paths of GitHub's own workflows, or
    `*`. If either is empty, nothing is polled, and `why_not_polling` gives the reason
    in a sentence. From `repo_settings` on, the YAML file `config_file` gives the
    values; `sources` says, for the name of a variable, where its value comes from.
    `peers` are addresses of other instances, without a slash
    at the end, and `peer_tokens` has the token of some. `proxy` and `certificates` are
    those for requests to GitHub. `warnings` are
    sentences about what is allowed and probably wrong.
    """

    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    app_id: str | None = None
    app_key_file: Path | None = None
    app_installation_id: int | None = None
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
    fetch_jobs: str = "default-branch"
    payload_days: int | None = None
    base_url: str = "/"
    allowed_hosts: tuple[str, ...] = ()
    forwarded_allow_ips: str = "127.0.0.1"
    access_token: str | None = field(default=None, repr=False)
    access_token_file: Path | None = None
    peers: tuple[str, ...] = ()
    peer_tokens_file: Path | None = None
    peer_tokens: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    adhoc_sql: str = "on"
    csv_formulas: str = NEUTRALISE
    minute_multipliers: Multipliers = tuple(GITHUBS.items())
    alert_urls: tuple[str, ...] = field(default=(), repr=False)
    alert_urls_file: Path | None = None
    alert_events: tuple[str, ...] = ALERT_EVENTS
    alert_after: int = 1
    alert_repos: tuple[str, ...] = ()
    shard: Shard | None = None
    config_file: Path | None = None
    repo_settings: tuple[RepoSettings, ...] = ()
    topics: tuple[str, ...] = ()
    teams: tuple[Team, ...] = ()
    screens: tuple[Screen, ...] = ()
    muted: tuple[Mute, ...] = ()
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    proxy: Proxy | None = None
    certificates: Certificates = field(default_factory=Certificates)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def named_repos(self) -> tuple[str, ...]:
        """The repositories of this shard with a name of their own in the settings."""
        return tuple(r for r in self.all_named_repos if self.is_in_shard(r))

    @property
    def all_named_repos(self) -> tuple[str, ...]:
        """Those of all shards."""
        return tuple(r for r in self.repos if r[0] != EXCLUSION and not is_pattern(r))

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns that select repositories, such as `owner/*`."""
        return tuple(r for r in self.repos if r[0] != EXCLUSION and is_pattern(r))

    @property
    def exclusions(self) -> tuple[str, ...]:
        """The names and patterns of repositories that are left out, without `!`."""
        return tuple(r[1:] for r in self.repos if r[0] == EXCLUSION)

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners of the patterns, whose lists of repositories are fetched."""
        return unrepeated(map(owner_of, self.patterns))

    def is_in_shard(self, repo: str) -> bool:
        """Whether this instance watches a repository if it is selected."""
        return self.shard is None or self.shard.has(repo)

    @property
    def peers_with_tokens(self) -> tuple[tuple[str, str | None], ...]:
        """The address of each peer, and its token if it has one."""
        tokens = dict(self.peer_tokens)
        return tuple((peer, tokens.get(peer)) for peer in self.peers)

    @property
    def wall_address(self) -> str:
        """The URL of the wall on this machine, without a proxy."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = "" if self.base_url == "/" else self.base_url
        return f"http://{host}:{self.port}{path}"

    @property
    def why_not_polling(self) -> str | None:
        """Why nothing is polled with these settings; None if something is."""
        has_workflows = self.workflows or any(s.workflows for s in self.repo_settings)
        missing = [
            name
            for name, items in (
                ("GH_REPOS", self.all_named_repos or self.patterns),
                ("GH_WORKFLOWS", has_workflows),
            )
            if not items
        ]
        if not missing:
            return self.why_shard_is_empty
        verb = "is" if len(missing) == 1 else "are"
        file = (
            f" Or write repositories and workflows in {self.config_file}."
            if self.config_file
            else ""
        )
        return (
            f"{' and '.join(missing)} {verb} empty, so nothing is polled. "
            "Set GH_REPOS=owner/repo,… or owner/*, and GH_WORKFLOWS=ci.yml,… or *, and "
            f"restart.{file}"
        )

    @property
    def why_shard_is_empty(self) -> str | None:
        """Why nothing is polled although the settings select repositories.

        None if something is. An empty shard is no error.
        """
        count = len(self.all_named_repos)
        if self.shard is None or self.named_repos or self.patterns or not count:
            return None
        return (
            f"{self.shard.name.capitalize()} has none of the {count} selected "
            f"{'repository' if count == 1 else 'repositories'}, so nothing is polled "
            "here. That is no error: the other shards watch them."
        )

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], file: ConfigFile | None = None
    ) -> "Config":
        """Read the settings from a mapping such as `os.environ`, and from a file.

        A variable that is set replaces the whole value of the file. Raises
        `ConfigError` for the first bad value, naming its variable.
        """
        given = {name: _text_of(environ, name) for name in PARSERS}
        values: dict[str, Any] = {
            attribute: parse(given[name], name)
            for name, (attribute, parse) in PARSERS.items()
            if given[name]
        }
        if file:
            values = _unreplaced(file, given) | values | {"config_file": file.path}
            given |= dict.fromkeys(_of_file(file, values, given), "file")
        _add_token_of_file(values, *OF_TOKEN)
        refuse_incomplete_app([name for name in (*OF_TOKEN, *OF_APP) if given[name]])
        if key_file := values.get("app_key_file"):
            read_app_key(key_file)
            values["warnings"] = tuple(filter(None, [open_permissions_text(key_file)]))
        _add_token_of_file(values, *OF_ACCESS_TOKEN)
        if token := values.get("access_token"):
            has_file = "access_token_file" in values
            refuse_weak_token(
                token, "ACCESS_TOKEN_FILE" if has_file else "ACCESS_TOKEN"
            )
        refuse_itself(values, vars(cls))
        add_peer_tokens(values, _text_of(environ, TOKENS))
        add_alert_urls(values, values.get("api_url", cls.api_url))
        return cls(**values)

    def with_network(self, environ: Mapping[str, str]) -> "Config":
        """These settings with the proxy and the certificates from a mapping.

        Raises `ConfigError` for a bad value.
        """
        proxy, certificates = network_for(self.api_url, environ)
        warnings = (
            *unreadable_exceptions(environ),
            *self._clear_text_warnings(),
            *self._unused_alert_warnings(),
        )
        return replace(
            self,
            proxy=proxy,
            certificates=certificates,
            warnings=(*self.warnings, *warnings),
        )

    def _clear_text_warnings(self) -> Iterator[str]:
        url = urlsplit(self.api_url)
        is_clear_text = url.scheme == "http" and not is_loopback(url.hostname or "")
        if is_clear_text and (self.token or self.app_id):
            yield (
                f"GITHUB_API_URL: the token travels to {url.hostname} in clear text, "
                "for everybody on the way to read. Write https:// instead of http://"
            )

    def _unused_alert_warnings(self) -> Iterator[str]:
        is_set = (self.alert_events, self.alert_after, self.alert_repos) != (
            ALERT_EVENTS,
            1,
            (),
        )
        if is_set and not self.alert_urls:
            yield (
                "ALERT_EVENTS, ALERT_AFTER and ALERT_REPOS have no effect without an "
                "address: set ALERT_URLS or ALERT_URLS_FILE in the environment."
            )


def _unreplaced(file: ConfigFile, given: Mapping[str, str]) -> dict[str, Any]:
    """The values of the YAML file that no variable replaces.

    GH_REPOS also replaces what belongs to single repositories. A token and an App
    replace each other, and so do an access token and its file, and the addresses of
    alerts and their file.
    """
    replaced = {name for name, text in given.items() if text}
    for group in ((*OF_TOKEN, *OF_APP), OF_ACCESS_TOKEN, OF_ALERTS):
        if replaced & set(group):
            replaced |= set(group)
    hidden = {PARSERS[name][0] for name in replaced}
    if "GH_REPOS" in replaced:
        hidden |= set(WITH_REPOS)
    return {name: value for name, value in file.values.items() if name not in hidden}


def _of_file(
    file: ConfigFile, values: Mapping[str, Any], given: Mapping[str, str]
) -> list[str]:
    """The variables whose values come from the file."""
    return [
        name
        for name in file.variables
        if not given[name] and PARSERS[name][0] in values
    ]


def _add_token_of_file(values: dict[str, Any], name: str, file_name: str) -> None:
    """Add the token in the file that a variable names, unless both are set."""
    (attribute, _), (file_attribute, _) = PARSERS[name], PARSERS[file_name]
    if file_attribute not in values:
        return
    if attribute in values:
        raise ConfigError(f"{name} and {file_name} are both set: keep only one.")
    values[attribute] = read_token_file(values[file_attribute], file_name)


def network_for(
    url: str, environ: Mapping[str, str]
) -> tuple[Proxy | None, Certificates]:
    """The proxy and the certificates for requests to a URL, from a mapping.

    Raises `ConfigError` for a bad value.
    """
    proxy = choose_proxy(url, environ)
    certificates = Certificates(
        _text_of(environ, "SSL_CERT_FILE") or None,
        _text_of(environ, "SSL_CERT_DIR") or None,
    )
    tls_context(certificates)
    return proxy, certificates


def _text_of(environ: Mapping[str, str], name: str) -> str:
    """The text of a variable; raises `ConfigError` if it is not UTF-8."""
    text = environ.get(name, "").strip()
    # Python decodes other bytes as lone surrogates.
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigError(f"{name}: its value is not UTF-8 text. Write it in UTF-8.")
    return text


PARSERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "GITHUB_TOKEN": ("token", parse_token),
    "GITHUB_TOKEN_FILE": ("token_file", parse_path),
    "GITHUB_APP_ID": ("app_id", parse_app_id),
    "GITHUB_APP_PRIVATE_KEY_FILE": ("app_key_file", parse_path),
    "GITHUB_APP_INSTALLATION_ID": ("app_installation_id", integer_parser(1, 10**15)),
    "GH_REPOS": ("repos", parse_repos),
    "GH_WORKFLOWS": ("workflows", parse_workflows),
    "REFRESH_SECONDS": ("refresh_seconds", integer_parser(MIN_REFRESH_SECONDS, 86_400)),
    "DASHBOARD_TITLE": ("title", parse_text),
    "GITHUB_API_URL": ("api_url", parse_api_url),
    "CI_OBSERVER_DB": ("db_path", parse_path),
    "CI_OBSERVER_HOST": ("host", parse_text),
    "CI_OBSERVER_PORT": ("port", integer_parser(1, MAX_PORT)),
    "HISTORY_DAYS": ("history_days", integer_parser(1, 3650)),
    "DASHBOARD_TIMEZONE": ("timezone", parse_timezone),
    "FETCH_JOBS": ("fetch_jobs", choice_parser(FETCH_JOBS)),
    "PAYLOAD_DAYS": ("payload_days", integer_parser(1, MAX_PAYLOAD_DAYS)),
    "CI_OBSERVER_BASE_URL": ("base_url", parse_base_url),
    "CI_OBSERVER_ALLOWED_HOSTS": ("allowed_hosts", parse_hosts),
    "FORWARDED_ALLOW_IPS": ("forwarded_allow_ips", parse_proxies),
    "ACCESS_TOKEN": ("access_token", parse_token),
    "ACCESS_TOKEN_FILE": ("access_token_file", parse_path),
    "PEERS": ("peers", parse_peers),
    "PEER_TOKENS_FILE": ("peer_tokens_file", parse_path),
    "ADHOC_SQL": ("adhoc_sql", choice_parser(ADHOC_SQL)),
    "CSV_FORMULAS": ("csv_formulas", choice_parser(CSV_FORMULAS)),
    "MINUTE_MULTIPLIERS": ("minute_multipliers", parse_multipliers),
    "ALERT_URLS": ("alert_urls", parse_alert_urls),
    "ALERT_URLS_FILE": ("alert_urls_file", parse_path),
    "ALERT_EVENTS": ("alert_events", parse_alert_events),
    "ALERT_AFTER": ("alert_after", integer_parser(1, MAX_AFTER)),
    "ALERT_REPOS": ("alert_repos", parse_alert_repos),
    "SHARD": ("shard", parse_shard),
    "CI_OBSERVER_CONFIG": ("config_file", parse_path),
}
SETTINGS = tuple(PARSERS)
