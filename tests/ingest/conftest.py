"""Fixtures for polling as a GitHub App, and for commands in this process."""

import logging
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import stamina
from app_keys import private_pem, public_pem
from polling import Ingest
from sqlite_utils import Database

from ci_observer.demo.server.apps import App
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.ingest.config import SETTINGS
from ci_observer.ingest.config.names import CERTIFICATE_VARIABLES
from ci_observer.ingest.github.proxies import PROXY_VARIABLES


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


@pytest.fixture
def only_own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Commands see only the test's own settings; restores the logging afterwards."""
    for name in (*SETTINGS, *PROXY_VARIABLES, *CERTIFICATE_VARIABLES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.chdir(tmp_path)
    handlers = list(logging.root.handlers)
    with stamina.set_testing(True, attempts=1):
        yield
    logging.root.handlers[:] = handlers
