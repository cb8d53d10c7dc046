"""`Cache-Control` and `Vary` of every route, as caches read them."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from archive import NOW, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from sqlite_utils import Database
from web_client import serving

from ci_observer.web.api.table import ROUTES
from ci_observer.web.cache_control import freshness_of
from ci_observer.web.settings import WebSettings

MAX_AGE = 5
TOKEN = "let-me-in-please"  # noqa: S105 (of the test)
PAGES = (
    *("/", "/?theme=light", "/runs", "/runs/1", "/muted", "/summary", "/summary.md"),
    *("/workflows/acme/api/ci.yml", "/workflows/acme/api/ci.yml/jobs"),
    *("/commits/acme/api", "/api", "/?at=2026-03-01T12:30:00Z"),
)
DATA = (
    *("/api/wall", "/api/runs", "/api/runs?limit=1", "/api/runs/1", "/api/attempts"),
    *("/api/jobs", "/api/stats", "/api/filters", "/api/summary", "/api/openapi.json"),
    *("/cctray.xml", "/feed.atom", "/badge/acme/api/ci.yml.svg", "/llms.txt"),
)
DATASETTES = (
    *("/ci_observer", "/ci_observer/runs", "/ci_observer/runs.json?_ttl=86400"),
    *("/-/dashboards/ci-observer/runs-by-day.json", "/static/shared/theme.js"),
)
NOT_STORED = (
    *("/api/health", "/metrics", "/login", "/api/runs.csv", "/api/runs.ndjson"),
    *("/ci_observer?sql=select+1", "/ci_observer.json?sql=select+1&_ttl=86400"),
    *("/ci_observer/runs.csv", "/ci_observer/runs?_where=1", "/-/versions.json"),
    # Errors.
    *("/api/runs?nothing=1", "/api/nothing", "/runs/nothing", "/nothing", "/-/mcp"),
    *("/static/nothing.js", "/ci_observer/nothing", "/workflows/acme/none/ci.yml"),
)


@pytest.fixture
def archive(db: Database, db_path: Path) -> Path:
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1, **times("12:00")))
    return db_path


@pytest_asyncio.fixture
async def datasette(archive: Path) -> AsyncIterator[Datasette]:
    async with serving(archive) as datasette:
        yield datasette


def seconds(control: str) -> int:
    """For how long a shared cache may use a response."""
    ages = re.findall(r"\b(?:max-age|stale-while-revalidate)=(\d+)", control)
    return sum(map(int, ages))


def names(response: httpx.Response) -> list[str]:
    return [name.strip() for name in response.headers.get("vary", "").split(",")]


@pytest.mark.asyncio
async def test_a_shared_cache_may_use_data_for_five_seconds(
    datasette: Datasette,
) -> None:
    for path in (*PAGES, *DATA, *DATASETTES):
        response = await datasette.client.get(path, headers={"Accept": "text/html"})
        control = response.headers["cache-control"]
        assert response.status_code == 200, path
        assert control == "max-age=1, stale-while-revalidate=4", path
        assert seconds(control) <= MAX_AGE
        is_page = response.headers["content-type"].startswith("text/html")
        assert not is_page or "Cookie" in names(response), path
        assert len(names(response)) == len(set(names(response))), path
        # The example of nginx ignores Vary: it knows these, and never stores /api.
        known = {"Accept-Encoding", "Cookie", "Authorization", ""}
        assert set(names(response)) - known <= ({"Accept"} if path == "/api" else set())


@pytest.mark.asyncio
async def test_the_configuration_is_stored_for_a_second(datasette: Datasette) -> None:
    response = await datasette.client.get("/api/config")

    assert response.headers["cache-control"] == "max-age=1, stale-while-revalidate=1"


@pytest.mark.asyncio
async def test_errors_logins_exports_and_sql_are_not_stored(
    datasette: Datasette,
) -> None:
    for path in NOT_STORED:
        response = await datasette.client.get(path)
        assert response.headers["cache-control"] == "no-store", path
    refused = await datasette.client.post("/api/runs")
    options = await datasette.client.options("/api/runs")

    assert refused.headers["cache-control"] == "no-store"
    assert options.headers["cache-control"] == "no-store"


def test_every_route_of_the_api_has_a_rule() -> None:
    for route in ROUTES.by_path.values():
        path = re.sub(r"\{\w+\}", "x", route.path)
        assert freshness_of(path, "") is not None, path


@pytest.mark.asyncio
async def test_a_304_has_the_headers_of_its_200(datasette: Datasette) -> None:
    for path in ("/api/config", "/api/wall", "/api/runs", "/runs", "/cctray.xml"):
        first = await datasette.client.get(path)
        again = await datasette.client.get(
            path, headers={"If-None-Match": first.headers["etag"]}
        )
        assert (first.status_code, again.status_code) == (200, 304), path
        for name in ("cache-control", "vary", "etag"):
            assert again.headers[name] == first.headers[name], (path, name)


@pytest.mark.asyncio
async def test_a_small_response_varies_by_its_encoding_too(
    datasette: Datasette,
) -> None:
    """The next response of the route may be large enough to be compressed."""
    for path in ("/api/config", "/api/wall", "/api/runs", "/", "/llms.txt"):
        response = await datasette.client.get(path)
        assert "Accept-Encoding" in names(response), path
    for path in ("/api", "/metrics"):
        assert "Accept" in names(await datasette.client.get(path)), path


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/", "/runs", "/api/runs", "/api/nothing"])
async def test_a_response_to_a_visitor_who_may_be_known_is_private(
    datasette: Datasette, path: str
) -> None:
    cookie = datasette.sign({"a": {"id": "ada"}}, "actor")
    for headers in ({"Cookie": f"ds_actor={cookie}"}, {"Authorization": "Bearer x"}):
        response = await datasette.client.get(path, headers=headers)
        assert response.headers["cache-control"].startswith("private, no-"), path
        assert {"Cookie", "Authorization"} <= set(names(response)), path


@pytest.mark.asyncio
async def test_with_an_access_token_nothing_goes_into_a_shared_cache(
    archive: Path,
) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"}
    async with serving(archive, web=WebSettings(access_token=TOKEN)) as datasette:
        responses = [
            await datasette.client.get(path, headers=headers)
            for path in (*PAGES, *DATA, *DATASETTES, *NOT_STORED, "/api/config")
            for headers in ({}, token, {"Authorization": "Bearer wrong"})
            if not path.startswith("/static/shared/")
        ]
        wall = await datasette.client.get("/api/wall", headers=token)
        unchanged = await datasette.client.get(
            "/api/wall", headers=token | {"If-None-Match": wall.headers["etag"]}
        )
        page = await datasette.client.get("/", headers=token)
        script = await datasette.client.get(
            re.findall(r'src="(/static/joined/.+?)"', page.text)[0]
        )

    assert {response.status_code for response in responses} >= {200, 401, 404}
    for response in (*responses, unchanged):
        control = response.headers["cache-control"]
        assert control in ("private, no-cache", "private, no-store"), response.url
        assert {"Cookie", "Authorization"} <= set(names(response)), response.url
    assert (unchanged.status_code, wall.status_code) == (304, 200)
    assert unchanged.headers["cache-control"] == "private, no-cache"
    # A browser shows no page after the logout, not even by its button Back.
    assert page.headers["cache-control"] == "private, no-store"
    assert script.headers["cache-control"].startswith("public, ")


@pytest.mark.asyncio
async def test_a_page_for_many_tiles_is_compressed(
    db: Database, archive: Path, datasette: Datasette
) -> None:
    gzip = {"Accept-Encoding": "gzip"}
    response = await datasette.client.get("/", headers=gzip)
    set_clock(db, NOW)
    plain: Any = await datasette.client.get("/", headers={"Accept-Encoding": ""})

    assert response.headers["content-encoding"] == "gzip"
    assert response.text == plain.text
