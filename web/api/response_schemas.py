"""JSON schemas of the API's responses, and those that several of them share."""

from collections.abc import Mapping
from typing import Any

from ci_observer.web.api.json_schemas import (
    Schema,
    list_of,
    object_of,
    reference,
    row_schema,
)
from ci_observer.web.api.list_columns import (
    ATTEMPT_COLUMNS,
    JOB_COLUMNS,
    STATS_COLUMNS,
    STEP_COLUMNS,
)
from ci_observer.web.columns import (
    DESCRIBED_IN,
    FILTER_COLUMNS,
    RUN_COLUMNS,
    TILE_COLUMNS,
)
from ci_observer.web.summary.definitions import DEFINITIONS, LISTS

_OK: dict[str, Schema] = {
    "ok": {"const": True},
    "revision": {"type": "integer", "examples": [7]},
}
_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_INTEGER: Schema = {"type": "integer"}
# A number, a state, or whether something is complete.
_FIGURE: Schema = {"type": ["number", "string", "boolean", "null"]}
_WARNINGS: Schema = {"type": "array", "items": {"type": "string"}, "examples": [[]]}
_FACTS: dict[str, Schema] = {
    "state": _TEXT | {"examples": ["ok"]},
    "reason": _TEXT_OR_NULL,
    "last_success_at": _TIME_OR_NULL,
    "feeds": _INTEGER | {"examples": [12]},
    "stale_feeds": _INTEGER,
}
_CURSOR: Schema = {
    "type": ["string", "null"],
    "description": "The cursor of the next page; null on the last one.",
}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}, "examples": [[]]}


def page_of(name: str, item: str) -> Schema:
    """One page of a list."""
    return object_of({**_OK, name: list_of(reference(item)), "next": _CURSOR})


# A run of several instances: where it comes from, and its page there.
_OF_INSTANCE: dict[str, Schema] = {
    "peer": _TEXT_OR_NULL
    | {"description": "The address of the peer that has the run; null for own runs."},
    "page_url": _TEXT
    | {
        "description": "The page of the run on the instance that has it.",
        "examples": ["https://ci.example.com/runs/5"],
    },
}
_MISSING_PEER = object_of(
    {
        "peer": _TEXT | {"examples": ["https://ci.example.com"]},
        "reason": _TEXT | {"examples": ["it does not respond (connection refused)"]},
        "since": {"type": "string", "format": "date-time"},
    }
)
# An instance without peers leaves out what is about them.
RUNS = object_of(
    {
        **_OK,
        "runs": list_of(reference("ListedRun")),
        "missing_peers": list_of(_MISSING_PEER)
        | {
            "description": "The peers whose runs are not on this page.",
            "examples": [[]],
        },
        "next": _CURSOR,
    },
    "missing_peers",
)
INDEX = object_of(
    {
        "ok": _OK["ok"],
        "routes": list_of(object_of({"path": _TEXT, "description": _TEXT})),
    }
)
RUN = object_of(
    {
        **_OK,
        "run": reference("Run"),
        "attempts": list_of(reference("Attempt")),
        "jobs": list_of(reference("JobWithSteps")),
    }
)
FILTERS = object_of(
    _OK
    | dict.fromkeys(
        FILTER_COLUMNS, list_of(object_of({"value": _TEXT, "count": _INTEGER}))
    )
)
# Keys of the wall of a past time.
_OF_PAST = (
    *("at", "archive_since", "recorded_since"),
    *("previous_change_at", "next_change_at"),
)
_PEER: dict[str, Schema] = {
    **dict.fromkeys(("name", "address", "state"), _TEXT),
    "reason": _TEXT_OR_NULL,
}
_PEER_DETAILS: dict[str, Schema] = {
    **_PEER,
    "title": _TEXT_OR_NULL,
    "version": _TEXT_OR_NULL,
    "tiles": _INTEGER,
    "age_seconds": {"type": ["integer", "null"]},
    "last_response_at": _TIME_OR_NULL,
}
WALL = object_of(
    {
        **_OK,
        **dict.fromkeys(_OF_PAST, _TIME_OR_NULL),
        "counts": {"type": "object", "additionalProperties": _INTEGER},
        "peers": list_of(object_of(_PEER)),
        "tiles": list_of(reference("Tile")),
    },
    *_OF_PAST,
    # Only with PEERS.
    "peers",
)
CONFIG = object_of(
    {
        "ok": _OK["ok"],
        "title": _TEXT,
        "refresh_seconds": _INTEGER,
        "stale_seconds": _INTEGER,
        "timezone": _TEXT,
        "repos": list_of(_TEXT),
        "workflows": list_of(_TEXT),
        "screens": list_of(object_of({"name": _TEXT, "query": _TEXT})),
        "shard": {"type": ["object", "null"]},
        "version": _TEXT_OR_NULL,
        "revision": _OK["revision"],
        "polling": object_of(
            _FACTS
            | {
                "next_poll_at": _TIME_OR_NULL,
                "token_expires_at": _TIME_OR_NULL,
                "rate_limit": {"type": ["object", "null"]},
            }
        ),
        "server_time": {"type": "string", "format": "date-time"},
        "warnings": _WARNINGS,
        "read_only": {"type": "boolean"},
        "peers": list_of(object_of(_PEER_DETAILS)),
        "wall_etag": _TEXT,
    },
    "peers",
)
# A visitor who may not see the data gets `ok` only.
_HEALTH = {**_FACTS, "warnings": _WARNINGS}
HEALTH = object_of({"ok": _OK["ok"], **_HEALTH}, *_HEALTH)
_SPAN = object_of({"first_day": _TEXT, "last_day": _TEXT, "days": _INTEGER})
SUMMARY = object_of(
    {
        **_OK,
        "now": {"type": "string", "format": "date-time"},
        "timezone": _TEXT,
        "span": _SPAN,
        "before": _SPAN,
        "filters": {"type": "object"},
        "incomplete": _WARNINGS,
        "main": {"type": "object"},
        "total": reference("SummaryNumbers"),
        "repositories": list_of(reference("SummaryNumbers")),
        "workflows": list_of(reference("SummaryNumbers")),
        **dict.fromkeys(LISTS, _OBJECTS),
    }
)
ERROR = object_of(
    {
        "ok": {"const": False},
        "error": _TEXT | {"description": "What is wrong, and what to do."},
        "status": _INTEGER | {"examples": [400]},
    }
)
STREAM: Schema = {"type": "string"}


def components(tables: Mapping[str, Any]) -> dict[str, Schema]:
    """The schemas that several responses share; `tables` are those of the metadata."""
    rows = {
        "Run": (*RUN_COLUMNS, "raw_json"),
        "Attempt": ATTEMPT_COLUMNS,
        "Job": JOB_COLUMNS,
        "Step": STEP_COLUMNS,
        "Statistics": STATS_COLUMNS,
        "Tile": TILE_COLUMNS,
    }
    numbers = {
        name: _FIGURE | {"description": text} for name, text in DEFINITIONS.items()
    }
    descriptions = [describe(tables, *names) for names in DESCRIBED_IN.values()]
    schemas = {
        name: row_schema(name, columns, DEFINITIONS | described)
        for (name, columns), described in zip(rows.items(), descriptions, strict=True)
    }
    run, job = schemas["Run"], schemas["Job"]
    steps = {"steps": list_of(reference("Step"))}
    return {
        **schemas,
        "ListedRun": object_of(
            run["properties"] | _OF_INSTANCE, "raw_json", *_OF_INSTANCE
        ),
        "JobWithSteps": object_of(job["properties"] | steps),
        "SummaryNumbers": {"type": "object", "properties": numbers},
        "Error": ERROR,
    }


def describe(tables: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The descriptions of columns, those of the first of these tables first."""
    found: dict[str, str] = {}
    for name in reversed(names):
        found |= tables.get(name, {}).get("columns", {})
    return found
