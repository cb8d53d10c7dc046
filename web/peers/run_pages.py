"""The page of `/api/runs` of a peer, checked: the peer is not trusted."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ci_observer import column_kinds as kinds
from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.peers.client import PeerResponse
from ci_observer.web.peers.peer import PeerError
from ci_observer.web.peers.real_time import is_real_time
from ci_observer.web.peers.run_merge import Key, ListedRun, RunPage

# A run has these; the other columns may be null or missing, as in another version.
REQUIRED = (
    *("run_id", "run_attempt", "repo", "workflow"),
    *("created_at", "started_at", "updated_at"),
)
# One less than SQLite's greatest integer: the position before a run has the next one.
MAX_INTEGER = 2**63 - 2
# As of a tile.
MAX_TEXT = 5000

# The host of a run is a part of cursors, which are limited.
_LINK = re.compile(r"https?://[A-Za-z0-9.:-]{1,60}/[\x21-\x7e]*", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and (
        bool(_TIME.fullmatch(value)) and is_real_time(value)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


_OF_KIND: dict[str, Callable[[Any], bool]] = {
    kinds.TIME: _is_time,
    kinds.INTEGER: lambda value: type(value) is int and abs(value) <= MAX_INTEGER,
    kinds.BOOLEAN: lambda value: isinstance(value, bool),
    kinds.WORD: _is_text,
    kinds.TEXT: _is_text,
    kinds.OBJECT: lambda value: isinstance(value, dict),
}
_CHECKS = {name: _OF_KIND[kinds.kind_of(name)] for name in (*RUN_COLUMNS, "raw_json")}


def parse_run_page(
    response: PeerResponse,
    position: Key,
    columns: tuple[str, ...],
    is_link: Callable[[str], bool],
) -> RunPage:
    """The runs of a peer after a position.

    Each has these columns; `html_url` is null unless `is_link`. Raises `PeerError` for
    anything else than runs in order.
    """
    body = response.json()
    try:
        values, cursor = body["runs"], body["next"]
        runs = [_parse_run(run, columns, is_link) for run in values]
    except (KeyError, TypeError, AttributeError):
        raise PeerError("its response is not a list of runs") from None
    if not (cursor is None or (isinstance(cursor, str) and runs)):
        raise PeerError("its response is not a list of runs")
    keys = [position, *(run.key for run in runs)]
    if any(first <= second for first, second in pairwise(keys)):
        raise PeerError("its runs are not in order, newest first")
    return RunPage(runs, has_more=cursor is not None)


def _parse_run(
    run: dict[str, Any], columns: tuple[str, ...], is_link: Callable[[str], bool]
) -> ListedRun:
    values = {name: run.get(name) for name in columns}
    for name, value in values.items():
        is_good = name not in REQUIRED if value is None else _CHECKS[name](value)
        if not is_good:
            raise PeerError(f"the {name} of one of its runs is not valid")
    if not _LINK.fullmatch(values["html_url"] or ""):
        values["html_url"] = None
    listed = ListedRun.from_values(values)
    if values["html_url"] and not is_link(values["html_url"]):
        values["html_url"] = None
    values["is_tag"] = bool(values["is_tag"])
    return listed
