"""The web process: Datasette on the one database, and uvicorn to serve it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from datasette.app import Datasette
from datasette.utils import parse_metadata

from web.database import DATABASE, ReadOnlyDatabase

log = logging.getLogger(__name__)

GRACE_SECONDS = 3

SETTINGS: dict[str, Any] = {
    # Suggesting facets tries a group-by per column: at a million runs each page of the
    # table would wait for all of them. Facets can still be asked for.
    "suggest_facets": False,
    "facet_time_limit_ms": 2000,
    # Group-bys over a million runs, as in the canned queries, take a second or two.
    "sql_time_limit_ms": 5000,
    "default_page_size": 50,
    "max_returned_rows": 5000,
    # The archive is there to be taken away whole: .csv?_stream=1 has no end before it.
    "allow_csv_stream": True,
    "max_csv_mb": 0,
    # A copy of the file made while ingest writes to it can be a broken one.
    "allow_download": False,
    # Three slow queries of one reader must not keep the wall waiting.
    "num_sql_threads": 6,
    # raw_json has 12 kB a cell: 50 of them would make a page of half a megabyte.
    "truncate_cells_html": 300,
    # The data change at any poll, and a dashboard that is old must not look new.
    "default_cache_ttl": 0,
}


def build_datasette(
    db_path: Path, *, root: Path, settings: Mapping[str, Any] | None = None
) -> Datasette:
    """Datasette with this project's metadata, plugins, templates and static files.

    `root` is the folder that holds them; what is not there is left out.
    """
    metadata = root / "metadata.yml"
    datasette = Datasette(
        metadata=parse_metadata(metadata.read_text()) if metadata.exists() else None,
        plugins_dir=_folder(root / "plugins"),
        template_dir=_folder(root / "templates"),
        static_mounts=[("static", str(root / "static"))],
        settings=SETTINGS | dict(settings or {}),
    )
    # Without files Datasette adds an empty database in memory of its own.
    datasette.remove_database("_memory")
    datasette.add_database(ReadOnlyDatabase(datasette, str(db_path)), name=DATABASE)
    return datasette


def serve_forever(datasette: Datasette, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    uvicorn.Server(
        uvicorn.Config(
            datasette.app(),
            host=host,
            port=port,
            # The command has set up logging: one line per event, and none per request.
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    ).run()


def _folder(path: Path) -> str | None:
    return str(path) if path.is_dir() else None
