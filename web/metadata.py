"""What `metadata.yml` says: the one place that asks Datasette for it.

Datasette 1.0 keeps it in tables, as text; there, these functions read what
`build_datasette` was given. Metadata of other plugins is then missing.
"""

from typing import Any
from weakref import WeakKeyDictionary

from datasette.app import Datasette

_GIVEN: WeakKeyDictionary[Datasette, dict[str, Any]] = WeakKeyDictionary()


def remember_metadata(datasette: Datasette, metadata: dict[str, Any]) -> None:
    """Keep the metadata that the server was built with."""
    _GIVEN[datasette] = metadata


def metadata_of(datasette: Datasette) -> dict[str, Any]:
    """All of it, with what plugins add."""
    if hasattr(datasette, "metadata"):
        metadata: dict[str, Any] = datasette.metadata()
        return metadata
    return _GIVEN[datasette]


def database_metadata(datasette: Datasette, name: str, key: str) -> Any:
    """The value of a key of a database, or None."""
    if hasattr(datasette, "metadata"):
        return datasette.metadata(key, database=name)
    return _GIVEN[datasette].get("databases", {}).get(name, {}).get(key)


def tables_of(datasette: Datasette, name: str) -> dict[str, Any]:
    """The metadata of the tables and views of a database, by their names."""
    return database_metadata(datasette, name, "tables") or {}
