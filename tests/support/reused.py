"""Fixtures: what is the same for every Datasette of a process is made once.

Every Datasette would spend 20 ms on the metadata and the plugins, and every page 20 to
60 ms on its templates.
"""

import functools
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pytest
import yaml
from datasette import app, plugins


@pytest.fixture(scope="session", autouse=True)
def _parsed_once() -> Iterator[None]:
    """Parse a text of YAML once."""
    original = yaml.load

    @functools.cache
    def pickled(text: str, loader: Any) -> bytes:
        return pickle.dumps(original(text, loader))

    def load(text: str, Loader: Any) -> Any:
        return pickle.loads(pickled(text, Loader))  # noqa: S301 (our own)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "load", load)
        yield


@pytest.fixture(scope="session", autouse=True)
def _plugins_once() -> Iterator[None]:
    """Compile a plugin once, and look once for what a set of plugins has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "get_plugins", _for_each_set(plugins.get_plugins))
        patch.setattr(app, "module_from_path", _for_each_text(app.module_from_path))
        yield


def _for_each_set(
    get: Callable[[], list[dict[str, Any]]],
) -> Callable[[], list[dict[str, Any]]]:
    found: dict[frozenset[Any], list[dict[str, Any]]] = {}

    def get_plugins() -> list[dict[str, Any]]:
        registered = frozenset(plugins.pm.get_plugins())
        if registered not in found:
            found[registered] = get()
        return [dict(plugin) for plugin in found[registered]]

    return get_plugins


def _for_each_text(
    make: Callable[[str, str], ModuleType],
) -> Callable[[str, str], ModuleType]:
    found: dict[tuple[str, str, str], ModuleType] = {}

    def module_from_path(path: str, name: str) -> ModuleType:
        key = (path, name, Path(path).read_text())
        if key not in found:
            found[key] = make(path, name)
        return found[key]

    return module_from_path


class _Templates(jinja2.BytecodeCache):
    """Compiled templates, by a checksum of their texts."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Any) -> None:
        if code := self._found.get((bucket.key, bucket.checksum)):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Any) -> None:
        self._found[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def _templates_once() -> Iterator[None]:
    environment = functools.partial(jinja2.Environment, bytecode_cache=_Templates())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Environment", environment)
        yield
