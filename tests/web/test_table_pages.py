"""What the page of a table counts: within limits, or from stored counts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from archive import save_runs, watch
from datasette.app import Datasette
from factories import run_payload
from page_reader import get_page, table_rows
from sqlite_utils import Database
from web_client import get_json, serving_example

from ci_observer.web.sql.table_hints import with_hints
from ci_observer.web.sql.table_pages import MAX_COUNTED, fast_statement

in_loop = pytest.mark.asyncio(loop_scope="module")

MANY = MAX_COUNTED + 5
STORED_EVENT = "stored-only"


def fill(db: Database) -> None:
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_runs(
        db,
        run_payload(1, conclusion="failure", event="schedule"),
        run_payload(2, head_branch="dev"),
        run_payload(3, status="in_progress", conclusion=None, head_branch=None),
    )
    web = {"id": 2, "full_name": "acme/web"}
    save_runs(db, run_payload(4, repository=web, head_repository=web), repo="acme/web")
    db.execute("update runs set repo = 'ACME/API' where run_id = 2")
    db.execute("delete from run_values where name = 'repo'")
    db.execute(
        "insert into run_values select * from counted_values where name = 'repo'"
    )
    numbers = f"""
        with recursive numbers (n) as (
            select 1 union all select n + 1 from numbers where n < {MANY}
        )
        select n from numbers
    """  # noqa: S608 (a number)
    db.create_view("many_of_mine", numbers)
    db.execute("create table numbers_of_mine as select * from many_of_mine")
    # A stored row that the defining view does not have.
    db["run_values"].insert({"name": "event", "value": STORED_EVENT, "runs": 7})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    async with serving_example(tmp_path_factory.mktemp("counts"), fill) as datasette:
        yield datasette


async def count_on_page(datasette: Datasette, path: str) -> str:
    page = await get_page(datasette, path)
    return page.one(class_="toolbar__count").text


@in_loop
async def test_a_page_counts_up_to_ten_thousand_rows(datasette):
    many = "/ci_observer/many_of_mine"

    assert (await count_on_page(datasette, many)).startswith("more than 10,000 rows")
    some = await count_on_page(datasette, f"{many}?n__lte=10000")
    assert some.startswith("10,000 rows")
    one = await count_on_page(datasette, f"{many}?n__lte=1")
    assert one.startswith("1 row,")


@in_loop
async def test_json_has_the_exact_count(datasette):
    found = await get_json(datasette, "/ci_observer/many_of_mine.json?_size=1")

    assert found["filtered_table_rows_count"] == MANY


@in_loop
async def test_sql_of_a_visitor_counts_all_rows(datasette):
    sql = "select count(*) from many_of_mine"
    page = await get_page(datasette, f"/ci_observer?sql={sql}")

    assert table_rows(page, "rows") == [[str(MANY)]]


@in_loop
@pytest.mark.parametrize(
    "column",
    ["repo", "workflow", "head_branch", "event", "actor", "status", "conclusion"],
)
@pytest.mark.parametrize("where", ["", "?event=push"])
async def test_facets_of_runs_are_those_of_their_rows(datasette, column, where):
    path = f"/ci_observer/runs.json{where or '?'}&_facet={column}"
    found = await get_json(datasette, path)

    facet = [
        value
        for value in found["facet_results"][column]["results"]
        if value["value"] != STORED_EVENT
    ]
    event = "and event = 'push'" if where else ""
    rows = await datasette.get_database().execute(
        f"select lower({column}), count(*) from runs"  # noqa: S608 (own names)
        f" where {column} is not null {event} group by {column}"
    )
    assert {(f["value"].lower(), f["count"]) for f in facet} == set(map(tuple, rows))
    assert [f["count"] for f in facet] == sorted(f["count"] for f in facet)[::-1]


@in_loop
async def test_unfiltered_runs_are_counted_without_reading_them(datasette):
    page = await get_json(datasette, "/ci_observer/runs.json?_facet=event")
    filtered = await get_json(
        datasette, "/ci_observer/runs.json?_facet=event&event__notnull=1"
    )

    assert page["filtered_table_rows_count"] == 4
    values = [facet["value"] for facet in page["facet_results"]["event"]["results"]]
    assert STORED_EVENT in values
    assert STORED_EVENT not in str(filtered["facet_results"])


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from runs where event = :p0 ",
        "select count(*) from runs",
        "select event as value, count(*) as count from ( select event from runs where 1"
        " ) where event is not null group by event order by count desc, value limit 3",
        "select head_sha as value, count(*) as count from ( select head_sha from runs )"
        " where head_sha is not null group by head_sha order by count desc, value"
        " limit 3",
    ],
)
def test_all_other_statements_are_left_as_they_are(sql):
    assert fast_statement(sql) == sql


@in_loop
async def test_the_page_of_a_definition_shows_the_stored_rows(datasette):
    path = "/ci_observer/counted_values"
    page = await get_page(datasette, f"{path}?value={STORED_EVENT}")

    assert table_rows(page, "rows") == [["event", STORED_EVENT, "7"]]
    assert "This page shows the stored rows, from run_values" in page.text
    computed = await get_json(datasette, f"{path}.json?value={STORED_EVENT}")
    assert computed["rows"] == []


@in_loop
async def test_each_definition_has_the_columns_of_its_table(datasette):
    described = datasette.metadata("tables", database="ci_observer")
    stored = {name: about.get("stored_in") for name, about in described.items()}
    database = datasette.get_database()
    for view, table in stored.items():
        if table:
            columns = [row["name"] for row in await table_info(database, table)]
            of_view = [row["name"] for row in await table_info(database, view)]
            assert set(of_view) <= set(columns), view
            assert (
                await datasette.client.get(f"/ci_observer/{view}")
            ).status_code == 200
    assert {view for view, table in stored.items() if table} >= {
        *("counted_values", "tile_facts", "counted_flaky_shas"),
    }


async def table_info(database: Any, name: str) -> Any:
    return await database.execute(f"pragma table_xinfo({name})")


COUNTS = {"": 1_000_000, "repo": 140_000, "workflow": 500_000, "actor": 20}


@pytest.mark.parametrize(
    ("table", "where", "made"),
    [
        # The rows of a frequent value are walked in order; a rare one has its index.
        ("runs", '"repo" = :p0', '+"repo" = :p0'),
        ("runs", '"actor" = :p0', '"actor" = :p0'),
        (
            "decisive_runs",
            '"repo" = :p0 and "workflow" = :p1',
            '+"repo" = :p0 and +"workflow" = :p1',
        ),
        ("runs", '"actor" = :p0 and "repo" = :p1', '"actor" = :p0 and "repo" = :p1'),
        # No run has it.
        ("runs", '"head_branch" = :p0', '0 and "head_branch" = :p0'),
        ("runs", '"status" = :p0', '0 and "status" = :p0'),
        ("run_history", '"status" = :p0', '+"status" = :p0'),
        ("attempt_jobs", '"conclusion" = :p0', '+"conclusion" = :p0'),
        # A table of mine may have such columns, too.
        ("table_of_mine", '"repo" = :p0', '"repo" = :p0'),
        ("table_of_mine", '"head_sha" = :p0', '"head_sha" = :p0'),
        ("runs", '"repo" != :p0', '"repo" != :p0'),
        ("runs", 'date("day") = :p0', 'date("day") = :p0'),
    ],
)
def test_a_page_is_found_by_the_faster_way(table, where, made):
    sql = "select a, b from runs where {} order by started_at desc limit 51"
    params = {"p0": "some", "p1": "other"}

    def counts_of(values):
        return {"": COUNTS[""]} | {k: COUNTS[k] for k in values if k in COUNTS}

    assert with_hints(sql.format(where), params, table, counts_of) == sql.format(made)


@in_loop
@pytest.mark.parametrize("table", ["runs", "run_history", "run_days", "decisive_runs"])
@pytest.mark.parametrize(
    "query",
    [
        *("repo=ACME/API", "repo=acme/none", "repo=acme/api&workflow=ci.yml"),
        *(f"head_sha={1:040x}", f"head_sha={1:07x}", "status=completed"),
        *(
            "conclusion=failure",
            "day=2026-03-01",
            "day__gte=2026-03-01",
            "day=2026-03-02",
        ),
    ],
)
async def test_a_filtered_page_has_the_rows_of_the_json(datasette, table, query):
    found = await datasette.client.get(f"/ci_observer/{table}.json?{query}&_size=10")
    columns = found.json().get("columns", [])
    if any(
        part.split("=")[0].split("__")[0] not in columns for part in query.split("&")
    ):
        return
    page = await get_page(datasette, f"/ci_observer/{table}?{query}")

    rows = found.json()["rows"]
    assert len(table_rows(page, "rows") if rows else []) == len(rows)
    count = page.one(class_="toolbar__count").text
    assert count.startswith(f"{len(rows)} row")


@in_loop
async def test_the_list_of_tables_has_up_to_ten_thousand_rows(datasette):
    database = datasette.get_database()
    counts = await database.table_counts()

    exact = {
        name: (await database.execute(f'select count(*) from "{name}"')).single_value()  # noqa: S608
        for name in await database.table_names()
    }
    assert exact.pop("numbers_of_mine") == MANY
    assert counts.pop("numbers_of_mine") is None
    assert counts == exact
