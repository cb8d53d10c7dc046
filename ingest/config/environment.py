"""The settings from the process environment and `.env`: the only reader of both."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ci_observer.ingest.config.alerts import OF_ALERTS
from ci_observer.ingest.config.config_file import VARIABLE as CONFIG_FILE
from ci_observer.ingest.config.config_file import ConfigFile, read_config_file
from ci_observer.ingest.config.env_file import EnvFile, read_env_file
from ci_observer.ingest.config.names import (
    is_set_by_kubernetes,
    near_misses,
    unknown_in_file,
)
from ci_observer.ingest.config.peers import TOKENS as PEER_TOKENS
from ci_observer.ingest.config.settings import (
    OF_ACCESS_TOKEN,
    OF_APP,
    OF_TOKEN,
    SETTINGS,
    WEB_SECRETS,
    Config,
    network_for,
)
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.certificates import Certificates
from ci_observer.ingest.github.proxies import PROXY_VARIABLES, Proxy

DATASETTE_SECRET = "DATASETTE_SECRET"  # noqa: S105 (the name of a variable)
# Set by `up` for its processes; not a setting.
DATABASE_REQUIRED = "CI_OBSERVER_DB_REQUIRED"
# SQLite and Python fall back on other folders.
TEMPORARY_FOLDERS = ("TMPDIR", "SQLITE_TMPDIR")
# Variables of Litestream and of Amazon's client, which have its credentials.
OF_LITESTREAM = ("AWS_", "LITESTREAM_")
# Set by the container's entrypoint; not a setting.
DATABASE_GROUP = "CI_OBSERVER_DB_GROUP"


def load_config(
    *,
    with_token: bool = True,
    with_access_token: bool = True,
    with_alerts: bool | None = None,
) -> Config:
    """The settings from the environment, or from `.env` in the current folder.

    Raises `ConfigError` for a bad value. The web side passes `with_token=False`: it
    never reads the token, and does not need the proxy and the certificates. Polling
    passes `with_access_token=False`. The addresses of alerts are read with the token,
    or alone.
    """
    file = read_env_file()
    process = {
        name: value
        for name, value in os.environ.items()
        if not (name == "CI_OBSERVER_PORT" and is_set_by_kubernetes(value))
    }
    is_alerting = with_token if with_alerts is None else with_alerts
    left_out = (
        *(() if with_token else (*OF_TOKEN, *OF_APP)),
        *(() if is_alerting else OF_ALERTS),
        *(() if with_access_token else WEB_SECRETS),
    )
    environ = _without(left_out, _merged(file, process))
    yaml = read_config_file(environ.get(CONFIG_FILE, "").strip())
    config = Config.from_environ(environ, yaml and yaml.without(left_out))
    _refuse_missing_folder(config)
    if with_token:
        config = config.with_network(environ)
    warnings = (*config.warnings, *_warnings(file, environ))
    warnings += tuple(_replaced(environ, yaml))
    sources = tuple(_sources(environ, process, yaml))
    return replace(config, warnings=warnings, sources=sources)


def _replaced(environ: Mapping[str, str], yaml: ConfigFile | None) -> Iterator[str]:
    """A warning if GH_REPOS also replaces settings of single repositories."""
    if yaml and environ.get("GH_REPOS", "").strip():
        names = {"repo_settings": "repositories", "topics": "topics"}
        hidden = [name for key, name in names.items() if key in yaml.values]
        if hidden:
            yield (
                f"GH_REPOS replaces {' and '.join(hidden)} in {yaml.path}, with the "
                "settings of single repositories. Remove it to let the file count."
            )


def _sources(
    environ: Mapping[str, str], process: Mapping[str, str], yaml: ConfigFile | None
) -> Iterator[tuple[str, str]]:
    """Where the value of each setting comes from, if there is a YAML file."""
    if yaml is None:
        return
    for name in SETTINGS:
        if environ.get(name, "").strip():
            yield name, "environment" if name in process else ".env"
        elif name in yaml.variables:
            yield name, f"{yaml.path}, line {yaml.variables[name]}"
        else:
            yield name, "default"


def load_network(url: str) -> tuple[Proxy | None, Certificates]:
    """The proxy and the certificates for requests to another URL than GitHub's.

    Raises `ConfigError` for a bad value.
    """
    return network_for(url, _merged(read_env_file(), os.environ))


def proxy_variables() -> dict[str, str]:
    """The variables of proxies, for requests to more than one URL.

    Raises `ConfigError` for a bad value.
    """
    environ = _merged(read_env_file(), os.environ)
    names = {*PROXY_VARIABLES, *(name.lower() for name in PROXY_VARIABLES)}
    return {name: value for name, value in environ.items() if name in names}


def litestream_variables() -> tuple[str, ...]:
    """The names of the variables that only Litestream needs."""
    return tuple(name for name in os.environ if name.startswith(OF_LITESTREAM))


def litestream_environment() -> dict[str, str]:
    """The environment for Litestream: without the settings of CI Observer.

    Its client cannot use the variable of a certificate bundle, and ends with an error;
    the variable of Go's own library has the same meaning.
    """
    environ = _without((*SETTINGS, *WEB_SECRETS), os.environ)
    bundle = environ.pop("AWS_CA_BUNDLE", "")
    if bundle:
        environ.setdefault("SSL_CERT_FILE", bundle)
    return environ


def datasette_secret() -> str | None:
    """Datasette's own variable, for an operator whose plugins set cookies."""
    return os.environ.get(DATASETTE_SECRET) or None


def is_database_required() -> bool:
    """Whether `up` has started this process, after it had opened the database."""
    return os.environ.get(DATABASE_REQUIRED) == "1"


def database_group() -> int | None:
    """The group that may read the database files, if web is another user."""
    text = os.environ.get(DATABASE_GROUP, "")
    return int(text) if text.isdecimal() else None


def _refuse_missing_folder(config: Config) -> None:
    try:
        os.getcwd()
    except OSError:
        if not config.db_path.is_absolute():
            raise ConfigError(
                f"CI_OBSERVER_DB: {config.db_path} counts from the current folder, "
                "which has been deleted. Change to another folder, or write a path "
                "that begins with a slash."
            ) from None


def _merged(file: EnvFile, process: Mapping[str, str]) -> dict[str, str]:
    """The variables of both; those of the process go first.

    The two names for a secret, and the two spellings of a proxy, count as one. A token
    hides a GitHub App in the file, and an App hides a token.
    """
    spellings = ((name, name.lower()) for name in PROXY_VARIABLES)
    groups = (OF_TOKEN, OF_ACCESS_TOKEN, OF_ALERTS, *spellings)
    hidden = {
        name
        for group in groups
        if any(name in process for name in group)
        for name in group
    }
    for group, other in ((OF_TOKEN, OF_APP), (OF_APP, OF_TOKEN)):
        if any(process.get(name) for name in group):
            hidden |= set(other)
    return _without(hidden, file.values) | dict(process)


def _without(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    hidden = set(names)
    return {name: value for name, value in environ.items() if name not in hidden}


def _warnings(file: EnvFile, environ: Mapping[str, str]) -> Iterator[str]:
    yield from file.warnings
    yield from unknown_in_file(file.values, SETTINGS)
    given = [name for name in SETTINGS if environ.get(name)]
    others = _without(
        (*file.values, DATABASE_REQUIRED, DATABASE_GROUP, PEER_TOKENS), os.environ
    )
    yield from near_misses(others, SETTINGS, given)
    for name in TEMPORARY_FOLDERS:
        folder = os.environ.get(name)
        if folder and not (os.path.isdir(folder) and os.access(folder, os.W_OK)):
            yield (
                f"{name}: {folder} is not a folder that can be written to, so temporary"
                " files go elsewhere. Write the path of one that exists, or remove the "
                "variable."
            )


def aws_variables() -> dict[str, str]:
    """AWS's variables for an S3 server; they hold credentials.

    Not those of `.env`: the library of the object store reads the environment.
    """
    return {name: value for name, value in os.environ.items() if name[:4] == "AWS_"}
