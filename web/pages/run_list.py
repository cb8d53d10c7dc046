"""The page /runs: a selection of the API as a table, with a filter form above it."""

import json
from dataclasses import dataclass
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.listings import RUNS
from ci_observer.web.api.run_counts import RunCount, fetch_run_count
from ci_observer.web.errors import Unavailable
from ci_observer.web.filters import COMMON, Filters
from ci_observer.web.pages.page import Content, PageParams, Pairs
from ci_observer.web.pages.run_links import FilterLinks, github_links
from ci_observer.web.peers.client import peers_of
from ci_observer.web.texts import cut, display_row
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
# Filters that have a field of their own above the list.
TYPED = {"q": "Words", "since": "Since", "until": "Until"}
# Label → the filters of the link. "All" has none.
SHORTCUTS: dict[str, Pairs] = {
    "All": (),
    "Failed": tuple(("conclusion", conclusion) for conclusion in FAILURES),
    "In progress": tuple(("status", status) for status in UNFINISHED),
}


@dataclass(frozen=True)
class ActiveFilter:
    """A filter value in the URL; `without` is the path of the list without it.

    `is_unknown` is whether no stored run has the value.
    """

    name: str
    label: str
    value: str
    without: str
    is_unknown: bool


async def fetch_run_list(datasette: Datasette, params: PageParams) -> Content:
    """The runs that `/api/runs` gives for the same filters, and the form's values.

    Raises `BadRequest` for an unknown filter or a bad value.
    """
    filters = Filters.from_args(params.pairs, ALLOWED)
    response = await RUNS.fetch(datasette, filters)
    data = json.loads(response.content)
    count = await _count(datasette, filters, data)
    selection = tuple(p for p in params.pairs if p[0] not in ("limit", "cursor"))
    active_filters = _active_filters(selection, count)
    links = FilterLinks(selection, params.display_options)
    context: dict[str, Any] = {
        "runs": [_row(run, links) for run in data["runs"]],
        "count": _count_text(count),
        "is_counted": count.is_exact,
        "selection": selection,
        "active_filters": active_filters,
        "unknown": [
            f"{f.label.lower()} {cut(f.value)}" for f in active_filters if f.is_unknown
        ],
        "searches": filters.q or ("",),
        "period": {name: _last(selection, name) for name in ("since", "until")},
        "labels": LABELS,
        "shortcuts": _shortcuts(selection),
        "is_first_page": filters.cursor is None,
        "first_page": with_query("/runs", selection),
        "peers": [
            (peer.name, f"{peer.address}{with_query('/runs', selection)}")
            for peer in peers_of(datasette)
        ],
        "next_page": data["next"] and _next_page(params.pairs, data["next"]),
    }
    return Content(context, revision=min(response.revision, count.revision))


async def _count(
    datasette: Datasette, filters: Filters, page: dict[str, Any]
) -> RunCount:
    known = len(page["runs"])
    is_known = filters.cursor is None and page["next"] is None
    try:
        return await fetch_run_count(datasette, filters, known=known, is_known=is_known)
    except Unavailable:
        # The runs were found; a count that takes too long must not hide them.
        return RunCount(page["revision"], known, is_exact=is_known, unknown=())


def _row(run: dict[str, Any], links: FilterLinks) -> dict[str, Any]:
    """A run for display, with its links: the values as they are stored make them."""
    return display_row(run) | {"by": links.of(run)} | github_links(run)


def _count_text(count: RunCount) -> str:
    """The number of runs: `1 run`, `1,107 runs`, `10,000+ runs`."""
    more = "" if count.is_exact else "+"
    return f"{count.runs:,}{more} run{'' if count.runs == 1 and not more else 's'}"


def _active_filters(selection: Pairs, count: RunCount) -> list[ActiveFilter]:
    return [
        ActiveFilter(
            name,
            (LABELS | TYPED)[name],
            value,
            _without(selection, (name, value)),
            is_unknown=(name, value.strip()) in count.unknown,
        )
        for name, value in dict.fromkeys(selection)
        if name in LABELS | TYPED and value.strip()
    ]


def _without(selection: Pairs, removed: tuple[str, str]) -> str:
    return with_query("/runs", [pair for pair in selection if pair != removed])


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


def _next_page(pairs: Pairs, cursor: str) -> str:
    others = [pair for pair in pairs if pair[0] != "cursor"]
    return with_query("/runs", [*others, ("cursor", cursor)])
