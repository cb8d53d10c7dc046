"""Instances that show each other's tiles."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from instances import Instance, NewInstance, in_a_cycle, instances


@pytest.fixture
def new_instance(
    tmp_path: Path, migrated_file: bytes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewInstance]:
    """Starts an instance of repositories, by the conclusion of the newest run."""
    with instances(tmp_path, migrated_file, monkeypatch) as new:
        yield new


@pytest.fixture(scope="module")
def cycle(
    tmp_path_factory: pytest.TempPathFactory, migrated_file: bytes
) -> Iterator[tuple[Instance, Instance]]:
    """Two instances that show each other, for tests that change neither."""
    folder = tmp_path_factory.mktemp("cycle")
    with (
        pytest.MonkeyPatch.context() as patch,
        instances(folder, migrated_file, patch) as new,
    ):
        yield in_a_cycle(new)
