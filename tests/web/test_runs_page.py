"""The page /runs as the server renders it, without JavaScript."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import save_runs, watch
from datasette.app import Datasette
from factories import run_payload, times
from page_reader import Element, get_page, harms, local_addresses, table_rows
from sqlite_utils import Database
from web_client import counting, get_json, serving

from ci_observer.web.api import run_counts

HOSTILE = "<img src=x onerror=alert(1)>"

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "deploy.yml"))
    async with serving(db_path) as datasette:
        yield datasette


def save_three(db: Database) -> None:
    save_runs(
        db,
        run_payload(1, **times("10:00")),
        run_payload(2, conclusion="failure", actor={"login": "bob"}, **times("11:00")),
    )
    save_runs(
        db,
        run_payload(3, head_branch="release", event="schedule", **times("12:00")),
        repo="acme/web",
        workflow="deploy.yml",
    )


async def titles(datasette: Datasette, path: str) -> list[str]:
    return [row[1] for row in table_rows(await get_page(datasette, path), "runs")]


async def test_a_row_has_the_facts_of_its_run(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(
            7,
            run_attempt=2,
            conclusion="timed_out",
            display_title="Bump",
            head_sha="0f3c9a1b" * 5,
            pull_requests=[{"number": 12}],
            **times("09:30", 90),
        ),
    )
    rows = table_rows(await get_page(datasette, "/runs"), "runs")

    assert rows == [
        [
            "timed out",
            "Bump #7 · attempt 2",
            "CI",
            "acme/api",
            "main",
            "0f3c9a1",
            "#12",
            "push",
            "ada",
            "2026-03-01 09:30",
            "1 h 30 min",
        ]
    ]


async def test_the_runs_are_those_of_the_api_in_its_order(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    api = await get_json(datasette, "/api/runs")
    page = await get_page(datasette, "/runs")

    keys = [row.attributes["data-key"] for row in page.one("tbody").all("tr")]
    assert keys == [str(run["run_id"]) for run in api["runs"]] == ["3", "2", "1"]


def links_of(page: Element) -> list[str]:
    """The addresses of all links in the rows, in their order."""
    return [link.href for link in page.one("tbody").all("a")]


async def test_every_value_of_a_row_is_a_filter(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, head_sha="a" * 40, pull_requests=[{"number": 12}]))
    page = await get_page(datasette, "/runs?since=2026-01-01&theme=light&limit=5")

    kept = "since=2026-01-01&{}&theme=light"
    filters = [link.partition("?")[2] for link in links_of(page)]
    assert [link.partition("?")[0] for link in links_of(page)] == [
        "/runs",
        "/runs/1",
        "https://github.com/acme/api/actions/runs/1",
        "/workflows/acme/api/ci.yml",
        *["/runs"] * 3,
        f"/commits/acme/api/{'a' * 40}",
        "https://github.com/acme/api/pull/12",
        *["/runs"] * 2,
    ]
    assert filters == [
        kept.format("conclusion=success"),
        "theme=light",
        "",
        "theme=light",
        kept.format("workflow=ci.yml"),
        kept.format("repo=acme%2Fapi"),
        kept.format("branch=main"),
        "theme=light",
        "",
        kept.format("event=push"),
        kept.format("actor=ada"),
    ]


@pytest.mark.parametrize(
    ("query", "link"),
    [
        ("conclusion=failure&status=completed", "/runs?conclusion=failure"),
        ("conclusion=timed_out", "/runs?conclusion=timed_out&repo=acme%2Fapi"),
        ("repo=acme/api&repo=acme/web", "/runs?repo=acme%2Fapi"),
        ("status=queued", "/runs?status=queued&branch=main"),
        ("q=a%26b", "/runs?q=a%26b&conclusion=failure"),
    ],
)
async def test_a_filter_replaces_other_values_of_its_kind(
    db: Database, datasette: Datasette, query: str, link: str
) -> None:
    timed_out = run_payload(2, conclusion="timed_out")
    queued = run_payload(3, status="queued", conclusion=None)
    failed = run_payload(1, conclusion="failure", display_title="a&b")
    save_runs(db, failed, timed_out, queued)

    assert link in links_of(await get_page(datasette, f"/runs?{query}"))


async def test_a_value_that_alone_is_selected_is_no_link(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    path = "/runs?repo=acme/web&branch=release&conclusion=success&actor=ada&actor=bob"
    page = await get_page(datasette, path)

    [row] = page.one("tbody").all("tr")
    linked = {cell.attributes.get("class"): cell.all("a") for cell in row.all("td")}
    assert not linked["runs__result"] + linked["runs__repo"] + linked["runs__branch"]
    assert [link.text for link in linked["runs__actor"]] == ["ada"]


async def test_a_run_that_is_gone_keeps_the_link_to_its_commit(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, head_sha="a" * 40))
    db["runs"].update(1, {"gone_at": "2026-03-01T12:00:00Z"})
    page = await get_page(datasette, "/runs")

    assert [link for link in links_of(page) if link.startswith("http")] == []
    assert f"/commits/acme/api/{'a' * 40}" in links_of(page)


async def test_the_exact_time_is_the_text_and_the_title(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, **times("20:00")))
    page = await get_page(datasette, "/runs?tz=Asia/Tokyo")

    started = page.one("tbody").one("time")
    assert started.text == "2026-03-02 05:00"
    assert started.attributes["title"] == "2026-03-02 05:00:00 Asia/Tokyo"
    assert "data-ago" in started.attributes


async def count_of(datasette: Datasette, query: str) -> str:
    page = await get_page(datasette, f"/runs?{query}")
    return page.one("caption").one("strong").text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", "12 runs"),
        ("limit=2", "12 runs"),
        ("limit=2&branch=release", "1 run"),
        ("limit=2&repo=ACME/API", "11 runs"),
        ("limit=2&conclusion=success&event=push", "8 runs"),
        ("limit=2&since=2026-03-01T10:03:00Z&until=2026-03-01T10:05:59Z", "3 runs"),
        ("limit=2&q=change", "12 runs"),
        ("limit=2&q=change&repo=acme/api", "11 runs"),
        ("limit=2&conclusion=timed_out", "3 runs"),
        ("limit=2&conclusion=cancelled", "2 runs"),
        ("limit=2&actor=null", "0 runs"),
        ("branch=none", "0 runs"),
    ],
)
async def test_the_runs_of_the_selection_are_counted(
    db: Database, datasette: Datasette, query: str, count: str
) -> None:
    cancelled = {"conclusion": "cancelled"}
    others: list[dict[str, Any]] = [{}] * 8
    save_runs(
        db,
        *(
            run_payload(n, **times(f"10:{n:02}"), **other)
            for n, other in enumerate(
                [cancelled, cancelled, {"conclusion": "timed_out"}, *others], 1
            )
        ),
    )
    db["runs"].update(2, {"cancel_cause": "timeout"})
    db["runs"].update(1, {"cancel_cause": "timeout"})
    save_runs(
        db,
        run_payload(12, head_branch="release", event="schedule"),
        repo="acme/web",
        workflow="deploy.yml",
    )

    assert await count_of(datasette, query) == count


async def test_every_page_of_a_selection_has_the_same_count(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    page = await get_page(datasette, "/runs?limit=2&q=change")
    more = page.one("a", rel="next").href.partition("?")[2]

    assert await count_of(datasette, more) == "3 runs"


async def test_counting_stops_where_it_is_dear(
    db: Database, datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_three(db)
    save_runs(db, run_payload(4, **times("13:00")))
    monkeypatch.setattr(run_counts, "LIMITS", (2, 1))

    assert await count_of(datasette, "limit=1&until=2026-04-01") == "2+ runs"
    # The text is searched in the newest two only; the page itself has found one.
    assert await count_of(datasette, "limit=1&q=change") == "2+ runs"
    assert (
        await count_of(datasette, "limit=2&q=change&until=2026-03-01T12") == "2+ runs"
    )
    # As long as everything is on the page, it is counted there.
    assert await count_of(datasette, "q=change") == "4 runs"
    # These numbers are stored.
    assert await count_of(datasette, "limit=1") == "4 runs"
    assert await count_of(datasette, "limit=1&repo=acme/api") == "3 runs"


async def test_a_count_that_takes_too_long_does_not_hide_the_runs(
    db: Database, datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_three(db)
    monkeypatch.setattr(run_counts, "COUNT_SQL", run_counts.COUNT_SQL + "where sleep()")
    page = await get_page(datasette, "/runs?limit=2&until=2026-04-01")

    assert page.one("caption").one("strong").text == "2+ runs"
    assert len(page.one("tbody").all("tr")) == 2


async def test_a_filter_whose_value_has_no_run_says_so(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    page = await get_page(datasette, "/runs?repo=acme/none&repo=acme/api&actor=%20eve")

    chips = [chip.text for chip in page.one("ul", class_="chosen").all("a")]
    assert [" no run " in chip for chip in chips] == [True, False, True]
    notes = [note.text for note in page.one(id="live").all("p", class_="note")]
    assert notes == [
        "No run has the repository acme/none.",
        "No run has the actor eve.",
        "No run matches. Show all runs",
    ]


@pytest.mark.parametrize("query", ["repo=ACME/Api", "conclusion=null", "branch=main"])
async def test_a_filter_whose_value_has_runs_says_nothing(
    db: Database, datasette: Datasette, query: str
) -> None:
    save_three(db)
    page = await get_page(datasette, f"/runs?{query}&q=nothing")

    notes = [note.text for note in page.one(id="live").all("p", class_="note")]
    assert notes == ["No run matches. Show all runs"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("repo=acme/web", [3]),
        ("workflow=ci.yml", [2, 1]),
        ("branch=release", [3]),
        ("event=schedule", [3]),
        ("actor=bob&actor=eve", [2]),
        ("status=completed", [3, 2, 1]),
        ("conclusion=failure", [2]),
        ("since=2026-03-01T11:00:00Z", [3, 2]),
        ("until=2026-03-01T11:00:00Z", [2, 1]),
        ("q=change+2", [2]),
        ("repo=&q=&since=", [3, 2, 1]),
        ("repo=acme/none", []),
    ],
)
async def test_the_url_filters_the_list(
    db: Database, datasette: Datasette, query: str, expected: list[int]
) -> None:
    save_three(db)

    shown = await titles(datasette, f"/runs?{query}")

    assert shown == [f"Change {n} #{n}" for n in expected]


async def test_every_active_filter_has_a_link_that_removes_it(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    page = await get_page(datasette, "/runs?actor=bob&actor=ada&branch=main&tz=UTC")

    [bob, ada, main] = page.one("ul", class_="chosen").all("a")
    assert bob.text == "Actor bob \N{MULTIPLICATION SIGN}, remove"
    assert bob.href == "/runs?actor=ada&branch=main&tz=UTC"
    assert ada.href == "/runs?actor=bob&branch=main&tz=UTC"
    assert main.href == "/runs?actor=bob&actor=ada&tz=UTC"


async def test_words_and_times_are_active_filters_too(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    page = await get_page(datasette, "/runs?q=change&since=2026-01-01&repo=acme/api")

    chips = {a.text: a.href for a in page.one("ul", class_="chosen").all("a")}
    remove = "\N{MULTIPLICATION SIGN}, remove"
    assert chips == {
        f"Words change {remove}": "/runs?since=2026-01-01&repo=acme%2Fapi",
        f"Since 2026-01-01 {remove}": "/runs?q=change&repo=acme%2Fapi",
        f"Repository acme/api {remove}": "/runs?q=change&since=2026-01-01",
    }


async def test_the_form_keeps_the_active_filters(datasette: Datasette) -> None:
    page = await get_page(
        datasette, "/runs?repo=acme/api&q=a+b&since=2026-03-01&tz=UTC"
    )

    fields = page.one("form").all("input")
    given = {f.attributes["name"]: f.attributes.get("value") for f in fields}
    hidden = page.one("form").all("input", type="hidden")
    assert [h.attributes["name"] for h in hidden] == ["repo", "tz"]
    assert given["q"] == "a b"
    assert given["since"] == "2026-03-01"


async def test_a_shortcut_keeps_the_other_filters(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    page = await get_page(datasette, "/runs?repo=acme/api&status=queued")
    shortcuts = {a.text: a.href for a in page.one("nav", class_="shortcuts").all("a")}

    assert await titles(datasette, shortcuts["All"]) == ["Change 2 #2", "Change 1 #1"]
    assert await titles(datasette, shortcuts["Failed"]) == ["Change 2 #2"]
    assert await titles(datasette, shortcuts["In progress"]) == []


async def test_next_links_through_all_pages_and_back(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, *(run_payload(n, **times(f"10:{n:02}")) for n in range(1, 6)))
    path = "/runs?limit=2&repo=acme/api"
    seen = []
    while path:
        page = await get_page(datasette, path)
        seen += [row.attributes["data-key"] for row in page.one("tbody").all("tr")]
        path = next((a.href for a in page.all("a", rel="next")), "")

    assert seen == ["5", "4", "3", "2", "1"]
    [back] = [a.href for a in page.one("p", class_="pages").all("a")]
    assert back == "/runs?repo=acme%2Fapi"


async def test_the_exports_have_the_same_selection(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    page = await get_page(datasette, "/runs?branch=release&q=change&limit=1&theme=dark")
    links = {a.text: a.href for a in page.all("a")}

    for kind in ("CSV", "NDJSON"):
        lines = (await datasette.client.get(links[kind])).text.splitlines()
        assert len([line for line in lines if "acme/web" in line]) == 1
    api = await get_json(datasette, links["JSON"])
    assert [run["run_id"] for run in api["runs"]] == [3]


async def test_times_are_in_the_requested_time_zone(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, **times("20:00")))
    page = await get_page(datasette, "/runs?tz=Asia/Tokyo")

    [started] = page.one("tbody").all("time")
    assert started.text == "2026-03-02 05:00"
    assert started.attributes["datetime"] == "2026-03-01T20:00:00Z"
    assert "Asia/Tokyo" in page.one("caption").text


@pytest.mark.parametrize("tz", ["Mars/Base", "..", "America", "%00", "a" * 300])
async def test_an_unknown_time_zone_is_ignored(datasette: Datasette, tz: str) -> None:
    page = await get_page(datasette, f"/runs?tz={tz}")

    assert "UTC" in page.one("caption").text


async def test_hostile_names_are_text(db: Database, datasette: Datasette) -> None:
    save_runs(
        db,
        run_payload(
            1,
            name=HOSTILE,
            display_title=f"</script>{HOSTILE}",
            head_branch=HOSTILE,
            event=HOSTILE,
            conclusion=HOSTILE,
            actor={"login": HOSTILE},
            html_url="javascript:alert(1)",
        ),
    )
    page = await get_page(datasette, f"/runs?branch={HOSTILE}")

    [row] = table_rows(page, "runs")
    assert row[:3] == [HOSTILE.replace("_", " "), f"</script>{HOSTILE} #1", HOSTILE]
    assert not page.all("img")
    assert harms(page) == []


async def test_a_run_of_a_fork_shows_the_fork(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(1, head_repository={"id": 2, "full_name": "eve/api"}),
        run_payload(2, head_repository=None, **times("13:00")),
    )
    rows = table_rows(await get_page(datasette, "/runs"), "runs")

    assert [row[4] for row in rows] == ["deleted fork:main", "eve/api:main"]


async def test_an_unchanged_page_is_not_sent_again(
    db: Database, datasette: Datasette
) -> None:
    save_three(db)
    first = await datasette.client.get("/runs")
    etag = first.headers["etag"]
    again = await datasette.client.get("/runs", headers={"If-None-Match": etag})
    save_runs(db, run_payload(9, **times("15:00")))
    changed = await datasette.client.get("/runs", headers={"If-None-Match": etag})

    assert (again.status_code, again.text) == (304, "")
    assert changed.status_code == 200


async def test_an_unchanged_page_reads_no_runs(
    db: Database, datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_three(db)
    statements = counting(datasette, monkeypatch)
    await get_page(datasette, "/runs")
    read_before = len(statements())
    await get_page(datasette, "/runs")

    assert [s for s in statements()[read_before:] if " runs" in s] == []


async def test_a_polling_error_changes_the_page(
    db: Database, datasette: Datasette
) -> None:
    await get_page(datasette, "/runs")
    with db.atomic():
        db.execute("delete from polls")
        db.execute("delete from instance where key = 'ingest_started_at'")
    page = await get_page(datasette, "/runs")

    assert "Start ci-observer ingest" in page.one("noscript").text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("colour=red", "Unknown filter 'colour'"),
        ("since=yesterday", "is not a time"),
        ("limit=0", "is not a number from 1"),
        ("cursor=nonsense", "is not a cursor of this API"),
        ("&".join(["repo=a"] * 101), "Too many arguments"),
    ],
)
async def test_a_bad_query_string_says_what_to_do(
    datasette: Datasette, query: str, words: str
) -> None:
    page = await get_page(datasette, f"/runs?{query}", status=400)

    assert words in page.one("main").text
    assert page.one("nav", class_="nav")
    assert json.loads(page.one(id="config").text)["polling"]["state"] != "no_database"


async def test_without_a_database_the_page_says_what_to_do(tmp_path: Path) -> None:
    async with serving(tmp_path / "none.db") as datasette:
        page = await get_page(datasette, "/runs", status=503)

    assert "Start ci-observer" in page.one("main").text


async def test_other_methods_are_405(datasette: Datasette) -> None:
    assert (await datasette.client.post("/runs")).status_code == 405
    head = await datasette.client.head("/runs")
    assert (head.status_code, head.text) == (200, "")


async def test_every_link_has_the_base_url(db: Database, db_path: Path) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    async with serving(db_path, base_url="/ci/") as datasette:
        page = await get_page(datasette, "/runs?repo=acme/api&limit=1")
    local = local_addresses(page)

    assert len(local) > 10
    assert [address for address in local if not address.startswith("/ci/")] == []


async def test_each_page_marks_itself_in_the_navigation(datasette: Datasette) -> None:
    nav = (await get_page(datasette, "/runs")).one("nav", class_="nav")

    assert [a.text for a in nav.all("a")] == [
        "Wall",
        "Runs",
        "Summary",
        "Dashboards",
        "Data",
        "API",
    ]
    [here] = [a for a in nav.all("a") if "aria-current" in a.attributes]
    assert here.text == "Runs"


async def test_datasettes_pages_link_to_ours(datasette: Datasette) -> None:
    page = await datasette.client.get("/ci_observer")

    assert '<a href="/runs">Runs</a>' in page.text
    assert '<a href="/api">API</a>' in page.text
