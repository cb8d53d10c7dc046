"""The security headers: on every response, strict on our own pages."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from datasette.app import Datasette
from sqlite_utils import Database
from web_client import serving

OURS = (
    "/api",
    "/api/runs",
    "/api/runs.csv",
    "/api/nothing",
    "/nothing.txt",
    "/runs",
    "/runs/1",
    "/workflows/acme/api/ci.yml",
    "/workflows/acme/api/ci.yml/jobs",
)
DATASETTES = ("/ci_observer", "/ci_observer/runs", "/ci_observer/runs.json", "/-/")


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    async with serving(db_path) as datasette:
        yield datasette


async def directives(datasette: Datasette, path: str) -> dict[str, str]:
    """The content security policy of a page."""
    response = await datasette.client.get(path)
    policy = response.headers["content-security-policy"]
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


@pytest.mark.asyncio
@pytest.mark.parametrize("path", [*OURS, *DATASETTES, "/-/static/app.css"])
async def test_every_response_has_the_headers(datasette: Datasette, path: str) -> None:
    headers = (await datasette.client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert len(headers.get_list("content-security-policy")) == 1
    assert len(headers.get_list("referrer-policy")) == 1


@pytest.mark.asyncio
async def test_a_header_that_a_page_sets_itself_stays(datasette: Datasette) -> None:
    ours = await datasette.client.get("/api")
    table = await datasette.client.get("/ci_observer/runs")

    assert ours.headers["referrer-policy"] == "same-origin"
    assert table.headers["referrer-policy"] == "no-referrer"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", OURS)
async def test_our_own_pages_allow_nothing_inline(
    datasette: Datasette, path: str
) -> None:
    policy = await directives(datasette, path)

    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert "style-src" not in policy


@pytest.mark.asyncio
@pytest.mark.parametrize("path", DATASETTES)
async def test_datasettes_pages_allow_the_inline_scripts_they_have(
    datasette: Datasette, path: str
) -> None:
    policy = await directives(datasette, path)

    assert policy["script-src"] == "'self' 'unsafe-inline'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"


@pytest.mark.asyncio
async def test_only_dashboards_may_evaluate(datasette: Datasette) -> None:
    policy = await directives(datasette, "/-/dashboards")

    assert policy["script-src"] == "'self' 'unsafe-eval' 'unsafe-inline'"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/-/", "/ci_observer"])
async def test_the_policy_follows_the_base_url(
    db_path: Path, db: Database, path: str
) -> None:
    async with serving(db_path, base_url="/ci/") as datasette:
        policy = await directives(datasette, path)

    assert policy["script-src"] == "'self' 'unsafe-inline'"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/-/", "/-/dashboards", "/ci_observer/runs"])
async def test_datasettes_pages_load_nothing_from_elsewhere(
    datasette: Datasette, path: str
) -> None:
    html = (await datasette.client.get(path)).text

    loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"([^\"]+)\"", html)
    loaded += re.findall(r"<link[^>]* rel=\"stylesheet\"[^>]* href=\"([^\"]+)\"", html)
    assert [url for url in loaded if "//" in url] == []


@pytest.mark.asyncio
async def test_datasettes_front_page_is_still_there(datasette: Datasette) -> None:
    page = await datasette.client.get("/-/")
    data = await datasette.client.get("/-/.json")

    assert page.status_code == 200
    assert 'href="/ci_observer"' in page.text
    assert list(data.json()) == ["ci_observer"]
