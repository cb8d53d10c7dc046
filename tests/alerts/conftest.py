"""Fixtures for the commands of alerts in this process."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_observer.ingest.config import SETTINGS
from ci_observer.ingest.github.proxies import PROXY_VARIABLES


@pytest.fixture
def only_own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Commands see only the test's own settings; restores the logging afterwards."""
    for name in (*SETTINGS, *PROXY_VARIABLES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.chdir(tmp_path)
    handlers = list(logging.root.handlers)
    yield
    logging.root.handlers[:] = handlers
