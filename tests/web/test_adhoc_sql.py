"""SQL typed by visitors: switched off, and embedded by other web sites."""

from pathlib import Path
from urllib.parse import quote

import pytest
from archive import watch
from datasette.app import Datasette
from sqlite_utils import Database
from web_client import serving

from ci_observer.web.settings import WebSettings
from ci_observer.web.sql import adhoc

OFF = WebSettings(adhoc_sql="off")
EMBEDDED = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "image",
}
FRAMED = EMBEDDED | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
FOLLOWED = EMBEDDED | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SAME = EMBEDDED | {"Sec-Fetch-Site": "same-origin"}


def charts(datasette: Datasette) -> dict[str, str]:
    """The statement of each chart, by its path below the list of dashboards."""
    dashboards = datasette.plugin_config("datasette-dashboards")
    return {
        f"{slug}/{name}": chart["query"]
        for slug, dashboard in dashboards.items()
        for name, chart in dashboard["charts"].items()
        if "query" in chart
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path",
    [
        *("/ci_observer.json?sql=select+1", "/ci_observer.csv?sql=select+1"),
        *("/ci_observer?sql=select+1", "/ci~5Fobserver.json?sql=select+1"),
        "/ci_observer/runs.json?_where=1",
        "/ci_observer/runs?_where=1&_where=2",
        "/ci_observer.json?sql=&sql=select+1",
        "/ci_observer.json?sql=%0aselect+1&_where=1",
        "/ci_observer.blob?sql=select+x'00'&_blob_column=x&_blob_hash=1",
        "/_internal.json?sql=select+1",
        "/-/dashboards/ci-observer?sql=select+1",
    ],
)
async def test_switched_off_no_sql_of_a_visitor_runs(
    db: Database, db_path: Path, path: str
) -> None:
    async with serving(db_path, web=OFF) as datasette:
        response = await datasette.client.get(path)

    assert response.status_code == 403
    assert "Ad-hoc SQL is switched off here (ADHOC_SQL=off)" in response.text


@pytest.mark.asyncio
async def test_switched_off_everything_else_works(db: Database, db_path: Path) -> None:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path, web=OFF) as datasette:
        queries = datasette.metadata("queries", database="ci_observer")
        paths = [
            *(f"/ci_observer/{name}.json" for name in queries),
            *("/ci_observer/runs?repo=acme&_facet=actor&_sort=repo", "/ci_observer"),
            *("/ci_observer/runs.csv?_stream=1", "/-/dashboards/ci-observer"),
        ]
        statuses = {
            path: (await datasette.client.get(path, follow_redirects=True)).status_code
            for path in paths
        }
        database = (await datasette.client.get("/ci_observer")).text
        query = (await datasette.client.get(f"/ci_observer/{next(iter(queries))}")).text

    assert {path for path, status in statuses.items() if status != 200} == set()
    assert 'id="sql-editor"' not in database
    assert "Edit SQL" not in query


@pytest.mark.asyncio
async def test_switched_off_each_chart_gets_its_data(
    db: Database, db_path: Path
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path, web=OFF) as datasette:
        paths = [f"/-/dashboards/{chart}.json?days=7" for chart in charts(datasette)]
        statuses = [(await datasette.client.get(p)).status_code for p in paths]

    assert statuses == [200] * len(paths)


@pytest.mark.asyncio
async def test_switched_off_the_statement_of_a_chart_is_a_visitor_s_too(
    db: Database, db_path: Path
) -> None:
    async with serving(db_path, web=OFF) as datasette:
        statement = next(iter(charts(datasette).values()))
        page = await datasette.client.get(f"/ci_observer.json?sql={quote(statement)}")
        chart = (await datasette.client.get("/-/dashboards/jobs/minutes")).text

    assert page.status_code == 403
    assert "Edit SQL" not in chart


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "status"),
    [(EMBEDDED, 403), (FRAMED, 403), (FOLLOWED, 200), (SAME, 200), ({}, 200)],
)
async def test_sql_that_another_site_embeds_is_refused(
    db: Database, db_path: Path, headers: dict[str, str], status: int
) -> None:
    async with serving(db_path) as datasette:
        response = await datasette.client.get(
            "/ci_observer.json?sql=select+1", headers=headers
        )
        table = await datasette.client.get("/ci_observer/runs.json", headers=headers)

    assert response.status_code == status
    assert status == 200 or response.json()["error"] == adhoc.FROM_ANOTHER_SITE
    assert table.status_code == 200


@pytest.mark.asyncio
async def test_nobody_runs_sql_on_datasette_s_own_database(
    db: Database, db_path: Path
) -> None:
    """It is in the memory of the server, where no worker limits a statement."""
    async with serving(db_path) as datasette:
        allowed = await datasette.permission_allowed(
            {"id": "root"}, "execute-sql", "_internal", default=True
        )

    assert allowed is False
