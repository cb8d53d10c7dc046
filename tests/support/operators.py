"""An installation whose operator has changed the metadata, and its visitors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from datasette.app import Datasette
from metadata_file import dumped, parsed
from web_client import serving

from ci_observer import ROOT

PARTS = ("plugins", "static", "templates")


def installation(folder: Path, rules: dict[str, Any]) -> Path:
    """A folder with CI Observer's files, and the rules added to its metadata.yml."""
    folder.mkdir(exist_ok=True)
    (folder / "metadata.yml").write_text(with_rules(rules))
    for part in PARTS:
        (folder / part).symlink_to(ROOT / part)
    return folder


def with_rules(rules: dict[str, Any]) -> str:
    """The text of metadata.yml with these rules added."""
    metadata = parsed()
    _add(metadata, rules)
    return dumped(metadata)


def _add(metadata: dict[str, Any], rules: dict[str, Any]) -> None:
    for key, value in rules.items():
        if isinstance(value, dict) and isinstance(metadata.get(key), dict):
            _add(metadata[key], value)
        else:
            metadata[key] = value


@asynccontextmanager
async def restricted(
    db_path: Path, rules: dict[str, Any], **options: Any
) -> AsyncIterator[Datasette]:
    """Datasette with these rules in its metadata."""
    root = installation(db_path.parent / "installation", rules)
    async with serving(db_path, root=root, **options) as datasette:
        yield datasette


def cookies_of(datasette: Datasette, actor_id: str) -> dict[str, str]:
    """The cookie that Datasette's login plugins set."""
    return {"ds_actor": datasette.sign({"a": {"id": actor_id}}, "actor")}
