"""The routes outside of `/api`, for the table in `web/api/table.py`."""

from datasette.utils.asgi import Response

from ci_observer.web import filters
from ci_observer.web.api.routes import Call, Route, respond_to
from ci_observer.web.api.shapes import Shape
from ci_observer.web.cache import CachedResponse
from ci_observer.web.filters import Filters
from ci_observer.web.integrations.atom import MEDIA_TYPE, fetch_feed
from ci_observer.web.integrations.badge import fetch_badge
from ci_observer.web.integrations.cctray import fetch_cctray
from ci_observer.web.metrics.response import (
    OPENMETRICS,
    OPENMETRICS_TYPE,
    TEXT_TYPE,
    fetch_metrics,
)
from ci_observer.web.responses import vary_by
from ci_observer.web.urls import origin_of

XML = "application/xml; charset=utf-8"
ATOM = f"{MEDIA_TYPE}; charset=utf-8"
SVG = "image/svg+xml; charset=utf-8"
# For a badge that is opened as a page: it needs nothing.
SVG_POLICY = "default-src 'none'; frame-ancestors 'self'; sandbox"


async def cctray(call: Call) -> Response:
    """The tiles as CCTray XML, with links to this server."""
    origin = origin_of(call.request)

    async def fetch(selection: Filters) -> CachedResponse:
        return await fetch_cctray(call.datasette, selection, origin)

    return await respond_to(call, fetch)


async def badge(call: Call) -> Response:
    """The state of a workflow as an SVG image."""
    names = call.values
    workflow = (f"{names['owner']}/{names['repo']}", names["file"])

    async def fetch(selection: Filters) -> CachedResponse:
        return await fetch_badge(call.datasette, workflow, selection)

    response = await respond_to(call, fetch)
    if response.content_type == SVG:
        response.headers["Content-Security-Policy"] = SVG_POLICY
    return response


async def metrics(call: Call) -> Response:
    """The metrics in the format that the client asks for."""
    is_openmetrics = OPENMETRICS in call.request.headers.get("accept", "")

    async def fetch(selection: Filters) -> CachedResponse:
        return await fetch_metrics(
            call.datasette, selection, is_openmetrics=is_openmetrics
        )

    content_type = OPENMETRICS_TYPE if is_openmetrics else TEXT_TYPE
    response = await respond_to(call, fetch, content_type=content_type)
    return vary_by(response, "Accept")


async def feed(call: Call) -> Response:
    """The newest changes, with links to the name by which the visitor came."""
    origin = origin_of(call.request)

    async def fetch(selection: Filters) -> CachedResponse:
        return await fetch_feed(call.datasette, selection, origin)

    return await respond_to(call, fetch)


CCTRAY = Shape(
    sample='<Projects>\n<Project name="acme/api/ci.yml" activity="Sleeping"\n'
    ' lastBuildStatus="Failure" lastBuildLabel="812"\n'
    ' lastBuildTime="2026-03-01T12:00:02Z" webUrl="…"/>\n…\n</Projects>'
)
BADGE = Shape(
    sample="<svg …>\n<title>CI: passing</title>\n…\n</svg>",
)
FEED = Shape(
    sample="<feed …>\n<title>CI Observer: changes</title>\n…\n<entry>\n"
    "<title>acme/api CI broke on main: #812 by ada, job lint</title>\n"
    "<updated>2026-03-01T12:05:00Z</updated>\n…\n</entry>\n…\n</feed>",
)
METRICS = Shape(
    sample="# HELP ci_observer_tile_state 1 for the state that the tile shows, …\n"
    "# TYPE ci_observer_tile_state gauge\n"
    'ci_observer_tile_state{repo="acme/api",workflow="ci.yml",branch="main",'
    'state="passing"} 1.0\n…'
)
ROUTES = (
    Route(
        "/cctray.xml",
        cctray,
        "The tiles as CCTray XML, for build monitors.",
        CCTRAY,
        filters.WALL,
        example="state=failing",
        media_type=XML,
    ),
    Route(
        "/badge/{owner}/{repo}/{file}.svg",
        badge,
        "The state of a workflow as an SVG image, for a README.",
        BADGE,
        filters.BADGE,
        single=("branch",),
        media_type=SVG,
    ),
    Route(
        "/feed.atom",
        feed,
        "The changes of default branches, newest first, as an Atom feed.",
        FEED,
        filters.FEED,
        example="state=failing",
        media_type=ATOM,
    ),
    Route(
        "/metrics",
        metrics,
        "Tiles, runs and polling as metrics, for Prometheus.",
        METRICS,
        filters.WALL,
        example="repo=acme/api",
        media_type=TEXT_TYPE,
    ),
)
