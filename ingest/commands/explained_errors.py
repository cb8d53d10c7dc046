"""Expected errors of a command: one line on stderr, and the exit code."""

import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from ci_observer.ingest.errors import CIObserverError, ConfigError, single_errors

EXIT_FAILED = 1
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
        except (sqlite3.Error, ExceptionGroup) as error:
            cause = _expected_error(error)
            if isinstance(cause, CIObserverError):
                click.echo(f"Error: {cause}", err=True)
                sys.exit(EXIT_FAILED)
            if cause is None:
                raise
            click.echo(f"Error: {_storage_text(cause)}", err=True)
            sys.exit(EXIT_FAILED)
        except UnicodeDecodeError as error:
            # Of a text in the database, or in SQLite's message about one.
            click.echo(f"Error: {_damage_text(error)}", err=True)
            sys.exit(EXIT_FAILED)

    return explained


def _expected_error(error: Exception) -> sqlite3.Error | CIObserverError | None:
    """The expected error itself, or the first one of a group that has no others."""
    errors = list(single_errors(error))
    expected = [e for e in errors if isinstance(e, sqlite3.Error | CIObserverError)]
    return expected[0] if expected == errors else None


# Imported when needed, since the help text of a command needs none of it.


def _storage_text(error: sqlite3.Error) -> str:
    from ci_observer.ingest.db.storage_errors import explain

    return f"The database cannot be used: {explain(error, _db_path())}"


def _damage_text(error: UnicodeDecodeError) -> str | None:
    from ci_observer.ingest.commands.poll import damage_text

    return damage_text(error, _db_path())


def _db_path() -> Path:
    from ci_observer.ingest.config import load_config

    return load_config(with_token=False).db_path
