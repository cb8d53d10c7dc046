"""Datasette's pages: questions, tables with rows in sight, and links between rows."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import save_runs, watch
from datasette.app import Datasette
from factories import run_payload
from operators import cookies_of, restricted
from page_reader import Element, get_page, harms, read_page, table_rows
from sqlite_utils import Database
from web_client import serving, serving_example

from ci_observer.web.settings import WebSettings
from ci_observer.web.tables.questions import heading
from ci_observer.web.tables.row_links import RELATIONS, count_sql

in_loop = pytest.mark.asyncio(loop_scope="module")

# The contract of the schema, which visitors query.
PUBLIC = {
    *("runs", "run_attempts", "jobs", "feeds", "polls", "instance", "runs_full"),
    *("run_history", "wall", "run_stats_daily", "flaky_runs"),
}
SHA = "b" * 40


def fill(db: Database) -> None:
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_runs(
        db,
        run_payload(1, conclusion="failure", head_sha=SHA, display_title="Break it"),
        run_payload(2, head_sha=SHA),
    )
    save_runs(db, run_payload(1, run_attempt=2, head_sha=SHA))
    db["jobs"].insert(
        {
            **{"job_id": 5, "run_id": 1, "run_attempt": 1, "name": "build"},
            **{"status": "completed", "conclusion": "failure", "duration_seconds": 60},
            "html_url": "https://github.com/acme/api/actions/runs/1/job/5",
        }
    )
    # Their names begin like those of hidden tables.
    db["tiles_of_mine"].insert({"id": 1, "run_id": 1}, pk="id")
    db["tiles_of_mine"].add_foreign_key("run_id", "runs", "run_id")
    db.create_view("clock_of_mine", "select 1 as one")


@pytest.fixture
def filled(db: Database) -> Database:
    fill(db)
    return db


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    """Datasette on an example that no test writes to."""
    folder = tmp_path_factory.mktemp("pages")
    async with serving_example(folder, fill) as datasette:
        yield datasette


def listed(page: Element) -> list[str]:
    return [row.all("a")[0].text for row in page.one(class_="listing").all("tr")[1:]]


def sections(page: Element) -> list[str]:
    return [element.text for element in page.one("main").all("h2")]


def row_links(page: Element) -> dict[str, str | None]:
    """The text of each link of a row and its address, None if it is only text."""
    items = page.one("ul", class_="row-links").all("li")
    return {
        item.text: item.all("a")[0].href if item.all("a") else None for item in items
    }


@in_loop
async def test_questions_come_first_and_the_sql_box_last(datasette):
    page = await get_page(datasette, "/ci_observer")

    assert sections(page) == ["Questions", "Tables and views", "Your own SQL"]
    groups = [heading.text for heading in page.one(class_="questions").all("h3")]
    assert groups[0] == "Now"
    assert len(groups) == len(set(groups))
    links = page.one(class_="questions").all("a")
    assert {link.href for link in links} == {
        f"/ci_observer/{name}"
        for name in datasette.metadata("queries", database="ci_observer")
    }
    assert all(link.text.endswith("?") for link in links)


@in_loop
async def test_the_sql_box_begins_with_a_query_that_runs(datasette):
    page = await get_page(datasette, "/ci_observer")
    sql = page.one("textarea").text

    assert "from runs order by started_at desc limit" in sql
    response = await datasette.client.get(
        "/ci_observer.json", params={"sql": sql, "_shape": "array"}
    )
    assert {row["run_id"] for row in response.json()} == {1, 2}


@in_loop
async def test_internal_tables_are_hidden_and_those_of_users_are_not(datasette):
    page = await get_page(datasette, "/ci_observer")
    everything = await get_page(datasette, "/ci_observer?_show_hidden=1")

    names = listed(page)
    assert set(names) >= PUBLIC | {"tiles_of_mine", "clock_of_mine"}
    assert not {"tiles", "clock", "payload_parts", "tile_facts", "settings"} & {*names}
    described = datasette.metadata("tables", database="ci_observer")
    assert {*listed(everything)} == {*described, "tiles_of_mine", "clock_of_mine"}
    # Those of users, and those that CI Observer records itself, come last.
    assert names[0] == "runs"
    more = [link.href for link in page.all("a") if "hidden" in link.text]
    assert more == ["/ci_observer?_show_hidden=1#tables"]


@in_loop
async def test_each_listed_table_has_one_line(datasette):
    page = await get_page(datasette, "/ci_observer")

    rows = {name: (about, count) for name, about, count in table_rows(page, "listing")}
    assert rows["runs"] == (
        "One row per workflow run, with the values of its latest attempt.",
        "2",
    )
    assert rows["tiles_of_mine"] == ("", "1")
    assert rows["wall"][1] == "view"
    assert all(
        about and len(about) < 140
        for name, (about, _) in rows.items()
        if not name.endswith("_of_mine")
    )


@in_loop
@pytest.mark.parametrize(
    "path",
    [
        *("/ci_observer", "/ci_observer?_show_hidden=1", "/ci_observer/runs"),
        "/ci_observer/runs?repo=acme/api&_facet=event&_nocol=event",
        *("/ci_observer/wall", "/ci_observer/runs/1", "/ci_observer/feeds"),
        *("/ci_observer/main_status", "/ci_observer/main_status?_show_sql=1"),
        *("/ci_observer?sql=select+1", "/ci_observer?sql=select+:x"),
        *("/ci_observer?sql=select", "/ci_observer/tiles_of_mine/1"),
    ],
)
async def test_a_page_has_one_heading_and_no_inline_script(datasette, path):
    status = 400 if path.endswith("select") else 200
    page = await get_page(datasette, path, status)

    assert len(page.all("h1")) == 1
    assert harms(page.one("main")) == []


@in_loop
async def test_a_question_has_a_short_title_and_shows_rows_not_sql(datasette):
    page = await get_page(datasette, "/ci_observer/main_status?repo=acme/api")

    assert page.one("h1").text == "Default branches"
    assert page.one("title").text.startswith("Default branches \N{EN DASH} ")
    assert page.one(class_="question").text == "Is main green, and since when?"
    assert page.all("pre") == page.all("textarea") == []
    headings = [cell.text for cell in page.one("table", class_="rows").all("th")]
    assert headings[:4] == ["Repository", "State", "Workflow", "Since"]
    assert [row[:3:2] for row in table_rows(page, "rows")] == [["acme/api", "ci.yml"]]
    [show] = [link for link in page.all("a") if link.text == "Show SQL"]
    shown = await get_page(datasette, show.href)
    assert "from wall" in shown.one("pre").text


@in_loop
async def test_a_time_is_an_age_where_there_is_a_script(datasette):
    page = await get_page(datasette, "/ci_observer/main_status")

    [first, *_] = page.one(class_="rows").all("time")
    assert "data-ago" in first.attributes
    exact = first.attributes["datetime"]
    assert first.attributes["title"] == f"{first.text} ({exact})"
    assert first.text == exact[:16].replace("T", " ")


@in_loop
async def test_a_parameter_has_a_label_and_values_to_choose_from(datasette):
    page = await get_page(datasette, "/ci_observer/recent_failures?days=7&repo=x")

    fields = {field.text: field.one("input") for field in page.all(class_="field")}
    assert {name: f.attributes["value"] for name, f in fields.items()} == {
        "Days": "7",
        "Repository": "x",
    }
    assert fields["Days"].attributes["type"] == "number"
    options = page.one("datalist", id=fields["Repository"].attributes["list"])
    repos = [option.attributes["value"] for option in options.all("option")]
    assert repos == ["acme/api", "acme/web"]


@in_loop
@pytest.mark.parametrize("days", ["-5", "x", "0", "3651", "9" * 5000, "\u0665"])
async def test_a_number_out_of_range_is_no_empty_answer(datasette, days):
    """ "Which runs failed lately?" must not be answered by "No rows"."""
    page = await get_page(datasette, f"/ci_observer/recent_failures?days={days}")

    assert page.one(class_="message-error").text == (
        "Days must be a number from 1 to 3650."
    )
    assert page.all(class_="zero-results") == []


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("duration_seconds", "Duration"),
        ("p95_seconds_before", "95th percentile before"),
        ("p50_change_percent", "Median change"),
        ("failure_rate_percent", "Failure rate"),
        ("rerun_percent", "Re-run rate"),
        ("extra_attempts", "Extra attempts"),
        ("last_started_at", "Last started"),
        ("last_result_html_url", "On GitHub"),
        ("is_watched", "Watched"),
        ("_", "_"),
    ],
)
def test_a_heading_has_words_and_no_unit(column, words):
    assert heading(column) == words


@in_loop
@pytest.mark.parametrize("table", RELATIONS)
async def test_every_count_of_a_row_uses_an_index(datasette, table):
    database = datasette.get_database()
    for relation in RELATIONS[table]:
        if relation.many:
            values = dict.fromkeys(relation.keys.values(), "1")
            plan = await database.execute_fn(
                lambda conn, r=relation, v=values: conn.execute(
                    f"explain query plan {count_sql(r)}", v
                ).fetchall()
            )
            assert not [
                row[3] for row in plan if row[3].startswith(f"SCAN {relation.table}")
            ]


@in_loop
async def test_a_value_that_does_not_fit_its_input_stays_visible(datasette):
    page = await get_page(datasette, "/ci_observer/longest_runs?days=a+week")

    field = page.one("input", value="week")
    assert (field.attributes["type"], field.attributes["name"]) == ("text", "days")


@in_loop
async def test_an_operators_query_without_our_keys_has_a_page(db, db_path):
    rules = {
        "databases": {
            "ci_observer": {
                "queries": {"mine": {"sql": "select :days as days"}, "two": "select 2"}
            }
        }
    }
    async with restricted(db_path, rules) as datasette:
        page = await get_page(datasette, "/ci_observer/mine?days=3")
        database = await get_page(datasette, "/ci_observer")

    assert page.one("h1").text == "mine"
    assert [field.text for field in page.all(class_="field")] == ["days"]
    groups = database.one(class_="questions").all("section")
    assert [link.text for link in groups[-1].all("a")] == ["mine", "two"]


@in_loop
async def test_a_table_folds_everything_but_its_rows(datasette):
    page = await get_page(datasette, "/ci_observer/runs?repo=acme/api&theme=light")

    folds = page.all("details")
    assert [fold.one("summary").text.split()[0] for fold in folds] == [
        *("Filter", "repo", "conclusion", "Columns", "Export", "Definition")
    ]
    assert not any("open" in fold.attributes for fold in folds)
    assert "GitHub's number of the run" in page.one("details", id="columns").text
    chips = page.one("ul", class_="chips").all("a")
    assert [(chip.text, chip.href) for chip in chips] == [
        ("Remove the filter:repo = acme/api \N{MULTIPLICATION X}", "/ci_observer/runs")
    ]
    assert len(table_rows(page, "rows")) == 2


@in_loop
async def test_key_columns_come_first_and_columns_that_were_chosen_stay(datasette):
    page = await get_page(datasette, "/ci_observer/runs")
    chosen = await get_page(datasette, "/ci_observer/runs?_col=event&_col=repo")

    def names(page: Element) -> list[str]:
        return [cell.attributes["data-column"] for cell in page.all("th", scope="col")]

    assert names(page)[:4] == ["run_id", "conclusion", "started_at", "repo"]
    assert len(names(page)) == len(
        datasette.metadata("tables", database="ci_observer")["runs"]["columns"]
    )
    assert names(chosen) == ["run_id", "event", "repo"]
    first = table_rows(page, "rows")[0]
    assert first[0] in ("1", "2")
    assert first[1] == "success"


@in_loop
async def test_a_run_leads_to_its_attempts_jobs_feed_and_pages(datasette):
    links = row_links(await get_page(datasette, "/ci_observer/runs/1"))

    assert links == {
        "2 attempts": "/ci_observer/run_attempts?run_id=1",
        "1 job": "/ci_observer/jobs?run_id=1",
        "2 runs of this commit": f"/ci_observer/runs?repo=acme%2Fapi&head_sha={SHA}",
        "GitHub's whole object": "/ci_observer/runs_full?run_id=1",
        "all runs of the workflow": "/ci_observer/runs?repo=acme%2Fapi&workflow=ci.yml"
        "&_sort_desc=started_at",
        "the feed": "/ci_observer/feeds/acme~2Fapi,ci~2Eyml",
        "workflow page": "/workflows/acme/api/ci.yml",
        "commit page": f"/commits/acme/api/{SHA}",
        "run page": "/runs/1",
        "on GitHub": "https://github.com/acme/api/actions/runs/1",
        "1 row of tiles_of_mine": "/ci_observer/tiles_of_mine?run_id=1",
    }
    for address in links.values():
        if address and address.startswith("/"):
            assert (await datasette.client.get(address)).status_code == 200


@in_loop
@pytest.mark.parametrize(
    ("row", "text", "address"),
    [
        ("jobs/5", "the run", "/ci_observer/runs/1"),
        ("jobs/5", "2 attempts of the run", "/ci_observer/run_attempts?run_id=1"),
        ("run_attempts/1,2", "the run", "/ci_observer/runs/1"),
        ("run_attempts/1,2", "0 jobs", None),
        (
            "feeds/acme~2Fapi,ci~2Eyml",
            "2 runs",
            "/ci_observer/runs?repo=acme%2Fapi&workflow=ci.yml&_sort_desc=started_at",
        ),
        (
            "feeds/acme~2Fapi,ci~2Eyml",
            "its tile",
            "/ci_observer/wall?repo=acme%2Fapi&workflow=ci.yml",
        ),
    ],
)
async def test_a_row_leads_back(datasette, row, text, address):
    assert row_links(await get_page(datasette, f"/ci_observer/{row}"))[text] == address


@pytest.mark.asyncio
async def test_links_and_counts_keep_to_the_permissions(
    filled: Database, db_path: Path
) -> None:
    only_root: dict[str, Any] = {"allow": {"id": "root"}}
    tables = dict.fromkeys(("jobs", "tiles_of_mine", "feeds"), only_root)
    rules = {"databases": {"ci_observer": {"tables": tables}}}
    async with restricted(db_path, rules) as datasette:
        seen = {}
        for actor in ("ada", "root"):
            response = await datasette.client.get(
                "/ci_observer/runs/1", cookies=cookies_of(datasette, actor)
            )
            seen[actor] = {*row_links(read_page(response.text))}

    assert seen["root"] - seen["ada"] == {"1 job", "1 row of tiles_of_mine", "the feed"}


@pytest.mark.asyncio
async def test_repositories_are_suggested_to_those_who_may_see_them(
    filled: Database, db_path: Path
) -> None:
    only_root: dict[str, Any] = {"allow": {"id": "root"}}
    rules = {"databases": {"ci_observer": {"tables": {"feeds": only_root}}}}
    path = "/ci_observer/longest_runs"
    async with restricted(db_path, rules) as datasette:
        page = await get_page(datasette, path)

    assert page.all("datalist") == []


@pytest.mark.asyncio
async def test_without_sql_of_visitors_everything_else_works(
    filled: Database, db_path: Path
) -> None:
    off = WebSettings(adhoc_sql="off")
    async with serving(db_path, web=off) as datasette:
        database = await get_page(datasette, "/ci_observer")
        question = await get_page(datasette, "/ci_observer/main_status?_show_sql=1")
        table = await get_page(datasette, "/ci_observer/runs")

    assert sections(database) == ["Questions", "Tables and views"]
    assert "from wall" in question.one("pre").text
    links = [link.text for page in (question, table) for link in page.all("a")]
    assert "Edit SQL" not in links
    assert len(table_rows(table, "rows")) == 2
