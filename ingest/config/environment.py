"""The settings from the process environment and `.env`: the only reader of both."""

import os
from collections.abc import Collection, Mapping

from dotenv import dotenv_values

from ci_observer.ingest.config.settings import SECRETS, WEB_SECRETS, Config

# Set by `up` for its processes; not a setting.
DATABASE_REQUIRED = "CI_OBSERVER_DB_REQUIRED"


def load_config(*, with_token: bool = True, with_access_token: bool = True) -> Config:
    """The settings from the environment, or from `.env` in the current folder.

    Raises `ConfigError` for a bad value. The web side passes `with_token=False` and
    never reads the token; polling passes `with_access_token=False`.
    """
    from_file = {k: v for k, v in dotenv_values(".env").items() if v is not None}
    environ = dict(os.environ)
    if any(name in environ for name in SECRETS):
        from_file = _without(SECRETS, from_file)
    left_out = (() if with_token else SECRETS) + (
        () if with_access_token else WEB_SECRETS
    )
    return Config.from_environ(_without(left_out, from_file | environ))


def is_database_required() -> bool:
    """Whether `up` has started this process, after it had opened the database."""
    return os.environ.get(DATABASE_REQUIRED) == "1"


def _without(names: Collection[str], environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}
