"""The wall as a table of text, for browsers without JavaScript."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from ci_observer.web.pages.tile_changes import change_text, change_url
from ci_observer.web.pages.tile_text import (
    error_text,
    reason_url,
    same_error,
    state_reason,
)
from ci_observer.web.pages.times import duration, local_time, percent
from ci_observer.web.urls import web_address
from ci_observer.web.vocabulary import TIMED_OUT, label_of, state_of

Tile = dict[str, Any]
Cell = tuple[str, str | None]


def run_url(tile: Tile) -> str | None:
    """The run that the tile is about, or None without a web address."""
    active_url, result_url = tile["html_url"], tile["last_result_html_url"]
    url = active_url if tile["activity"] else result_url or active_url
    return web_address(reason_url(tile) or url)


def _state(tile: Tile) -> str:
    parts = [
        label_of(state_of(tile)),
        f"was {tile['last_result']}" if tile["alarm"] else None,
        tile["activity"],
        "flaky" if tile["is_flaky"] else None,
    ]
    reason = tile["reason"]
    return ", ".join(filter(None, parts)) + (f": {reason}" if reason else "")


def _result(tile: Tile) -> str:
    if not tile["last_result_run_id"]:
        return "none"
    attempt, conclusion = (
        tile["last_result_run_attempt"],
        tile["last_result_conclusion"],
    )
    if tile["last_result_cancel_cause"] == "timeout":
        conclusion = TIMED_OUT
    actor = tile["last_result_actor"]
    return (
        f"{conclusion}: {tile['last_result_display_title'] or ''}"
        f"{f' (attempt {attempt})' if attempt > 1 else ''}"
        f"{f', by {actor}' if actor else ''}"
    )


def _with_peer(text: str, tile: Tile) -> str:
    return f"{text} ({tile['peer']})" if tile.get("peer") else text


CHANGE = "Broken or fixed"
# Column title → the text of a cell.
COLUMNS: dict[str, Callable[[Tile], str]] = {
    "Workflow": lambda tile: tile["workflow_name"] or tile["workflow"],
    "Repository": lambda tile: _with_peer(tile["repo"], tile),
    "Branch": lambda tile: tile["branch"] or "",
    "State": _state,
    "Since": lambda tile: tile["since"],
    CHANGE: lambda tile: tile["change"] or "",
    "In a row": lambda tile: str(tile["streak"]),
    "Last result": _result,
    "Green": lambda tile: (
        "" if tile["success_rate"] is None else percent(tile["success_rate"])
    ),
    "Usual time": lambda tile: duration(tile["median_duration_seconds"]),
    "History": lambda _: "history",
}


def table_row(
    tile: Tile, runs_path: str, *, now: datetime, zone: ZoneInfo
) -> list[Cell]:
    """A row as (text, link or None) per column, with times in `zone`.

    `runs_path` is the path of Datasette's table `runs`.
    """
    when = partial(local_time, zone=zone)
    reasons = (state_reason(tile, when), error_text(tile), same_error(tile, when))
    tile = tile | {
        "change": change_text(tile, now),
        "reason": ", ".join(filter(None, reasons)),
        "since": when(tile["since_at"]),
    }
    if peer_url := tile.get("peer_url"):
        runs_path = f"{peer_url}ci_observer/runs"
    runs = {"repo": tile["repo"], "workflow": tile["workflow"]}
    links = {
        "Workflow": run_url(tile),
        "State": f"?{urlencode({'state': tile['tile_state']})}",
        CHANGE: web_address(change_url(tile)) if tile["change"] else None,
        "History": f"{runs_path}?{urlencode(runs | {'_sort_desc': 'started_at'})}",
    }
    return [(text(tile), links.get(title)) for title, text in COLUMNS.items()]
