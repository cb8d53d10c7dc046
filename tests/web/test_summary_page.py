"""The page of a summary, its JSON and its text, over HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from job_objects import job_object, save_jobs
from page_reader import Element, get_page, harms, local_addresses, table_rows
from sqlite_utils import Database
from walls import save_poll
from web_client import get_error, get_json, serving

from ci_observer.web.summary.definitions import DEFINITIONS, LISTS
from ci_observer.web.summary.markdown_texts import plain

HOSTILE = "<img src=x onerror=alert(1)>"
OF_NOW = {"state", "since_at", "muted_workflows"}
FEEDS = (("acme/api", "ci.yml"), ("acme/web", "ci.yml"))

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, *FEEDS)
    save_poll(db)
    async with serving(db_path) as datasette:
        yield datasette


def save_week(db: Database) -> None:
    """Every kind of run that a number of the page counts or must not count."""
    failed = {"conclusion": "failure"}
    old = {
        "created_at": "2026-02-20T10:00:00Z",
        "run_started_at": "2026-02-20T10:00:00Z",
    }
    save_runs(
        db,
        run_payload(1, **times("08:00", 4)),
        run_payload(2, **failed, head_sha="f" * 40, **times("09:00")),
        run_payload(3, conclusion="timed_out", **times("10:00")),
        run_payload(4, conclusion="cancelled", **times("11:00")),
        run_payload(5, **failed, event="pull_request", **times("12:00")),
        run_payload(6, head_branch="fix", **times("13:00", 9)),
        run_payload(7, status="in_progress", conclusion=None, **times("17:50")),
        run_payload(8, **old, updated_at="2026-02-20T10:07:00Z"),
        run_payload(9, **failed, **old, updated_at="2026-02-20T10:07:00Z"),
    )
    save_runs(db, run_payload(2, run_attempt=2, head_sha="f" * 40, **times("14:00")))
    save_runs(db, run_payload(30, **times("15:00", 2)), repo="acme/web")
    own = ["self-hosted", "groß"]
    save_jobs(db, 1, job_object(1, "build"), job_object(2, "test", labels=own))
    save_jobs(db, 3, job_object(3, "build", "failure", labels=[]))


def numbers(page: Element) -> list[tuple[int, str]]:
    """Every count on the page, with the link to its rows."""
    found = [
        (int(a.attributes["data-count"]), a.href)
        for a in page.all("a")
        if "data-count" in a.attributes
    ]
    assert found
    return found


async def count_rows(datasette: Datasette, path: str) -> int:
    name, _, query = path.partition("?")
    if name == "/runs":
        runs = await get_json(datasette, f"/api/runs?{query}&limit=1000")
        return len(runs["runs"])
    table = await get_json(datasette, f"{name}.json?{query}")
    return int(table["filtered_table_rows_count"])


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?days=30",
        "?repo=ACME/api",
        "?repo=acme/api&repo=acme/web&workflow=ci.yml",
        "?since=2026-02-10&until=2026-02-25",
    ],
)
async def test_every_number_has_as_many_rows_behind_it(
    db: Database, datasette: Datasette, query: str
) -> None:
    save_week(db)
    page = await get_page(datasette, f"/summary{query}")

    for number, path in numbers(page):
        assert await count_rows(datasette, path) == number, path


async def test_the_numbers_of_a_week(db: Database, datasette: Datasette) -> None:
    save_week(db)
    page = await get_page(datasette, "/summary")
    sections = {s.attributes["id"]: s.text for s in page.all("section", class_="panel")}
    figures = [figure.text for figure in page.all("div", class_="figure")]

    assert page.one("h1").text == "Summary 23 Feb 2026 to 1 Mar 2026"
    assert figures[3] == "Failure rate 33 % too few to compare 2 of 6 runs"
    assert "1 commit both failed and passed in one workflow" in sections["flaky"]
    assert "14 % (1 of 7 finished runs) ran again" in sections["reruns"]
    assert "It helped in 100 % (1 of 1 re-run)" in sections["reruns"]
    assert "4 min p50 · 9 min p95 of 3 successful" in sections["durations"]
    assert "All branches: 33 % (2 of 6 runs)" in sections["failures"]
    assert "Default branches: 25 % (1 of 4 runs)" in sections["failures"]
    assert "8 runs" in sections["triggers"]
    assert "Most runs start on Sunday" in sections["hours"]
    assert "Today counts until now" in page.all("p", class_="note")[-1].text


async def test_filters_are_those_of_the_address(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    page = await get_page(datasette, "/summary?repo=acme/web&days=30&theme=light")
    form = page.one("form", class_="summary__form")
    fields = {f.attributes["name"]: f.attributes["value"] for f in form.all("input")}

    assert fields == {
        "theme": "light",
        "repo": "acme/web",
        "workflow": "",
        "since": "2026-01-31",
        "until": "2026-03-01",
    }
    assert table_rows(page.one("section", id="durations"), "ranks") == [
        ["CI acme/web", "2 min", "2 min", "1"]
    ]
    assert "open" in page.one("details", class_="summary__filters").attributes
    [current] = [a for a in page.all("a") if a.attributes.get("aria-current") == "true"]
    assert current.text == "30 days"
    assert current.href == "/summary?repo=acme%2Fweb&days=30&theme=light"


def set_teams(db: Database, *teams: tuple[str, str, str]) -> None:
    with db.atomic():
        for repo, workflow, team in teams:
            row = {"repo": repo, "workflow": workflow, "team": team}
            db["feed_settings"].insert(row)
        db.execute("update instance set value = value + 1 where key = 'revision'")


async def test_a_team_has_the_numbers_of_its_workflows(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    set_teams(db, ("acme/web", "ci.yml", "Payments"))
    data = await get_json(datasette, "/api/summary?team=payments")
    others = await get_json(datasette, "/api/summary?team=null")
    page = await get_page(datasette, "/summary?team=payments&days=30")
    form = page.one("form", class_="summary__form")

    assert [row["repo"] for row in data["workflows"]] == ["acme/web"]
    assert data["total"]["runs"] == 1
    assert [row["repo"] for row in others["workflows"]] == ["acme/api"]
    assert others["actors"] == [{"actor": "ada", "runs": 7, "before": {"runs": 2}}]
    [team] = [f for f in form.all("input") if f.attributes["name"] == "team"]
    assert team.attributes["value"] == "payments"
    for number, path in numbers(page):
        assert await count_rows(datasette, path) == number, path


async def test_a_number_without_filters_for_its_rows_has_no_link(
    db: Database, db_path: Path
) -> None:
    """Two workflows of two repositories: the filters would find four."""
    feeds = [
        (repo, file) for repo in ("acme/api", "acme/web") for file in ("a.yml", "b.yml")
    ]
    watch(db, *feeds)
    set_teams(db, ("acme/api", "a.yml", "x"), ("acme/web", "b.yml", "x"))
    for number, (repo, workflow) in enumerate(feeds, 1):
        run = run_payload(
            number, path=f".github/workflows/{workflow}", **times("10:00")
        )
        save_runs(db, run, repo=repo, workflow=workflow)
    async with serving(db_path) as datasette:
        page = await get_page(datasette, "/summary?team=x")
        text = page.one("section", id="failures").text

        assert "0 % (0 of 2 runs)" in text
        for number, path in numbers(page):
            assert await count_rows(datasette, path) == number, path


async def test_the_usual_spans_are_links(datasette: Datasette) -> None:
    """The tests' day is Sunday, 1 March."""
    page = await get_page(datasette, "/summary?since=2026-02-16&until=2026-02-22")
    [periods] = [n for n in page.all("nav") if n.attributes["class"] == "periods"]
    paths = {a.text: a.href for a in periods.all("a")}
    [current] = [a for a in periods.all("a") if "aria-current" in a.attributes]

    assert current.text == "Last week"
    assert paths["7 days"] == "/summary"
    assert paths["90 days"] == "/summary?days=90"
    assert paths["Last month"] == "/summary?since=2026-02-01&until=2026-02-28"


async def test_main_is_what_the_wall_says(db: Database, datasette: Datasette) -> None:
    save_runs(db, run_payload(1, **times("12:00")))
    data = await get_json(datasette, "/api/summary")
    assert data["main"] == {
        "state": "green",
        "since_at": "2026-03-01T12:05:00Z",
        "workflows": 1,
        "green_workflows": 1,
        "red_workflows": 0,
        "unknown_workflows": 0,
        "repositories": 1,
        "green_repositories": 1,
        "red_repositories": 0,
        "unknown_repositories": 0,
        "without_result": 1,
        "muted_workflows": 0,
    }
    save_runs(
        db, run_payload(2, conclusion="failure", **times("13:00")), repo="acme/web"
    )
    page = await get_page(datasette, "/summary")
    box = page.one("section", class_="headline")

    assert box.attributes["data-state"] == "red"
    assert "Main is red in 1 of 2 repositories" in box.text
    assert page.one(id="icon").href.endswith("favicon-failing.svg")


async def test_a_muted_workflow_makes_main_neither_red_nor_green(
    db: Database, datasette: Datasette
) -> None:
    failed = {"conclusion": "failure"}
    save_runs(db, run_payload(1, **times("12:00")))
    save_runs(db, run_payload(2, **times("12:30")), repo="acme/web")
    save_runs(db, run_payload(3, **failed, **times("13:00")), repo="acme/web")
    with db.atomic():
        db.execute(
            "insert into muted_tiles (repo, workflow, reason, from_at, until_at) values"
            " ('acme/web', 'ci.yml', 'new runners', '', '2026-03-02T00:00:00Z')"
        )
        db.execute("update instance set value = value + 1 where key = 'revision'")
    page = await get_page(datasette, "/summary")
    text = (await datasette.client.get("/summary.md")).text
    data = await get_json(datasette, "/api/summary")

    assert data["main"]["state"] == "green"
    assert data["main"]["muted_workflows"] == 1
    assert data["main"]["workflows"] == 1
    assert "1 muted" in page.one("section", class_="headline").text
    assert "**Main is green**" in text
    assert "1 muted." in text
    rows = {row["repo"]: row for row in data["repositories"]}
    assert (rows["acme/web"]["state"], rows["acme/web"]["breaks"]) == (None, 1)


async def test_main_is_the_default_branch_where_others_have_tiles(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, **times("12:00")))
    failed = run_payload(2, head_branch="v1", conclusion="failure", **times("13:00"))
    save_runs(db, failed)
    with db.atomic():
        db.execute(
            "insert into tile_branches (repo, pattern, is_excluded)"
            " values ('acme/api', 'v*', 0)"
        )
        db.execute("update instance set value = value + 1 where key = 'revision'")
    main = (await get_json(datasette, "/api/summary"))["main"]

    assert (main["state"], main["workflows"]) == ("green", 1)


async def test_a_stale_wall_is_not_called_green(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, **times("12:00")))
    set_clock(db, NOW + timedelta(hours=1))
    page = await get_page(datasette, "/summary")
    box = page.one("section", class_="headline")

    assert box.attributes["data-state"] == "unknown"
    assert "Main is not proved" in box.text


async def test_schedules_that_need_somebody_are_listed(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(1, **times("08:00")),
        run_payload(2, status="in_progress", conclusion=None, **times("09:00")),
    )
    page = await get_page(datasette, "/summary")

    assert table_rows(page.one("section", id="alarms"), "ranks") == [
        ["CI acme/api", "stuck", "2026-03-01 09:00"]
    ]
    assert (await get_json(datasette, "/api/summary"))["alarms"] == [
        {
            "repo": "acme/api",
            "workflow": "ci.yml",
            "workflow_name": "CI",
            "branch": "main",
            "alarm": "stuck",
            "since_at": "2026-03-01T09:00:00Z",
            "workflow_state": "active",
            "html_url": "https://github.com/acme/api/actions/runs/2",
        }
    ]


async def test_a_summary_without_runs_says_so(datasette: Datasette) -> None:
    page = await get_page(datasette, "/summary?repo=nobody/nothing")

    assert "No first attempt succeeded" in page.one("main").text
    assert "No run started in these days" in page.one("main").text
    assert {f.text for f in page.all("dd", class_="figure__value")} == {"\u2013"}


async def test_days_without_stored_runs_are_not_compared_with(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    first = {"created_at": "2026-02-10T10:00:00Z"}
    save_runs(db, run_payload(31, **first, run_started_at="2026-02-10T10:00:00Z"))
    whole = await get_json(datasette, "/api/summary")
    month = await get_json(datasette, "/api/summary?since=2026-02-09")
    days = await get_page(datasette, "/summary?since=2026-02-09")
    past = await get_json(datasette, "/api/summary?since=2020-01-01&until=2020-01-07")

    assert not any("No run before" in sentence for sentence in whole["incomplete"])
    assert "No run before 10 Feb 2026 is stored." in past["incomplete"]
    sentence = "No run before 10 Feb 2026 is stored: there is nothing to compare with."
    assert sentence in month["incomplete"]
    assert sentence in days.text
    assert month["total"]["before"]["runs_complete"] is False
    assert "worse" not in days.one(class_="figures").text


async def test_sums_are_not_compared_with_days_that_are_stored_in_part(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    old = {"created_at": "2026-02-18T10:00:00Z"}
    save_runs(db, run_payload(31, **old, run_started_at="2026-02-18T10:00:00Z"))
    page = await get_page(datasette, "/summary?since=2026-02-20")

    assert "No run before 18 Feb 2026 is stored: sums are not compared." in page.text
    # A sum is not compared, the text about a rate stays.
    assert page.one(id="triggers").one("p").text == "10 runs"
    with db.atomic():
        db.execute(
            "update feed_backfills set fetch_until = '2026-01-01T00:00:00Z',"
            " missing_until = '2026-02-19T00:00:00Z'"
        )
        db.execute("update instance set value = value + 1 where key = 'revision'")
    page = await get_page(datasette, "/summary?since=2026-02-20")
    assert "are still being fetched: their numbers are too low" in page.text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("repo=acme/nope", "No repository here is named acme/nope."),
        ("repo=acme/api&repo=a|b", "No repository here is named a|b."),
        ("workflow=x.yml", "No workflow here has the file x.yml."),
        ("team=x", "No repository here is in the team x."),
        ("repo=acme/nope", "No workflow matches the filters: all numbers are 0."),
    ],
)
async def test_a_filter_that_fits_nothing_says_so(
    datasette: Datasette, query: str, sentence: str
) -> None:
    page = await get_page(datasette, f"/summary?{query}")
    text = (await datasette.client.get(f"/summary.md?{query}")).text

    assert sentence in page.text
    assert sentence.replace("|", "\\|") in text


async def test_one_repository_has_the_numbers_of_its_workflows(
    db: Database, datasette: Datasette
) -> None:
    watch(db, *FEEDS, ("acme/api", "lint.yml"))
    save_week(db)
    save_runs(db, run_payload(40, **times("10:00")), workflow="lint.yml")
    page = await get_page(datasette, "/summary?repo=acme/api")
    data = await get_json(datasette, "/api/summary")
    rows = page.one(id="main-over-time").one("table", class_="ranks").all("th")

    assert [row.one("a").href for row in rows if row.attributes["scope"] == "row"] == [
        "/workflows/acme/api/ci.yml?days=7",
        "/workflows/acme/api/lint.yml?days=7",
    ]
    assert [name.text for name in page.all(class_="over-time__now")] == [
        "green since 2026-03-01 14:05",
        "green since 2026-03-01 10:05",
    ]
    states = {row["workflow"]: row["state"] for row in data["workflows"]}
    assert states == {"ci.yml": "green", "lint.yml": "green"}
    assert {row["repo"]: row["state"] for row in data["repositories"]} == {
        "acme/api": "green",
        "acme/web": "green",
    }


async def test_all_rows_of_a_table_are_one_click_away(
    db: Database, datasette: Datasette
) -> None:
    files = [f"w{number:02}.yml" for number in range(10)]
    watch(db, *[("acme/api", file) for file in files])
    for number, file in enumerate(files):
        save_runs(
            db,
            run_payload(100 + number, conclusion="failure", **times("08:00")),
            workflow=file,
        )
    page = await get_page(datasette, "/summary")
    [more] = [a for a in page.one(id="failures").all("a") if a.text == "2 more"]
    everything = await get_page(datasette, more.href.partition("#")[0])

    assert more.href == "/summary?limit=1000#failures"
    assert len(table_rows(page.one(id="failures"), "ranks")) == 8
    assert len(table_rows(everything.one(id="failures"), "ranks")) == 10
    assert (await datasette.client.get("/summary?limit=0")).status_code == 400


async def test_the_state_of_past_days_is_said_to_be_that_of_now(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    page = await get_page(datasette, "/summary?since=2026-02-10&until=2026-02-25")
    text = (await datasette.client.get("/summary.md?until=2026-02-25")).text

    assert page.one(id="headline-word").text == "Main is green now"
    assert "**Main is green now** in all 2 repositories, since" in text


async def test_texts_of_github_harm_neither_page_nor_text(
    db: Database, datasette: Datasette
) -> None:
    hostile = f"a|b {HOSTILE} @everyone [x](javascript:y)"
    save_runs(
        db,
        run_payload(1, event="<!channel>", actor={"login": hostile}, **times("09:00")),
    )
    page = await get_page(datasette, "/summary")
    text = (await datasette.client.get("/summary.md")).text

    assert harms(page) == []
    assert HOSTILE in page.one("main").text
    assert "<" not in text
    assert "@everyone" not in text
    assert "a\\|b &lt;img" in text
    assert "\\[x\\]" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("main", "main"),
        ("a_b*c`d", "a_b\\*c\\`d"),
        ("_a_ __b", "\\_a\\_ \\_\\_b"),
        ("$x$ ~y~", "\\$x\\$ \\~y\\~"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("@team", "@\u2060team"),
        ("https://x.y", "https:\u2060//x.y"),
        ("line\nbreak", "line break"),
        ("fixes #12", "fixes \\#\u206012"),
        ("\u202egnp", "gnp"),
        (None, "not known"),
        (100 * "x", 59 * "x" + "…"),
    ],
)
async def test_plain_text_stays_what_it_is(text: str | None, shown: str) -> None:
    assert plain(text) == shown


async def test_every_number_and_list_has_its_definition(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    data = await get_json(datasette, "/api/summary")
    lists = {name for name, value in data.items() if isinstance(value, list)}

    assert set(data["total"]) - {"before"} == set(DEFINITIONS)
    assert set(data["total"]["before"]) == set(DEFINITIONS) - OF_NOW
    own = {"incomplete", "repositories", "workflows"}
    assert lists - own == set(LISTS)


async def test_the_json_is_the_page_for_programs(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    data = await get_json(datasette, "/api/summary?repo=acme/api")

    assert data["total"]["failed_runs"] == 2
    assert data["filters"] == {"repo": ["acme/api"], "workflow": [], "team": []}
    assert [row["repo"] for row in data["workflows"]] == ["acme/api"]
    assert await get_error(datasette, "/api/summary?days=0") == (
        400,
        "days=0 is not a number from 1 to 1826.",
    )


@pytest.mark.parametrize("path", ["/summary", "/api/summary", "/summary.md"])
async def test_an_unchanged_summary_is_304(
    db: Database, datasette: Datasette, path: str
) -> None:
    save_week(db)
    first = await datasette.client.get(path)
    again = await datasette.client.get(
        path, headers={"If-None-Match": first.headers["etag"]}
    )
    head = await datasette.client.head(path)
    refused = await datasette.client.request(
        "PUT", path, headers={"cookie": "ds_csrftoken=x"}
    )
    save_runs(db, run_payload(40, conclusion="failure", **times("16:00")))
    changed = await datasette.client.get(path)

    assert again.status_code == 304
    assert (head.status_code, head.content) == (200, b"")
    assert refused.status_code == 405
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
async def test_an_error_of_the_text_is_a_sentence(
    datasette: Datasette, accept: str
) -> None:
    response = await datasette.client.get(
        "/summary.md?until=2027-01-01", headers={"Accept": accept}
    )

    assert response.status_code == 400
    assert "until=2027-01-01 is in the future" in response.text
    assert ("<html" in response.text) == (accept == "text/html")


async def test_the_text_has_absolute_links_to_the_same_days(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    text = (
        await datasette.client.get("/summary.md", headers={"host": "ci.example.com"})
    ).text
    page = "http://ci.example.com/summary?since=2026-02-23&until=2026-03-01"

    assert text.startswith("# CI summary: 23 Feb 2026 to 1 Mar 2026\n")
    table = [line for line in text.splitlines() if line.startswith("|")]
    [failures] = [line for line in table if "Failure rate" in line]
    [_, label, now, *_] = [cell.strip() for cell in failures.split("|")]
    number = label.removeprefix("[Failure rate][").removesuffix("]")
    assert now == "33\xa0% of 6 runs"
    assert f"\n[{number}]: {page}#failures\n" in text
    assert f"\nAll numbers: {page}\n" in text
    # As plain text, too, the columns stand below each other.
    assert len(set(map(len, table))) == 1
    assert len(text.splitlines()) < 55


async def test_every_address_on_the_page_exists(
    db: Database, datasette: Datasette
) -> None:
    save_week(db)
    page = await get_page(datasette, "/summary")
    addresses = {a.partition("#")[0] for a in local_addresses(page)}
    # One of each page and table: the numbers of rows are tested above.
    pages = {address.partition("?")[0]: address for address in sorted(addresses)}

    for address in pages.values():
        response: Any = await datasette.client.get(address, follow_redirects=True)
        assert response.status_code == 200, address
