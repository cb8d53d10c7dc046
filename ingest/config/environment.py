"""The settings from the process environment and `.env`: the only reader of both."""

import os
from collections.abc import Mapping

from dotenv import dotenv_values

from ci_observer.ingest.config.settings import SECRETS, Config

# Set by `up` for its processes; not a setting.
DATABASE_REQUIRED = "CI_OBSERVER_DB_REQUIRED"


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
