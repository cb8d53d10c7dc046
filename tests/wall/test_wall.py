"""The wall's page as the server sends it, without any JavaScript."""

import json
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, save_runs, watch
from datasette.app import Datasette
from factories import run_payload, times
from sqlite_utils import Database

from ci_observer.ingest.store import feeds
from ci_observer.web.server import build_datasette

ROOT = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=alert(1)>"

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    datasette = build_datasette(db_path, root=ROOT)
    yield datasette
    datasette.get_database("ci_observer").close()


class Page(HTMLParser):
    """The page's tags, texts, table rows, and data for the script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.title = self.data = ""
        self._in: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._in):
            self.rows[-1][-1] += data
        elif self._in[-1:] == ["script"]:
            self.data += data
        elif self._in[-1:] == ["title"]:
            self.title += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def first_tiles(page: Page) -> list[dict[str, Any]]:
    """The tiles that the script draws first."""
    data = json.loads(page.data)
    return [dict(zip(data["columns"], tile, strict=True)) for tile in data["tiles"]]


async def fetch(datasette: Datasette, path: str = "/") -> Page:
    response = await datasette.client.get(path)
    assert response.status_code == 200
    return Page(response.text)


async def test_the_page_has_its_first_data_inside(datasette: Datasette) -> None:
    page = await fetch(datasette)
    assert [tile["repo"] for tile in first_tiles(page)] == ["acme/api", "acme/web"]
    assert json.loads(page.data)["config"]["title"] == "CI Observer"


async def test_the_first_data_equal_the_apis_except_the_strips(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1))
    page = await fetch(datasette)
    api = await datasette.client.get("/api/wall")
    tiles = api.json()["tiles"]
    strips = [tile.pop("strip") for tile in tiles]
    assert any(strips)
    assert first_tiles(page) == tiles
    # The response of the API is compressed, which makes its ETag weak.
    assert json.loads(page.data)["etag"] == api.headers["etag"].removeprefix("W/")


async def test_the_table_has_the_facts_without_javascript(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(1, **times("10:00")),
        run_payload(2, conclusion="failure", **times("11:00")),
        run_payload(3, conclusion="failure", display_title="Break", **times("12:00")),
    )
    page = await fetch(datasette)
    assert page.rows[1] == [
        "CI",
        "acme/api",
        "main",
        "failing",
        "2026-03-01 11:00",
        "broken by #2, ada",
        "2",
        "failure: Break, by ada",
        "33\N{NO-BREAK SPACE}%",
        "5\N{NO-BREAK SPACE}min",
        "history",
    ]


async def test_the_table_links_to_the_run_and_to_its_history(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1))
    links = {link.get("href") for link in (await fetch(datasette)).attributes("a")}
    assert "https://github.com/acme/api/actions/runs/1" in links
    history = "/ci_observer/runs?repo=acme%2Fapi&workflow=ci.yml&_sort_desc=started_at"
    assert history in links
    assert (await datasette.client.get(history)).status_code == 200


async def test_the_title_counts_failing_tiles(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, conclusion="failure"))
    page = await fetch(datasette)
    assert page.title == "1 failing \N{EN DASH} CI Observer"


async def test_hostile_names_are_text(db: Database, datasette: Datasette) -> None:
    save_runs(
        db,
        run_payload(
            1,
            conclusion="failure",
            display_title=f"</script>{HOSTILE}",
            actor={"login": HOSTILE},
            html_url="javascript:alert(1)",
        ),
    )
    page = await fetch(datasette)
    assert not page.attributes("img")
    assert not [
        a for a in page.attributes("a") if "javascript" in (a.get("href") or "")
    ]
    [api, _] = first_tiles(page)
    assert api["last_result_display_title"] == f"</script>{HOSTILE}"


@pytest.mark.parametrize(
    ("query", "repos"),
    [
        ("repo=acme/web", ["acme/web"]),
        ("repo=acme/web&repo=acme/api", ["acme/api", "acme/web"]),
        ("state=failing", ["acme/api"]),
        ("state=failing&state=unknown", ["acme/api", "acme/web"]),
        ("q=web", ["acme/web"]),
        ("workflow=none.yml", []),
        ("q=" + "a+" * 12, ["acme/api", "acme/web"]),
        ("state=nonsense", ["acme/api", "acme/web"]),
        ("event=push", ["acme/api"]),
        ("actor=ada&event=push", ["acme/api"]),
        ("hide=failing", ["acme/web"]),
        ("hide=failing&hide=unknown&hide=nonsense", []),
        ("theme=light&unheard=of", ["acme/api", "acme/web"]),
    ],
)
async def test_the_address_narrows_the_table(
    db: Database, datasette: Datasette, query: str, repos: list[str]
) -> None:
    save_runs(db, run_payload(1, conclusion="failure"))
    page = await fetch(datasette, f"/?{query}")
    assert [row[1] for row in page.rows[1:]] == repos


async def test_a_branch_has_tiles_of_its_own(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, head_branch="release", conclusion="failure"))
    page = await fetch(datasette, "/?branch=release")
    assert [row[1:4] for row in page.rows[1:]] == [["acme/api", "release", "failing"]]


async def test_the_page_says_its_language_and_has_landmarks(
    datasette: Datasette,
) -> None:
    page = await fetch(datasette)
    assert page.attributes("html")[0]["lang"] == "en"
    names = {tag for tag, _ in page.tags}
    assert {"header", "nav", "main", "h1"} <= names


async def test_nothing_is_inline_and_nothing_comes_from_elsewhere(
    datasette: Datasette,
) -> None:
    page = await fetch(datasette)
    assert not page.attributes("style")
    for _, attributes in page.tags:
        assert not [n for n in attributes if n == "style" or n.startswith("on")]
    for script in page.attributes("script"):
        assert script.get("src") or script["type"] == "application/json"
    sources = [script["src"] for script in page.attributes("script") if "src" in script]
    sources += [link["href"] for link in page.attributes("link")]
    for source in sources:
        response = await datasette.client.get(source)
        assert response.status_code == 200, source


async def test_every_address_honours_the_base_url(db: Database, db_path: Path) -> None:
    watch(db, ("acme/api", "ci.yml"))
    datasette = build_datasette(db_path, root=ROOT, settings={"base_url": "/ci/"})
    page = await fetch(datasette)
    assert page.attributes("html")[0]["data-base"] == "/ci/"
    addresses = [
        attributes.get("href") or attributes.get("src") or ""
        for tag, attributes in page.tags
        if tag in ("a", "link", "script")
    ]
    local = [address for address in addresses if address.startswith("/")]
    assert local
    assert [address for address in local if not address.startswith("/ci/")] == []
    datasette.get_database("ci_observer").close()


@pytest.mark.parametrize("theme", ["dark", "light", "auto"])
async def test_the_address_sets_the_theme(datasette: Datasette, theme: str) -> None:
    page = await fetch(datasette, f"/?theme={theme}")
    assert page.attributes("html")[0]["data-theme"] == theme


async def test_other_methods_are_refused(datasette: Datasette) -> None:
    assert (await datasette.client.post("/")).status_code == 405
    assert (await datasette.client.head("/")).status_code == 200


async def test_the_page_is_cached_for_seconds_only(datasette: Datasette) -> None:
    response = await datasette.client.get("/")
    assert response.headers["cache-control"] == "max-age=1, stale-while-revalidate=4"


async def test_without_a_database_the_page_says_what_to_do(tmp_path: Path) -> None:
    datasette = build_datasette(tmp_path / "none.db", root=ROOT)
    response = await datasette.client.get("/")
    assert response.status_code == 503
    assert "Start ci-observer" in response.text
    datasette.get_database("ci_observer").close()


async def test_without_settings_the_page_says_why_nothing_is_polled(
    db: Database, db_path: Path
) -> None:
    watch(db)
    datasette = build_datasette(db_path, root=ROOT)
    response = await datasette.client.get("/")
    [reason] = db.execute("select reason from polling").fetchone()
    assert reason
    assert reason in response.text
    datasette.get_database("ci_observer").close()


async def test_datasettes_pages_link_to_the_wall(datasette: Datasette) -> None:
    page = await datasette.client.get("/ci_observer")
    assert '<a href="/">Wall</a>' in page.text


async def test_a_run_in_progress_is_not_called_a_result(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(1, **times("10:00")),
        run_payload(2, status="in_progress", conclusion=None, **times("17:58", 1)),
    )
    page = await fetch(datasette)
    assert page.rows[1][3] == "passing, running"


async def test_an_alarm_says_what_is_wrong(db: Database, datasette: Datasette) -> None:
    [feed, _] = feeds.watched(db)
    feeds.save_error(
        db,
        feed,
        error="acme/api was not found",
        kind="not_found",
        now=NOW,
        retry_at=None,
    )
    page = await fetch(datasette)
    assert page.rows[1][3] == "no access, was unknown: acme/api was not found"
