"""The page /api: for a browser HTML, for all others JSON, both of the same tables."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import save_runs, watch
from datasette.app import Datasette
from factories import run_payload
from page_reader import Element, harms, local_addresses, read_page
from sqlite_utils import Database
from walls import save_poll
from web_client import get_json, serving

from ci_observer.web.api.routes import Call, Route
from ci_observer.web.api.shapes import Shape
from ci_observer.web.api.table import ROUTES
from ci_observer.web.filters import Filters
from ci_observer.web.parameters import PARAMETERS, Parameter
from ci_observer.web.settings import WebSettings

BROWSER = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
}
TOKEN = "correct horse battery staple"  # noqa: S105

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(db, run_payload(1), run_payload(2, conclusion="failure"))
    async with serving(db_path) as datasette:
        yield datasette


async def get_api_page(datasette: Datasette, **headers: str) -> Element:
    response = await datasette.client.get("/api", headers=BROWSER | headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return read_page(response.text)


def routes() -> dict[str, Route]:
    return ROUTES.by_path


def sections(page: Element) -> dict[str, Element]:
    return {s.one("h3").text: s for s in page.all("section", class_="route")}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER["accept"], "text/html"),
        ("text/html", "text/html"),
        ("TEXT/HTML;level=1, application/json;q=0.9", "text/html"),
        ("text/*", "text/html"),
        ("application/json;q=0.1, text/html;q=0.2", "text/html"),
        ("*/*", "application/json"),
        ("", "application/json"),
        (None, "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/html", "application/json"),
        ("application/json, text/html;q=0.9", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("text/html;q=much", "application/json"),
        ("application/*, text/html;q=0.5", "application/json"),
        (";,,;q=", "application/json"),
        ("image/png", "application/json"),
    ],
)
async def test_who_prefers_html_gets_it(
    datasette: Datasette, accept: str | None, kind: str
) -> None:
    headers = {} if accept is None else {"accept": accept}
    response = await datasette.client.get("/api", headers=headers)

    assert response.status_code == 200
    assert response.headers["content-type"] == f"{kind}; charset=utf-8"
    assert "Accept" in response.headers["vary"].split(", ")


@pytest.mark.parametrize("headers", [BROWSER, {}, BROWSER | {"accept-encoding": "br"}])
async def test_an_unchanged_page_is_304_and_varies_too(
    datasette: Datasette, headers: dict[str, str]
) -> None:
    first = await datasette.client.get("/api", headers=headers)
    conditional = headers | {"if-none-match": first.headers["etag"]}
    again = await datasette.client.get("/api", headers=conditional)

    assert (again.status_code, again.content) == (304, b"")
    assert "Accept" in again.headers["vary"].split(", ")


async def test_every_route_is_on_the_page(datasette: Datasette) -> None:
    page = await get_api_page(datasette)
    index = await get_json(datasette, "/api")

    shown = {
        path: section.one("div", class_="route__body").all("p")[0].text
        for path, section in sections(page).items()
    }
    assert shown == {r["path"]: r["description"] for r in index["routes"]}


async def test_every_route_can_be_tried(datasette: Datasette) -> None:
    page = await get_api_page(datasette)
    tried = {}
    for path, section in sections(page).items():
        for link in section.all("a", class_="button"):
            response = await datasette.client.get(link.href, headers=BROWSER)
            tried[path] = response.status_code

    # In a browser, /api is this page.
    assert tried == dict.fromkeys(set(routes()) - {"/api"}, 200)


async def test_every_parameter_of_a_route_is_on_the_page(datasette: Datasette) -> None:
    page = await get_api_page(datasette)
    rows = {
        row.one("th").text: [cell.text for cell in row.all("td")]
        for row in page.one("table", class_="parameters").one("tbody").all("tr")
    }

    assert set(rows) == {*PARAMETERS}
    for path, section in sections(page).items():
        names = [chip.text for chip in section.all("li")]
        assert tuple(names) == routes()[path].parameters
        listing = [
            name for name, row in rows.items() if named(path) in row[3].split(", ")
        ]
        assert set(listing) == set(names)
        for link in section.one("ul").all("a") if names else []:
            assert page.one("tr", id=link.href.removeprefix("#"))
    assert rows["limit"][1:3] == ["1 to 1000", str(Filters().limit)]
    assert "no_access, blocked, stale" in rows["state"][1]


def named(path: str) -> str:
    return path.removeprefix("/api/")


async def test_a_route_accepts_its_parameters_and_no_others(
    datasette: Datasette,
) -> None:
    for path, route in routes().items():
        for name in PARAMETERS:
            values = {"run_id": 1, "owner": "acme", "repo": "api", "file": "ci.yml"}
            url = f"{path.format_map(values)}?{name}="
            response = await datasette.client.get(url)
            expected = 200 if name in route.parameters else 400
            assert (path, name, response.status_code) == (path, name, expected)


async def test_a_new_route_and_a_new_parameter_appear_by_themselves(
    datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handle(_: Call) -> None:
        pytest.fail("nobody requests it")

    parameter = Parameter(parse=list, meaning="The runner.", values=("x64", "arm64"))
    shape = Shape(sample='{"ok": true}')
    monkeypatch.setitem(PARAMETERS, "runner", parameter)
    monkeypatch.setitem(
        routes(),
        "/api/runners",
        Route(
            "/api/runners", handle, "Every runner.", shape, ("runner",), "runner=x64"
        ),
    )
    page = await get_api_page(datasette)

    section = sections(page)["/api/runners"]
    assert "Every runner." in section.text
    assert section.one("a", class_="button").href == "/api/runners?runner=x64"
    assert page.one("tr", id="parameter-runner").text == (
        "runner The runner. x64, arm64 all runners"
    )


@pytest.mark.parametrize(
    "path",
    [
        *("/api", "/api/runs", "/api/attempts", "/api/filters", "/api/wall"),
        "/api/config",
    ],
)
async def test_the_shapes_have_the_keys_of_the_responses(
    datasette: Datasette, path: str
) -> None:
    response = await get_json(datasette, path)
    shape = routes()[path].shape
    parts = r", …|\b(RUN|ATTEMPT|TILE)\b"
    sample = json.loads(re.sub(parts, _filler, shape.sample))

    assert keys(sample) == keys(response)
    part = {"RUN": "runs", "TILE": "tiles", "ATTEMPT": "attempts"}.get(shape.part)
    if part:
        assert set(response[part][0]) == set(shape.columns)


def _filler(match: re.Match[str]) -> str:
    return "" if "…" in match[0] else "{}"


def keys(value: dict[str, Any]) -> set[str]:
    """The keys of an object, and of the objects in it by name."""
    found = set(value)
    for name in {"polling", "rate_limit"} & found:
        found |= {f"{name}.{key}" for key in keys(value[name])}
    return found


async def test_the_examples_have_the_address_of_the_visitor(
    db: Database, db_path: Path
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path, base_url="/ci/") as datasette:
        page = await get_api_page(datasette, host="ci.example:8443")
        other = await get_api_page(datasette, host="b';$(reboot)")

    assert "curl 'http://ci.example:8443/ci/api/runs?limit=3'" in page.text
    assert "ci.example" not in other.text
    # Within double quotes, the shell reads the quote as text.
    assert """curl 'http://b'"'"';$(reboot)/ci/api/runs?limit=3'""" in other.text
    local = local_addresses(page)
    assert len(local) > 10
    assert [address for address in local if not address.startswith("/ci/")] == []
    assert harms(other) == []


async def test_with_an_access_token_the_page_says_how_to_send_it(
    db: Database, db_path: Path
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path, web=WebSettings(access_token=TOKEN)) as datasette:
        refused = await datasette.client.get("/api", headers=BROWSER)
        authorization = f"Bearer {TOKEN}"
        page = await get_api_page(datasette, authorization=authorization)

    assert refused.headers["location"].startswith("/login")
    access = page.one("section", **{"aria-labelledby": "access"})
    assert "This server has an access token" in access.text
    commands = [pre.text for pre in page.all("pre") if pre.text.startswith("curl")]
    assert len(commands) > 8
    assert all("-H 'Authorization: Bearer TOKEN'" in text for text in commands)
    assert TOKEN not in page.text


async def test_without_an_access_token_no_login_is_needed(datasette: Datasette) -> None:
    page = await get_api_page(datasette)

    assert "No login is needed" in page.one("main").text
    assert "Authorization" not in page.text


async def test_an_argument_is_an_error_on_the_page_too(datasette: Datasette) -> None:
    page = await datasette.client.get("/api?repo=a&theme=light", headers=BROWSER)
    program = await datasette.client.get("/api?repo=a")

    assert page.status_code == program.status_code == 400
    assert "Unknown argument" in read_page(page.text).one("main").text
    assert program.json()["error"].startswith("Unknown filter 'repo'")
    assert "Accept" in page.headers["vary"]


async def test_other_routes_are_json_for_browsers_too(datasette: Datasette) -> None:
    for path in ("/api/runs", "/api/none", "/api/wall?x=1"):
        response = await datasette.client.get(path, headers=BROWSER)
        assert response.headers["content-type"].startswith("application/json")


async def test_the_page_marks_itself_in_the_navigation(datasette: Datasette) -> None:
    page = await get_api_page(datasette)

    current = [a for a in page.all("a") if a.attributes.get("aria-current") == "page"]
    assert [a.text for a in current] == ["API"]
