"""The web processes: Datasette on the one database, served by uvicorn."""

import gc
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from datasette.app import Datasette
from datasette.plugins import pm

from ci_observer.web import memory, open_files
from ci_observer.web.admission import with_admission
from ci_observer.web.base_url import PrefixedDatasette, with_prefix
from ci_observer.web.cache_control import with_cache_control
from ci_observer.web.connection_limits import Limits
from ci_observer.web.connections import bounded_protocol
from ci_observer.web.database import DATABASE, ReadOnlyDatabase
from ci_observer.web.errors import IncompleteInstallation
from ci_observer.web.forwarding import Forwarder, with_forwarded_scope
from ci_observer.web.hosts import with_host_check
from ci_observer.web.installation import refuse_missing_files
from ci_observer.web.loop_errors import ignore_cancelled_requests
from ci_observer.web.metadata import remember_metadata
from ci_observer.web.metadata_links import with_base_url
from ci_observer.web.metrics.requests import with_response_counts
from ci_observer.web.processes import keep_running
from ci_observer.web.responses import App
from ci_observer.web.settings import WebSettings, remember_settings, settings_of
from ci_observer.web.sql.worker import be_killed_first

# With the package rich, Datasette would print the local variables of an exception, and
# so the headers of a request with the access token.
# It is not imported by name: before Datasette's other modules it would not register.
pm.get_plugin("datasette.handle_exception").rich = None

GRACE_SECONDS = 3
# Of the process for tables and SQL: it works when the wall leaves it a processor.
NICE = 5
# When memory is short, the kernel ends it before the wall, and its workers before it.
OOM_SCORE = 500
# The path of a Unix socket has at most 103 bytes on macOS.
MAX_SOCKET_FOLDER = 70

SETTINGS: dict[str, Any] = {
    # Suggesting facets tries a group-by per column, which is slow at a million runs.
    # Facets can still be chosen.
    "suggest_facets": False,
    "facet_time_limit_ms": 1000,
    # Group-bys over a million runs, as in the canned queries, take a second or two.
    "sql_time_limit_ms": 5000,
    "default_page_size": 50,
    "max_returned_rows": 5000,
    # .csv?_stream=1 exports a whole table, without a limit.
    "allow_csv_stream": True,
    "max_csv_mb": 0,
    # A copy of the file made while ingest writes to it can be corrupt.
    "allow_download": False,
    # Three slow queries of one visitor must not block the tables for all others.
    "num_sql_threads": 6,
    # A cell of raw_json has 12 kB, so a page of 50 would have half a megabyte.
    "truncate_cells_html": 300,
    # The data may change at any poll, and a cached dashboard would look up to date.
    "default_cache_ttl": 0,
}


def build_datasette(
    db_path: Path,
    *,
    root: Path,
    web: WebSettings | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Datasette:
    """Datasette with this project's metadata, plugins, templates and static files.

    `root` is the folder that holds them, `settings` are Datasette's own. Raises
    `IncompleteInstallation` if a file is missing, or if the metadata cannot be parsed.
    """
    refuse_missing_files(root)
    web = web or WebSettings()
    settings = SETTINGS | {"base_url": web.base_url} | dict(settings or {})
    metadata = _read_metadata(root / "metadata.yml")
    datasette = PrefixedDatasette(
        metadata=with_base_url(metadata, settings["base_url"]),
        plugins_dir=str(root / "plugins"),
        template_dir=str(root / "templates"),
        static_mounts=[("static", str(root / "static"))],
        settings=settings,
        secret=web.secret,
    )
    remember_settings(datasette, web)
    remember_metadata(datasette, metadata)
    # Without files Datasette adds an empty database in memory of its own.
    datasette.remove_database("_memory")
    datasette.add_database(ReadOnlyDatabase(datasette, str(db_path)), name=DATABASE)
    return datasette


def refuse_other_schema(datasette: Datasette) -> None:
    """Raise `OtherSchema` if the database is of another version and must not change."""
    datasette.get_database(DATABASE).refuse_other_schema()


def _read_metadata(path: Path) -> dict[str, Any]:
    # libyaml's parser takes 22 ms, the one in Python 150 ms. PyYAML's wheels have both.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = path.read_text(encoding="utf-8")
        metadata: dict[str, Any] = yaml.load(text, loader)  # noqa: S506 (safe)
    except yaml.YAMLError as error:
        raise IncompleteInstallation(f"{path} is not valid YAML: {error}") from error
    return metadata


def serve(datasette: Datasette, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT, then end within a few seconds with an exit code.

    One process serves our own routes, another one all of Datasette: building a page
    from a large result would otherwise delay the wall.
    """
    open_files.raise_limit()
    # Before a thread of either process starts.
    memory.return_memory()
    with _private_folder() as folder:
        path = folder / "datasette"

        def front() -> None:
            app: App = Forwarder(datasette, datasette.app(), path)
            # Here, so that wrong access tokens are counted in one process, and before
            # the forwarder's client adds a missing Host.
            app = with_host_check(datasette, with_admission(datasette, app))
            app = with_cache_control(datasette, app)
            app = with_prefix(app, datasette.setting("base_url"))
            app = with_response_counts(datasette, app)
            run(make_server(datasette, host, port, app=app), datasette)

        def back() -> None:
            os.nice(NICE)
            be_killed_first(OOM_SCORE)
            datasette.get_database(DATABASE).workers.warm_up()
            listener = _listen(path)
            app = with_forwarded_scope(datasette.app())
            server = make_server(datasette, app=app, is_forwarded=True)
            run(server, datasette, [listener])

        # Objects that exist now are never collected, so their pages stay shared.
        gc.collect()
        gc.freeze()
        return keep_running(front, back)


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A temporary folder that only this user can enter, with a short path."""
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) > MAX_SOCKET_FOLDER:
        folder = "/tmp"  # noqa: S108 (the folder in it has a random name)
    with tempfile.TemporaryDirectory(prefix="ci-observer-", dir=folder) as name:
        yield Path(name)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    return listener


def make_server(
    datasette: Datasette,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    app: App | None = None,
    is_forwarded: bool = False,
    limits: Limits | None = None,
) -> uvicorn.Server:
    """uvicorn, with limits for its connections; by default from that of open files."""
    limits = limits or Limits(connections=open_files.max_connections())
    return uvicorn.Server(
        uvicorn.Config(
            app or datasette.app(),
            host=host,
            port=port,
            # The command has set up logging: warnings and errors, no line per request.
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            # The process that forwards the request does both.
            date_header=not is_forwarded,
            proxy_headers=not is_forwarded,
            http=bounded_protocol(limits),
            ws="none",
            forwarded_allow_ips=settings_of(datasette).forwarded_allow_ips,
            timeout_graceful_shutdown=GRACE_SECONDS,
            # Otherwise WEB_CONCURRENCY is read, and fails if it is no number.
            workers=1,
        )
    )


def run(
    server: uvicorn.Server,
    datasette: Datasette,
    sockets: list[socket.socket] | None = None,
) -> None:
    """Run a server until SIGTERM or SIGINT, then interrupt all queries."""

    def stop(*_: object) -> None:
        server.should_exit = True

    ignore_cancelled_requests()
    # uvicorn re-raises the signal after shutdown; handle it here to exit with 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets)
    # At exit Python waits for all threads, and so for a slow query.
    datasette.executor.shutdown(wait=False, cancel_futures=True)
    datasette.get_database(DATABASE).interrupt()
