"""The page of runs: one selection of the API's, as a table with a form above it."""

import json
from dataclasses import dataclass
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.queries import fetch_runs
from ci_observer.web.filters import COLUMNS, COMMON, Filters
from ci_observer.web.pages.page import Asked, Content, Pairs
from ci_observer.web.urls import with_query
from ci_observer.web.vocabulary import FAILURES, UNFINISHED

ALLOWED = (*COMMON, "limit", "cursor")
LABELS = {
    "repo": "Repository",
    "workflow": "Workflow file",
    "branch": "Branch",
    "event": "Event",
    "actor": "Actor",
    "status": "Status",
    "conclusion": "Conclusion",
}
# What is asked for most, as links: the values of status and conclusion that it means.
SHORTCUTS: dict[str, Pairs] = {
    "All": (),
    "Failed": tuple(("conclusion", word) for word in FAILURES),
    "Unfinished": tuple(("status", word) for word in UNFINISHED),
}


@dataclass(frozen=True)
class Chosen:
    """One value that narrows the list, and the list without it."""

    name: str
    label: str
    value: str
    without: str


async def fetch_run_list(datasette: Datasette, asked: Asked) -> Content:
    """What the page shows for a URL: the very runs of `/api/runs`."""
    filters = Filters.from_args(asked.pairs, ALLOWED)
    answer = await fetch_runs(datasette, filters)
    data = json.loads(answer.content)
    selection = tuple(p for p in asked.pairs if p[0] not in ("limit", "cursor"))
    context: dict[str, Any] = {
        "runs": data["runs"],
        "selection": selection,
        "chosen": [*_chosen(selection)],
        "searches": filters.q or ("",),
        "span": {name: _last(selection, name) for name in ("since", "until")},
        "labels": LABELS,
        "shortcuts": [*_shortcuts(selection)],
        "is_first_page": filters.cursor is None,
        "first_page": with_query("/runs", selection),
        "next_page": data["next"] and _page(asked.pairs, data["next"]),
    }
    return Content(context, revision=answer.revision)


def _chosen(selection: Pairs) -> list[Chosen]:
    return [
        Chosen(name, LABELS[name], value, _address(selection, (name, value)))
        for name, value in dict.fromkeys(selection)
        if name in COLUMNS and value.strip()
    ]


def _address(selection: Pairs, left_out: tuple[str, str]) -> str:
    return with_query("/runs", [pair for pair in selection if pair != left_out])


def _shortcuts(selection: Pairs) -> list[dict[str, Any]]:
    others = [p for p in selection if p[0] not in ("status", "conclusion")]
    present = {p for p in selection if p not in others}
    return [
        {
            "label": label,
            "path": with_query("/runs", [*others, *pairs]),
            "is_current": present == set(pairs),
        }
        for label, pairs in SHORTCUTS.items()
    ]


def _last(selection: Pairs, name: str) -> str:
    return next((value for key, value in reversed(selection) if key == name), "")


def _page(pairs: Pairs, cursor: str) -> str:
    kept = [pair for pair in pairs if pair[0] != "cursor"]
    return with_query("/runs", [*kept, ("cursor", cursor)])
