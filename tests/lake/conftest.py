"""A lake in a folder, and DuckDB that reads it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lakes import Lake, reading_lake


@pytest.fixture(scope="session")
def duck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """One session for all tests: its start takes a second."""
    with reading_lake(tmp_path_factory.mktemp("lake")) as lake:
        yield lake


@pytest.fixture
def lake(duck: Lake, tmp_path: Path) -> Lake:
    """A lake that does not exist yet."""
    return Lake(duck.connection, tmp_path / "lake")
