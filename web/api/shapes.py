"""The shapes of responses, as `/api` shows them."""

from dataclasses import dataclass, field, replace

from ci_observer.web.api import response_schemas as responses
from ci_observer.web.api.json_schemas import Schema
from ci_observer.web.api.list_columns import ATTEMPT_COLUMNS, JOB_COLUMNS, STATS_COLUMNS
from ci_observer.web.columns import FILTER_COLUMNS, RUN_COLUMNS, TILE_COLUMNS
from ci_observer.web.summary.definitions import DEFINITIONS


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A response: sample text, and the keys or columns of each `part` in it.

    `schema` is the JSON schema of the response, or of a text.
    """

    sample: str
    part: str = ""
    columns: tuple[str, ...] = ()
    schema: Schema = field(default_factory=lambda: responses.STREAM)


_OK = '"ok": true, "revision": 7'
_FACTS = (
    '"state": "ok", "reason": null, "last_success_at": "…", "feeds": 12,'
    ' "stale_feeds": 0'
)
_VALUES = ",\n ".join(
    f'"{name}": [{{"value": "…", "count": 5}}, …]' for name in FILTER_COLUMNS
)

INDEX = Shape(
    schema=responses.INDEX,
    sample='{"ok": true, "routes": [{"path": "/api", "description": "…"}, …]}',
)

OPENAPI = Shape(
    sample='{"openapi": "3.1.0", "info": {…}, "paths": {…}, "components": {…}}',
    schema={"type": "object"},
)
LLMS = Shape(sample="# CI Observer\n…\n- [/api/runs](…): Runs, newest first, …")


def _page_of(name: str, part: str, columns: tuple[str, ...], item: str) -> Shape:
    sample = f'{{{_OK},\n "{name}": [{part}, …],\n "next": "a cursor, or null"}}'
    schema = responses.page_of(name, item)
    return Shape(sample=sample, part=part, columns=columns, schema=schema)


def _csv(item: str, columns: tuple[str, ...]) -> Shape:
    return Shape(sample=f"a header, and a line for each {item}", columns=columns)


def _ndjson(part: str, columns: tuple[str, ...]) -> Shape:
    return Shape(sample=f"{part}\n{part}\n…", part=part, columns=columns)


RUNS = replace(_page_of("runs", "RUN", RUN_COLUMNS, "Run"), schema=responses.RUNS)
RUNS_CSV = _csv("run", RUN_COLUMNS)
RUNS_PARQUET = Shape(
    sample="a file for pyarrow, DuckDB or pandas; 501 if pyarrow is not installed",
    columns=RUN_COLUMNS,
)
RUNS_NDJSON = _ndjson("RUN", RUN_COLUMNS)
RUN = Shape(
    schema=responses.RUN,
    sample=f'{{{_OK},\n "run": {{"run_id": 5, …}},\n'
    ' "attempts": [{"run_id": 5, "run_attempt": 1, …}, …],\n'
    ' "jobs": [JOB, …]}',
    part="JOB",
    columns=(*JOB_COLUMNS, "steps"),
)
ATTEMPTS = _page_of("attempts", "ATTEMPT", ATTEMPT_COLUMNS, "Attempt")
ATTEMPTS_CSV = _csv("attempt", ATTEMPT_COLUMNS)
ATTEMPTS_NDJSON = _ndjson("ATTEMPT", ATTEMPT_COLUMNS)
JOBS = _page_of("jobs", "JOB", JOB_COLUMNS, "Job")
JOBS_CSV = _csv("job", JOB_COLUMNS)
JOBS_NDJSON = _ndjson("JOB", JOB_COLUMNS)
STATS = _page_of("stats", "ROW", STATS_COLUMNS, "Statistics")
STATS_CSV = _csv("workflow and day", STATS_COLUMNS)
STATS_NDJSON = _ndjson("ROW", STATS_COLUMNS)
FILTERS = Shape(schema=responses.FILTERS, sample=f"{{{_OK},\n {_VALUES}}}")
WALL = Shape(
    schema=responses.WALL,
    sample=f'{{{_OK},\n "counts": {{"total": 12, "failing": 1, …}},\n'
    ' "tiles": [TILE, …]}',
    part="TILE",
    columns=TILE_COLUMNS,
)
SUMMARY = Shape(
    schema=responses.SUMMARY,
    sample=f'{{{_OK}, "now": "…", "timezone": "UTC",\n'
    ' "span": {"first_day": "2026-02-23", "last_day": "2026-03-01", "days": 7,\n'
    '  "since": "…", "until": "…", "is_over": false},\n'
    ' "before": {"first_day": "2026-02-16", …},\n'
    ' "filters": {"repo": [], "workflow": [], "team": []}, "incomplete": [],\n'
    ' "main": {"state": "green", …}, "first_break": null, "breaks": […],\n'
    ' "alarms": […],\n'
    ' "total": {ROW, "before": {ROW}},\n'
    ' "repositories": [{"repo": "acme/api", ROW, "before": {ROW}}, …],\n'
    ' "workflows": [{"repo": "acme/api", "workflow": "ci.yml",\n'
    '  "workflow_name": "CI", ROW, "before": {ROW}}, …],\n'
    ' "days": […], "events": […], "actors": […], "hours": […],\n'
    ' "queue_labels": […], "queue_hours": […], "waste": […]}',
    part="ROW",
    columns=tuple(DEFINITIONS),
)
CONFIG = Shape(
    schema=responses.CONFIG,
    sample='{"ok": true, "title": "CI Observer", "refresh_seconds": 60,\n'
    ' "stale_seconds": 180, "timezone": "UTC", "repos": ["acme/api"],\n'
    ' "workflows": ["ci.yml"], "screens": [], "shard": null,\n'
    ' "version": "…", "revision": 7,\n'
    f' "polling": {{{_FACTS},\n'
    '  "next_poll_at": "…", "token_expires_at": null,\n'
    '  "rate_limit": {"limit": 5000, "remaining": 4998, "reset_at": "…"}},\n'
    ' "server_time": "2026-03-01T18:00:20Z", "warnings": [],\n'
    ' "read_only": false,\n'
    ' "wall_etag": "the ETag of /api/wall with the same parameters"}',
)
HEALTH = Shape(
    schema=responses.HEALTH, sample=f'{{"ok": true, {_FACTS}, "warnings": []}}'
)
