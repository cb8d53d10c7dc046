"""One page for every error, whoever responds: ours, Datasette, static files, login."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from archive import save, watch
from datasette import hookimpl
from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils.asgi import Response
from factories import run_payload
from operators import restricted
from page_reader import Element, harms, read_page
from sqlite_utils import Database
from web_client import serving

from ci_observer.web.settings import WebSettings

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROGRAM = {"Accept": "application/json"}
UNKNOWN = (
    *("/nonsense", "/ci_observer/nonsense", "/-/nonsense", "/foo/bar", "/foo/bar/1"),
    *("/workflows/a/b/c", "/workflows/a/b", "/static/nonsense", "/static"),
    *("/-/static/nonsense", "/-/static-plugins/none/nonsense", "/runs/nonsense"),
    *("/ci_observer/runs/999", "/-/dashboards/nonsense", "/-/dashboards/a/b"),
)
OTHERS = {
    "/runs?nonsense=1": 400,
    "/ci_observer/runs?_sort=nonsense": 400,
    "/ci_observer?sql=drop+table+runs": 400,
    "/-/metadata": 403,
}
TOKEN = "correct-horse-battery-staple"  # noqa: S105 (an example)


@pytest.fixture
def archive(db: Database) -> Database:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(1))
    return db


@pytest_asyncio.fixture
async def datasette(archive: Database, db_path: Path) -> AsyncIterator[Datasette]:
    async with serving(db_path) as datasette:
        yield datasette


def ways(page: Element) -> list[str]:
    return [a.text for a in page.one(class_="ways").all("a")]


@pytest.mark.asyncio
async def test_every_unknown_path_gets_the_same_page(datasette: Datasette) -> None:
    for path in UNKNOWN:
        response = await datasette.client.get(path, headers=BROWSER)
        page = read_page(response.text)
        assert response.status_code == 404, path
        assert page.one("h1").text == "There is no such page", path
        assert page.one("code").text == path
        assert ways(page) == ["Wall", "Runs", "Data"]
        assert page.one(class_="head__name").text == "CI Observer"
        assert response.headers["cache-control"] == "no-store"
        assert "content-security-policy" in response.headers


@pytest.mark.asyncio
async def test_other_errors_get_the_page_too(datasette: Datasette) -> None:
    for path, status in OTHERS.items():
        response = await datasette.client.get(path, headers=BROWSER)
        assert (path, response.status_code) == (path, status)
        assert ways(read_page(response.text)) == ["Wall", "Runs", "Data"]
    for path in ("/", "/runs", "/ci_observer", "/static/shared/base.css", "/nonsense"):
        response = await datasette.client.post(path, headers=BROWSER)
        assert (path, response.status_code) == (path, 405)
        assert "GET" in response.headers["allow"]
        assert ways(read_page(response.text)) == ["Wall", "Runs", "Data"]


@pytest.mark.asyncio
async def test_programs_get_json(datasette: Datasette) -> None:
    for path in ("/nonsense", "/ci_observer/nonsense.json", "/foo/bar.json"):
        response = await datasette.client.get(path, headers=PROGRAM)
        body = response.json()
        assert (response.status_code, body["status"], body["ok"]) == (404, 404, False)
    response = await datasette.client.get("/api/nonsense", headers=BROWSER)
    assert response.json()["error"].startswith("There is no /api/nonsense here.")


@pytest.mark.asyncio
async def test_a_hostile_path_is_text(datasette: Datasette) -> None:
    for path in ("/<script>alert(1)</script>", '/"onload="alert(1)', "/static/<b>"):
        response = await datasette.client.get(
            path, headers=BROWSER, follow_redirects=True
        )
        assert response.status_code == 404
        assert harms(read_page(response.text)) == []
    umlaut = await datasette.client.get(
        "/h%C3%B6ren", headers=BROWSER, follow_redirects=True
    )
    assert (
        read_page(umlaut.text).one("code").text
        == "/h\N{LATIN SMALL LETTER O WITH DIAERESIS}ren"
    )
    long = await datasette.client.get(f"/{'x' * 5000}", headers=BROWSER)
    assert len(read_page(long.text).one("code").text) <= 200


@pytest.mark.asyncio
async def test_the_links_stay_below_the_prefix(
    archive: Database, db_path: Path
) -> None:
    async with serving(db_path, base_url="/ci/") as datasette:
        for path in ("/ci/nonsense", "/nonsense", "/ci/static/nonsense"):
            response = await datasette.client.get(path, headers=BROWSER)
            links = read_page(response.text).one(class_="ways").all("a")
            assert response.status_code == 404
            assert [a.href for a in links] == ["/ci/", "/ci/runs", "/ci/ci_observer"]


@pytest.mark.asyncio
async def test_a_closed_instance_tells_strangers_nothing(
    archive: Database, db_path: Path
) -> None:
    archive["instance"].upsert({"key": "title", "value": "Secret project"}, pk="key")
    web = WebSettings(access_token=TOKEN)
    async with serving(db_path, web=web) as datasette:
        for path in UNKNOWN[:4]:
            response = await datasette.client.get(path, headers=BROWSER)
            assert response.status_code == 302
            assert response.headers["location"].startswith("/login?next=")
        for path in ("/login", "/logout", "/static/nonsense"):
            response = await datasette.client.get(path, headers=BROWSER)
            page = read_page(response.text)
            assert "Secret project" not in response.text
            assert page.all("script", id="config") == []
            assert page.one("main", id="main")
        headers = BROWSER | {"Authorization": f"Bearer {TOKEN}"}
        response = await datasette.client.get("/nonsense", headers=headers)
        assert response.status_code == 404
        assert "Secret project" in response.text


@pytest.mark.asyncio
async def test_a_refused_visitor_sees_neither_title_nor_age(
    archive: Database, db_path: Path
) -> None:
    archive["instance"].upsert({"key": "title", "value": "Secret project"}, pk="key")
    async with restricted(db_path, {"allow": {"id": "ada"}}) as datasette:
        for path in ("/", "/runs", "/ci_observer", "/-/dashboards", "/nonsense"):
            response = await datasette.client.get(path, headers=BROWSER)
            page = read_page(response.text)
            assert response.status_code in (403, 404)
            assert "Secret project" not in response.text
            assert page.all("script", id="config") == []
            assert ways(page) == ["Wall", "Runs", "Data"]


@pytest.mark.asyncio
async def test_pages_of_datasette_render_while_the_database_is_damaged(
    archive: Database, db_path: Path
) -> None:
    archive.close()
    async with serving(db_path) as datasette:
        db_path.write_bytes(b"no database" * 1000)
        for path in ("/ci_observer", "/ci_observer/runs", "/-/dashboards", "/nonsense"):
            response = await datasette.client.get(
                path, headers=BROWSER, follow_redirects=True
            )
            page = read_page(response.text)
            assert response.status_code in (200, 404, 503)
            assert page.one(class_="head__name").text == "CI Observer"


@pytest.mark.asyncio
async def test_a_fault_tells_nothing_of_itself(
    archive: Database, db_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Faulty:
        __name__ = "faulty"

        @hookimpl
        def register_routes(self) -> list[tuple[str, object]]:
            return [(r"^/-/faulty(\.json)?$", self.fail)]

        @staticmethod
        async def fail(datasette: Datasette) -> Response:
            raise OSError(f"secret of {datasette}")

    plugin = Faulty()
    pm.register(plugin)
    try:
        async with serving(db_path) as datasette:
            page = await datasette.client.get("/-/faulty", headers=BROWSER)
            body = await datasette.client.get("/-/faulty.json")
    finally:
        pm.unregister(plugin)

    assert (page.status_code, body.status_code) == (500, 500)
    assert "secret" not in page.text + body.text
    assert ways(read_page(page.text)) == ["Wall", "Runs", "Data"]
    assert "OSError: secret of" in capfd.readouterr().err


@pytest.mark.asyncio
async def test_links_of_plugins_are_in_the_navigation(
    archive: Database, db_path: Path
) -> None:
    class Links:
        __name__ = "links"

        def __init__(self, *labels: str) -> None:
            self.labels = labels

        @hookimpl
        def menu_links(self) -> list[dict[str, str]]:
            return [{"href": f"/-/{label}", "label": label} for label in self.labels]

    async def navigation(*labels: str) -> Element:
        plugin = Links(*labels)
        pm.register(plugin)
        try:
            async with serving(db_path) as datasette:
                pages = [
                    read_page((await datasette.client.get(path)).text).one(class_="nav")
                    for path in ("/ci_observer/runs", "/runs", "/nonsense")
                ]
        finally:
            pm.unregister(plugin)
        assert len({page.text for page in pages}) == 1
        return pages[0]

    few = await navigation("login", "<b>")
    many = await navigation("one", "two", "three")
    assert [a.text for a in few.all("a")][6:] == ["login", "<b>"]
    assert few.all("details") == []
    assert [a.text for a in many.one("details").all("a")] == ["one", "two", "three"]
