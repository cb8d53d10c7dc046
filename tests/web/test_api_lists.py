"""/api/attempts, /api/jobs, /api/stats and /api/runs/RUN_ID, and their pages."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from datasette.app import Datasette
from sqlite_utils import Database
from varied_archive import fill_varied
from web_client import get_error, get_json, serving, serving_example

from ci_observer.ingest.db import derived, schema
from ci_observer.web.api.list_columns import ATTEMPT_COLUMNS, JOB_COLUMNS, STATS_COLUMNS
from ci_observer.web.columns import FILTER_COLUMNS
from ci_observer.web.database import DATABASE

in_loop = pytest.mark.asyncio(loop_scope="module")

RUNS = 200
LISTS = {"attempts": ATTEMPT_COLUMNS, "jobs": JOB_COLUMNS, "stats": STATS_COLUMNS}


def fill(db: Database) -> None:
    fill_varied(db, RUNS)
    for column in FILTER_COLUMNS.values():
        derived.recount(db, column)
    [job_id] = next(db.query("select max(job_id) as id from jobs")).values()
    db["step_names"].insert({"names_id": 1, "names": '["Set up job","Run tests"]'})
    steps = {"job_id": job_id, "names_id": 1, "steps": '[2,["failure",2,9]]'}
    db["job_steps"].insert(steps)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    """No test writes to its database."""
    async with serving_example(tmp_path_factory.mktemp("lists"), fill) as datasette:
        yield datasette


@pytest.fixture
def rows(datasette: Datasette) -> Iterator[Database]:
    """The same database, for the rows that a test expects."""
    with closing(schema.connect(Path(datasette.get_database(DATABASE).path))) as db:
        yield db


async def get_pages(
    datasette: Datasette, name: str, query: str = "", limit: int = 37
) -> list[dict[str, Any]]:
    """All items of a list, from as many pages as it has, by their links."""
    items: list[dict[str, Any]] = []
    path = f"/api/{name}?limit={limit}&{query}"
    while path:
        response = await datasette.client.get(path)
        assert response.status_code == 200, response.text
        page = response.json()
        items += page[name]
        assert len(page[name]) == limit or not page["next"]
        path = local(response.links.get("next", {}).get("url", ""))
        assert parse_qs(urlsplit(path).query).get("cursor", [None])[0] == page["next"]
    return items


def local(url: str) -> str:
    """The path and the query of a URL of the server of a test."""
    return urlsplit(url)._replace(scheme="", netloc="").geturl()


def conditions(query: str) -> str:
    """A query string of the attempts and jobs as a condition on a row of them."""
    sql = {"branch": "head_branch", "job": "name", "since": "latest_at >=", "until": ""}
    parts = [part.split("=") for part in query.split("&") if part]
    return " and ".join(
        f"{sql.get(name, name)} {'' if name == 'since' else '='} '{value}'"
        for name, value in parts
    )


ATTEMPTS_SQL = """
select h.*, r.started_at as latest_at
from run_history h join runs r using (run_id)
where {where} order by r.started_at desc, run_id desc, h.run_attempt desc
"""
JOBS_SQL = """
select h.*, r.started_at as latest_at, r.head_branch
from job_history h join runs r using (run_id)
where {where} order by r.started_at desc, run_id desc, h.run_attempt desc, job_id desc
"""
QUERIES = (
    "",
    "repo=acme/api",
    "repo=acme/api&workflow=lint.yml",
    "branch=trunk",
    "conclusion=failure",
    "conclusion=startup_failure",
    "status=queued",
    "conclusion=failure&branch=main&event=push",
    "since=2026-02-01T00:00:00Z",
    "repo=none/none",
)


def query_where(query: str) -> str:
    where = conditions(query)
    for name in ("repo", "workflow", "event"):
        where = where.replace(f"{name} ", f"r.{name} ")
    for name in ("status", "conclusion"):
        where = where.replace(f"{name} ", f"h.{name} ")
    return (
        where.replace("latest_at", "r.started_at").replace(
            "head_branch", "r.head_branch"
        )
        or "true"
    )


@in_loop
@pytest.mark.parametrize("query", QUERIES)
async def test_the_pages_of_attempts_have_each_attempt_once_and_in_order(
    datasette: Datasette, rows: Database, query: str
) -> None:
    expected = rows.query(ATTEMPTS_SQL.format(where=query_where(query)))

    items = await get_pages(datasette, "attempts", query)

    shared = set(ATTEMPT_COLUMNS) - {"queue_seconds", "waited_for", "has_jobs"}
    assert [{name: item[name] for name in shared} for item in items] == [
        {name: row[name] for name in shared} for row in expected
    ]
    assert bool(items) is (query != "repo=none/none")


@in_loop
@pytest.mark.parametrize("query", [*QUERIES, "job=build&conclusion=cancelled"])
async def test_the_pages_of_jobs_have_each_job_once_and_in_order(
    datasette: Datasette, rows: Database, query: str
) -> None:
    where = query_where(query).replace(" name ", " h.name ")
    expected = [*rows.query(JOBS_SQL.format(where=where))]

    items = await get_pages(datasette, "jobs", query)

    shared = set(JOB_COLUMNS) & set(expected[0] if expected else {}) - {"labels"}
    assert [{name: item[name] for name in shared} for item in items] == [
        {name: row[name] for name in shared} for row in expected
    ]
    assert [item["labels"] for item in items] == [
        json.loads(row["labels"]) for row in expected
    ]


@in_loop
async def test_a_timed_out_attempt_is_found_under_both_words(
    datasette: Datasette, rows: Database
) -> None:
    [[count]] = rows.execute(
        "select count(*) from run_attempts where effective_conclusion = 'timed_out'"
    )

    items = await get_pages(datasette, "attempts", "conclusion=timed_out")

    assert len(items) == count > 3
    assert {item["conclusion"] for item in items} == {"timed_out", "cancelled"}


@in_loop
@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("", "true"),
        ("default_branch=1", "is_default_branch"),
        ("repo=acme/web&until=2026-01-31", "repo = 'acme/web' and day <= '2026-01-31'"),
        (
            "since=2026-02-01&workflow=lint.yml",
            "workflow = 'lint.yml' and day > '2026-02'",
        ),
    ],
)
async def test_the_statistics_are_those_of_the_runs(
    datasette: Datasette, rows: Database, query: str, where: str
) -> None:
    expected = {
        tuple(row[:3]): row[3:]
        for row in rows.execute(
            f"""
            select day, repo, workflow, count(*), sum(outcome = 'failure'),
              sum(outcome = 'unfinished'), sum(run_attempt), sum(timed_seconds > 0)
            from run_contributions where {where} group by day, repo, workflow
            """  # noqa: S608 (of this test)
        )
    }

    items = await get_pages(datasette, "stats", query)

    found = {
        (item["day"], item["repo"], item["workflow"]): (
            *(item["runs"], item["failure"], item["unfinished"], item["attempts"]),
            item["timed_runs"] or None,
        )
        for item in items
        if item["runs"]
    }
    assert found == expected
    keys = [(item["day"], item["repo"].lower(), item["workflow"]) for item in items]
    by_name = sorted(keys, key=lambda key: key[1:])
    assert keys == sorted(by_name, key=lambda key: key[0], reverse=True)
    assert len({*keys}) == len(keys)


@in_loop
async def test_the_minutes_of_the_statistics_are_those_of_the_jobs(
    datasette: Datasette, rows: Database
) -> None:
    expected = {
        tuple(row[:3]): tuple(row[3:])
        for row in rows.execute(
            """
            select day, repo, workflow, sum(jobs), round(sum(run_minutes), 1),
              sum(billed_minutes)
            from minutes_daily group by day, repo, workflow
            """
        )
    }

    items = await get_pages(datasette, "stats")

    found = {
        (item["day"], item["repo"], item["workflow"]): item
        for item in items
        if item["jobs"]
    }
    assert found.keys() == expected.keys()
    for key, (jobs, minutes, billed) in expected.items():
        assert found[key]["jobs"] == jobs
        assert found[key]["run_minutes"] == pytest.approx(minutes, abs=0.3)
        assert found[key]["billed_minutes"] == billed
    # A job that runs past midnight may be the only one of its day.
    assert any(item["runs"] == 0 for item in found.values())


@in_loop
async def test_the_percentiles_of_a_day_are_at_most_a_bucket_away(
    datasette: Datasette, rows: Database
) -> None:
    expected: dict[tuple[str, ...], list[int]] = {}
    for day, repo, workflow, seconds in rows.execute(
        "select day, repo, workflow, timed_seconds from run_contributions"
        " where timed_seconds is not null order by timed_seconds"
    ):
        expected.setdefault((day, repo, workflow), []).append(seconds)

    for item in await get_pages(datasette, "stats"):
        durations = expected.get((item["day"], item["repo"], item["workflow"]))
        if durations is None:
            assert item["duration_p95_seconds"] is None
            continue
        median = durations[(len(durations) + 1) // 2 - 1]
        assert item["duration_p50_seconds"] == pytest.approx(median, rel=0.026)
        assert item["duration_p95_seconds"] == pytest.approx(durations[-1], rel=0.026)


@in_loop
async def test_a_run_has_its_attempts_and_jobs_with_their_steps(
    datasette: Datasette, rows: Database
) -> None:
    [[run_id, job_id]] = rows.execute(
        "select run_id, job_id from jobs order by job_id desc limit 1"
    )

    details = await get_json(datasette, f"/api/runs/{run_id}")

    runs = await get_pages(datasette, "runs")
    attempts = await get_pages(datasette, "attempts")
    jobs = await get_pages(datasette, "jobs")
    assert [details["run"]] == [run for run in runs if run["run_id"] == run_id]
    assert details["attempts"][::-1] == [a for a in attempts if a["run_id"] == run_id]
    steps = {job["job_id"]: job.pop("steps") for job in details["jobs"]}
    assert details["jobs"][::-1] == [job for job in jobs if job["run_id"] == run_id]
    [first, second] = steps[job_id]
    assert (first["number"], first["name"]) == (1, "Set up job")
    assert second["conclusion"] == "failure"
    assert second["duration_seconds"] == 7


@in_loop
@pytest.mark.parametrize("text", ["0", "-1", "9" * 30, "x", "%F0%9F%9A%80", "1.0"])
async def test_a_run_that_is_not_stored_is_404(datasette: Datasette, text: str) -> None:
    status, error = await get_error(datasette, f"/api/runs/{text}")

    assert status == 404
    assert "is stored" in error


@in_loop
@pytest.mark.parametrize("name", LISTS)
async def test_the_exports_have_all_items_in_the_order_of_the_pages(
    datasette: Datasette, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_observer.web.api.exports.PAGE_SIZE", 64)
    items = await get_pages(datasette, name)

    lines = (await datasette.client.get(f"/api/{name}.ndjson")).text.splitlines()
    text = (await datasette.client.get(f"/api/{name}.csv?formulas=keep")).text
    [header, *cells] = csv.reader(io.StringIO(text))

    assert [json.loads(line) for line in lines] == items
    assert tuple(header) == LISTS[name] == tuple(items[0])
    assert cells == [[cell(value) for value in item.values()] for item in items]


def cell(value: Any) -> str:
    if isinstance(value, list):
        return json.dumps(value)
    return "" if value is None else str(value)


@in_loop
@pytest.mark.parametrize("name", LISTS)
async def test_a_cursor_of_another_list_is_400(datasette: Datasette, name: str) -> None:
    others = [other for other in ("runs", *LISTS) if other != name]
    for other in others:
        cursor = (await get_json(datasette, f"/api/{other}?limit=1"))["next"]
        status, error = await get_error(datasette, f"/api/{name}?cursor={cursor}")
        assert status == 400
        assert "is not a cursor of this API" in error


@in_loop
@pytest.mark.parametrize(
    "query", ["since=2026-02-30", "until=20260301", "since=2026-03-01T00:00:00Z"]
)
async def test_the_statistics_take_whole_days_only(
    datasette: Datasette, query: str
) -> None:
    status, error = await get_error(datasette, f"/api/stats?{query}")

    assert status == 400
    assert "is not a day" in error


@in_loop
async def test_links_repeat_the_filters_below_the_address_of_the_client(
    datasette: Datasette,
) -> None:
    path = Path(datasette.get_database(DATABASE).path)
    query = "branch=main&branch=a%2Fb%20%C3%BC%26&limit=1"
    async with serving(path, base_url="/ci/") as prefixed:
        first = await prefixed.client.get(
            f"/api/runs?{query}", headers={"host": "ci.example:8443"}
        )
        second = await prefixed.client.get(local(first.links["next"]["url"]))
        odd = await prefixed.client.get(
            f"/api/runs?{query}", headers={"host": 'x">, <evil'}
        )

    parts = urlsplit(first.links["next"]["url"])
    assert parts[:3] == ("http", "ci.example:8443", "/ci/api/runs")
    arguments = parse_qs(parts.query)
    assert arguments.pop("cursor") == [first.json()["next"]]
    assert arguments == {"branch": ["main", "a/b ü&"], "limit": ["1"]}
    assert second.json()["runs"] != first.json()["runs"]
    assert "cursor" not in second.links["first"]["url"]
    assert odd.headers["link"].startswith("</ci/api/runs?")


@in_loop
@pytest.mark.parametrize(("name", "method"), [*product(LISTS, ("GET", "HEAD"))])
async def test_an_unchanged_page_is_304_and_keeps_its_link(
    datasette: Datasette, name: str, method: str
) -> None:
    first = await datasette.client.get(f"/api/{name}?limit=3")
    headers = {"if-none-match": first.headers["etag"]}

    again = await datasette.client.request(
        method, f"/api/{name}?limit=3", headers=headers
    )

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["link"] == first.headers["link"]
