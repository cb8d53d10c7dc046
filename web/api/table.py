"""The table of the API's routes. `/api`, its page, `/api/openapi.json` and the routing
of requests all read it.
"""

import json

from datasette.app import Datasette
from datasette.utils.asgi import Response

from ci_observer.web import filters
from ci_observer.web.agents.llms import llms_text
from ci_observer.web.api import handlers, shapes
from ci_observer.web.api.handlers import export_of, json_of, page_of
from ci_observer.web.api.listings import ATTEMPTS, JOBS, RUNS, STATS, Listing
from ci_observer.web.api.openapi import openapi_document
from ci_observer.web.api.routes import Call, Route, Routes, respond_to
from ci_observer.web.api.shapes import Shape
from ci_observer.web.api.writers import CSV, NDJSON, PARQUET
from ci_observer.web.cache import CachedResponse
from ci_observer.web.filters import DayFilters, Filters
from ci_observer.web.integrations.routes import ROUTES as INTEGRATIONS
from ci_observer.web.peers.merged_runs import fetch_runs
from ci_observer.web.responses import vary_by
from ci_observer.web.summary import span
from ci_observer.web.urls import linker, origin_of

HEALTH = "/api/health"
TEXT = "text/plain; charset=utf-8"


async def index(call: Call) -> Response:
    """The paths and purposes of the routes."""

    async def fetch(_: Filters) -> CachedResponse:
        text = json.dumps({"ok": True, "routes": listed(call.datasette)})
        return CachedResponse(text.encode(), revision=0)

    return vary_by(await respond_to(call, fetch), "Accept")


async def llms(call: Call) -> Response:
    """The routes as text for agents."""
    link = linker(call.datasette, origin_of(call.request))

    async def fetch(_: Filters) -> CachedResponse:
        text = llms_text(ROUTES.by_path.values(), link)
        return CachedResponse(text.encode(), revision=0)

    return await respond_to(call, fetch)


def listed(datasette: Datasette) -> list[dict[str, str]]:
    """The routes of `/api`."""
    return [
        {"path": datasette.urls.path(path), "description": route.purpose}
        for path, route in ROUTES.by_path.items()
    ]


def exports_of(
    listing: Listing, parameters: tuple[str, ...], item: str, csv: Shape, ndjson: Shape
) -> list[Route]:
    """The routes of the exports of a list."""
    example = "conclusion=failure" if "conclusion" in parameters else ""
    return [
        Route(
            f"/api/{listing.name}.csv",
            export_of(listing, CSV),
            f"Every selected {item}, as CSV.",
            csv,
            (*parameters, "formulas"),
            example,
            CSV.content_type,
            has_days=listing.filters is DayFilters,
        ),
        Route(
            f"/api/{listing.name}.ndjson",
            export_of(listing, NDJSON),
            f"Every selected {item}, one JSON object per line.",
            ndjson,
            parameters,
            example,
            NDJSON.content_type,
            has_days=listing.filters is DayFilters,
        ),
    ]


async def openapi(call: Call) -> Response:
    """The description of the API for programs."""

    async def fetch(_: Filters) -> CachedResponse:
        text = json.dumps(openapi_document(call.datasette, ROUTES.by_path.values()))
        return CachedResponse(text.encode(), revision=0)

    return await respond_to(call, fetch)


ROUTES = Routes(
    Route("/api", index, "These routes.", shapes.INDEX, example=None),
    Route(
        "/api/openapi.json",
        openapi,
        "This API for programs, as OpenAPI 3.1.",
        shapes.OPENAPI,
    ),
    Route(
        "/api/runs",
        page_of(RUNS, fetch_runs),
        "Runs, newest first, page by page.",
        shapes.RUNS,
        filters.RUNS,
        example="conclusion=failure&limit=5",
    ),
    Route(
        "/api/runs/{run_id}",
        handlers.run,
        "One run with its attempts, its jobs and their steps.",
        shapes.RUN,
        ("raw",),
    ),
    *exports_of(RUNS, filters.EXPORT, "run", shapes.RUNS_CSV, shapes.RUNS_NDJSON),
    Route(
        "/api/runs.parquet",
        export_of(RUNS, PARQUET),
        "Every selected run, as Parquet with typed columns.",
        shapes.RUNS_PARQUET,
        filters.EXPORT,
        example="conclusion=failure",
        media_type=PARQUET.content_type,
        problem=PARQUET.problem,
    ),
    Route(
        "/api/attempts",
        page_of(ATTEMPTS),
        "Every attempt of the runs, those that a re-run replaced, too.",
        shapes.ATTEMPTS,
        filters.ATTEMPTS,
        example="conclusion=failure&limit=5",
    ),
    *exports_of(
        ATTEMPTS,
        filters.COMMON,
        "attempt",
        shapes.ATTEMPTS_CSV,
        shapes.ATTEMPTS_NDJSON,
    ),
    Route(
        "/api/jobs",
        page_of(JOBS),
        "Stored jobs, those of the newest run first.",
        shapes.JOBS,
        filters.JOBS,
        example="conclusion=failure&limit=5",
    ),
    *exports_of(JOBS, filters.JOBS_COMMON, "job", shapes.JOBS_CSV, shapes.JOBS_NDJSON),
    Route(
        "/api/stats",
        page_of(STATS),
        "The numbers of each workflow and day, newest day first.",
        shapes.STATS,
        filters.STATS,
        example="default_branch=1&limit=5",
        has_days=True,
    ),
    *exports_of(
        STATS,
        filters.STATS_COMMON,
        "row of /api/stats",
        shapes.STATS_CSV,
        shapes.STATS_NDJSON,
    ),
    Route(
        "/api/filters",
        json_of(handlers.filter_values),
        "The values of each filter, with their numbers of runs.",
        shapes.FILTERS,
    ),
    Route(
        "/api/wall",
        json_of(handlers.wall),
        "The tiles of the status wall, now or at a past time.",
        shapes.WALL,
        filters.ANY_WALL,
        example="state=failing",
    ),
    Route(
        "/api/summary",
        handlers.summary,
        "The numbers of some days, compared with as many days before.",
        shapes.SUMMARY,
        span.ALLOWED,
        example="days=30",
        has_days=True,
    ),
    Route(
        "/api/config",
        json_of(handlers.config),
        "The public settings, the state of polling, and the ETag of the wall.",
        shapes.CONFIG,
        filters.WALL_AND_PEERS,
    ),
    Route(
        HEALTH,
        json_of(handlers.health),
        "200 while the data are fresh or polling is off on purpose, else 503.",
        shapes.HEALTH,
    ),
    *INTEGRATIONS,
    Route(
        "/llms.txt",
        llms,
        "These routes as text, for agents.",
        shapes.LLMS,
        media_type=TEXT,
    ),
)
