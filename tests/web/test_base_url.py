"""The path prefix behind a proxy, as one process sees it.

`tests/proxy` runs the real proxies.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from archive import save_runs, watch
from crawler import html_links, links_of
from datasette import hookimpl
from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils.asgi import Request, Response
from factories import run_payload
from sqlite_utils import Database

from ci_observer import ROOT
from ci_observer.ingest.config.values import OWN_NAMES
from ci_observer.web.base_url import location_below, with_prefix
from ci_observer.web.forwarding import OUR_FOLDERS
from ci_observer.web.metadata_links import with_base_url
from ci_observer.web.responses import Message, Receive, Send
from ci_observer.web.server import build_datasette
from ci_observer.web.settings import WebSettings
from ci_observer.web.urls import route_in

PAGES = (
    "/",
    "/runs",
    "/runs/1",
    "/workflows/acme/api/ci.yml",
    "/commits/acme/api",
    "/workflows/acme/api/ci.yml/jobs",
    "/api",
    "/api/health",
    "/api/wall",
    "/cctray.xml",
    "/feed.atom",
    "/badge/acme/api/ci.yml.svg",
    "/-/",
    "/-/.json",
    "/-/dashboards",
    "/-/dashboards/ci-observer",
    "/-/static/app.css",
    "/static/wall/wall.js",
    "/ci_observer",
    "/ci_observer/runs",
    "/ci_observer/runs.json",
    "/favicon.ico",
)


@pytest.fixture(params=["/", "/ci/", "/tools/ci/"])
def base_url(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture
async def web(
    db: Database, db_path: Path, base_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Requests exactly as written, to Datasette below a prefix."""
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1), run_payload(2))
    datasette = build_datasette(db_path, root=ROOT, web=WebSettings(base_url=base_url))
    transport = httpx.ASGITransport(app=datasette.app())
    async with httpx.AsyncClient(
        transport=transport, base_url="http://ci.example", follow_redirects=True
    ) as client:
        yield client
    datasette.executor.shutdown()
    datasette.get_database("ci_observer").close()


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/ci/api", "/api"),
        ("/api", "/api"),
        ("/ci/", "/"),
        ("/ci", "/"),
        ("/", "/"),
        ("", "/"),
        ("*", "/*"),
        # A proxy that replaces /ci by / removes too little.
        ("//api", "/api"),
        ("/ci//api", "/api"),
        ("//ci/api", "/api"),
        ("/ci/ci/api", "/ci/api"),
        ("/%63i/api", "/api"),
        ("/ci%2Fapi", "/ci%2Fapi"),
        ("/ci/a%2Fb", "/a%2Fb"),
        ("/cicd/api", "/cicd/api"),
        ("/ci_observer/runs", "/ci_observer/runs"),
        ("/CI/api", "/CI/api"),
        ("/\\evil.example", "/evil.example"),
    ],
)
def test_a_route_is_the_path_without_the_prefix(path: str, route: str) -> None:
    assert route_in(path, "/ci/") == route


def test_a_prefix_may_have_several_names() -> None:
    assert route_in("/tools/ci/api", "/tools/ci/") == "/api"
    assert route_in("/tools/api", "/tools/ci/") == "/tools/api"
    assert route_in("/tools/ci", "/tools/ci/") == "/"


@pytest.mark.parametrize(
    ("location", "below"),
    [
        ("/ci/runs?q=1", "/ci/runs?q=1"),
        ("/-/settings.json", "/ci/-/settings.json"),
        ("//evil.example/x", "/ci/evil.example/x"),
        ("/\\evil.example", "/ci/evil.example"),
        ("\\\\evil.example", "/ci/evil.example"),
        ("/ci//evil.example", "/ci/evil.example"),
        ("?page=2", "?page=2"),
        ("https://github.com/login?to=//x", "https://github.com/login?to=//x"),
    ],
)
def test_a_redirect_stays_below_the_prefix(location: str, below: str) -> None:
    assert location_below(location, "/ci/") == below


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("cookie", "below"),
    [
        ("a=b; path=/; Secure", "a=b; path=/ci/; Secure"),
        ("a=b;HttpOnly;Path=/", "a=b;HttpOnly;Path=/ci/"),
        ("a=b; Path=/other", "a=b; Path=/other"),
        ("path=/; Max-Age=0", "path=/; Max-Age=0"),
    ],
)
async def test_cookies_are_sent_to_no_neighbour(cookie: str, below: str) -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        headers = [(b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    transport = httpx.ASGITransport(app=with_prefix(app, "/ci/"))
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.get("http://ci.example/ci/")

    assert response.headers["set-cookie"] == below


@pytest.mark.asyncio
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_the_same_with_and_without_the_prefix(
    web: httpx.AsyncClient, base_url: str, path: str
) -> None:
    kept = await web.get(f"{base_url[:-1]}{path}")
    removed = await web.get(path)
    doubled = await web.get(f"http://ci.example//{path.lstrip('/')}")

    assert kept.status_code == 200
    for response in (removed, doubled):
        assert response.status_code == 200
        assert links_of(response) == links_of(kept)
        assert response.headers.get("etag") == kept.headers.get("etag")


@pytest.mark.asyncio
async def test_every_link_of_a_page_is_below_the_prefix(
    web: httpx.AsyncClient, base_url: str
) -> None:
    tables = ("/ci_observer/runs?_size=1&_facet=repo&_sort=run_id&event=push",)
    for path in (*PAGES, *tables, "/ci_observer/runs/1", "/nothing/here"):
        response = await web.get(path)
        if not response.headers["content-type"].startswith("text/html"):
            continue
        links = html_links(response.text)
        inside = (base_url, "https://", "#", "?", "data:", "ci_observer")
        assert [link for link in links if not link.startswith(inside)] == [], path
        assert [link for link in links if link.startswith(base_url * 2)] == [], path


@pytest.mark.asyncio
async def test_the_prefix_without_its_slash_leads_to_the_wall(
    db: Database, db_path: Path
) -> None:
    datasette = build_datasette(db_path, root=ROOT, web=WebSettings(base_url="/ci/"))
    transport = httpx.ASGITransport(app=datasette.app())
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.get("https://ci.example/ci?theme=dark")

    assert response.status_code == 307
    assert response.headers["location"] == "/ci/?theme=dark"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/cicd/api", "/CI/runs", "/ci_observerx", "/ci-/"])
async def test_a_path_that_looks_like_the_prefix_is_not_found(
    web: httpx.AsyncClient, path: str
) -> None:
    response = await web.get(path)

    assert response.status_code == 404


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/",
        "/\\evil.example/",
        "/%5Cevil.example/",
        "/%2Fevil.example/",
        "/%09/evil.example/",
        "/{base}//evil.example/",
        "/{base}/\\evil.example/",
        "/{base}/%2F%2Fevil.example/",
    ],
)
async def test_no_path_redirects_to_another_server(
    web: httpx.AsyncClient, base_url: str, path: str
) -> None:
    target = path.format(base=base_url.strip("/")).encode()
    # httpx would read a host name in some of these.
    request = httpx.Request("GET", "http://ci.example/", extensions={"target": target})
    response = await web.send(request, follow_redirects=False)

    location = response.headers.get("location", "")
    assert not re.match(r"[/\\]{2}|[a-z]+:", location)
    assert location.startswith(base_url) or not location


@pytest.mark.asyncio
async def test_pages_have_no_absolute_urls_and_data_have_them(
    web: httpx.AsyncClient, base_url: str
) -> None:
    """A page works behind a proxy that ends TLS, also without any setting."""
    table = f"{base_url}ci_observer/runs"
    page = await web.get(f"{table}?_size=1&_facet=repo")
    data = (await web.get(f"{table}.json?_size=1&_facet=event")).json()
    dashboard = await web.get(f"{base_url}-/dashboards/ci-observer")

    for response in (page, dashboard):
        assert "http://ci.example" not in response.text
        assert response.is_success
    assert page.headers["link"].startswith(f"{table}.json?")
    assert data["next_url"].startswith(f"http://ci.example{table}.json?")
    for result in data["facet_results"].values():
        for facet in result["results"]:
            assert facet["toggle_url"].startswith(f"http://ci.example{table}.json?")


@pytest.mark.asyncio
async def test_a_plugin_gets_an_absolute_url_for_another_server(
    db: Database, db_path: Path
) -> None:
    """Such as the address to which a login at another server returns."""

    class Login:
        __name__ = "login"

        @hookimpl
        def register_routes(self) -> list[tuple[str, object]]:
            return [(r"^/-/login-elsewhere$", self.login)]

        @staticmethod
        async def login(datasette: Datasette, request: Request) -> Response:
            back = datasette.urls.path("/-/login-return")
            return Response.text(datasette.absolute_url(request, back))

    plugin = Login()
    pm.register(plugin)
    try:
        web = WebSettings(base_url="/ci/")
        datasette = build_datasette(db_path, root=ROOT, web=web)
        response = await datasette.client.get("/-/login-elsewhere")
    finally:
        pm.unregister(plugin)

    assert response.text == "http://localhost/ci/-/login-return"


def test_the_metadata_link_below_the_prefix() -> None:
    texts = {
        "about_url": "/",
        "source_url": "//other.example/x",
        "description": "[rows](/ci_observer/runs) and [x](https://x.example)",
        "description_html": '<a href="/runs">runs</a><a href="//x.example">x</a>',
        "sql": "select '](/ci_observer'",
    }

    found = with_base_url({"databases": texts}, "/ci/")

    assert found["databases"] == {
        "about_url": "/ci/",
        "source_url": "//other.example/x",
        "description": "[rows](/ci/ci_observer/runs) and [x](https://x.example)",
        "description_html": '<a href="/ci/runs">runs</a><a href="//x.example">x</a>',
        "sql": "select '](/ci_observer'",
    }
    assert with_base_url({"databases": texts}, "/") == {"databases": texts}


def test_no_route_begins_with_a_name_that_a_prefix_may_have(db_path: Path) -> None:
    """Otherwise a path could be both, with the prefix and without."""
    datasette: Datasette = build_datasette(db_path, root=ROOT)
    patterns = [regex.pattern for regex, _ in datasette._routes()]
    firsts = {re.match(r"\^?/?\\?([\w.-]*)", p)[1] for p in patterns}  # type: ignore[index]
    firsts |= {folder.split("/")[1] for folder in OUR_FOLDERS}
    # Datasette's pages of any database, the wall, and a name with a dot.
    firsts -= {"", "favicon.ico"}

    assert firsts <= set(OWN_NAMES)
    assert set(datasette.databases) <= set(OWN_NAMES)
