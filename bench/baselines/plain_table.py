"""A static page with the texts of all tiles in a plain table: the wall's baseline."""

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TEXTS = (
    "workflow_name",
    "repo",
    "branch",
    "tile_state",
    "since_at",
    "last_result_display_title",
    "last_result_actor",
    "success_rate",
    "median_duration_seconds",
)


@contextmanager
def plain_table(tiles: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The URL of a page without script or style, with a row for each tile."""
    rows = "\n".join(table_row(tile) for tile in tiles)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "table.html"
        page.write_text(
            '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Table</title>'
            f"<table>\n{rows}\n</table>\n"
        )
        handler: Callable[..., Any] = partial(QuietHandler, directory=folder)
        static = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=static.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{static.server_port}/{page.name}"
        static.shutdown()
        static.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without an access log."""

    def log_message(self, *_: object) -> None:
        pass


def table_row(tile: dict[str, Any]) -> str:
    first, *others = (escape(str(tile[name])) for name in TEXTS)
    # The wall's page benchmark looks for elements with this class.
    cells = "".join(f"<td>{text}" for text in others)
    return f'<tr><td class="tile__name">{first}{cells}'
