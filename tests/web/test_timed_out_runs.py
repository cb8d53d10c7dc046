"""A cancelled run that ran into its time limit counts as `timed_out` everywhere.

GitHub calls it cancelled. Charts, rates and lists must not.
"""

import re
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import save_cause, save_runs, watch
from datasette.app import Datasette
from factories import run_payload, times
from metadata_file import METADATA
from page_reader import get_page, table_rows
from sqlite_utils import Database
from tiles import rows_of
from web_client import get_json, serving

# These list GitHub's words.
LISTS = ("recent_failures", "runs_of_commit")
QUERIES = {
    name: query["sql"]
    for name, query in METADATA["databases"]["ci_observer"]["queries"].items()
    if name not in LISTS
}
DASHBOARD = METADATA["plugins"]["datasette-dashboards"]["ci-observer"]
CHARTS = {
    name: re.sub(r"\[\[.*?\]\]", "", chart["query"])
    for name, chart in DASHBOARD["charts"].items()
    if "query" in chart
}
PAGE = "/workflows/acme/api/ci.yml"


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path) as datasette:
        yield datasette


def save_history(db: Database, *, conclusion: str) -> None:
    """A commit that passed, and timed out by the given word, and a person's cancel."""
    same = {"head_sha": "a" * 40}
    save_runs(
        db,
        run_payload(1, **same, **times("09:00")),
        run_payload(2, conclusion=conclusion, **same, **times("10:00", 30)),
        run_payload(3, conclusion="cancelled", **times("11:00")),
        run_payload(4, **times("12:00")),
    )
    if conclusion == "cancelled":
        save_cause(db, 2, "timeout")
    save_cause(db, 3, "person", "ada")


def results(db: Database, sql: str) -> list[tuple[Any, ...]]:
    params: dict[str, str] = defaultdict(str)
    names = re.findall(r":(\w+)", sql)
    return db.execute(sql, {name: params[name] for name in names}).fetchall()


@pytest.mark.parametrize("name", [*QUERIES, *CHARTS])
def test_a_query_gives_the_same_as_for_github_s_timed_out(db: Database, name: str):
    sql = (QUERIES | CHARTS)[name]
    watch(db, ("acme/api", "ci.yml"))
    save_history(db, conclusion="timed_out")
    expected = results(db, sql)

    save_runs(
        db,
        run_payload(2, conclusion="cancelled", head_sha="a" * 40, **times("10:00", 30)),
    )
    save_cause(db, 2, "timeout")

    assert results(db, sql) == expected


def test_the_views_count_it_as_failed(db: Database):
    watch(db, ("acme/api", "ci.yml"))
    save_history(db, conclusion="cancelled")

    [day] = rows_of(db, "select * from run_stats_daily")
    assert (day["successes"], day["failures"], day["cancelled"]) == (2, 1, 1)
    assert day["failure_rate"] == round(1 / 3, 4)
    [flaky] = rows_of(db, "select successes, failures from flaky_runs")
    assert flaky == {"successes": 1, "failures": 1}
    [tile] = rows_of(db, "select is_flaky, success_rate from wall")
    assert tile == {"is_flaky": 1, "success_rate": 0.667}
    assert rows_of(
        db,
        "select conclusion, cancel_cause, cancelled_by, effective_conclusion"
        " from run_history where run_id in (2, 3) order by run_id",
    ) == [
        {
            "conclusion": "cancelled",
            "cancel_cause": "timeout",
            "cancelled_by": None,
            "effective_conclusion": "timed_out",
        },
        {
            "conclusion": "cancelled",
            "cancel_cause": "person",
            "cancelled_by": "ada",
            "effective_conclusion": "cancelled",
        },
    ]


@pytest.mark.asyncio
async def test_the_list_of_failures_has_it(db: Database, datasette: Datasette):
    save_history(db, conclusion="cancelled")

    response = await datasette.client.get(
        "/ci_observer/recent_failures.json?_shape=array"
    )

    [row] = response.json()
    assert (row["conclusion"], row["cancel_cause"]) == ("cancelled", "timeout")


@pytest.mark.asyncio
async def test_the_pages_say_why_a_run_was_cancelled(
    db: Database, datasette: Datasette
):
    save_history(db, conclusion="cancelled")
    save_runs(
        db,
        run_payload(5, conclusion="cancelled", **times("13:00")),
        run_payload(6, conclusion="cancelled", **times("14:00")),
    )
    save_cause(db, 5, "superseded")

    rows = table_rows(await get_page(datasette, "/runs"), "runs")

    assert [row[0].replace("\N{NO-BREAK SPACE}", " ") for row in rows] == [
        "cancelled",
        "cancelled for a newer run",
        "success",
        "cancelled by ada",
        "timed out after 30 min",
        "success",
    ]
    page = await get_page(datasette, PAGE)
    labels = [cell.attributes["aria-label"] for cell in page.all("a", class_="cell")]
    assert any("timed out after" in label for label in labels)


@pytest.mark.asyncio
async def test_the_workflow_s_page_counts_it_and_links_to_it(
    db: Database, datasette: Datasette
):
    save_history(db, conclusion="cancelled")
    page = await get_page(datasette, PAGE)
    links = {
        (int(a.text), a.href)
        for a in page.all("a")
        if "effective_conclusion" in a.href and "data-count" in a.attributes
    }

    for number, path in links:
        name, _, query = path.partition("?")
        response = await datasette.client.get(f"{name}.json?{query}&_shape=array")
        assert len(response.json()) == number
    assert {number for number, _ in links} == {1, 3}


@pytest.mark.asyncio
async def test_the_api_has_the_cause_and_the_person(db: Database, datasette: Datasette):
    save_history(db, conclusion="cancelled")

    answer = await get_json(datasette, "/api/runs?conclusion=cancelled")

    assert [(run["cancel_cause"], run["cancelled_by"]) for run in answer["runs"]] == [
        ("person", "ada"),
        ("timeout", None),
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("conclusion=timed_out", [2]),
        ("conclusion=timed_out&conclusion=success", [4, 2, 1]),
        ("conclusion=timed_out&conclusion=null", [5, 2]),
        ("conclusion=cancelled", [3, 2]),
        ("conclusion=timed_out&repo=acme/api&workflow=ci.yml", [2]),
        ("conclusion=failure", []),
    ],
)
async def test_the_filter_finds_it_under_both_words(
    db: Database, datasette: Datasette, query: str, found: list[int]
):
    save_history(db, conclusion="cancelled")
    save_runs(db, run_payload(5, status="in_progress", **times("13:00")))

    answer = await get_json(datasette, f"/api/runs?{query}")

    assert [run["run_id"] for run in answer["runs"]] == found


@pytest.mark.asyncio
async def test_the_failed_runs_include_it(db: Database, datasette: Datasette):
    save_history(db, conclusion="cancelled")
    page = await get_page(datasette, "/runs")
    [path] = [a.href for a in page.all("a") if a.text == "Failed"]

    rows = table_rows(await get_page(datasette, path), "runs")

    assert [row[1] for row in rows] == ["Change 2 #2"]


@pytest.mark.asyncio
async def test_the_table_of_the_wall_says_so(db: Database, datasette: Datasette):
    save_runs(db, run_payload(1, conclusion="cancelled", **times("09:00", 30)))
    save_cause(db, 1, "timeout")

    page = await get_page(datasette, "/")

    cells = [cell.text for cell in page.all("td")]
    assert "failing: timed out" in cells


@pytest.mark.asyncio
async def test_the_wall_s_filter_finds_its_tile(db: Database, datasette: Datasette):
    save_runs(db, run_payload(1, conclusion="cancelled", **times("09:00")))
    save_cause(db, 1, "timeout")

    for word, number in (("timed_out", 1), ("cancelled", 1), ("failure", 0)):
        answer = await get_json(datasette, f"/api/wall?conclusion={word}")
        assert len(answer["tiles"]) == number
