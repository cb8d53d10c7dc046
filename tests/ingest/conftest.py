"""Fixtures for polling as a GitHub App."""

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from app_keys import private_pem, public_pem
from polling import Ingest
from sqlite_utils import Database

from ci_observer.demo.server.apps import App
from ci_observer.demo.server.github_server import GitHubServer


@pytest.fixture
def app(github: GitHubServer) -> App:
    """An App that is installed nowhere; there is no other token."""
    github.settings.tokens.clear()
    return github.settings.apps.register(public_pem())


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The file with the private key of the App."""
    path = tmp_path / "app.pem"
    path.write_text(private_pem())
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path


@pytest.fixture
def app_ingest(
    db: Database, github: GitHubServer, app: App, key_file: Path
) -> Iterator[Ingest]:
    """Ingest as the App."""
    with closing(Ingest(db, github)) as ingest:
        ingest.restart(
            token=None,
            app_id=app.client_id,
            app_key_file=key_file,
            repos=("acme/*", "beta/*"),
        )
        yield ingest
