"""The frame that all pages share: header, navigation, age of the data, theme."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from archive import save, watch
from datasette.app import Datasette
from factories import run_payload
from page_reader import read_page
from sqlite_utils import Database
from walls import save_poll
from web_client import serving

if TYPE_CHECKING:
    from browser import Visit, WallServer

PAGES = {
    "/": "Wall",
    "/runs": "Runs",
    "/summary": "Summary",
    "/runs/1": None,
    "/workflows/acme/api/ci.yml": None,
    "/workflows/acme/api/ci.yml/jobs": None,
    "/ci_observer": "Data",
    "/ci_observer/runs": "Data",
    "/ci_observer/runs/1": "Data",
    "/ci_observer?sql=select+1": "Data",
    "/-/": None,
    "/-/dashboards": "Dashboards",
    "/-/dashboards/ci-observer": "Dashboards",
}


@pytest.fixture
def archive(db: Database) -> Database:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(1))
    save_poll(db)
    return db


@pytest_asyncio.fixture
async def datasette(archive: Database, db_path: Path) -> AsyncIterator[Datasette]:
    async with serving(db_path) as datasette:
        yield datasette


@pytest.mark.asyncio
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_the_frame(datasette: Datasette, path: str) -> None:
    response = await datasette.client.get(path, follow_redirects=True)
    page = read_page(response.text)
    header = page.one("header", class_="head")
    nav = header.one("nav", class_="nav")
    current = [a.text for a in nav.all("a") if "aria-current" in a.attributes]

    assert response.status_code == 200
    assert page.one("html").attributes["lang"] == "en"
    assert [a.text for a in nav.all("a")] == [
        "Wall",
        "Runs",
        "Summary",
        "Dashboards",
        "Data",
        "API",
    ]
    assert current == ([PAGES[path]] if PAGES[path] else [])
    assert header.one(class_="head__name").one("a").href == "/"
    assert header.one("p", id="age")
    assert header.one("button", id="theme")
    assert page.one("a", class_="skip").href == "#main"
    assert page.one("main", id="main")
    assert "CI Observer" in page.one("head").one("title").text


@pytest.mark.browser
def test_a_page_of_datasette_shows_the_age_and_old_data_loudly(
    archive: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    page = visit.open("ci_observer")
    expect(page.locator("#age")).to_have_text("updated 0\xa0s ago")
    expect(page.locator("#banner")).to_be_hidden()
    server.stop()
    for _ in range(4):
        visit.refresh()
    expect(page.locator("#banner")).to_contain_text("No connection to CI Observer")
    expect(page.locator("body")).to_have_attribute("data-lost", "true")
    server.start()


@pytest.mark.browser
def test_the_chosen_theme_is_kept_and_the_address_wins(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Change the theme").click()
    expect(root).to_have_attribute("data-theme", "light")
    for path in ("runs", "ci_observer/runs", "-/dashboards"):
        page.goto(visit.server.url + path)
        expect(root).to_have_attribute("data-theme", "light")

    page.goto(f"{visit.server.url}runs?theme=dark&branch=main")
    expect(root).to_have_attribute("data-theme", "dark")
    page.goto(f"{visit.server.url}runs")
    expect(root).to_have_attribute("data-theme", "light")

    page.goto(f"{visit.server.url}runs?theme=dark&branch=main")
    page.get_by_role("button", name="Change the theme").click()
    expect(page).to_have_url(f"{visit.server.url}runs?branch=main")
    expect(root).to_have_attribute("data-theme", "light")
