"""The settings, read from the environment in this one place and checked at the start.

`settings` has them all, `environment` reads them, and the others check them.
"""

from ci_observer.ingest.config.app_key import open_permissions_text, read_app_key
from ci_observer.ingest.config.environment import (
    DATABASE_GROUP,
    DATABASE_REQUIRED,
    aws_variables,
    database_group,
    datasette_secret,
    is_database_required,
    litestream_environment,
    litestream_variables,
    load_config,
    load_network,
    proxy_variables,
)
from ci_observer.ingest.config.names import without_network
from ci_observer.ingest.config.settings import (
    OF_APP,
    OF_TOKEN,
    SECRETS,
    SETTINGS,
    WEB_SECRETS,
    Config,
)
from ci_observer.ingest.config.tokens import read_token_file

__all__ = [
    "DATABASE_GROUP",
    "DATABASE_REQUIRED",
    "OF_APP",
    "OF_TOKEN",
    "SECRETS",
    "SETTINGS",
    "WEB_SECRETS",
    "Config",
    "aws_variables",
    "database_group",
    "datasette_secret",
    "is_database_required",
    "litestream_environment",
    "litestream_variables",
    "load_config",
    "load_network",
    "open_permissions_text",
    "proxy_variables",
    "read_app_key",
    "read_token_file",
    "without_network",
]
