"""The tiles as a table, for browsers without JavaScript: the same facts in words."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

Tile = dict[str, Any]
Cell = tuple[str, str | None]


def state_of(tile: Tile) -> str:
    """What the tile's colour says, whatever goes on above it."""
    return str(tile["alarm"] or tile["tile_state"])


def run_url(tile: Tile) -> str | None:
    """The run to open, if its address is one for the web."""
    active_url, result_url = tile["html_url"], tile["last_result_html_url"]
    url = str(active_url if tile["activity"] else result_url or active_url)
    return url if url.startswith(("https://", "http://")) else None


def _state(tile: Tile) -> str:
    words = [
        state_of(tile),
        f"was {tile['last_result']}" if tile["alarm"] else None,
        tile["activity"],
        "flaky" if tile["is_flaky"] else None,
    ]
    error = f": {tile['error']}" if tile["error"] else ""
    return ", ".join(filter(None, words)) + error


def _result(tile: Tile) -> str:
    if not tile["last_result_run_id"]:
        return "none"
    attempt = tile["last_result_run_attempt"]
    return (
        f"{tile['last_result_conclusion']}: {tile['last_result_display_title'] or ''}"
        f"{f' (attempt {attempt})' if attempt > 1 else ''}"
    )


def _rounded(number: float | None, unit: str, scale: int = 1) -> str:
    return "" if number is None else f"{round(number * scale)} {unit}"


# Each column: what is in it, by its head.
COLUMNS: dict[str, Callable[[Tile], str]] = {
    "Workflow": lambda tile: tile["workflow_name"] or tile["workflow"],
    "Repository": lambda tile: tile["repo"],
    "Branch": lambda tile: tile["branch"] or "",
    "State": _state,
    "Since": lambda tile: tile["since_at"] or "",
    "In a row": lambda tile: str(tile["streak"]),
    "Last result": _result,
    "By": lambda tile: tile["last_result_actor"] or "",
    "Passing": lambda tile: _rounded(tile["success_rate"], "%", 100),
    "Median": lambda tile: _rounded(tile["median_duration_seconds"], "s"),
    "History": lambda _: "history",
}


def table_row(tile: Tile, runs_path: str) -> list[Cell]:
    """Texts with the addresses they lead to; `runs_path` is that of the runs' table."""
    runs = {"repo": tile["repo"], "workflow": tile["workflow"]}
    links = {
        "Workflow": run_url(tile),
        "State": f"?{urlencode({'state': tile['tile_state']})}",
        "History": f"{runs_path}?{urlencode(runs | {'_sort_desc': 'started_at'})}",
    }
    return [(text(tile), links.get(head)) for head, text in COLUMNS.items()]
