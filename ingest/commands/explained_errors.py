"""Expected errors of a command: one line on stderr, and the exit code."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from ci_observer.ingest.commands.poll import damage_text
from ci_observer.ingest.commands.runtime import EXIT_FAILED
from ci_observer.ingest.config import load_config
from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.db.storage_errors import explain
from ci_observer.ingest.errors import CIObserverError, ConfigError, single_errors

EXIT_CONFIG = 2


def explaining_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Print an expected error in one line instead of a traceback."""

    @wraps(command)
    def explained(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except CIObserverError as error:
            click.echo(f"Error: {error}", err=True)
            is_config = isinstance(error, ConfigError)
            sys.exit(EXIT_CONFIG if is_config else EXIT_FAILED)
        except (StorageError, ExceptionGroup) as error:
            cause = _expected_error(error)
            if isinstance(cause, CIObserverError):
                click.echo(f"Error: {cause}", err=True)
                sys.exit(EXIT_FAILED)
            if cause is None:
                raise
            reason = explain(cause, load_config(with_token=False).db_path)
            click.echo(f"Error: The database cannot be used: {reason}", err=True)
            sys.exit(EXIT_FAILED)
        except UnicodeDecodeError as error:
            # Of a text in the database, or in SQLite's message about one.
            path = load_config(with_token=False).db_path
            click.echo(f"Error: {damage_text(error, path)}", err=True)
            sys.exit(EXIT_FAILED)

    return explained


def _expected_error(error: Exception) -> StorageError | CIObserverError | None:
    """The expected error itself, or the first one of a group that has no others."""
    errors = list(single_errors(error))
    expected = [e for e in errors if isinstance(e, StorageError | CIObserverError)]
    return expected[0] if expected == errors else None
